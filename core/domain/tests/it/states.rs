//! `core/domain/STATES.md` is drawn from the rules themselves: every state against every event. `cargo xtask codegen` renews it.

use std::collections::{BTreeMap, BTreeSet};

use saoma_domain::{
    dispute,
    order::{self, Standing},
    pay_code::{self, Life},
    payment::{Close, Event, Payment, State, decide},
    refund,
};
use saoma_protocol::{PaymentId, api::RefundKind};

use crate::{
    disputes::{dispute_events, dispute_states, disputed},
    people::{NOW, REFUND, captured, cny, events, failure, payment, states},
    refund_matrix::refund_events,
};

/// From a state, by events, to a state.
type Edges = BTreeMap<(String, String), BTreeSet<String>>;

fn mermaid(initial: &str, edges: &Edges) -> String {
    let mut text = format!("```mermaid\nstateDiagram-v2\n    [*] --> {initial}\n");
    for ((from, to), by) in edges {
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        text.push_str(&format!("    {from} --> {to}: {}\n", by.join(", ")));
    }
    text + "```\n"
}

fn payment_state(state: &State) -> &'static str {
    match state {
        State::Created => "created",
        State::Presenting { .. } => "presenting",
        State::Submitting { .. } => "submitting",
        State::Pending { .. } => "pending",
        State::Unknown { .. } => "unknown",
        State::Captured(capture) if capture.by_hand => "captured_by_hand",
        State::Captured(capture) if capture.late => "captured_late",
        State::Captured(_) => "captured",
        State::Voided { .. } => "voided",
        State::Failed { .. } => "failed",
        State::Reversed => "reversed",
        State::Expired { close: Close::Asked } => "expired_close_asked",
        State::Expired { close: Close::Confirmed } => "expired",
        State::Cancelled { close: Close::Asked } => "cancelled_close_asked",
        State::Cancelled { close: Close::Confirmed } => "cancelled",
    }
}

/// An event's name without what only a label of a diagram stumbles over.
fn label(event: &str) -> String {
    event.replace(':', "")
}

fn payments() -> Edges {
    let mut edges = Edges::new();
    for (_, state) in states() {
        for (name, event) in events() {
            let Ok(decision) = decide(&payment(state.clone()), &event, NOW) else { continue };
            let Some(next) = decision.next else { continue };
            let (from, to) = (payment_state(&state), payment_state(&next));
            if from != to {
                edges.entry((from.to_owned(), to.to_owned())).or_default().insert(label(name));
            }
        }
    }
    edges
}

fn refunds(kind: RefundKind) -> Edges {
    let name = |state: &refund::State| match state {
        refund::State::Created => "set_aside",
        refund::State::Submitting => "submitting",
        refund::State::Pending => "pending",
        refund::State::Unknown => "unknown",
        refund::State::Succeeded => "succeeded",
        refund::State::Failed { .. } => "failed",
    };
    let all = [
        refund::State::Created,
        refund::State::Submitting,
        refund::State::Pending,
        refund::State::Unknown,
        refund::State::Succeeded,
        refund::State::Failed { failure: failure("other") },
    ];
    let mut edges = Edges::new();
    for state in all {
        for (event_name, event) in refund_events() {
            let refund = refund::Refund { id: REFUND, kind, amount: cny(600), state: state.clone() };
            if let Ok(Some(next)) = refund::decide(&refund, &event) {
                let key = (name(&state).to_owned(), name(&next).to_owned());
                edges.entry(key).or_default().insert(label(event_name));
            }
            let refund::Event::Answered(answer) = &event else { continue };
            let is_after_all = refund::last_word(&state, answer.status()) == refund::LastWord::PaidAfterAll;
            if is_after_all && matches!(state, refund::State::Failed { .. }) {
                let key = (name(&state).to_owned(), "succeeded".to_owned());
                edges.entry(key).or_default().insert(label(&format!("{event_name} after all")));
            }
        }
    }
    edges
}

fn disputes() -> Edges {
    let mut edges = Edges::new();
    for state in dispute_states() {
        for (event_name, event) in dispute_events() {
            let dispute = disputed(state.clone());
            let Ok(Some(next)) = dispute::decide(&dispute, &event) else { continue };
            if next.text() != state.text() {
                let key = (state.text().to_owned(), next.text().to_owned());
                edges.entry(key).or_default().insert(label(event_name));
            }
        }
    }
    edges
}

/// Orders follow from their payments: two ways to pay one, each of them through everything that can happen.
fn orders() -> Edges {
    let stages = [
        State::Presenting { expires_at: NOW },
        captured(0, 0),
        captured(0, 1000),
        captured(1000, 0),
        State::Cancelled { close: Close::Asked },
        State::Voided { captured_at: NOW },
    ];
    let (first, second) = (PaymentId::from_bytes([1; 16]), PaymentId::from_bytes([2; 16]));
    let stands = |by: Option<PaymentId>, one: &State, two: &State| -> Standing {
        let at = |id, state: &State| Payment { id, ..payment(state.clone()) };
        order::standing(by, &[at(first, one), at(second, two)])
    };
    let mut edges = Edges::new();
    let whole = Event::RefundSucceeded { refund: REFUND, amount: cny(1000) };
    let happens = || events().into_iter().chain([("refund of the rest succeeded", whole.clone())]);
    for one in &stages {
        for two in &stages {
            let is_paid = |state: &State| matches!(state, State::Captured(_) | State::Voided { .. });
            let by = is_paid(one).then_some(first).or(is_paid(two).then_some(second));
            let before = stands(by, one, two);
            for (name, event) in happens() {
                let Ok(decision) = decide(&payment(two.clone()), &event, NOW) else { continue };
                let Some(next) = decision.next else { continue };
                let by = by.or(matches!(next, State::Captured(_)).then_some(second));
                let after = stands(by, one, &next);
                if before != after {
                    let key = (before.text().to_owned(), after.text().to_owned());
                    edges.entry(key).or_default().insert(label(name));
                }
            }
            for (name, event) in happens() {
                let Ok(decision) = decide(&payment(one.clone()), &event, NOW) else { continue };
                let Some(next) = decision.next else { continue };
                let by = by.or(matches!(next, State::Captured(_)).then_some(first));
                let after = stands(by, &next, two);
                if before != after {
                    let key = (before.text().to_owned(), after.text().to_owned());
                    edges.entry(key).or_default().insert(label(name));
                }
            }
        }
    }
    edges
}

/// Of a payment whose code was shown; the others are charged.
const fn has_a_code(state: &State) -> bool {
    !matches!(
        state,
        State::Created
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Failed { .. }
    )
}

/// A code follows from its payment, and while that waits for a customer from its own life.
fn codes() -> Edges {
    const SCAN_LIMIT: u32 = 5;
    let mut edges = Edges::new();
    for expires_at in [NOW, NOW.plus(1)] {
        for scans in [SCAN_LIMIT, SCAN_LIMIT + 1] {
            let life = Life { expires_at, scans, scan_limit: SCAN_LIMIT };
            for (_, state) in states().into_iter().filter(|(_, state)| has_a_code(state)) {
                let before = pay_code::standing(&state, &life, NOW);
                let mut lead = |after: pay_code::Standing, by: &str| {
                    if before != after {
                        let key = (before.text().to_owned(), after.text().to_owned());
                        edges.entry(key).or_default().insert(by.to_owned());
                    }
                };
                if before == pay_code::Standing::Live {
                    let opened = Life { scans: scans + 1, ..life };
                    lead(pay_code::standing(&state, &opened, NOW), "opened once too often");
                }
                lead(pay_code::standing(&state, &life, expires_at), "time");
                for (name, event) in events() {
                    let Ok(decision) = decide(&payment(state.clone()), &event, NOW) else { continue };
                    let Some(next) = decision.next.filter(has_a_code) else { continue };
                    lead(pay_code::standing(&next, &life, NOW), &label(name));
                }
            }
        }
    }
    edges
}

fn document() -> String {
    format!(
        "# State machines\n\n\
         Drawn from the rules (`src/payment/decide.rs`, `src/refund.rs`, `src/dispute.rs`, `src/order.rs`, \
         `src/pay_code.rs`) by trying every event in every state; renew it with `cargo xtask codegen`. An arrow that is not here is refused, or changes nothing; the whole \
         table stands in `tests/it/snapshots/`. `reply` is the answer to a call that began after the payment last moved, \
         `notified` anything that may be older.\n\n\
         ## A payment\n\n{}\n\
         ## A refund or void\n\nA void is a refund of the whole through the channel's cancel. One that somebody asks for \
         begins as `submitting`.\n\n{}\n\
         ## A refund of core's own\n\nOf what came late, or for an order that was paid: whoever did not get through is \
         sent again.\n\n{}\n\
         ## A dispute\n\nOf one case at the channel. Only the channel closes it; a payment can have several.\n\n{}\n\
         ## An order\n\nIt follows from its payments; each is of the order's whole amount.\n\n{}\n\
         ## A code that the shop shows\n\nIt follows from its payment, and while that waits for a customer from its own \
         life. It counts how often it is opened only while it is live.\n\n{}",
        mermaid("created", &payments()),
        mermaid("submitting", &refunds(RefundKind::Refund)),
        mermaid("set_aside", &refunds(RefundKind::Late)),
        mermaid("needs_response", &disputes()),
        mermaid("open", &orders()),
        mermaid("live", &codes()),
    )
}

#[test]
fn the_committed_diagrams_are_the_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/STATES.md");
    if std::env::var_os("SAOMA_CODEGEN").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, document(), "renew it with: cargo xtask codegen");
}
