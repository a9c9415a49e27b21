//! What the channel sends, to the byte, signed with the test key. `oracle/` gives the same files to Alipay's own SDK.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use insta::assert_snapshot;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use saoma_alipay::messages::{
    request::{self, Call, parameters, sign_text, wire},
    settings::Settings,
};
use saoma_channel_sdk::{Error, Money, Order, RefundOrder};

/// 2023-11-15 06:13:20 in Beijing.
const NOW: i64 = 1_700_000_000_000;
const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const NOTIFY: &str = "https://pay.example/v1/notify/cha_1?x=1&y=2";
const APP_KEY: &str = include_str!("../../../schemes/src/alipay/keys/test-app-private.pem");

fn settings() -> Settings {
    serde_json::from_str(
        r#"{"gateway_url":"https://openapi.alipay.com/gateway.do","app_id":"2014072300007148","bill_url":"https://dwbillcenter.alipay.com"}"#,
    )
    .unwrap()
}

fn cny(minor: i64) -> Money {
    Money { minor, currency: "CNY".to_owned() }
}

fn order() -> Order {
    Order {
        number: NUMBER.to_owned(),
        amount: cny(1_250),
        subject: "Coffee \"large\" 大杯 ☕ a/b=c&d+e%20".to_owned(),
        merchant_name: "Corner Shop".to_owned(),
        store_name: "Main Street".to_owned(),
        store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        terminal_id: "ter_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        terminal_name: "till 1".to_owned(),
        created_at: NOW,
        expires_at: NOW + 120_000,
    }
}

fn refund_order() -> RefundOrder {
    RefundOrder {
        number: NUMBER.to_owned(),
        reference: "2026112622001".to_owned(),
        refund_number: REFUND.to_owned(),
        amount: cny(5),
        total: cny(1_250),
        reason: "cold 凉了".to_owned(),
        created_at: NOW,
    }
}

/// The signed text, the URL and the form, a line each.
fn sent(settings: &Settings, call: &Call) -> String {
    let parameters = parameters(settings, call, NOW).unwrap();
    let text = sign_text(&parameters);
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let der = STANDARD.decode(APP_KEY.replace(begin, "").replace(end, "").replace('\n', "")).unwrap();
    let key = RsaKeyPair::from_pkcs8(&der).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    let (url, form) = wire(&settings.gateway_url, &parameters, &STANDARD.encode(signature));
    format!("{text}\n{url}\n{form}")
}

#[test]
fn requests() {
    let settings = settings();
    assert_snapshot!("precreate", sent(&settings, &request::precreate(&order(), NOTIFY, NOW).unwrap()));
    assert_snapshot!("pay", sent(&settings, &request::pay(&order(), NOTIFY, "281234567890123456", NOW).unwrap()));
    assert_snapshot!("create", sent(&settings, &request::create(&order(), NOTIFY, "2088102150527498", NOW).unwrap()));
    assert_snapshot!("oauth_token", sent(&settings, &request::oauth_token("ca34ea491e7146cc87d25fca24c4cD11")));
    assert_snapshot!("query", sent(&settings, &request::query(NUMBER)));
    assert_snapshot!("cancel", sent(&settings, &request::cancel(NUMBER)));
    assert_snapshot!("close", sent(&settings, &request::close(NUMBER)));
    assert_snapshot!("refund", sent(&settings, &request::refund(&refund_order()).unwrap()));
    assert_snapshot!("refund_query", sent(&settings, &request::query_refund(NUMBER, REFUND)));
    assert_snapshot!("bill", sent(&settings, &request::bill("2023-11-14")));
    let with_certificates = Settings {
        app_cert_sn: Some("1dde5d1bdeed3f05a36db39b30a430b6".to_owned()),
        alipay_root_cert_sn: Some("b367c1668616831984098b21ed3c1e31".to_owned()),
        ..settings
    };
    assert_snapshot!("query_with_certificates", sent(&with_certificates, &request::query(NUMBER)));
}

#[test]
fn a_visitor_is_sent_to_the_published_address_and_a_buyer_named_as_the_application_knows_them() {
    let served = Settings { oauth_url: Some("https://openauth.alipay.com/".to_owned()), ..settings() };
    assert_eq!(
        request::authorize_url(&served, "https://shop.example/s/a/back", "0a").unwrap(),
        "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?app_id=2014072300007148&scope=auth_base\
         &redirect_uri=https%3A%2F%2Fshop.example%2Fs%2Fa%2Fback&state=0a"
    );
    let unserved = request::authorize_url(&settings(), "https://shop.example/s/a/back", "0a");
    assert!(matches!(unserved, Err(Error::Misconfigured(_))), "{unserved:?}");
    let newer =
        sent(&settings(), &request::create(&order(), NOTIFY, "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5", NOW).unwrap());
    assert!(newer.contains(r#""buyer_open_id":"074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5""#) && !newer.contains("buyer_id"));
}

#[test]
fn what_is_not_sent() {
    let not_sent = |outcome: Result<Call, Error>| matches!(outcome, Err(Error::NotSent(_)));
    for amount in [Money { minor: 1, currency: "XXX".to_owned() }, cny(10_000_000_001)] {
        assert!(not_sent(request::precreate(&Order { amount: amount.clone(), ..order() }, "", NOW)), "{amount:?}");
        assert!(not_sent(request::refund(&RefundOrder { amount, ..refund_order() })));
    }
    assert!(request::precreate(&Order { amount: cny(10_000_000_000), ..order() }, "", NOW).is_ok());
    assert!(not_sent(request::precreate(&Order { expires_at: i64::MAX, ..order() }, "", NOW)));
    let far_away = request::precreate(&order(), &"x".repeat(257), NOW);
    assert!(matches!(far_away, Err(Error::Misconfigured(_))));
}

#[test]
fn subjects_are_never_empty() {
    for (subject, merchant_name, sent_as) in
        [("", "Corner Shop", "Corner Shop"), ("/&=", "", NUMBER), ("a\u{7}b", "", "a b")]
    {
        let order = Order { subject: subject.to_owned(), merchant_name: merchant_name.to_owned(), ..order() };
        let parameters = parameters(&settings(), &request::precreate(&order, "", NOW).unwrap(), NOW).unwrap();
        assert!(parameters["biz_content"].contains(&format!(r#""subject":"{sent_as}""#)), "{parameters:?}");
    }
}

#[test]
fn an_order_lives_long_enough_for_alipay_to_take_it() {
    for (expires_at, sent_as) in
        [(NOW + 120_000, "06:15:20"), (NOW + 90_000, "06:14:50"), (NOW + 5_000, "06:14:50"), (0, "06:14:50")]
    {
        let order = Order { expires_at, ..order() };
        let parameters = parameters(&settings(), &request::precreate(&order, "", NOW).unwrap(), NOW).unwrap();
        let expected = format!(r#""time_expire":"2023-11-15 {sent_as}""#);
        assert!(parameters["biz_content"].contains(&expected), "{parameters:?}");
    }
}
