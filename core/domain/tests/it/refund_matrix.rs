//! Every state of a refund against every event.

use saoma_domain::payment::Amounts;
use saoma_domain::refund::{Answer, AnswerStatus, Event, Refund, Refusal, State, decide};
use saoma_protocol::{Currency, Money, api::RefundKind};

use crate::people::{REFUND, cny, failure};

fn refund(state: State) -> Refund {
    Refund { id: REFUND, kind: RefundKind::Refund, amount: cny(600), state }
}

fn answer(status: AnswerStatus) -> Event {
    let refund = refund(State::Submitting);
    Event::Answered(
        Answer::about(&refund, &REFUND.to_string(), Some(refund.amount.money()), Amounts::Named, status).unwrap(),
    )
}

pub fn refund_events() -> Vec<(&'static str, Event)> {
    vec![
        ("succeeded", answer(AnswerStatus::Succeeded)),
        ("pending", answer(AnswerStatus::Pending)),
        ("failed", answer(AnswerStatus::Failed { failure: failure("other") })),
        ("not found", answer(AnswerStatus::NotFound)),
        ("not sent", Event::NotSent { failure: failure("channel_unavailable") }),
        ("no answer", Event::NoAnswer),
        ("submit", Event::Submit),
        ("by hand: paid", Event::SettledByHand { paid: true }),
        ("by hand: not paid", Event::SettledByHand { paid: false }),
        ("the payment never was", Event::NeverPaid),
    ]
}

#[test]
fn every_state_against_every_event() {
    let failed = || State::Failed { failure: failure("other") };
    let mut table = String::new();
    for state in [State::Created, State::Submitting, State::Pending, State::Unknown, State::Succeeded, failed()] {
        for (name, event) in refund_events() {
            let refund = refund(state.clone());
            let next = match decide(&refund, &event) {
                Ok(Some(state)) => format!("{state:?}"),
                Ok(None) => "—".to_owned(),
                Err(refusal) => format!("refused: {refusal}"),
            };
            let state = format!("{:?}", refund.state);
            let state = state.split(' ').next().unwrap();
            table.push_str(&format!("{state:<11} {name:<21} {next}\n"));
        }
    }
    insta::assert_snapshot!("refund_matrix", table);
}

#[test]
fn an_answer_about_something_else_is_not_believed() {
    let refund = refund(State::Submitting);
    let about = |number: &str, minor| {
        Answer::about(&refund, number, Some(Money::new(minor, Currency::CNY)), Amounts::Named, AnswerStatus::Succeeded)
    };
    assert!(matches!(about("rfd_x", 600), Err(Refusal::AnswerForAnother { .. })));
    assert!(matches!(about(&REFUND.to_string(), 601), Err(Refusal::AnswerAmount { .. })));
    assert!(about(&REFUND.to_string(), 600).is_ok());
    let silent = |amounts| Answer::about(&refund, &REFUND.to_string(), None, amounts, AnswerStatus::Succeeded);
    assert_eq!(silent(Amounts::Named), Err(Refusal::AnswerWithoutAmount));
    assert!(silent(Amounts::NotNamed).is_ok());
}
