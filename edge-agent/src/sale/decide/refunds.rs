//! What core says of money that goes back.

use saoma_protocol::{
    RefundId,
    api::{Failure, RefundState, RefundView},
    journal::Record,
};

use super::Step;
use crate::sale::{Effect, Refund, Slip};

impl Step {
    /// As [`Self::learn`], of a refund.
    pub(super) fn learn_refund(&mut self, view: &RefundView) -> bool {
        let kept = &mut self.sale.kept;
        let (payment, sold) = (kept.payment, kept.amount);
        let held = kept.refunds.iter_mut().find(|held| held.refund == view.id);
        let fits = held.as_ref().map_or_else(
            || view.amount.currency() == sold.currency() && view.amount.minor() <= sold.minor(),
            |held| view.amount == held.amount,
        );
        if view.payment != payment || !fits {
            let message = format!(
                "core answered about {} of {} ({}) as a refund of {payment} ({sold})",
                view.id, view.payment, view.amount
            );
            self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
            return false;
        }
        // From here on core has it, whatever becomes of further requests.
        self.sale.waits.certain.retain(|certain| *certain != view.id);
        let Some(held) = held else {
            // Keyed on the dashboard, or made by core itself: known here, journaled there.
            kept.refunds.push(Refund::of(view));
            return true;
        };
        if held.answered && view.version <= held.version {
            return true;
        }
        let was_open = held.is_open();
        held.state = view.state;
        held.answered = true;
        held.failure = view.failure.clone();
        held.version = view.version;
        let (refund, state, is_open) = (held.refund, held.state, held.is_open());
        if was_open && !is_open {
            self.refund_settled(refund, state);
        }
        true
    }

    fn refund_settled(&mut self, refund: RefundId, state: RefundState) {
        let payment = self.sale.kept.payment;
        self.records.push(Record::RefundSettled { refund, payment, state });
        if state == RefundState::Succeeded {
            self.effects.push(Effect::Print(Slip::Refund(refund)));
        }
    }

    pub(super) fn refund_failed(&mut self, refund: RefundId, failure: Failure) {
        let Some(held) = self.sale.kept.refunds.iter_mut().find(|held| held.refund == refund) else { return };
        // What core has taken fails by core's word on it alone.
        if held.answered || !held.is_open() {
            return;
        }
        held.state = RefundState::Failed;
        held.answered = true;
        held.failure = Some(failure);
        self.refund_settled(refund, RefundState::Failed);
    }
}
