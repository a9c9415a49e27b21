//! The rules of money in motion. No I/O, no clock, no chance, no async, no wire formats: what is needed is passed in, and
//! what follows is returned, so that a whole day can be replayed from a seed.

pub mod batch;
pub mod claim;
pub mod dispute;
pub mod fee;
pub mod ledger;
pub mod order;
pub mod package;
pub mod pay_code;
pub mod payment;
pub mod recon;
pub mod refund;
pub mod routing;
pub mod settlement;
pub mod stored_value;
