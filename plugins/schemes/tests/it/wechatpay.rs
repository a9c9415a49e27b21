//! WeChat Pay's far side over HTTP, by a merchant who signs, verifies and opens with ring alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest,
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use saoma_schemes::{
    stage::Running,
    wechatpay::{self, Config, Signing},
};
use serde_json::{Value, json};

use crate::shop::{nonce, now_ms};

const PUBLIC_KEY: &str = include_str!("../../src/wechatpay/keys/public-key.key");
const ORDERS: &str = "/v3/pay/transactions";
const MCHID: &str = "1900000001";

struct Merchant {
    running: Running,
    /// Of the merchant's clock and the scheme's alike.
    ahead_ms: i64,
    client: reqwest::Client,
    script: Value,
    key: RsaKeyPair,
    /// Of the scheme.
    public_key: UnparsedPublicKey<Vec<u8>>,
}

struct Answer {
    status: u16,
    /// Of the key that signed.
    serial: Option<String>,
    body: Vec<u8>,
    signature: Option<bool>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

fn key_pair(pem: &str) -> RsaKeyPair {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap()
}

impl Merchant {
    async fn open(config: Config) -> Self {
        let running = wechatpay::start("127.0.0.1:0".parse().unwrap(), config).unwrap();
        let client = reqwest::Client::builder().no_proxy().user_agent("test").build().unwrap();
        let script: Value = client.get(format!("{}/script", running.door)).send().await.unwrap().json().await.unwrap();
        let key = key_pair(script["secrets"]["merchant-key"].as_str().unwrap());
        let public_key = key_pair(PUBLIC_KEY).public_key().as_ref().to_vec();
        let public_key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
        Self { running, ahead_ms: 0, client, script, key, public_key }
    }

    async fn direct() -> Self {
        Self::open(Config::default()).await
    }

    fn authorization(&self, method: &str, path: &str, body: &str, at_ms: i64) -> String {
        let (timestamp, nonce) = (at_ms / 1_000, nonce());
        let text = format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!(
            r#"WECHATPAY2-SHA256-RSA2048 mchid="{MCHID}",serial_no="{}",nonce_str="{nonce}",timestamp="{timestamp}",signature="{}""#,
            self.script["settings"]["merchant_serial"].as_str().unwrap(),
            STANDARD.encode(signature)
        )
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: &str,
        authorization: String,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.running.base_url))
            .header("accept", "application/json")
            .header("authorization", authorization);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = request.send().await?;
        let headers = answer.headers().clone();
        let status = answer.status().as_u16();
        let body = answer.bytes().await?.to_vec();
        let serial = headers.get("wechatpay-serial").map(|serial| serial.to_str().unwrap().to_owned());
        Ok(Answer {
            status,
            serial,
            signature: self.is_signed(|name| Some(headers.get(name)?.to_str().ok()?.to_owned()), &body),
            body,
        })
    }

    fn is_signed(&self, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Option<bool> {
        let signature = header("wechatpay-signature")?;
        let mut text = format!("{}\n{}\n", header("wechatpay-timestamp")?, header("wechatpay-nonce")?).into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        Some(STANDARD.decode(signature).is_ok_and(|signature| self.public_key.verify(&text, &signature).is_ok()))
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorization = self.authorization(method, path, &body, now_ms() + self.ahead_ms);
        self.send(method, path, &body, authorization).await.unwrap()
    }

    /// An answer that must be signed and have this status.
    async fn told(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let answer = self.call(method, path, &body).await;
        assert_eq!(answer.signature, Some(true), "{method} {path}");
        assert_eq!(answer.status, status, "{method} {path} {}", String::from_utf8_lossy(&answer.body));
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let answer = self.call(method, path, &body).await;
        assert_eq!(answer.signature, Some(true), "{method} {path}");
        answer.code()
    }

    async fn door(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.running.door)).json(&body);
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.bytes().await.unwrap());
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn arm(&self, act: &str, fault: &str) {
        assert_eq!(self.door("POST", "/next", json!({ "act": act, "fault": fault })).await.0, 204, "{act} {fault}");
    }
}

fn charge(number: &str) -> Value {
    // Of the number, so that a repetition has the same code and another order another.
    let sum: u32 = number.bytes().fold(0, |sum, byte| sum * 31 % 99_991 + u32::from(byte));
    json!({
        "appid": "wx8888888888888888", "mchid": MCHID, "description": "茶", "out_trade_no": number,
        "amount": { "total": 1250, "currency": "CNY" }, "payer": { "auth_code": format!("1300610988280{sum:05}") },
        "scene_info": { "store_info": { "out_id": "s1" } },
    })
}

fn native(number: &str) -> Value {
    json!({
        "appid": "wx8888888888888888", "mchid": MCHID, "description": "茶", "out_trade_no": number,
        "amount": { "total": 1250, "currency": "CNY" }, "notify_url": "https://pay.example/n",
    })
}

fn refund(number: &str, refund: &str, fen: i64) -> Value {
    json!({ "out_trade_no": number, "out_refund_no": refund, "amount": { "refund": fen, "total": 1250, "currency": "CNY" } })
}

fn who() -> Value {
    json!({ "mchid": MCHID })
}

fn who_and_app() -> Value {
    json!({ "mchid": MCHID, "appid": "wx8888888888888888" })
}

#[tokio::test]
async fn a_charge_its_refunds_and_its_reversal() {
    let shop = Merchant::direct().await;
    let pay = format!("{ORDERS}/codepay");
    let of = |number: &str| format!("{ORDERS}/out-trade-no/{number}?mchid={MCHID}");
    let paid = shop.told("POST", &pay, charge("number1"), 200).await;
    assert_eq!((&paid["trade_state"], &paid["amount"]["total"]), (&json!("SUCCESS"), &json!(1250)));
    assert_eq!(shop.refused("POST", &pay, charge("number1")).await, (400, "ORDER_PAID".to_owned()));
    assert_eq!(shop.door("GET", "/orders/number1", Value::Null).await.1["times_taken"], 1);

    let refunds = "/v3/refund/domestic/refunds";
    shop.arm("refund", "pending").await;
    assert_eq!(shop.told("POST", refunds, refund("number1", "r1", 50), 200).await["status"], "PROCESSING");
    assert_eq!(
        shop.told("POST", refunds, refund("number1", "r1", 50), 200).await["status"],
        "PROCESSING",
        "the same one"
    );
    assert_eq!(shop.refused("POST", refunds, refund("number1", "r1", 51)).await, (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(shop.refused("POST", refunds, refund("number1", "r2", 1201)).await, (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(
        shop.refused("POST", refunds, refund("nobodys", "r3", 1)).await,
        (404, "RESOURCE_NOT_EXISTS".to_owned())
    );
    assert_eq!(shop.door("POST", "/orders/r1/pay", Value::Null).await.0, 204);
    assert_eq!(shop.told("GET", &format!("{refunds}/r1"), Value::Null, 200).await["status"], "SUCCESS");
    assert_eq!(
        shop.refused("GET", &format!("{refunds}/r9"), Value::Null).await,
        (404, "RESOURCE_NOT_EXISTS".to_owned())
    );
    assert_eq!(shop.told("POST", refunds, refund("number1", "r2", 1200), 200).await["status"], "SUCCESS");
    assert_eq!(shop.told("GET", &of("number1"), Value::Null, 200).await["trade_state"], "REFUND");
    assert_eq!(shop.door("GET", "/orders/number1", Value::Null).await.1["given_back_minor"], 1250);

    let undo = |number: &str| format!("{ORDERS}/out-trade-no/{number}/reverse");
    assert_eq!(shop.refused("POST", &undo("number1"), who_and_app()).await, (403, "TRADE_ERROR".to_owned()));
    shop.told("POST", &pay, charge("number2"), 200).await;
    let close = format!("{ORDERS}/out-trade-no/number2/close");
    assert_eq!(
        shop.refused("POST", &close, who()).await,
        (400, "INVALID_REQUEST".to_owned()),
        "reversed, never closed"
    );
    for _ in 0..2 {
        assert_eq!(shop.told("POST", &undo("number2"), who_and_app(), 200).await["out_trade_no"], "number2");
    }
    assert_eq!(shop.told("GET", &of("number2"), Value::Null, 200).await["trade_state"], "REVOKED");
    assert_eq!(shop.refused("POST", &pay, charge("number2")).await, (400, "ORDER_REVERSED".to_owned()));
    assert_eq!(shop.door("GET", "/orders/number2", Value::Null).await.1["given_back_minor"], 1250);
    shop.told("POST", &undo("nobodys"), who_and_app(), 200).await;
    assert_eq!(shop.refused("GET", &of("nobodys"), Value::Null).await, (404, "ORDER_NOT_EXIST".to_owned()));

    let mut used = charge("number4");
    used["payer"] = charge("number1")["payer"].clone();
    assert_eq!(
        shop.refused("POST", &pay, used).await,
        (400, "AUTH_CODE_INVALID".to_owned()),
        "a code is good for one order"
    );

    shop.arm("charge", "pending").await;
    assert_eq!(shop.told("POST", &pay, charge("number3"), 200).await["trade_state"], "USERPAYING");
    assert_eq!(shop.told("POST", &pay, charge("number3"), 200).await["trade_state"], "USERPAYING");
    let mut other = charge("number3");
    other["amount"]["total"] = 1.into();
    assert_eq!(shop.refused("POST", &pay, other).await, (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(shop.door("POST", "/orders/number3/decline", Value::Null).await.0, 204);
    assert_eq!(shop.told("GET", &of("number3"), Value::Null, 200).await["trade_state"], "PAYERROR");
    assert_eq!(shop.door("POST", "/orders/number3/pay", Value::Null).await.0, 409);
    shop.running.stop().await;
}

#[tokio::test]
async fn a_code_that_is_shown() {
    let shop = Merchant::direct().await;
    let create = format!("{ORDERS}/native");
    let close = |number: &str| format!("{ORDERS}/out-trade-no/{number}/close");
    let first = shop.told("POST", &create, native("number1"), 200).await;
    assert!(first["code_url"].as_str().unwrap().starts_with("weixin://wxpay/bizpayurl?pr="));
    assert_eq!(shop.told("POST", &create, native("number1"), 200).await, first);
    assert_eq!(shop.door("POST", "/orders/number1/pay", Value::Null).await.0, 204);
    assert_eq!(shop.door("POST", "/orders/number1/pay", Value::Null).await.0, 409, "once");
    assert_eq!(shop.refused("POST", &close("number1"), who()).await, (400, "ORDER_PAID".to_owned()));
    shop.told("POST", &create, native("number2"), 200).await;
    for _ in 0..2 {
        shop.told("POST", &close("number2"), who(), 204).await;
    }
    assert_eq!(shop.refused("POST", &create, native("number2")).await, (400, "ORDER_CLOSED".to_owned()));
    assert_eq!(shop.door("POST", "/orders/number2/pay", Value::Null).await.0, 409);
    let mut old = native("number3");
    old["time_expire"] = "2020-01-01T00:00:00+08:00".into();
    shop.told("POST", &create, old, 200).await;
    assert_eq!(shop.door("POST", "/orders/number3/pay", Value::Null).await.0, 409, "expired");
    shop.running.stop().await;
}

#[tokio::test]
async fn fields_out_of_bounds_are_refused() {
    let shop = Merchant::direct().await;
    let text = |n: usize| Value::from("x".repeat(n));
    for (path, field, value, code) in [
        ("codepay", "/description", text(128), "PARAM_ERROR"),
        ("codepay", "/description", "".into(), "PARAM_ERROR"),
        ("codepay", "/out_trade_no", text(33), "PARAM_ERROR"),
        ("codepay", "/out_trade_no", "short".into(), "PARAM_ERROR"),
        ("codepay", "/out_trade_no", "number 1".into(), "PARAM_ERROR"),
        ("codepay", "/amount/total", 0.into(), "PARAM_ERROR"),
        ("codepay", "/amount/total", 12.5.into(), "PARAM_ERROR"),
        ("codepay", "/amount/currency", "USD".into(), "PARAM_ERROR"),
        ("codepay", "/payer/auth_code", "160061098828009406".into(), "AUTH_CODE_INVALID"),
        ("codepay", "/payer/auth_code", "13006109882800940".into(), "AUTH_CODE_INVALID"),
        ("codepay", "/scene_info/store_info", json!({}), "PARAM_ERROR"),
        ("codepay", "/mchid", "1900000002".into(), "PARAM_ERROR"),
        ("codepay", "/appid", "wx1".into(), "APPID_MCHID_NOT_MATCH"),
        ("codepay", "/goods", "x".into(), "PARAM_ERROR"),
        ("native", "/notify_url", "https://x/n?a=b".into(), "PARAM_ERROR"),
        ("native", "/notify_url", text(256), "PARAM_ERROR"),
        ("native", "/time_expire", "tomorrow".into(), "PARAM_ERROR"),
    ] {
        let mut body = if path == "native" { native("number1") } else { charge("number1") };
        match body.pointer_mut(field) {
            Some(place) => *place = value,
            None => body[&field[1..]] = value,
        }
        assert_eq!(shop.refused("POST", &format!("{ORDERS}/{path}"), body).await.1, code, "{path} {field}");
    }
    let partners = shop.refused("POST", "/v3/pay/partner/transactions/native", native("number1")).await;
    assert_eq!(partners, (403, "NO_AUTH".to_owned()));
    let mut long = refund("number1", "r1", 1);
    long["reason"] = "冷".repeat(27).into();
    assert_eq!(shop.refused("POST", "/v3/refund/domestic/refunds", long).await.1, "PARAM_ERROR");
    shop.running.stop().await;
}

#[tokio::test]
async fn requests_that_are_not_the_merchants_are_refused() {
    let shop = Merchant::direct().await;
    let (path, body) = (format!("{ORDERS}/codepay"), charge("number1").to_string());
    let good = shop.authorization("POST", &path, &body, now_ms());
    let day_ms = 86_400_000;
    for (name, authorization) in [
        ("none", String::new()),
        ("another scheme", good.replace("RSA2048", "SM3")),
        ("another merchant", good.replace(MCHID, "1900000002")),
        ("another certificate", good.replace("000001\",nonce", "000002\",nonce")),
        ("another nonce", good.replace("nonce_str=\"", "nonce_str=\"0")),
        ("twice", format!("{good},mchid=\"{MCHID}\"")),
        ("another path", shop.authorization("POST", "/v3/certificates", &body, now_ms())),
        ("another body", shop.authorization("POST", &path, "{}", now_ms())),
        ("yesterday", shop.authorization("POST", &path, &body, now_ms() - day_ms)),
        ("tomorrow", shop.authorization("POST", &path, &body, now_ms() + day_ms)),
    ] {
        let answer = shop.send("POST", &path, &body, authorization).await.unwrap();
        assert_eq!(answer.code(), (401, "SIGN_ERROR".to_owned()), "{name}");
    }
    assert_eq!(shop.door("GET", "/orders/number1", Value::Null).await.0, 404);
    assert_eq!(shop.door("PUT", "/clock", json!({ "ahead_ms": day_ms })).await.0, 204);
    let answer = shop.send("POST", &path, &body, good.clone()).await.unwrap();
    assert_eq!(answer.code(), (401, "SIGN_ERROR".to_owned()), "the scheme's clock is another day's");
    shop.door("PUT", "/clock", json!({ "ahead_ms": 0 })).await;
    assert_eq!(shop.send("POST", &path, &body, good).await.unwrap().status, 200);
    shop.running.stop().await;
}

#[tokio::test]
async fn faults() {
    let shop = Merchant::direct().await;
    let pay = format!("{ORDERS}/codepay");
    for (n, (fault, status, signature, taken)) in [
        ("unsigned", 200, None, true),
        ("forged", 200, Some(false), true),
        ("html", 502, None, true),
        ("empty", 200, None, true),
        ("busy", 500, Some(true), true),
        ("strange-error", 400, Some(true), true),
        ("strange-state", 200, Some(true), true),
        ("wrong-amount", 200, Some(true), true),
        ("wrong-number", 200, Some(true), true),
        ("insufficient-funds", 403, Some(true), false),
        ("code-expired", 400, Some(true), false),
        ("code-invalid", 400, Some(true), false),
        ("limit-exceeded", 403, Some(true), false),
        ("declined", 403, Some(true), false),
    ]
    .into_iter()
    .enumerate()
    {
        let number = format!("number{n}");
        shop.arm("charge", fault).await;
        let answer = shop.call("POST", &pay, &charge(&number)).await;
        assert_eq!((answer.status, answer.signature), (status, signature), "{fault}");
        assert_eq!(shop.door("GET", &format!("/orders/{number}"), Value::Null).await.0 == 200, taken, "{fault}");
        match fault {
            "wrong-amount" => assert_eq!(answer.json()["amount"]["total"], 1251),
            "wrong-number" => assert_eq!(answer.json()["out_trade_no"], format!("x{number}")),
            "strange-state" => assert_eq!(answer.json()["trade_state"], "DREAMING"),
            _ => {}
        }
    }
    for (fault, taken) in [("unheard", false), ("cut", true)] {
        let (number, body) = (format!("number-{fault}"), charge(&format!("number-{fault}")).to_string());
        shop.arm("charge", fault).await;
        let authorization = shop.authorization("POST", &pay, &body, now_ms());
        assert!(shop.send("POST", &pay, &body, authorization).await.is_err(), "{fault}");
        assert_eq!(shop.door("GET", &format!("/orders/{number}"), Value::Null).await.0 == 200, taken, "{fault}");
    }
    shop.running.stop().await;
}

#[tokio::test]
async fn notifications_are_signed_and_sealed() {
    let shop = Merchant::direct().await;
    let pay = format!("{ORDERS}/codepay");
    shop.told("POST", &pay, charge("number1"), 200).await;
    shop.told("POST", "/v3/refund/domestic/refunds", refund("number1", "r1", 5), 200).await;
    let heard = |refund: Value, fault: Value| {
        let (shop, about) = (&shop, json!({ "number": "number1", "refund_number": refund, "fault": fault }));
        async move {
            let (status, told) = shop.door("POST", "/notification", about).await;
            assert_eq!(status, 200, "{told}");
            let headers = told["headers"].as_array().unwrap().clone();
            let header = |name: &str| Some(headers.iter().find(|pair| pair[0] == name)?[1].as_str()?.to_owned());
            let body = STANDARD.decode(told["body_base64"].as_str().unwrap()).unwrap();
            (shop.is_signed(header, &body), serde_json::from_slice::<Value>(&body).unwrap())
        }
    };
    let (signature, envelope) = heard(Value::Null, Value::Null).await;
    assert_eq!((signature, &envelope["event_type"]), (Some(true), &json!("TRANSACTION.SUCCESS")));
    let paid = opened(&envelope["resource"]);
    assert_eq!(
        (&paid["out_trade_no"], &paid["amount"]["total"], &paid["mchid"]),
        (&json!("number1"), &json!(1250), &json!(MCHID))
    );
    let (signature, envelope) = heard(json!("r1"), Value::Null).await;
    assert_eq!((signature, &envelope["event_type"]), (Some(true), &json!("REFUND.SUCCESS")));
    assert_eq!(opened(&envelope["resource"])["amount"]["refund"], 5);
    assert_eq!(heard(Value::Null, json!("forged")).await.0, Some(false));
    assert_eq!(heard(Value::Null, json!("unsigned")).await.0, None);
    let (signature, envelope) = heard(Value::Null, json!("wrong-amount")).await;
    assert_eq!((signature, &opened(&envelope["resource"])["amount"]["total"]), (Some(true), &json!(1251)));
    assert_eq!(shop.door("POST", "/notification", json!({ "number": "nobodys" })).await.0, 409);
    shop.running.stop().await;
}

fn opened(resource: &Value) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, b"made-for-tests-and-published-32b").unwrap());
    let mut sealed = STANDARD.decode(text("ciphertext")).unwrap();
    let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).unwrap();
    let plain = key.open_in_place(nonce, Aad::from(text("associated_data").as_bytes()), &mut sealed).unwrap();
    serde_json::from_slice(plain).unwrap()
}

/// In Beijing.
fn date(days_ago: i64) -> String {
    let then = time::OffsetDateTime::now_utc() - time::Duration::days(days_ago);
    let date = then.to_offset(time::macros::offset!(+8)).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[tokio::test]
async fn a_bill_is_what_was_paid_given_back_and_reversed() {
    let mut shop = Merchant::direct().await;
    let day = date(0);
    let asked = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL");
    let pay = format!("{ORDERS}/codepay");
    for number in ["number1", "number2"] {
        shop.told("POST", &pay, charge(number), 200).await;
    }
    shop.told("POST", "/v3/refund/domestic/refunds", refund("number1", "r1", 1000), 200).await;
    shop.told("POST", &format!("{ORDERS}/out-trade-no/number2/reverse"), who_and_app(), 200).await;
    assert_eq!(shop.refused("GET", &asked, Value::Null).await, (400, "STATEMENT_CREATING".to_owned()));
    shop.ahead_ms = 2 * 86_400_000;
    shop.door("PUT", "/clock", json!({ "ahead_ms": shop.ahead_ms })).await;
    let rows = |fault: &'static str| {
        let (shop, asked) = (&shop, &asked);
        async move {
            if !fault.is_empty() {
                shop.arm("bill", fault).await;
            }
            let told = shop.told("GET", asked, Value::Null, 200).await;
            let url = told["download_url"].as_str().unwrap();
            let answer = shop.call("GET", url.strip_prefix(&shop.running.base_url).unwrap(), &Value::Null).await;
            assert_eq!((answer.status, answer.signature), (200, None), "files are not signed");
            let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &answer.body);
            assert_eq!(told["hash_value"].as_str().unwrap(), hex::encode(hash));
            String::from_utf8(answer.body)
                .unwrap()
                .lines()
                .filter(|line| line.starts_with("`20"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }
    };
    let told = rows("").await;
    let states: Vec<&str> = told.iter().map(|row| row.split(",`").nth(9).unwrap()).collect();
    assert_eq!(states, ["SUCCESS", "SUCCESS", "REFUND", "REVOKED"]);
    assert!(told[0].contains(",`0.08000,`0.60%,`12.50,`0.00,`") && told[2].contains(",`r1,`10.00,"), "{told:?}");
    assert!(told[2].contains(",`-0.06000,"), "{told:?}");
    assert_eq!(rows("missing-row").await.len(), 3);
    assert!(rows("extra-row").await.iter().any(|row| row.contains("of_another_till")));
    assert_eq!(rows("garbled-row").await.len(), 5);
    for (query, code) in [
        ("bill_date=2020-01-01&bill_type=ALL", "INVALID_REQUEST"),
        ("bill_date=1&bill_type=ALL", "PARAM_ERROR"),
        (&format!("bill_date={}&bill_type=ALL", date(1)), "NO_STATEMENT_EXIST"),
        ("bill_date=2026-01-01&x=y", "PARAM_ERROR"),
    ] {
        assert_eq!(shop.refused("GET", &format!("/v3/bill/tradebill?{query}"), Value::Null).await.1, code, "{query}");
    }
    shop.running.stop().await;
}

#[tokio::test]
async fn a_fund_bill_is_what_moved_and_what_is_left() {
    let mut shop = Merchant::open(Config { withdraws: true, ..Config::default() }).await;
    let day = date(0);
    let asked = format!("/v3/bill/fundflowbill?bill_date={day}");
    shop.told("POST", &format!("{ORDERS}/codepay"), charge("number1"), 200).await;
    shop.told("POST", "/v3/refund/domestic/refunds", refund("number1", "r1", 1000), 200).await;
    shop.ahead_ms = 2 * 86_400_000;
    shop.door("PUT", "/clock", json!({ "ahead_ms": shop.ahead_ms })).await;
    let told = shop.told("GET", &asked, Value::Null, 200).await;
    let url = told["download_url"].as_str().unwrap().to_owned();
    let file = url.strip_prefix(&shop.running.base_url).unwrap();
    let fetch = || async { shop.call("GET", file, &Value::Null).await.body };
    let hash = |bytes: &[u8]| hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes));
    let body = fetch().await;
    assert_eq!(told["hash_value"].as_str().unwrap(), hash(&body));
    let text = String::from_utf8(body).unwrap();
    let rows: Vec<Vec<&str>> =
        text.lines().filter(|line| line.starts_with("`20")).map(|row| row.split(",`").collect()).collect();
    let moved: Vec<[&str; 5]> = rows.iter().map(|row| [row[4], row[5], row[6], row[7], row[10]]).collect();
    let withdrawal = format!("withdrawal{day}");
    assert_eq!(
        moved,
        [
            ["交易", "收入", "12.50", "12.50", "number1"],
            ["扣除交易手续费", "支出", "0.08", "12.42", "number1"],
            ["退款", "支出", "10.00", "2.42", "r1"],
            ["退还交易手续费", "收入", "0.06", "2.48", "r1"],
            ["提现", "支出", "2.48", "0.00", &withdrawal],
        ]
    );
    assert!(text.ends_with("`5.0,`2.0,`12.56,`3.0,`12.56\r\n"), "{text}");
    shop.arm("other", "wrong-amount").await;
    assert_ne!(told["hash_value"].as_str().unwrap(), hash(&fetch().await), "another file");
    for (query, code) in [
        (format!("{asked}&account_type=FEES"), "NO_STATEMENT_EXIST"),
        (format!("{asked}&account_type=OTHER"), "PARAM_ERROR"),
        ("/v3/bill/fundflowbill?account_type=BASIC".to_owned(), "PARAM_ERROR"),
        (format!("{asked}&sub_mchid=1900000109"), "PARAM_ERROR"),
    ] {
        assert_eq!(shop.refused("GET", &query, Value::Null).await.1, code, "{query}");
    }
    shop.running.stop().await;
}

#[tokio::test]
async fn certificates_are_handed_out_where_there_are_any() {
    let shop = Merchant::direct().await;
    assert_eq!(shop.refused("GET", "/v3/certificates", Value::Null).await, (404, "RESOURCE_NOT_EXISTS".to_owned()));
    shop.running.stop().await;
    let shop = Merchant::open(Config { signing: Signing::NextCertificate, ..Config::default() }).await;
    let answer = shop.call("GET", "/v3/certificates", &Value::Null).await;
    let held = Some("5157F09EFDC096DE15EBE81A47057A7232000001".to_owned());
    assert_eq!(answer.serial, held, "by the one that merchants hold");
    let paid = shop.call("POST", &format!("{ORDERS}/codepay"), &charge("number1")).await;
    assert_eq!(paid.serial.as_deref(), Some("5157F09EFDC096DE15EBE81A47057A7232000002"));
    let list = answer.json();
    let serials: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|one| one["serial_no"].as_str().unwrap()).collect();
    assert_eq!(serials, ["5157F09EFDC096DE15EBE81A47057A7232000001", "5157F09EFDC096DE15EBE81A47057A7232000002"]);
    assert!(!shop.script["secrets"]["wechatpay-keys"].as_str().unwrap().contains("Key-Id"));
    shop.running.stop().await;
}

#[tokio::test]
async fn a_service_provider() {
    let mut shop = Merchant::open(Config { is_partner: true, ..Config::default() }).await;
    let orders = "/v3/pay/partner/transactions";
    let mut body = charge("number1");
    for name in ["appid", "mchid"] {
        body.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(shop.refused("POST", &format!("{orders}/codepay"), body.clone()).await.1, "PARAM_ERROR");
    for (name, value) in [("sp_appid", "wx8888888888888888"), ("sp_mchid", MCHID), ("sub_mchid", "1900000109")] {
        body[name] = value.into();
    }
    let paid = shop.told("POST", &format!("{orders}/codepay"), body, 200).await;
    assert_eq!((&paid["sp_mchid"], &paid["sub_mchid"]), (&json!(MCHID), &json!("1900000109")));
    let query = format!("{orders}/out-trade-no/number1?sp_mchid={MCHID}&sub_mchid=1900000109");
    assert_eq!(shop.told("GET", &query, Value::Null, 200).await["trade_state"], "SUCCESS");
    assert_eq!(shop.refused("POST", "/v3/refund/domestic/refunds", refund("number1", "r1", 5)).await.1, "PARAM_ERROR");
    let mut back = refund("number1", "r1", 5);
    back["sub_mchid"] = "1900000109".into();
    assert_eq!(shop.told("POST", "/v3/refund/domestic/refunds", back, 200).await["status"], "SUCCESS");
    shop.told("GET", "/v3/refund/domestic/refunds/r1?sub_mchid=1900000109", Value::Null, 200).await;

    shop.ahead_ms = 2 * 86_400_000;
    shop.door("PUT", "/clock", json!({ "ahead_ms": shop.ahead_ms })).await;
    let asked = format!("/v3/bill/sub-merchant-fundflowbill?bill_date={}", date(0));
    let good = format!("{asked}&sub_mchid=1900000109&account_type=BASIC&algorithm=AEAD_AES_256_GCM");
    let told = shop.told("GET", &good, Value::Null, 200).await;
    assert_eq!(told["download_bill_count"], 2);
    for piece in told["download_bill_list"].as_array().unwrap() {
        let file = piece["download_url"].as_str().unwrap().strip_prefix(&shop.running.base_url).unwrap();
        let body = shop.call("GET", file, &Value::Null).await.body;
        // What opens it is not in reach here: `plugins/wechatpay/oracle` does.
        assert!(body.len() > 16 && !String::from_utf8_lossy(&body).contains("交易"), "{piece}");
    }
    for (query, code) in [
        (good.replace("0109", "0110"), "NO_AUTH"),
        (good.replace("AEAD_AES_256_GCM", "SM4_GCM"), "PARAM_ERROR"),
        (format!("{asked}&sub_mchid=1900000109"), "PARAM_ERROR"),
        (good.replace("BASIC", "DEPOSIT"), "NO_STATEMENT_EXIST"),
    ] {
        assert_eq!(shop.refused("GET", &query, Value::Null).await.1, code, "{query}");
    }
    shop.running.stop().await;
}
