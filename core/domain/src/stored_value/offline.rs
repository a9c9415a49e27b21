//! What a holder may spend offline, and who pays for what was spent: the account as far as it was set aside or is free, the issuer
//! the rest.

use saoma_protocol::Amount;

use super::{Account, Refusal, State};

/// Whether so much can be set aside for a grant, beside the `reserved_minor` that is.
///
/// # Errors
/// `Closed`, `Frozen`, `Currency`, `Insufficient`, `Reserved`.
pub fn reserve(account: &Account, reserved_minor: i64, cap: Amount) -> Result<(), Refusal> {
    match account.state {
        State::Closed => return Err(Refusal::Closed),
        State::Frozen => return Err(Refusal::Frozen),
        State::Active => {}
    }
    if cap.currency() != account.currency {
        return Err(Refusal::Currency(account.currency));
    }
    if cap.minor() > account.balance_minor {
        return Err(Refusal::Insufficient);
    }
    let free_minor = account.balance_minor.saturating_sub(reserved_minor);
    if cap.minor() > free_minor { Err(Refusal::Reserved { minor: reserved_minor }) } else { Ok(()) }
}

/// A grant as core has it when a code of it comes in, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    pub cap_minor: i64,
    /// Paid by the account so far; never more than the cap.
    pub spent_minor: i64,
    /// What is still set aside for it; nothing once its time and the grace for late journals are over.
    pub reserved_minor: i64,
    /// A code with the same counter was spent before.
    pub is_counter_spent: bool,
    /// The phone may be in other hands.
    pub is_revoked: bool,
}

/// What is wrong with a code that was spent, though it was a good one where it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The same code was spent twice.
    Counter,
    /// More was spent than was granted, and the account does not hold it. Two terminals without a network may both take what is left of
    /// a grant: neither the code nor the phone says how much that is, so it is nobody's fault.
    Cap,
    /// It came in so late that nothing is set aside any more, and the account does not hold it.
    Uncovered,
}

impl Over {
    pub const ALL: [Self; 3] = [Self::Counter, Self::Cap, Self::Uncovered];

    /// The stable text of it, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Cap => "cap",
            Self::Uncovered => "uncovered",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|over| over.text() == text)
    }

    /// Whether the holder, or whoever has the phone, spent what was not theirs to spend: a phone signs each counter once.
    #[must_use]
    pub const fn is_double_spent(self) -> bool {
        matches!(self, Self::Counter)
    }
}

/// Who pays for a code that was spent. The two sums are the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
    /// The account.
    pub covered_minor: i64,
    /// The issuer: the shop is owed the whole amount whoever pays.
    pub risk_minor: i64,
    pub over: Option<Over>,
}

/// Who pays for `amount`. `reserved_minor`: what is set aside for all grants of the account, this one too. What is free pays beyond the
/// grant as well, since the holder signed for it; not once the account is frozen or the grant revoked, as for all that was not promised.
#[must_use]
pub fn spend(account: &Account, reserved_minor: i64, granted: &Granted, amount: Amount) -> Spending {
    let minor = amount.minor();
    let left_minor = granted.cap_minor.saturating_sub(granted.spent_minor).max(0);
    let free_minor = account.balance_minor.saturating_sub(reserved_minor).max(0);
    let promised_only = account.state == State::Frozen || granted.is_revoked;
    let most_minor = if promised_only { left_minor } else { minor };
    let backed_minor = granted.reserved_minor.saturating_add(free_minor).min(account.balance_minor).min(most_minor);
    let covered_minor = match account.state {
        _ if granted.is_counter_spent || amount.currency() != account.currency => 0,
        State::Closed => 0,
        State::Active | State::Frozen => minor.min(backed_minor).max(0),
    };
    let over = if granted.is_counter_spent {
        Some(Over::Counter)
    } else if covered_minor == minor {
        None
    } else if minor > left_minor {
        Some(Over::Cap)
    } else {
        Some(Over::Uncovered)
    };
    Spending { covered_minor, risk_minor: minor - covered_minor, over }
}
