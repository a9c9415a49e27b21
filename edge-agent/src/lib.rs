//! The agent on a terminal: it sells with or without a network, drives what is plugged in, and tells core everything once.
//!
//! Arrows inside: `app` → rim (`link`, `journal`, `counter`/`peripherals`, `till`) → pure (`sale`, `sync`, `receipt`). The
//! pure rooms read no clock and do no I/O; the rim decides nothing.

pub mod app;
pub mod basket;
pub mod cashiers;
pub mod cli;
pub mod config;
pub mod counter;
pub mod doctor;
pub mod emv;
pub mod held;
pub mod journal;
pub mod label;
pub mod link;
pub mod offline;
pub mod paired;
pub mod peripherals;
pub mod phone;
pub mod private_file;
pub mod receipt;
pub mod received;
pub mod sale;
pub mod shift;
pub mod signer;
pub mod simulate;
pub mod split;
pub mod stored;
pub mod sync;
pub mod systemd;
pub mod telemetry;
pub mod till;
pub mod training;
pub mod update;
