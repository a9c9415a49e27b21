//! An acquirer from outside: a terminal with messages, MACs and PIN blocks of its own making.

use std::time::Duration;

use des::{
    TdesEde3,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};
use saoma_schemes::acquirer::{self, Config, MASTER_KEY, MERCHANT, Running, TERMINAL};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::door::at_door;

const CARD: &str = "4012345678909";

/// Fields as they stand on the wire, in hex, by number.
type Fields = Vec<(u8, String)>;

fn tdes(key: &[u8]) -> TdesEde3 {
    let mut whole = [0; 24];
    whole.iter_mut().zip(key.iter().cycle()).for_each(|(to, from)| *to = *from);
    TdesEde3::new(&whole.into())
}

fn sealed(key: &[u8], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    tdes(key).encrypt_block(&mut block);
    block.into()
}

fn opened(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.as_chunks::<8>().0;
    let open = |block: &[u8; 8]| {
        let mut block = (*block).into();
        tdes(key).decrypt_block(&mut block);
        <[u8; 8]>::from(block)
    };
    blocks.iter().flat_map(open).collect()
}

fn xored(a: &[u8], b: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| a.get(at).unwrap_or(&0) ^ b.get(at).unwrap_or(&0))
}

/// UnionPay's ECB.
fn mac(key: &[u8], covered: &[u8]) -> Vec<u8> {
    let sum = hex::encode_upper(covered.chunks(8).fold([0; 8], |sum, block| xored(&sum, block)));
    let first = sealed(key, xored(&sum.as_bytes()[..8], &[]));
    let second = sealed(key, xored(&first, &sum.as_bytes()[8..]));
    hex::encode_upper(second).into_bytes()[..8].to_vec()
}

/// ISO 9564-1 format 0.
fn pin_block(key: &[u8], pin: &str) -> String {
    let pin = hex::decode(format!("0{}{pin:F<14}", pin.len())).unwrap();
    let account = hex::decode(format!("0000{}", &CARD[..12])).unwrap();
    hex::encode(sealed(key, xored(&pin, &account)))
}

fn text(text: &str) -> String {
    hex::encode(text)
}

/// With its length in front, packed, a zero behind an odd number.
fn packed(text: &str, length_digits: usize) -> String {
    let pad = if text.len() % 2 == 1 { "0" } else { "" };
    format!("{:0length_digits$}{text}{pad}", text.len())
}

struct Terminal {
    running: Running,
    client: reqwest::Client,
    pins: Vec<u8>,
    macs: Vec<u8>,
    batch: u32,
}

impl Terminal {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = acquirer::start("127.0.0.1:0".parse().unwrap(), Config::default()).unwrap();
        Self { running, client: reqwest::Client::new(), pins: vec![0; 16], macs: vec![0; 8], batch: 1 }
    }

    async fn signed_on() -> Self {
        let mut terminal = Self::open().await;
        terminal.sign_on().await;
        terminal
    }

    async fn sign_on(&mut self) {
        let answer = self.ask("0800", vec![(11, "000001".into()), (60, packed("00000001003", 4))]).await;
        assert_eq!((answer.code(), answer.kind.as_str()), ("00", "0810"));
        self.batch = answer.field(60)[2..8].parse().unwrap();
        let keys = hex::decode(answer.field(62)).unwrap();
        assert_eq!((keys.len(), &keys[28..36]), (40, &[0; 8][..]));
        let master = hex::decode(MASTER_KEY).unwrap();
        (self.pins, self.macs) = (opened(&master, &keys[..16]), opened(&master, &keys[20..28]));
        for (key, value) in [(&self.pins, &keys[16..20]), (&self.macs, &keys[36..])] {
            assert_eq!(&sealed(key, [0; 8])[..4], value);
        }
    }

    fn message(&self, kind: &str, mut fields: Fields) -> Vec<u8> {
        fields.extend([(41, text(TERMINAL)), (42, text(MERCHANT))]);
        fields.sort();
        let with_mac = matches!(kind, "0200" | "0220" | "0400" | "0500" | "0320");
        let bitmap = fields.iter().fold(u64::from(with_mac), |map, (field, _)| map | 1 << (64 - field));
        let body: String = fields.into_iter().map(|(_, value)| value).collect();
        let mut bytes = hex::decode(format!("6000060000603100311003{kind}{bitmap:016x}{body}")).unwrap();
        if with_mac {
            bytes.extend(mac(&self.macs, &bytes[11..]));
        }
        bytes
    }

    async fn send(&self, message: &[u8]) -> TcpStream {
        let address = self.running.base_url.strip_prefix("tcp://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).await.unwrap();
        stream.write_all(message).await.unwrap();
        stream
    }

    async fn ask(&self, kind: &str, fields: Fields) -> Answer {
        self.ask_as_is(&self.message(kind, fields)).await
    }

    async fn ask_as_is(&self, message: &[u8]) -> Answer {
        let mut stream = self.send(message).await;
        Answer::read(&frame(&mut stream).await.expect("an answer"), &self.macs)
    }

    /// A sale, typed in, with the right PIN.
    fn sale(&self, trace: u32, minor: u32) -> Fields {
        let mut fields = self.about_money("22", "000000", trace, minor);
        fields.extend([
            (22, "0110".into()),
            (26, "12".into()),
            (52, pin_block(&self.pins, "1234")),
            (53, "2600000000000000".into()),
            (62, format!("{:04}{}", 5, text(&format!("n-{trace:03}")))),
        ]);
        fields
    }

    fn about_money(&self, kind: &str, processing: &str, trace: u32, minor: u32) -> Fields {
        vec![
            (2, packed(CARD, 2)),
            (3, processing.into()),
            (4, format!("{minor:012}")),
            (11, format!("{trace:06}")),
            (14, "3012".into()),
            (25, "00".into()),
            (49, text("156")),
            (60, packed(&format!("{kind}{:06}000600", self.batch), 4)),
        ]
    }

    /// A void or refund of a sale in the first batch.
    fn about_sale(&self, kind: &str, trace: u32, minor: u32, sale: &Answer) -> Fields {
        let mut fields = self.about_money(kind, "200000", trace, minor);
        let origin = format!("000001{}{}", sale.field(11), sale.field(13));
        fields.extend([(22, "0120".into()), (37, sale.field(37).into()), (61, packed(&origin, 4))]);
        fields
    }

    fn reversal(&self, kind: &str, processing: &str, trace: u32, minor: u32) -> Fields {
        let mut fields = self.about_money(kind, processing, trace, minor);
        fields.extend([(22, "0110".into()), (39, text("98"))]);
        fields
    }

    async fn code(&self, kind: &str, fields: Fields) -> String {
        self.ask(kind, fields).await.code().to_owned()
    }

    async fn door(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        at_door(&self.client, &self.running.door, method, path, body).await
    }

    async fn books(&self, number: &str) -> (String, i64, i64) {
        let (_, order) = self.door("GET", &format!("/orders/{number}"), Value::Null).await;
        let number = |name: &str| order[name].as_i64().unwrap();
        (order["state"].as_str().unwrap().to_owned(), number("times_taken"), number("given_back_minor"))
    }
}

async fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await.ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

/// An answer's fields: digits as they are, other bytes in hex.
struct Answer {
    kind: String,
    fields: Vec<(u8, String)>,
    /// Whether there is a MAC, and it fits.
    mac: Option<bool>,
}

impl Answer {
    fn read(bytes: &[u8], macs: &[u8]) -> Self {
        let all = hex::encode(bytes);
        assert!(all.starts_with("6000000006603100311003"), "{all}");
        let bitmap = u64::from_str_radix(&all[26..42], 16).unwrap();
        let mut rest = &all[42..];
        let mut take = |digits: usize| {
            let (taken, after) = rest.split_at(digits);
            rest = after;
            taken.to_owned()
        };
        let mut fields = Vec::new();
        for field in (1..=64).filter(|field| bitmap >> (64 - field) & 1 == 1) {
            let value = match field {
                3 | 11 | 12 => take(6),
                4 => take(12),
                13 | 14 | 15 | 39 => take(4),
                25 => take(2),
                37 => take(24),
                38 => take(12),
                41 | 64 => take(16),
                42 => take(30),
                49 => take(6),
                2 | 32 => {
                    let len: usize = take(2).parse().unwrap();
                    take(len.next_multiple_of(2))[..len].to_owned()
                }
                44 => {
                    let len: usize = take(2).parse().unwrap();
                    take(len * 2)
                }
                48 | 60 => {
                    let len: usize = take(4).parse().unwrap();
                    take(len.next_multiple_of(2))[..len].to_owned()
                }
                62 | 63 => {
                    let len: usize = take(4).parse().unwrap();
                    take(len * 2)
                }
                other => panic!("field {other}"),
            };
            fields.push((field, value));
        }
        assert!(rest.is_empty(), "{rest}");
        let (covered, tag) = bytes.split_at(bytes.len() - 8);
        let mac = (bitmap & 1 == 1).then(|| mac(macs, &covered[11..]) == tag);
        let fields = fields
            .into_iter()
            .map(|(field, value)| {
                let is_text = matches!(field, 39 | 41 | 42 | 49);
                (field, if is_text { String::from_utf8(hex::decode(&value).unwrap()).unwrap() } else { value })
            })
            .collect();
        Self { kind: all[22..26].to_owned(), fields, mac }
    }

    fn field(&self, field: u8) -> &str {
        self.fields.iter().find(|(number, _)| *number == field).map_or("", |(_, value)| value)
    }

    fn code(&self) -> &str {
        self.field(39)
    }
}

#[tokio::test]
async fn a_terminal_signs_on_and_sells() {
    let mut terminal = Terminal::open().await;
    let echo = vec![(11, "000001".into()), (60, packed("00000001301", 4))];
    assert_eq!(terminal.code("0820", echo).await, "00");
    // Before it has keys there is no right MAC, and no answer with one.
    let early = terminal.ask("0200", terminal.sale(2, 1_250)).await;
    assert_eq!((early.code(), early.mac), ("A0", None));
    terminal.sign_on().await;
    let sold = terminal.ask("0200", terminal.sale(2, 1_250)).await;
    assert_eq!((sold.kind.as_str(), sold.code(), sold.mac), ("0210", "00", Some(true)));
    assert_eq!((sold.field(2), sold.field(4), sold.field(11)), (CARD, "000000001250", "000002"));
    // Once more, and another under its number.
    let again = terminal.ask("0200", terminal.sale(2, 1_250)).await;
    assert_eq!((again.code(), again.field(37)), ("00", sold.field(37)));
    assert_eq!(terminal.code("0200", terminal.sale(2, 1_251)).await, "94");
    for number in ["n-002", "000001-000002"] {
        assert_eq!(terminal.books(number).await, ("approved".to_owned(), 1, 0));
    }
}

#[tokio::test]
async fn what_is_wrong_has_its_code() {
    let terminal = Terminal::signed_on().await;
    type Spoil = fn(&Terminal, &mut Fields);
    fn put(fields: &mut Fields, field: u8, value: impl Into<String>) {
        fields.retain(|(number, _)| *number != field);
        fields.push((field, value.into()));
    }
    let rows: &[(Spoil, &str)] = &[
        (|terminal, fields| put(fields, 52, pin_block(&terminal.pins, "4321")), "55"),
        (|_, fields| put(fields, 52, "0011223344556677"), "99"),
        (|_, fields| fields.retain(|(number, _)| *number != 52), "30"),
        (|_, fields| put(fields, 2, packed("4012345678908", 2)), "14"),
        (|_, fields| put(fields, 14, "2001"), "54"),
        (|_, fields| put(fields, 4, "000000000000"), "13"),
        (|_, fields| put(fields, 4, "000005000001"), "61"),
        (|_, fields| put(fields, 49, text("840")), "30"),
        (|_, fields| put(fields, 22, "0510"), "30"),
        (|_, fields| put(fields, 3, "310000"), "12"),
        (|_, fields| put(fields, 60, packed("22000009000600", 4)), "77"),
    ];
    for (trace, (spoil, code)) in (10..).zip(rows) {
        let mut fields = terminal.sale(trace, 1_250);
        spoil(&terminal, &mut fields);
        let answer = terminal.ask("0200", fields).await;
        assert_eq!((answer.code(), answer.mac), (*code, Some(true)), "row {trace}");
    }
    let mut tampered = terminal.message("0200", terminal.sale(50, 1_250));
    // The amount's last byte.
    let at = tampered.windows(6).position(|window| window == [0, 0, 0, 0, 0x12, 0x50]).unwrap();
    tampered[at + 5] = 0x51;
    let answer = terminal.ask_as_is(&tampered).await;
    assert_eq!((answer.code(), answer.mac), ("A0", None));
    assert_eq!(terminal.door("GET", "/orders/n-050", Value::Null).await.0, 404);
    // What is no message at all has no answer.
    for message in [&tampered[..20], b"GET / HTTP/1.1\r\n\r\n", &[]] {
        assert_eq!(frame(&mut terminal.send(message).await).await, None);
    }
}

#[tokio::test]
async fn sales_are_reversed_voided_and_refunded() {
    let terminal = Terminal::signed_on().await;
    assert_eq!(terminal.code("0400", terminal.reversal("22", "000000", 2, 1_250)).await, "25");
    assert_eq!(terminal.code("0200", terminal.sale(2, 1_250)).await, "00");
    for _ in 0..2 {
        assert_eq!(terminal.code("0400", terminal.reversal("22", "000000", 2, 1_250)).await, "00");
    }
    assert_eq!(terminal.books("n-002").await, ("reversed".to_owned(), 1, 1_250));

    let sale = terminal.ask("0200", terminal.sale(3, 1_250)).await;
    assert_eq!(terminal.code("0200", terminal.about_sale("23", 4, 1_250, &sale)).await, "00");
    assert_eq!(terminal.code("0200", terminal.about_sale("23", 5, 1_250, &sale)).await, "12");
    assert_eq!(terminal.books("n-003").await, ("voided".to_owned(), 1, 1_250));
    assert_eq!(terminal.code("0400", terminal.reversal("23", "200000", 4, 1_250)).await, "00");
    assert_eq!(terminal.books("n-003").await, ("approved".to_owned(), 1, 0));
    for (trace, minor, code) in [(6, 500, "00"), (6, 500, "00"), (7, 751, "64"), (8, 750, "00")] {
        assert_eq!(terminal.code("0220", terminal.about_sale("25", trace, minor, &sale)).await, code, "{trace}");
    }
    assert_eq!(terminal.books("n-003").await, ("approved".to_owned(), 1, 1_250));
}

#[tokio::test]
async fn what_was_sold_without_the_acquirer_is_told_once() {
    let mut terminal = Terminal::signed_on().await;
    let advice = |terminal: &Terminal, trace: u32, clock: &str| {
        let mut fields = terminal.about_money("30", "000000", trace, 1_250);
        let number = format!("{:04}{}", 5, text(&format!("n-{trace:03}")));
        fields.extend([(12, clock.into()), (13, "1126".into()), (22, "0120".into()), (62, number)]);
        fields
    };
    let first = terminal.ask("0220", advice(&terminal, 2, "105958")).await;
    assert_eq!((first.code(), first.kind.as_str(), first.mac), ("00", "0230", Some(true)));
    let again = terminal.ask("0220", advice(&terminal, 2, "105958")).await;
    assert_eq!((again.field(37), again.code()), (first.field(37), "00"));
    assert_eq!(terminal.books("n-002").await, ("approved".to_owned(), 1, 0));
    // Another time is another sale, and none is told without one, or with a PIN.
    assert_eq!(terminal.code("0220", advice(&terminal, 2, "105959")).await, "94");
    let without: Fields = advice(&terminal, 3, "105958").into_iter().filter(|(field, _)| *field != 12).collect();
    assert_eq!(terminal.code("0220", without).await, "30");
    let mut with_pin = advice(&terminal, 4, "105958");
    with_pin.extend([(26, "12".into()), (52, pin_block(&terminal.pins, "1234")), (53, "2600000000000000".into())]);
    assert_eq!(terminal.code("0220", with_pin).await, "30");
    assert_eq!(terminal.code("0400", terminal.reversal("22", "000000", 2, 1_250)).await, "12");
    // Refused for good, and the next time too.
    let (status, _) = terminal.door("POST", "/next", json!({ "act": "forward", "fault": "declined" })).await;
    assert_eq!(status, 204);
    for _ in 0..2 {
        assert_eq!(terminal.code("0220", advice(&terminal, 5, "105958")).await, "05");
    }
    // The batch counts the one that was taken, and is then closed: a repeat is answered all the same, and a new one is not taken.
    let totals = format!("{}{:0<16}{:0<31}", "000000001250001", "", "");
    let settle =
        vec![(11, "000008".to_owned()), (48, packed(&totals, 4)), (49, text("156")), (60, packed("00000001201", 4))];
    let answer = terminal.ask("0500", settle).await;
    assert_eq!((answer.code(), &answer.field(48)[30..31]), ("00", "1"));
    terminal.sign_on().await;
    let old = |fields: Fields| -> Fields {
        let of = packed("30000001000600", 4);
        fields.into_iter().map(|(field, value)| (field, if field == 60 { of.clone() } else { value })).collect()
    };
    assert_eq!(terminal.code("0220", old(advice(&terminal, 2, "105958"))).await, "00");
    assert_eq!(terminal.code("0220", old(advice(&terminal, 9, "105958"))).await, "77");
}

#[tokio::test]
async fn a_batch_ends_when_both_sides_agree() {
    let mut terminal = Terminal::signed_on().await;
    for trace in [2, 3] {
        assert_eq!(terminal.code("0200", terminal.sale(trace, 500)).await, "00");
    }
    let settle = |batch: u32, trace: &str, debit: &str| {
        let totals = format!("{debit}{:0<16}{:0<31}", "", "");
        let of = packed(&format!("00{batch:06}201"), 4);
        vec![(11, trace.to_owned()), (48, packed(&totals, 4)), (49, text("156")), (60, of)]
    };
    let upload = |trace: &str, network: &str, rows: &str| {
        vec![(11, trace.to_owned()), (48, packed(rows, 4)), (60, packed(&format!("00000001{network}"), 4))]
    };
    let row = |trace: u32| format!("00{trace:06}{CARD:0<20}{:012}", 500);
    let both = format!("02{}{}", row(2), row(3));
    // Nobody asked for rows.
    assert_eq!(terminal.code("0320", upload("000007", "201", &both)).await, "12");
    let answer = terminal.ask("0500", settle(1, "000008", "000000000500001")).await;
    assert_eq!((answer.code(), &answer.field(48)[30..31], answer.mac), ("00", "2", Some(true)));
    // A repeat is not counted twice, and the trace number is nobody else's.
    for _ in 0..2 {
        assert_eq!(terminal.code("0320", upload("000009", "201", &both)).await, "00");
    }
    assert_eq!(terminal.code("0320", upload("000009", "201", &format!("01{}", row(2)))).await, "94");
    assert_eq!(terminal.code("0320", upload("000010", "207", "0003")).await, "30");
    for _ in 0..2 {
        assert_eq!(terminal.code("0320", upload("000011", "207", "0002")).await, "00");
    }
    // The batch is over: the terminal signs on, and hears the new one.
    assert_eq!(terminal.code("0200", terminal.sale(12, 500)).await, "77");
    assert_eq!(terminal.code("0500", settle(1, "000013", "000000001000002")).await, "77");
    terminal.sign_on().await;
    assert_eq!((terminal.batch, terminal.code("0200", terminal.sale(12, 500)).await), (2, "00".to_owned()));
    for _ in 0..2 {
        let answer = terminal.ask("0500", settle(2, "000014", "000000000500001")).await;
        assert_eq!((answer.code(), &answer.field(48)[30..31]), ("00", "1"));
    }
    terminal.sign_on().await;
    assert_eq!(terminal.batch, 3);
    let (_, batches) = terminal.door("GET", "/batches", Value::Null).await;
    let seen = |idx: usize, field: &str| batches[idx][field].clone();
    assert_eq!(batches.as_array().map(Vec::len), Some(2), "{batches}");
    assert_eq!((seen(0, "balanced"), seen(0, "uploaded"), seen(0, "missing")), (json!(false), json!(2), json!(0)));
    assert_eq!(
        (seen(1, "balanced"), seen(1, "debit_minor"), seen(1, "debit_count")),
        (json!(true), json!(500), json!(1))
    );
}

#[tokio::test]
async fn a_batch_is_refused_and_spoiled_as_it_is_told() {
    let mut terminal = Terminal::signed_on().await;
    assert_eq!(terminal.code("0200", terminal.sale(2, 500)).await, "00");
    let arm = async |terminal: &Terminal, act: &str, fault: &str| {
        terminal.door("POST", "/next", json!({ "act": act, "fault": fault })).await.0
    };
    for (act, fault) in [("charge", "out-of-balance"), ("upload", "wrong-amount"), ("settle", "insufficient-funds")] {
        assert_eq!(arm(&terminal, act, fault).await, 409, "{act} {fault}");
    }
    let settle = |trace: u32| {
        let totals = format!("000000000500001{:0<16}{:0<31}", "", "");
        let of = packed("00000001201", 4);
        vec![(11, format!("{trace:06}")), (48, packed(&totals, 4)), (49, text("156")), (60, of)]
    };
    for (trace, fault, code, flag, mac) in [
        (10, "declined", "05", "", Some(true)),
        (11, "sign-on", "77", "", Some(true)),
        (12, "out-of-balance", "00", "2", Some(true)),
        (13, "forged", "00", "1", Some(false)),
    ] {
        assert_eq!(arm(&terminal, "settle", fault).await, 204);
        let answer = terminal.ask("0500", settle(trace)).await;
        assert_eq!((answer.code(), answer.mac), (code, mac), "{fault}");
        if !flag.is_empty() {
            assert_eq!(&answer.field(48)[30..31], flag, "{fault}");
        }
        if fault == "sign-on" {
            terminal.sign_on().await;
        }
    }
    // The answer was spoiled; what it answered is done, and is done once.
    assert_eq!(arm(&terminal, "settle", "wrong-amount").await, 204);
    let answer = terminal.ask("0500", settle(13)).await;
    assert_eq!(&answer.field(48)[..12], "000000000501");
    let mut bare = terminal.message("0500", settle(13));
    let end = bare.len() - 1;
    bare[end] ^= 1;
    assert_eq!(terminal.ask_as_is(&bare).await.code(), "A0");
    let (_, batches) = terminal.door("GET", "/batches", Value::Null).await;
    assert_eq!(batches.as_array().map(Vec::len), Some(1), "{batches}");
}

#[tokio::test]
async fn faults_are_played_on_the_wire() {
    let mut terminal = Terminal::signed_on().await;
    let arm = async |terminal: &Terminal, act: &str, fault: &str| {
        terminal.door("POST", "/next", json!({ "act": act, "fault": fault })).await.0
    };
    for (act, fault) in
        [("charge", "pending"), ("charge", "strange-state"), ("other", "forged"), ("cancel", "declined")]
    {
        assert_eq!(arm(&terminal, act, fault).await, 409, "{act} {fault}");
    }
    for (trace, fault, code, mac) in [
        (2, "forged", "00", Some(false)),
        (3, "unsigned", "00", None),
        (4, "busy", "96", Some(true)),
        (5, "strange-error", "ZZ", Some(true)),
        (6, "insufficient-funds", "51", Some(true)),
        (7, "wrong-amount", "00", Some(true)),
        (8, "wrong-number", "00", Some(true)),
    ] {
        assert_eq!(arm(&terminal, "charge", fault).await, 204);
        let answer = terminal.ask("0200", terminal.sale(trace, 500)).await;
        assert_eq!((answer.code(), answer.mac), (code, mac), "{fault}");
        let expected = (if fault == "wrong-amount" { "000000000501" } else { "000000000500" }, fault == "wrong-number");
        assert_eq!((answer.field(4), answer.field(11) != format!("{trace:06}")), expected, "{fault}");
    }
    for (trace, fault, taken) in [(10, "unheard", false), (11, "cut", true), (12, "html", true), (13, "empty", true)] {
        assert_eq!(arm(&terminal, "charge", fault).await, 204);
        let mut stream = terminal.send(&terminal.message("0200", terminal.sale(trace, 500))).await;
        assert!(frame(&mut stream).await.is_none_or(|message| message.is_empty()), "{fault}");
        let found = terminal.door("GET", &format!("/orders/n-{trace:03}"), Value::Null).await.0;
        assert_eq!(found == 200, taken, "{fault}");
    }
    assert_eq!(arm(&terminal, "charge", "silent").await, 204);
    let mut stream = terminal.send(&terminal.message("0200", terminal.sale(14, 500))).await;
    assert!(timeout(Duration::from_millis(300), frame(&mut stream)).await.is_err());
    assert_eq!(terminal.books("n-014").await, ("approved".to_owned(), 1, 0));
    assert_eq!(arm(&terminal, "charge", "twice").await, 204);
    let mut stream = terminal.send(&terminal.message("0200", terminal.sale(15, 500))).await;
    let answers = (frame(&mut stream).await, frame(&mut stream).await);
    assert!(answers.0.is_some() && answers.0 == answers.1);
    // Refused under a MAC, and then there are no keys; lost at once.
    assert_eq!(arm(&terminal, "charge", "sign-on").await, 204);
    let asked = terminal.ask("0200", terminal.sale(16, 500)).await;
    let without = terminal.ask("0200", terminal.sale(16, 500)).await;
    assert_eq!(((asked.code(), asked.mac), (without.code(), without.mac)), (("77", Some(true)), ("A0", None)));
    terminal.sign_on().await;
    assert_eq!(arm(&terminal, "charge", "key-lost").await, 204);
    assert_eq!(terminal.code("0200", terminal.sale(16, 500)).await, "A0");
    assert_eq!(terminal.door("GET", "/orders/n-016", Value::Null).await.0, 404);
}
