//! A shop that sells by card while its line is down, the journals that it brings, and a line to the acquirer that can be held.

use std::time::Duration;

use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, PaymentId, Sequence,
    api::{CardDigits, OfflineList, PresentedCard},
    journal::{Entry, GENESIS, Record},
    message::JournalAck,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    access_bodies::card_policy,
    cards::{Shop, chip},
    door::Answer,
    offline_world::now,
    town::Till,
};

pub const POLICY: &str = "/v1/stored-cards/policy";
const HOUR_MS: i64 = 3_600_000;

impl Shop {
    pub async fn sells_stored(&self) {
        let _: Value = self.tea.owner.ask("PUT", POLICY).json(&card_policy(&self.account, true)).await.json(200);
    }

    pub async fn stored(&self, only: &str) -> Vec<Value> {
        let list: Value = self.tea.owner.get(&format!("/v1/stored-cards/sales?{only}")).await.json(200);
        list["items"].as_array().unwrap().clone()
    }

    pub async fn payment(&self, number: &str) -> Value {
        self.tea.owner.get(&format!("/v1/payments/{number}")).await.json(200)
    }

    pub async fn list(&self, till: &Till) -> OfflineList {
        till.door.get("/v1/terminal/offline-list").await.json(200)
    }

    /// Tells core another address of the acquirer's, from which it waits for answers long; where it was before.
    pub async fn moves_to(&self, address: &str) -> String {
        let path = format!("/v1/channel-accounts/{}", self.account);
        let account: Value = self.tea.owner.get(&path).await.json(200);
        let mut settings = account["settings"].clone();
        let before = settings["address"].as_str().unwrap().to_owned();
        settings["address"] = json!(address);
        settings["answer_timeout_s"] = json!(30);
        let change = json!({ "version": account["version"], "settings": settings });
        let _: Value = self.tea.owner.ask("PATCH", &path).json(&change).await.json(200);
        before
    }

    pub async fn books_hold(&self) {
        self.tea.books_balance().await;
        let checked = self.town.saoma(&["ledger", "check"]).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}

/// What a terminal says of a sale.
pub struct Sold {
    pub payment: PaymentId,
    pub counter: Sequence,
    pub account: ChannelAccountId,
    pub card: PresentedCard,
    pub digits: CardDigits,
}

/// The journal of a terminal whose line is down.
pub struct Journal<'a> {
    shop: &'a Shop,
    till: &'a Till,
    pub entries: Vec<Entry>,
}

impl<'a> Journal<'a> {
    pub const fn of(till: &'a Till, shop: &'a Shop) -> Self {
        Self { shop, till, entries: Vec::new() }
    }

    /// Sells an hour ago; the number.
    pub fn sells(&mut self, change: impl FnOnce(&mut PresentedCard)) -> String {
        self.sells_so(|sold| change(&mut sold.card))
    }

    /// The same, of a terminal that may be wrong about more than the card.
    pub fn sells_so(&mut self, change: impl FnOnce(&mut Sold)) -> String {
        let counter = self.entries.len() as u64 + 1;
        let payment = self.till.number(&self.shop.tea, counter);
        let mut card: PresentedCard = serde_json::from_value(chip()).unwrap();
        card.pin = None;
        let mut sold = Sold {
            payment: payment.parse().unwrap(),
            counter: Sequence(counter),
            account: self.shop.account.parse().unwrap(),
            card,
            digits: CardDigits::new("401234", "8909").unwrap(),
        };
        change(&mut sold);
        self.write(Record::StoredCardSale {
            payment: sold.payment,
            counter: sold.counter,
            amount: Amount::new(1_250, Currency::CNY).unwrap(),
            channel_account: sold.account,
            card: sold.card,
            digits: sold.digits,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            quote: None,
            reference: Some("桌 7".to_owned()),
        });
        payment
    }

    pub fn write(&mut self, record: Record) {
        let (sequence, before) =
            (Sequence(self.entries.len() as u64 + 1), self.entries.last().map_or(GENESIS, Entry::hash));
        self.entries.push(Entry::new(sequence, sold_at(), before, record).unwrap());
    }

    pub async fn sent(&self) -> Answer {
        self.till.door.post("/v1/terminal/journal").json(&self.till.signed(&self.shop.tea, &self.entries)).await
    }

    /// Sends all of it; why entries are held.
    pub async fn syncs(&self) -> Vec<String> {
        let ack: JournalAck = self.sent().await.json(200);
        assert_eq!(ack.through, Sequence(self.entries.len() as u64));
        ack.verdicts.into_iter().map(|verdict| verdict.why).collect()
    }
}

pub fn sold_at() -> Millis {
    now().plus(-HOUR_MS)
}

pub fn as_it_is(_: &mut PresentedCard) {}

/// Another reading of the same card. (Encrypted by OpenSSL under the key of that serial number; without EMV data of its own, since the
/// acquirer here does not look at what the chip signed.)
pub fn read_again(card: &mut PresentedCard) {
    card.ksn = "FFFF9876543210E00003".to_owned();
    card.number = "bd751e65f10e75b6a7fa2c5774b2da21548508f3d8ffe9dd".to_owned();
    card.track_2 = Some("bd751e65f10e75b6a7fa2c5774b2da211845a8eced1fa5e8b466846b43e445d1".to_owned());
}

/// A line to the acquirer on which its answers can be held back.
pub struct Gate {
    open: watch::Sender<bool>,
    holding: watch::Receiver<bool>,
}

impl Gate {
    /// To the shop's acquirer; open.
    pub async fn before(shop: &Shop) -> Self {
        let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let acquirer = shop.moves_to(&format!("tcp://{}", line.local_addr().unwrap())).await;
        let acquirer = acquirer.rsplit("//").next().unwrap().to_owned();
        let ((open, opened), (holds, holding)) = (watch::channel(true), watch::channel(false));
        tokio::spawn(async move {
            while let Ok((core, _)) = line.accept().await {
                tokio::spawn(carried(core, acquirer.clone(), opened.clone(), holds.clone()));
            }
        });
        Self { open, holding }
    }

    pub fn closes(&self) {
        self.open.send_replace(false);
    }

    /// Once the acquirer has answered, and core has not heard it.
    pub async fn holds_an_answer(&mut self) {
        let holding = self.holding.wait_for(|holding| *holding);
        tokio::time::timeout(Duration::from_secs(30), holding).await.expect("the acquirer answers").unwrap();
    }

    pub fn opens(&self) {
        self.open.send_replace(true);
    }
}

async fn carried(
    core: TcpStream,
    acquirer: String,
    mut open: watch::Receiver<bool>,
    holds: watch::Sender<bool>,
) -> Option<()> {
    let acquirer = TcpStream::connect(acquirer).await.ok()?;
    let ((mut from_core, mut to_core), (mut from_acquirer, mut to_acquirer)) =
        (core.into_split(), acquirer.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_core, &mut to_acquirer).await });
    let mut bytes = [0; 4_096];
    loop {
        let read = from_acquirer.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        let is_open = *open.borrow();
        holds.send_replace(!is_open);
        open.wait_for(|open| *open).await.ok()?;
        holds.send_replace(false);
        to_core.write_all(&bytes[..read]).await.ok()?;
    }
}
