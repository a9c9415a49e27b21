//! Every state of a dispute against every event, and what no order of them may break.

use proptest::prelude::*;
use saoma_domain::dispute::{Dispute, Event, News, Outcome, Refusal, State, decide, hear};
use saoma_protocol::{Amount, Currency, Millis};

use crate::people::{DISPUTE, NOW, cny};

const LATER: Millis = Millis(NOW.0 + 1_000);

pub fn disputed(state: State) -> Dispute {
    Dispute { id: DISPUTE, amount: cny(600), state }
}

pub fn dispute_states() -> Vec<State> {
    vec![
        State::NeedsResponse { respond_by: Some(NOW) },
        State::UnderReview,
        State::Accepted,
        State::Won { fee: None },
        State::Lost { accepted: false, fee: Some(cny(15)) },
    ]
}

pub fn dispute_events() -> Vec<(&'static str, Event)> {
    let closed = |outcome, fee| Event::Closed { outcome, fee };
    vec![
        ("asked", Event::Asked { respond_by: Some(NOW) }),
        ("asked until later", Event::Asked { respond_by: Some(LATER) }),
        ("evidence submitted", Event::EvidenceSubmitted),
        ("accepted", Event::Accepted),
        ("closed: won", closed(Outcome::Won, None)),
        ("closed: won with a fee", closed(Outcome::Won, Some(cny(15)))),
        ("closed: lost", closed(Outcome::Lost, None)),
        ("closed: lost with a fee", closed(Outcome::Lost, Some(cny(15)))),
    ]
}

#[test]
fn every_state_against_every_event() {
    let mut table = String::new();
    for state in dispute_states() {
        for (name, event) in dispute_events() {
            let dispute = disputed(state.clone());
            let next = match decide(&dispute, &event) {
                Ok(Some(State::NeedsResponse { respond_by })) => {
                    format!("needs_response, {}", if respond_by == Some(LATER) { "later" } else { "as before" })
                }
                Ok(Some(State::Lost { accepted: true, .. })) => "lost, accepted".to_owned(),
                Ok(Some(state)) => state.text().to_owned(),
                Ok(None) => "—".to_owned(),
                Err(refusal) => format!("refused: {refusal}"),
            };
            table.push_str(&format!("{:<14} {name:<25} {next}\n", state.text()));
        }
    }
    insta::assert_snapshot!("dispute_matrix", table);
}

#[test]
fn a_fee_in_another_currency_is_refused_whatever_the_state() {
    let fee = Amount::new(15, Currency::USD).ok();
    for state in dispute_states() {
        let closed = Event::Closed { outcome: Outcome::Lost, fee };
        assert_eq!(decide(&disputed(state), &closed), Err(Refusal::FeeCurrency));
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    proptest::sample::select(dispute_events().into_iter().map(|(_, event)| event).collect::<Vec<_>>())
}

fn played(sequence: &[Event]) -> Dispute {
    let mut dispute = disputed(State::NeedsResponse { respond_by: None });
    for event in sequence {
        if let Ok(Some(next)) = decide(&dispute, event) {
            dispute.state = next;
        }
    }
    dispute
}

proptest! {
    #[test]
    fn the_channels_word_goes_over_ours_until_it_is_final_and_then_stays(
        before in prop::collection::vec(any_event(), 0..10),
        outcome in prop::sample::select(vec![Outcome::Won, Outcome::Lost]),
        after in prop::collection::vec(any_event(), 0..10),
    ) {
        let mut dispute = played(&before);
        if !dispute.state.is_final() {
            // Whatever the merchant did about it.
            let closed = decide(&dispute, &Event::Closed { outcome, fee: None });
            let Ok(Some(next)) = closed else { return Err(TestCaseError::fail(format!("{closed:?}"))) };
            prop_assert_eq!(matches!(next, State::Won { .. }), outcome == Outcome::Won);
            prop_assert!(next.is_final());
            dispute.state = next;
        }
        for event in &after {
            prop_assert!(!matches!(decide(&dispute, event), Ok(Some(_))), "a final state has moved");
        }
    }

    #[test]
    fn what_is_said_again_changes_nothing(sequence in prop::collection::vec(any_event(), 0..10), again in any_event()) {
        let once = played(&[sequence.clone(), vec![again.clone()]].concat());
        let twice = played(&[sequence, vec![again.clone(), again]].concat());
        prop_assert_eq!(once, twice);
    }
}

/// Every news against every state, older and newer than what was heard before.
#[test]
fn news_are_heard_once_and_in_any_order() {
    let news = [
        ("opened", News::Opened { respond_by: Some(LATER) }),
        ("asked", News::Asked { respond_by: Some(LATER) }),
        ("won", News::Closed { outcome: Outcome::Won, fee: None }),
        ("lost", News::Closed { outcome: Outcome::Lost, fee: None }),
    ];
    let mut table = String::new();
    for state in dispute_states() {
        for (name, news) in &news {
            let said = [Millis(NOW.0 - 1), LATER].map(|at| match hear(&disputed(state.clone()), Some(NOW), news, at) {
                Ok(Some(next)) => next.text().to_owned(),
                Ok(None) => "—".to_owned(),
                Err(refusal) => format!("refused: {refusal}"),
            });
            table.push_str(&format!("{:<14} {name:<7} older: {:<15} newer: {}\n", state.text(), said[0], said[1]));
        }
    }
    insta::assert_snapshot!("dispute_news", table);
}
