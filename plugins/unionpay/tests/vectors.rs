//! The bodies that the channel sends, signed with the test key: what `oracle/` verifies and decodes with software that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use insta::assert_snapshot;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use saoma_channel_sdk::{Error, KnownOrder, Money, Order, Presenter, RefundOrder};
use saoma_unionpay::messages::{self, Call, Settings};

const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const AT: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        gateway_url: "https://gateway.test.95516.com".to_owned(),
        file_url: "https://filedownload.test.95516.com".to_owned(),
        merchant_id: "777290058110048".to_owned(),
        certificate_id: "68759663125".to_owned(),
        terminal_id: "49000001".to_owned(),
        code_minutes_max: 10,
    }
}

fn cny(minor: i64) -> Money {
    Money { minor, currency: "CNY".to_owned() }
}

/// As `lib.rs` does it with the host's key: RSA with SHA-256 is deterministic, so these bytes are the wire's.
fn body(call: Result<Call, Error>) -> String {
    let pem = include_str!("../../schemes/keys/unionpay/merchant-sign.key");
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
    let fields = call.unwrap().fields;
    let digest = messages::digest_hex(&fields.signed_text());
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), digest.as_bytes(), &mut signature).unwrap();
    fields.with("signature", STANDARD.encode(signature)).form()
}

#[test]
fn bodies() {
    let settings = settings();
    let order = Order {
        number: NUMBER.to_owned(),
        amount: cny(1_250),
        subject: String::new(),
        merchant_name: String::new(),
        store_id: String::new(),
        store_name: String::new(),
        terminal_id: String::new(),
        terminal_name: String::new(),
        created_at: AT,
        expires_at: AT + 120_000,
    };
    let known = KnownOrder {
        number: NUMBER.to_owned(),
        reference: String::new(),
        amount: cny(1_250),
        presented_by: Presenter::Merchant,
        created_at: AT,
    };
    let refund = RefundOrder {
        number: NUMBER.to_owned(),
        reference: "202311150613200000001".to_owned(),
        refund_number: "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        amount: cny(5),
        total: cny(1_250),
        reason: String::new(),
        created_at: AT,
    };
    // A URL with a query of its own and letters outside of ASCII: both must come through the form unchanged.
    let notify_url = "https://pay.example/n/cha_1?shop=门店&till=1";
    assert_snapshot!("create", body(messages::create(&settings, &order, notify_url)));
    assert_snapshot!("charge", body(messages::charge(&settings, &order, "", "6212345678901234567")));
    assert_snapshot!("query", body(messages::query(&settings, NUMBER, AT)));
    assert_snapshot!("reverse", body(messages::reverse(&settings, &known)));
    assert_snapshot!("void", body(messages::void(&settings, &known, &refund.reference, notify_url)));
    assert_snapshot!("refund", body(messages::refund(&settings, &refund, notify_url)));
    assert_snapshot!("bill", body(messages::bill(&settings, "1115", AT)));
}
