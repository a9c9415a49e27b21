//! The Sandbox Wallet's wire (`plugins/schemes/PROTOCOL.md`), pure: what is sent, what is signed, what an answer means.
//!
//! No host in here: everything can be tested and measured natively. [`build`] makes requests and the texts that are signed;
//! [`read`] turns verified answers into the contract's.

mod build;
mod page;
mod read;

pub use build::{
    Call, Settings, address, bill, charge, close, create, notification_text, ping, query, query_refund, refund,
    request_text, response_text,
};
pub use page::read_bill;
pub use read::{
    is_not_reversible, past_undoing, read_charged, read_closed, read_created, read_notification, read_pong,
    read_queried, read_refund_queried, read_refunded,
};

/// What [`read_notification`] gives.
pub use saoma_channel_sdk::NotificationEvent;

/// What the scheme wants to hear of a notification that was taken in.
pub const ACKNOWLEDGEMENT: &[u8] = b"OK";
