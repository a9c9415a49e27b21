//! A host for the stories: a store that can fail, and an acquirer that does as it is told.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use saoma_channel_sdk::{
    Account, Error, KnownOrder, Money, Order, PaymentAnswer, PaymentStatus, Presenter, RefundOrder, RefundStatus,
    bindings::saoma::channel::keys::{self, KeyUse},
    card::{EntryMode, PresentedCard},
    kv, log,
    tcp::Answer,
};
use serde_json::{Value as Json, json};

use crate::{
    desk::Desk,
    host::{Host, Slots},
    messages::{
        Settings,
        codec::{self, Draft, Encoded, Value},
    },
    payment::{cancel, charge, query},
    refund,
};

pub const NOW: i64 = 1_795_665_600_000;
pub const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What the acquirer does with the next message that is no sign-on.
#[derive(Clone, Copy)]
pub enum Act {
    /// The response code, under a right MAC.
    Code(&'static str),
    /// The response code, under none.
    Unsigned(&'static str),
    Silent,
    Unreachable,
    NoKeys,
    /// The batch is closed: this code, under a right MAC, and sign-ons name the next from now on.
    Closes(&'static str),
    /// Approves, and the header asks for a sign-on.
    WantsSignOn,
    /// 00 under a right MAC, and the totals as they came with these flags.
    Totals(&'static str),
    /// Another call, from where this message is on its way, and then this code.
    Beside(fn(&World), &'static str),
}

#[derive(Default)]
pub struct World {
    pub kept: RefCell<BTreeMap<String, Vec<u8>>>,
    pub acts: RefCell<Vec<Act>>,
    pub heard: RefCell<Vec<codec::Answer>>,
    pub batch: Cell<u32>,
    pub now_ms: Cell<i64>,
    /// From this operation of the store on it fails.
    pub fails_from: Cell<Option<usize>>,
    /// The next sign-on has no answer.
    pub is_sign_on_silent: Cell<bool>,
    /// At the next sign-on.
    pub at_sign_on: Cell<Option<fn(&World)>>,
    /// While a call waits for another's sign-on.
    pub at_wait: Cell<Option<fn(&World)>>,
    /// The acquirer's keys for MACs are of 8 bytes, whatever the settings say.
    pub has_short_mac_key: Cell<bool>,
    pub operations: Cell<usize>,
    pub settings: RefCell<Json>,
}

impl World {
    pub fn new(acts: &[Act]) -> Self {
        let world = Self { acts: RefCell::new(acts.to_vec()), ..Self::default() };
        world.batch.set(1);
        world.now_ms.set(NOW);
        *world.settings.borrow_mut() = json!({
            "address": "tcp://10.0.0.1:7001", "terminal_number": "10000019", "merchant_number": "850100082410002", "mac": "unionpay-ecb",
        });
        world
    }

    pub fn with(self, name: &str, value: &str) -> Self {
        self.settings.borrow_mut()[name] = json!(value);
        self
    }

    pub fn then(&self, acts: &[Act]) {
        self.acts.borrow_mut().extend_from_slice(acts);
    }

    pub fn desk(&self) -> Desk<'_> {
        let settings_json = self.settings.borrow().to_string();
        let account = Account { id: "cha_1".to_owned(), settings_json, notify_url: String::new() };
        let card = PresentedCard {
            entry: EntryMode::Keyed,
            number_masked: "401234***8909".to_owned(),
            track_2_length: 0,
            service_code: String::new(),
            sequence_number: None,
            emv: Vec::new(),
            has_pin: false,
        };
        Desk::open(self, &account, Some(card)).unwrap()
    }

    pub fn charge_of(&self, number: &str) -> Result<PaymentAnswer, Error> {
        charge(&self.desk(), &Self::order(number))
    }

    pub fn order(number: &str) -> Order {
        let text = String::new;
        Order {
            number: number.to_owned(),
            amount: cny(1_250),
            subject: text(),
            merchant_name: text(),
            store_id: text(),
            store_name: text(),
            terminal_id: text(),
            terminal_name: text(),
            created_at: NOW,
            expires_at: NOW + 120_000,
        }
    }

    pub fn charge(&self) -> Told {
        told(self.charge_of(NUMBER))
    }

    fn known(reference: &str) -> KnownOrder {
        KnownOrder {
            number: NUMBER.to_owned(),
            reference: reference.to_owned(),
            amount: cny(1_250),
            presented_by: Presenter::Customer,
            created_at: NOW,
        }
    }

    pub fn cancel(&self) -> Told {
        told(cancel(&self.desk(), &Self::known("")))
    }

    pub fn query(&self) -> Told {
        told(query(&self.desk(), &Self::known("")))
    }

    pub fn refund(&self) -> Result<RefundStatus, &'static str> {
        let order = refund_order(NOW);
        refund::refund(&self.desk(), &order).map(|answer| answer.status).map_err(|error| name(&error))
    }

    /// Types of the messages so far.
    pub fn kinds(&self) -> Vec<String> {
        self.heard.borrow().iter().map(|message| message.kind.clone()).collect()
    }

    pub fn last(&self, kind: &str, field: u8) -> String {
        let heard = self.heard.borrow();
        heard.iter().rev().find(|message| message.kind == kind).unwrap().text(field).to_owned()
    }

    fn operation(&self) -> Result<(), kv::Error> {
        let count = self.operations.get();
        self.operations.set(count + 1);
        match self.fails_from.get() {
            Some(from) if count >= from => Err(kv::Error::Unavailable("the store is away".to_owned())),
            _ => Ok(()),
        }
    }
}

/// What core is told.
pub type Told = Result<&'static str, &'static str>;

pub fn name(error: &Error) -> &'static str {
    match error {
        Error::NoAnswer(_) => "no-answer",
        Error::NotSent(_) => "not-sent",
        Error::Misconfigured(_) => "misconfigured",
        Error::Unsupported => "unsupported",
    }
}

pub fn told(outcome: Result<PaymentAnswer, Error>) -> Told {
    match outcome {
        Ok(answer) => Ok(match answer.status {
            PaymentStatus::Succeeded => "succeeded",
            PaymentStatus::Failed(_) => "failed",
            PaymentStatus::Closed => "closed",
            PaymentStatus::NotFound => "not-found",
            _ => "another",
        }),
        Err(error) => Err(name(&error)),
    }
}

fn cny(minor: i64) -> Money {
    Money { minor, currency: "CNY".to_owned() }
}

impl Host for World {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        self.operation()?;
        Ok(self.kept.borrow().get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        self.operation()?;
        self.kept.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), kv::Error> {
        self.operation()?;
        self.kept.borrow_mut().remove(key);
        Ok(())
    }

    fn next(&self, key: &str) -> Result<u64, kv::Error> {
        self.operation()?;
        let mut kept = self.kept.borrow_mut();
        let count = kept.get(key).map_or(0, |bytes| String::from_utf8_lossy(bytes).parse::<u64>().unwrap());
        kept.insert(key.to_owned(), (count + 1).to_string().into_bytes());
        Ok(count + 1)
    }

    fn load(&self, _: &str, _: KeyUse, _: &[u8], _: &[u8]) -> Result<(), keys::Error> {
        Ok(())
    }

    fn exchange(&self, _: &Settings, message: &Encoded, _: Option<&Slots>, _: u32) -> Result<Option<Answer>, Error> {
        let read = codec::decode(&message.bytes).unwrap();
        self.heard.borrow_mut().push(read.clone());
        if read.kind == "0800" {
            if let Some(beside) = self.at_sign_on.take() {
                beside(self);
            }
            if self.is_sign_on_silent.take() {
                return Err(Error::NoAnswer("in time".to_owned()));
            }
            let is_short = self.settings.borrow()["mac"] == "unionpay-ecb" || self.has_short_mac_key.get();
            let halves = if is_short { [[3; 8], [0; 8]] } else { [[3; 8], [5; 8]] };
            let keys = [&[1; 16][..], &[2; 4], halves.as_flattened(), &[4; 4]].concat();
            let batch = format!("00{:06}003", self.batch.get());
            return Ok(Some(answer(&read, "00", true, false, &[(60, batch.into()), (62, keys.into())])));
        }
        let act = self.acts.borrow_mut().remove(0);
        let said = |code: &str, mac_fits, wants| Ok(Some(answer(&read, code, mac_fits, wants, &[])));
        match act {
            Act::Code(code) => said(code, true, false),
            Act::Unsigned(code) => said(code, false, false),
            Act::Silent => Err(Error::NoAnswer("in time".to_owned())),
            Act::Unreachable => {
                self.heard.borrow_mut().pop();
                Err(Error::NotSent("nobody there".to_owned()))
            }
            Act::NoKeys => {
                self.heard.borrow_mut().pop();
                Ok(None)
            }
            Act::Closes(code) => {
                self.batch.set(self.batch.get() + 1);
                said(code, true, false)
            }
            Act::Totals(flag) => {
                let said = read.text(48);
                let (home, foreign) = (said.get(..30).unwrap(), said.get(31..61).unwrap());
                let totals = format!("{home}{flag}{foreign}{flag}");
                Ok(Some(answer(&read, "00", true, false, &[(48, totals.into())])))
            }
            Act::WantsSignOn => said("00", true, true),
            Act::Beside(call, code) => {
                call(self);
                said(code, true, false)
            }
        }
    }

    fn now(&self) -> i64 {
        self.now_ms.get()
    }

    fn wait(&self, ms: u32) {
        self.now_ms.set(self.now_ms.get() + i64::from(ms));
        if let Some(meanwhile) = self.at_wait.take() {
            meanwhile(self);
        }
    }

    fn log(&self, _: log::Level, _: &str) {}
}

fn answer(asked: &codec::Answer, code: &str, mac_fits: bool, wants: bool, more: &[(u8, Value)]) -> Answer {
    let kind = match asked.kind.as_str() {
        "0800" => "0810",
        "0200" => "0210",
        "0220" => "0230",
        "0500" => "0510",
        "0320" => "0330",
        _ => "0410",
    };
    let mut fields: BTreeMap<u8, Value> = asked
        .fields
        .iter()
        .filter(|(field, _)| matches!(field, 3 | 4 | 11 | 41 | 42 | 60 | 64))
        .map(|(field, said)| (*field, Value::Said(said.clone())))
        .collect();
    fields.insert(39, code.into());
    if kind == "0210" || kind == "0230" {
        fields.extend([(12, "115959".into()), (13, "1126".into()), (37, "000000000007".into()), (38, "A00007".into())]);
    }
    fields.extend(more.iter().cloned());
    let [id, d0, d1, s0, s1] = asked.tpdu;
    let mut header = asked.header;
    header[2] = header[2] & 0xf0 | if wants { 3 } else { 0 };
    let message = codec::encode(&Draft { kind, fields }, [id, s0, s1, d0, d1], header).unwrap().bytes;
    Answer { message, mac_fits }
}

pub fn refund_order(created_at: i64) -> RefundOrder {
    RefundOrder {
        number: NUMBER.to_owned(),
        reference: "000000000007/000001/000403/1126/A00007/10000019".to_owned(),
        refund_number: REFUND.to_owned(),
        amount: cny(500),
        total: cny(1_250),
        reason: String::new(),
        created_at,
    }
}
