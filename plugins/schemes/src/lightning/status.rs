//! How the node says no: a gRPC status as JSON (grpc-gateway).

use serde_json::{Value, json};

use super::book::Refused;

/// `google.rpc.Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub code: u32,
    pub message: String,
}

impl Status {
    /// What most of LND's errors are.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// What cannot be read as the message that it should be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: 5, message: message.into() }
    }

    /// grpc-gateway's `HTTPStatusFromCode`.
    #[must_use]
    pub const fn http(&self) -> u16 {
        match self.code {
            3 => 400,
            5 => 404,
            14 => 503,
            _ => 500,
        }
    }

    #[must_use]
    pub fn body(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "details": [] })
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        Self::unknown(refused.words())
    }
}
