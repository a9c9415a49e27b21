//! A merchant written from `PROTOCOL.md` alone: signs with ring, checks every signature, listens for notifications.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use ring::{hmac, rand::SecureRandom};
use saoma_schemes::wallet::{self, Config, Running};
use serde_json::{Value, json};

pub const MERCHANT: &str = "noodles";
pub const KEY: &str = "钥匙-secret";

pub fn mac(key: &str, fields: &[&str], body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    for field in fields {
        context.update(field.as_bytes());
        context.update(b"\n");
    }
    context.update(body);
    context.update(b"\n");
    context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    ring::rand::SystemRandom::new().fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub signature_good: bool,
    pub signed: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A scheme at play with quick timing, and a merchant beside it.
pub struct Shop {
    pub base: String,
    pub client: reqwest::Client,
    pub inbox: Inbox,
    running: Running,
}

impl Shop {
    pub async fn open() -> Self {
        let mut config = Config::new(
            "127.0.0.1:0".parse().unwrap(),
            vec![(MERCHANT.into(), KEY.into()), ("tea".into(), "t".into())],
        );
        config.slow = Duration::from_millis(150);
        config.refund_slow = Duration::from_millis(150);
        config.hold = Duration::from_millis(300);
        config.retry_first = Duration::from_millis(5);
        let running = wallet::start(config).unwrap();
        let base = format!("http://{}", running.address);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        Self { base, client, inbox: Inbox::open(), running }
    }

    pub async fn close(self) {
        self.inbox.server.stop(false).await;
        self.running.stop().await;
    }

    /// A signed call.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Result<Answer, reqwest::Error> {
        let (timestamp, nonce) = (now_ms().to_string(), nonce());
        let signature = mac(KEY, &["REQUEST", method, path, &timestamp, &nonce], body.as_bytes());
        self.send_as(method, path, body, &[MERCHANT, &timestamp, &nonce, &signature]).await
    }

    /// A call with whatever headers: merchant, timestamp, nonce, signature.
    pub async fn send_as(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[&str; 4],
    ) -> Result<Answer, reqwest::Error> {
        let [merchant, timestamp, nonce, signature] = headers;
        let answer = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .header("x-sandbox-merchant", *merchant)
            .header("x-sandbox-timestamp", *timestamp)
            .header("x-sandbox-nonce", *nonce)
            .header("x-sandbox-signature", *signature)
            .header("content-type", "application/json")
            .header("traceparent", TRACEPARENT)
            .body(body.to_owned())
            .send()
            .await?;
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (at, signed) = (header("x-sandbox-timestamp").unwrap_or_default(), header("x-sandbox-signature"));
        let status = answer.status().as_u16();
        let body = answer.bytes().await?.to_vec();
        let key = if *merchant == "tea" { "t" } else { KEY };
        let expected = mac(key, &["RESPONSE", &status.to_string(), &at, nonce], &body);
        Ok(Answer { status, body, signed: signed.is_some(), signature_good: signed == Some(expected) })
    }

    /// A signed call whose answer must be signed, with this status.
    pub async fn call(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(method, path, &body).await.unwrap();
        assert!(answer.signature_good, "{method} {path}: bad signature");
        assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub fn order(&self, number: &str, amount: &str) -> Value {
        json!({
            "order_number": number, "amount": amount, "currency": "CNY", "subject": "Beef noodles",
            "merchant_name": "Noodles", "store_name": "Corner", "expires_at": now_ms() + 120_000,
            "notify_url": self.inbox.url,
        })
    }

    pub async fn charge_body(&self, number: &str, amount: &str, account: &str) -> Value {
        let code = self.customer("POST", &format!("/wallet/api/accounts/{account}/code"), Value::Null, 200).await;
        let mut body = self.order(number, amount);
        body["code"] = code["code"].clone();
        body
    }

    /// An unsigned call, as the customer's page or a tester makes it.
    pub async fn customer(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (got, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(got, status, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn admin(&self, number: &str) -> Value {
        self.customer("GET", &format!("/admin/orders/{number}"), Value::Null, 200).await
    }

    /// Asks until the order has this status; a deadline, no guess at how long it takes.
    pub async fn until_status(&self, number: &str, status: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let order = self.call("GET", &format!("/v1/orders/{number}"), Value::Null, 200).await;
            if order["status"] == status {
                return;
            }
            assert!(Instant::now() < deadline, "{number} is still {}", order["status"]);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone, Debug)]
pub struct Told {
    pub body: Value,
    pub signature_good: bool,
    pub nonce: String,
    pub traceparent: String,
}

/// The merchant's ear. Answers 500 while told to.
pub struct Inbox {
    pub url: String,
    told: Arc<Mutex<Vec<Told>>>,
    deaf_for: Arc<Mutex<u32>>,
    server: ServerHandle,
}

impl Inbox {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Vec::new()));
        let deaf_for = Arc::new(Mutex::new(0_u32));
        let shared = web::Data::new((told.clone(), deaf_for.clone()));
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).route("/notify", web::post().to(hear)))
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, told, deaf_for, server: handle }
    }

    pub fn deafen(&self, times: u32) {
        *self.deaf_for.lock().unwrap() = times;
    }

    pub async fn until(&self, count: usize) -> Vec<Told> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let told = self.told.lock().unwrap().clone();
            if told.len() >= count {
                return told;
            }
            assert!(Instant::now() < deadline, "told {} times, not {count}", told.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn count(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

type Heard = web::Data<(Arc<Mutex<Vec<Told>>>, Arc<Mutex<u32>>)>;

async fn hear(request: HttpRequest, body: web::Bytes, shared: Heard) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let nonce = header("x-sandbox-nonce");
    let expected = mac(KEY, &["NOTIFY", &header("x-sandbox-timestamp"), &nonce], &body);
    let signature_good = header("x-sandbox-signature") == expected;
    shared.0.lock().unwrap().push(Told {
        body: serde_json::from_slice(&body).unwrap(),
        signature_good,
        nonce,
        traceparent: header("traceparent"),
    });
    let mut deaf_for = shared.1.lock().unwrap();
    if *deaf_for > 0 {
        *deaf_for -= 1;
        return HttpResponse::InternalServerError().finish();
    }
    if signature_good { HttpResponse::Ok().body("OK") } else { HttpResponse::Unauthorized().finish() }
}
