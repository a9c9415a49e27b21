//! Devices in the shop's network: how they are let in, what they may do, and that nobody else is.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use reqwest::{Certificate, Client, Method, Response, StatusCode, redirect};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use saoma_edge::config::Config;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::{
    enrolled::enrolled,
    shop::{Reply, Shop, Till, fresh_key, nothing, until},
};

pub const PEM: &str = "paired-door.pem";
pub const KEPT: &str = "paired.sealed";
const COOKIE: &str = "__Host-saoma-till=";

/// With a file of this name in the data directory, there is no door in the network from the next start on.
pub const NO_DOOR: &str = "no-door";

fn in_network(config: &mut Config, folder: &Path) {
    if !folder.join(NO_DOOR).exists() {
        config.paired.listen = "127.0.0.1:0".to_owned();
    }
}

pub async fn shop() -> Shop {
    Shop::open_with(in_network).await
}

/// A browser on another machine, which trusts the certificate that a person compared.
pub struct Device {
    client: Client,
    pub base: String,
    pub cookie: Option<String>,
}

impl Device {
    pub async fn of(shop: &Shop) -> Self {
        Self::at(&shop.till, shop.folder.path()).await
    }

    /// One of another address: all of 127.0.0.0/8 are this machine's.
    pub async fn from(shop: &Shop, address: [u8; 4]) -> Self {
        Self::reached(&shop.till, shop.folder.path(), Some(address.into())).await
    }

    /// Beside the till, whose data directory is `folder`.
    /// The same one, once the till was started anew.
    pub async fn again(self, shop: &Shop) -> Self {
        Self { base: Self::of(shop).await.base, ..self }
    }

    async fn at(till: &Till, folder: &Path) -> Self {
        Self::reached(till, folder, None).await
    }

    async fn reached(till: &Till, folder: &Path, address: Option<IpAddr>) -> Self {
        let page = till.get("/api/paired").await;
        let base =
            page["listener"]["url"].as_str().unwrap_or_else(|| panic!("{page}")).trim_end_matches('/').to_owned();
        let pem = fs::read(folder.join(PEM)).unwrap();
        let client = Client::builder()
            .local_address(address)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tls_certs_only([Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap();
        Self { client, base, cookie: None }
    }

    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Reply {
        told(self.call(Method::GET, path, &[], None).await).await
    }

    async fn post(&self, path: &str, body: &Value, key: &str) -> Reply {
        told(self.call(Method::POST, path, &[("x-saoma-till", "1"), ("idempotency-key", key)], Some(body)).await).await
    }

    /// Redeems a code; its cookie as it was set.
    pub async fn redeem(&mut self, code: &str, key: &str) -> (Reply, Option<String>) {
        let headers = [("x-saoma-till", "1"), ("idempotency-key", key)];
        let response = self.call(Method::POST, "/api/pair", &headers, Some(&json!({ "code": code }))).await;
        let set = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        if let Some(set) = &set {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        (told(response).await, set)
    }
}

pub async fn told(response: Response) -> Reply {
    let status = response.status();
    Reply { status, body: response.json().await.unwrap_or_default() }
}

pub fn code(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default())
}

/// A code for one device, as the till shows it.
pub async fn offered(till: &Till, name: &str, role: &str) -> Value {
    let made = till.post("/api/paired/code", &json!({"name": name, "role": role}), &fresh_key()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

pub async fn paired(shop: &Shop, name: &str, role: &str) -> Device {
    let code = offered(&shop.till, name, role).await;
    let mut device = Device::of(shop).await;
    let (answer, _) = device.redeem(code["code"].as_str().unwrap(), &fresh_key()).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (201, &json!({"name": name, "role": role})));
    device
}

pub async fn devices(shop: &Shop) -> Vec<Value> {
    shop.till.get("/api/paired").await["devices"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paired_tablet_is_a_second_till() {
    let shop = shop().await;
    let offer = offered(&shop.till, "平板 1", "till").await;
    let (address, fragment) = offer["url"].as_str().unwrap().split_once('#').unwrap();
    assert!(offer["svg"].as_str().unwrap().starts_with("<svg"));
    let mut tablet = Device::of(&shop).await;
    assert_eq!(address, format!("{}/pair", tablet.base));
    let before = tablet.get("/api/state").await;
    assert_eq!(code(&before), (403, "not_paired"));

    let (answer, cookie) = tablet.redeem(fragment, "k").await;
    assert_eq!((answer.status.as_u16(), &answer.body), (201, &json!({"name": "平板 1", "role": "till"})));
    let cookie = cookie.unwrap();
    let mut attributes: Vec<&str> = cookie.split("; ").collect();
    let token = attributes.remove(0).strip_prefix(COOKIE).unwrap().to_owned();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=Strict", "Secure"]);
    assert_eq!(token.len(), 43, "256 bits in base 64");

    let body = json!({"amount_minor": 1250, "method": "cash"});
    let (one, two) = tokio::join!(tablet.post("/api/sales", &body, "tap"), tablet.post("/api/sales", &body, "tap"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!((statuses, &one.body["payment"]), ([200, 201], &two.body["payment"]));
    let at_the_till = shop.till.get("/api/sales").await;
    assert_eq!(at_the_till["items"][0]["payment"], one.body["payment"]);
    assert_eq!(at_the_till["items"].as_array().unwrap().len(), 1);
    let other = shop.till.post("/api/sales", &json!({"amount_minor": 1, "method": "cash"}), "tap").await;
    assert_eq!(code(&other), (422, "idempotency_key_reused"), "an intent is one, wherever it is pressed");

    let page = tablet.call(Method::GET, "/", &[], None).await;
    assert_eq!(page.status(), 200);
    let again = page.headers()["set-cookie"].to_str().unwrap();
    assert!(again.starts_with(&format!("{COOKIE}{token}; ")), "the browser keeps it for another 400 days");
    let kept = fs::read(shop.folder.path().join(KEPT)).unwrap();
    let holds = |words: &str| kept.windows(words.len()).any(|part| part == words.as_bytes());
    assert!(!holds("平板") && !holds(&token) && !holds("devices"), "it is sealed");
    let seen = until("when it was here, by core's clock", async || {
        let device = devices(&shop).await.remove(0);
        device["seen_at"].is_i64().then_some(device)
    })
    .await;
    assert_eq!((&seen["name"], &seen["role"]), (&json!("平板 1"), &json!("till")));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_kill_what_is_typed_whoever_gives_them() {
    let shop = shop().await;
    let offer = offered(&shop.till, "Phone", "till").await;
    let right = offer["code"].as_str().unwrap();
    let mut strangers = [Device::of(&shop).await, Device::of(&shop).await];
    for tries in 0..5 {
        let (answer, cookie) = strangers[tries % 2].redeem("0000-0000", &fresh_key()).await;
        assert_eq!((code(&answer), cookie), ((409, "pairing_code_wrong"), None));
    }
    let (answer, _) = strangers[0].redeem(right, "k").await;
    assert_eq!(code(&answer), (409, "pairing_over"));
    assert_eq!(shop.till.get("/api/paired").await["offer"]["tries_left"], 0);
    assert!(devices(&shop).await.is_empty());
    let (_, whole) = offer["url"].as_str().unwrap().split_once('#').unwrap();
    let (answer, _) = Device::of(&shop).await.redeem(whole, "k").await;
    assert_eq!(answer.status, 201, "what is scanned nobody else can spoil: {}", answer.body);

    let offer = offered(&shop.till, "Phone", "till").await;
    shop.till.post("/api/paired/code/cancel", &json!({"id": "another"}), &fresh_key()).await;
    assert_eq!(shop.till.get("/api/paired").await["offer"]["id"], offer["id"]);
    shop.till.post("/api/paired/code/cancel", &json!({"id": offer["id"]}), &fresh_key()).await;
    let (answer, _) = strangers[0].redeem(offer["code"].as_str().unwrap(), "k").await;
    assert_eq!(code(&answer), (409, "pairing_over"));
    let press = async |name: &str| {
        let body = json!({"name": name, "role": "till"});
        shop.till.post("/api/paired/code", &body, "press").await
    };
    let (one, two, other) = (press("Phone").await, press("Phone").await, press("Tablet").await);
    assert_eq!((one.status.as_u16(), &one.body), (201, &two.body), "a press makes one code");
    assert_eq!(code(&other), (422, "idempotency_key_reused"));
    let nameless = shop.till.post("/api/paired/code", &json!({"name": " ", "role": "till"}), &fresh_key()).await;
    assert_eq!(code(&nameless), (422, "device_name_invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_pairs_the_same_device() {
    let shop = shop().await;
    let offer = offered(&shop.till, "Phone", "till").await;
    let right = offer["code"].as_str().unwrap();
    let mut phone = Device::of(&shop).await;
    let lost = phone.redeem(right, "k").await.1.unwrap();
    let (answer, _) = phone.redeem(right, "k").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(devices(&shop).await.len(), 1);
    // Also if the browser had kept the cookie, and the page never saw the rest of the answer: it comes with it then.
    let late = Device { cookie: lost.split(';').next().map(str::to_owned), ..Device::of(&shop).await };
    assert_eq!(code(&late.get("/api/state").await), (403, "not_paired"));
    // Somebody who looked over a shoulder has the code, and not the key.
    let (answer, _) = Device::of(&shop).await.redeem(right, "another").await;
    assert_eq!(code(&answer), (409, "pairing_over"));
    assert_eq!(phone.get("/api/state").await.status, 200);
    let (answer, _) = phone.redeem(right, "k").await;
    assert_eq!(code(&answer), (409, "pairing_over"), "it has come in by now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_paired_anew_is_one_device() {
    let shop = shop().await;
    let mut phone = paired(&shop, "Phone", "till").await;
    let before = phone.cookie.clone();
    let offer = offered(&shop.till, "Screen", "display").await;
    let (answer, _) = phone.redeem(offer["code"].as_str().unwrap(), "k").await;
    assert_eq!(answer.body, json!({"name": "Screen", "role": "display"}));
    let names: Vec<Value> = devices(&shop).await.iter().map(|device| device["name"].clone()).collect();
    assert_eq!(names, ["Screen"]);
    assert_eq!(code(&phone.get("/api/state").await), (403, "display_only"));
    phone.cookie = before;
    assert_eq!(code(&phone.get("/api/state").await), (403, "not_paired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_revoked_is_out_at_once() {
    let mut shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    let other = paired(&shop, "Other", "till").await;
    let (mut events, mut others) = (
        tablet.call(Method::GET, "/api/events", &[], None).await.bytes_stream(),
        other.call(Method::GET, "/api/events", &[], None).await.bytes_stream(),
    );
    assert!(events.next().await.unwrap().is_ok() && others.next().await.unwrap().is_ok());
    let id = devices(&shop).await[0]["id"].as_str().unwrap().to_owned();
    let revoked = shop.till.post(&format!("/api/paired/{id}/revoke"), &nothing(), &fresh_key()).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let ended = async { while let Some(Ok(_)) = events.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("its stream ends");
    assert_eq!(code(&tablet.get("/api/state").await), (403, "not_paired"));
    assert_eq!(other.get("/api/state").await.status, 200);
    other.post("/api/sales", &json!({"amount_minor": 1, "method": "cash"}), &fresh_key()).await;
    let heard =
        async { while !String::from_utf8_lossy(&others.next().await.unwrap().unwrap()).contains("event: sale") {} };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("the other one's goes on");
    let again = shop.till.post(&format!("/api/paired/{id}/revoke"), &nothing(), &fresh_key()).await;
    assert_eq!(again.status, 200);

    drop((events, others));
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(other.again(&shop).await.get("/api/state").await.status, 200, "a restart forgets nobody");
    assert_eq!(
        code(&tablet.again(&shop).await.get("/api/state").await),
        (403, "not_paired"),
        "and lets nobody back in"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_pairing_are_for_the_till_itself() {
    let shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    for path in ["/api/peripherals", "/api/paired", "/api/peripherals/%73ettings", "/api/paired/code"] {
        assert_eq!(code(&tablet.get(path).await), (403, "loopback_only"), "{path}");
    }
    let settings = json!({"version": "", "changes": {}});
    for (path, body) in [
        ("/api/peripherals/settings", &settings),
        ("/api/peripherals/search", &nothing()),
        ("/api/peripherals/scanner/restart", &nothing()),
        ("/api/paired/code", &json!({"name": "x", "role": "till"})),
        ("/api/paired/code/cancel", &json!({"id": "x"})),
        ("/api/paired/x/revoke", &nothing()),
    ] {
        assert_eq!(code(&tablet.post(path, body, &fresh_key()).await), (403, "loopback_only"), "{path}");
    }
    let tested = tablet.post("/api/peripherals/printer/self-test", &nothing(), &fresh_key()).await;
    assert_eq!(tested.status, 200, "a cashier may look whether it prints: {}", tested.body);
    let pair = shop.till.post("/api/pair", &json!({"code": "x"}), &fresh_key()).await;
    assert_eq!(code(&pair), (404, "not_found"), "nobody is paired on this machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_looks_and_does_nothing() {
    let shop = shop().await;
    let display = paired(&shop, "Display", "display").await;
    let sale = json!({"amount_minor": 1250, "method": "cash"});
    assert_eq!(code(&display.post("/api/sales", &sale, &fresh_key()).await), (403, "display_only"));
    assert_eq!(code(&display.post("/api/drawer/open", &nothing(), &fresh_key()).await), (403, "display_only"));
    for path in ["/api/state", "/api/sales", "/api/books", "/api/receipts/last.txt", "/api/paired", "/api/nothing"] {
        assert_eq!(code(&display.get(path).await), (403, "display_only"), "{path}");
    }
    assert_eq!(display.get("/api/display").await.body["kind"], "idle");
    let home = display.call(Method::GET, "/", &[], None).await;
    assert_eq!((home.status(), &home.headers()["location"]), (StatusCode::SEE_OTHER, &"/display".parse().unwrap()));
    assert_eq!(display.call(Method::GET, "/display", &[], None).await.status(), 200);

    let mut events = display.call(Method::GET, "/api/events", &[], None).await.bytes_stream();
    shop.till.sell(sale).await;
    let mut heard = String::new();
    let paid = async {
        while !heard.contains("\"paid\"") {
            heard.push_str(&String::from_utf8_lossy(&events.next().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), paid).await.expect("it shows that the sale is paid");
    let others: Vec<&str> =
        heard.lines().filter(|line| line.starts_with("event: ") && *line != "event: display").collect();
    assert!(others.is_empty(), "it hears of nothing else: {others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_and_names_are_turned_away() {
    let shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    let host = tablet.base.trim_start_matches("https://").to_owned();
    let port = host.rsplit(':').next().unwrap();
    let (rebound, local) = (format!("till.evil.example:{port}"), format!("localhost:{port}"));
    let plain = format!("http://{host}");
    let body = json!({"amount_minor": 1, "method": "cash"});
    let (marked, keyed) = (("x-saoma-till", "1"), ("idempotency-key", "k"));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Method, Headers<'_>, u16, &str); 9] = [
        (Method::POST, &[marked, keyed, ("host", &rebound)], 403, "foreign_origin"),
        (Method::GET, &[("host", &rebound)], 403, "foreign_origin"),
        (Method::GET, &[("host", &local)], 403, "foreign_origin"),
        (Method::POST, &[marked, keyed, ("origin", "https://evil.example")], 403, "foreign_origin"),
        (Method::POST, &[marked, keyed, ("origin", &plain)], 403, "foreign_origin"),
        (Method::POST, &[marked, keyed, ("origin", "null")], 403, "foreign_origin"),
        (Method::GET, &[("sec-fetch-site", "cross-site")], 403, "foreign_origin"),
        (Method::POST, &[keyed], 403, "not_from_the_till"),
        (Method::POST, &[marked, keyed, ("content-type", "text/plain")], 415, "body_unreadable"),
    ];
    for (method, headers, status, expected) in cases {
        let answer = told(tablet.call(method.clone(), "/api/sales", headers, Some(&body)).await).await;
        assert_eq!(code(&answer), (status, expected), "{method} {headers:?}");
    }
    let own = [marked, keyed, ("origin", tablet.base.as_str())];
    assert_eq!(tablet.call(Method::POST, "/api/sales", &own, Some(&body)).await.status(), 201);
    let redeem = json!({"code": "0000-0000"});
    let stranger = Device::of(&shop).await;
    let answer = told(stranger.call(Method::POST, "/api/pair", &[keyed], Some(&redeem)).await).await;
    assert_eq!(code(&answer), (403, "not_from_the_till"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_the_page_to_be_paired_by_and_little_of_it() {
    let shop = shop().await;
    let stranger = Device::of(&shop).await;
    for path in ["/", "/display"] {
        let answer = stranger.call(Method::GET, path, &[], None).await;
        assert_eq!(
            (answer.status(), &answer.headers()["location"]),
            (StatusCode::SEE_OTHER, &"/pair".parse().unwrap())
        );
    }
    let page = stranger.call(Method::GET, "/pair", &[], None).await;
    assert_eq!((page.status(), &page.headers()["x-frame-options"]), (StatusCode::OK, &"DENY".parse().unwrap()));
    for path in ["/index.html", "/display.html", "/assets/till.js", "/api/display", "/api/events", "/api/paired"] {
        assert_eq!(code(&stranger.get(path).await), (403, "not_paired"), "{path}");
    }
    let forged = Device { cookie: Some(format!("{COOKIE}{}", "A".repeat(43))), ..Device::of(&shop).await };
    assert_eq!(code(&forged.get("/api/state").await), (403, "not_paired"));
    let mut answers = Vec::new();
    for _ in 0..60 {
        answers.push(forged.get("/api/state").await.status.as_u16());
    }
    assert_eq!(answers.last(), Some(&429), "after sixty in a minute: {answers:?}");
}

/// From another address of this machine.
async fn connected(address: &str, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(address.parse().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_strangers_leaves_the_till_and_its_devices_served() {
    let shop = shop().await;
    let tablet = paired(&shop, "Tablet", "till").await;
    let address = tablet.base.trim_start_matches("https://").to_owned();
    // Each is silent until it is closed, and comes again at once.
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let address = address.clone();
        crowd.spawn(async move {
            loop {
                if let Ok(mut stream) = connected(&address, [127, 0, 0, 2]).await {
                    let _ = stream.read(&mut [0]).await;
                }
            }
        });
    }
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    let served = async {
        for _ in 0..20 {
            // Each time by a connection of its own.
            let tablet = Device { cookie: tablet.cookie.clone(), ..Device::of(&shop).await };
            assert_eq!(tablet.get("/api/state").await.status, 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), served).await.expect("a device is served in time");
    crowd.shutdown().await;
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 1);

    // TLS, and then silence: the seventeenth connection of one address is closed before its own begins.
    let pem = fs::read(shop.folder.path().join(PEM)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(tls));
    let begun = async || {
        let stream = connected(&address, [127, 0, 0, 3]).await?;
        tls.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await
    };
    until("one connection too many to be cut", async || {
        let mut streams = Vec::new();
        for _ in 0..16 {
            streams.push(begun().await.ok()?);
        }
        begun().await.is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_without_tls() {
    let shop = shop().await;
    let address = Device::of(&shop).await.base.trim_start_matches("https://").to_owned();
    let mut plain = TcpStream::connect(&address).await.unwrap();
    plain.write_all(format!("GET /pair HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good an end.
    let _ = tokio::time::timeout(Duration::from_secs(10), plain.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

/// Ends with the test, also with one that fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
    command
        .env("SAOMA_EDGE_DATA_DIR", folder)
        .env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0")
        .env("SAOMA_EDGE_PAIRED__LISTEN", listen)
        .env("SAOMA_EDGE_TELEMETRY__LOG", "debug");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_name_the_device_and_no_secret_and_a_doctor_knows_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = folder.path().join("log");
    saoma_edge::link::tls::install_provider();
    enrolled(&data);
    let mut command = program(&data, "127.0.0.1:0");
    command.arg("run").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap());
    let mut agent = Program(command.spawn().unwrap());
    let ready = BufReader::new(agent.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let till = Till::at(ready["till"].as_str().unwrap().trim_end_matches('/').to_owned());
    let offer = offered(&till, "平板 1", "till").await;
    let (_, whole) = offer["url"].as_str().unwrap().split_once('#').unwrap();
    let mut tablet = Device::at(&till, &data).await;
    let (_, cookie) = tablet.redeem(whole, "k").await;
    // What anybody can ask as often as they like is no line of a log that is not looked at so closely.
    till.post("/api/paired/code/cancel", &json!({"id": offer["id"]}), &fresh_key()).await;
    let mut stranger = Device::at(&till, &data).await;
    for _ in 0..3 {
        stranger.redeem("0000-0000", &fresh_key()).await;
        stranger.get("/api/state").await;
    }
    let sold = tablet.post("/api/sales", &json!({"amount_minor": 1250, "method": "cash"}), &fresh_key()).await;
    assert_eq!(sold.status, 201, "{}", sold.body);

    let listen = tablet.base.trim_start_matches("https://").to_owned();
    let examined = tokio::task::spawn_blocking({
        let (data, listen) = (data.clone(), listen.clone());
        move || program(&data, &listen).args(["doctor", "--json"]).output().unwrap()
    });
    let examined: Value = serde_json::from_slice(&examined.await.unwrap().stdout).unwrap();
    let found = |check: &str| {
        let findings = examined["findings"].as_array().unwrap().iter().find(|one| one["check"] == check).cloned();
        findings.unwrap_or_else(|| panic!("no {check} in {examined}"))
    };
    for (check, words) in [
        ("paired_certificate", "729 days more"),
        ("paired_door", "takes connections"),
        ("paired_devices", "1 of 16 devices may come in: 平板 1"),
    ] {
        let finding = found(check);
        assert_eq!(finding["verdict"], "ok", "{finding}");
        assert!(finding["found"].as_str().unwrap().contains(words), "{finding}");
    }

    let of_the_sale = |line: &&str| line.contains("\"answered\"") && line.contains("\"/api/sales\"");
    let text = until("the sale's line in the log", async || {
        let text = fs::read_to_string(&log).unwrap();
        text.lines().any(|line| of_the_sale(&line)).then_some(text)
    })
    .await;
    let line = text.lines().find(of_the_sale).unwrap();
    assert!(line.contains("\"device\":\"平板 1\""), "{line}");
    let of_strangers: Vec<&str> = text
        .lines()
        .filter(|line| {
            ["turned away", "\"a device was not paired\"", "\"status\":409"].iter().any(|part| line.contains(part))
        })
        .collect();
    assert!(of_strangers.len() >= 9, "{of_strangers:?}");
    assert!(of_strangers.iter().all(|line| line.contains("\"level\":\"DEBUG\"")), "{of_strangers:?}");
    let cookie = cookie.unwrap();
    let token = cookie.split(';').next().unwrap().strip_prefix(COOKIE).unwrap();
    for secret in [token, whole, offer["code"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{}", text.lines().find(|line| line.contains(secret)).unwrap());
    }
}
