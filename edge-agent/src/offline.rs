//! Offline codes (OPC1) at this terminal: whether one is taken, from what core said last and from what was taken here. Pure: no I/O,
//! no clock. Cards without a network are judged beside it ([`crate::stored`]), by what is shared here.
//!
//! Everything that is not surely right is refused. A code that is taken is on the disk, with its sale, before anybody hears of it:
//! a restart finds both or neither. What another terminal takes meanwhile only core can see, so that limits keep small what is at
//! risk until it does.

pub mod clock;
mod unsent;

use saoma_protocol::{
    Amount, Currency, Millis, Money, Sequence,
    api::{OfflineLimits, OfflineList},
    code::offline::{Code, CodeError, PREFIX, Token},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::clock::{APART_MS_MAX, Anchor, Moment, Unsure};
pub use self::unsent::{OverUnsent, UnsentLimits};

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// What core said last, and when that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub list: OfflineList,
    /// Absent if core took too long to tell the time by it.
    pub clock: Option<Anchor>,
    /// Core has locked this terminal since, or takes none of its entries: nothing is sold by the list until core gives another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
}

/// Why what core said does not tell what may be sold at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// Cash is at least in the drawer.
    #[error("core takes none of what this till writes down: call the service; until then take cash")]
    Stopped,
    #[error("this till does not know what time it is until it has reached core: connect it; until then take cash")]
    ClockUnheard,
    #[error(
        "this till's clock has moved since it last reached core and is {} s off: connect it; until then take cash", .ahead_ms / 1_000
    )]
    ClockApart { ahead_ms: i64 },
    #[error("this till has been without a network for too long to sell so: connect it; until then take cash")]
    ListOld,
}

impl Known {
    /// Whether the machine's clock says a time before core said this: it is wrong, however long ago that was.
    #[must_use]
    pub fn was_heard_after(&self, machine: Millis) -> bool {
        self.list.issued_at.since(machine) > APART_MS_MAX
    }

    /// What time it is, if what core said is not older than `hours_max`. `moment`: none if this machine does not tell how long it runs.
    ///
    /// # Errors
    /// In the order of [`Untimely`].
    pub fn time(&self, hours_max: u32, moment: Option<&Moment>, machine: Millis) -> Result<Millis, Untimely> {
        if self.stopped {
            return Err(Untimely::Stopped);
        }
        let (clock, moment) = self.clock.as_ref().zip(moment).ok_or(Untimely::ClockUnheard)?;
        let at = clock.at(moment, machine).map_err(|unsure| match unsure {
            Unsure::Unheard => Untimely::ClockUnheard,
            Unsure::Apart { ahead_ms } => Untimely::ClockApart { ahead_ms },
        })?;
        let is_old = at.since(self.list.issued_at) > i64::from(hours_max) * HOUR_MS;
        if is_old { Err(Untimely::ListOld) } else { Ok(at) }
    }
}

/// A code that was taken here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    token: [u8; 8],
    pub counter: u32,
    pub amount: Amount,
    /// By core's clock, and of its journal entry.
    pub at: Millis,
    /// When its grant is over: from then on no code of it is good anywhere.
    pub until: Millis,
}

impl Spent {
    pub(crate) fn of(code: &Code, amount: Amount, at: Millis) -> Self {
        let grant = code.grant();
        Self { token: grant.token.0, counter: code.counter, amount, at, until: grant.not_after() }
    }

    /// What stands for this code and no other, and tells nothing of it: the token is random.
    #[must_use]
    pub fn mark(&self) -> String {
        hex::encode(Sha256::new().chain_update(self.token).chain_update(self.counter.to_be_bytes()).finalize())
    }
}

/// Why an offline code is not taken, in the order of the checks; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfflineRefusal {
    /// Those of the form come first, those of keys and times after `Untimely`.
    #[error("{0}")]
    Code(#[from] CodeError),
    #[error(
        "an offline code pays a whole sale only: give back what was paid in parts, or take this part in another way"
    )]
    Split,
    #[error("this till has not heard yet which offline codes it may take: connect it once; until then take cash")]
    NoList,
    #[error("offline codes are not taken here: take another way to pay")]
    Off,
    #[error(transparent)]
    Untimely(#[from] Untimely),
    #[error("this code was taken before, or is older than one that was: the customer shows a new one")]
    Used,
    #[error("the issuer has blocked this customer's offline codes: take another way to pay")]
    Denied,
    #[error("the code is in {0}, and this till sells in another currency: take another way to pay")]
    Currency(Currency),
    #[error("the customer's code pays {} at most: take another way to pay", .max.decimal())]
    CodeCap { max: Money },
    #[error("this till takes {} at most by an offline code: take another way to pay", .max.decimal())]
    SaleCap { max: Money },
    #[error("{} are left of what the customer may spend offline: take another way to pay", .left.decimal())]
    GrantCap { left: Money },
    #[error(
        "the customer has paid offline {0} times within a day, and that is as often as it goes: take another way to pay"
    )]
    GrantDay(u32),
    #[error(transparent)]
    Unsent(#[from] OverUnsent),
    #[error(
        "core does not have this offline sale yet, and nothing of it can be given back before: connect the till first"
    )]
    Unsynced,
}

impl OfflineRefusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Code(error) => error.code(),
            Self::Split => "offline_split",
            Self::NoList => "offline_list_missing",
            Self::Off => "offline_codes_off",
            Self::Untimely(Untimely::Stopped) => "offline_stopped",
            Self::Untimely(Untimely::ClockUnheard) => "offline_clock_unheard",
            Self::Untimely(Untimely::ClockApart { .. }) => "offline_clock_wrong",
            Self::Untimely(Untimely::ListOld) => "offline_list_old",
            Self::Used => "offline_code_used",
            Self::Denied => "offline_code_denied",
            Self::Currency(_) => "offline_currency_other",
            Self::CodeCap { .. } => "offline_code_cap",
            Self::SaleCap { .. } => "offline_sale_cap",
            Self::GrantCap { .. } => "offline_grant_cap",
            Self::GrantDay(_) => "offline_grant_day",
            Self::Unsent(OverUnsent::Sum { .. }) => "offline_unsent_sum",
            Self::Unsent(OverUnsent::Count(_)) => "offline_unsent_count",
            Self::Unsent(OverUnsent::Age(_)) => "offline_unsent_age",
            Self::Unsynced => "offline_unsynced",
        }
    }
}

/// Whether a scanned text is meant as an offline code. A keyboard with Caps Lock on turns it around, and the till says so.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    text.trim_start().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What this terminal knows of offline codes.
#[derive(Clone, Debug, Default)]
pub struct OfflineCodes {
    known: Option<Known>,
    /// What was taken, with the entry of each sale, in order.
    spent: Vec<(Sequence, Spent)>,
}

impl OfflineCodes {
    #[must_use]
    pub const fn new(known: Option<Known>, spent: Vec<(Sequence, Spent)>) -> Self {
        Self { known, spent }
    }

    /// Whether core lets this terminal take any, as far as it has said.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.limits().is_ok()
    }

    /// What core said last, of cards as well.
    #[must_use]
    pub const fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// Core's clock, as it is known.
    #[must_use]
    pub fn clock(&self) -> Option<&Anchor> {
        self.known.as_ref()?.clock.as_ref()
    }

    /// Whether core cannot mean `list` now: it is clearly older than what was said before, and than `machine`'s time.
    ///
    /// One question is under way at a time and core reads its answer from its database, so that the last answer is the newest. Its
    /// time is the clock of whichever node answered: those differ by seconds, and one that was a day ahead once must not keep out all
    /// that is true for a day. What is left is an old answer that something on the way had kept.
    #[must_use]
    pub fn is_stale(&self, list: &OfflineList, machine: Millis) -> bool {
        let is_older = |than: Millis| than.since(list.issued_at) > APART_MS_MAX;
        self.known.as_ref().is_some_and(|known| is_older(known.list.issued_at)) && is_older(machine)
    }

    /// What is to be known once core does not say any more what may be taken; none if nothing may be anyway.
    #[must_use]
    pub fn without_list(&self) -> Option<Known> {
        let Known { list: OfflineList { issued_at, .. }, clock, stopped } = self.known.as_ref().filter(may_any)?;
        let (issuers, denied) = (Vec::new(), Vec::new());
        let list = OfflineList { issued_at: *issued_at, limits: None, issuers, denied, cards: None, phone: None };
        Some(Known { list, clock: clock.clone(), stopped: *stopped })
    }

    /// What is to be known once core takes nothing of this terminal any more; none if nothing may be sold by what it said anyway.
    #[must_use]
    pub fn stopped(&self) -> Option<Known> {
        let known = self.known.as_ref().filter(may_any).filter(|known| !known.stopped)?;
        Some(Known { stopped: true, ..known.clone() })
    }

    /// Core has said this, and it is on the disk.
    pub fn learn(&mut self, known: Known) {
        self.known = Some(known);
    }

    /// This one was taken, and is on the disk as that entry. What can be of no use any more goes, as it went there.
    pub fn took(&mut self, entry: Sequence, spent: Spent, through: Sequence) {
        self.spent.retain(|(held, before)| !is_over(before, *held, spent.at, through));
        self.spent.push((entry, spent));
    }

    fn limits(&self) -> Result<(&Known, &OfflineLimits), OfflineRefusal> {
        let known = self.known.as_ref().ok_or(OfflineRefusal::NoList)?;
        known.list.limits.as_ref().map(|limits| (known, limits)).ok_or(OfflineRefusal::Off)
    }

    /// What time it is, if what core said last still holds. `moment`: none if this machine does not tell how long it runs.
    ///
    /// # Errors
    /// In this order: `NoList`, `Off`, `Untimely`.
    pub fn time(&self, moment: Option<&Moment>, machine: Millis) -> Result<Millis, OfflineRefusal> {
        let (known, limits) = self.limits()?;
        Ok(known.time(limits.list_hours_max, moment, machine)?)
    }

    /// Whether this code pays `amount`: what is to be on the disk before anybody is told so. `through`: how far core has the journal.
    ///
    /// # Errors
    /// The first that is wrong, in the order of [`OfflineRefusal`] but for `Split` and `Unsynced`.
    pub fn check(
        &self,
        text: &str,
        amount: Amount,
        (moment, machine): (Option<&Moment>, Millis),
        through: Sequence,
    ) -> Result<Spent, OfflineRefusal> {
        // No code begins or ends with what is trimmed; inside of it a space is a character.
        let code = Code::parse(text.trim())?;
        let at = self.time(moment, machine)?;
        let (Known { list, .. }, limits) = self.limits()?;
        code.verify(&list.issuers, at)?;
        let grant = code.grant();
        let of_grant = || self.spent.iter().map(|(_, spent)| spent).filter(|spent| spent.token == grant.token.0);
        if of_grant().any(|spent| spent.counter >= code.counter) {
            return Err(OfflineRefusal::Used);
        }
        if is_denied(list, grant.token) {
            return Err(OfflineRefusal::Denied);
        }
        if grant.currency != amount.currency() {
            return Err(OfflineRefusal::Currency(grant.currency));
        }
        let (minor, money) = (amount.minor(), |minor| Money::new(minor, amount.currency()));
        if minor > i64::from(grant.cap_single) {
            return Err(OfflineRefusal::CodeCap { max: money(grant.cap_single.into()) });
        }
        if minor > limits.sale_minor_max {
            return Err(OfflineRefusal::SaleCap { max: money(limits.sale_minor_max) });
        }
        let left_minor = i64::from(grant.cap_grant) - of_grant().map(|spent| spent.amount.minor()).sum::<i64>();
        if minor > left_minor {
            return Err(OfflineRefusal::GrantCap { left: money(left_minor.max(0)) });
        }
        let today = of_grant().filter(|spent| at.since(spent.at) < DAY_MS).count();
        if today >= limits.grant_day_count_max as usize {
            return Err(OfflineRefusal::GrantDay(limits.grant_day_count_max));
        }
        self.check_unsent(limits, amount, at, through)?;
        Ok(Spent::of(&code, amount, at))
    }

    /// Why no code at all is taken now; none if one may be. Nothing is to be said of it where there are none.
    #[must_use]
    pub fn closed(&self, moment: Option<&Moment>, machine: Millis, through: Sequence) -> Option<OfflineRefusal> {
        let (_, limits) = self.limits().ok()?;
        let at = match self.time(moment, machine) {
            Ok(at) => at,
            Err(refusal) => return Some(refusal),
        };
        let currency = self.spent.last().map(|(_, spent)| spent.amount.currency())?;
        let least = Amount::new(1, currency).ok()?;
        self.check_unsent(limits, least, at, through).err()
    }

    fn check_unsent(
        &self,
        limits: &OfflineLimits,
        amount: Amount,
        at: Millis,
        through: Sequence,
    ) -> Result<(), OfflineRefusal> {
        let OfflineLimits { unsent_minor_max, unsent_count_max, unsent_hours_max, .. } = *limits;
        let unsent = self.spent.iter().filter(|(entry, _)| *entry > through);
        let limits =
            UnsentLimits { minor_max: unsent_minor_max, count_max: unsent_count_max, hours_max: unsent_hours_max };
        Ok(limits.check(unsent.map(|(_, spent)| (spent.amount, spent.at)), amount, at)?)
    }
}

/// Whether the terminal need not know of it any more at `at`: no code of its grant is good, and core has its sale.
#[must_use]
pub fn is_over(spent: &Spent, entry: Sequence, at: Millis, through: Sequence) -> bool {
    entry <= through && spent.until <= at
}

/// Whether anything may be sold by what core said.
fn may_any(known: &&Known) -> bool {
    known.list.limits.is_some() || known.list.cards.is_some() || known.list.phone.is_some()
}

fn is_denied(list: &OfflineList, token: Token) -> bool {
    let token = token.to_string();
    list.denied.iter().any(|denied| denied.eq_ignore_ascii_case(&token))
}

#[cfg(test)]
mod tests;
