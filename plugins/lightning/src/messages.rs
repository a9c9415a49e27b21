//! What is said to the node and to the rate source, pure: requests, and what answers mean (LND's REST API, BOLT 11).
//!
//! No host in here: everything can be tested natively.

pub mod bech32;
pub mod bill;
pub mod bolt11;
pub mod build;
pub mod check;
pub mod invoice;
pub mod list;
pub mod memo;
pub mod preimage;
pub mod rate;
pub mod refusal;
pub mod search;
pub mod settings;

#[cfg(test)]
mod samples;

pub use build::Call;
pub use settings::Settings;
