//! What may happen to stored value and to a charge of it: a line each, and the laws.

use proptest::prelude::*;
use saoma_domain::stored_value::{Account, Charge, ChargeRefusal, Event, Limits, MovementKind, Refusal, State, decide};
use saoma_protocol::{Amount, Currency};

use crate::people::cny;

const LIMITS: Limits = Limits { charge_minor_max: Some(500), day_minor_max: Some(800), balance_minor_max: Some(2_000) };

fn account(state: State, balance_minor: i64, limits: Limits) -> Account {
    Account { currency: Currency::CNY, state, balance_minor, limits }
}

fn charged(minor: i64, spent_minor: i64) -> Event {
    Event::Charged { amount: cny(minor), spent_minor }
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
        (Active, 100, none, Event::TopUpReversed(cny(100)), "active 0"),
        // It is spent.
        (Active, 99, none, Event::TopUpReversed(cny(100)), "insufficient"),
        (Frozen, 100, none, Event::TopUpReversed(cny(100)), "frozen 0"),
        (Closed, 0, none, Event::TopUpReversed(cny(1)), "closed"),
        (Active, 100, none, charged(100, 0), "active 0"),
        (Active, 100, none, charged(101, 0), "insufficient"),
        (Active, 100, none, Event::Charged { amount: usd, spent_minor: 0 }, "currency"),
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
        (Active, 7, none, Event::Closed, "closed 0"),
        (Frozen, 7, none, Event::Closed, "closed 0"),
        (Closed, 0, none, Event::Closed, "closed"),
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

#[test]
fn what_may_happen_to_a_charge() {
    let charged = |returned_minor| Charge::Charged { amount: cny(100), returned_minor };
    let refused = Charge::Refused { amount: cny(100), reason: "frozen".to_owned() };
    let cancelled = Charge::Cancelled { amount: cny(100) };
    for (charge, outcome) in [
        (Charge::Barred, Ok((Charge::Barred, None))),
        (refused.clone(), Ok((refused.clone(), None))),
        (charged(0), Ok((cancelled.clone(), Some(cny(100))))),
        (charged(1), Err(ChargeRefusal::PartlyReturned)),
        (cancelled.clone(), Ok((cancelled.clone(), None))),
    ] {
        assert_eq!(charge.cancel(), outcome, "{charge:?}");
    }
    for (charge, minor, outcome) in [
        (charged(0), 100, Ok(charged(100))),
        (charged(40), 60, Ok(charged(100))),
        (charged(40), 61, Err(ChargeRefusal::Exceeds { left_minor: 60 })),
        (charged(100), 1, Err(ChargeRefusal::Exceeds { left_minor: 0 })),
        (Charge::Barred, 1, Err(ChargeRefusal::NotCharged)),
        (refused, 1, Err(ChargeRefusal::NotCharged)),
        (cancelled, 1, Err(ChargeRefusal::NotCharged)),
    ] {
        assert_eq!(charge.refund(cny(minor)), outcome, "{charge:?} {minor}");
    }
    let usd = Amount::new(1, "USD".parse().unwrap()).unwrap();
    assert_eq!(charged(0).refund(usd), Err(ChargeRefusal::Currency));
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
        1 => amount().prop_map(Event::TopUpReversed),
        6 => amount().prop_map(|amount| Event::Charged { amount, spent_minor: 0 }),
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
                Event::Charged { amount, .. } => Event::Charged { amount, spent_minor },
                other => other,
            };
            let Ok(after) = decide(&at, &event) else { continue };
            sum += match event {
                Event::ToppedUp(amount) | Event::Returned(amount) => amount.minor(),
                Event::TopUpReversed(amount) | Event::Charged { amount, .. } => -amount.minor(),
                Event::Frozen | Event::Unfrozen | Event::Closed => 0,
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
