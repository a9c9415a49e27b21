//! What is still to be done about a sale, and by whom.

use saoma_protocol::api::PaymentState;

use super::{Kept, ReceiptState, Refund, Sale, Stage};

/// What is still to be done about a sale. The numbers are of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeftToDo {
    #[default]
    Nothing = 0,
    /// Something is to be found out about it, or its slip is at the printer.
    Here = 1,
    /// Core or a person sees to it, and nothing of it is at risk here: another program may be started meanwhile.
    Elsewhere = 2,
}

impl Sale {
    /// Whether it was sold at the merchant's risk and the acquirer has not answered: core sees to that, and nobody here waits for it.
    #[must_use]
    pub fn is_forwarded(&self) -> bool {
        self.kept.stored && !self.state().is_some_and(PaymentState::is_settled)
    }

    #[must_use]
    pub fn left_to_do(&self) -> LeftToDo {
        match () {
            // A slip that is at the printer is looked after at the next start.
            () if self.kept.receipt == ReceiptState::Queued => LeftToDo::Here,
            // What goes back is at risk whatever became of the sale.
            () if self.kept.refunds.iter().any(Refund::is_open) => LeftToDo::Here,
            () if self.is_left() => LeftToDo::Nothing,
            () if self.is_forwarded() || self.kept.loss_unseen || self.kept.paid_after_all_unseen => {
                LeftToDo::Elsewhere
            }
            () if self.is_open() => LeftToDo::Here,
            // Core is asked once it is there.
            () if self.awaits_cores_word() => LeftToDo::Elsewhere,
            () => LeftToDo::Nothing,
        }
    }

    /// Whether core has its entry and no such sale: a person settles it there.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.kept.stage, Stage::Stored { held: true, .. })
    }

    /// Whether core denies what the customer's phone confirmed, and nobody here has seen that.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self.kept.stage, Stage::Confirmed { denied: true, left: false })
    }

    /// Whether somebody here has seen that core does not book it, or denies it. Should core do so after all, it tells of it.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(self.kept.stage, Stage::Stored { left: true, .. } | Stage::Confirmed { left: true, .. })
    }

    /// Whether a person at core is waited for: core has no sale by its entry, or does not come to an end with it by itself.
    #[must_use]
    pub fn awaits_office(&self) -> bool {
        self.is_forwarded() && (self.is_held() || self.view().is_some_and(|view| view.needs_attention.is_some()))
    }

    /// What somebody here must look at and has not yet, of what was sold without a network: an alarm's code and words.
    #[must_use]
    pub fn alarm(&self) -> Option<(&'static str, String)> {
        let Kept { counter, amount, .. } = &self.kept;
        match self.kept.stage {
            _ if self.kept.loss_unseen => {
                let card = self.kept.card.as_ref().map(|card| card.masked.as_str()).unwrap_or_default();
                let why = self.failure().map(|failure| format!(" ({})", failure.message)).unwrap_or_default();
                let (sum, currency) = (amount.money().decimal(), amount.currency());
                let message = format!(
                    "the bank declines the card {card} of sale {counter}{why}: {sum} {currency} that was sold without a network is \
                     not paid; keep the signed slip for the office"
                );
                Some(("stored_declined", message))
            }
            _ if self.kept.paid_after_all_unseen => {
                let message = format!(
                    "sale {counter} of {} was given up here, and the customer has paid it all the same: give it back, unless core has or \
                     the goods went with it",
                    amount.money()
                );
                Some(("paid_after_all", message))
            }
            Stage::Stored { held: true, left: false } => {
                let message = format!("core has not booked the card sale {counter}: the office settles it");
                Some(("stored_not_booked", message))
            }
            _ => None,
        }
    }
}
