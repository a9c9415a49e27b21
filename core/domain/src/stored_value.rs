//! Closed-loop stored value (储值): money that a holder has paid in and spends where its issuer is accepted. What may happen to
//! an account and to a charge.
//!
//! An account's balance is the sum of its movements; whoever keeps it asks [`decide`] with the account as it stands, and writes
//! the movement and the new balance in one transaction. A charge is known by the number that its acceptor gave it, for good:
//! the same number never charges twice, and a number that was cancelled before it came never charges at all.

pub mod offline;

use saoma_protocol::{Amount, Currency};

/// What an account may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    /// The holder has lost the phone or is under suspicion: nothing is spent, and no code of it is good any more.
    Frozen,
    /// The remainder was paid out; for good.
    Closed,
}

/// The issuer's limits, in minor units of the account's currency; `None`: no limit. Each is positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of one charge.
    pub charge_minor_max: Option<i64>,
    /// Of all charges of one day of the issuer's, less what was given back of them.
    pub day_minor_max: Option<i64>,
    /// What an account may hold after a top-up.
    pub balance_minor_max: Option<i64>,
}

/// An account as far as rules are about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub currency: Currency,
    pub state: State,
    /// In minor units; never negative.
    pub balance_minor: i64,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The holder paid something in.
    ToppedUp(Amount),
    /// A top-up was a mistake.
    TopUpReversed {
        amount: Amount,
        reserved_minor: i64,
    },
    Charged {
        amount: Amount,
        /// What was charged on this day before, less what was given back of it.
        spent_minor: i64,
        /// What is set aside for offline codes.
        reserved_minor: i64,
    },
    /// An offline code was spent, and so much of it is the account's to pay ([`offline::spend`]). The issuer has promised it before:
    /// neither a freeze nor a limit stands against it.
    SpentOffline(Amount),
    /// A person has the account pay for what the issuer bore of an offline code, also while it is frozen.
    Recovered {
        amount: Amount,
        reserved_minor: i64,
    },
    /// A charge was cancelled, or refunded in whole or in part.
    Returned(Amount),
    Frozen,
    Unfrozen,
    /// The remainder was paid out.
    Closed {
        reserved_minor: i64,
    },
}

/// Why something cannot happen to an account. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the account is closed")]
    Closed,
    #[error("the account is frozen")]
    Frozen,
    #[error("the account is not frozen")]
    NotFrozen,
    #[error("the account is in {0}")]
    Currency(Currency),
    #[error("the account does not hold that much")]
    Insufficient,
    #[error("{minor} are set aside for offline codes, in minor units; wait until they are over and settled")]
    Reserved { minor: i64 },
    #[error("a charge may be {minor_max} at most, in minor units")]
    ChargeLimit { minor_max: i64 },
    #[error("{minor_left} may still be spent today, in minor units")]
    DayLimit { minor_left: i64 },
    #[error("the account may hold {minor_max} at most, in minor units")]
    BalanceLimit { minor_max: i64 },
    #[error("the account cannot hold that much")]
    Overflow,
}

impl Refusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Frozen => "frozen",
            Self::NotFrozen => "not_frozen",
            Self::Currency(_) => "currency",
            Self::Insufficient => "insufficient",
            Self::Reserved { .. } => "reserved",
            Self::ChargeLimit { .. } => "charge_limit",
            Self::DayLimit { .. } => "day_limit",
            Self::BalanceLimit { .. } => "balance_limit",
            Self::Overflow => "overflow",
        }
    }
}

/// The account after `event`.
///
/// Money comes back to a frozen account, since it is the holder's all the same, and whatever its limit; it is neither paid in nor
/// spent there.
///
/// # Errors
/// `Closed`, `Frozen` or `NotFrozen`, `Currency`, then limits from the narrowest on, then `Insufficient`, `Reserved` for what the account
/// holds and has set aside; `Overflow` past 64 bits.
pub fn decide(account: &Account, event: &Event) -> Result<Account, Refusal> {
    let Account { currency, state, balance_minor, limits } = *account;
    if state == State::Closed {
        return Err(Refusal::Closed);
    }
    let of_currency = |amount: Amount| {
        if amount.currency() == currency { Ok(amount.minor()) } else { Err(Refusal::Currency(currency)) }
    };
    let usable = || if state == State::Frozen { Err(Refusal::Frozen) } else { Ok(()) };
    let with = |balance_minor| Account { balance_minor, ..*account };
    let less = |minor: i64| balance_minor.checked_sub(minor).filter(|rest| *rest >= 0).ok_or(Refusal::Insufficient);
    let unreserved = |minor: i64, reserved_minor: i64| {
        let rest = less(minor)?;
        if rest < reserved_minor { Err(Refusal::Reserved { minor: reserved_minor }) } else { Ok(rest) }
    };
    let more = |minor: i64| balance_minor.checked_add(minor).ok_or(Refusal::Overflow);
    match *event {
        Event::ToppedUp(amount) => {
            usable()?;
            let balance_minor = more(of_currency(amount)?)?;
            match limits.balance_minor_max {
                Some(minor_max) if balance_minor > minor_max => Err(Refusal::BalanceLimit { minor_max }),
                _ => Ok(with(balance_minor)),
            }
        }
        Event::TopUpReversed { amount, reserved_minor } | Event::Recovered { amount, reserved_minor } => {
            unreserved(of_currency(amount)?, reserved_minor).map(with)
        }
        Event::SpentOffline(amount) => less(of_currency(amount)?).map(with),
        Event::Charged { amount, spent_minor, reserved_minor } => {
            usable()?;
            let minor = of_currency(amount)?;
            if let Some(minor_max) = limits.charge_minor_max.filter(|minor_max| minor > *minor_max) {
                return Err(Refusal::ChargeLimit { minor_max });
            }
            if let Some(minor_max) = limits.day_minor_max {
                let minor_left = minor_max.saturating_sub(spent_minor.max(0)).max(0);
                if minor > minor_left {
                    return Err(Refusal::DayLimit { minor_left });
                }
            }
            unreserved(minor, reserved_minor).map(with)
        }
        Event::Returned(amount) => more(of_currency(amount)?).map(with),
        Event::Frozen => {
            usable()?;
            Ok(Account { state: State::Frozen, ..*account })
        }
        Event::Unfrozen if state == State::Frozen => Ok(Account { state: State::Active, ..*account }),
        Event::Unfrozen => Err(Refusal::NotFrozen),
        Event::Closed { reserved_minor: minor @ 1.. } => Err(Refusal::Reserved { minor }),
        Event::Closed { .. } => Ok(Account { state: State::Closed, balance_minor: 0, ..*account }),
    }
}

impl State {
    pub const ALL: [Self; 3] = [Self::Active, Self::Frozen, Self::Closed];

    /// The stable text of this state, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }
}

/// What became of a charge's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It was cancelled before it came, and never charges.
    Barred,
    /// It came, and nothing was taken.
    Refused {
        amount: Amount,
        /// [`Refusal::code`], or `code` for one that named no account.
        reason: String,
    },
    Charged {
        amount: Amount,
        /// What of it the issuer bore itself, because the account did not cover it ([`offline::spend`]); 0 unless an offline code paid.
        borne_minor: i64,
        /// Given back so far, to the issuer first.
        returned_minor: i64,
    },
    /// Charged, and all of it given back as if it had not been.
    Cancelled { amount: Amount },
}

/// What comes back of a charge. The acceptor gives back the whole amount, whoever paid it.
///
/// The issuer's loss is made good first, and only what is more is the holder's: who spent a code twice and returns the goods gets
/// nothing that somebody else has paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    pub amount: Amount,
    /// The issuer's part; the rest goes to the account.
    pub borne_minor: i64,
}

impl Returned {
    /// What the account has back; `None` if all of it is the issuer's.
    #[must_use]
    pub fn to_holder(&self) -> Option<Amount> {
        Amount::new(self.amount.minor() - self.borne_minor, self.amount.currency()).ok()
    }
}

/// Why nothing of a charge can be given back. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeRefusal {
    #[error("nothing was charged under this number")]
    NotCharged,
    #[error("a part of the charge was refunded; refund the rest")]
    PartlyReturned,
    #[error("the charge is in another currency")]
    Currency,
    #[error("{left_minor} of the charge are left, in minor units")]
    Exceeds { left_minor: i64 },
}

impl Charge {
    /// The charge after its cancel, and what goes back to the holder. Cancelling again, or what took nothing, changes nothing.
    ///
    /// # Errors
    /// `PartlyReturned`.
    pub fn cancel(&self) -> Result<(Self, Option<Returned>), ChargeRefusal> {
        match self {
            Self::Barred | Self::Refused { .. } | Self::Cancelled { .. } => Ok((self.clone(), None)),
            Self::Charged { amount, borne_minor, returned_minor: 0 } => {
                let returned = Returned { amount: *amount, borne_minor: *borne_minor };
                Ok((Self::Cancelled { amount: *amount }, Some(returned)))
            }
            Self::Charged { .. } => Err(ChargeRefusal::PartlyReturned),
        }
    }

    /// The charge after a refund of `amount`, and whose it is.
    ///
    /// # Errors
    /// `NotCharged`, `Currency`, `Exceeds`.
    pub fn refund(&self, refunded: Amount) -> Result<(Self, Returned), ChargeRefusal> {
        let Self::Charged { amount, borne_minor, returned_minor } = *self else {
            return Err(ChargeRefusal::NotCharged);
        };
        if refunded.currency() != amount.currency() {
            return Err(ChargeRefusal::Currency);
        }
        let left_minor = amount.minor() - returned_minor;
        if refunded.minor() > left_minor {
            return Err(ChargeRefusal::Exceeds { left_minor });
        }
        let loss_minor = self.loss_minor();
        let returned = Returned { amount: refunded, borne_minor: refunded.minor().min(loss_minor) };
        Ok((Self::Charged { amount, borne_minor, returned_minor: returned_minor + refunded.minor() }, returned))
    }

    /// What of it the issuer bears, as it stands.
    #[must_use]
    pub fn loss_minor(&self) -> i64 {
        match self {
            Self::Charged { borne_minor, returned_minor, .. } => (borne_minor - returned_minor).max(0),
            Self::Barred | Self::Refused { .. } | Self::Cancelled { .. } => 0,
        }
    }

    /// The charge after its account paid so much of the issuer's loss: what comes back of that is the holder's from now on.
    ///
    /// # Errors
    /// `NotCharged`, `Currency`, `Exceeds` what the issuer bears.
    pub fn recover(&self, recovered: Amount) -> Result<Self, ChargeRefusal> {
        let Self::Charged { amount, borne_minor, returned_minor } = *self else {
            return Err(ChargeRefusal::NotCharged);
        };
        if recovered.currency() != amount.currency() {
            return Err(ChargeRefusal::Currency);
        }
        let left_minor = self.loss_minor();
        if recovered.minor() > left_minor {
            return Err(ChargeRefusal::Exceeds { left_minor });
        }
        Ok(Self::Charged { amount, borne_minor: borne_minor - recovered.minor(), returned_minor })
    }

    /// The stable text of its state, as stored and sent.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Barred => "barred",
            Self::Refused { .. } => "refused",
            Self::Charged { .. } => "charged",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// Why an account's balance moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MovementKind {
    ToppedUp,
    TopUpReversed,
    Charged,
    ChargeCancelled,
    Refunded,
    /// A person had the account pay for what the issuer bore of an offline code.
    Recovered,
    PaidOut,
}

impl MovementKind {
    pub const ALL: [Self; 7] = [
        Self::ToppedUp,
        Self::TopUpReversed,
        Self::Charged,
        Self::ChargeCancelled,
        Self::Refunded,
        Self::Recovered,
        Self::PaidOut,
    ];

    /// The stable text of this kind, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ToppedUp => "topped_up",
            Self::TopUpReversed => "top_up_reversed",
            Self::Charged => "charged",
            Self::ChargeCancelled => "charge_cancelled",
            Self::Refunded => "refunded",
            Self::Recovered => "recovered",
            Self::PaidOut => "paid_out",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }
}
