//! Why a key press does nothing.

/// `code` is of the till's API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this sale is {state}: it cannot be {what} now")]
    NotNow { state: &'static str, what: &'static str },
    #[error("cash can be voided on the day of the sale only: refund it instead")]
    VoidTooLate,
    #[error("at most {left} {currency} of this sale can still be given back")]
    RefundExceeds { left: String, currency: saoma_protocol::Currency },
}

impl Refusal {
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotNow { .. } => "not_now",
            Self::VoidTooLate => "void_too_late",
            Self::RefundExceeds { .. } => "refund_exceeds",
        }
    }
}
