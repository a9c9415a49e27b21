//! What no sequence of events may break, however they are lost, doubled, delayed and reordered.

use proptest::prelude::*;
use saoma_domain::{
    ledger::{Account, Posting, PostingSet, Unbalanced, rules},
    payment::{AnswerStatus, Effect, Event, Method, Notice, Source, State, decide},
};
use saoma_protocol::{Currency, Money};

use crate::people::{NOW, REFUND, answer, captured, cny, events, failure, payment};

fn any_event() -> impl Strategy<Value = Event> {
    let fixed: Vec<Event> = events().into_iter().map(|(_, event)| event).collect();
    prop_oneof![
        6 => proptest::sample::select(fixed),
        1 => (1_i64..1200).prop_map(|minor| Event::ReserveRefund { refund: REFUND, amount: cny(minor) }),
        1 => (1_i64..1200).prop_map(|minor| Event::RefundSucceeded { refund: REFUND, amount: cny(minor) }),
        1 => (1_i64..1200).prop_map(|minor| Event::RefundFailed { refund: REFUND, amount: cny(minor) }),
        1 => (1_i64..1200).prop_map(|minor| Event::DisputeOpened { amount: cny(minor) }),
        1 => (1_i64..1200).prop_map(|minor| Event::DisputeWon { amount: cny(minor) }),
    ]
}

proptest! {
    #[test]
    fn money_is_booked_at_most_once_and_never_given_back_twice(sequence in prop::collection::vec(any_event(), 0..40)) {
        let mut payment = payment(State::Created);
        let mut booked = 0;
        for event in &sequence {
            let Ok(decision) = decide(&payment, event, NOW) else { continue };
            booked += decision.effects.iter().filter(|effect| **effect == Effect::BookCapture).count();
            let was_paid = matches!(payment.state, State::Captured(_) | State::Voided { .. });
            if let Some(next) = decision.next {
                payment.state = next;
            }
            let is_paid = matches!(payment.state, State::Captured(_) | State::Voided { .. });
            prop_assert!(booked <= 1);
            prop_assert_eq!(is_paid, booked == 1, "paid if and only if it is booked");
            prop_assert!(is_paid || !was_paid, "what was paid stays paid, or is voided or refunded");
            if let State::Captured(capture) = payment.state {
                prop_assert!(capture.refunded_minor >= 0 && capture.reserved_minor >= 0);
                prop_assert!(capture.refunded_minor + capture.reserved_minor <= payment.amount.minor());
            }
        }
    }

    #[test]
    fn what_is_disputed_is_not_given_back_as_well(sequence in prop::collection::vec(any_event(), 0..40)) {
        let mut payment = payment(captured(0, 0));
        let of = |state: &State| match state {
            State::Captured(capture) => (capture.refunded_minor, capture.reserved_minor, capture.disputed_minor),
            _ => (0, 0, 0),
        };
        for event in &sequence {
            let before = of(&payment.state);
            let Ok(decision) = decide(&payment, event, NOW) else { continue };
            let calls = decision.effects.contains(&Effect::Alert(Notice::DisputeExceeds));
            payment.state = decision.next.unwrap_or(payment.state);
            let (refunded, reserved, disputed) = of(&payment.state);
            let is_over = refunded + reserved + disputed > payment.amount.minor();
            match event {
                Event::ReserveRefund { .. } => prop_assert!(!is_over, "it was promised to two"),
                // Whatever is left: the channel has it. What is more than that calls a person, each time.
                Event::DisputeOpened { .. } if matches!(payment.state, State::Captured(_)) => {
                    prop_assert_eq!(calls, is_over);
                }
                // A refund that the channel has confirmed stays, and a dispute takes none back.
                _ => prop_assert!(!matches!(payment.state, State::Captured(_)) || refunded >= before.0),
            }
            prop_assert!(disputed >= 0 && payment.refundable_minor() >= 0);
            prop_assert!(payment.refundable_minor() <= (payment.amount.minor() - refunded - reserved - disputed).max(0));
        }
    }

    #[test]
    fn a_confirmed_success_is_never_dropped(sequence in prop::collection::vec(any_event(), 0..40)) {
        let mut payment = payment(State::Created);
        for event in sequence.iter().chain([&answer(AnswerStatus::Succeeded { paid_at: NOW }, Source::Reply)]) {
            if let Ok(decision) = decide(&payment, event, NOW)
                && let Some(next) = decision.next
            {
                payment.state = next;
            }
        }
        prop_assert!(matches!(payment.state, State::Captured(_) | State::Voided { .. }), "{:?}", payment.state);
    }

    #[test]
    fn a_repeated_answer_changes_nothing(sequence in prop::collection::vec(any_event(), 0..40), repeat in any_event()) {
        prop_assume!(matches!(repeat, Event::Answered(_)));
        let mut payment = payment(State::Created);
        for event in sequence.iter().chain([&repeat]) {
            if let Ok(decision) = decide(&payment, event, NOW)
                && let Some(next) = decision.next
            {
                payment.state = next;
            }
        }
        if let Ok(decision) = decide(&payment, &repeat, NOW) {
            prop_assert!(decision.next.is_none_or(|next| next == payment.state));
            prop_assert!(!decision.effects.contains(&Effect::BookCapture));
        }
    }

    #[test]
    fn every_rule_posts_sets_that_sum_to_zero(minor in 1_i64..=999_999_999_999, fee_bp in 0_u16..=10_000) {
        let amount = cny(minor);
        let fee = saoma_domain::fee::BasisPoints::new(fee_bp).unwrap().of(amount);
        for method in [Method::Cash, Method::MerchantPresented, Method::CustomerPresented] {
            let sets = [
                rules::captured(method, amount, fee),
                rules::refund_reserved(amount),
                rules::refund_succeeded(method, amount, fee),
                rules::refund_failed(amount),
                rules::undone(method, amount, fee),
            ];
            for set in sets.iter().flatten() {
                prop_assert_eq!(PostingSet::new(set.postings().to_vec()), Ok(set.clone()));
            }
        }
    }

    #[test]
    fn a_set_out_of_balance_cannot_be_made(minors in prop::collection::vec(-1000_i64..1000, 0..6)) {
        let postings: Vec<Posting> = minors
            .iter()
            .map(|minor| Posting { account: Account::Fees, money: Money::new(*minor, Currency::CNY) })
            .collect();
        let sum: i64 = minors.iter().sum();
        let good = minors.len() >= 2 && sum == 0 && !minors.contains(&0);
        prop_assert_eq!(PostingSet::new(postings).is_ok(), good);
    }
}

#[test]
fn a_set_of_two_currencies_is_refused() {
    let posting = |minor, currency| Posting { account: Account::Fees, money: Money::new(minor, currency) };
    let set = PostingSet::new(vec![posting(5, Currency::CNY), posting(-5, Currency::USD)]);
    assert_eq!(set, Err(Unbalanced::Currencies));
}

#[test]
fn a_retry_that_was_not_sent_says_nothing_about_the_first_attempt() {
    let unknown = payment(State::Unknown { since: NOW });
    let decision = decide(&unknown, &Event::NotSent { failure: failure("channel_unavailable") }, NOW).unwrap();
    assert_eq!(decision.next, None);
}
