//! What core says of a card that was sold to without a network, when the goods are gone.

use super::{FORWARDED_MS, NOT_FOUND_AGAIN_MS, NOT_FOUND_BELIEVED, Step};
use crate::sale::{Effect, Refusal, Stage};

impl Step {
    /// The acquirer declines: no money comes for what was sold.
    pub(super) fn tell_declined(&mut self) {
        self.sale.kept.loss_unseen = true;
        let kept = &self.sale.kept;
        let card = kept.card.as_ref().map(|card| card.masked.as_str()).unwrap_or_default();
        let why = self.sale.failure().map(|failure| format!(" ({})", failure.message)).unwrap_or_default();
        let (counter, amount) = (kept.counter, kept.amount.money().decimal());
        let message = format!(
            "the bank declines the card {card} of sale {counter}{why}: {amount} {} that was sold without a network is not paid; keep \
             the signed slip for the office",
            kept.amount.currency()
        );
        self.effects.push(Effect::Alarm { code: "stored_declined", message });
    }

    /// A person here has seen it; what becomes of the loss is told at core.
    pub(super) fn acknowledge_pressed(&mut self) -> Result<(), Refusal> {
        if !self.sale.kept.loss_unseen {
            return Err(self.refused("acknowledged"));
        }
        self.sale.kept.loss_unseen = false;
        Ok(())
    }

    /// Core has its entry, and no sale by it: once it was said twice, a person settles it there. Core is asked on, since it may have been
    /// restored and get the entry anew.
    pub(super) fn not_booked_yet(&mut self) {
        let is_told = self.sale.is_held();
        let waits = &mut self.sale.waits;
        waits.not_found = waits.not_found.saturating_add(1);
        waits.next_at = Some(self.now.plus(if is_told { FORWARDED_MS } else { NOT_FOUND_AGAIN_MS }));
        if waits.not_found >= NOT_FOUND_BELIEVED && !is_told {
            self.sale.kept.stage = Stage::Stored { held: true };
            let message =
                format!("core has not booked the card sale {}: the office settles it", self.sale.kept.counter);
            self.effects.push(Effect::Alarm { code: "stored_not_booked", message });
        }
    }
}
