//! Every state of a refund against every event.

use saoma_domain::refund::{Answer, AnswerStatus, Event, Refund, Refusal, State, decide};
use saoma_protocol::{Currency, Money, api::RefundKind};

use crate::people::{REFUND, cny, failure};

fn refund(state: State) -> Refund {
    Refund { id: REFUND, kind: RefundKind::Refund, amount: cny(600), state }
}

fn answer(status: AnswerStatus) -> Event {
    let refund = refund(State::Submitting);
    Event::Answered(Answer::about(&refund, &REFUND.to_string(), Some(refund.amount.money()), status).unwrap())
}

#[test]
fn every_state_against_every_event() {
    let failed = || State::Failed { failure: failure("other") };
    let mut table = String::new();
    for state in [State::Submitting, State::Pending, State::Unknown, State::Succeeded, failed()] {
        for (name, event) in [
            ("succeeded", answer(AnswerStatus::Succeeded)),
            ("pending", answer(AnswerStatus::Pending)),
            ("failed", answer(AnswerStatus::Failed { failure: failure("other") })),
            ("not found", answer(AnswerStatus::NotFound)),
            ("not sent", Event::NotSent { failure: failure("channel_unavailable") }),
            ("no answer", Event::NoAnswer),
        ] {
            let refund = refund(state.clone());
            let decision = decide(&refund, &event);
            let next = decision
                .next
                .map_or("—".to_owned(), |state| format!("{:?}", Refund { state, ..refund.clone() }.public_state()));
            let resend = if decision.resend { " and send again" } else { "" };
            table.push_str(&format!("{:<11} {name:<10} {next}{resend}\n", format!("{:?}", refund.public_state())));
        }
    }
    insta::assert_snapshot!("refund_matrix", table);
}

#[test]
fn an_answer_about_something_else_is_not_believed() {
    let refund = refund(State::Submitting);
    let about = |number: &str, minor| {
        Answer::about(&refund, number, Some(Money::new(minor, Currency::CNY)), AnswerStatus::Succeeded)
    };
    assert!(matches!(about("rfd_x", 600), Err(Refusal::AnswerForAnother { .. })));
    assert!(matches!(about(&REFUND.to_string(), 601), Err(Refusal::AnswerAmount { .. })));
    assert!(about(&REFUND.to_string(), 600).is_ok());
}
