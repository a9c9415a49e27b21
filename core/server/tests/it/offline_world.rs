//! A canteen that issues stored value and takes it without a network: its holders' phones, and its terminals' journals.

use ring::signature::Ed25519KeyPair;
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, Sequence,
    api::OfflineList,
    code::offline::{Code, SignedGrant, public_key},
    journal::{Entry, GENESIS, Record},
    message::JournalAck,
};
use serde_json::{Value, json};

use crate::{
    access_bodies,
    door::{Answer, Door},
    town::{Merchant, Till, Town, text},
};

pub fn now() -> Millis {
    saoma_channels::Clock::now(&saoma_channels::SystemClock)
}

pub fn seconds(at: Millis) -> u32 {
    u32::try_from(at.0 / 1000).unwrap()
}

/// A holder's phone with a grant.
pub struct Phone {
    pub key: Ed25519KeyPair,
    pub signed: SignedGrant,
    pub token: String,
}

impl Phone {
    /// Asks for a grant of so much for a phone with this seed.
    pub async fn granted(owner: &Door, account: &str, seed: u8, cap: i64) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let asked = json!({ "device_key": hex::encode(public_key(&key)), "cap": cny(cap) });
        let made: Value = owner.post(&grants(account)).key(&format!("grant-{seed}")).json(&asked).await.json(201);
        // As a phone does: what it was given begins each of its codes, and a code of it is read back whole.
        let bytes = hex::decode(text(&made, "/signed")).unwrap();
        let code = Code::read(&[bytes.as_slice(), &[0; 72]].concat()).unwrap();
        Self { key, signed: code.signed, token: text(&made, "/grant/token").to_owned() }
    }

    pub fn code(&self, counter: u32) -> String {
        self.signed.code(&self.key, counter, seconds(now())).text()
    }
}

pub fn cny(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

pub fn grants(account: &str) -> String {
    format!("/v1/stored-value/accounts/{account}/offline-grants")
}

/// A terminal's journal.
pub struct Journal<'a> {
    till: &'a Till,
    merchant: &'a Merchant,
    entries: Vec<Entry>,
    /// By how much the terminal's clock is ahead of core's.
    pub ahead_ms: i64,
}

impl<'a> Journal<'a> {
    pub const fn of(till: &'a Till, merchant: &'a Merchant) -> Self {
        Self { till, merchant, entries: Vec::new(), ahead_ms: 0 }
    }

    /// Takes an offline code, as a terminal without a network does.
    pub fn sells(&mut self, minor: i64, code: &str) -> String {
        self.sells_for(Amount::new(minor, Currency::CNY).unwrap(), code)
    }

    pub fn sells_for(&mut self, amount: Amount, code: &str) -> String {
        let counter = self.entries.len() as u64 + 1;
        let payment = self.till.number(self.merchant, counter);
        let record = Record::OfflineSale {
            payment: payment.parse::<PaymentId>().unwrap(),
            counter: Sequence(counter),
            amount,
            code: code.to_owned(),
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            quote: None,
            reference: Some("桌 7".to_owned()),
        };
        let before = self.entries.last().map_or(GENESIS, Entry::hash);
        self.entries.push(Entry::new(Sequence(counter), now().plus(self.ahead_ms), before, record).unwrap());
        payment
    }

    pub async fn sent(&self) -> Answer {
        let batch = self.till.signed(self.merchant, &self.entries);
        self.till.door.post("/v1/terminal/journal").json(&batch).await
    }

    /// Sends all of it; why entries are held.
    pub async fn syncs(&self) -> Vec<String> {
        let ack: JournalAck = self.sent().await.json(200);
        assert_eq!(ack.through, Sequence(self.entries.len() as u64));
        ack.verdicts.into_iter().map(|verdict| verdict.why).collect()
    }
}

/// A canteen whose terminals take offline codes, and a holder with money in it.
pub struct Canteen {
    pub town: Town,
    pub merchant: Merchant,
    pub account: String,
}

impl Canteen {
    pub async fn open(minor: i64) -> Self {
        Self::in_town(Town::found().await, minor).await
    }

    pub async fn in_town(town: Town, minor: i64) -> Self {
        let merchant = town.merchant("jade").await;
        let asked = json!({ "holder": "Mei" });
        let opened: Value = merchant.owner.post("/v1/stored-value/accounts").json(&asked).await.json(201);
        let account = text(&opened, "/id").to_owned();
        let top_ups = format!("/v1/stored-value/accounts/{account}/top-ups");
        let _: Value = merchant.owner.post(&top_ups).json(&json!({ "amount": cny(minor) })).await.json(201);
        Self { town, merchant, account }
    }

    pub async fn takes_offline_codes(&self) {
        let policy = access_bodies::offline_policy(&self.merchant.account);
        let _: Value = self.merchant.owner.ask("PUT", "/v1/stored-value/offline-policy").json(&policy).await.json(200);
    }

    pub async fn shown(&self) -> (String, i64) {
        let shown: Value =
            self.merchant.owner.get(&format!("/v1/stored-value/accounts/{}", self.account)).await.json(200);
        (text(&shown, "/state").to_owned(), shown["balance"]["minor"].as_i64().unwrap())
    }

    /// What holders have, what the canteen owes those who accepted it, and what it bears itself.
    pub async fn books(&self) -> [i64; 3] {
        self.merchant.books_balance().await;
        let checked = self.town.saoma(&["ledger", "check"]).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let query = |account| {
            format!(
                "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS TEXT) AS text FROM postings WHERE account = '{account}'"
            )
        };
        ["stored_value", "stored_value_due", "risk_loss"]
            .map(|account| self.town.column(&query(account))[0].parse().unwrap())
    }

    pub async fn list(&self, till: &Till) -> OfflineList {
        till.door.get("/v1/terminal/offline-list").await.json(200)
    }

    pub fn path(&self, leaf: &str) -> String {
        format!("/v1/stored-value/accounts/{}{leaf}", self.account)
    }

    pub async fn payment(&self, number: &str) -> Value {
        self.merchant.owner.get(&format!("/v1/payments/{number}")).await.json(200)
    }
}

/// Lets terminals take offline codes, without which none is granted; a grant of the account's.
pub async fn first_grant(owner: &Door, channel_account: &str, account: &str) -> String {
    let asked = access_bodies::offline_policy(channel_account);
    let _: Value = owner.ask("PUT", "/v1/stored-value/offline-policy").json(&asked).await.json(200);
    Phone::granted(owner, account, 3, 10).await.token
}

/// How often the till is told to fetch its list, and has not said that it heard; `hears`: it says so now.
pub async fn nudges(till: &Till, hears: bool) -> usize {
    let told: Value = till.door.get("/v1/terminal/pushes?after=0").await.json(200);
    let pushes = told["pushes"].as_array().unwrap().iter();
    let ids: Vec<&Value> =
        pushes.filter(|push| push["body"]["kind"] == "offline_list_changed").map(|push| &push["id"]).collect();
    if hears {
        let answer = till.door.post("/v1/terminal/pushes/ack").json(&json!({ "ids": ids })).await;
        assert!(answer.status < 300, "{}", answer.status);
    }
    ids.len()
}
