//! Cards at a terminal, through core and the channel of cards, at an acquirer.

use std::fs;

use saoma_schemes::acquirer;
use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{Merchant, Town, becomes, plugins, text},
};

/// A chip card of December 2030 with PIN 1234. What the terminal encrypted of it is by `pycryptodome` under keys derived as
/// ANSI X9.24-1 says.
const NUMBER: &str = "4012345678909";
const KSN: &str = "FFFF9876543210E00002";
/// Of 12.50 yuan.
const EMV: &str = "9F260811223344556677889F2701809F100807010103A00000019F3704112233449F36020001950500000000009A032611269C01009F0206\
    0000000012505F2A02015682027C009F1A0201569F3303E0E1C8";

pub fn chip() -> Value {
    json!({
        "entry": "chip",
        "ksn": KSN,
        "number": "a2b4e70f846e63d6242ace4ed592c019cf4bdf2d5362f08a",
        "sequence_number": 1,
        "track_2": "a2b4e70f846e63d6242ace4ed592c019b11a3a14d5267397b4c8243e394ec3a1",
        "pin": { "ksn": KSN, "block": "10a01c8d02c69107" },
        "emv": EMV,
    })
}

fn sale(card: &Value) -> Value {
    json!({ "amount": { "minor": 1_250, "currency": "CNY" }, "presentation": { "kind": "card", "card": card } })
}

fn yuan(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "CNY" } })
}

/// A merchant whose core has the channel of cards, and the acquirer.
pub struct Shop {
    pub town: Town,
    pub tea: Merchant,
    pub acquirer: acquirer::Running,
    /// The merchant's account there.
    pub account: String,
    _plugins: tempfile::TempDir,
}

impl Shop {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let channels = plugins().join("../channels/card.wasm");
        fs::copy(&channels, folder.path().join("card.wasm")).unwrap_or_else(|error| panic!("{channels:?}: {error}"));
        fs::copy(plugins().join("sandbox.wasm"), folder.path().join("sandbox.wasm")).unwrap();
        let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", folder.path().to_str().unwrap())]).await;
        let tea = town.merchant("tea").await;
        let acquirer = acquirer::start("127.0.0.1:0".parse().unwrap(), acquirer::Config::default()).unwrap();
        let script: Value = Door::at(&acquirer.door).get("/script").await.json(200);
        let body = json!({
            "plugin": "card", "name": "acquirer", "fee_basis_points": 50, "settings": script["settings"],
            "secrets": script["secrets"],
        });
        let made: Value = tea.owner.post("/v1/channel-accounts").json(&body).await.json(201);
        let account = text(&made, "/id").to_owned();
        Self { town, tea, acquirer, account, _plugins: folder }
    }

    async fn sells(&self, key: &str, card: &Value) -> Answer {
        self.tea.owner.post("/v1/payments").key(key).json(&sale(card)).await
    }

    pub async fn sold(&self, key: &str) -> String {
        let sold: Value = self.sells(key, &chip()).await.json(201);
        assert_eq!((&sold["state"], &sold["method"]), (&json!("succeeded"), &json!("card")), "{sold}");
        text(&sold, "/id").to_owned()
    }

    pub async fn next(&self, act: &str, fault: &str) {
        let next = Door::at(&self.acquirer.door).post("/next").json(&json!({ "act": act, "fault": fault })).await;
        assert_eq!(next.status, 204, "{}", next.text);
    }

    /// How often the acquirer took money for the payment, and how much it gave back.
    pub async fn books(&self, payment: &str) -> (i64, i64) {
        let order: Value = Door::at(&self.acquirer.door).get(&format!("/orders/{payment}")).await.json(200);
        (order["times_taken"].as_i64().unwrap(), order["given_back_minor"].as_i64().unwrap())
    }
}

#[actix_web::test]
async fn a_card_pays_once_and_its_money_goes_back_to_it() {
    let shop = Shop::open().await;
    let owner = &shop.tea.owner;
    let first: Value = shop.sells("k", &chip()).await.json(201);
    let id = text(&first, "/id");
    assert_eq!((&first["state"], &first["method"]), (&json!("succeeded"), &json!("card")), "{first}");
    assert_eq!(first["channel_account"], json!(shop.account));
    assert_eq!(shop.sells("k", &chip()).await.json::<Value>(200), first, "the same request");
    let mut other = chip();
    other["pin"] = Value::Null;
    assert_eq!(shop.sells("k", &other).await.refusal(), (409, "payment_exists_differently".to_owned()));
    assert_eq!(shop.books(id).await, (1, 0));
    let refunds = format!("/v1/payments/{id}/refunds");
    let part: Value = owner.post(&refunds).key("part").json(&yuan(400)).await.json(201);
    assert_eq!(part["state"], "succeeded", "{part}");
    let rest: Value = owner.post(&refunds).key("rest").json(&yuan(850)).await.json(201);
    assert_eq!(rest["state"], "succeeded", "{rest}");
    assert_eq!(shop.books(id).await, (1, 1_250));
    // Who has seen a request has not seen the card.
    assert_eq!(shop.sells("replayed", &chip()).await.refusal(), (409, "card_used".to_owned()));
    // Another reading, since the terminal's next serial number takes a key that this test has not.
    shop.town.force("DELETE FROM payment_cards");
    let voided = shop.sold("v").await;
    let _: Value = owner.post(&format!("/v1/payments/{voided}/void")).key("void").json(&json!({})).await.json(201);
    becomes(owner, &voided, "voided").await;
    assert_eq!(shop.books(&voided).await, (1, 1_250));
    shop.tea.books_balance().await;
    shop.acquirer.stop().await;
}

/// A terminal's sale that nobody answers is unknown, and undone by a reversal until the acquirer confirms it.
#[actix_web::test]
async fn a_card_that_nobody_answers_for_is_reversed() {
    let shop = Shop::open().await;
    let till = shop.town.till(&shop.tea).await;
    let number = till.number(&shop.tea, 1);
    let mut keyed = sale(&chip());
    keyed["counter"] = json!(1);
    shop.next("charge", "silent").await;
    let unknown: Value = till.door.post("/v1/payments").key(&number).json(&keyed).await.json(201);
    assert_eq!((text(&unknown, "/id"), &unknown["state"]), (number.as_str(), &json!("unknown")));
    assert_eq!(shop.books(&number).await, (1, 0));
    shop.next("cancel", "silent").await;
    let given_up: Value = till.door.post(&format!("/v1/payments/{number}/cancel")).key("c").await.json(200);
    assert_eq!(given_up["state"], "unknown", "nobody confirms it yet: {given_up}");
    becomes(&shop.tea.owner, &number, "reversed").await;
    assert_eq!(shop.books(&number).await, (1, 1_250));
    shop.tea.books_balance().await;
    shop.acquirer.stop().await;
}

/// Neither rows nor answers nor files hold a number, and after its time not even the encrypted one is kept.
#[actix_web::test]
async fn a_cards_number_lies_nowhere_and_what_is_kept_of_it_not_for_ever() {
    let shop = Shop::open().await;
    let id = shop.sold("k").await;
    let rows = shop.town.rows_of(&shop.tea.id).join("\n").to_lowercase();
    assert!(rows.contains(&id) && rows.contains("a2b4e70f846e63d6"), "the encrypted number is kept");
    // The track's second half, the PIN block, the chip's cryptogram.
    for secret in [NUMBER, "b11a3a14d5267397", "10a01c8d02c69107", "1122334455667788"] {
        assert!(!rows.contains(secret), "the rows hold {secret}");
    }
    let kept = shop.town.column("SELECT entry AS text FROM payment_cards");
    assert_eq!(kept, ["chip"]);
    for shown in [format!("/v1/payments/{id}"), format!("/v1/payments/{id}/timeline"), "/v1/audit".to_owned()] {
        let answer = shop.tea.owner.get(&shown).await;
        let secrets = [NUMBER, "a2b4e70f", "10a01c8d", KSN];
        assert!(secrets.iter().all(|secret| !answer.text.contains(secret)), "{shown}: {}", answer.text);
    }
    shop.town.force("DELETE FROM payment_cards");
    let refused = shop.tea.owner.post(&format!("/v1/payments/{id}/refunds")).key("r").json(&yuan(100)).await;
    assert_eq!(refused.refusal(), (409, "channel_cannot".to_owned()));
    assert!(refused.text.contains("180 days"), "{}", refused.text);
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn a_card_that_is_none_is_refused_by_its_field_and_not_quoted() {
    let shop = Shop::open().await;
    let long = "00".repeat(513);
    let rows = [
        ("/ksn", json!("FFFF"), "/presentation/card/ksn"),
        ("/ksn", json!("x"), "/presentation/card/ksn"),
        ("/number", json!(""), "/presentation/card/number"),
        ("/number", json!(NUMBER), "/presentation/card/number"),
        ("/number", json!("00".repeat(32)), "/presentation/card/number"),
        ("/track_2", json!("00".repeat(48)), "/presentation/card/track_2"),
        ("/track_2", json!("0"), "/presentation/card/track_2"),
        ("/pin/block", json!("1234"), "/presentation/card/pin/block"),
        ("/pin/ksn", json!("1234"), "/presentation/card/pin/ksn"),
        ("/emv", json!(long), "/presentation/card/emv"),
    ];
    for (field, value, pointer) in rows {
        let mut card = chip();
        *card.pointer_mut(field).unwrap() = value;
        let refused = shop.sells("bad", &card).await;
        let problem = refused.problem();
        assert_eq!((refused.status, text(&problem, "/pointer")), (422, pointer), "{field}: {problem}");
        assert!(!refused.text.contains(NUMBER), "{}", refused.text);
    }
    // Whoever mixes up fields or forgets to encrypt does not find the number in logs of errors.
    let clear: u64 = NUMBER.parse().unwrap();
    for (field, value) in [
        ("/number", json!(clear)),
        ("/entry", json!(NUMBER)),
        ("/sequence_number", json!(NUMBER)),
        ("/sequence_number", json!(clear)),
        ("/track_2", json!(clear)),
        ("/ksn", json!(clear)),
        ("/pin/block", json!(1234)),
    ] {
        let mut card = chip();
        *card.pointer_mut(field).unwrap() = value;
        let refused = shop.sells("bad", &card).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()), "{field}");
        assert!(!refused.text.contains(NUMBER) && !refused.text.contains("1234"), "{field}: {}", refused.text);
    }
    // What is well written and does not open was never sent.
    let mut sealed = chip();
    sealed["number"] = json!("00".repeat(24));
    let failed: Value = shop.sells("sealed", &sealed).await.json(201);
    assert_eq!((&failed["state"], &failed["failure"]["code"]), (&json!("failed"), &json!("card_unreadable")));
    // Whoever has no acquirer takes no cards.
    let milk = shop.town.merchant("milk").await;
    let none = milk.owner.post("/v1/payments").key("k").json(&sale(&chip())).await;
    assert_eq!(none.refusal().1, "channel_unavailable");
    shop.acquirer.stop().await;
}
