//! The agent through its doors: the till's HTTP API on one side, a core that keeps the protocol and nothing else on the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod basket;
mod broker;
mod cards;
mod certificate;
mod core;
mod door;
mod enrolled;
mod field;
mod full_disk;
mod hand;
mod held;
mod long_offline;
mod mqtt;
mod offline;
mod offline_codes;
mod paired;
mod paired_kept;
mod paired_routes;
mod peripherals_evdev;
mod peripherals_page;
mod peripherals_pcsc;
mod peripherals_receipt;
mod peripherals_scale;
mod peripherals_speaker;
mod peripherals_wires;
mod pins;
mod program;
mod read_only;
mod releases;
mod restart;
mod sales;
mod secured;
mod shifts;
mod shop;
mod simulated;
mod splits;
mod stopping;
mod systemd;
mod torn;
mod training;
mod unplugged;
mod update;
mod vault;
mod weather;
