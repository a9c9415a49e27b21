//! A Lightning node from outside: a noodle bar with the node's invoice macaroon.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use saoma_schemes::{
    lightning::{self, CERTIFICATE_PEM, macaroons},
    stage::Running,
};
use serde_json::{Value, json};

use crate::door::at_door;

const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const PREIMAGE: [u8; 32] = [1; 32];

struct NoodleBar {
    client: reqwest::Client,
    running: Running,
    macaroon: Option<&'static str>,
}

impl NoodleBar {
    fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = lightning::start("127.0.0.1:0".parse().unwrap()).unwrap();
        // The node vouches for itself; which certificate it shows is looked at below.
        let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).tls_info(true);
        let client = client.timeout(std::time::Duration::from_secs(10)).build().unwrap();
        Self { client, running, macaroon: Some(macaroons::INVOICE) }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.running.base_url));
        if let Some(macaroon) = self.macaroon {
            request = request.header("Grpc-Metadata-macaroon", macaroon);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| tls.peer_certificate());
        let pem: String = CERTIFICATE_PEM.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(shown.map(|der| STANDARD.encode(der)), Some(pem), "the node's own certificate");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, said) = self.send(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {said}");
        said
    }

    async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, Value, String) {
        let (status, said) = self.send(method, path, body).await;
        (status, said["code"].clone(), said["message"].as_str().unwrap_or_default().to_owned())
    }

    async fn door(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        at_door(&self.client, &self.running.door, method, path, body).await
    }

    async fn pay(&self) -> u16 {
        self.door("POST", &format!("/orders/{NUMBER}/pay"), Value::Null).await.0
    }

    async fn invoice(&self) -> Value {
        self.call("GET", &path(), Value::Null).await
    }

    async fn state(&self) -> String {
        self.invoice().await["state"].as_str().unwrap().to_owned()
    }
}

fn hash() -> Vec<u8> {
    digest(&SHA256, &PREIMAGE).as_ref().to_vec()
}

fn path() -> String {
    format!("/v1/invoice/{}", hex::encode(hash()))
}

fn cancellation() -> Value {
    json!({ "payment_hash": STANDARD.encode(hash()) })
}

fn asked() -> Value {
    let memo = format!("Noodle Bar | 12.50 USD at 49500.00 | {NUMBER}");
    json!({ "memo": memo, "value_msat": "25253000", "expiry": "120", "r_preimage": STANDARD.encode(PREIMAGE) })
}

#[tokio::test]
async fn an_invoice_is_made_once_paid_and_listed() {
    let bar = NoodleBar::open();
    let added = bar.call("POST", "/v1/invoices", asked()).await;
    assert_eq!((&added["r_hash"], &added["add_index"]), (&json!(STANDARD.encode(hash())), &json!("1")));
    assert!(added["payment_request"].as_str().is_some_and(|text| text.starts_with("lnbcrt252530n1")), "{added}");
    let again = bar.refused("POST", "/v1/invoices", asked()).await;
    assert_eq!(again, (500, json!(2), "invoice with payment hash already exists".to_owned()));

    let open = bar.invoice().await;
    assert_eq!(
        (&open["state"], &open["amt_paid_msat"], &open["settle_date"]),
        (&json!("OPEN"), &json!("0"), &json!("0"))
    );
    assert_eq!(open["payment_request"], added["payment_request"]);
    assert_eq!((bar.pay().await, bar.pay().await), (204, 409));
    let paid = bar.invoice().await;
    assert_eq!((&paid["state"], &paid["amt_paid_msat"]), (&json!("SETTLED"), &json!("25253000")));
    let cancelled = bar.refused("POST", "/v2/invoices/cancel", cancellation()).await;
    assert_eq!(cancelled, (500, json!(2), "invoice already settled".to_owned()));

    let list = bar.call("GET", "/v1/invoices?num_max_invoices=10&creation_date_start=1", Value::Null).await;
    assert_eq!((&list["invoices"], &list["last_index_offset"]), (&json!([paid]), &json!("1")));
    let (_, seen) = bar.door("GET", &format!("/orders/{NUMBER}"), Value::Null).await;
    assert_eq!(
        (&seen["amount_minor"], &seen["currency"], &seen["times_taken"]),
        (&json!(1_250), &json!("USD"), &json!(1))
    );
    bar.running.stop().await;
}

#[tokio::test]
async fn an_invoice_is_cancelled_and_ends_by_itself() {
    let bar = NoodleBar::open();
    let nobodys = bar.refused("POST", "/v2/invoices/cancel", cancellation()).await;
    assert_eq!(
        nobodys,
        (500, json!(2), "unable to locate invoice".to_owned()),
        "as LND says it, without a code of its own"
    );
    assert_eq!(bar.refused("GET", &path(), Value::Null).await.1, json!(5));
    bar.call("POST", "/v1/invoices", asked()).await;
    bar.call("POST", "/v2/invoices/cancel", cancellation()).await;
    bar.call("POST", "/v2/invoices/cancel", cancellation()).await;
    assert_eq!((bar.state().await.as_str(), bar.pay().await), ("CANCELED", 409));
    bar.running.stop().await;

    let bar = NoodleBar::open();
    bar.call("POST", "/v1/invoices", asked()).await;
    bar.door("PUT", "/clock", json!({ "ahead_ms": 121_000 })).await;
    assert_eq!((bar.state().await.as_str(), bar.pay().await), ("CANCELED", 409));
    bar.running.stop().await;
}

#[tokio::test]
async fn a_payment_is_held_before_it_is_settled() {
    let bar = NoodleBar::open();
    assert_eq!(bar.door("POST", "/next", json!({ "act": "create", "fault": "pending" })).await.0, 204);
    bar.call("POST", "/v1/invoices", asked()).await;
    assert_eq!((bar.pay().await, bar.state().await.as_str()), (204, "ACCEPTED"));
    assert_eq!((bar.pay().await, bar.state().await.as_str()), (204, "SETTLED"));
    bar.running.stop().await;
}

#[tokio::test]
async fn only_a_macaroon_that_the_node_gave_out_is_heard() {
    let mut bar = NoodleBar::open();
    for (macaroon, words) in [
        (None, "expected 1 macaroon"),
        (Some("0201"), "verification failed"),
        (Some("not hex"), "encoding/hex"),
        (Some(macaroons::READ_ONLY), "permission denied"),
    ] {
        bar.macaroon = macaroon;
        let (status, code, said) = bar.refused("POST", "/v1/invoices", asked()).await;
        assert!((status, &code) == (500, &json!(2)) && said.contains(words), "{said}");
    }
    assert_eq!(bar.call("GET", "/v1/invoices", Value::Null).await["invoices"], json!([]), "who may read may read");
    bar.macaroon = Some(macaroons::INVOICE);
    assert_eq!(bar.refused("POST", "/v1/invoices", json!({ "price": 1 })).await.0, 400);
    assert_eq!(bar.refused("GET", "/v1/getinfo", Value::Null).await.0, 404);
    bar.running.stop().await;
}

#[tokio::test]
async fn faults_and_the_rate_source() {
    let bar = NoodleBar::open();
    let arm = async |act: &str, fault: &str| bar.door("POST", "/next", json!({ "act": act, "fault": fault })).await.0;
    let (_, script) = bar.door("GET", "/script", Value::Null).await;
    let source = script["settings"]["rate_url"].as_str().unwrap().to_owned();
    let ticker = async |pair: &str| bar.client.get(format!("{source}/api/v2/ticker/{pair}/")).send().await.unwrap();
    let rate: Value = ticker("btcusd").await.json().await.unwrap();
    assert_eq!(rate["bid"], "50000.00");
    assert_eq!(ticker("btc").await.status(), 404);
    assert_eq!((arm("other", "busy").await, ticker("btcusd").await.status().as_u16()), (204, 503));

    assert_eq!(arm("create", "wrong-amount").await, 204);
    let added = bar.call("POST", "/v1/invoices", asked()).await;
    assert!(added["payment_request"].as_str().is_some_and(|text| text.starts_with("lnbcrt252540n1")), "{added}");
    assert_eq!((arm("bill", "wrong-amount").await, arm("query", "unsigned").await), (409, 409), "not played");
    for (fault, field, value) in [
        ("wrong-amount", "value_msat", "25254000".to_owned()),
        ("wrong-number", "r_hash", STANDARD.encode([7; 32])),
        ("strange-state", "state", "MISLAID".to_owned()),
    ] {
        assert_eq!(arm("query", fault).await, 204);
        assert_eq!(bar.invoice().await[field], value, "{fault}");
    }
    bar.pay().await;
    for (fault, rows) in [("missing-row", 0), ("extra-row", 2), ("garbled-row", 1)] {
        assert_eq!(arm("bill", fault).await, 204);
        let list = bar.call("GET", "/v1/invoices", Value::Null).await;
        assert_eq!(list["invoices"].as_array().map(Vec::len), Some(rows), "{fault}");
    }
    assert_eq!(bar.call("GET", "/v1/invoices", Value::Null).await["invoices"].as_array().map(Vec::len), Some(1));
    for (fault, status) in [("busy", 503), ("strange-error", 500), ("declined", 500)] {
        assert_eq!(arm("query", fault).await, 204);
        assert_eq!(bar.refused("GET", &path(), Value::Null).await.0, status, "{fault}");
    }
    bar.running.stop().await;
}
