//! Alipay's gateway from outside: a merchant written from the published rules, with signatures of its own.

use std::io::{Cursor, Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use encoding_rs::GBK;
use form_urlencoded::Serializer;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use saoma_schemes::{
    alipay,
    stage::{Running, Script},
};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use zip::ZipArchive;

use crate::shop::now_ms;

const DAY_MS: i64 = 86_400_000;

struct Merchant {
    running: Running,
    script: Script,
    client: reqwest::Client,
    key: RsaKeyPair,
    alipay: UnparsedPublicKey<Vec<u8>>,
}

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

fn beijing(at_ms: i64) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp(at_ms / 1_000).unwrap().to_offset(UtcOffset::from_hms(8, 0, 0).unwrap());
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap()
}

/// A value of the text, as it stands there.
fn cut<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let begin = text.find(from).unwrap_or_else(|| panic!("{from} in {text}")) + from.len();
    &text[begin..begin + text[begin..].find(to).unwrap()]
}

impl Merchant {
    async fn open() -> Self {
        Self::open_as(alipay::Config::default()).await
    }

    async fn open_as(config: alipay::Config) -> Self {
        // A second installation in the same process is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = alipay::start("127.0.0.1:0".parse().unwrap(), config).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let script: Script = client.get(format!("{}/script", running.door)).send().await.unwrap().json().await.unwrap();
        let key = RsaKeyPair::from_pkcs8(&der(script.secrets["app-private-key"].as_str().unwrap())).unwrap();
        // SubjectPublicKeyInfo: 24 bytes stand before the RSAPublicKey of a key of 2,048 bits.
        let spki = der(include_str!("../../src/alipay/keys/test-alipay-public.pem"));
        let alipay = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki[24..].to_vec());
        Self { running, script, client, key, alipay }
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        STANDARD.encode(signature)
    }

    fn parameters(&self, method: &str, content: &Value) -> Vec<(&'static str, String)> {
        vec![
            ("app_id", self.script.settings["app_id"].as_str().unwrap().to_owned()),
            ("biz_content", content.to_string()),
            ("charset", "utf-8".to_owned()),
            ("method", method.to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("timestamp", beijing(now_ms())),
            ("version", "1.0".to_owned()),
        ]
    }

    /// Signs the parameters, which are sorted already, and sends them; the answer's text.
    async fn post(&self, parameters: &[(&str, String)], spoil: fn(String) -> String) -> reqwest::Result<String> {
        let text: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters).append_pair("sign", &spoil(self.sign(&text.join("&"))));
        let url = self.script.settings["gateway_url"].as_str().unwrap();
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
        request.body(form.finish()).send().await?.text().await
    }

    /// The answer, which must be signed by Alipay.
    async fn call(&self, method: &str, content: Value) -> Value {
        let text = self.post(&self.parameters(method, &content), |sign| sign).await.unwrap();
        self.opened(&text, &format!("{}_response", method.replace('.', "_")))
    }

    fn opened(&self, text: &str, node: &str) -> Value {
        let signed = cut(text, &format!(r#"{{"{node}":"#), r#","sign""#);
        let signature = STANDARD.decode(cut(text, r#""sign":""#, "\"")).unwrap();
        self.alipay.verify(signed.as_bytes(), &signature).unwrap();
        serde_json::from_str(signed).unwrap()
    }

    /// A call's `code`, or its `sub_code` if it was refused.
    async fn code(&self, method: &str, content: Value) -> String {
        let answer = self.call(method, content).await;
        answer["sub_code"].as_str().or(answer["code"].as_str()).unwrap().to_owned()
    }

    fn order(&self, number: &str, amount: &str) -> Value {
        json!({ "out_trade_no": number, "total_amount": amount, "subject": "大杯咖啡", "time_expire": beijing(now_ms() + 120_000) })
    }

    fn charge(&self, number: &str, amount: &str) -> Value {
        let mut order = self.order(number, amount);
        (order["scene"], order["auth_code"]) = (json!("bar_code"), json!(self.script.code));
        order
    }

    async fn stage(&self, path: &str, body: Value) -> u16 {
        let request = self.client.post(format!("{}{path}", self.running.door)).json(&body);
        request.send().await.unwrap().status().as_u16()
    }

    async fn clock(&self, ahead_ms: i64) {
        let request = self.client.put(format!("{}/clock", self.running.door)).json(&json!({ "ahead_ms": ahead_ms }));
        assert_eq!(request.send().await.unwrap().status(), 204);
    }

    async fn seen(&self, number: &str) -> Value {
        let url = format!("{}/orders/{number}", self.running.door);
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn a_charge_its_refunds_and_its_repeats() {
    let merchant = Merchant::open().await;
    let charge = merchant.charge("n1", "12.50");
    let paid = merchant.call("alipay.trade.pay", charge.clone()).await;
    assert_eq!(
        (&paid["code"], &paid["total_amount"], &paid["out_trade_no"]),
        (&json!("10000"), &json!("12.50"), &json!("n1"))
    );
    assert_eq!(merchant.code("alipay.trade.pay", charge).await, "ACQ.TRADE_HAS_SUCCESS");
    assert_eq!(merchant.code("alipay.trade.pay", merchant.charge("n1", "12.51")).await, "ACQ.CONTEXT_INCONSISTENT");

    let refund =
        |number: &str, amount: &str| json!({ "out_trade_no": "n1", "refund_amount": amount, "out_request_no": number });
    let about = |number: &str| json!({ "out_trade_no": "n1", "out_request_no": number });
    let first = merchant.call("alipay.trade.refund", refund("r1", "2.50")).await;
    assert_eq!((&first["fund_change"], &first["refund_fee"]), (&json!("Y"), &json!("2.50")));
    assert_eq!(merchant.call("alipay.trade.refund", refund("r1", "2.50")).await["fund_change"], "N");
    assert_eq!(merchant.code("alipay.trade.refund", refund("r1", "2.51")).await, "ACQ.DISCORDANT_REPEAT_REQUEST");
    assert_eq!(merchant.code("alipay.trade.refund", refund("r2", "10.01")).await, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
    let told = merchant.call("alipay.trade.fastpay.refund.query", about("r1")).await;
    assert_eq!((&told["refund_status"], &told["refund_amount"]), (&json!("REFUND_SUCCESS"), &json!("2.50")));
    let nothing = merchant.call("alipay.trade.fastpay.refund.query", about("r2")).await;
    assert_eq!(nothing, json!({ "code": "10000", "msg": "Success" }), "understood, and nothing to tell");
    assert_eq!(merchant.code("alipay.trade.cancel", about("r1")).await, "ACQ.REASON_TRADE_REFUND_FEE_ERR");

    // A slow one is there, and not yet a success.
    assert_eq!(merchant.stage("/next", json!({ "act": "refund", "fault": "pending" })).await, 204);
    assert_eq!(merchant.call("alipay.trade.refund", refund("r3", "10.00")).await["fund_change"], "N");
    assert_eq!(merchant.call("alipay.trade.fastpay.refund.query", about("r3")).await["refund_status"], Value::Null);
    assert_eq!(merchant.call("alipay.trade.query", about("r3")).await["trade_status"], "TRADE_SUCCESS");
    assert_eq!(merchant.stage("/orders/r3/pay", json!({})).await, 204);
    assert_eq!(merchant.call("alipay.trade.query", about("r3")).await["trade_status"], "TRADE_CLOSED");
    let seen = merchant.seen("n1").await;
    assert_eq!((&seen["times_taken"], &seen["given_back_minor"]), (&json!(1), &json!(1_250)));
    merchant.running.stop().await;
}

#[tokio::test]
async fn a_customer_who_must_confirm_and_one_who_does_not() {
    let merchant = Merchant::open().await;
    for (number, act, status, times_taken) in [("n1", "pay", "TRADE_SUCCESS", 1), ("n2", "decline", "TRADE_CLOSED", 0)]
    {
        merchant.stage("/next", json!({ "act": "charge", "fault": "pending" })).await;
        let charge = merchant.charge(number, "1.00");
        assert_eq!(merchant.code("alipay.trade.pay", charge.clone()).await, "10003");
        assert_eq!(merchant.code("alipay.trade.pay", charge).await, "10003", "the same trade");
        assert_eq!(
            merchant.call("alipay.trade.query", json!({ "out_trade_no": number })).await["trade_status"],
            "WAIT_BUYER_PAY"
        );
        assert_eq!(merchant.stage(&format!("/orders/{number}/{act}"), json!({})).await, 204);
        assert_eq!(
            merchant.call("alipay.trade.query", json!({ "out_trade_no": number })).await["trade_status"],
            status
        );
        assert_eq!(merchant.stage(&format!("/orders/{number}/{act}"), json!({})).await, 409);
        assert_eq!(merchant.seen(number).await["times_taken"], times_taken);
    }
    // Whoever does not confirm in time can no longer.
    merchant.stage("/next", json!({ "act": "charge", "fault": "pending" })).await;
    merchant.call("alipay.trade.pay", merchant.charge("n3", "1.00")).await;
    merchant.clock(121_000).await;
    assert_eq!(merchant.stage("/orders/n3/pay", json!({})).await, 409);
    assert_eq!(
        merchant.call("alipay.trade.query", json!({ "out_trade_no": "n3" })).await["trade_status"],
        "TRADE_CLOSED"
    );
    merchant.running.stop().await;
}

#[tokio::test]
async fn a_code_has_no_trade_before_it_is_scanned() {
    let merchant = Merchant::open().await;
    let about = |number: &str| json!({ "out_trade_no": number });
    let code = merchant.call("alipay.trade.precreate", merchant.order("n1", "3.00")).await;
    assert_eq!(code["qr_code"], "https://qr.alipay.com/n1");
    assert_eq!(merchant.code("alipay.trade.query", about("n1")).await, "ACQ.TRADE_NOT_EXIST");
    assert_eq!(merchant.stage("/orders/n1/pay", json!({})).await, 204);
    assert_eq!(merchant.call("alipay.trade.query", about("n1")).await["trade_status"], "TRADE_SUCCESS");
    assert_eq!(merchant.code("alipay.trade.close", about("n1")).await, "ACQ.REASON_TRADE_STATUS_INVALID");
    // Undone within a day, once, however often it is asked for.
    for _ in 0..2 {
        assert_eq!(merchant.call("alipay.trade.cancel", about("n1")).await["action"], "refund");
    }
    assert_eq!(merchant.seen("n1").await["given_back_minor"], 300);
    assert_eq!(merchant.call("alipay.trade.query", about("n1")).await["ext_infos"], r#"{"action":"cancel"}"#);

    // Closed before anybody scanned it: there is no trade, and there will be none.
    merchant.call("alipay.trade.precreate", merchant.order("n2", "3.00")).await;
    assert_eq!(merchant.code("alipay.trade.close", about("n2")).await, "ACQ.TRADE_NOT_EXIST");
    assert_eq!(merchant.call("alipay.trade.cancel", about("n2")).await["action"], Value::Null);
    assert_eq!(merchant.stage("/orders/n2/pay", json!({})).await, 409);

    merchant.call("alipay.trade.precreate", merchant.order("n3", "3.00")).await;
    merchant.clock(120_000).await;
    assert_eq!(merchant.stage("/orders/n3/pay", json!({})).await, 409, "too late");
    merchant.clock(0).await;

    merchant.call("alipay.trade.pay", merchant.charge("n4", "1.00")).await;
    merchant.clock(DAY_MS + 60_000).await;
    let mut late = merchant.parameters("alipay.trade.cancel", &about("n4"));
    late[5].1 = beijing(now_ms() + DAY_MS);
    let text = merchant.post(&late, |sign| sign).await.unwrap();
    let answer = merchant.opened(&text, "alipay_trade_cancel_response");
    assert_eq!(answer["sub_code"], "ACQ.TRADE_CANCEL_TIME_OUT");
    merchant.running.stop().await;
}

#[tokio::test]
async fn who_is_let_in() {
    let merchant = Merchant::open().await;
    let query = merchant.parameters("alipay.trade.query", &json!({ "out_trade_no": "n1" }));
    let same = |sign: String| sign;
    for (idx, value, sub_code) in [
        (0, "2015", "isv.invalid-app-id"),
        (2, "gbk", "isv.invalid-charset"),
        (4, "RSA", "isv.invalid-signature-type"),
        (5, "2023-11-15 06:13:20", "isv.invalid-timestamp"),
        (5, "soon", "isv.invalid-timestamp"),
        (6, "2.0", "isv.invalid-version"),
        (1, "[]", "isv.invalid-parameter"),
        (1, "{}", "ACQ.INVALID_PARAMETER"),
        (1, r#"{"out_trade_no":"a-b"}"#, "ACQ.INVALID_PARAMETER"),
    ] {
        let mut wrong = query.clone();
        wrong[idx].1 = value.to_owned();
        let answer = merchant.opened(&merchant.post(&wrong, same).await.unwrap(), "alipay_trade_query_response");
        assert_eq!(answer["sub_code"], sub_code, "{value}");
    }
    let forged = merchant.post(&query, |sign| sign.replace(&sign[..4], "AAAA")).await.unwrap();
    assert_eq!(merchant.opened(&forged, "alipay_trade_query_response")["sub_code"], "isv.invalid-signature");
    for (field, value) in [
        ("total_amount", json!("0.001")),
        ("total_amount", json!(12.5)),
        ("subject", json!("a/b")),
        ("subject", json!("字".repeat(257))),
        ("time_expire", json!("2023-11-15 06:13:20")),
        ("time_expire", json!(beijing(now_ms() + 59_000))),
        ("store_id", json!("s".repeat(33))),
        ("scene", json!("wave_code")),
    ] {
        let mut charge = merchant.charge("n1", "1.00");
        charge[field] = value;
        assert_eq!(merchant.code("alipay.trade.pay", charge).await, "ACQ.INVALID_PARAMETER", "{field}");
    }
    let mut charge = merchant.charge("n1", "1.00");
    charge["auth_code"] = json!("881234567890123456");
    assert_eq!(merchant.code("alipay.trade.pay", charge).await, "ACQ.PAYMENT_AUTH_CODE_INVALID");
    merchant.running.stop().await;
}

#[tokio::test]
async fn answers_that_get_lost_and_answers_that_lie() {
    let merchant = Merchant::open().await;
    let next = async |act: &str, fault: &str| {
        assert_eq!(merchant.stage("/next", json!({ "act": act, "fault": fault })).await, 204, "{fault}");
    };
    let about = |number: &str| json!({ "out_trade_no": number });
    for (number, fault, times_taken) in [("n1", "unheard", None), ("n2", "cut", Some(1)), ("n3", "html", Some(1))] {
        next("charge", fault).await;
        let charge = merchant.parameters("alipay.trade.pay", &merchant.charge(number, "1.00"));
        let text = merchant.post(&charge, |sign| sign).await;
        assert!(!text.is_ok_and(|text| text.ends_with("\"}")), "{fault}");
        assert_eq!(merchant.seen(number).await["times_taken"].as_i64(), times_taken, "{fault}");
    }
    next("charge", "unsigned").await;
    let charge = merchant.parameters("alipay.trade.pay", &merchant.charge("n4", "1.00"));
    assert!(!merchant.post(&charge, |sign| sign).await.unwrap().contains("\"sign\""));
    for (fault, field, value) in [
        ("wrong-amount", "total_amount", "1.01"),
        ("wrong-number", "out_trade_no", "pay_zzzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("strange-state", "trade_status", "TRADE_DREAMING"),
        ("strange-error", "sub_code", "ACQ.NOWHERE_DESCRIBED"),
        ("busy", "sub_code", "ACQ.SYSTEM_ERROR"),
    ] {
        next("query", fault).await;
        assert_eq!(merchant.call("alipay.trade.query", about("n4")).await[field], value, "{fault}");
    }
    for (fault, sub_code) in [
        ("insufficient-funds", "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        ("code-invalid", "ACQ.PAYMENT_AUTH_CODE_INVALID"),
        ("limit-exceeded", "ACQ.BEYOND_PAY_RESTRICTION"),
        ("declined", "ACQ.PAYMENT_FAIL"),
    ] {
        next("charge", fault).await;
        assert_eq!(merchant.code("alipay.trade.pay", merchant.charge("n5", "1.00")).await, sub_code);
    }
    assert_eq!(merchant.stage("/next", json!({ "act": "charge", "fault": "code-expired" })).await, 409);
    // The amount of a refund is told by its query alone, and is wrong there.
    next("refund", "wrong-amount").await;
    let refund = json!({ "out_trade_no": "n4", "refund_amount": "0.40", "out_request_no": "r1" });
    merchant.call("alipay.trade.refund", refund.clone()).await;
    assert_eq!(merchant.call("alipay.trade.fastpay.refund.query", refund).await["refund_amount"], "0.41");
    merchant.running.stop().await;
}

#[tokio::test]
async fn notifications_are_signed_forms() {
    let merchant = Merchant::open().await;
    merchant.call("alipay.trade.pay", merchant.charge("n1", "12.50")).await;
    let refund = json!({ "out_trade_no": "n1", "refund_amount": "2.50", "out_request_no": "r1" });
    merchant.call("alipay.trade.refund", refund).await;
    for (refund, fault, is_good) in [
        (Value::Null, Value::Null, true),
        (json!("r1"), Value::Null, true),
        (Value::Null, json!("wrong-amount"), true),
        (Value::Null, json!("forged"), false),
        (Value::Null, json!("unsigned"), false),
    ] {
        let request = merchant.client.post(format!("{}/notification", merchant.running.door));
        let about = json!({ "number": "n1", "refund_number": refund, "fault": fault });
        let message: Value = request.json(&about).send().await.unwrap().json().await.unwrap();
        let form = STANDARD.decode(message["body_base64"].as_str().unwrap()).unwrap();
        let mut fields: Vec<(String, String)> = form_urlencoded::parse(&form).into_owned().collect();
        let sign = fields.iter().find(|(name, _)| name == "sign").map(|(_, value)| STANDARD.decode(value).unwrap());
        fields.retain(|(name, _)| name != "sign" && name != "sign_type");
        fields.sort();
        let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let verified = sign.is_some_and(|sign| merchant.alipay.verify(text.join("&").as_bytes(), &sign).is_ok());
        assert_eq!(verified, is_good, "{about}");
    }
    assert_eq!(
        merchant.stage("/notification", json!({ "number": "n9", "refund_number": null, "fault": null })).await,
        409
    );
    merchant.running.stop().await;
}

#[tokio::test]
async fn the_bill_of_a_day() {
    let merchant = Merchant::open().await;
    merchant.call("alipay.trade.pay", merchant.charge("n1", "12.50")).await;
    let refund = json!({ "out_trade_no": "n1", "refund_amount": "2.50", "out_request_no": "r1" });
    merchant.call("alipay.trade.refund", refund).await;
    merchant.call("alipay.trade.pay", merchant.charge("n2", "1.00")).await;
    merchant.call("alipay.trade.cancel", json!({ "out_trade_no": "n2" })).await;
    let today = beijing(now_ms())[..10].to_owned();
    let ask = async |ahead: i64| {
        let content = json!({ "bill_type": "trade", "bill_date": today });
        let mut call = merchant.parameters("alipay.data.dataservice.bill.downloadurl.query", &content);
        call[5].1 = beijing(now_ms() + ahead);
        let text = merchant.post(&call, |sign| sign).await.unwrap();
        merchant.opened(&text, "alipay_data_dataservice_bill_downloadurl_query_response")
    };
    assert_eq!(ask(0).await["sub_code"], "isp.bill_not_exist", "not before the day is over");
    merchant.clock(DAY_MS).await;
    let rows = async || {
        let url = ask(DAY_MS).await["bill_download_url"].as_str().unwrap().to_owned();
        let bytes = merchant.client.get(&url).send().await.unwrap().bytes().await.unwrap();
        let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(zip.len(), 2);
        let mut file = Vec::new();
        zip.by_index(0).unwrap().read_to_end(&mut file).unwrap();
        let text = GBK.decode(&file).0.into_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
        (url, lines.map(|line| line.split(',').map(|field| field.trim().to_owned()).collect()).collect::<Vec<Vec<_>>>())
    };
    let (url, plain) = rows().await;
    let told: Vec<_> = plain.iter().map(|row| [1, 2, 11, 21, 22].map(|idx| row[idx].as_str())).collect();
    assert_eq!(
        told,
        [
            ["n1", "交易", "12.50", "", "-0.05"],
            ["n1", "退款", "-2.50", "r1", "0.00"],
            ["n2", "交易", "1.00", "", "0.00"],
            ["n2", "退款", "-1.00", "n2", "0.00"],
        ]
    );
    for (fault, n_rows) in [("missing-row", 3), ("extra-row", 5), ("garbled-row", 4)] {
        merchant.stage("/next", json!({ "act": "bill", "fault": fault })).await;
        assert_eq!(rows().await.1.len(), n_rows, "{fault}");
    }
    merchant.clock(DAY_MS + 31_000).await;
    assert_eq!(merchant.client.get(&url).send().await.unwrap().status(), 404, "good for 30 seconds");
    merchant.running.stop().await;
}

#[tokio::test]
async fn in_certificate_mode_each_request_names_its_certificates() {
    let merchant = Merchant::open_as(alipay::Config { by_certificates: true }).await;
    assert!(merchant.script.secrets["alipay-public-key"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    let query = json!({ "out_trade_no": "n1" });
    let mut parameters = merchant.parameters("alipay.trade.query", &query);
    let answer = merchant.post(&parameters, |sign| sign).await.unwrap();
    assert!(answer.contains("isv.missing-app-cert-sn"), "{answer}");
    for name in ["app_cert_sn", "alipay_root_cert_sn"] {
        parameters.push((name, merchant.script.settings[name].as_str().unwrap().to_owned()));
    }
    parameters.sort();
    let answer = merchant.post(&parameters, |sign| sign).await.unwrap();
    assert!(answer.contains("ACQ.TRADE_NOT_EXIST") && answer.contains("alipay_cert_sn"), "{answer}");
    merchant.running.stop().await;
}
