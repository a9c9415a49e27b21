//! Cards without a network at this terminal (store-and-forward): whether one is sold to, from what core said last and from what was sold
//! here. Pure: no I/O, no clock.
//!
//! The issuer is not asked, and the merchant bears what it declines later: everything that is not surely within the merchant's limits
//! is refused. A sale is on the disk, with its card, before anybody hears of it.

use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, Money, Sequence,
    api::{CardDigits, CardEntry, CardLimits},
    money::AMOUNT_MINOR_MAX,
};
use serde::{Deserialize, Serialize};

use crate::{
    offline::{DAY_MS, Known, OverUnsent, UnsentLimits, Untimely, clock::Moment},
    sale::CardShown,
};

/// A card that was sold to here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldCard {
    pub digits: CardDigits,
    pub amount: Amount,
    /// By core's clock, and of its journal entry.
    pub at: Millis,
}

impl SoldCard {
    /// From when on no limit looks at it once core has it.
    #[must_use]
    pub fn until(&self) -> Millis {
        self.at.plus(DAY_MS)
    }
}

/// Why no card is sold to without a network, in the order of the checks; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredRefusal {
    #[error("cards are taken with a network alone; take cash")]
    Off,
    #[error(
        "without a network a card pays a whole sale only: give back what was paid in parts, or take this part in another way"
    )]
    Split,
    #[error(transparent)]
    Untimely(#[from] Untimely),
    #[error("cards are taken without a network in {0} alone: take another way to pay")]
    Currency(Currency),
    #[error("without a network this till takes {} at most by card: take another way to pay", .max.decimal())]
    SaleCap { max: Money },
    #[error(transparent)]
    Unsent(#[from] OverUnsent),
    #[error("without a network only chips are taken: take another card, or another way to pay")]
    Stripe,
    #[error("cards of this kind are not taken without a network: take another card, or another way to pay")]
    Number,
    #[error("this card is not taken without a network any more: take another card, or another way to pay")]
    Blocked,
    #[error("this card has paid {0} times without a network within a day, as often as it may: take another way to pay")]
    CardCount(u32),
    #[error("this card may pay {} more today without a network: take another way to pay", .left.decimal())]
    CardSum { left: Money },
    /// It may be charged for that one as well.
    #[error("sale {0} with this card is not settled: cancel it first, or take another way to pay")]
    InDoubt(Sequence),
    #[error("the network went while the card was read, and nothing was charged: key the sale again")]
    LineWent,
    #[error(
        "core does not have this card sale yet, and nothing of it can be given back before: connect the till first"
    )]
    Unsynced,
    #[error(
        "the bank has not answered for this card sale yet, and nothing of it can be given back before: wait for it"
    )]
    NotFinal,
    #[error(
        "this card sale waits for a person at core, and nothing of it can be given back here: the office settles it"
    )]
    Held,
}

impl StoredRefusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Off => "stored_off",
            Self::Split => "stored_split",
            Self::Untimely(Untimely::Stopped) => "stored_stopped",
            Self::Untimely(Untimely::ClockUnheard) => "stored_clock_unheard",
            Self::Untimely(Untimely::ClockApart { .. }) => "stored_clock_wrong",
            Self::Untimely(Untimely::ListOld) => "stored_list_old",
            Self::Currency(_) => "stored_currency_other",
            Self::SaleCap { .. } => "stored_sale_cap",
            Self::Unsent(OverUnsent::Sum { .. }) => "stored_unsent_sum",
            Self::Unsent(OverUnsent::Count(_)) => "stored_unsent_count",
            Self::Unsent(OverUnsent::Age(_)) => "stored_unsent_age",
            Self::Stripe => "stored_stripe",
            Self::Number => "stored_card_other",
            Self::Blocked => "stored_card_blocked",
            Self::CardCount(_) => "stored_card_count",
            Self::CardSum { .. } => "stored_card_sum",
            Self::InDoubt(_) => "stored_card_in_doubt",
            Self::LineWent => "stored_line_went",
            Self::Unsynced => "stored_unsynced",
            Self::NotFinal => "stored_not_final",
            Self::Held => "stored_held",
        }
    }
}

/// The moment at which it is asked, the machine's clock, and how far core has the journal.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// None if this machine does not tell how long it runs.
    pub moment: Option<&'a Moment>,
    pub machine: Millis,
    pub through: Sequence,
}

/// The cards that were sold to here, with the entry of each sale, in order.
#[derive(Clone, Debug, Default)]
pub struct StoredCards(Vec<(Sequence, SoldCard)>);

impl StoredCards {
    #[must_use]
    pub const fn new(sold: Vec<(Sequence, SoldCard)>) -> Self {
        Self(sold)
    }

    /// This one was sold to, and it is on the disk as that entry. What no limit looks at any more goes, as it went there.
    pub fn took(&mut self, entry: Sequence, sold: SoldCard, through: Sequence) {
        self.0.retain(|(held, before)| !is_over(before, *held, sold.at, through));
        self.0.push((entry, sold));
    }

    /// Whether a card may be asked for to pay `amount`: core's limits, and the time there.
    ///
    /// # Errors
    /// The first that is wrong, in the order of [`StoredRefusal`] up to `Unsent`, but for `Split`.
    pub fn open<'a>(
        &self,
        known: Option<&'a Known>,
        amount: Amount,
        asked: Asked<'_>,
    ) -> Result<(&'a CardLimits, Millis), StoredRefusal> {
        let (limits, at) = timely(known, asked)?;
        if amount.currency() != limits.currency {
            return Err(StoredRefusal::Currency(limits.currency));
        }
        if amount.minor() > limits.sale_minor_max {
            return Err(StoredRefusal::SaleCap { max: Money::new(limits.sale_minor_max, limits.currency) });
        }
        unsent_limits(limits).check(self.unsent(asked.through), amount, at)?;
        Ok((limits, at))
    }

    /// Whether this card pays `amount`: what is to be on the disk before anybody is told so, and the account that core forwards through.
    ///
    /// # Errors
    /// The first that is wrong, in the order of [`StoredRefusal`] up to `CardSum`, but for `Split`.
    pub fn check(
        &self,
        known: Option<&Known>,
        card: &CardShown,
        amount: Amount,
        asked: Asked<'_>,
    ) -> Result<(SoldCard, ChannelAccountId), StoredRefusal> {
        let (limits, at) = self.open(known, amount, asked)?;
        match card.entry {
            CardEntry::Chip => {}
            CardEntry::Swiped if limits.stripe => {}
            // What was keyed, and a stripe that stands in for a chip, are too easily made up; contactless cards there are none.
            _ => return Err(StoredRefusal::Stripe),
        }
        let digits = CardDigits::of_masked(&card.masked).ok_or(StoredRefusal::Number)?;
        if !limits.prefixes.iter().any(|prefix| !prefix.is_empty() && digits.first_6.starts_with(prefix.as_str())) {
            return Err(StoredRefusal::Number);
        }
        if limits.blocked.contains(&digits) {
            return Err(StoredRefusal::Blocked);
        }
        // A clock that was set back makes what was sold no older.
        let today = || {
            let of_card = self.0.iter().map(|(_, sold)| sold).filter(|sold| sold.digits == digits);
            of_card.filter(|sold| at.since(sold.at) < DAY_MS)
        };
        if today().count() >= limits.card_day_count_max as usize {
            return Err(StoredRefusal::CardCount(limits.card_day_count_max));
        }
        let left_minor =
            today().fold(limits.card_day_minor_max, |left, sold| left.saturating_sub(sold.amount.minor())).max(0);
        if amount.minor() > left_minor {
            return Err(StoredRefusal::CardSum { left: Money::new(left_minor, limits.currency) });
        }
        Ok((SoldCard { digits, amount, at }, limits.channel_account))
    }

    /// The most that a card pays now, in minor units.
    ///
    /// # Errors
    /// Why none does: as [`Self::open`].
    pub fn most_minor(&self, known: Option<&Known>, asked: Asked<'_>) -> Result<i64, StoredRefusal> {
        let (limits, at) = timely(known, asked)?;
        let unsent = unsent_limits(limits);
        let most_minor = limits.sale_minor_max.min(unsent.left_minor(self.unsent(asked.through)));
        // With nothing left, the smallest amount says why.
        let tried =
            Amount::new(most_minor.clamp(1, AMOUNT_MINOR_MAX), limits.currency).map_err(|_| StoredRefusal::Off)?;
        unsent.check(self.unsent(asked.through), tried, at)?;
        Ok(most_minor)
    }

    fn unsent(&self, through: Sequence) -> impl Iterator<Item = (Amount, Millis)> + Clone {
        self.0.iter().filter(move |(entry, _)| *entry > through).map(|(_, sold)| (sold.amount, sold.at))
    }
}

/// What core lets this terminal sell, if it is known what time it is.
fn timely<'a>(known: Option<&'a Known>, asked: Asked<'_>) -> Result<(&'a CardLimits, Millis), StoredRefusal> {
    let (known, limits) =
        known.and_then(|known| Some((known, known.list.cards.as_ref()?))).ok_or(StoredRefusal::Off)?;
    Ok((limits, known.time(limits.list_hours_max, asked.moment, asked.machine)?))
}

const fn unsent_limits(limits: &CardLimits) -> UnsentLimits {
    let CardLimits { unsent_minor_max, unsent_count_max, unsent_hours_max, .. } = *limits;
    UnsentLimits { minor_max: unsent_minor_max, count_max: unsent_count_max, hours_max: unsent_hours_max }
}

/// Whether the terminal need not know of it any more at `at`: no limit looks at it, and core has its sale.
#[must_use]
pub fn is_over(sold: &SoldCard, entry: Sequence, at: Millis, through: Sequence) -> bool {
    entry <= through && sold.until() <= at
}

#[cfg(test)]
mod tests;
