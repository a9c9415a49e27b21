//! A payment through a printed code, as the till's pages get to see it.

use saoma_protocol::{Currency, Millis, PaymentId};
use serde::Serialize;

use crate::received::Received;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedView {
    pub payment: PaymentId,
    /// The shop's own name for the code.
    pub label: String,
    pub amount_minor: i64,
    pub amount: String,
    pub currency: Currency,
    pub paid_at: Millis,
}

impl ReceivedView {
    #[must_use]
    pub fn of(received: &Received) -> Self {
        Self {
            payment: received.payment,
            label: received.label.clone(),
            amount_minor: received.amount.minor(),
            amount: received.amount.money().decimal(),
            currency: received.amount.currency(),
            paid_at: received.paid_at,
        }
    }
}
