//! The `card` channel, as it is installed, against an acquirer: cards in, and their numbers nowhere but on the wire.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channels::{
    Account, Card, CardEntry, ChannelCaller as _, Clock as _, DeclineCode, EncryptedPin, Failure, Host, HostConfig,
    KeptCard, KnownOrder, MemoryKv, Order, PaymentAnswer, PaymentStatus, RefundOrder, RefundStatus, SystemClock,
    settlement::Batch,
};
use saoma_domain::settlement::{Settled, Tally, Total};
use saoma_protocol::{Currency, Millis, RefundId, SettlementBatchId};
use serde_json::{Value, json};
use tracing::{Subscriber, instrument::WithSubscriber as _};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::{
    far_side::FarSide,
    guests::{cny, component, config, known, number, order},
};

/// A chip card, and one with a stripe alone; each of December 2030 and with PIN 1234. What terminals encrypt of them is by
/// `pycryptodome` under keys derived as ANSI X9.24-1 says.
pub(super) const CHIP: (&str, &str) = ("4012345678909", "a2b4e70f846e63d6242ace4ed592c019cf4bdf2d5362f08a");
pub(super) const CHIP_TRACK: &str = "a2b4e70f846e63d6242ace4ed592c019b11a3a14d5267397b4c8243e394ec3a1";
const CHIP_PIN: &str = "10a01c8d02c69107";
pub(super) const CHIP_WRONG_PIN: &str = "044dbe9658ede63a";
const STRIPE: (&str, &str) = ("6212345678900000003", "831d122014ed5a4ca723a8d37590b2dece0d6c21afbf72f7");
const STRIPE_TRACK: &str = "831d122014ed5a4ca723a8d37590b2dece0d6c21afbf72f70ff6aecee71d3b6a4f71e179667b455e";
const STRIPE_PIN: &str = "a26374455ed3d44d";
/// Of 12.50 yuan.
const EMV: &str = "9F260811223344556677889F2701809F100807010103A00000019F3704112233449F36020001950500000000009A032611269C01009F0206\
    0000000012505F2A02015682027C009F1A0201569F3303E0E1C8";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hex")
}

pub(super) fn card(entry: CardEntry, (_, number): (&str, &str), track: Option<&str>, pin: Option<&str>) -> Card {
    let ksn = bytes("FFFF9876543210E00002").try_into().expect("10 bytes");
    let has_chip = matches!(entry, CardEntry::Chip | CardEntry::Contactless);
    Card {
        kept: KeptCard { entry, sequence_number: has_chip.then_some(1), ksn, number: bytes(number) },
        track_2: track.map(bytes),
        pin: pin.map(|block| EncryptedPin { ksn, block: bytes(block).try_into().expect("8 bytes") }),
        emv: if has_chip { bytes(EMV) } else { Vec::new() },
    }
}

pub(super) fn chip() -> Card {
    card(CardEntry::Chip, CHIP, Some(CHIP_TRACK), Some(CHIP_PIN))
}

pub(super) fn stripe() -> Card {
    card(CardEntry::Swiped, STRIPE, Some(STRIPE_TRACK), Some(STRIPE_PIN))
}

pub(super) struct Shop {
    pub(super) host: Host,
    pub(super) account: Account,
    acquirer: FarSide,
}

impl Shop {
    pub(super) async fn open(args: &[&str]) -> Self {
        let acquirer = FarSide::start(&[&["acquirer"], args].concat()).await;
        let account = acquirer.account("card");
        Self { host: host(Arc::default()).await, account, acquirer }
    }

    pub(super) async fn next(&self, act: &str, fault: &str) {
        let next = json!({ "act": act, "fault": fault });
        assert_eq!(self.acquirer.at_door("POST", "/next", &next).await.0, 204, "{act} {fault}");
    }

    /// The acquirer's books of order `n`: how often money was taken, and what was given back.
    pub(super) async fn books(&self, n: u8) -> (i64, i64) {
        // What it never had has no such words.
        let (_, order) = self.acquirer.at_door("GET", &format!("/orders/{}", number(n)), &Value::Null).await;
        (order["times_taken"].as_i64().unwrap_or_default(), order["given_back_minor"].as_i64().unwrap_or_default())
    }

    /// Types and bytes of the messages that came in since the last time.
    pub(super) async fn heard(&self) -> Vec<(String, Vec<u8>)> {
        let (_, heard) = self.acquirer.at_door("GET", "/heard", &Value::Null).await;
        self.acquirer.at_door("DELETE", "/heard", &Value::Null).await;
        let message = |heard: &Value| {
            let body = STANDARD.decode(heard["body_base64"].as_str().unwrap_or_default()).expect("Base64");
            (heard["method"].as_str().unwrap_or_default().to_owned(), body)
        };
        heard.as_array().expect("a list").iter().map(message).collect()
    }

    pub(super) async fn kinds(&self) -> Vec<String> {
        self.heard().await.into_iter().map(|(kind, _)| kind).collect()
    }

    /// Closes the batch, of one sale.
    async fn settle(&self) {
        let nothing = Tally::default();
        let total = Total { currency: Currency::CNY, debits: Tally { count: 1, minor: 1_250 }, credits: nothing };
        let number = SettlementBatchId::from_bytes([3; 16]);
        let batch = Batch { number, totals: vec![total], rows: 1, closed_at: SystemClock.now() };
        assert_eq!(self.host.settle(&self.account, &batch).await, Ok(Settled::Balanced));
    }

    pub(super) async fn charge(&self, n: u8, card: &Card) -> Result<PaymentAnswer, Failure> {
        self.host.charge_card(&self.account, &fresh(n), card).await
    }

    /// Of what was sold an hour ago, without a PIN.
    async fn forward(&self, n: u8, order: &Order) -> Result<PaymentStatus, Failure> {
        let card = Card { pin: None, ..chip() };
        let at = order.created_at.plus(-3_600_000);
        let answer = self.host.forward(&self.account, &Order { number: number(n), ..order.clone() }, &card, at).await;
        answer.map(|answer| answer.status)
    }

    pub(super) async fn sold(&self, n: u8) -> PaymentAnswer {
        let answer = self.charge(n, &chip()).await.expect("an answer");
        assert_eq!(answer.status, PaymentStatus::Succeeded);
        answer
    }

    pub(super) async fn cancel(&self, n: u8, reference: &str) -> Result<PaymentStatus, Failure> {
        let answer = self.host.cancel(&self.account, &sale(n, reference)).await;
        answer.map(|answer| answer.status)
    }

    async fn query(&self, n: u8) -> Result<PaymentStatus, Failure> {
        self.host.query(&self.account, &sale(n, "")).await.map(|answer| answer.status)
    }
}

async fn host(kv: Arc<MemoryKv>) -> Host {
    let host = Host::new(HostConfig { kv, ..config() }).expect("the host starts");
    host.install(&component("card")).await.expect("card installs");
    host
}

/// As core takes it in just now.
pub(super) fn fresh(n: u8) -> Order {
    Order { created_at: SystemClock.now(), ..order(n, 1_250) }
}

fn sale(n: u8, reference: &str) -> KnownOrder {
    KnownOrder { amount: cny(1_250), reference: reference.to_owned(), card: Some(chip().kept), ..known(n) }
}

fn refund(n: u8, reference: &str, minor: i64) -> RefundOrder {
    RefundOrder {
        number: number(n),
        reference: reference.to_owned(),
        refund_number: RefundId::from_bytes([n; 16]),
        amount: cny(minor),
        total: cny(1_250),
        reason: String::new(),
        created_at: SystemClock.now(),
        card: Some(chip().kept),
    }
}

pub(super) fn no_answer<T: std::fmt::Debug>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::NoAnswer { .. }))
}

#[tokio::test]
async fn cards_are_charged_however_they_are_read() {
    let shop = Shop::open(&[]).await;
    let keyed = card(CardEntry::Keyed, CHIP, None, Some(CHIP_PIN));
    let contactless = card(CardEntry::Contactless, CHIP, Some(CHIP_TRACK), None);
    let fallback = card(CardEntry::Fallback, CHIP, Some(CHIP_TRACK), Some(CHIP_PIN));
    for (n, card, masked) in [
        (1, stripe(), "621234*********0003"),
        (2, chip(), "401234***8909"),
        (3, keyed, "401234***8909"),
        (4, contactless, "401234***8909"),
        (5, fallback, "401234***8909"),
    ] {
        let answer = shop.charge(n, &card).await.expect("an answer");
        assert_eq!((&answer.status, answer.payer_hint.as_str()), (&PaymentStatus::Succeeded, masked), "{card:?}");
        assert!(answer.paid_at.is_some() && answer.reference.ends_with("/10000019"), "{answer:?}");
        assert_eq!(shop.books(n).await, (1, 0));
        // Again, as after a crash.
        let again = shop.charge(n, &card).await.expect("an answer");
        assert_eq!((again.reference, shop.books(n).await), (answer.reference, (1, 0)));
    }
    // One sign-on, by itself, and each sale once.
    assert_eq!(shop.kinds().await, ["0800", "0200", "0200", "0200", "0200", "0200"]);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let shop = Shop::open(&[]).await;
    for (n, fault, code) in [
        (1, "insufficient-funds", DeclineCode::InsufficientFunds),
        (2, "limit-exceeded", DeclineCode::LimitExceeded),
        (3, "code-expired", DeclineCode::CodeExpired),
        (4, "code-invalid", DeclineCode::CodeInvalid),
        (5, "declined", DeclineCode::Declined),
    ] {
        shop.next("charge", fault).await;
        let answer = shop.charge(n, &chip()).await.expect("an answer");
        assert!(matches!(&answer.status, PaymentStatus::Failed(decline) if decline.code == code), "{answer:?}");
        assert_eq!(shop.query(n).await, Ok(answer.status));
        assert_eq!(shop.books(n).await, (0, 0));
    }
    let wrong = card(CardEntry::Chip, CHIP, Some(CHIP_TRACK), Some(CHIP_WRONG_PIN));
    let answer = shop.charge(6, &wrong).await.expect("an answer");
    assert!(matches!(&answer.status, PaymentStatus::Failed(decline) if decline.message.contains("55")), "{answer:?}");
    // The stripe of a card that has a chip.
    let answer = shop.charge(7, &card(CardEntry::Swiped, CHIP, Some(CHIP_TRACK), None)).await.expect("an answer");
    assert!(matches!(&answer.status, PaymentStatus::Failed(decline) if decline.message.contains("45")), "{answer:?}");
}

#[tokio::test]
async fn what_has_no_answer_to_believe_is_reversed() {
    let shop = Shop::open(&[]).await;
    let faults = [
        "silent",
        "cut",
        "html",
        "empty",
        "huge",
        "unsigned",
        "forged",
        "wrong-amount",
        "wrong-number",
        "busy",
        "strange-error",
        "late",
    ];
    for (n, fault) in (1..).zip(faults) {
        shop.next("charge", fault).await;
        let outcome = shop.charge(n, &chip()).await;
        assert!(no_answer(&outcome), "{fault}: {outcome:?}");
        // The wire knows no question, and a repeated sale would be a second one.
        assert!(no_answer(&shop.query(n).await) && no_answer(&shop.charge(n, &chip()).await), "{fault}");
        assert_eq!(shop.books(n).await, (1, 0), "{fault}");
        assert_eq!(shop.cancel(n, "").await, Ok(PaymentStatus::Closed), "{fault}");
        assert_eq!(shop.cancel(n, "").await, Ok(PaymentStatus::Closed), "{fault}");
        assert_eq!((shop.query(n).await, shop.books(n).await), (Ok(PaymentStatus::Closed), (1, 1_250)), "{fault}");
    }
    shop.next("charge", "unheard").await;
    assert!(no_answer(&shop.charge(20, &chip()).await));
    for _ in 0..2 {
        assert_eq!(shop.cancel(20, "").await, Ok(PaymentStatus::NotFound));
    }
    // Until it is acknowledged.
    shop.next("charge", "silent").await;
    assert!(no_answer(&shop.charge(21, &chip()).await));
    for fault in ["silent", "forged", "unsigned", "busy", "unheard"] {
        shop.next("cancel", fault).await;
        assert!(no_answer(&shop.cancel(21, "").await), "{fault}");
    }
    assert_eq!((shop.cancel(21, "").await, shop.books(21).await), (Ok(PaymentStatus::Closed), (1, 1_250)));
    // A second answer has nowhere to go.
    shop.next("charge", "twice").await;
    shop.sold(22).await;
    shop.sold(23).await;
}

#[tokio::test]
async fn what_was_sold_without_a_network_is_told_until_it_has_an_answer() {
    let shop = Shop::open(&[]).await;
    assert!(shop.host.plugin("card").is_some_and(|plugin| plugin.manifest().forwards));
    let order = fresh(1);
    for (n, fault) in (1..).zip([
        "silent",
        "unheard",
        "cut",
        "html",
        "empty",
        "unsigned",
        "forged",
        "wrong-amount",
        "wrong-number",
        "busy",
        "strange-error",
        "late",
    ]) {
        shop.next("forward", fault).await;
        let outcome = shop.forward(n, &order).await;
        assert!(no_answer(&outcome), "{fault}: {outcome:?}");
        // Nothing takes it back, and the next call tells it once more.
        assert!(no_answer(&shop.cancel(n, "").await), "{fault}");
        for _ in 0..2 {
            assert_eq!(shop.forward(n, &order).await, Ok(PaymentStatus::Succeeded), "{fault}");
            assert_eq!(shop.books(n).await, (1, 0), "{fault}");
        }
    }
    assert!(!shop.kinds().await.contains(&"0400".to_owned()));
    for (n, fault) in (20..).zip(["sign-on", "key-lost", "twice"]) {
        shop.next("forward", fault).await;
        assert_eq!((shop.forward(n, &order).await, shop.books(n).await), (Ok(PaymentStatus::Succeeded), (1, 0)));
    }
    shop.next("forward", "insufficient-funds").await;
    for _ in 0..2 {
        let outcome = shop.forward(30, &order).await.expect("an answer");
        assert!(
            matches!(&outcome, PaymentStatus::Failed(decline) if decline.code == DeclineCode::InsufficientFunds),
            "{outcome:?}"
        );
    }
    assert_eq!(shop.books(30).await, (0, 0));
    let without = Account { channel: "wallet".to_owned(), ..shop.account.clone() };
    shop.host.install(&component("wallet")).await.expect("wallet installs");
    assert_eq!(
        shop.host.forward(&without, &order, &chip(), order.created_at).await.map(|answer| answer.status),
        Err(Failure::Unsupported)
    );
}

#[tokio::test]
async fn keys_that_are_lost_are_fetched_again() {
    let shop = Shop::open(&[]).await;
    shop.sold(1).await;
    shop.heard().await;
    // Under a right MAC: refused, and so sent again.
    shop.next("charge", "sign-on").await;
    let sold = shop.sold(2).await;
    assert_eq!(
        (shop.kinds().await, shop.books(2).await),
        (["0200", "0800", "0200"].map(str::to_owned).to_vec(), (1, 0))
    );
    // Without one: whoever sits between may hold the sale back, so that it is not sent again.
    shop.next("charge", "key-lost").await;
    assert!(no_answer(&shop.charge(3, &chip()).await));
    let kinds = ["0200", "0800", "0400"].map(str::to_owned).to_vec();
    assert_eq!((shop.kinds().await, shop.books(3).await), (kinds, (0, 0)));
    assert_eq!(shop.cancel(3, "").await, Ok(PaymentStatus::NotFound));
    shop.next("cancel", "key-lost").await;
    assert_eq!(shop.cancel(2, &sold.reference).await, Ok(PaymentStatus::Closed));
    assert_eq!(shop.books(2).await, (1, 1_250));
    shop.next("charge", "silent").await;
    assert!(no_answer(&shop.charge(4, &chip()).await));
    shop.next("cancel", "key-lost").await;
    assert_eq!((shop.cancel(4, "").await, shop.books(4).await), (Ok(PaymentStatus::Closed), (1, 1_250)));
}

/// Each sign-on takes the other's keys away, so that one is for all when a shop opens.
#[tokio::test]
async fn sales_at_once_share_one_sign_on() {
    let shop = Shop::open(&[]).await;
    let chip = chip();
    for (first, signs_on) in [(1, true), (6, false)] {
        let sales = tokio::join!(
            shop.charge(first, &chip),
            shop.charge(first + 1, &chip),
            shop.charge(first + 2, &chip),
            shop.charge(first + 3, &chip),
            shop.charge(first + 4, &chip),
        );
        for (n, sale) in (first..).zip([sales.0, sales.1, sales.2, sales.3, sales.4]) {
            assert_eq!(sale.map(|answer| answer.status), Ok(PaymentStatus::Succeeded), "{n}");
            assert_eq!(shop.books(n).await, (1, 0), "{n}");
        }
        let mut kinds = shop.kinds().await;
        kinds.sort();
        let expected = [vec!["0200"; 5], vec!["0800"; usize::from(signs_on)]].concat();
        assert_eq!(kinds, expected);
    }
}

#[tokio::test]
async fn sales_are_voided_and_refunded_once() {
    let shop = Shop::open(&[]).await;
    let sold = shop.sold(1).await;
    for _ in 0..2 {
        assert_eq!(shop.cancel(1, &sold.reference).await, Ok(PaymentStatus::Closed));
        assert_eq!(shop.books(1).await, (1, 1_250));
    }
    // A void without an answer is itself reversed before the next.
    let sold = shop.sold(2).await;
    shop.heard().await;
    shop.next("cancel", "silent").await;
    assert!(no_answer(&shop.cancel(2, &sold.reference).await));
    assert_eq!((shop.cancel(2, &sold.reference).await, shop.books(2).await), (Ok(PaymentStatus::Closed), (1, 1_250)));
    assert_eq!(shop.kinds().await, ["0200", "0400", "0200"]);

    let sold = shop.sold(3).await;
    let refund_of = |n, minor| refund(n, &sold.reference, minor);
    for _ in 0..2 {
        let answer = shop.host.refund(&shop.account, &refund_of(3, 500)).await.expect("an answer");
        assert_eq!((answer.status, answer.amount), (RefundStatus::Succeeded, Some(cny(500).money())));
        assert_eq!(shop.books(3).await, (1, 500));
    }
    let asked = shop.host.query_refund(&shop.account, &refund_of(3, 500)).await.expect("an answer");
    assert_eq!(asked.status, RefundStatus::Succeeded);
    // Part of it was given back: it can no longer be voided.
    assert_eq!(shop.cancel(3, &sold.reference).await, Ok(PaymentStatus::Succeeded));
    let over = RefundOrder { number: number(3), ..refund_of(4, 751) };
    let answer = shop.host.refund(&shop.account, &over).await.expect("an answer");
    assert!(matches!(answer.status, RefundStatus::Failed(_)), "{answer:?}");
    // One without an answer is never sent again.
    let lost = RefundOrder { number: number(3), ..refund_of(5, 250) };
    shop.next("refund", "silent").await;
    for _ in 0..2 {
        assert!(no_answer(&shop.host.refund(&shop.account, &lost).await));
        assert!(no_answer(&shop.host.query_refund(&shop.account, &lost).await));
        assert_eq!(shop.books(3).await, (1, 750));
    }
    let old = RefundOrder { created_at: Millis(1_700_000_000_000), ..refund_of(6, 1) };
    assert!(no_answer(&shop.host.refund(&shop.account, &old).await));
}

#[tokio::test]
async fn without_its_record_nothing_is_claimed() {
    let mut shop = Shop::open(&[]).await;
    let sold = shop.sold(1).await;
    shop.next("charge", "silent").await;
    assert!(no_answer(&shop.charge(2, &chip()).await));
    shop.host = host(Arc::default()).await;
    assert!(no_answer(&shop.query(2).await) && no_answer(&shop.cancel(2, "").await));
    assert_eq!(shop.books(2).await, (1, 0));
    // What core was told is enough for a void. The store of a minute ago had the same trace numbers: if the acquirer has had one
    // for another message, it says so, and that is no answer.
    let mut undone = shop.cancel(1, &sold.reference).await;
    for _ in 0..2 {
        if no_answer(&undone) {
            assert_eq!(shop.books(1).await, (1, 0));
            undone = shop.cancel(1, &sold.reference).await;
        }
    }
    assert_eq!((undone, shop.books(1).await), (Ok(PaymentStatus::Closed), (1, 1_250)));
    // Nothing of what had those numbers was taken back.
    assert_eq!(shop.books(2).await, (1, 0));
}

#[tokio::test]
async fn a_void_that_is_refused_is_believed_by_its_record() {
    let mut shop = Shop::open(&[]).await;
    let sold = shop.sold(1).await;
    let answer = shop.host.refund(&shop.account, &refund(1, &sold.reference, 500)).await.expect("an answer");
    assert_eq!(answer.status, RefundStatus::Succeeded);
    assert_eq!(shop.cancel(1, &sold.reference).await, Ok(PaymentStatus::Succeeded));
    // Without the record, a void of before could be why.
    shop.host = host(Arc::default()).await;
    for _ in 0..6 {
        assert!(no_answer(&shop.cancel(1, &sold.reference).await));
    }
    assert_eq!(shop.books(1).await, (1, 500));
}

#[tokio::test]
async fn a_batch_that_is_closed_is_left_for_refunds() {
    let mut shop = Shop::open(&[]).await;
    let sold = shop.sold(1).await;
    shop.settle().await;
    shop.heard().await;
    // The acquirer has another batch now, and says so at the sign-on: nothing of the sale is undone.
    assert_eq!(shop.cancel(1, &sold.reference).await, Ok(PaymentStatus::Succeeded));
    assert_eq!((shop.kinds().await, shop.books(1).await), (["0800"].map(str::to_owned).to_vec(), (1, 0)));
    let sold_after = shop.sold(2).await;
    assert!(sold_after.reference.contains("/000002/"), "{sold_after:?}");
    let answer = shop.host.refund(&shop.account, &refund(1, &sold.reference, 1_250)).await.expect("an answer");
    assert_eq!((answer.status, shop.books(1).await), (RefundStatus::Succeeded, (1, 1_250)));
    // Without its record it could have been voided before.
    shop.host = host(Arc::default()).await;
    assert!(no_answer(&shop.cancel(1, &sold.reference).await) && no_answer(&shop.query(1).await));
}

#[tokio::test]
async fn over_tls_with_the_retail_mac() {
    let shop = Shop::open(&["--tls", "--mac", "retail"]).await;
    let said = shop.host.self_test(&shop.account).await.expect("it works");
    assert!(said.contains("10000019") && said.contains("000001"), "{said}");
    shop.sold(1).await;
    // Nobody sits between: it is refused, and sent again once the acquirer says that it has not seen it.
    shop.heard().await;
    shop.next("charge", "key-lost").await;
    let sold = shop.sold(2).await;
    assert_eq!(shop.kinds().await, ["0200", "0800", "0400", "0200"]);
    shop.next("refund", "key-lost").await;
    let answer = shop.host.refund(&shop.account, &refund(2, &sold.reference, 1_250)).await.expect("an answer");
    assert_eq!((answer.status, shop.books(2).await), (RefundStatus::Succeeded, (1, 1_250)));
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let shop = Shop::open(&[]).await;
    let with = |name: &str, value: Value| {
        let mut settings: Value = serde_json::from_str(&shop.account.settings_json).expect("JSON");
        settings[name] = value;
        Account { settings_json: settings.to_string(), ..shop.account.clone() }
    };
    let with_key = |key: &str| {
        let secrets = shop.account.secrets.clone().with("terminal-master-key", key);
        Account { secrets, ..shop.account.clone() }
    };
    let rows = [
        (with("terminal_number", json!("10000018")), "terminal_number"),
        (with("merchant_number", json!("850100082410001")), "merchant_number"),
        (with("tpdu", json!("60000600xx")), "tpdu"),
        (with("header", json!("60310031100x")), "header"),
        (with("mac", json!("none")), "mac"),
        (with("answer_timeout_s", json!(0)), "answer_timeout_s"),
        (with("private_authority", json!(true)), "private_authority"),
        (with("mac", json!("retail")), "mac"),
        (with_key("not a key"), "terminal-master-key"),
        (with_key("F1223344556677889900AABBCCDDEEFF"), "terminal-master-key"),
    ];
    for (account, named) in rows {
        let outcome = shop.host.charge_card(&account, &fresh(1), &chip()).await;
        assert!(matches!(&outcome, Err(Failure::Misconfigured { why }) if why.contains(named)), "{named}: {outcome:?}");
    }
    let nobody = with("address", json!("tcp://127.0.0.1:1"));
    let outcome = shop.host.charge_card(&nobody, &fresh(2), &chip()).await;
    assert!(matches!(&outcome, Err(Failure::NotSent { .. })), "{outcome:?}");
    // A sign-on that is not answered leaves nothing to reverse.
    shop.next("other", "silent").await;
    assert!(no_answer(&shop.charge(3, &chip()).await));
    assert_eq!(shop.cancel(3, "").await, Ok(PaymentStatus::NotFound));
}

#[tokio::test]
async fn the_number_is_on_the_wire_and_nowhere_else() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    // With one subscriber alone, an event that another test's thread comes upon first would be off for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let story = async {
        let shop = Shop::open(&[]).await;
        let sold = shop.charge(1, &stripe()).await.expect("an answer");
        shop.next("charge", "forged").await;
        let failure = shop.charge(2, &chip()).await.expect_err("not believed");
        let undone = shop.cancel(2, "").await;
        (format!("{sold:?} {failure:?} {undone:?}"), shop.heard().await)
    };
    let (said, heard) = story.with_subscriber(subscriber).await;
    let wire = hex::encode(heard.into_iter().flat_map(|(_, message)| message).collect::<Vec<u8>>());
    assert!(wire.contains(&format!("{}d3012101", STRIPE.0)) && wire.contains(CHIP.0), "{wire}");
    let lines = lines.0.lock().expect("lines").join("\n");
    assert!(lines.contains("signed on") && lines.contains("plugin_tcp"), "{lines}");
    for number in [CHIP.0, STRIPE.0] {
        for place in [&said, &lines] {
            assert!(!place.contains(&number[4..]), "{place}");
        }
    }
}

/// Every event and span, whoever it is from.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().expect("lines").push(format!("{event:?}"));
    }

    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, _: &tracing::span::Id, _: Context<'_, S>) {
        self.0.lock().expect("lines").push(format!("{span:?}"));
    }

    fn on_record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>, _: Context<'_, S>) {
        self.0.lock().expect("lines").push(format!("{values:?}"));
    }
}
