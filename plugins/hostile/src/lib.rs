//! The `hostile` channel: misbehaves as its setting `mode` says, in `create`, `charge`, `query` and `cancel`.
//!
//! For tests and the demo, which show that it burns its own time slice and nothing else. Every mode is something that a
//! careless or wicked plugin could do with the contract's own means.

use saoma_channel_sdk::{
    Account, BillPage, Cadence, Capability, Claim, Created, DigitClaim, Error, Guest, HostPattern, HttpMessage,
    KnownOrder, Manifest, Money, NotificationError, NotificationOutcome, Order, PaymentAnswer, PaymentStatus,
    RefundAnswer, RefundOrder, Request, SecretKind, SecretSpec, aes_gcm_open, card, envelope_open, hmac_hex, keys, kv,
    log, no_answer, not_sent, random, rsa_sign, rsa_verifies, rsa_verifies_with, settings,
    tcp::{CardValue, Digits, LengthHeader, MacAlgorithm, Message, PinBlock, PinFormat},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    mode: Mode,
    #[serde(default)]
    base_url: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Honest,
    Trap,
    Loop,
    Sleep,
    Memory,
    Recursion,
    HugeAnswer,
    LogFlood,
    LogsAndSleeps,
    ForbiddenHost,
    PrivateAddress,
    SecretProbe,
    KvFlood,
    KvCount,
    RandomFlood,
    WrongOrder,
    WrongAmount,
    WrongCurrency,
    DeniesSending,
    TellsCode,
    SecretsByText,
    SecretElsewhere,
    SecretEcho,
    WrongKind,
    Oversize,
    SignFlood,
    VerifyFlood,
    CardEcho,
    KeyProbe,
}

/// `describe` is asked before there are settings, so this text, altered in a copy of the component, is its mode: `quiet`,
/// `calls`, `traps` or `loops`.
static DESCRIBE_MODE: &str = "describe-mode:quiet";

pub struct Hostile;

impl Guest for Hostile {
    fn describe() -> Manifest {
        match std::hint::black_box(DESCRIBE_MODE) {
            "describe-mode:calls" => log::write(log::Level::Info, "I may not do this"),
            "describe-mode:traps" => trap(),
            "describe-mode:loops" => spin(),
            _ => {}
        }
        Manifest {
            id: "hostile".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Hostile (for tests)".to_owned(),
            currencies: vec!["CNY".to_owned()],
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Card,
            ],
            claims: vec![Claim::Digits(DigitClaim {
                prefix_from: "77".to_owned(),
                prefix_to: "77".to_owned(),
                length_min: 18,
                length_max: 18,
            })],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                spec(SIGNING_KEY, SecretKind::RsaPrivateKey),
                spec(TOKEN, SecretKind::Text),
                spec("seal-key", SecretKind::Aes256Key),
                spec("terminals", SecretKind::TerminalDataKey),
                spec("pins", SecretKind::TerminalPinKey),
                spec(MASTER, SecretKind::KeyEncryptionKey),
            ],
            hosts: vec![HostPattern::Setting("base_url".to_owned())],
            cadence: Cadence { call_timeout_ms: 1_000, query_interval_ms: 1_000, reverse_after_ms: 5_000 },
            bills: None,
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let mode = misbehave(&account)?;
        let honest = format!("https://hostile.invalid/{}", order.number);
        Ok(Created { code: if mode == Mode::HugeAnswer { "x".repeat(16 << 20) } else { honest } })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        match misbehave(&account)? {
            Mode::CardEcho => Err(echo_card(&account)?),
            Mode::TellsCode => Err(no_answer(format!("the code {code} is strange"))),
            mode => Ok(answer(mode, order.number, Some(order.amount))),
        }
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        Ok(answer(misbehave(&account)?, order.number, None))
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let mode = misbehave(&account)?;
        Ok(PaymentAnswer { status: PaymentStatus::Closed, ..answer(mode, order.number, None) })
    }

    fn refund(_: Account, _: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query_refund(_: Account, _: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn parse_notification(_: Account, _: HttpMessage) -> Result<NotificationOutcome, NotificationError> {
        Err(NotificationError::Malformed("this channel has no notifications".to_owned()))
    }

    fn fetch_bill(_: Account, _: String, _: Option<String>) -> Result<BillPage, Error> {
        Err(Error::Unsupported)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        misbehave(&account).map(|_| "it survived itself".to_owned())
    }
}

/// Does what the mode says. Returns if that was not the end, for lies to be told in the answer.
fn misbehave(account: &Account) -> Result<Mode, Error> {
    let Settings { mode, base_url } = settings(account)?;
    match mode {
        Mode::Trap => trap(),
        Mode::Loop => spin(),
        Mode::Sleep => sleep(),
        Mode::Memory => hoard(),
        Mode::Recursion => {
            log::write(log::Level::Info, &format!("came back from depth {}", descend(u64::MAX)));
        }
        Mode::LogFlood => flood_log(),
        Mode::LogsAndSleeps => {
            flood_log();
            sleep();
        }
        Mode::ForbiddenHost => return Err(visit("https://example.com/")),
        Mode::PrivateAddress => return Err(visit(&base_url)),
        Mode::SecretProbe => return Err(probe()),
        Mode::KvFlood => flood_store(),
        Mode::KvCount => return Err(count_on()),
        Mode::RandomFlood => drop(random::bytes(u32::MAX)),
        Mode::DeniesSending => {
            // Short of its own deadline by far, so that it lives to tell the lie.
            let _ = Request::new("GET", base_url, 300).send();
            return Err(not_sent("nothing left this machine"));
        }
        Mode::SecretsByText => return Err(by_text(&base_url)),
        Mode::SecretElsewhere => return Err(sent(token(Request::new("GET", "https://example.com/", 900)))),
        Mode::SecretEcho => return Err(sent(token(Request::new("GET", base_url, 900)))),
        Mode::WrongKind => return Err(wrong_kinds(&base_url)),
        Mode::Oversize => return Err(oversize()),
        Mode::SignFlood => return Err(flood(|| rsa_sign(SIGNING_KEY, b"again").map(drop))),
        Mode::VerifyFlood => {
            let key = random::bytes(1_024);
            return Err(flood(|| match rsa_verifies_with(&key, b"again", "") {
                Err(Error::NoAnswer(why)) if why.starts_with("the key") => Ok(()),
                other => other.map(drop),
            }));
        }
        Mode::KeyProbe => return Err(probe_keys(&base_url)),
        Mode::Honest
        | Mode::CardEcho
        | Mode::HugeAnswer
        | Mode::WrongOrder
        | Mode::WrongAmount
        | Mode::WrongCurrency
        | Mode::TellsCode => {}
    }
    Ok(mode)
}

fn answer(mode: Mode, number: String, amount: Option<Money>) -> PaymentAnswer {
    let mut answer = PaymentAnswer {
        status: PaymentStatus::Succeeded,
        number,
        amount,
        reference: "H1".to_owned(),
        paid_at: None,
        payer_hint: "nobody".to_owned(),
    };
    let cny = |minor| Some(Money { minor, currency: "CNY".to_owned() });
    match mode {
        Mode::WrongOrder => answer.number = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        Mode::WrongAmount => answer.amount = cny(answer.amount.map_or(1, |amount| amount.minor.saturating_add(1))),
        Mode::WrongCurrency => answer.amount = Some(Money { minor: 1, currency: "QQQ".to_owned() }),
        Mode::HugeAnswer => answer.reference = "x".repeat(16 << 20),
        _ => {}
    }
    answer
}

#[expect(clippy::panic, reason = "that is its purpose")]
fn trap() {
    panic!("hostile on purpose");
}

fn sleep() {
    std::thread::sleep(std::time::Duration::from_secs(3_600));
}

fn flood_log() {
    (0..10_000).for_each(|idx| log::write(log::Level::Error, &format!("line {idx} {}", "!".repeat(5_000))));
}

fn spin() {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn hoard() {
    let mut heap: Vec<Vec<u8>> = Vec::new();
    loop {
        heap.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// Not a tail call, so that every level keeps its frame.
fn descend(depth: u64) -> u64 {
    if std::hint::black_box(depth) == 0 { 0 } else { std::hint::black_box(descend(depth - 1)) + 1 }
}

fn visit(url: &str) -> Error {
    sent(Request::new("GET", url, 900))
}

fn sent(request: Request) -> Error {
    match request.send() {
        Ok(reply) => no_answer(format!("it got out: status {}", reply.status)),
        Err(error) => error,
    }
}

/// Looks for secrets that its manifest does not list, and for a way to tell which names exist.
fn probe() -> Error {
    for name in ["merchant-key", "", "../merchant-key", "MERCHANT-KEY", "master-key"] {
        let request = Request::new("GET", "https://hostile.invalid/", 900).secret_header("x-key", "", name);
        for used in [hmac_hex(name, b"probe"), rsa_sign(name, b"probe")] {
            match used {
                Ok(tag) => return no_answer(format!("it used the secret {name:?}: {tag}")),
                Err(Error::Misconfigured(why)) if why == format!("the secret {name:?} is missing") => {}
                Err(other) => return other,
            }
        }
        if request.send().is_ok() {
            return no_answer(format!("it sent the secret {name:?}"));
        }
    }
    not_sent("no secret was found")
}

const SIGNING_KEY: &str = "signing-key";
const TOKEN: &str = "api-token";

fn spec(name: &str, kind: SecretKind) -> SecretSpec {
    SecretSpec { name: name.to_owned(), kind, description: String::new() }
}

fn token(request: Request) -> Request {
    request.secret_header("authorization", "Bearer ", TOKEN)
}

/// Hopes that the host puts secrets in wherever their names stand: in an address, a header, a body, a line of the log.
fn by_text(base_url: &str) -> Error {
    let named = "{api-token} {{secret:api-token}} ${api-token} %{api-token}";
    log::write(log::Level::Info, named);
    sent(
        Request::new("POST", format!("{base_url}/?q={{api-token}}"), 900)
            .header("x-token", named)
            .body("text/plain", named),
    )
}

/// Uses every secret for what it is not.
fn wrong_kinds(base_url: &str) -> Error {
    let request = || Request::new("GET", base_url, 900);
    let tried = [
        hmac_hex(TOKEN, b"m").map(drop),
        hmac_hex(SIGNING_KEY, b"m").map(drop),
        rsa_sign(TOKEN, b"m").map(drop),
        rsa_verifies(SIGNING_KEY, None, b"m", "").map(drop),
        aes_gcm_open(TOKEN, &[0; 12], b"", "").map(drop),
        envelope_open(TOKEN, "", &[0; 16], b"", b"").map(drop),
        request().secret_header("x-key", "", SIGNING_KEY).send().map(drop),
        request().basic("me", SIGNING_KEY).send().map(drop),
        request().client_certificate(TOKEN).send().map(drop),
        request().server_certificates(SIGNING_KEY).send().map(drop),
    ];
    for (idx, outcome) in tried.into_iter().enumerate() {
        match outcome {
            Err(Error::Misconfigured(why)) if why.contains("of another kind") => {}
            other => return no_answer(format!("try {idx}: {other:?}")),
        }
    }
    not_sent("no secret was of use")
}

const MASTER: &str = "master";
const WORKING_KEY: &[u8; 16] = b"\xb4\xdc\xd4\x25\x25\xd1\xaa\x0b\xa8\x1e\x19\xdf\x82\x17\x88\x6f";

/// Has the card written into a message to somebody who sends it back, in every form, and tells what came of it.
fn echo_card(account: &Account) -> Result<Error, Error> {
    let Settings { base_url, .. } = settings(account)?;
    let Some(seen) = card::presented() else { return Ok(not_sent("no card was shown")) };
    let loaded = keys::load("pin", keys::KeyUse::Pin, MASTER, WORKING_KEY, b"\xc3\xf1\x1d\x73");
    let message = Message::new(base_url, LengthHeader::Binary, vec![0xee; 120], 900)
        .card(1, CardValue::Number(Digits::Packed))
        .card(21, CardValue::Number(Digits::Text))
        .card(51, CardValue::Track2(Digits::PackedF))
        .card(71, CardValue::Track2(Digits::Text))
        .card(112, CardValue::PinBlock(PinBlock { key: "pin".to_owned(), format: PinFormat::Iso0 }));
    let answer = message.exchange()?.map(|answer| saoma_channel_sdk::to_hex(&answer.message)).unwrap_or_default();
    let (number, code, loaded) = (seen.number_masked, seen.service_code, loaded.is_ok());
    Ok(no_answer(format!("{number} {code} {} {loaded} {answer}", seen.has_pin)))
}

/// Looks for keys that are not loaded, loads what does not open, and puts keys to another use.
fn probe_keys(base_url: &str) -> Error {
    let load = |usage, under, check: &[u8]| keys::load("stolen", usage, under, WORKING_KEY, check).is_ok();
    let tried = [
        load(keys::KeyUse::Pin, TOKEN, b"\xc3\xf1\x1d\x73"),
        load(keys::KeyUse::Pin, "terminals", b"\xc3\xf1\x1d\x73"),
        load(keys::KeyUse::Pin, "merchant-key", b"\xc3\xf1\x1d\x73"),
        load(keys::KeyUse::Mac, MASTER, b"\0\0\0"),
        load(keys::KeyUse::Mac, MASTER, b""),
    ];
    if let Some(idx) = tried.iter().position(|done| *done) {
        return no_answer(format!("try {idx} was done"));
    }
    let message = || Message::new(base_url, LengthHeader::Binary, vec![0; 40], 900);
    let sent = [
        message().mac("stolen", MacAlgorithm::Retail, 0).exchange(),
        message()
            .card(0, CardValue::PinBlock(PinBlock { key: "stolen".to_owned(), format: PinFormat::Iso0 }))
            .exchange(),
        message().card(0, CardValue::Number(Digits::Text)).exchange(),
    ];
    match sent.iter().position(|outcome| !matches!(outcome, Ok(None) | Err(Error::NotSent(_)))) {
        Some(idx) => no_answer(format!("message {idx} went out")),
        None => not_sent("no key was found"),
    }
}

fn oversize() -> Error {
    let large = vec![0; (1 << 20) + 1];
    let tried = [
        hmac_hex("signing-key", &large).map(drop),
        rsa_sign(SIGNING_KEY, &large).map(drop),
        rsa_verifies_with(&large, b"m", "").map(drop),
        aes_gcm_open("seal-key", &[0; 12], &large, "").map(drop),
        aes_gcm_open("seal-key", &[0; 13], b"", "").map(drop),
        envelope_open(SIGNING_KEY, "", &[0; 16], b"", &large).map(drop),
        envelope_open(SIGNING_KEY, "", &[0; 16], &large, b"").map(drop),
        Request::new("GET", "https://example.com/", 900).answer_bytes_max((1 << 20) + 1).send().map(drop),
    ];
    for (idx, outcome) in tried.into_iter().enumerate() {
        if outcome.is_ok() {
            return no_answer(format!("try {idx} was done"));
        }
    }
    not_sent("nothing was done")
}

/// How often the host does it, until it does not.
fn flood(work: impl Fn() -> Result<(), Error>) -> Error {
    let n = (0..1_000_000).take_while(|_| work().is_ok()).count();
    not_sent(format!("{n} times"))
}

fn flood_store() {
    for idx in 0..1_000_000_u32 {
        if kv::set(&format!("key-{idx}"), &[0; 4_096]).is_err() {
            return;
        }
    }
}

/// Counts on from nothing, from a number of its own, and from what is none.
fn count_on() -> Error {
    let key = "counted";
    let mut told = vec![format!("{:?}", kv::next(key)), format!("{:?}", kv::next(key))];
    for value in ["99", "+5", "18446744073709551615"] {
        let _ = kv::set(key, value.as_bytes());
        told.push(kv::next(key).map_or_else(|error| format!("{error:?}"), |next| next.to_string()));
    }
    flood_store();
    told.push(kv::next("one more").map_or_else(|error| format!("{error:?}"), |next| next.to_string()));
    not_sent(told.join(", "))
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Hostile);
