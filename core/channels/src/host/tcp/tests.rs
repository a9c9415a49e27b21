//! Against a far side on a socket: what goes out byte for byte, and what comes back.

use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{
    bindings::{
        keys::{Host as _, KeyUse},
        tcp::{CardField, CardValue, Digits, MacAlgorithm, MessageMac, PinBlock, PinFormat},
    },
    card::tests::{card, manifest, secrets},
    host::{
        HostConfig,
        http::{Network, Reach},
        tests::call_of,
    },
    ports::{Chance, NoChance},
};

/// What the far side does with the connections that it takes, one after the other.
#[derive(Clone)]
enum Turn {
    /// These bytes, as they are, and then it waits for the other side to close.
    Says(Vec<u8>),
    /// The same, but later.
    SaysAfter(Duration, Vec<u8>),
    /// The same, and then it closes.
    SaysAndCloses(Vec<u8>),
    Silent,
}

struct FarSide {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FarSide {
    async fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&heard);
        tokio::spawn(async move {
            for turn in turns {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, turn, Arc::clone(&list)));
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).iter().map(hex::encode_upper).collect()
    }
}

async fn serve(mut stream: TcpStream, turn: Turn, heard: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut request = vec![0; 2_048];
    let n = stream.read(&mut request).await.unwrap_or_default();
    request.truncate(n);
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match turn {
        Turn::Says(bytes) => drop(stream.write_all(&bytes).await),
        Turn::SaysAfter(wait, bytes) => {
            tokio::time::sleep(wait).await;
            drop(stream.write_all(&bytes).await);
        }
        Turn::SaysAndCloses(bytes) => return drop(stream.write_all(&bytes).await),
        Turn::Silent => {}
    }
    let _ = stream.read(&mut [0; 64]).await;
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hex")
}

/// A call about the card of the tests, with the far side in its reach, and a PIN and a MAC key in their slots.
async fn call_to(port: u16) -> CallState {
    let open = OpenCard::of(&card(), &manifest(), &secrets()).expect("opens");
    let held = secrets().with("master", "11223344556677889900AABBCCDDEEFF");
    let mut call = call_of(manifest(), held, Some(open));
    let settings = json!({ "base_url": format!("tcp://127.0.0.1:{port}") });
    let given = call.given_mut().expect("given");
    given.known_mut().deadline = Instant::now() + Duration::from_secs(60);
    given.known_mut().reach = Reach::of(&manifest(), settings.as_object().expect("an object"));
    for (slot, usage, sealed, check) in [
        ("pin", KeyUse::Pin, "B4DCD42525D1AA0BA81E19DF8217886F", "C3F11D73"),
        ("mac", KeyUse::Mac, "FC0FE250F9250C81", "0547DB3E"),
    ] {
        let loaded = call.load(slot.to_owned(), usage, "master".to_owned(), bytes(sealed), bytes(check)).await;
        loaded.expect("no trap").expect("a key");
    }
    call
}

fn request(port: u16, message: &str) -> Request {
    Request {
        url: format!("tcp://127.0.0.1:{port}"),
        message: bytes(message),
        length: LengthHeader::Binary,
        card_fields: Vec::new(),
        mac: None,
        client_certificate: None,
        server_certificates: None,
        timeout_ms: 20_000,
    }
}

async fn exchange(call: &mut CallState, request: Request) -> Result<Answer, Error> {
    call.exchange(request).await.expect("no trap")
}

fn field(at: u32, value: CardValue) -> CardField {
    CardField { at, value }
}

fn pin_block(key: &str, format: PinFormat) -> CardValue {
    CardValue::PinBlock(PinBlock { key: key.to_owned(), format })
}

fn mac() -> Option<MessageMac> {
    Some(MessageMac { key: "mac".to_owned(), algorithm: MacAlgorithm::UnionpayEcb, begins_at: 2 })
}

/// The PIN block and the MACs were made by `pycryptodome` from the card's clear data.
#[tokio::test]
async fn the_card_goes_out_and_does_not_come_back() {
    let answer = bytes(concat!(
        "0024",
        "6001",
        "0210",
        "13",
        "40123456789090",
        "4012345678909D25122010000012345F",
        "3036363045343235"
    ));
    let far_side = FarSide::start(vec![Turn::Says(answer.clone()), Turn::Says(answer)]).await;
    let mut call = call_to(far_side.port).await;
    // Header, type, number of 13 digits, expiry, track 2 of 31, PIN block, MAC.
    let places =
        ["6001", "0200", "13", "00000000000000", "0000", "31", &"00".repeat(16), &"00".repeat(8), &"00".repeat(8)];
    let mut sale = request(far_side.port, &places.concat());
    sale.card_fields = vec![
        field(5, CardValue::Number(Digits::Packed)),
        field(12, CardValue::Expiry(Digits::Packed)),
        field(15, CardValue::Track2(Digits::PackedF)),
        field(31, pin_block("pin", PinFormat::Iso0)),
    ];
    sale.mac = mac();
    let got = exchange(&mut call, sale.clone()).await.expect("an answer");
    let sent = concat!(
        "002F",
        "6001",
        "0200",
        "13",
        "40123456789090",
        "2512",
        "31",
        "4012345678909D25122010000012345F",
        "6B5634EE70D8C83F",
        "3542314532324445"
    );
    assert_eq!(far_side.heard(), [sent]);
    assert!(got.mac_fits);
    let shown = hex::encode_upper(&got.message);
    let masked = concat!("6001", "0210", "13", "40123400089090", "4012340008909D00000000000000000F");
    assert!(shown.starts_with(masked), "{shown}");
    // Under another key the answer's MAC is none.
    sale.mac = Some(MessageMac { begins_at: 3, ..mac().expect("a MAC") });
    assert!(!exchange(&mut call, sale).await.expect("an answer").mac_fits);
}

/// Fills with the same byte, so that a block of format 4 is known beforehand.
struct Same;

impl Chance for Same {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoChance> {
        bytes.fill(0x5a);
        Ok(())
    }
}

/// The block is by the AES and the fields of `psec` 1.3.0, which opens it again.
#[tokio::test]
async fn a_pin_goes_out_in_format_4_under_aes() {
    let far_side = FarSide::start(vec![Turn::Says(bytes("00024F4B")), Turn::Says(bytes("00024F4B"))]).await;
    let mut call = call_to(far_side.port).await;
    let given = call.given_mut().expect("given");
    given.known_mut().account.secrets =
        given.account.secrets.clone().with("master-aes", "aes:00112233445566778899AABBCCDDEEFF");
    let (ports, config) = (&given.ports, HostConfig { allow_private_addresses: true, ..HostConfig::new("") });
    given.known_mut().ports = Arc::new(Ports {
        kv: Arc::clone(&ports.kv),
        keys: Arc::clone(&ports.keys),
        clock: Arc::clone(&ports.clock),
        chance: Arc::new(Same),
        network: Network::new(&config).expect("a network"),
    });
    let (sealed, check) = (bytes("C66789FFB92E7835A40F17AE2E729879"), bytes("EA173F5C1B"));
    let loaded = call.load("pin-aes".to_owned(), KeyUse::Pin, "master-aes".to_owned(), sealed, check).await;
    loaded.expect("no trap").expect("a key");
    let mut sale = request(far_side.port, &format!("52{}53", "00".repeat(16)));
    sale.card_fields = vec![field(1, pin_block("pin-aes", PinFormat::Iso4))];
    exchange(&mut call, sale.clone()).await.expect("an answer");
    assert_eq!(far_side.heard(), ["0012525854814AC761F0A5F3A06158552C58B953"]);
    // Neither format under a key of the other's cipher, nor a block that reaches beyond the message.
    for (wanted, at, why) in [
        (pin_block("pin-aes", PinFormat::Iso0), 1, "format 0 is sealed under a key of TDES"),
        (pin_block("pin", PinFormat::Iso4), 1, "format 4 under one of AES"),
        (pin_block("pin-aes", PinFormat::Iso4), 3, "a card field of 16 bytes at 3"),
    ] {
        sale.card_fields = vec![field(at, wanted)];
        let error = exchange(&mut call, sale.clone()).await.expect_err("not sent");
        assert!(said(&error).contains(why), "{}", said(&error));
    }
    assert_eq!(far_side.heard().len(), 1);
}

#[tokio::test]
async fn how_far_a_message_got_is_told_exactly() {
    let late = [bytes("0003"), b"one".to_vec()].concat();
    let twice = [bytes("0003"), b"two".to_vec(), bytes("0003"), b"two".to_vec()].concat();
    let turns = vec![
        Turn::SaysAfter(Duration::from_secs(3), late),
        Turn::Says(twice),
        Turn::Says([bytes("0005"), b"three".to_vec()].concat()),
        Turn::SaysAndCloses(Vec::new()),
        Turn::SaysAndCloses(bytes("0009AABB")),
        Turn::Says(bytes("0000")),
        Turn::Silent,
    ];
    let far_side = FarSide::start(turns).await;
    let mut call = call_to(far_side.port).await;
    let told = async |call: &mut CallState, timeout_ms| match exchange(
        call,
        Request { timeout_ms, ..request(far_side.port, "AA") },
    )
    .await
    {
        Ok(answer) => String::from_utf8(answer.message).expect("text"),
        Err(error) => word(&error).to_owned(),
    };
    assert!(!call.has_unanswered());
    assert_eq!(told(&mut call, 1_500).await, "timed_out");
    assert!(call.has_unanswered());
    // The late answer to the first and the second answer to this one are nobody's.
    assert_eq!(told(&mut call, 20_000).await, "two");
    assert_eq!(told(&mut call, 20_000).await, "three");
    for (timeout_ms, end) in [(20_000, "broken"), (20_000, "broken"), (20_000, "broken"), (1_500, "timed_out")] {
        assert_eq!(told(&mut call, timeout_ms).await, end);
    }
}

#[tokio::test]
async fn what_is_not_sent_says_why() {
    let far_side = FarSide::start(vec![Turn::Silent]).await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("an address").port()
    };
    let port = far_side.port;
    type Spoil = Box<dyn Fn(&mut Request)>;
    let rows: Vec<(Spoil, &str, &str)> = vec![
        (Box::new(|r| r.url = "https://127.0.0.1:1".to_owned()), "invalid", "tls://host:port"),
        (Box::new(|r| r.url = "tcp://127.0.0.1".to_owned()), "invalid", "tls://host:port"),
        (Box::new(|r| r.url = "tcp://127.0.0.1:1".to_owned()), "forbidden", "not among the hosts"),
        (Box::new(move |r| r.url = format!("tls://127.0.0.1:{port}")), "forbidden", "not among the hosts"),
        (Box::new(|r| r.message.clear()), "invalid", "1 to 65533 bytes"),
        (Box::new(|r| r.message = vec![0; 65_534]), "invalid", "1 to 65533 bytes"),
        (
            Box::new(|r| {
                r.length = LengthHeader::Decimal;
                r.message = vec![0; 9_996];
            }),
            "invalid",
            "1 to 9995 bytes",
        ),
        (Box::new(|r| r.timeout_ms = 0), "invalid", "timeout"),
        (Box::new(|r| r.timeout_ms = 60_001), "invalid", "timeout"),
        (Box::new(|r| r.client_certificate = Some("nothing".to_owned())), "no_secret", "missing"),
        (Box::new(|r| r.card_fields = vec![field(14, CardValue::Number(Digits::Packed))]), "invalid", "not within"),
        (Box::new(|r| r.card_fields = vec![field(u32::MAX, CardValue::Number(Digits::Text))]), "invalid", "not within"),
        (Box::new(|r| r.card_fields = vec![field(0, CardValue::Expiry(Digits::Packed)); 2]), "invalid", "overlap"),
        (Box::new(|r| r.card_fields = vec![field(0, CardValue::Expiry(Digits::Packed)); 9]), "invalid", "more than 8"),
        (Box::new(|r| r.card_fields = vec![field(0, pin_block("nothing", PinFormat::Iso0))]), "no_key", "PIN key"),
        // A key does what it came for.
        (Box::new(|r| r.card_fields = vec![field(0, pin_block("mac", PinFormat::Iso0))]), "no_key", "PIN key"),
        (Box::new(|r| r.card_fields = vec![field(0, pin_block("pin", PinFormat::Iso4))]), "invalid", "format 4"),
        (
            Box::new(|r| r.mac = Some(MessageMac { key: "pin".to_owned(), ..mac().expect("a MAC") })),
            "no_key",
            "MAC key",
        ),
        (
            Box::new(|r| r.mac = Some(MessageMac { algorithm: MacAlgorithm::AesCmac, ..mac().expect("a MAC") })),
            "invalid",
            "cipher",
        ),
        (
            Box::new(|r| r.mac = Some(MessageMac { begins_at: 12, ..mac().expect("a MAC") })),
            "invalid",
            "nothing before",
        ),
    ];
    let mut call = call_to(port).await;
    for (idx, (spoil, end, why)) in rows.iter().enumerate() {
        let mut spoilt = request(port, &"00".repeat(20));
        spoil(&mut spoilt);
        call.given_mut().expect("given").requests = 0;
        let error = exchange(&mut call, spoilt).await.expect_err("not sent");
        let text = said(&error);
        assert!(word(&error) == *end && text.contains(why) && !text.contains("4012345678909"), "row {idx}: {text}");
    }
    assert!(far_side.heard().is_empty() && !call.has_asked());
    let mut call = call_to(nobody).await;
    assert_eq!(
        exchange(&mut call, request(nobody, "AA")).await.map_err(|error| word(&error)).map(drop),
        Err("unreachable")
    );
    assert!(call.has_asked() && !call.has_unanswered());
    // Without a card there is nothing to put in; and a call has an end.
    let given = call.given_mut().expect("given");
    (given.card, given.requests) = (None, 14);
    let mut about_none = request(nobody, &"00".repeat(20));
    about_none.card_fields = vec![field(0, CardValue::Number(Digits::Packed))];
    for end in ["no_card", "no_card", "forbidden"] {
        assert_eq!(exchange(&mut call, about_none.clone()).await.map_err(|error| word(&error)).map(drop), Err(end));
    }
}

/// Without leave for private addresses there is neither a plain connection nor one to this machine.
#[tokio::test]
async fn the_operator_decides_about_private_addresses() {
    let mut call = call_to(1).await;
    let given = call.given_mut().expect("given");
    let settings = json!({ "base_url": "tls://127.0.0.1:1" });
    let both = [Reach::of(&manifest(), settings.as_object().expect("an object")), given.reach.clone()];
    let config = HostConfig::new("");
    given.known_mut().ports = Arc::new(Ports {
        kv: Arc::clone(&given.ports.kv),
        keys: Arc::clone(&given.ports.keys),
        clock: Arc::clone(&given.ports.clock),
        chance: Arc::clone(&given.ports.chance),
        network: Network::new(&config).expect("a network"),
    });
    for (reach, (scheme, why)) in both.into_iter().zip([("tls", "not a public address"), ("tcp", "only TLS")]) {
        call.given_mut().expect("given").known_mut().reach = reach;
        let mut refused = request(1, "AA");
        refused.url = format!("{scheme}://127.0.0.1:1");
        let text = said(&exchange(&mut call, refused).await.expect_err("refused"));
        assert!(text.contains("forbidden") && text.contains(why), "{text}");
    }
}
