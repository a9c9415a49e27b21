//! Stories of the whole core, told from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a story that cannot go on fails")]

mod access;
mod access_bodies;
mod audit_verify;
mod bad_input;
mod bad_input_desk;
mod batches;
mod batches_money;
mod by_hand;
mod called;
mod cards;
mod cashiers;
mod chargebacks;
mod clocks;
mod compiled;
mod currencies;
mod discrepancies;
mod disputes;
mod door;
mod failover;
mod fleet_broker;
mod fleet_client;
mod fleet_enrol;
mod fleet_journal;
mod fleet_world;
mod given_up;
mod goods;
mod help;
mod isolation;
mod ledger;
mod ledger_files;
mod live;
mod made_once;
mod merchant_rules;
mod money;
mod notifications;
mod offline_codes;
mod offline_losses;
mod offline_policy;
mod offline_world;
mod own_keys;
mod packages;
mod packages_author;
mod packages_mishaps;
mod packages_rules;
mod pay_page;
mod peers;
mod people;
mod plugin_registry;
mod plugin_tools;
/// The store's own way to a private PostgreSQL.
#[allow(dead_code, reason = "stories here need a migrated database alone")]
#[path = "../../../store/tests/it/postgres.rs"]
mod postgres;
mod receiver;
mod reconcile;
mod reconcile_days;
mod reconcile_late;
mod reconcile_payouts;
mod reconcile_scale;
mod refund_notices;
mod repeats;
mod rotation;
mod scheme_world;
mod settlement;
mod settlement_cards;
mod settlement_held;
mod static_codes;
mod stored_cards;
mod stored_value;
mod town;
mod town_database;
mod unknown;
mod webhooks;
mod webhooks_over_days;
