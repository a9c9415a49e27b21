//! Core: merchants' payments, books and terminals behind one HTTP API.
//!
//! `http` and `fleet` parse what comes in and call a use-case of `payments`; a use-case loads, lets the domain decide,
//! commits, and only then calls a channel. `workers` take up what a crash or silence left open.

pub mod app;
pub mod audit_anchor;
pub mod audit_check;
pub mod batches;
pub mod cli;
pub mod config;
mod day;
pub mod first_start;
pub mod fleet;
pub mod goods;
pub mod http;
pub mod ledger_check;
pub mod limits;
pub mod masters;
pub mod own_keys;
pub mod packages;
pub mod payments;
pub mod peers;
pub mod period;
pub mod phone_codes;
mod plugin_values;
mod private_file;
pub mod reconcile;
pub mod rotation;
pub mod secrets;
pub mod serve;
pub mod session_keys;
pub mod settlement;
pub mod shared_clock;
pub mod static_codes;
pub mod stored_cards;
pub mod stored_value;
pub mod telemetry;
pub mod webhooks;
pub mod workers;
mod working_keys;
