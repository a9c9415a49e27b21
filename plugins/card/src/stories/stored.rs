//! What was sold without a network: told once whatever becomes of the answers, and never taken back.

use saoma_channel_sdk::Order;

use super::world::{Act, NOW, NUMBER, Told, World, told};
use crate::{record::State, stored::forward};

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
    let world = World::new(&[Act::Silent, Act::Code("51")]);
    assert_eq!((world.forwards(), world.forwards(), world.forwards()), (Err("no-answer"), Ok("failed"), Ok("failed")));
    assert_eq!((world.advices().len(), world.query()), (2, Ok("failed")));
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
