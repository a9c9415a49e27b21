//! Every repository on both databases: SQLite in a file, and a PostgreSQL server that this binary starts for itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod access;
mod audit;
mod base;
mod batches;
mod books;
mod cards;
mod cashiers;
mod connections;
mod discrepancies;
mod disputes;
mod fee_plans;
mod furniture;
mod goods;
mod group;
mod house;
mod idempotency;
mod isolation;
mod journal;
mod keys;
mod ledger;
mod ledger_check;
mod ledger_periods;
mod ledger_scale;
mod merchant_rules;
mod nodes;
mod offline;
mod outbox;
mod pay_codes;
mod payments;
mod phone_policies;
mod plugin_kv;
mod plugin_packages;
mod postgres;
mod reconciliation;
mod refunds;
mod row_security;
mod schema;
mod settlement;
mod settlement_batches;
mod static_codes;
mod stored_cards;
mod stored_value;
mod webhooks;
