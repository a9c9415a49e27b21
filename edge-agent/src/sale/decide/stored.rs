//! What core says of a card that was sold to without a network, when the goods are gone.

use saoma_protocol::api::{PaymentView, RefundView};

use super::{NOT_FOUND_AGAIN_MS, NOT_FOUND_BELIEVED, Step};
use crate::sale::{Effect, Refusal, Sale, Stage};

/// How often core is asked what became of a card that it forwards: it tells by itself, and this finds out when that fails.
const FORWARDED_MS: i64 = 60_000;
/// How often it is asked where a person is waited for: it may take days.
const HELD_MS: i64 = 15 * FORWARDED_MS;

/// The least pause between two questions about it.
pub(super) fn forwarded_ms(sale: &Sale) -> i64 {
    match () {
        () if sale.awaits_office() || sale.is_denied() => HELD_MS,
        () if sale.is_forwarded() => FORWARDED_MS,
        () => 0,
    }
}

impl Step {
    /// Core tells of the sale, and perhaps of what goes back on it. Under the number of one that it does not book it may have another:
    /// what goes back on that is none of this one's.
    pub(super) fn learn_pushed(&mut self, view: PaymentView, refund: Option<&RefundView>) {
        let is_first = matches!(self.sale.kept.stage, Stage::Stored { .. });
        if let Some(refund) = refund.filter(|_| !is_first) {
            self.learn_refund(refund);
        }
        let is_learnt = self.learn(view);
        if let Some(refund) = refund.filter(|_| is_first && is_learnt) {
            self.learn_refund(refund);
        }
    }

    /// What core says of it goes on to be so until a person has settled it.
    pub(super) fn wait_if_held(&mut self) {
        if self.sale.is_held() || self.sale.is_denied() {
            self.sale.waits.next_at = Some(self.now.plus(HELD_MS));
        }
    }

    /// The acquirer declines: no money comes for what was sold.
    pub(super) fn tell_declined(&mut self) {
        self.sale.kept.loss_unseen = true;
        self.ring();
    }

    /// What the sale has to tell a person.
    pub(super) fn ring(&mut self) {
        let alarm = self.sale.alarm().map(|(code, message)| Effect::Alarm { code, message });
        self.effects.extend(alarm);
    }

    /// A person here has seen it; what becomes of the loss, or of what core does not book, is told at core.
    pub(super) fn acknowledge_pressed(&mut self) -> Result<(), Refusal> {
        let kept = &mut self.sale.kept;
        match &mut kept.stage {
            _ if kept.loss_unseen => kept.loss_unseen = false,
            _ if kept.paid_after_all_unseen => kept.paid_after_all_unseen = false,
            Stage::Stored { held: true, left } | Stage::Confirmed { denied: true, left } if !*left => *left = true,
            _ => return Err(self.refused("acknowledged")),
        }
        Ok(())
    }

    /// Core has its entry, and no sale by it: once it was said twice, a person settles it there. Core is asked on, more seldom, since it
    /// may have been restored and get the entry anew; and somebody here is told each time until he has said that he has seen it.
    pub(super) fn not_booked_yet(&mut self) {
        let Stage::Stored { held, left } = &mut self.sale.kept.stage else { return };
        let waits = &mut self.sale.waits;
        waits.not_found = waits.not_found.saturating_add(1);
        if *left || !*held && waits.not_found < NOT_FOUND_BELIEVED {
            waits.next_at = Some(self.now.plus(NOT_FOUND_AGAIN_MS));
            return;
        }
        *held = true;
        waits.next_at = Some(self.now.plus(HELD_MS));
        self.ring();
    }
}
