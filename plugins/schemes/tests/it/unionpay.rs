//! UnionPay's gateway from outside: a merchant with signatures worked out here.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use saoma_schemes::{stage::Running, unionpay};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

type Fields = BTreeMap<String, String>;

const BACK: &str = "/gateway/api/backTransReq.do";
const QUERY: &str = "/gateway/api/queryTrans.do";
const DIGITS14: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]");

struct Merchant {
    far_side: Running,
    http: reqwest::Client,
    key: RsaKeyPair,
    scheme: Vec<u8>,
}

fn pair(pem: &str) -> RsaKeyPair {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap()
}

fn hashed(fields: &Fields) -> String {
    let signed = fields.iter().filter(|(name, _)| *name != "signature");
    let text = signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    hex::encode(digest(&SHA256, text.as_bytes()))
}

fn now14(ahead_s: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(now_s() + ahead_s).unwrap();
    at.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap()).format(DIGITS14).unwrap()
}

fn now_s() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl Merchant {
    fn open() -> Self {
        let far_side = unionpay::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let key = pair(include_str!("../../keys/unionpay/merchant-sign.key"));
        let scheme = pair(include_str!("../../keys/unionpay/unionpay-sign.key")).public_key().as_ref().to_vec();
        Self { far_side, http, key, scheme }
    }

    fn fields(txn_type: &str, sub_type: &str, more: &[(&str, &str)]) -> Fields {
        let common = [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("signMethod", "01"),
            ("certId", "68759663125"),
            ("bizType", "000000"),
            ("channelType", "08"),
            ("accessType", "0"),
            ("merId", "777290058110048"),
            ("txnType", txn_type),
            ("txnSubType", sub_type),
        ];
        common.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn charge(order_id: &str, at: &str) -> Fields {
        let fields = [("orderId", order_id), ("txnTime", at), ("txnAmt", "1250"), ("currencyCode", "156")];
        let more = [("backUrl", "http://a/"), ("qrNo", "6212345678901234567"), ("termId", "49000001")];
        Self::fields("01", "06", &[fields.as_slice(), &more].concat())
    }

    fn query(order_id: &str, at: &str) -> Fields {
        Self::fields("00", "00", &[("orderId", order_id), ("txnTime", at)])
    }

    fn give_back(txn_type: &str, order_id: &str, query_id: &str, amount: &str) -> Fields {
        let at = now14(0);
        let fields = [
            ("orderId", order_id),
            ("txnTime", &at),
            ("txnAmt", amount),
            ("origQryId", query_id),
            ("backUrl", "http://a/"),
        ];
        Self::fields(txn_type, "00", &fields)
    }

    fn signed(&self, mut fields: Fields) -> Fields {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), hashed(&fields).as_bytes(), &mut signature).unwrap();
        fields.insert("signature".to_owned(), STANDARD.encode(signature));
        fields
    }

    fn is_schemes(&self, fields: &Fields) -> bool {
        let signature = fields.get("signature").map(|text| STANDARD.decode(text).unwrap());
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.scheme);
        signature.is_some_and(|signature| key.verify(hashed(fields).as_bytes(), &signature).is_ok())
    }

    async fn post(&self, path: &str, fields: &Fields) -> reqwest::Result<Fields> {
        let text =
            self.http.post(format!("{}{path}", self.far_side.base_url)).form(fields).send().await?.text().await?;
        // None of the answers in these stories has braces, or an `&` in a value.
        Ok(text
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect())
    }

    /// Signs, sends, and takes nothing but the scheme's own word.
    async fn ask(&self, path: &str, fields: Fields) -> Fields {
        let answer = self.post(path, &self.signed(fields)).await.unwrap();
        assert!(self.is_schemes(&answer), "{answer:?}");
        answer
    }

    async fn code(&self, path: &str, fields: Fields) -> String {
        self.ask(path, fields).await["respCode"].clone()
    }

    async fn door(&self, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.far_side.door)).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn play(&self, path: &str) -> u16 {
        self.door(reqwest::Method::POST, path, json!({})).await.0
    }

    async fn arm(&self, act: &str, fault: &str) {
        assert_eq!(self.door(reqwest::Method::POST, "/next", json!({"act": act, "fault": fault})).await.0, 204);
    }

    async fn seen(&self, number: &str) -> Value {
        self.door(reqwest::Method::GET, &format!("/orders/{number}"), Value::Null).await.1
    }
}

#[tokio::test]
async fn a_code_is_shown_paid_and_given_back() {
    let merchant = Merchant::open();
    let (at, dies_at) = (now14(0), now14(600));
    let apply = Merchant::fields(
        "01",
        "07",
        &[
            ("orderId", "payaaaa00001"),
            ("txnTime", &at),
            ("txnAmt", "1250"),
            ("currencyCode", "156"),
            ("backUrl", "http://a/"),
            ("payTimeout", &dies_at),
        ],
    );
    let shown = merchant.ask(BACK, apply.clone()).await;
    assert!(shown["qrCode"].starts_with("https://qr.95516.com/"), "{shown:?}");
    assert_eq!(merchant.ask(BACK, apply.clone()).await["qrCode"], shown["qrCode"]);
    let mut other = apply;
    other.insert("txnAmt".to_owned(), "1251".to_owned());
    assert_eq!(merchant.code(BACK, other).await, "12");
    assert_eq!(merchant.code(QUERY, Merchant::query("payaaaa00001", &at)).await, "34");

    assert_eq!(merchant.play("/orders/pay_aaaa00001/decline").await, 409);
    assert_eq!(merchant.play("/orders/pay_aaaa00001/pay").await, 204);
    assert_eq!(merchant.play("/orders/pay_aaaa00001/pay").await, 409);
    let paid = merchant.ask(QUERY, Merchant::query("payaaaa00001", &at)).await;
    assert_eq!(
        (paid["origRespCode"].as_str(), paid["txnAmt"].as_str(), paid["txnType"].as_str()),
        ("00", "1250", "01")
    );
    assert_eq!(paid["queryId"].len(), 21);
    // The number alone is not enough.
    assert_eq!(merchant.code(QUERY, Merchant::query("payaaaa00001", &now14(-60))).await, "34");

    let refund = Merchant::give_back("04", "rfdaaaa00001", &paid["queryId"], "1000");
    let refunded_at = refund["txnTime"].clone();
    assert_eq!(merchant.code(BACK, refund.clone()).await, "00");
    assert_eq!(merchant.code(BACK, refund).await, "12");
    assert_eq!(merchant.code(BACK, Merchant::give_back("04", "rfdaaaa00002", &paid["queryId"], "251")).await, "36");
    assert_eq!(merchant.code(BACK, Merchant::give_back("31", "vpayaaaa00001", &paid["queryId"], "1250")).await, "35");
    let done = merchant.ask(QUERY, Merchant::query("rfdaaaa00001", &refunded_at)).await;
    assert_eq!((done["origRespCode"].as_str(), done["origOrderId"].as_str()), ("00", "payaaaa00001"));
    let seen = merchant.seen("pay_aaaa00001").await;
    assert_eq!((&seen["times_taken"], &seen["given_back_minor"]), (&json!(1), &json!(1_000)));

    let about = json!({"number": "pay_aaaa00001", "refund_number": null, "fault": null});
    let (_, notice) = merchant.door(reqwest::Method::POST, "/notification", about).await;
    let body = STANDARD.decode(notice["body_base64"].as_str().unwrap()).unwrap();
    let url = reqwest::Url::parse(&format!("http://a/?{}", String::from_utf8(body).unwrap())).unwrap();
    let told: Fields = url.query_pairs().into_owned().collect();
    assert!(merchant.is_schemes(&told));
    assert_eq!(
        (told["respCode"].as_str(), told["orderId"].as_str(), told["txnAmt"].as_str()),
        ("00", "payaaaa00001", "1250")
    );

    let bill = Merchant::fields(
        "76",
        "01",
        &[("txnTime", &now14(0)), ("fileType", "00"), ("settleDate", &paid["settleDate"])],
    );
    let bill = merchant.ask("/", bill).await;
    assert!(bill["fileName"].starts_with("777290058110048_") && bill["fileContent"].len() > 100, "{bill:?}");
    merchant.far_side.stop().await;
}

#[tokio::test]
async fn a_charge_is_taken_in_and_undone() {
    let merchant = Merchant::open();
    let at = now14(0);
    let taken = merchant.ask(BACK, Merchant::charge("payaaaa00001", &at)).await;
    assert_eq!((taken["respCode"].as_str(), taken["txnAmt"].as_str()), ("00", "1250"));
    assert_eq!(merchant.code(BACK, Merchant::charge("payaaaa00001", &at)).await, "12");
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00001", &at)).await["origRespCode"], "00");
    let reverse = Merchant::fields("99", "01", &[("orderId", "payaaaa00001"), ("txnTime", &at)]);
    for _ in 0..2 {
        assert_eq!(merchant.code(BACK, reverse.clone()).await, "00");
        assert_eq!(merchant.seen("payaaaa00001").await["given_back_minor"], 1_250);
    }
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00001", &at)).await["origRespCode"], "45");
    let unheard = Merchant::fields("99", "01", &[("orderId", "payaaaa00009"), ("txnTime", &at)]);
    assert_eq!(merchant.code(BACK, unheard).await, "34");

    merchant.arm("charge", "pending").await;
    assert_eq!(merchant.code(BACK, Merchant::charge("payaaaa00002", &at)).await, "00");
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00002", &at)).await["origRespCode"], "05");
    assert_eq!(merchant.play("/orders/pay_aaaa00002/decline").await, 204);
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00002", &at)).await["origRespCode"], "60");
    assert_eq!(merchant.seen("payaaaa00002").await["times_taken"], 0);

    // A void is of the whole, and of the same clearing day.
    let sale = merchant.ask(BACK, Merchant::charge("payaaaa00003", &at)).await;
    assert_eq!(merchant.code(BACK, Merchant::give_back("31", "vpayaaaa00003", &sale["queryId"], "1249")).await, "36");
    assert_eq!(merchant.code(BACK, Merchant::give_back("31", "vpayaaaa00004", &sale["queryId"], "1250")).await, "00");
    let sale = merchant.ask(BACK, Merchant::charge("payaaaa00005", &at)).await;
    merchant.door(reqwest::Method::PUT, "/clock", json!({"ahead_ms": 86_400_000})).await;
    let mut late = Merchant::give_back("31", "vpayaaaa00005", &sale["queryId"], "1250");
    late.insert("txnTime".to_owned(), now14(86_400));
    assert_eq!(merchant.code(BACK, late).await, "39");
    // Its clock and ours are a day apart.
    assert_eq!(merchant.code(BACK, Merchant::charge("payaaaa00006", &at)).await, "10");
    merchant.far_side.stop().await;
}

#[tokio::test]
async fn what_does_not_keep_to_the_tables_is_refused() {
    let merchant = Merchant::open();
    let at = now14(0);
    for (name, value, code) in [
        ("version", "5.0.0", "10"),
        ("encoding", "", "13"),
        ("signMethod", "11", "10"),
        ("certId", "1", "11"),
        ("bizType", "000201", "10"),
        ("channelType", "", "13"),
        ("accessType", "1", "10"),
        ("merId", "777290058110049", "31"),
        ("merId", "7772900581100", "10"),
        ("orderId", "pay_aaaa00001", "10"),
        ("orderId", "short", "10"),
        ("orderId", "", "13"),
        ("txnTime", "20231315061320", "10"),
        ("txnTime", &now14(-7_200), "10"),
        ("txnTime", &now14(7_200), "10"),
        ("txnAmt", "12.50", "10"),
        ("txnAmt", "0", "10"),
        ("txnAmt", "-5", "10"),
        ("txnAmt", "1234567890123", "10"),
        ("currencyCode", "840", "10"),
        ("backUrl", "", "13"),
        ("qrNo", "hQVDUFYw", "10"),
        ("qrNo", "", "13"),
        ("qrNo", "1312345678901234567", "61"),
        ("termId", "TILL_001", "10"),
        ("txnType", "02", "10"),
    ] {
        let mut fields = Merchant::charge("payaaaa00001", &at);
        if value.is_empty() {
            fields.remove(name)
        } else {
            fields.insert(name.to_owned(), value.to_owned())
        };
        assert_eq!(merchant.code(BACK, fields).await, code, "{name} {value}");
    }
    // Signed as one thing, sent as another; and not signed at all.
    let mut tampered = merchant.signed(Merchant::charge("payaaaa00001", &at));
    tampered.insert("txnAmt".to_owned(), "1".to_owned());
    assert_eq!(merchant.post(BACK, &tampered).await.unwrap()["respCode"], "11");
    assert_eq!(merchant.post(BACK, &Merchant::charge("payaaaa00001", &at)).await.unwrap()["respCode"], "13");
    // A query at the wrong address, and JSON.
    assert_eq!(merchant.code(BACK, Merchant::query("payaaaa00001", &at)).await, "10");
    let json =
        merchant.http.post(format!("{}{BACK}", merchant.far_side.base_url)).json(&tampered).send().await.unwrap();
    assert!(json.text().await.unwrap().contains("respCode=10"));
    assert_eq!(merchant.seen("payaaaa00001").await["why"], "there is no order payaaaa00001");
    merchant.far_side.stop().await;
}

#[tokio::test]
async fn faults_are_played_once() {
    let merchant = Merchant::open();
    let at = now14(0);
    for (number, fault, expected) in [
        (1, "insufficient-funds", "64"),
        (2, "code-expired", "80"),
        (3, "code-invalid", "61"),
        (4, "limit-exceeded", "33"),
        (5, "declined", "60"),
        (6, "busy", "04"),
        (7, "strange-error", "Q7"),
    ] {
        merchant.arm("charge", fault).await;
        let order_id = format!("payaaaa{number:05}");
        assert_eq!(merchant.code(BACK, Merchant::charge(&order_id, &at)).await, expected, "{fault}");
        let times_taken = i32::from(number > 5);
        let seen = merchant.seen(&order_id).await;
        assert_eq!(seen["times_taken"].as_i64().unwrap_or(0), i64::from(times_taken), "{fault}");
    }
    for (act, fault) in [("charge", "unsigned"), ("charge", "forged"), ("query", "forged")] {
        merchant.arm(act, fault).await;
        let (path, fields) = match act {
            "charge" => (BACK, Merchant::charge(&format!("payaaaa{fault}"), &at)),
            _ => (QUERY, Merchant::query("payaaaa00006", &at)),
        };
        let answer = merchant.post(path, &merchant.signed(fields)).await.unwrap();
        assert!(!merchant.is_schemes(&answer) && answer["respCode"] == "00", "{fault}: {answer:?}");
    }
    merchant.arm("query", "wrong-amount").await;
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00006", &at)).await["txnAmt"], "1251");
    merchant.arm("query", "wrong-number").await;
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00006", &at)).await["orderId"], "payaaaa0000b");
    merchant.arm("query", "strange-state").await;
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00006", &at)).await["origRespCode"], "Q7");
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00006", &at)).await["origRespCode"], "00");
    merchant.arm("charge", "unheard").await;
    assert!(merchant.post(BACK, &merchant.signed(Merchant::charge("payaaaa00010", &at))).await.is_err());
    assert_eq!(merchant.code(QUERY, Merchant::query("payaaaa00010", &at)).await, "34");
    merchant.arm("charge", "cut").await;
    assert!(merchant.post(BACK, &merchant.signed(Merchant::charge("payaaaa00011", &at))).await.is_err());
    assert_eq!(merchant.ask(QUERY, Merchant::query("payaaaa00011", &at)).await["origRespCode"], "00");
    merchant.far_side.stop().await;
}
