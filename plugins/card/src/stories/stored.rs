//! What was sold without a network: told once whatever becomes of the answers, and never taken back.

use saoma_channel_sdk::Order;

use super::world::{Act, NOW, NUMBER, Told, World, told};
use crate::{host::Host as _, record::State, stored::forward};

const HOUR_MS: i64 = 3_600_000;

impl World {
    /// Sold an hour before core heard of it.
    fn forwards(&self) -> Told {
        let order = Order { created_at: NOW, ..Self::order(NUMBER) };
        told(forward(&self.desk(), &order, NOW - HOUR_MS))
    }

    fn advices(&self) -> Vec<String> {
        let heard = self.heard.borrow();
        let advices = heard.iter().filter(|message| message.kind == "0220");
        advices.map(|message| [11, 13, 12, 60].map(|field| message.text(field)).join(" ")).collect()
    }
}

#[test]
fn a_sale_is_told_with_its_time_until_there_is_an_answer() {
    for act in [Act::Silent, Act::Unsigned("00"), Act::Code("96"), Act::Unsigned("A0")] {
        let world = World::new(&[act, Act::Code("00")]);
        let first = world.forwards();
        // Whoever asks for a sign-on without a MAC may have kept the answer back: the same message goes out at once.
        let expected = if matches!(act, Act::Unsigned("A0")) { Ok("succeeded") } else { Err("no-answer") };
        assert_eq!(first, expected);
        // Long after, and although nobody cancels it, a cancel changes nothing.
        if first.is_err() {
            assert_eq!((world.query(), world.cancel()), (Err("no-answer"), Err("no-answer")));
        }
        world.now_ms.set(NOW + 5 * HOUR_MS);
        assert_eq!((world.forwards(), world.forwards()), (Ok("succeeded"), Ok("succeeded")));
        let advices = world.advices();
        assert_eq!(advices.len(), 2, "{advices:?}");
        assert_eq!(advices[0], advices[1]);
        assert!(advices[0].ends_with("1126 110000 30000001000600"), "{advices:?}");
        assert!(!world.kinds().contains(&"0400".to_owned()));
    }
}

#[test]
fn a_refusal_is_the_end() {
    for code in ["01", "05", "14", "36", "41", "45", "51", "54", "57", "61", "62", "75"] {
        let world = World::new(&[Act::Silent, Act::Code(code)]);
        let told = (world.forwards(), world.forwards(), world.forwards());
        assert_eq!(told, (Err("no-answer"), Ok("failed"), Ok("failed")), "{code}");
        assert_eq!((world.advices().len(), world.query()), (2, Ok("failed")), "{code}");
    }
}

/// The card has nothing to do with it, and the goods are gone.
#[test]
fn a_complaint_about_the_terminal_or_the_message_ends_nothing() {
    let misconfigured = ["03", "12", "40", "58", "97"].map(|code| (code, "misconfigured"));
    for (code, said) in misconfigured.into_iter().chain(["13", "30", "64"].map(|code| (code, "not-sent"))) {
        let world = World::new(&[Act::Code(code), Act::Code(code), Act::Code("00")]);
        assert_eq!((world.forwards(), world.forwards()), (Err(said), Err(said)), "{code}");
        world.now_ms.set(NOW + 5 * HOUR_MS);
        assert_eq!(world.forwards(), Ok("succeeded"), "{code}");
        let advices = world.advices();
        assert!(advices[0] != advices[1] && advices[1] != advices[2], "{code}: {advices:?}");
        // Of a repeat it says nothing of the first, which may have been taken.
        let world = World::new(&[Act::Silent, Act::Code(code), Act::Code("00")]);
        let told = (world.forwards(), world.forwards(), world.forwards());
        assert_eq!(told, (Err("no-answer"), Err("no-answer"), Ok("succeeded")), "{code}");
        let advices = world.advices();
        assert!(advices.len() == 3 && advices.iter().all(|advice| *advice == advices[0]), "{code}: {advices:?}");
    }
}

#[test]
fn what_fails_before_it_goes_out_is_sent_later() {
    // The first sign-on; or the one that it took because the keys were gone.
    for acts in [&[Act::Code("00")][..], &[Act::NoKeys, Act::Code("00")], &[Act::Code("77"), Act::Code("00")]] {
        let world = World::new(acts);
        if acts.len() > 1 {
            world.set("session/10000019", b"1/0").unwrap();
        }
        world.is_sign_on_silent.set(true);
        assert_eq!((world.forwards(), world.query()), (Err("not-sent"), Ok("not-found")));
        world.now_ms.set(NOW + 5 * HOUR_MS);
        assert_eq!((world.forwards(), world.forwards()), (Ok("succeeded"), Ok("succeeded")));
    }
}

/// As if the call were killed there: nothing of what it would do then is done.
#[test]
fn wherever_a_call_stops_the_sale_is_told_as_one() {
    let all = {
        let world = World::new(&[Act::Code("00")]);
        assert_eq!(world.forwards(), Ok("succeeded"));
        world.operations.get()
    };
    for from in 0..all {
        let world = World::new(&[Act::Code("00")]);
        world.fails_from.set(Some(from));
        let first = world.forwards();
        assert!(matches!(first, Err("not-sent" | "no-answer")), "{from}: {first:?}");
        world.fails_from.set(None);
        world.then(&[Act::Code("00")]);
        // One call makes way, one waits for the sign-on that has no end.
        let told: Vec<Told> = (0..4).map(|_| world.forwards()).collect();
        assert_eq!(told.last(), Some(&Ok("succeeded")), "{from}: {told:?}");
        let advices = world.advices();
        assert!(advices.iter().all(|advice| *advice == advices[0]), "{from}: {advices:?}");
    }
}

/// The one that was overtaken in its sign-on writes nothing over what the other had said.
#[test]
fn what_another_call_has_sent_stays_kept() {
    let world = World::new(&[Act::Code("00")]);
    world.at_sign_on.set(Some(|world| {
        // The first makes way, the second waits in vain for the sign-on.
        let told = (world.forwards(), world.forwards(), world.forwards());
        assert_eq!(told, (Err("not-sent"), Err("not-sent"), Ok("succeeded")));
    }));
    assert_eq!(
        (world.forwards(), world.query(), world.forwards()),
        (Err("no-answer"), Ok("succeeded"), Ok("succeeded"))
    );
    assert_eq!(world.advices().len(), 1);
}

#[test]
fn what_never_went_out_takes_the_batch_that_is_open_then() {
    let world = World::new(&[Act::Unreachable, Act::NoKeys, Act::Code("77"), Act::Code("00")]);
    assert_eq!((world.forwards(), world.forwards()), (Err("not-sent"), Err("not-sent")));
    world.now_ms.set(NOW + 5 * HOUR_MS);
    assert_eq!(world.forwards(), Ok("succeeded"));
    // Once it may have been taken it keeps its batch, and if that is closed only the acquirer knows.
    let world = World::new(&[Act::Silent, Act::Closes("77"), Act::Code("77")]);
    assert_eq!((world.forwards(), world.forwards()), (Err("no-answer"), Err("no-answer")));
    let advices = world.advices();
    assert!(advices.len() == 3 && advices.iter().all(|advice| *advice == advices[0]), "{advices:?}");
}

/// Nothing is kept of a sale that is not new: it may have been told.
#[test]
fn a_record_that_is_lost_is_no_proof() {
    let world = World::new(&[Act::Silent]);
    assert_eq!(world.forwards(), Err("no-answer"));
    world.kept.borrow_mut().retain(|key, _| !key.starts_with("order/"));
    world.now_ms.set(NOW + HOUR_MS);
    assert_eq!((world.forwards(), world.advices().len()), (Err("no-answer"), 1));
}

#[test]
fn a_sale_that_is_forwarded_twice_at_once_is_told_as_one() {
    let beside: fn(&World) = |world| {
        world.acts.borrow_mut().insert(0, Act::Code("00"));
        // Its answer may not be claimed by both.
        let _ = world.forwards();
    };
    let world = World::new(&[Act::Beside(beside, "00")]);
    let first = world.forwards();
    assert!(matches!(first, Ok("succeeded") | Err("no-answer")), "{first:?}");
    world.then(&[Act::Code("00")]);
    assert_eq!(world.forwards(), Ok("succeeded"));
    let advices = world.advices();
    assert!(advices.iter().all(|advice| *advice == advices[0]), "{advices:?}");
}

#[test]
fn what_is_approved_is_voided_like_any_sale() {
    let world = World::new(&[Act::Code("00"), Act::Code("00")]);
    assert_eq!((world.forwards(), world.cancel()), (Ok("succeeded"), Ok("closed")));
    assert_eq!(world.kinds().join(" "), "0800 0220 0200");
    let desk = world.desk();
    assert_eq!(desk.record(NUMBER).map(|state| state == Some(State::Undone)), Ok(true));
}
