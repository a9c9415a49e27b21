//! A sale that the customer's phone carries to core: what core says of it, by way of that phone or later.

use saoma_protocol::api::{Failure, PaymentState, PaymentView};

use super::{NOT_FOUND_AGAIN_MS, NOT_FOUND_BELIEVED, Step};
use crate::sale::{Effect, ReceiptState, Slip, Stage};

impl Step {
    /// The customer has shown core's word that it is paid; whoever tells of this has checked it. Whatever was believed before, this is as good
    /// as an answer of core's.
    pub(super) fn confirmed(&mut self) {
        if self.sale.kept.phone.is_none() || self.sale.was_captured() {
            return;
        }
        self.sale.kept.stage = Stage::Confirmed;
        self.sale.waits.not_found = 0;
        self.journal_settled(PaymentState::Succeeded, 0);
        self.sale.kept.receipt = ReceiptState::Queued;
        self.effects.push(Effect::Print(Slip::Sale));
    }

    /// What was said before it was paid comes late and says nothing; that it ended unpaid cannot be.
    pub(super) fn unpaid_once_confirmed(&mut self, view: &PaymentView) -> bool {
        if !view.state.is_settled() {
            return true;
        }
        let message =
            format!("core calls {} {:?}, and the customer showed core's word that it is paid", view.id, view.state);
        self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
        false
    }

    /// Core does not have it, and its code is over: whoever tells of this has looked at core's clock. Nobody opened it, and nobody can any more.
    pub(super) fn never_opened(&mut self) {
        let waits = &mut self.sale.waits;
        waits.not_found += 1;
        if waits.not_found < NOT_FOUND_BELIEVED {
            waits.next_at = Some(self.now.plus(NOT_FOUND_AGAIN_MS));
            return;
        }
        self.give_up(Failure {
            code: "phone_over".to_owned(),
            message: "the customer did not open the code in time, and was not charged".to_owned(),
        });
    }
}
