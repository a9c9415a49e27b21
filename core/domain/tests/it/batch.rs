//! The terminal leg and the drawer, from outside: a table of what each pair of sides comes to, and the laws of both.

use std::collections::BTreeMap;

use proptest::prelude::*;
use saoma_domain::{
    batch::{Class, Drawer, Leg, Side, State, Subject, compare, compare_drawer},
    ledger::{Account, PostingSet, rules},
    payment::Method,
};
use saoma_protocol::{
    Amount, BatchId, Currency, Money, PaymentId, RefundId,
    api::{PaymentState, RefundState},
};

fn cny(minor: i64) -> Money {
    Money::new(minor, Currency::CNY)
}

const fn sale(number: u8) -> Subject {
    Subject::Sale(PaymentId::from_bytes([number; 16]))
}

/// `12.50 succeeded`, `12.50 partly_refunded 2.00`, `12.50 -` (the journal does not say), or nothing for `none`.
fn side(text: &str) -> Option<Side> {
    if text == "none" {
        return None;
    }
    let mut words = text.split(' ');
    let minor = |word: &str| word.replace('.', "").parse().unwrap();
    let money = cny(minor(words.next().unwrap()));
    let state = match words.next().unwrap() {
        "-" => None,
        "pending" => Some(State::Sale(PaymentState::Pending)),
        "unknown" => Some(State::Sale(PaymentState::Unknown)),
        "succeeded" => Some(State::Sale(PaymentState::Succeeded)),
        "partly" => Some(State::Sale(PaymentState::PartlyRefunded)),
        "voided" => Some(State::Sale(PaymentState::Voided)),
        "failed" => Some(State::Sale(PaymentState::Failed)),
        "cancelled" => Some(State::Sale(PaymentState::Cancelled)),
        "sent-back" => Some(State::Refund(RefundState::Succeeded)),
        "coming-back" => Some(State::Refund(RefundState::Pending)),
        "not-back" => Some(State::Refund(RefundState::Failed)),
        other => panic!("{other}"),
    };
    Some(Side { money, state, refunded_minor: words.next().map_or(0, minor) })
}

fn leg_of(terminal: Option<Side>, core: Option<Side>) -> Leg {
    let map = |side: Option<Side>| side.map(|side| (sale(1), side)).into_iter().collect::<BTreeMap<_, _>>();
    compare(&map(terminal), &map(core))
}

#[test]
fn what_each_pair_comes_to() {
    for (terminal, core, expected) in [
        ("12.50 succeeded", "12.50 succeeded", "agree"),
        ("12.50 partly 2.00", "12.50 partly 2.00", "agree"),
        ("12.50 voided 12.50", "12.50 voided 12.50", "agree"),
        ("12.50 failed", "12.50 failed", "agree"),
        // The terminal gave it up before core heard of it.
        ("12.50 failed", "none", "agree"),
        ("12.50 -", "12.50 pending", "agree"),
        ("12.50 pending", "12.50 unknown", "agree"),
        ("none", "12.50 pending", "agree"),
        ("12.50 succeeded", "12.51 succeeded", "amount [amount] look_at_terminal"),
        ("12.50 -", "12.51 pending", "amount [amount] look_at_terminal"),
        ("12.50 failed", "12.51 succeeded", "amount [amount, state] look_at_terminal"),
        ("12.50 succeeded", "none", "missing_here [] look_at_terminal"),
        ("12.50 -", "none", "missing_here [] send_journal"),
        ("none", "12.50 succeeded", "missing_there [] send_journal"),
        ("none", "12.50 cancelled", "missing_there [] send_journal"),
        ("12.50 -", "12.50 succeeded", "state [state] send_journal"),
        ("12.50 pending", "12.50 failed", "state [state] send_journal"),
        ("12.50 succeeded", "12.50 unknown", "state [state] settle_payment"),
        ("12.50 succeeded", "12.50 failed", "state [state] settle_payment"),
        ("12.50 failed", "12.50 pending", "state [state] settle_payment"),
        ("12.50 cancelled", "12.50 succeeded", "state [state] wait_for_terminal"),
        ("12.50 failed", "12.50 cancelled", "state [state] wait_for_terminal"),
        ("12.50 succeeded", "12.50 partly 2.00", "state [state, refunded] wait_for_terminal"),
        ("12.50 partly 2.00", "12.50 partly 3.00", "refunded [refunded] wait_for_terminal"),
        ("2.00 sent-back", "2.00 sent-back", "agree"),
        ("2.00 coming-back", "2.00 sent-back", "state [state] send_journal"),
        ("2.00 sent-back", "2.00 not-back", "state [state] settle_payment"),
        ("2.00 not-back", "none", "agree"),
    ] {
        let leg = leg_of(side(terminal), side(core));
        let told = leg.differences.first().map_or_else(
            || "agree".to_owned(),
            |difference| {
                let fields: Vec<&str> = difference.fields.iter().map(|field| field.text()).collect();
                format!("{} [{}] {}", difference.class.text(), fields.join(", "), difference.fix.text())
            },
        );
        assert_eq!(told, expected, "{terminal} | {core}");
    }
}

#[test]
fn another_currency_is_another_amount() {
    let dollars = Side { money: Money::new(1250, Currency::USD), ..side("12.50 succeeded").unwrap() };
    let leg = leg_of(side("12.50 succeeded"), Some(dollars));
    assert_eq!(leg.differences[0].class, Class::Amount);
}

#[test]
fn drawers_are_compared_by_what_they_should_hold() {
    let batch = BatchId::from_bytes([7; 16]);
    assert_eq!(compare_drawer(batch, cny(5), cny(5)), None);
    let difference = compare_drawer(batch, cny(5), cny(-6)).unwrap();
    assert_eq!((difference.subject, difference.class), (Subject::Drawer(batch), Class::Expected));
}

#[test]
fn a_drawer_past_64_bits_is_an_error_and_not_a_number() {
    let none = cny(0);
    let drawer = Drawer { float: cny(i64::MAX), sales: cny(1), given_back: none, paid_in: none, paid_out: none };
    assert!(drawer.expected().is_err());
    let mixed =
        Drawer { float: none, sales: Money::new(1, Currency::USD), given_back: none, paid_in: none, paid_out: none };
    assert!(mixed.expected().is_err());
}

fn any_side() -> impl Strategy<Value = Side> {
    let state = prop_oneof![
        Just(None),
        prop::sample::select(vec![
            PaymentState::Created,
            PaymentState::Presenting,
            PaymentState::Submitting,
            PaymentState::Pending,
            PaymentState::Unknown,
            PaymentState::Succeeded,
            PaymentState::PartlyRefunded,
            PaymentState::Refunded,
            PaymentState::Voided,
            PaymentState::Failed,
            PaymentState::Reversed,
            PaymentState::Expired,
            PaymentState::Cancelled,
        ])
        .prop_map(|state| Some(State::Sale(state))),
        prop::sample::select(vec![
            RefundState::Submitting,
            RefundState::Pending,
            RefundState::Unknown,
            RefundState::Succeeded,
            RefundState::Failed,
        ])
        .prop_map(|state| Some(State::Refund(state))),
    ];
    (1_i64..4, state, 0_i64..2).prop_map(|(minor, state, refunded_minor)| Side {
        money: cny(minor),
        state,
        refunded_minor,
    })
}

fn any_subject() -> impl Strategy<Value = Subject> {
    (0_u8..12, any::<bool>()).prop_map(|(number, is_sale)| {
        if is_sale { sale(number) } else { Subject::Refund(RefundId::from_bytes([number; 16])) }
    })
}

/// Cash that moves during a shift: how much, and why.
#[derive(Clone, Copy, Debug)]
enum Moves {
    Sale(i64),
    GivenBack(i64),
    PaidIn(i64),
    PaidOut(i64),
}

fn any_move() -> impl Strategy<Value = Moves> {
    (0_u8..4, 1_i64..100_000).prop_map(|(kind, minor)| match kind {
        0 => Moves::Sale(minor),
        1 => Moves::GivenBack(minor),
        2 => Moves::PaidIn(minor),
        _ => Moves::PaidOut(minor),
    })
}

fn in_drawer(sets: &[PostingSet]) -> i64 {
    let postings = sets.iter().flat_map(PostingSet::postings);
    postings.filter(|posting| posting.account == Account::CashInDrawer).map(|posting| posting.money.minor()).sum()
}

proptest! {
    /// Every row ends in one place, each difference names fields that differ, and nothing is made up.
    #[test]
    fn rows_add_up(
        terminal in prop::collection::btree_map(any_subject(), any_side(), 0..16),
        core in prop::collection::btree_map(any_subject(), any_side(), 0..16),
    ) {
        let leg = compare(&terminal, &core);
        let mut all: Vec<Subject> = terminal.keys().chain(core.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(leg.rows, all.len() as u64);
        prop_assert_eq!(leg.agreed + leg.differences.len() as u64, leg.rows);
        prop_assert!(leg.differences.windows(2).all(|pair| pair[0].subject < pair[1].subject));
        for difference in &leg.differences {
            prop_assert_eq!(difference.terminal, terminal.get(&difference.subject).copied());
            prop_assert_eq!(difference.core, core.get(&difference.subject).copied());
            let both = difference.terminal.is_some() && difference.core.is_some();
            prop_assert_eq!(difference.fields.is_empty(), !both);
            prop_assert_ne!(difference.terminal, difference.core);
        }
    }

    /// What both sides have word for word never differs.
    #[test]
    fn a_side_agrees_with_itself(rows in prop::collection::btree_map(any_subject(), any_side(), 0..16)) {
        prop_assert_eq!(compare(&rows, &rows).differences, Vec::new());
    }

    /// What should be in the drawer is the sum of what the rules book on its account; once it is counted, that is what was
    /// counted, and once it is emptied, nothing.
    #[test]
    fn the_expected_cash_is_the_drawers_account(
        float in 0_i64..100_000,
        moves in prop::collection::vec(any_move(), 0..40),
        counted in 0_i64..1_000_000,
    ) {
        let amount = |minor| Amount::new(minor, Currency::CNY).unwrap();
        let mut drawer =
            Drawer { float: cny(float), sales: cny(0), given_back: cny(0), paid_in: cny(0), paid_out: cny(0) };
        let mut sets = Vec::new();
        if float > 0 {
            sets.extend(rules::drawer_float(amount(float)));
        }
        for one in moves {
            let (sum, minor, booked) = match one {
                Moves::Sale(minor) => (&mut drawer.sales, minor, rules::captured(Method::Cash, amount(minor), cny(0))),
                Moves::GivenBack(minor) => {
                    let mut booked = rules::refund_reserved(amount(minor));
                    booked.extend(rules::refund_succeeded(Method::Cash, amount(minor), cny(0)));
                    (&mut drawer.given_back, minor, booked)
                }
                Moves::PaidIn(minor) => (&mut drawer.paid_in, minor, rules::paid_in(amount(minor))),
                Moves::PaidOut(minor) => (&mut drawer.paid_out, minor, rules::paid_out(amount(minor))),
            };
            *sum = sum.checked_add(cny(minor)).unwrap();
            sets.extend(booked);
        }
        let expected = drawer.expected().unwrap();
        prop_assert_eq!(in_drawer(&sets), expected.minor());
        sets.extend(rules::drawer_counted(cny(counted).checked_sub(expected).unwrap()).unwrap());
        prop_assert_eq!(in_drawer(&sets), counted);
        if counted > 0 {
            sets.extend(rules::paid_out(amount(counted)));
        }
        prop_assert_eq!(in_drawer(&sets), 0);
    }
}
