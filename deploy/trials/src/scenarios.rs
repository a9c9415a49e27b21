//! What `demo --once` plays through, one after another, in one shop.

mod books;
mod cards;
mod charges;
mod codes;
mod crashes;
mod demo;
mod hostile;
mod observed;
mod offline;
pub mod people;
mod phones;
mod refunds;
mod rules;

use std::{future::Future, pin::Pin, time::Instant};

use anyhow::Result;

use crate::{report::Outcome, shop::Shop};

type Play<'shop> = Pin<Box<dyn Future<Output = Result<()>> + 'shop>>;
type Scenario = (&'static str, for<'shop> fn(&'shop mut Shop) -> Play<'shop>);

/// In the order in which they are played. The last ones look at the books that all the others left.
const SCENARIOS: &[Scenario] = &[
    ("merchant-presented sale, code read back and paid", |shop| Box::pin(codes::read_back_and_paid(shop))),
    ("customer-presented sale", |shop| Box::pin(charges::succeeds(shop))),
    ("decline", |shop| Box::pin(charges::declined(shop))),
    ("slow confirmation", |shop| Box::pin(charges::slow(shop))),
    ("no answer, resolved by query", |shop| Box::pin(charges::no_answer(shop))),
    ("forged, garbled and wrong answers are not believed", |shop| Box::pin(charges::not_believed(shop))),
    ("doubled notifications are booked once", |shop| Box::pin(charges::notified_thrice(shop))),
    ("same idempotency key at once and after a restart", |shop| Box::pin(charges::same_key(shop))),
    ("expired code", |shop| Box::pin(codes::expired(shop))),
    ("success after expiry is booked and refunded", |shop| Box::pin(codes::paid_late(shop))),
    ("second payment of a used code refused", |shop| Box::pin(codes::used_code(shop))),
    ("scan limit reached", |shop| Box::pin(codes::scan_limit(shop))),
    ("void", |shop| Box::pin(refunds::void(shop))),
    ("partial refund twice, then one too many", |shop| Box::pin(refunds::one_too_many(shop))),
    ("cash sale with the broker stopped", |shop| Box::pin(offline::broker_stopped(shop))),
    ("cash sale with core gone", |shop| Box::pin(offline::core_gone(shop))),
    ("customers' phones carry sales while the till's line is cut", |shop| Box::pin(phones::carry_sales(shop))),
    ("core killed between sent and answered", |shop| Box::pin(crashes::core_killed(shop))),
    ("core stopped with a call under way", |shop| Box::pin(crashes::core_stopped(shop))),
    ("terminal killed in mid-sale", |shop| Box::pin(crashes::terminal_killed(shop))),
    ("chip at the till, acquirer, void, refund and reversal", |shop| Box::pin(cards::chip(shop))),
    ("cards sold without core, forwarded, one declined", |shop| Box::pin(cards::without_core(shop))),
    ("a canteen's own rules: price, receipt, risk and routing", |shop| Box::pin(rules::canteen(shop))),
    ("trapping and looping plugins beside payments", |shop| Box::pin(hostile::beside_payments(shop))),
    ("the demo says where everything is, stops at Ctrl-C, and opens again", |shop| Box::pin(demo::twice(shop))),
    ("one trace from key press to scheme and back", |shop| Box::pin(observed::one_trace(shop))),
    ("what is done later points to its trace", |shop| Box::pin(observed::later_traces(shop))),
    ("metrics are read by Prometheus's own parser", |shop| Box::pin(observed::metrics(shop))),
    ("no secret in any log or span", |shop| Box::pin(observed::no_secrets(shop))),
    ("ledger balances, books of scheme, core and terminal agree", |shop| Box::pin(books::agree(shop))),
];

/// Plays those whose name holds one of `only` (all of them if it is empty), and goes on after a failure.
pub async fn play(shop: &mut Shop, only: &[String]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (name, scenario) in SCENARIOS {
        if !only.is_empty() && !only.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let started = Instant::now();
        let failed = scenario(shop).await.err();
        let took = started.elapsed();
        eprintln!("    {:<6}  {:>5.1} s  {name}", if failed.is_some() { "FAILED" } else { "ok" }, took.as_secs_f64());
        outcomes.push(Outcome { name, took, failed });
    }
    outcomes
}
