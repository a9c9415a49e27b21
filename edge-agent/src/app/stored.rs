//! Cards at the till without a network (store-and-forward): whether one may be asked for, and the sale that one that was read begins.

use saoma_protocol::Amount;

use super::{
    now,
    offline::moment,
    owner::{Order, Owner},
};
use crate::{
    offline::clock::Moment,
    peripherals::card_reader::CardWay,
    sale::{CardTender, Tender},
    stored::{Asked, StoredRefusal},
    till::{problem::Refused, view::StoredView},
};

impl Owner {
    /// How a card for that may be read now.
    ///
    /// # Errors
    /// Without a network: `CoreUnreachable` where core lets no card be sold to then, `Stored` where one would be too much.
    pub(super) fn card_way(&self, amount: Amount, is_part: bool) -> Result<CardWay, Refused> {
        if self.line.is_online() {
            return Ok(CardWay::Online);
        }
        self.check_stored(is_part)?;
        let moment = moment();
        let (limits, _) = self.stored.open(self.offline.known(), amount, self.asked(moment.as_ref()))?;
        Ok(CardWay::Stored { stripe: limits.stripe })
    }

    /// What this card pays by without a network: it is checked, and nothing is written yet.
    ///
    /// # Errors
    /// As [`Self::card_way`].
    pub(super) fn stored_tender(&self, mut card: Box<CardTender>, order: &Order) -> Result<Tender, Refused> {
        self.check_stored(order.split.is_some())?;
        let moment = moment();
        let checked = self.stored.check(self.offline.known(), &card.shown, order.amount, self.asked(moment.as_ref()));
        let (sold, channel_account) =
            checked.inspect_err(|refusal| tracing::info!(code = refusal.code(), "a card is not sold to"))?;
        // Nobody but the customer vouches for it.
        card.shown.wants_signature = true;
        Ok(Tender::Stored { card, sold: Box::new(sold), channel_account })
    }

    fn check_stored(&self, is_part: bool) -> Result<(), StoredRefusal> {
        if !self.offline.sells_to_cards() {
            return Err(StoredRefusal::Off);
        }
        if is_part {
            return Err(StoredRefusal::Split);
        }
        // Core might never forward it; cash is at least in the drawer.
        if self.takes_no_entries() { Err(StoredRefusal::Stopped) } else { Ok(()) }
    }

    fn takes_no_entries(&self) -> bool {
        self.sync.stopped().is_some() || self.alarms.rings("terminal_locked")
    }

    fn asked<'a>(&self, moment: Option<&'a Moment>) -> Asked<'a> {
        Asked { moment, machine: now(), through: self.sync.through() }
    }

    /// How cards without a network stand; none where there are none.
    pub(super) fn stored_view(&self) -> Option<StoredView> {
        let waiting = || self.sales.values().map(|held| &held.sale).filter(|sale| sale.is_forwarded());
        let is_on = self.offline.sells_to_cards();
        if !is_on && waiting().next().is_none() {
            return None;
        }
        let moment = moment();
        let most = if is_on && self.takes_no_entries() {
            Err(StoredRefusal::Stopped)
        } else {
            self.stored.most_minor(self.offline.known(), self.asked(moment.as_ref()))
        };
        let (most_minor, refusal) = match most {
            Ok(most_minor) => (Some(most_minor), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let (why, detail) = refusal.map(|refusal| (refusal.code(), refusal.to_string())).unzip();
        let waiting_minor = waiting().fold(0_i64, |sum, sale| sum.saturating_add(sale.kept.amount.minor()));
        Some(StoredView { most_minor, why, detail, waiting_count: waiting().count(), waiting_minor })
    }
}
