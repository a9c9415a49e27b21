//! What is still to be done about a sale, and by whom.

use saoma_protocol::api::PaymentState;

use super::{ReceiptState, Sale, Stage};

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
            () if self.is_forwarded() || self.kept.loss_unseen => LeftToDo::Elsewhere,
            () if self.is_open() => LeftToDo::Here,
            () => LeftToDo::Nothing,
        }
    }

    /// Whether core has its entry and no such sale: a person settles it there.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.kept.stage, Stage::Stored { held: true })
    }
}
