//! Stories through the host's public door, with real components.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod card;
mod card_channel;
mod card_wire;
mod conformance;
mod conformance_canaries;
mod conformance_report;
mod conformance_rules;
mod extension;
mod far_side;
mod far_sides;
mod guests;
mod hostile;
mod install;
mod liar;
mod liar_news;
mod liar_says;
mod log_flood;
mod network;
mod packages;
mod sandbox;
mod versions;
mod wallet;
