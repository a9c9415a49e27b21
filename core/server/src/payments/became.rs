//! What became of money that a customer has paid, as the customer is told it.

use saoma_domain::payment::{Payment, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    Paid,
    PartGivenBack,
    /// All of it is under way back to them.
    GoingBack,
    GivenBack,
}

impl Became {
    /// `None` if nothing was paid, or nothing is known of it.
    #[must_use]
    pub const fn of(payment: &Payment) -> Option<Self> {
        let whole = payment.amount.minor();
        Some(match &payment.state {
            State::Voided { .. } => Self::GivenBack,
            State::Captured(capture) if capture.refunded_minor == whole => Self::GivenBack,
            State::Captured(capture) if capture.refunded_minor + capture.reserved_minor == whole => Self::GoingBack,
            State::Captured(capture) if capture.refunded_minor + capture.reserved_minor > 0 => Self::PartGivenBack,
            State::Captured(_) => Self::Paid,
            _ => return None,
        })
    }
}
