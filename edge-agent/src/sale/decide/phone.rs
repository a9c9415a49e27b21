//! A sale that the customer's phone carries to core: what core says of it, by way of that phone or later.

use saoma_protocol::api::{Failure, PaymentState, PaymentView};

use super::{NOT_FOUND_AGAIN_MS, NOT_FOUND_BELIEVED, Step};
use crate::sale::{Ask, Effect, ReceiptState, Slip, Stage};

impl Step {
    /// The customer has shown core's word that it is paid; whoever tells of this has checked it. Whatever was believed before, this is as good
    /// as an answer of core's.
    pub(super) fn confirmed(&mut self) {
        if self.sale.kept.phone.is_none() || self.sale.was_captured() {
            return;
        }
        self.sale.kept.stage = Stage::Confirmed { denied: false, left: false };
        // A request that is under way was sent before this.
        self.sale.waits.not_found = 0;
        self.journal_settled(PaymentState::Succeeded, 0);
        self.sale.kept.receipt = ReceiptState::Queued;
        self.effects.push(Effect::Print(Slip::Sale));
        if self.sale.kept.given_up {
            self.tell_paid_after_all();
        }
    }

    /// Whoever gave it up may have taken other money for it since.
    pub(super) fn tell_paid_after_all(&mut self) {
        if !self.sale.was_captured() {
            return;
        }
        self.sale.kept.paid_after_all_unseen = true;
        self.ring();
    }

    /// What was said before it was paid comes late and says nothing; that it ended unpaid cannot be.
    pub(super) fn unpaid_once_confirmed(&mut self, view: &PaymentView) -> bool {
        if !view.state.is_settled() {
            return true;
        }
        let (counter, state) = (self.sale.kept.counter, view.state);
        let message =
            format!("core calls sale {counter} {state:?}, which a customer's phone confirmed as paid: call the office");
        self.denied("core_answered_oddly", message);
        false
    }

    /// Core's own word is against the letters that it gave the customer. It is asked on, more seldom, and somebody here is told each time until
    /// he has said that he has seen it.
    pub(super) fn denied(&mut self, code: &'static str, message: String) {
        let Stage::Confirmed { denied, left: false } = &mut self.sale.kept.stage else { return };
        *denied = true;
        self.effects.push(Effect::Alarm { code, message });
    }

    /// Core is asked to give it up: as long as core has said nothing of it, first what is there under its number, since an older sale must
    /// not be cancelled in its place.
    pub(super) fn ask_to_cancel(&mut self) {
        if self.sale.awaits_phone() {
            self.fetch();
        } else {
            self.ask(Ask::Cancel);
        }
    }

    /// Core does not have it. Whoever tells of this has looked at core's clock, and says so of a sale that is to be given up, or whose code is
    /// over: then nobody opened it, and nobody can any more.
    pub(super) fn not_opened(&mut self, ask: Ask, cancelling: bool) {
        if cancelling && ask == Ask::Fetch {
            // Core lets no code begin it from then on.
            return self.ask(Ask::Cancel);
        }
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

    /// Core had no payment of it, and lets none begin.
    pub(super) fn called_off(&mut self) {
        self.give_up(Failure {
            code: "phone_called_off".to_owned(),
            message: "it was cancelled before the customer opened the code, and nothing was charged".to_owned(),
        });
    }

    /// Core has another sale under its number, from before this disk was set back: no code begins a payment there any more.
    pub(super) fn number_taken(&mut self) {
        let message = format!(
            "core has an older sale than the one that was shown as a code under the number {}: call the office",
            self.sale.kept.counter
        );
        self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
        if self.sale.awaits_phone() {
            self.give_up(Failure {
                code: "phone_number_taken".to_owned(),
                message: "core has sold something else under this number before, so the code paid nothing".to_owned(),
            });
        }
    }
}
