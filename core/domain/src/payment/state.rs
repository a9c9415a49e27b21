//! Where a payment can stand, each state with only what is true in it.

use saoma_protocol::{Amount, Millis, PaymentId, api::Failure, api::PaymentState};

/// Who showed the code, or what else the money came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    MerchantPresented,
    CustomerPresented,
    /// A bank card at the terminal, through an acquirer.
    Card,
    Cash,
}

impl Method {
    /// The stable text of this method, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::MerchantPresented => "merchant_presented",
            Self::CustomerPresented => "customer_presented",
            Self::Card => "card",
            Self::Cash => "cash",
        }
    }

    /// Whether we ask for the money at once, while the customer stands there: what nobody answers for is then soon undone. A code
    /// that we show is paid when the customer likes.
    #[must_use]
    pub const fn is_charged(self) -> bool {
        match self {
            Self::CustomerPresented | Self::Card => true,
            Self::MerchantPresented | Self::Cash => false,
        }
    }
}

/// The part of a payment that rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    pub amount: Amount,
    pub method: Method,
    pub state: State,
}

/// How far the channel has confirmed a close that we decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The channel may still take money for it: core goes on asking the channel to close it.
    Asked,
    /// The channel confirmed that nothing can be paid any more (or never heard of the payment).
    Confirmed,
}

/// Money that the channel (or, in its silence, two persons) confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    pub at: Millis,
    /// Confirmed after we had closed the payment.
    pub late: bool,
    /// Two persons said so, and the channel has not (yet).
    pub by_hand: bool,
    /// Given back, in minor units; 0 ≤ refunded, refunded + reserved ≤ amount.
    pub refunded_minor: i64,
    /// In refunds that are under way, in minor units: it may yet be given back, so it cannot be promised again.
    pub reserved_minor: i64,
    /// In disputes that are open or lost, in minor units: the channel has it. Not bounded by the amount, since the channel
    /// takes what it takes; what it leaves is [`Payment::refundable_minor`].
    pub disputed_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Written down, nothing sent.
    Created,
    /// A code is on show until `expires_at`.
    Presenting {
        expires_at: Millis,
    },
    /// Committed before the charge is sent, so that a crash in between is seen.
    Submitting {
        since: Millis,
    },
    /// The channel waits for the customer.
    Pending {
        since: Millis,
    },
    /// We do not know. Core asks, and past the channel's limit reverses.
    Unknown {
        since: Millis,
    },
    /// Paid; `succeeded`, `partly_refunded` and `refunded` on the wire follow from the numbers.
    Captured(Capture),
    /// Wholly undone on the day.
    Voided {
        captured_at: Millis,
    },
    Failed {
        failure: Failure,
    },
    /// The channel confirmed that an unknown payment was undone or never happened.
    Reversed,
    Expired {
        close: Close,
    },
    Cancelled {
        close: Close,
    },
}

impl Payment {
    /// The state as the wire has it.
    #[must_use]
    pub fn public_state(&self) -> PaymentState {
        match &self.state {
            State::Created => PaymentState::Created,
            State::Presenting { .. } => PaymentState::Presenting,
            State::Submitting { .. } => PaymentState::Submitting,
            State::Pending { .. } => PaymentState::Pending,
            State::Unknown { .. } => PaymentState::Unknown,
            State::Captured(capture) if capture.refunded_minor == 0 => PaymentState::Succeeded,
            State::Captured(capture) if capture.refunded_minor < self.amount.minor() => PaymentState::PartlyRefunded,
            State::Captured(_) => PaymentState::Refunded,
            State::Voided { .. } => PaymentState::Voided,
            State::Failed { .. } => PaymentState::Failed,
            State::Reversed => PaymentState::Reversed,
            State::Expired { .. } => PaymentState::Expired,
            State::Cancelled { .. } => PaymentState::Cancelled,
        }
    }

    /// What may still be given back, in minor units; 0 if nothing was captured, or if disputes have all that is left.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        match &self.state {
            State::Captured(capture) => {
                let kept_minor = self.amount.minor() - capture.refunded_minor - capture.reserved_minor;
                kept_minor.saturating_sub(capture.disputed_minor).max(0)
            }
            _ => 0,
        }
    }

    /// Whether core must keep asking the channel about it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(
            self.state,
            State::Submitting { .. }
                | State::Pending { .. }
                | State::Unknown { .. }
                | State::Expired { close: Close::Asked }
                | State::Cancelled { close: Close::Asked }
        )
    }
}
