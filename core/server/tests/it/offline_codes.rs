//! A canteen lets phones pay where there is no network: granted, sold, told later; spent twice; lost; and forged.

use ring::signature::Ed25519KeyPair;
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, Sequence,
    api::OfflineList,
    code::offline::{Code, Grant, Issuer, KeyId, SignedGrant, Token, public_key},
    journal::{Entry, GENESIS, Record},
    message::{JournalAck, JournalBatch},
};
use serde_json::{Value, json};

use crate::{
    access_bodies,
    door::Door,
    receiver::Receiver,
    town::{Merchant, Till, Town, text},
};

fn now() -> Millis {
    saoma_channels::Clock::now(&saoma_channels::SystemClock)
}

fn seconds(at: Millis) -> u32 {
    u32::try_from(at.0 / 1000).unwrap()
}

/// A holder's phone with a grant.
struct Phone {
    key: Ed25519KeyPair,
    signed: SignedGrant,
    token: String,
}

impl Phone {
    /// Asks for a grant of so much for a phone with this seed.
    async fn granted(owner: &Door, account: &str, seed: u8, cap: i64) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let asked = json!({ "device_key": hex::encode(public_key(&key)), "cap": cny(cap) });
        let made: Value = owner.post(&grants(account)).key(&format!("grant-{seed}")).json(&asked).await.json(201);
        // As a phone does: what it was given begins each of its codes, and a code of it is read back whole.
        let bytes = hex::decode(text(&made, "/signed")).unwrap();
        let code = Code::read(&[bytes.as_slice(), &[0; 72]].concat()).unwrap();
        Self { key, signed: code.signed, token: text(&made, "/grant/token").to_owned() }
    }

    fn code(&self, counter: u32) -> String {
        self.signed.code(&self.key, counter, seconds(now())).text()
    }
}

fn cny(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

fn grants(account: &str) -> String {
    format!("/v1/stored-value/accounts/{account}/offline-grants")
}

/// A terminal's journal.
struct Journal<'a> {
    till: &'a Till,
    merchant: &'a Merchant,
    entries: Vec<Entry>,
}

impl<'a> Journal<'a> {
    const fn of(till: &'a Till, merchant: &'a Merchant) -> Self {
        Self { till, merchant, entries: Vec::new() }
    }

    /// Takes an offline code, as a terminal without a network does.
    fn sells(&mut self, minor: i64, code: &str) -> String {
        let counter = self.entries.len() as u64 + 1;
        let payment = self.till.number(self.merchant, counter);
        let record = Record::OfflineSale {
            payment: payment.parse::<PaymentId>().unwrap(),
            counter: Sequence(counter),
            amount: Amount::new(minor, Currency::CNY).unwrap(),
            code: code.to_owned(),
            goods: Vec::new(),
            cashier: "Li".to_owned(),
        };
        let before = self.entries.last().map_or(GENESIS, Entry::hash);
        self.entries.push(Entry::new(Sequence(counter), now(), before, record).unwrap());
        payment
    }

    /// Sends all of it; why entries are held.
    async fn syncs(&self) -> Vec<String> {
        let batch = JournalBatch { entries: self.entries.clone() };
        let ack: JournalAck = self.till.door.post("/v1/terminal/journal").json(&batch).await.json(200);
        assert_eq!(ack.through, Sequence(self.entries.len() as u64));
        ack.verdicts.into_iter().map(|verdict| verdict.why).collect()
    }
}

/// A canteen whose terminals take offline codes, and a holder with money in it.
struct Canteen {
    town: Town,
    merchant: Merchant,
    account: String,
}

impl Canteen {
    async fn open(minor: i64) -> Self {
        let town = Town::found().await;
        let merchant = town.merchant("jade").await;
        let asked = json!({ "holder": "Mei" });
        let opened: Value = merchant.owner.post("/v1/stored-value/accounts").json(&asked).await.json(201);
        let account = text(&opened, "/id").to_owned();
        let top_ups = format!("/v1/stored-value/accounts/{account}/top-ups");
        let _: Value = merchant.owner.post(&top_ups).json(&json!({ "amount": cny(minor) })).await.json(201);
        Self { town, merchant, account }
    }

    async fn takes_offline_codes(&self) {
        let policy = access_bodies::offline_policy(&self.merchant.account);
        let _: Value = self.merchant.owner.ask("PUT", "/v1/stored-value/offline-policy").json(&policy).await.json(200);
    }

    async fn shown(&self) -> (String, i64) {
        let shown: Value =
            self.merchant.owner.get(&format!("/v1/stored-value/accounts/{}", self.account)).await.json(200);
        (text(&shown, "/state").to_owned(), shown["balance"]["minor"].as_i64().unwrap())
    }

    /// What holders have, what the canteen owes those who accepted it, and what it bears itself.
    async fn books(&self) -> [i64; 3] {
        self.merchant.books_balance().await;
        let checked = self.town.saoma(&["ledger", "check"]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        let query = |account| {
            format!(
                "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS TEXT) AS text FROM postings WHERE account = '{account}'"
            )
        };
        ["stored_value", "stored_value_due", "risk_loss"]
            .map(|account| self.town.column(&query(account))[0].parse().unwrap())
    }

    async fn list(&self, till: &Till) -> OfflineList {
        till.door.get("/v1/terminal/offline-list").await.json(200)
    }
}

#[actix_web::test]
async fn granted_sold_offline_and_told_later() {
    let canteen = Canteen::open(10_000).await;
    let owner = &canteen.merchant.owner;
    let asked = json!({ "device_key": "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
        "cap": cny(1_000) });
    let refused = owner.post(&grants(&canteen.account)).key("off").json(&asked).await;
    assert_eq!(refused.refusal(), (409, "offline_off".to_owned()));
    canteen.takes_offline_codes().await;
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    assert_eq!(cashier.post(&grants(&canteen.account)).json(&asked).await.status, 403);
    // A key under which anything is signed.
    let weak = json!({ "device_key": format!("01{}", "00".repeat(31)), "cap": cny(1_000) });
    assert_eq!(owner.post(&grants(&canteen.account)).key("weak").json(&weak).await.status, 422);

    let phone = Phone::granted(owner, &canteen.account, 3, 6_000).await;
    // What is granted is set aside: another grant, a pay-out and a top-up's reversal find the rest.
    let more = json!({ "device_key": hex::encode(phone.signed.grant.device_key), "cap": cny(4_001) });
    let refused = owner.post(&grants(&canteen.account)).key("more").json(&more).await;
    assert_eq!(refused.refusal(), (409, "balance_insufficient".to_owned()));
    let close = format!("/v1/stored-value/accounts/{}/close", canteen.account);
    let refused = owner.post(&close).json(&json!({ "reason": "left" })).await;
    assert_eq!(refused.refusal(), (409, "balance_reserved".to_owned()));

    let till = canteen.town.till(&canteen.merchant).await;
    let list = canteen.list(&till).await;
    assert!(list.limits.is_some() && list.denied.is_empty());
    let mut journal = Journal::of(&till, &canteen.merchant);
    let code = phone.code(1);
    assert_eq!(Code::parse(&code).unwrap().verify(&list.issuers, now()), Ok(()));
    let sold = journal.sells(2_500, &code);
    journal.sells(1_500, &phone.code(2));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(journal.syncs().await, [""; 0], "again, it is booked once");
    let shown: Value = owner.get(&format!("/v1/payments/{sold}")).await.json(200);
    assert_eq!((&shown["state"], &shown["channel_account"]), (&json!("succeeded"), &json!(canteen.merchant.account)));
    assert_eq!(canteen.shown().await, ("active".to_owned(), 6_000));
    assert_eq!(canteen.books().await, [-6_000, -4_000, 0]);
    let granted: Value = owner.get(&grants(&canteen.account)).await.json(200);
    assert_eq!(granted["items"][0]["spent"]["minor"], 4_000);
    let none: Value = owner.get("/v1/stored-value/double-spends").await.json(200);
    assert_eq!(none["items"], json!([]));
    // The key lies sealed: no row shows it, nor does the log of what was done.
    assert!(!canteen.merchant.audited("stored_value.offline_granted").await.is_empty());
}

#[actix_web::test]
async fn the_same_code_at_two_terminals_is_found_and_the_shop_is_paid() {
    let canteen = Canteen::open(10_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let receiver = Receiver::open().await;
    let endpoint = json!({ "url": receiver.url });
    let _: Value = owner.post("/v1/webhook-endpoints").json(&endpoint).await.json(201);
    let phone = Phone::granted(owner, &canteen.account, 3, 5_000).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let code = phone.code(1);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    here.sells(3_000, &code);
    let twice = there.sells(2_000, &code);
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(there.syncs().await, [""; 0]);
    let shown: Value = owner.get(&format!("/v1/payments/{twice}")).await.json(200);
    assert_eq!(shown["state"], "succeeded", "the goods are gone");
    assert_eq!(canteen.shown().await, ("frozen".to_owned(), 7_000));
    assert_eq!(canteen.books().await, [-7_000, -5_000, 2_000]);
    assert_eq!(canteen.list(&one).await.denied, [phone.token.clone()]);
    // What was spent before the terminals heard of it is booked, as far as it was granted.
    here.sells(2_500, &phone.code(2));
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-5_000, -7_500, 2_500]);
    let told: Value = owner.get("/v1/stored-value/double-spends").await.json(200);
    let why: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| text(item, "/why").to_owned()).collect();
    assert_eq!(why, ["cap", "counter"]);
    assert_eq!((&told["items"][1]["payment"], &told["items"][1]["covered"]["minor"]), (&json!(twice), &json!(0)));
    let heard = receiver.hears_of("stored_value.double_spent").await;
    assert_eq!(heard.json()["data"]["account"], json!(canteen.account));
    assert_eq!(canteen.merchant.audited("stored_value.double_spent").await.len(), 2);
}

#[actix_web::test]
async fn a_lost_phone_is_on_every_terminals_list() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 500).await;
    let till = canteen.town.till(&canteen.merchant).await;
    assert_eq!(canteen.list(&till).await.denied, [""; 0]);
    let freeze = format!("/v1/stored-value/accounts/{}/freeze", canteen.account);
    let _: Value = owner.post(&freeze).json(&json!({ "reason": "lost on the bus" })).await.json(200);
    assert_eq!(canteen.list(&till).await.denied, [phone.token.clone()]);
    let asked = json!({ "device_key": hex::encode(phone.signed.grant.device_key), "cap": cny(1) });
    let refused = owner.post(&grants(&canteen.account)).key("again").json(&asked).await;
    assert_eq!(refused.refusal(), (409, "account_frozen".to_owned()));
}

#[actix_web::test]
async fn what_no_terminal_should_have_taken_waits_for_a_person() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 500).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let created = seconds(now());
    let forged = phone.signed.grant.sign(&stranger).code(&phone.key, 1, created).text();
    let stolen = phone.signed.code(&stranger, 1, created).text();
    let of_nobody = Grant { issuer: KeyId::of(&public_key(&stranger)), token: Token([7; 8]), ..phone.signed.grant };
    let of_nobody = of_nobody.sign(&stranger).code(&phone.key, 1, created).text();
    let old = phone.signed.code(&phone.key, 1, created - 600).text();
    let mut journal = Journal::of(&till, &canteen.merchant);
    for code in [&forged, &stolen, &of_nobody, &old, "OPC1:ABC", &phone.code(1)] {
        journal.sells(501, code);
    }
    let held = journal.syncs().await;
    for (why, expected) in held.iter().zip([
        "forged: the offline code was not signed by its issuer",
        "forged: the offline code was not signed by the customer's phone",
        "the offline code is of an issuer that is not accepted",
        "the offline code is too old",
        "the offline code",
        "5.01 CNY is more than one code allows",
    ]) {
        assert!(why.starts_with(expected), "{why}");
    }
    assert_eq!(held.len(), 6);
    assert_eq!(canteen.shown().await, ("active".to_owned(), 1_000));
    assert_eq!(canteen.books().await, [-1_000, 0, 0]);
    let _: Vec<Issuer> = canteen.list(&till).await.issuers;
}
