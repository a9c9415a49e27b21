//! What is sent when, with a store and an acquirer of this file's own: what two calls at once, a store that fails, and somebody
//! on the wire can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod settlement;
mod stored;
mod world;

use saoma_channel_sdk::RefundStatus;
use serde_json::json;
use world::{Act, NOW, NUMBER, Told, World, name, refund_order, told};

use crate::{desk::SLOTS, host::Host as _, record::State, refund};

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
fn one_signs_on_for_all() {
    let claim = "signing-on/10000019";
    let claimed = |acts: &[Act]| {
        let world = World::new(acts);
        world.next(claim).unwrap();
        world
    };
    // Another call has begun, and ends while this one waits; or ends without keys.
    let world = claimed(&[Act::Code("00")]);
    world.at_wait.set(Some(|world| world.set("session/10000019", b"1/0").unwrap()));
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Ok("succeeded"), "0200"));
    let world = claimed(&[Act::Code("00")]);
    world.at_wait.set(Some(|world| world.delete("signing-on/10000019").unwrap()));
    assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Ok("succeeded"), "0800 0200"));
    assert_eq!(world.get(claim).unwrap(), None);
    // It never ends: nothing is sent, and the next call does not wait for it again.
    let world = claimed(&[Act::Code("00")]);
    assert_eq!((world.charge(), world.kinds().len()), (Err("not-sent"), 0));
    let waited = world.now_ms.get() - NOW;
    assert!((10_000..20_000).contains(&waited), "{waited}");
    assert_eq!((world.charge(), world.now_ms.get() - NOW), (Ok("succeeded"), waited));
    // The longest of all calls stays within what the host lets it do with the store.
    assert!(world.operations.get() < 100, "{}", world.operations.get());
}

/// Keys that came for one MAC are none for another, so that a change of the settings wants a sign-on.
#[test]
fn keys_are_of_the_mac_that_they_came_for() {
    let mut world = World::new(&[Act::Code("00"); 5]).with("security_control", "2400000000000000");
    for (number, mac, format) in [
        ("pay_a", "unionpay-ecb", "iso-0"),
        ("pay_b", "retail", "iso-0"),
        ("pay_c", "aes-cmac", "iso-4"),
        ("pay_d", "retail", "iso-0"),
    ] {
        world = world.with("mac", mac).with("pin_format", format);
        assert!(world.charge_of(number).is_ok(), "{mac}");
    }
    // And no further one as long as they stay.
    assert!(world.charge_of("pay_e").is_ok());
    assert_eq!(world.kinds().join(" "), "0800 0200 0800 0200 0800 0200 0800 0200 0200");
}

/// While nodes of both versions run, neither takes the other's keys away by a sign-on.
#[test]
fn nodes_of_before_read_the_sessions_of_tdes_and_have_theirs_read() {
    for mac in ["unionpay-ecb", "retail"] {
        let world = World::new(&[Act::Code("00")]).with("mac", mac);
        assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Ok("succeeded"), "0800 0200"), "{mac}");
        let kept = String::from_utf8(world.get("session/10000019").unwrap().unwrap()).unwrap();
        let (batch, keys) = kept.split_once('/').unwrap();
        assert!(batch.parse::<u32>().is_ok() && keys.parse::<u64>().is_ok(), "{mac}: {kept}");

        let world = World::new(&[Act::Code("00")]).with("mac", mac);
        world.set("session/10000019", b"1/0").unwrap();
        assert_eq!((world.charge(), world.kinds().join(" ").as_str()), (Ok("succeeded"), "0200"), "{mac}");
    }
}

#[test]
fn a_sign_on_without_an_answer_says_what_to_look_at() {
    let world = World::new(&[]);
    world.is_sign_on_silent.set(true);
    let told = format!("{:?}", world.charge_of("pay_a"));
    assert!(told.starts_with("Err(Error::NoAnswer") && told.contains("check length_header, tpdu and header"), "{told}");
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
    world.has_short_mac_key.set(true);
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
