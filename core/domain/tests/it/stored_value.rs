//! What may happen to stored value and to a charge of it: a line each, and the laws.

use proptest::prelude::*;
use saoma_domain::stored_value::offline::{Granted, Over, Spending, reserve, spend};
use saoma_domain::stored_value::{
    Account, Charge, ChargeRefusal, Event, Limits, MovementKind, Refusal, Returned, State, decide,
};
use saoma_protocol::{Amount, Currency};

use crate::people::cny;

const LIMITS: Limits = Limits { charge_minor_max: Some(500), day_minor_max: Some(800), balance_minor_max: Some(2_000) };

fn account(state: State, balance_minor: i64, limits: Limits) -> Account {
    Account { currency: Currency::CNY, state, balance_minor, limits }
}

fn charged(minor: i64, spent_minor: i64) -> Event {
    Event::Charged { amount: cny(minor), spent_minor, reserved_minor: 0 }
}

fn taken_back(minor: i64, reserved_minor: i64) -> Event {
    Event::TopUpReversed { amount: cny(minor), reserved_minor }
}

fn reserving(minor: i64, reserved_minor: i64) -> Event {
    Event::Charged { amount: cny(minor), spent_minor: 0, reserved_minor }
}

#[test]
fn what_may_happen_to_an_account() {
    use State::{Active, Closed, Frozen};
    let none = Limits::default();
    let usd = Amount::new(1, "USD".parse().unwrap()).unwrap();
    for (state, balance, limits, event, expected) in [
        (Active, 0, none, Event::ToppedUp(cny(100)), "active 100"),
        (Active, 1_900, LIMITS, Event::ToppedUp(cny(100)), "active 2000"),
        (Active, 1_900, LIMITS, Event::ToppedUp(cny(101)), "balance_limit"),
        (Active, i64::MAX, none, Event::ToppedUp(cny(1)), "overflow"),
        (Active, 0, none, Event::ToppedUp(usd), "currency"),
        (Frozen, 0, none, Event::ToppedUp(cny(1)), "frozen"),
        (Closed, 0, none, Event::ToppedUp(cny(1)), "closed"),
        (Active, 100, none, taken_back(100, 0), "active 0"),
        // It is spent.
        (Active, 99, none, taken_back(100, 0), "insufficient"),
        (Frozen, 100, none, taken_back(100, 0), "frozen 0"),
        (Closed, 0, none, taken_back(1, 0), "closed"),
        (Active, 100, none, charged(100, 0), "active 0"),
        (Active, 100, none, charged(101, 0), "insufficient"),
        (Active, 100, none, Event::Charged { amount: usd, spent_minor: 0, reserved_minor: 0 }, "currency"),
        (Active, 1_000, LIMITS, charged(500, 300), "active 500"),
        (Active, 1_000, LIMITS, charged(501, 0), "charge_limit"),
        (Active, 1_000, LIMITS, charged(500, 301), "day_limit"),
        (Active, 1_000, LIMITS, charged(1, 900), "day_limit"),
        // What comes back of an earlier day's charges does not widen today's limit.
        (Active, 1_000, LIMITS, charged(500, -400), "active 500"),
        // The limit is said first: it does not tell what the account holds.
        (Active, 10, LIMITS, charged(501, 0), "charge_limit"),
        (Frozen, 100, none, charged(1, 0), "frozen"),
        (Closed, 0, none, charged(1, 0), "closed"),
        (Active, 1_999, LIMITS, Event::Returned(cny(500)), "active 2499"),
        (Frozen, 0, none, Event::Returned(cny(5)), "frozen 5"),
        (Closed, 0, none, Event::Returned(cny(5)), "closed"),
        (Active, 7, none, Event::Frozen, "frozen 7"),
        (Frozen, 7, none, Event::Frozen, "frozen"),
        (Closed, 0, none, Event::Frozen, "closed"),
        (Frozen, 7, none, Event::Unfrozen, "active 7"),
        (Active, 7, none, Event::Unfrozen, "not_frozen"),
        (Closed, 0, none, Event::Unfrozen, "closed"),
        (Active, 7, none, Event::Closed { reserved_minor: 0 }, "closed 0"),
        (Frozen, 7, none, Event::Closed { reserved_minor: 0 }, "closed 0"),
        (Closed, 0, none, Event::Closed { reserved_minor: 0 }, "closed"),
        // What is set aside for offline codes is spent by nothing else, and by those whatever happened meanwhile.
        (Active, 100, none, reserving(60, 40), "active 40"),
        (Active, 100, none, reserving(61, 40), "reserved"),
        (Active, 100, none, reserving(101, 40), "insufficient"),
        (Active, 100, none, taken_back(60, 40), "active 40"),
        (Active, 100, none, taken_back(61, 40), "reserved"),
        (Active, 100, none, Event::Closed { reserved_minor: 1 }, "reserved"),
        (Frozen, 1_000, LIMITS, Event::SpentOffline(cny(600)), "frozen 400"),
        (Frozen, 100, none, Event::Recovered { amount: cny(60), reserved_minor: 40 }, "frozen 40"),
        (Active, 100, none, Event::Recovered { amount: cny(61), reserved_minor: 40 }, "reserved"),
        (Closed, 0, none, Event::Recovered { amount: cny(1), reserved_minor: 0 }, "closed"),
        (Active, 5, none, Event::SpentOffline(cny(6)), "insufficient"),
        (Active, 5, none, Event::SpentOffline(usd), "currency"),
        (Closed, 0, none, Event::SpentOffline(cny(1)), "closed"),
    ] {
        let told = match decide(&account(state, balance, limits), &event) {
            Ok(after) => {
                assert_eq!((after.currency, after.limits), (Currency::CNY, limits));
                format!("{} {}", after.state.text(), after.balance_minor)
            }
            Err(refusal) => refusal.code().to_owned(),
        };
        assert_eq!(told, expected, "{event:?} of {balance}, {state:?}");
    }
    assert_eq!(decide(&account(Active, 1_000, LIMITS), &charged(500, 700)), Err(Refusal::DayLimit { minor_left: 100 }));
}

fn returned(minor: i64, borne_minor: i64) -> Returned {
    Returned { amount: cny(minor), borne_minor }
}

#[test]
fn what_may_happen_to_a_charge() {
    let borne = |borne_minor, returned_minor| Charge::Charged { amount: cny(100), borne_minor, returned_minor };
    let charged = |returned_minor| borne(0, returned_minor);
    let refused = Charge::Refused { amount: cny(100), reason: "frozen".to_owned() };
    let cancelled = Charge::Cancelled { amount: cny(100) };
    for (charge, outcome) in [
        (Charge::Barred, Ok((Charge::Barred, None))),
        (refused.clone(), Ok((refused.clone(), None))),
        (charged(0), Ok((cancelled.clone(), Some(returned(100, 0))))),
        (borne(30, 0), Ok((cancelled.clone(), Some(returned(100, 30))))),
        (borne(100, 0), Ok((cancelled.clone(), Some(returned(100, 100))))),
        (charged(1), Err(ChargeRefusal::PartlyReturned)),
        (cancelled.clone(), Ok((cancelled.clone(), None))),
    ] {
        assert_eq!(charge.cancel(), outcome, "{charge:?}");
    }
    for (charge, minor, outcome) in [
        (charged(0), 100, Ok((charged(100), returned(100, 0)))),
        (charged(40), 60, Ok((charged(100), returned(60, 0)))),
        // The issuer's loss is made good first.
        (borne(30, 0), 20, Ok((borne(30, 20), returned(20, 20)))),
        (borne(30, 20), 20, Ok((borne(30, 40), returned(20, 10)))),
        (borne(30, 40), 60, Ok((borne(30, 100), returned(60, 0)))),
        (borne(100, 0), 100, Ok((borne(100, 100), returned(100, 100)))),
        (borne(30, 40), 61, Err(ChargeRefusal::Exceeds { left_minor: 60 })),
        (charged(40), 61, Err(ChargeRefusal::Exceeds { left_minor: 60 })),
        (charged(100), 1, Err(ChargeRefusal::Exceeds { left_minor: 0 })),
        (Charge::Barred, 1, Err(ChargeRefusal::NotCharged)),
        (refused.clone(), 1, Err(ChargeRefusal::NotCharged)),
        (cancelled.clone(), 1, Err(ChargeRefusal::NotCharged)),
    ] {
        assert_eq!(charge.refund(cny(minor)), outcome, "{charge:?} {minor}");
    }
    for (charge, minor, outcome) in [
        (borne(30, 0), 30, Ok(borne(0, 0))),
        (borne(30, 20), 4, Ok(borne(26, 20))),
        (borne(30, 20), 11, Err(ChargeRefusal::Exceeds { left_minor: 10 })),
        (borne(30, 40), 1, Err(ChargeRefusal::Exceeds { left_minor: 0 })),
        (refused, 1, Err(ChargeRefusal::NotCharged)),
        (cancelled, 1, Err(ChargeRefusal::NotCharged)),
    ] {
        assert_eq!(charge.recover(cny(minor)), outcome, "{charge:?} {minor}");
    }
    let usd = Amount::new(1, "USD".parse().unwrap()).unwrap();
    assert_eq!(charged(0).refund(usd), Err(ChargeRefusal::Currency));
    assert_eq!(borne(5, 0).recover(usd), Err(ChargeRefusal::Currency));
}

proptest! {
    /// Whatever is refunded and recovered in whatever order: the issuer gets back what it bore and no more, the holder has back what
    /// the account paid and no more, and both together what the acceptor gave back.
    #[test]
    fn nobody_gains_by_what_comes_back(
        minor in 1_i64..300, borne in 0_i64..300,
        steps in proptest::collection::vec((any::<bool>(), 1_i64..200), 0..12),
    ) {
        let borne = borne.min(minor);
        let mut charge = Charge::Charged { amount: cny(minor), borne_minor: borne, returned_minor: 0 };
        let (mut to_issuer, mut to_holder, mut recovered, mut refunded) = (0, 0, 0, 0);
        for (is_refund, step) in steps {
            if is_refund {
                let Ok((after, back)) = charge.refund(cny(step)) else { continue };
                prop_assert_eq!(back.borne_minor + back.to_holder().map_or(0, Amount::minor), step);
                charge = after;
                to_issuer += back.borne_minor;
                to_holder += step - back.borne_minor;
                refunded += step;
            } else if let Ok(after) = charge.recover(cny(step)) {
                charge = after;
                recovered += step;
            }
            prop_assert_eq!(charge.loss_minor(), borne - to_issuer - recovered);
            prop_assert!(charge.loss_minor() >= 0);
            prop_assert!(to_holder <= minor - borne + recovered);
            prop_assert_eq!(to_issuer + to_holder, refunded);
            prop_assert!(refunded <= minor);
        }
    }
}

#[test]
fn names_are_read_back() {
    assert!(State::ALL.iter().all(|state| State::from_text(state.text()) == Some(*state)));
    assert!(MovementKind::ALL.iter().all(|kind| MovementKind::from_text(kind.text()) == Some(*kind)));
    assert_eq!((State::from_text("lost"), MovementKind::from_text("stolen")), (None, None));
}

fn event() -> impl Strategy<Value = Event> {
    let amount = || (1_i64..1_000).prop_map(cny);
    prop_oneof![
        4 => amount().prop_map(Event::ToppedUp),
        1 => amount().prop_map(|amount| Event::TopUpReversed { amount, reserved_minor: 0 }),
        1 => amount().prop_map(Event::SpentOffline),
        1 => amount().prop_map(|amount| Event::Recovered { amount, reserved_minor: 0 }),
        6 => amount().prop_map(|amount| Event::Charged { amount, spent_minor: 0, reserved_minor: 0 }),
        2 => amount().prop_map(Event::Returned),
        1 => Just(Event::Frozen),
        2 => Just(Event::Unfrozen),
    ]
}

proptest! {
    /// Whatever is asked for, in whatever order: no balance is negative, each step moves what it says or nothing, and what is
    /// spent in a day stays within the day's limit.
    #[test]
    fn money_is_neither_made_nor_lost(events in proptest::collection::vec(event(), 1..40)) {
        let mut at = account(State::Active, 0, LIMITS);
        let (mut sum, mut spent_minor) = (0, 0);
        for event in events {
            let event = match event {
                Event::Charged { amount, .. } => Event::Charged { amount, spent_minor, reserved_minor: 0 },
                other => other,
            };
            let Ok(after) = decide(&at, &event) else { continue };
            sum += match event {
                Event::ToppedUp(amount) | Event::Returned(amount) => amount.minor(),
                Event::TopUpReversed { amount, .. }
                | Event::Recovered { amount, .. }
                | Event::Charged { amount, .. }
                | Event::SpentOffline(amount) => -amount.minor(),
                Event::Frozen | Event::Unfrozen | Event::Closed { .. } => 0,
            };
            if let Event::Charged { amount, .. } = event {
                spent_minor += amount.minor();
                prop_assert!(amount.minor() <= 500 && at.state == State::Active);
            }
            if let Event::ToppedUp(_) = event {
                prop_assert!(after.balance_minor <= 2_000);
            }
            at = after;
            prop_assert!(at.balance_minor >= 0 && spent_minor <= 800);
            prop_assert_eq!(at.balance_minor, sum);
        }
    }
}

#[test]
fn what_may_be_granted() {
    let usd = Amount::new(1, "USD".parse().unwrap()).unwrap();
    for (state, balance, reserved, cap, expected) in [
        (State::Active, 100, 0, cny(100), "ok"),
        (State::Active, 100, 40, cny(60), "ok"),
        (State::Active, 100, 40, cny(61), "reserved"),
        (State::Active, 100, 40, cny(101), "insufficient"),
        (State::Active, 100, 0, usd, "currency"),
        (State::Frozen, 100, 0, cny(1), "frozen"),
        (State::Closed, 0, 0, cny(1), "closed"),
    ] {
        let told = reserve(&account(state, balance, Limits::default()), reserved, cap);
        assert_eq!(
            told.map_or_else(|refusal| refusal.code(), |()| "ok"),
            expected,
            "{state:?} {balance} {reserved} {cap}"
        );
    }
}

#[test]
fn who_pays_for_an_offline_code() {
    use State::{Active, Closed, Frozen};
    // The account, all that is set aside, the grant (cap, spent, still set aside), whether the counter was seen, the amount.
    for (state, balance, reserved, grant, seen, minor, expected) in [
        (Active, 500, 200, (200, 0, 200), false, 150, (150, 0, None)),
        (Active, 500, 200, (200, 0, 200), false, 200, (200, 0, None)),
        (Frozen, 500, 200, (200, 0, 200), false, 200, (200, 0, None)),
        // Two terminals without a network took what was left of it: what is free pays, and nothing of another grant's.
        (Active, 500, 50, (200, 150, 50), false, 51, (51, 0, None)),
        (Active, 500, 0, (200, 200, 0), false, 10, (10, 0, None)),
        (Active, 500, 450, (200, 150, 50), false, 101, (100, 1, Some(Over::Cap))),
        (Frozen, 500, 50, (200, 150, 50), false, 51, (50, 1, Some(Over::Cap))),
        (Active, 500, 500, (200, 200, 0), false, 10, (0, 10, Some(Over::Cap))),
        (Active, 500, 200, (200, 0, 200), true, 150, (0, 150, Some(Over::Counter))),
        // The grace is over: what the account has beside other grants pays, and the issuer the rest.
        (Active, 500, 0, (200, 0, 0), false, 150, (150, 0, None)),
        (Active, 500, 400, (200, 0, 0), false, 150, (100, 50, Some(Over::Uncovered))),
        (Active, 0, 0, (200, 0, 0), false, 150, (0, 150, Some(Over::Uncovered))),
        (Closed, 0, 0, (200, 0, 0), false, 150, (0, 150, Some(Over::Uncovered))),
    ] {
        let (cap_minor, spent_minor, reserved_minor) = grant;
        let granted = Granted { cap_minor, spent_minor, reserved_minor, is_counter_spent: seen, is_revoked: false };
        let (covered_minor, risk_minor, over) = expected;
        let told = spend(&account(state, balance, Limits::default()), reserved, &granted, cny(minor));
        assert_eq!(told, Spending { covered_minor, risk_minor, over }, "{balance} {reserved} {granted:?} {minor}");
    }
    assert!(Over::ALL.iter().all(|over| Over::from_text(over.text()) == Some(*over)));
    // The phone was sold: what was promised is paid, and no more.
    let sold =
        Granted { cap_minor: 200, spent_minor: 150, reserved_minor: 50, is_counter_spent: false, is_revoked: true };
    let told = spend(&account(Active, 500, Limits::default()), 50, &sold, cny(51));
    assert_eq!(told, Spending { covered_minor: 50, risk_minor: 1, over: Some(Over::Cap) });
    assert_eq!(
        Over::ALL.map(Over::is_double_spent),
        [true, false, false],
        "a phone cannot know what another terminal took"
    );
}

proptest! {
    /// Whatever is spent under grants whose caps were set aside: the shop is owed all of it, and the account never pays more than
    /// it has, nor touches what is set aside for another grant.
    #[test]
    fn offline_codes_take_nothing_of_another_grant(
        caps in proptest::collection::vec(1_i64..300, 1..4),
        spends in proptest::collection::vec((0_usize..4, 1_i64..200, any::<bool>()), 0..20),
    ) {
        let mut at = account(State::Active, caps.iter().sum::<i64>() + 10, Limits::default());
        let mut spent = vec![0; caps.len()];
        for (idx, minor, seen) in spends {
            let idx = idx % caps.len();
            let reserved = |spent: &[i64]| -> i64 { caps.iter().zip(spent).map(|(cap, spent)| cap - spent).sum() };
            let granted = Granted {
                cap_minor: caps[idx],
                spent_minor: spent[idx],
                reserved_minor: caps[idx] - spent[idx],
                is_counter_spent: seen,
                is_revoked: false,
            };
            let told = spend(&at, reserved(&spent), &granted, cny(minor));
            prop_assert_eq!(told.covered_minor + told.risk_minor, minor);
            prop_assert_eq!(told.over.is_some(), told.risk_minor > 0);
            if told.covered_minor > 0 {
                at = decide(&at, &Event::SpentOffline(cny(told.covered_minor))).unwrap();
            }
            spent[idx] = caps[idx].min(spent[idx] + told.covered_minor);
            prop_assert!(at.balance_minor >= reserved(&spent));
        }
    }
}
