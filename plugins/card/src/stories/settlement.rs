//! Batches at the acquirer: lost answers, the acquirer's own close, rows that it cannot be told of, a store that fails.

use saoma_channel_sdk::{
    Error, Money,
    settlement::{Batch, Row, RowKind, Settled, Tally, Total},
};
use serde_json::json;

use super::world::{Act, NOW, World, name};
use crate::settlement::{finish, settle, upload};

const NUMBER: &str = "stb_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const EQUAL: Act = Act::Totals("1");
const UNEQUAL: Act = Act::Totals("2");

fn batch(number: &str) -> Batch {
    let tally = |count, minor| Tally { count, minor };
    let total = Total { currency: "CNY".to_owned(), debits: tally(2, 2_500), credits: tally(1, 500) };
    Batch { number: number.to_owned(), totals: vec![total], rows: 3, closed_at: NOW }
}

fn row(place: u32, kind: RowKind, reference: &str) -> Row {
    let (reference, refund_reference) = match kind {
        RowKind::Refund => ("", reference),
        RowKind::Sale | RowKind::Void => (reference, ""),
    };
    Row {
        place,
        kind,
        number: "pay_a".to_owned(),
        reference: reference.to_owned(),
        refund_number: String::new(),
        refund_reference: refund_reference.to_owned(),
        amount: Money { minor: 1_250, currency: "CNY".to_owned() },
        at: NOW,
    }
}

const SALE: &str = "000000000007/000001/000403/1126/A00007/10000019";

fn told(outcome: Result<Settled, Error>) -> Result<&'static str, &'static str> {
    match outcome {
        Ok(Settled::Balanced) => Ok("balanced"),
        Ok(Settled::Differs(_)) => Ok("differs"),
        Ok(Settled::Over(_)) => Ok("over"),
        Err(error) => Err(name(&error)),
    }
}

impl World {
    fn settles(&self) -> Result<&'static str, &'static str> {
        told(settle(&self.desk(), &batch(NUMBER)))
    }

    fn uploads(&self, rows: &[Row]) -> Result<(), &'static str> {
        upload(&self.desk(), &batch(NUMBER), rows).map_err(|error| name(&error))
    }

    fn finishes(&self) -> Result<&'static str, &'static str> {
        told(finish(&self.desk(), &batch(NUMBER)))
    }

    fn traces(&self, kind: &str) -> Vec<String> {
        let heard = self.heard.borrow();
        heard.iter().filter(|message| message.kind == kind).map(|message| message.text(11).to_owned()).collect()
    }
}

#[test]
fn a_lost_answer_is_asked_for_again_by_the_same_message() {
    for lost in [Act::Silent, Act::Unsigned("00"), Act::Code("96"), Act::Totals("0"), Act::Code("ZZ")] {
        let world = World::new(&[lost, EQUAL]);
        assert_eq!((world.settles(), world.settles()), (Err("no-answer"), Ok("balanced")));
        let traces = world.traces("0500");
        assert_eq!((traces.len(), traces[0] == traces[1]), (2, true));
        // What is known is not asked again; and the next message signs on, since the batch is over.
        assert_eq!((world.settles(), world.finishes()), (Ok("balanced"), Ok("balanced")));
        world.batch.set(2);
        world.then(&[EQUAL]);
        assert_eq!(told(settle(&world.desk(), &batch("stb_b"))), Ok("balanced"));
        assert_eq!(world.last("0500", 60), "00000002201");
    }
    for refusal in ["05", "12", "30"] {
        let world = World::new(&[Act::Code(refusal), Act::Unreachable, EQUAL]);
        assert_eq!(
            (world.settles(), world.settles(), world.settles()),
            (Err("not-sent"), Err("not-sent"), Ok("balanced"))
        );
    }
    let world = World::new(&[Act::Code("95")]);
    assert_eq!(world.settles(), Ok("differs"));
}

#[test]
fn a_batch_that_the_acquirer_closed_by_itself_is_over() {
    // The first message was lost, or the batch was closed before it: nobody says what it came to.
    for acts in [vec![Act::Closes("77")], vec![Act::Silent, Act::Closes("77")]] {
        let silences = acts.len() - 1;
        let world = World::new(&acts);
        for _ in 0..silences {
            assert_eq!(world.settles(), Err("no-answer"));
        }
        assert_eq!((world.settles(), world.settles(), world.finishes()), (Ok("over"), Ok("over"), Ok("over")));
    }
    // A sign-on alone is no end.
    let world = World::new(&[Act::Code("A0"), Act::NoKeys, Act::Unsigned("A0"), EQUAL]);
    assert_eq!((world.settles(), world.settles()), (Err("no-answer"), Ok("balanced")));
    // In the middle of its rows.
    let world = World::new(&[UNEQUAL, Act::Closes("77")]);
    assert_eq!(world.settles(), Ok("differs"));
    assert_eq!((world.uploads(&[row(1, RowKind::Sale, SALE)]), world.finishes()), (Ok(()), Ok("over")));
}

#[test]
fn rows_are_sent_once_each_and_those_it_cannot_be_told_of_not_at_all() {
    let world = World::new(&[UNEQUAL, Act::Silent, Act::Code("00"), Act::Code("00"), Act::Code("00")]);
    assert_eq!(world.uploads(&[row(1, RowKind::Sale, SALE)]), Err("not-sent"), "nothing is kept of it");
    assert_eq!(world.settles(), Ok("differs"));
    let sale = [row(1, RowKind::Sale, SALE)];
    assert_eq!((world.uploads(&sale), world.uploads(&sale), world.uploads(&sale)), (Err("no-answer"), Ok(()), Ok(())));
    let traces = world.traces("0320");
    assert_eq!((traces.len(), traces[0] == traces[1]), (2, true));
    assert_eq!(world.last("0320", 48), format!("0100000403{:020}{:012}", 0, 1_250));
    // Of another batch, of another terminal, without a number; and a void, which its sale stands for.
    for (place, kind, reference) in [
        (2, RowKind::Sale, "000000000007/000002/000404/1126/A00007/10000019"),
        (3, RowKind::Sale, "000000000007/000001/000404/1126/A00007/20000019"),
        (4, RowKind::Sale, ""),
        (5, RowKind::Refund, "000000000007"),
        (6, RowKind::Void, SALE),
    ] {
        assert_eq!(world.uploads(&[row(place, kind, reference)]), Ok(()));
    }
    let refund = "000000000008/000001/000405/1126//10000019";
    assert_eq!(world.uploads(&[row(7, RowKind::Refund, refund)]), Ok(()));
    assert_eq!((world.finishes(), world.finishes()), (Ok("differs"), Ok("differs")));
    assert_eq!((world.last("0320", 48).as_str(), world.last("0320", 60).as_str()), ("0002", "00000001207"));
    assert_eq!(world.traces("0320").len(), 4);
}

/// Its card was purged between the two messages, so the acquirer does not know them as one, and never will.
#[test]
fn a_row_that_cannot_be_repeated_as_it_was_keeps_no_upload_waiting() {
    let world = World::new(&[UNEQUAL, Act::Silent, Act::Code("94"), Act::Code("00")]);
    assert_eq!(world.settles(), Ok("differs"));
    let sale = [row(1, RowKind::Sale, SALE)];
    assert_eq!((world.uploads(&sale), world.uploads(&sale)), (Err("no-answer"), Ok(())));
    assert_eq!((world.finishes(), world.last("0320", 48).as_str()), (Ok("differs"), "0000"));
}

#[test]
fn what_the_wire_cannot_say_is_not_sent() {
    let spoiled: [fn(&mut Batch); 4] = [
        |batch| batch.totals.clear(),
        |batch| batch.totals[0].currency = "USD".to_owned(),
        |batch| batch.totals[0].debits.minor = 1_000_000_000_000,
        |batch| batch.totals[0].credits.count = 1_000,
    ];
    for spoil in spoiled {
        let world = World::new(&[]);
        let mut batch = batch(NUMBER);
        spoil(&mut batch);
        assert_eq!(told(settle(&world.desk(), &batch)), Err("not-sent"));
        assert!(world.traces("0500").is_empty());
    }
    // Under another terminal number the batch is another's.
    let world = World::new(&[Act::Silent]);
    assert_eq!(world.settles(), Err("no-answer"));
    world.settings.borrow_mut()["merchant_number"] = json!("850100082410003");
    assert_eq!((world.settles(), world.traces("0500").len()), (Err("not-sent"), 1));
}

/// Another terminal's open batch is never closed in the name of this one.
#[test]
fn a_repeat_under_another_terminal_number_is_not_sent() {
    let world = World::new(&[Act::Silent, EQUAL]);
    assert_eq!(world.settles(), Err("no-answer"));
    world.settings.borrow_mut()["terminal_number"] = json!("10000020");
    assert_eq!((world.settles(), world.finishes(), world.traces("0500").len()), (Err("not-sent"), Err("not-sent"), 1));
    world.settings.borrow_mut()["terminal_number"] = json!("10000019");
    assert_eq!(world.settles(), Ok("balanced"));
}

#[test]
fn a_batch_whose_record_is_lost_is_not_begun_anew() {
    let world = World::new(&[Act::Silent, EQUAL]);
    assert_eq!(world.settles(), Err("no-answer"));
    world.kept.borrow_mut().remove("settlement").unwrap();
    world.now_ms.set(NOW + 600_001);
    assert_eq!((world.settles(), world.traces("0500").len()), (Err("no-answer"), 1));
    // One that was noted and could not be sent is no lost one, however long that lasts.
    let world = World::new(&[Act::Unreachable, EQUAL]);
    assert_eq!(world.settles(), Err("not-sent"));
    world.now_ms.set(NOW + 600_001);
    assert_eq!(world.settles(), Ok("balanced"));
}

#[test]
fn without_a_store_nothing_is_sent() {
    for fails_from in 0..12 {
        let world = World::new(&[EQUAL, EQUAL]);
        world.fails_from.set(Some(fails_from));
        let first = world.settles();
        assert!(matches!(first, Ok("balanced") | Err("not-sent" | "no-answer")), "{fails_from}: {first:?}");
        if first == Err("not-sent") {
            assert!(world.traces("0500").is_empty(), "{fails_from}");
        }
        world.fails_from.set(None);
        // A sign-on whose end could not be written down is taken for cut off first.
        let second = world.settles();
        assert!(matches!(second, Ok("balanced") | Err("not-sent")), "{fails_from}: {second:?}");
        assert_eq!(world.settles(), Ok("balanced"), "{fails_from}");
        let traces = world.traces("0500");
        assert!(traces.iter().all(|trace| *trace == traces[0]), "{fails_from}: {traces:?}");
    }
}

/// The process may end between the note that a batch is over and the end of its sign-on: the repeat makes up for it.
#[test]
fn the_sign_on_of_a_batch_that_is_over_ends_with_it() {
    let world = World::new(&[EQUAL]);
    assert_eq!(world.settles(), Ok("balanced"));
    let over = world.kept.borrow().clone();
    world.then(&[Act::Code("00")]);
    world.charge_of("pay_b").expect("the next batch's first sale");
    let signed_on = world.kept.borrow().clone();
    let is_session =
        |key: &String| signed_on.contains_key(key) && !over.contains_key(key) && key.starts_with("session");
    let session: Vec<_> = signed_on.iter().filter(|(key, _)| is_session(key)).collect();
    assert_eq!(session.len(), 1, "{:?}", signed_on.keys());
    let with_old = over.iter().chain(session).map(|(key, value)| (key.clone(), value.clone())).collect();
    world.kept.replace(with_old);
    assert_eq!(world.settles(), Ok("balanced"));
    assert!(world.kept.borrow().keys().all(|key| !key.starts_with("session")));
}
