//! What the scheme refuses, with the code and the HTTP status that `PROTOCOL.md` publishes. One table for both doors.

/// Why a call was refused. Nothing of it has been carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    BadRequest(String),
    #[error("this scheme settles in CNY, not in {0:?}")]
    CurrencyUnsupported(String),
    #[error("the payment code is unknown or was used before")]
    CodeInvalid,
    #[error("the payment code has expired; ask the customer to refresh it")]
    CodeExpired,
    #[error("{0}")]
    BadSignature(&'static str),
    #[error("no such order")]
    OrderNotFound,
    #[error("no such refund")]
    RefundNotFound,
    #[error("no such account")]
    AccountNotFound,
    #[error("no such call")]
    CallNotFound,
    #[error("the order number is taken by an order that differs in {0}")]
    OrderConflict(&'static str),
    #[error("the order is closed")]
    OrderClosed,
    #[error("the order has expired")]
    OrderExpired,
    #[error("the order has been refunded in part and cannot be reversed")]
    NotReversible,
    #[error("the refund number is taken by a refund of another amount")]
    RefundConflict,
    #[error("the order has {left} left to refund")]
    RefundExceeds { left: String },
    #[error("the order is already paid")]
    AlreadyPaid,
    #[error("the account's balance is too low")]
    InsufficientFunds,
    #[error("one payment may be at most {max}")]
    LimitExceeded { max: String },
    #[error("several merchants have an order of this number; add ?merchant=")]
    Ambiguous,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) | Self::CurrencyUnsupported(_) | Self::CodeInvalid | Self::CodeExpired => 400,
            Self::BadSignature(_) => 401,
            Self::OrderNotFound | Self::RefundNotFound | Self::AccountNotFound | Self::CallNotFound => 404,
            Self::OrderConflict(_)
            | Self::OrderClosed
            | Self::OrderExpired
            | Self::NotReversible
            | Self::RefundConflict
            | Self::RefundExceeds { .. }
            | Self::AlreadyPaid
            | Self::InsufficientFunds
            | Self::LimitExceeded { .. }
            | Self::Ambiguous => 409,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BAD_REQUEST",
            Self::CurrencyUnsupported(_) => "CURRENCY_UNSUPPORTED",
            Self::CodeInvalid => "CODE_INVALID",
            Self::CodeExpired => "CODE_EXPIRED",
            Self::BadSignature(_) => "BAD_SIGNATURE",
            Self::OrderNotFound => "ORDER_NOT_FOUND",
            Self::RefundNotFound => "REFUND_NOT_FOUND",
            Self::AccountNotFound => "ACCOUNT_NOT_FOUND",
            Self::CallNotFound => "NOT_FOUND",
            Self::OrderConflict(_) => "ORDER_CONFLICT",
            Self::OrderClosed => "ORDER_CLOSED",
            Self::OrderExpired => "ORDER_EXPIRED",
            Self::NotReversible => "NOT_REVERSIBLE",
            Self::RefundConflict => "REFUND_CONFLICT",
            Self::RefundExceeds { .. } => "REFUND_EXCEEDS",
            Self::AlreadyPaid => "ALREADY_PAID",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::Ambiguous => "AMBIGUOUS",
        }
    }
}
