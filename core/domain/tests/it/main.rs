//! The rule book, held from outside: every state against every event, and the laws that no sequence may break.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod batch;
mod claims;
mod disputes;
mod fees;
mod ledger_laws;
mod ledger_rules;
mod package;
mod payment_laws;
mod payment_matrix;
mod people;
mod recon;
mod refund_matrix;
mod routing;
mod states;
mod stored_value;
