//! What is sent when, with a store and an acquirer of this file: what two calls at once, a store that fails, and somebody on the
//! wire can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

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
    desk::{Desk, SLOTS},
    host::{Host, Slots},
    messages::{
        Settings,
        codec::{self, Draft, Encoded, Value},
    },
    payment::{cancel, charge, query},
    record::State,
    refund,
};

const NOW: i64 = 1_795_665_600_000;
const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What the acquirer does with the next message of a kind. Sign-ons are always answered.
#[derive(Clone, Copy)]
enum Act {
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
    /// Another call, from where this message is on its way, and then this code.
    Beside(fn(&World), &'static str),
}

#[derive(Default)]
struct World {
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    acts: RefCell<Vec<Act>>,
    heard: RefCell<Vec<codec::Answer>>,
    batch: Cell<u32>,
    now_ms: Cell<i64>,
    /// From this operation of the store on it fails.
    fails_from: Cell<Option<usize>>,
    /// At the next sign-on.
    at_sign_on: Cell<Option<fn(&World)>>,
    operations: Cell<usize>,
    settings: RefCell<Json>,
}

impl World {
    fn new(acts: &[Act]) -> Self {
        let world = Self { acts: RefCell::new(acts.to_vec()), ..Self::default() };
        world.batch.set(1);
        world.now_ms.set(NOW);
        *world.settings.borrow_mut() = json!({
            "address": "tcp://10.0.0.1:7001", "terminal_number": "10000019", "merchant_number": "850100082410002", "mac": "unionpay-ecb",
        });
        world
    }

    fn with(self, name: &str, value: &str) -> Self {
        self.settings.borrow_mut()[name] = json!(value);
        self
    }

    fn then(&self, acts: &[Act]) {
        self.acts.borrow_mut().extend_from_slice(acts);
    }

    fn desk(&self) -> Desk<'_> {
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

    fn charge_of(&self, number: &str) -> Result<PaymentAnswer, Error> {
        let text = String::new;
        let order = Order {
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
        };
        charge(&self.desk(), &order)
    }

    fn charge(&self) -> Told {
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

    fn cancel(&self) -> Told {
        told(cancel(&self.desk(), &Self::known("")))
    }

    fn query(&self) -> Told {
        told(query(&self.desk(), &Self::known("")))
    }

    fn refund(&self) -> Result<RefundStatus, &'static str> {
        let order = refund_order(NOW);
        refund::refund(&self.desk(), &order).map(|answer| answer.status).map_err(|error| name(&error))
    }

    /// Types of the messages so far.
    fn kinds(&self) -> Vec<String> {
        self.heard.borrow().iter().map(|message| message.kind.clone()).collect()
    }

    fn last(&self, kind: &str, field: u8) -> String {
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
type Told = Result<&'static str, &'static str>;

fn name(error: &Error) -> &'static str {
    match error {
        Error::NoAnswer(_) => "no-answer",
        Error::NotSent(_) => "not-sent",
        Error::Misconfigured(_) => "misconfigured",
        Error::Unsupported => "unsupported",
    }
}

fn told(outcome: Result<PaymentAnswer, Error>) -> Told {
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
            let keys = [&[1; 16][..], &[2; 4], &[3; 8], &[0; 8], &[4; 4]].concat();
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

    fn log(&self, _: log::Level, _: &str) {}
}

fn answer(asked: &codec::Answer, code: &str, mac_fits: bool, wants: bool, more: &[(u8, Value)]) -> Answer {
    let kind = match asked.kind.as_str() {
        "0800" => "0810",
        "0200" => "0210",
        "0220" => "0230",
        _ => "0410",
    };
    let mut fields: BTreeMap<u8, Value> = asked
        .fields
        .iter()
        .filter(|(field, _)| matches!(field, 3 | 4 | 11 | 41 | 42 | 64))
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

/// The first sale may be held back, and come once the second was approved.
#[test]
fn a_sale_that_somebody_may_hold_back_is_not_sent_again() {
    for (asked, seen, outcome, kinds, then) in [
        (Act::Unsigned("A0"), "25", Err("no-answer"), "0800 0200 0800 0400", Ok("not-found")),
        (Act::Unsigned("A0"), "00", Ok("succeeded"), "0800 0200 0800 0400 0200", Ok("closed")),
        (Act::Unsigned("A0"), "12", Err("no-answer"), "0800 0200 0800 0400", Err("no-answer")),
        (Act::Code("A0"), "", Ok("succeeded"), "0800 0200 0800 0200", Ok("closed")),
    ] {
        let world = World::new(&[asked]);
        if seen.is_empty() {
            world.then(&[Act::Code("00")]);
        } else {
            world.then(&[Act::Code(seen), Act::Code("00")]);
        }
        assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (outcome, kinds), "{seen}");
        *world.acts.borrow_mut() = vec![Act::Code(if seen.is_empty() { "00" } else { seen })];
        assert_eq!(world.cancel(), then, "{seen}");
    }
    // Over TLS nobody sits between.
    let acts = [Act::Unsigned("A0"), Act::Code("25"), Act::Code("00")];
    let world = World::new(&acts).with("address", "tls://acquirer.example:1");
    assert_eq!((world.charge(), world.kinds().len()), (Ok("succeeded"), 5));
    // What is left of the second message is known to have had no effect, and the first is undone.
    let world = World::new(&[Act::Unsigned("A0"), Act::Code("00"), Act::Unreachable]);
    assert_eq!((world.charge(), world.query()), (Err("not-sent"), Ok("not-found")));
}

#[test]
fn a_void_in_doubt_is_never_called_paid() {
    // The void is not answered, and the acquirer has it not: it may still come.
    for refusal in ["12", "25", "94", "96"] {
        let world = World::new(&[Act::Code("00"), Act::Silent, Act::Code("25"), Act::Code(refusal)]);
        assert_eq!(
            (world.charge(), world.cancel(), world.cancel()),
            (Ok("succeeded"), Err("no-answer"), Err("no-answer"))
        );
        assert_eq!(world.query(), Err("no-answer"), "{refusal}");
    }
    // The same, and then the batch is closed.
    let world = World::new(&[Act::Code("00"), Act::Silent, Act::Code("25"), Act::Closes("77")]);
    assert_eq!((world.charge(), world.cancel(), world.cancel()), (Ok("succeeded"), Err("no-answer"), Err("no-answer")));
    assert_eq!((world.cancel(), world.query()), (Err("no-answer"), Err("no-answer")));
    // A void whose number is another's is not reversed.
    let world = World::new(&[Act::Code("00"), Act::Code("94"), Act::Code("00")]);
    assert_eq!((world.charge(), world.cancel(), world.cancel()), (Ok("succeeded"), Err("no-answer"), Ok("closed")));
    assert_eq!(world.kinds().join(" "), "0800 0200 0200 0200");
    // Without any doubt it is paid.
    let world = World::new(&[Act::Code("00"), Act::Code("12")]);
    assert_eq!((world.charge(), world.cancel(), world.query()), (Ok("succeeded"), Ok("succeeded"), Ok("succeeded")));
}

#[test]
fn a_cancel_beside_a_charge() {
    // While the sale is on its way: the reversal is acknowledged, and the approval after it is not believed.
    let beside: fn(&World) = |world| {
        world.acts.borrow_mut().insert(0, Act::Code("00"));
        assert_eq!(world.cancel(), Ok("closed"));
    };
    let world = World::new(&[Act::Beside(beside, "00")]);
    assert_eq!((world.charge(), world.query(), world.cancel()), (Err("no-answer"), Ok("closed"), Ok("closed")));
    // The same, and the acquirer has not seen it yet: it is reversed again.
    let beside: fn(&World) = |world| {
        world.acts.borrow_mut().insert(0, Act::Code("25"));
        assert_eq!(world.cancel(), Ok("not-found"));
    };
    let world = World::new(&[Act::Beside(beside, "00"), Act::Code("00")]);
    assert_eq!((world.charge(), world.query(), world.cancel()), (Err("no-answer"), Err("no-answer"), Ok("closed")));
    // During the sign-on before it: what cancel said not to be there is not sent.
    let world = World::new(&[]);
    world.at_sign_on.set(Some(|world| assert_eq!(world.cancel(), Ok("not-found"))));
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Err("not-sent"), "0800"));
    assert_eq!(world.cancel(), Ok("not-found"));
}

#[test]
fn two_voids_at_once() {
    // One is carried out while the other is refused: the refusal is not believed.
    let beside: fn(&World) = |world| {
        // The one beside reverses the void that is on its way, and voids.
        world.acts.borrow_mut().splice(0..0, [Act::Code("25"), Act::Code("00")]);
        assert_eq!(world.cancel(), Ok("closed"));
    };
    let world = World::new(&[Act::Code("00"), Act::Beside(beside, "12")]);
    assert_eq!((world.charge(), world.cancel(), world.query()), (Ok("succeeded"), Err("no-answer"), Ok("closed")));
    // The void is approved while another call reverses it.
    let beside: fn(&World) = |world| {
        world.acts.borrow_mut().splice(0..0, [Act::Code("00"), Act::Silent]);
        assert_eq!(world.cancel(), Err("no-answer"));
    };
    let world = World::new(&[Act::Code("00"), Act::Beside(beside, "00")]);
    assert_eq!((world.charge(), world.cancel(), world.query()), (Ok("succeeded"), Err("no-answer"), Err("no-answer")));
}

#[test]
fn two_calls_under_one_number_send_once() {
    let again: fn(&World) = |world| assert_eq!(world.charge(), Err("no-answer"));
    let world = World::new(&[Act::Beside(again, "00")]);
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Ok("succeeded"), "0800 0200"));
    // Both before anything is sent: none is, or one.
    let world = World::new(&[]);
    world.at_sign_on.set(Some(again));
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Err("not-sent"), "0800"));
    // No record, and the other has just come in.
    let world = World::new(&[]);
    world.next(&format!("turn/{NUMBER}")).unwrap();
    assert_eq!((world.charge(), world.kinds().len()), (Err("no-answer"), 0));
    // A refund too.
    let again: fn(&World) = |world| assert_eq!(world.refund(), Err("no-answer"));
    let world = World::new(&[Act::Beside(again, "00")]);
    assert_eq!((world.refund(), world.kinds().join(" ").as_str()), (Ok(RefundStatus::Succeeded), "0800 0220"));
    // What was not sent is sent when it is asked for again, and what is old and unknown is not.
    let world = World::new(&[Act::Unreachable, Act::NoKeys, Act::Code("00")]);
    assert_eq!((world.charge(), world.charge(), world.charge()), (Err("not-sent"), Ok("succeeded"), Ok("succeeded")));
    let world = World::new(&[]);
    world.now_ms.set(NOW + 600_001);
    assert_eq!((world.charge(), world.refund(), world.kinds().len()), (Err("no-answer"), Err("no-answer"), 0));
}

#[test]
fn reversals_are_of_the_terminal_that_sold() {
    for (name, value) in [("terminal_number", "10000018"), ("merchant_number", "850100082410001")] {
        let world = World::new(&[Act::Code("00"), Act::Silent, Act::Code("00")]);
        assert!(world.charge_of("pay_another").is_ok());
        assert_eq!(world.charge(), Err("no-answer"));
        let before = world.settings.borrow()[name].clone();
        world.settings.borrow_mut()[name] = json!(value);
        let kinds = world.kinds();
        assert_eq!((world.cancel(), world.kinds()), (Err("no-answer"), kinds), "{name}");
        world.settings.borrow_mut()[name] = before;
        assert_eq!(world.cancel(), Ok("closed"), "{name}");
    }
}

#[test]
fn what_is_not_found_in_a_closed_batch_is_not_called_so() {
    let world = World::new(&[Act::Silent, Act::Closes("77"), Act::Code("25")]);
    assert_eq!((world.charge(), world.cancel()), (Err("no-answer"), Err("no-answer")));
    let world = World::new(&[Act::Silent, Act::Code("25"), Act::Code("00")]);
    assert_eq!((world.charge(), world.cancel(), world.cancel()), (Err("no-answer"), Ok("not-found"), Ok("closed")));
}

#[test]
fn a_trace_number_that_is_anothers_is_not_reversed() {
    let world = World::new(&[Act::Code("94")]);
    assert_eq!((world.charge(), world.query(), world.cancel()), (Err("no-answer"), Err("no-answer"), Err("no-answer")));
    assert_eq!(world.kinds().join(" "), "0800 0200");
}

/// A store that is lost, minutes later, in the same batch.
#[test]
fn trace_numbers_are_not_given_again() {
    let traces = |world: &World| {
        let desk = world.desk();
        (0..5).map(|_| desk.trace().unwrap()).collect::<Vec<_>>()
    };
    let (first, second) = (World::new(&[]), World::new(&[]));
    second.now_ms.set(NOW + 64_000);
    let (first, second) = (traces(&first), traces(&second));
    assert!(second.iter().all(|trace| !first.contains(trace)), "{first:?} {second:?}");
    assert!(first.windows(2).all(|pair| pair[1] == pair[0] + 1), "{first:?}");
    // After the largest comes 1.
    let world = World::new(&[]);
    world.set("trace-base/10000019", b"999996").unwrap();
    assert_eq!(traces(&world), [999_998, 999_999, 1, 2, 3]);
    world.set("trace-base/10000019", b"spoiled").unwrap();
    assert_eq!(world.desk().trace().map_err(|error| name(&error)), Err("not-sent"));
}

#[test]
fn records_make_room_once_they_are_over() {
    let number = |n: u64| format!("pay_{n:026}");
    let world = World::new(&[]);
    for n in 0..SLOTS {
        world.then(&[Act::Silent]);
        assert_eq!(told(world.charge_of(&number(n))), Err("no-answer"));
    }
    let keys = world.kept.borrow().len();
    assert!(keys < 1_000, "{keys}");
    // Full of what has no end: nothing is sold, and nothing is left in the store.
    assert_eq!((world.charge(), world.kept.borrow().len()), (Err("not-sent"), keys));
    // One is over, and is found although it is not the first that is looked at.
    let slot =
        |world: &World| String::from_utf8(world.get("orders").unwrap().unwrap()).unwrap().parse::<u64>().unwrap();
    let over = String::from_utf8(world.get(&format!("slot/{}", (slot(&world) + 5) % SLOTS)).unwrap().unwrap()).unwrap();
    world.set(&format!("order/{over}"), &State::Undone.written()).unwrap();
    world.then(&[Act::Code("00")]);
    assert_eq!((world.charge(), world.kept.borrow().len()), (Ok("succeeded"), keys));
    assert_eq!(world.get(&format!("turn/{over}")).unwrap(), None);
    assert_eq!(world.desk().record(&over), Ok(None));
    // After a week all are.
    world.now_ms.set(NOW + 8 * 86_400_000);
    let other = refund_order(world.now_ms.get());
    world.then(&[Act::Code("00")]);
    assert_eq!(refund::refund(&world.desk(), &other).map(|answer| answer.status), Ok(RefundStatus::Succeeded));
}

fn refund_order(created_at: i64) -> RefundOrder {
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

#[test]
fn refunds_without_a_mac() {
    let world = World::new(&[Act::Unsigned("A0")]);
    assert_eq!((world.refund(), world.kinds().join(" ").as_str()), (Err("no-answer"), "0800 0220 0800"));
    assert_eq!((world.refund(), world.kinds().len()), (Err("no-answer"), 3));
    let world = World::new(&[Act::Unsigned("A0"), Act::Code("00")]).with("address", "tls://acquirer.example:1");
    assert_eq!((world.refund(), world.kinds().len()), (Ok(RefundStatus::Succeeded), 4));
    let world = World::new(&[Act::Unreachable, Act::Code("00")]);
    assert_eq!((world.refund(), world.refund()), (Err("not-sent"), Ok(RefundStatus::Succeeded)));
}

#[test]
fn a_header_that_asks_for_a_sign_on_has_one_before_the_next() {
    let world = World::new(&[Act::WantsSignOn, Act::Code("00")]);
    assert_eq!(world.charge(), Ok("succeeded"));
    assert!(world.charge_of("pay_another").is_ok());
    assert_eq!(world.kinds().join(" "), "0800 0200 0800 0200");
}

#[test]
fn a_reversal_says_why() {
    for (act, reason) in [(Act::Silent, "98"), (Act::Unsigned("00"), "A0")] {
        let world = World::new(&[act, Act::Code("00")]);
        assert_eq!((world.charge(), world.cancel()), (Err("no-answer"), Ok("closed")));
        assert_eq!(world.last("0400", 39), reason);
        assert_eq!(world.last("0400", 11), world.last("0200", 11));
    }
}

#[test]
fn a_key_that_the_mac_does_not_take_is_named() {
    let world = World::new(&[]).with("mac", "retail");
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Err("misconfigured"), "0800"));
}

/// Wherever it fails: no second sale, and never a claim that the next reversal would make wrong.
#[test]
fn a_store_that_fails() {
    let all = {
        let world = World::new(&[Act::Code("00")]);
        assert_eq!(world.charge(), Ok("succeeded"));
        world.operations.get()
    };
    for from in 0..all {
        let world = World::new(&[Act::Code("00")]);
        world.fails_from.set(Some(from));
        let outcome = world.charge();
        let sold = world.kinds().iter().filter(|kind| *kind == "0200").count();
        assert!(matches!(outcome, Err("not-sent" | "no-answer")), "{from}: {outcome:?}");
        assert!(sold == 0 || outcome == Err("no-answer"), "{from}: {outcome:?}");
        world.fails_from.set(None);
        *world.acts.borrow_mut() = vec![Act::Code(if sold == 0 { "25" } else { "00" })];
        let undone = world.cancel();
        let expected: &[Told] = if sold == 0 { &[Ok("not-found"), Err("no-answer")] } else { &[Ok("closed")] };
        assert!(expected.contains(&undone), "{from}: {undone:?}");
    }
}
