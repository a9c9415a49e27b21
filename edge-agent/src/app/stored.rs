//! Cards at the till without a network (store-and-forward): whether one may be asked for, and the sale that one that was read begins.

use saoma_protocol::{Amount, Millis, Sequence, api::PaymentState};

use super::{
    now,
    offline::moment,
    owner::{Order, Owner},
};
use crate::{
    offline::{Untimely, clock::Moment},
    peripherals::card_reader::CardWay,
    sale::{CardTender, Kept, Sale, Tender},
    stored::{Asked, StoredRefusal},
    till::{
        problem::Refused,
        view::{StoredView, ToAcknowledge},
    },
};

/// Sales that the state names for somebody to acknowledge: what a screen shows. The next comes up when one of them is done.
const TO_ACKNOWLEDGE_MAX: usize = 20;

impl Owner {
    /// How a card for that may be read now, and what time it is for the card: the machine's where its issuer is asked, core's otherwise.
    ///
    /// # Errors
    /// Without a network: `CoreUnreachable` where core lets no card be sold to then, `Stored` where one would be too much.
    pub(super) fn card_way(&self, amount: Amount, is_part: bool) -> Result<(CardWay, Millis), Refused> {
        if self.line.is_online() {
            return Ok((CardWay::Online, now()));
        }
        self.check_stored(is_part)?;
        let moment = moment();
        let (limits, at) = self.stored.open(self.offline.known(), amount, self.asked(moment.as_ref()))?;
        Ok((CardWay::Stored { stripe: limits.stripe }, at))
    }

    /// What this card pays by without a network: it is checked, and nothing is written yet.
    ///
    /// # Errors
    /// As [`Self::card_way`].
    pub(super) fn stored_tender(&self, mut card: Box<CardTender>, order: &Order) -> Result<Tender, Refused> {
        self.check_stored(order.split.is_some())?;
        if let Some(counter) = self.may_be_charged_yet(&card.shown.masked) {
            return Err(StoredRefusal::InDoubt(counter).into());
        }
        let moment = moment();
        let checked = self.stored.check(self.offline.known(), &card.shown, order.amount, self.asked(moment.as_ref()));
        let (sold, channel_account) =
            checked.inspect_err(|refusal| tracing::info!(code = refusal.code(), "a card is not sold to"))?;
        // Nobody but the customer vouches for it.
        card.shown.wants_signature = true;
        Ok(Tender::Stored { card, sold: Box::new(sold), channel_account })
    }

    /// The sale that was sent to core with the same card and has no end: it would be charged twice, and neither the cashier nor the
    /// customer would see that. One that is being cancelled is cancelled as soon as core is there, or shows as paid and can be voided.
    fn may_be_charged_yet(&self, masked: &str) -> Option<Sequence> {
        let is_by_it = |sale: &&Sale| sale.kept.card.as_ref().is_some_and(|card| card.masked == masked);
        let has_no_end = |sale: &&Sale| {
            !(sale.kept.stored || sale.is_cancelling() || sale.state().is_some_and(PaymentState::is_settled))
        };
        let sales = self.sales.values().map(|held| &held.sale);
        sales.filter(is_by_it).find(has_no_end).map(|sale| sale.kept.counter)
    }

    fn check_stored(&self, is_part: bool) -> Result<(), StoredRefusal> {
        if !self.offline.sells_to_cards() {
            return Err(StoredRefusal::Off);
        }
        if is_part {
            return Err(StoredRefusal::Split);
        }
        // Core might never forward it.
        if self.takes_no_entries() { Err(Untimely::Stopped.into()) } else { Ok(()) }
    }

    fn takes_no_entries(&self) -> bool {
        self.sync.stopped().is_some() || self.is_locked_out()
    }

    fn asked<'a>(&self, moment: Option<&'a Moment>) -> Asked<'a> {
        Asked { moment, machine: now(), through: self.sync.through() }
    }

    /// How cards without a network stand; none where there are none.
    pub(super) fn stored_view(&self) -> Option<StoredView> {
        let stored = || self.sales.values().map(|held| &held.sale).filter(|sale| sale.kept.stored && !sale.is_left());
        let waiting = || stored().filter(|sale| sale.is_forwarded() && !sale.awaits_office());
        let office = || stored().filter(|sale| sale.awaits_office());
        let declined = || stored().filter(|sale| sale.kept.loss_unseen);
        let is_on = self.offline.sells_to_cards();
        if !is_on && waiting().chain(office()).chain(declined()).next().is_none() {
            return None;
        }
        let moment = moment();
        let most = if is_on && self.takes_no_entries() {
            Err(Untimely::Stopped.into())
        } else {
            self.stored.most_minor(self.offline.known(), self.asked(moment.as_ref()))
        };
        let (most_minor, refusal) = match most {
            Ok(most_minor) => (Some(most_minor), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let (why, detail) = refusal.map(|refusal| (refusal.code(), refusal.to_string())).unzip();
        let minor = |sum: i64, sale: &Sale| sum.saturating_add(sale.kept.amount.minor());
        Some(StoredView {
            most_minor,
            why,
            detail,
            waiting_count: waiting().count(),
            waiting_minor: waiting().fold(0, minor),
            office_count: office().count(),
            office_minor: office().fold(0, minor),
            declined_count: declined().count(),
            declined_minor: declined().fold(0, minor),
            to_acknowledge: self.to_acknowledge(),
        })
    }

    fn to_acknowledge(&self) -> Vec<ToAcknowledge> {
        let of = |sale: &Sale| {
            let (code, _) = sale.alarm()?;
            let Kept { payment, counter, amount, card, .. } = &sale.kept;
            let masked = card.as_ref().map(|card| card.masked.clone()).unwrap_or_default();
            Some(ToAcknowledge { payment: *payment, counter: *counter, amount_minor: amount.minor(), masked, code })
        };
        let stored = self.sales.values().map(|held| &held.sale).filter(|sale| sale.kept.stored);
        let mut sales: Vec<_> = stored.filter_map(of).collect();
        sales.sort_by_key(|sale| sale.counter);
        sales.truncate(TO_ACKNOWLEDGE_MAX);
        sales
    }

    /// Rings what rang before the start and nobody has seen: alarms are of one run.
    pub(super) fn ring_stored(&mut self) {
        let alarms: Vec<_> = self.sales.values().filter_map(|held| held.sale.alarm()).collect();
        for (code, message) in alarms {
            self.alarm(code, message);
        }
    }
}
