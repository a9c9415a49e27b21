//! Every request as it goes out, signed with the merchant's test key at a fixed time and nonce. The snapshot is what
//! `oracle/requests.test.mjs` verifies with software that is not ours.
#![allow(clippy::unwrap_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use saoma_channel_sdk::{Account, Money, Order, RefundOrder};
use saoma_wechatpay::messages::{self, Call, FundAccount, Settings};
use serde_json::{Value, json};

const MERCHANT_KEY: &str = include_str!("../../schemes/src/wechatpay/keys/merchant.key");
const TIMESTAMP: &str = "1700000000";
const NONCE: &str = "593bec0c930bf1afeb40b4a08c8fb242";
const NOTIFY_URL: &str = "https://pay.example/n/1";

fn merchant_key() -> RsaKeyPair {
    let base64: String = MERCHANT_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap()
}

fn settings(changes: &Value) -> Settings {
    let mut settings = json!({
        "base_url": "https://api.mch.weixin.qq.com", "mode": "direct", "mchid": "1900000001", "appid": "wx8888888888888888",
        "merchant_serial": "3775B6A45ACD588826D15E583A95F5DD4A000001",
    });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Settings::of(&Account { id: String::new(), settings_json: settings.to_string(), notify_url: String::new() })
        .unwrap()
}

fn order() -> Order {
    Order {
        number: "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        amount: cny(1_250),
        subject: "Coffee \"large\" 大杯".to_owned(),
        merchant_name: "Corner Shop".to_owned(),
        store_name: "Main Street".to_owned(),
        store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        terminal_id: "ter_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        terminal_name: "till 1".to_owned(),
        created_at: 1_700_000_000_000,
        expires_at: 1_700_000_120_000,
    }
}

fn refund() -> RefundOrder {
    RefundOrder {
        number: order().number,
        reference: String::new(),
        refund_number: "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        amount: cny(5),
        total: cny(1_250),
        reason: "cold 冷".to_owned(),
        created_at: 1_700_000_000_000,
    }
}

fn cny(minor: i64) -> Money {
    Money { minor, currency: "CNY".to_owned() }
}

fn calls(settings: &Settings) -> Vec<(&'static str, Call)> {
    let number = order().number;
    vec![
        ("charge", messages::charge(settings, &order(), "130061098828009406").unwrap()),
        ("create", messages::create(settings, &order(), NOTIFY_URL).unwrap()),
        ("query", messages::query(settings, &number)),
        ("close", messages::close(settings, &number)),
        ("reverse", messages::reverse(settings, &number)),
        ("refund", messages::refund(settings, &refund(), NOTIFY_URL).unwrap()),
        ("query-refund", messages::query_refund(settings, &refund().refund_number)),
        ("bill", messages::bill(settings, "2026-01-31")),
        ("fund-bill", messages::fund_bill(settings, "2026-01-31", FundAccount::Operation)),
        (
            "bill-file",
            messages::download("https://api.mch.weixin.qq.com/v3/billdownload/file?token=6XIv5TUPto7pByrTQKhd")
                .unwrap(),
        ),
        ("certificates", messages::certificates()),
        ("self-test", messages::self_test(settings, NONCE)),
    ]
}

#[test]
fn requests() {
    let partner = json!({"mode": "partner", "sub_mchid": "1900000109", "sub_appid": "wx9999999999999999"});
    let mut sent = Vec::new();
    for (mode, changes) in [("direct", json!({})), ("partner", partner)] {
        let settings = settings(&changes);
        let key = merchant_key();
        for (name, call) in calls(&settings) {
            let (url, path) = settings.address(&call.path).unwrap();
            let text = messages::request_text(call.method, &path, TIMESTAMP, NONCE, &call.body);
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &text, &mut signature).unwrap();
            let authorization = messages::authorization(&settings, TIMESTAMP, NONCE, &STANDARD.encode(signature));
            sent.push(json!({
                "name": format!("{mode} {name}"), "method": call.method, "url": url, "body": call.body,
                "authorization": authorization,
            }));
        }
    }
    insta::assert_snapshot!("requests", serde_json::to_string_pretty(&sent).unwrap());
}
