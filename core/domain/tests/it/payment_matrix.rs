//! Every state against every event. The table is the specification: a change of a rule shows here as a changed line.

use saoma_domain::payment::{Close, Payment, State, decide};

use crate::people::{NOW, events, payment, states};

fn name(payment: &Payment) -> String {
    let public = serde_free_name(payment);
    match payment.state {
        State::Expired { close } | State::Cancelled { close } => {
            format!("{public}, close {}", if close == Close::Asked { "asked" } else { "confirmed" })
        }
        State::Captured(capture) => {
            let late = if capture.late { " late" } else { "" };
            let by_hand = if capture.by_hand { " by hand" } else { "" };
            let disputed = match capture.disputed_minor {
                0 => String::new(),
                disputed_minor => format!(", {disputed_minor} disputed"),
            };
            format!(
                "captured{late}{by_hand} ({} refunded, {} reserved{disputed})",
                capture.refunded_minor, capture.reserved_minor
            )
        }
        _ => public,
    }
}

fn serde_free_name(payment: &Payment) -> String {
    format!("{:?}", payment.public_state()).to_lowercase()
}

#[test]
fn every_state_against_every_event() {
    let mut table = String::new();
    for (state_name, state) in states() {
        table.push_str(&format!("{state_name}\n"));
        for (event_name, event) in events() {
            let payment = payment(state.clone());
            let line = match decide(&payment, &event, NOW) {
                Ok(decision) => {
                    let next = decision.next.map_or("—".to_owned(), |state| name(&Payment { state, ..payment }));
                    let effects: Vec<String> = decision.effects.iter().map(|effect| format!("{effect:?}")).collect();
                    format!("{next} {}", effects.join(" + "))
                }
                Err(refusal) => format!("refused: {refusal}"),
            };
            table.push_str(&format!("    {event_name:<26} {}\n", line.trim_end()));
        }
    }
    insta::assert_snapshot!("payment_matrix", table);
}
