//! What travels over MQTT, and over HTTPS when MQTT is gone. JSON in an [`Envelope`].
//!
//! The broker is never the source of truth: a push is repeated until the terminal acknowledges its id, a journal batch
//! until core has acknowledged its last sequence. Receivers deduplicate; senders only forget what was acknowledged.

pub mod event;
pub mod sync;

pub use event::{Push, PushAck, PushBody};
use serde::{Deserialize, Serialize};
pub use sync::{
    Health, JournalAck, JournalBatch, JournalVerdict, PeripheralHealth, PeripheralState, Presence, Unsent, Verdict,
};

/// The version of every message that this code writes.
pub const MESSAGE_VERSION: u16 = 1;

/// Longest message, in bytes; core's broker refuses longer packets.
pub const MESSAGE_LEN_MAX: usize = 1024 * 1024;

/// A message with its format's version and the trace it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T> {
    pub v: u16,
    /// W3C Trace Context `traceparent`, if the sender records traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub body: T,
}

/// Why bytes are not a message of the kind expected.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("the message has {0} bytes; at most {MESSAGE_LEN_MAX} are allowed")]
    TooLong(usize),
    #[error("the message is of format {0}; this side reads {MESSAGE_VERSION}")]
    Version(u16),
    #[error("the message cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl<T: Serialize> Envelope<T> {
    #[must_use]
    pub fn new(body: T, traceparent: Option<String>) -> Self {
        Self { v: MESSAGE_VERSION, traceparent, body }
    }

    /// # Errors
    /// `Unreadable` if the body cannot be JSON, `TooLong` past [`MESSAGE_LEN_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MESSAGE_LEN_MAX { Err(MessageError::TooLong(bytes.len())) } else { Ok(bytes) }
    }
}

impl<T: for<'de> Deserialize<'de>> Envelope<T> {
    /// # Errors
    /// In this order: `TooLong`, `Unreadable` (no version), `Version`, `Unreadable`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            v: u16,
        }
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(MessageError::TooLong(bytes.len()));
        }
        let VersionOnly { v } = serde_json::from_slice(bytes)?;
        if v != MESSAGE_VERSION {
            return Err(MessageError::Version(v));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}
