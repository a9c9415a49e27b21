//! The API Pix's wire (bacen/pix-api, OpenAPI 2.9.0), pure: what is sent, what an answer means.
//!
//! No host in here: everything can be tested natively. Nothing on this wire is signed; that the other side is the bank (the
//! "PSP recebedor") is what TLS says, so an answer's body is believed and a callback's never.

pub mod bill;
mod build;
pub mod charge;
mod code;
mod moment;
pub mod notification;
mod number;
mod problem;
pub mod refund;
pub mod token;
pub mod told;

pub use build::{
    Call, Settings, bill_page, create, list_now, query, query_refund, refund, register_webhook, remove, valid_settings,
};
pub use number::{from_txid, to_txid};
pub use problem::{Problem, is_refusal, problem};
