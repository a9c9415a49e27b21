//! A scheme for the sandbox channel, written from `plugins/schemes/PROTOCOL.md` and from nothing else: it shares no code with
//! the channel nor with the simulator. It speaks HTTP by hand, so that it can break it by hand.
//!
//! The last two digits of an amount decide what it does, as in the protocol (93, 95, 96, 99), and a few more of its own.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use ring::hmac;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::guests::{KEY, MERCHANT};

pub const NOW: i64 = 1_700_000_000_123;

/// Amounts ending so: the answer comes as a redirect; is larger than 1 MiB; is cut in its middle.
pub const REDIRECT: i64 = 61;
pub const HUGE: i64 = 62;
pub const CUT: i64 = 63;

pub struct Wallet {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    orders: HashMap<String, Value>,
    nonces: BTreeSet<String>,
    requests: Vec<String>,
    trace_parents: Vec<String>,
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Wallet {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `METHOD path` of every request that came in, refused ones too.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().expect("no panic in the wallet").requests.clone()
    }

    pub fn trace_parents(&self) -> Vec<String> {
        self.state.lock().expect("no panic in the wallet").trace_parents.clone()
    }

    /// A notification's headers and body, as the scheme would post it.
    pub fn notification(&self, number: &str, key: &str) -> (Vec<(String, String)>, Vec<u8>) {
        let order = self.state.lock().expect("no panic in the wallet").orders[number].to_string();
        let (timestamp, nonce) = (NOW.to_string(), "ab".repeat(16));
        let signature = mac(key, format!("NOTIFY\n{timestamp}\n{nonce}\n{order}\n"));
        let headers =
            [("x-sandbox-timestamp", timestamp), ("x-sandbox-nonce", nonce), ("x-sandbox-signature", signature)];
        (headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), order.into_bytes())
    }
}

pub fn mac(key: &str, text: impl AsRef<[u8]>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, text.as_ref()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Some(request) = read(&mut stream).await {
        let (status, body) = answer(&request, &state);
        let minor = minor_of(&request, &state);
        let (charset, text) = encoded(&request.path, body.to_string());
        let nonce = request.headers.get("x-sandbox-nonce").cloned().unwrap_or_default();
        let head = format!("RESPONSE\n{status}\n{NOW}\n{nonce}\n");
        let signature = mac(KEY, [head.as_bytes(), &text, b"\n"].concat());
        let is_charge = request.path == "/v1/charges";
        let reply = match minor % 100 {
            93 if is_charge => {
                // Carried out, and never answered.
                let mut rest = [0; 1];
                let _ = stream.read(&mut rest).await;
                return;
            }
            95 if is_charge => http(status, &signature.replace(|c: char| c.is_ascii_digit(), "0"), &text, "\r\n"),
            96 if is_charge => b"\0\x01garbage, not HTTP\r\n\r\n".to_vec(),
            REDIRECT if is_charge => http(302, &signature, b"", "\r\nlocation: /v1/elsewhere\r\n"),
            HUGE if is_charge => http(status, &signature, "x".repeat((1 << 20) + 1).as_bytes(), "\r\n"),
            CUT if is_charge => http(status, &signature, &text, "\r\n")[..180].to_vec(),
            _ => http(status, &signature, &text, charset),
        };
        if stream.write_all(&reply).await.is_err() || minor % 100 == CUT {
            return;
        }
    }
}

/// `more` ends the header of the type, and may add others.
fn http(status: u16, signature: &str, body: &[u8], more: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-sandbox-timestamp: {NOW}\r\nx-sandbox-signature: {signature}\r\n\
         content-type: application/json{more}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Bills of these days come in other encodings: `@` stands for 门店, or for what is no letter in any.
fn encoded(path: &str, text: String) -> (&'static str, Vec<u8>) {
    let put =
        |shop: &[u8]| text.bytes().flat_map(|byte| if byte == b'@' { shop.to_vec() } else { vec![byte] }).collect();
    let in_utf8 = "门店".as_bytes();
    if path.starts_with("/v1/bills/2026-02-01") {
        ("\r\n", [b"\xef\xbb\xbf".to_vec(), put(in_utf8)].concat())
    } else if path.starts_with("/v1/bills/2026-02-02") {
        ("; charset=GB18030\r\n", put(b"\xc3\xc5\xb5\xea"))
    } else if path.starts_with("/v1/bills/2026-02-03") {
        ("\r\n", put(b"\xff"))
    } else if path.starts_with("/v1/bills/2026-02-04") {
        ("; charset=klingon\r\n", put(in_utf8))
    } else {
        ("\r\n", text.into_bytes())
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body_len: usize = headers.get("content-length").map_or(0, |len| len.parse().unwrap_or(0));
    while bytes.len() < head_end + 4 + body_len {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..head_end + 4 + body_len].to_vec()).ok()?;
    Some(Request { method, path, headers, body })
}

/// The order's amount, from the request or from what is known of its order.
fn minor_of(request: &Request, state: &Mutex<State>) -> i64 {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let number =
        body["order_number"].as_str().or_else(|| request.path.split('/').nth(3)).unwrap_or_default().to_owned();
    let state = state.lock().expect("no panic in the wallet");
    let amount = state.orders.get(&number).and_then(|order| order["asked"].as_str()).unwrap_or("0");
    amount.replace('.', "").parse().unwrap_or(0)
}

fn answer(request: &Request, state: &Mutex<State>) -> (u16, Value) {
    let mut state = state.lock().expect("no panic in the wallet");
    state.requests.push(format!("{} {}", request.method, request.path));
    if let Some(trace_parent) = request.headers.get("traceparent") {
        state.trace_parents.push(trace_parent.clone());
    }
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    let (timestamp, nonce) = (header("x-sandbox-timestamp"), header("x-sandbox-nonce"));
    let signed = format!("REQUEST\n{}\n{}\n{timestamp}\n{nonce}\n{}\n", request.method, request.path, request.body);
    let fresh = nonce.len() == 32 && state.nonces.insert(nonce.to_owned());
    if header("x-sandbox-merchant") != MERCHANT || header("x-sandbox-signature") != mac(KEY, &signed) || !fresh {
        return (401, json!({"code": "BAD_SIGNATURE", "message": "the signature does not fit"}));
    }
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let path = request.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["orders"]) => (200, open(&mut state, &body, "WAITING")),
        ("POST", ["charges"]) => match body["code"].as_str() {
            Some("880000000000000000") => (400, json!({"code": "CODE_INVALID", "message": "no such code"})),
            Some("880000000000000001") => (400, json!({"code": "CODE_EXPIRED", "message": "too old"})),
            _ if body["amount"].as_str().is_some_and(|amount| amount.ends_with("91")) => {
                (200, open(&mut state, &body, "DECLINED"))
            }
            _ => (200, open(&mut state, &body, "PAID")),
        },
        ("GET", ["orders", number]) => known(&state, number),
        ("POST", ["orders", number, "close"]) => {
            if let Some(order) = state.orders.get_mut(*number) {
                order["status"] = json!(if order["status"] == "PAID" { "REVERSED" } else { "CLOSED" });
            }
            known(&state, number)
        }
        ("POST", ["orders", number, "refunds"]) => (200, refund(number, &body["refund_number"], &body["amount"])),
        ("GET", ["orders", number, "refunds", refund_number]) => {
            (200, refund(number, &json!(refund_number), &json!("1.00")))
        }
        ("GET", ["bills", day]) => (200, bill(day, &request.path)),
        ("GET", ["ping"]) => (200, json!({"merchant_id": MERCHANT})),
        _ => (404, json!({"code": "NO_SUCH_CALL", "message": ""})),
    }
}

fn open(state: &mut State, body: &Value, status: &str) -> Value {
    let number = body["order_number"].as_str().unwrap_or_default().to_owned();
    let asked = body["amount"].as_str().unwrap_or_default();
    // 99: answers state an amount that is 0.01 higher.
    let amount = match asked.strip_suffix(".99").and_then(|whole| whole.parse::<u64>().ok()) {
        Some(whole) => format!("{}.00", whole + 1),
        None => asked.to_owned(),
    };
    let paid = status == "PAID";
    state
        .orders
        .entry(number.clone())
        .or_insert_with(|| {
            json!({
                "order_number": number, "status": status, "amount": amount, "asked": asked, "currency": body["currency"],
                "reference": "W-1", "paid_at": if paid { json!(NOW) } else { Value::Null }, "payer_hint": "a***e",
                "decline_code": if status == "DECLINED" { json!("INSUFFICIENT_FUNDS") } else { Value::Null },
                "refunded": "0.00", "code_url": if status == "WAITING" { json!("http://w/pay/t") } else { Value::Null },
            })
        })
        .clone()
}

fn known(state: &State, number: &str) -> (u16, Value) {
    match state.orders.get(number) {
        Some(order) => (200, order.clone()),
        None => (404, json!({"code": "ORDER_NOT_FOUND", "message": "no such order"})),
    }
}

fn refund(number: &str, refund_number: &Value, amount: &Value) -> Value {
    json!({"refund_number": refund_number, "order_number": number, "status": "DONE", "amount": amount, "currency": "CNY", "reference": "R-1"})
}

fn bill(day: &str, path: &str) -> Value {
    let is_second = path.ends_with("?cursor=a%26b");
    let row = |number: &str, reference: &str| json!({"order_number": number, "refund_number": null, "reference": reference, "amount": "12.50", "fee": "0.08", "currency": "CNY", "at": NOW});
    let rows = if day.starts_with("2026-02") {
        vec![row("pay_1", "@-1"), row("pay_2", "W2")]
    } else {
        vec![row("pay_1", day)]
    };
    json!({"rows": rows, "next_cursor": if is_second { Value::Null } else { json!("a&b") }})
}
