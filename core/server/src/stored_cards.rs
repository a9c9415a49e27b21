//! Cards that terminals sell without a network, at the merchant's risk (store-and-forward).
//!
//! A terminal sells within the limits that the merchant has set, and core forwards what it brings ([`crate::payments::forward`]) until the
//! acquirer has said what becomes of it. What the acquirer declines is the merchant's loss: a person ends it, and the card is sold to without a
//! network no more unless they let it in again, then or later. What core may not forward by itself waits for a person, who lets it go.

use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, PaymentId, TenantId, TerminalId,
    api::{CardDigits, CardEntry, CardLimits},
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    channel_accounts::{self, ChannelAccount},
    ledger, payments,
    stored_cards::{self as sales, Outcome, Resolution, StoredSale},
    tenants,
};

use crate::{
    app::App,
    payments::{kind, record},
};

/// Numbers that a terminal keeps.
pub const BLOCKED_MAX: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;
/// Two clocks and the way of a journal: what is a little older than the limit was sold within it.
const SLACK_MS: i64 = HOUR_MS;

/// Why a loss was not ended. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it is not lost")]
    NotLost,
}

/// Why nothing can be forwarded through a channel account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    Disabled,
    /// What serves its plugin here, if anything does, forwards no sales.
    Forwards,
    /// It does, but not of the merchant's currency.
    Currency,
}

/// What new sales of an account are forwarded through: the same as new payments go through.
///
/// # Errors
/// Why nothing is.
pub fn check_served(app: &App, tenant: TenantId, account: &ChannelAccount, currency: Currency) -> Result<(), Unserved> {
    if !account.enabled {
        return Err(Unserved::Disabled);
    }
    match app.served(tenant, &account.plugin) {
        Some(served) if served.manifest.forwards => {
            let has_it = served.manifest.currencies.contains(&currency);
            if has_it { Ok(()) } else { Err(Unserved::Currency) }
        }
        Some(_) | None => Err(Unserved::Forwards),
    }
}

/// Why a sale was not let go. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it is not held")]
    NotHeld,
    #[error("nothing of its card is kept that could be forwarded")]
    NoCard,
}

/// What terminals may sell now; `None`: nothing, also where what is served to this merchant would not forward it.
///
/// # Errors
/// Of the store.
pub fn limits(app: &App, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<CardLimits>, StoreError> {
    let currency = tenants::load(tx, scope)?.currency;
    let Some(policy) = sales::policy(tx, scope, currency)?.filter(|policy| policy.enabled) else { return Ok(None) };
    let account = channel_accounts::load(tx, scope, policy.limits.channel_account)?;
    if check_served(app, scope.tenant(), &account, currency).is_err() {
        return Ok(None);
    }
    Ok(Some(CardLimits { blocked: sales::blocked(tx, scope, BLOCKED_MAX)?, ..policy.limits }))
}

/// What a terminal has sold.
pub struct Sold<'a> {
    pub account: ChannelAccountId,
    pub terminal: TerminalId,
    pub amount: Amount,
    pub entry: CardEntry,
    pub has_pin: bool,
    pub digits: &'a CardDigits,
    pub sold_at: Millis,
    pub taken_at: Millis,
}

/// What of the policy, as it stands now, a sale breaks. What of it only the terminal knows is not looked at.
///
/// # Errors
/// Of the store.
pub fn doubts(tx: &mut Tx<'_>, scope: &TenantScope, sold: &Sold<'_>) -> Result<Vec<&'static str>, StoreError> {
    let currency = tenants::load(tx, scope)?.currency;
    let Some(policy) = sales::policy(tx, scope, currency)?.filter(|policy| policy.enabled) else {
        return Ok(vec!["cards are not sold without a network"]);
    };
    let limits = policy.limits;
    let before = sales::of_card_since(tx, scope, sold.terminal, sold.digits, sold.sold_at.plus(-24 * HOUR_MS))?;
    let blocked = sales::blocked(tx, scope, BLOCKED_MAX)?;
    Ok(broken(sold, &limits, before, &blocked))
}

/// `before`: what the card paid within the day, how often and how much.
fn broken(sold: &Sold<'_>, limits: &CardLimits, before: (i64, i64), blocked: &[CardDigits]) -> Vec<&'static str> {
    let minor = sold.amount.minor();
    let is_stripe = match sold.entry {
        CardEntry::Chip | CardEntry::Contactless => false,
        CardEntry::Swiped | CardEntry::Fallback | CardEntry::ContactlessStripe | CardEntry::Keyed => true,
    };
    let is_late = sold.taken_at.since(sold.sold_at) > i64::from(limits.unsent_hours_max) * HOUR_MS + SLACK_MS;
    let rows = [
        (sold.account != limits.channel_account, "the account is another than the policy's"),
        (sold.amount.currency() != limits.currency, "it is of another currency than the merchant's"),
        (minor > limits.sale_minor_max, "it is over the limit of one sale"),
        (sold.entry == CardEntry::Keyed, "the number was keyed"),
        (is_stripe && !limits.stripe && sold.entry != CardEntry::Keyed, "the stripe was read"),
        (
            !limits.prefixes.iter().any(|prefix| sold.digits.first_6.starts_with(prefix.as_str())),
            "such cards are not taken",
        ),
        (blocked.contains(sold.digits), "a sale was lost to this card before"),
        (before.0 >= i64::from(limits.card_day_count_max), "the card has paid too often within a day"),
        (before.1.saturating_add(minor) > limits.card_day_minor_max, "the card has paid too much within a day"),
        (is_late, "it came in too late"),
        (sold.has_pin, "there was a PIN, which is not forwarded"),
    ];
    rows.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, what)| what).collect()
}

/// A person has seen to a loss: once, and once more to let in the card that was left blocked. Terminals are to be told of a card that is let in.
/// `resolution.at` is set to what is written down.
///
/// # Errors
/// `Store` (`NotFound`, `Conflict` if that was said before), `NotLost`.
pub fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    resolution: &mut Resolution,
) -> Result<StoredSale, LossError> {
    ledger::take_turn(tx, scope)?;
    let sale = sales::load(tx, scope, payment)?;
    let Some((Outcome::Lost, since)) = sale.outcome else { return Err(LossError::NotLost) };
    let said = sales::what_was_said(tx, scope, &sale)?;
    if said.is_some_and(|said| said.unblocks || !resolution.unblocks) {
        return Err(StoreError::Conflict { what: "the loss's end" }.into());
    }
    // Of nodes whose clocks differ the one may have lost it later than the other ends it.
    resolution.at = resolution.at.max(since);
    sales::resolve(tx, scope, payment, resolution)?;
    if resolution.unblocks {
        crate::stored_value::offline::announce(tx, scope, resolution.at)?;
    }
    Ok(sale)
}

/// A person lets a sale that is held go out: it is forwarded as others are, and still holds up none of them. Its payment's timeline says who and why.
///
/// # Errors
/// `Store` (`NotFound`), `NotHeld`, `NoCard`.
pub fn let_go(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    (actor, reason): (&str, &str),
    now: Millis,
) -> Result<StoredSale, HeldError> {
    let sale = sales::load(tx, scope, payment)?;
    if !sale.held {
        return Err(HeldError::NotHeld);
    }
    if !sales::let_go(tx, scope, payment, now)? {
        return Err(HeldError::NoCard);
    }
    let stored = payments::load(tx, scope, payment)?;
    record(tx, scope, &stored, None, kind::LET_GO, reason, actor, now)?;
    Ok(sales::load(tx, scope, payment)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    #[test]
    fn what_a_sale_breaks_is_named() {
        let account = ChannelAccountId::from_bytes([1; 16]);
        let limits = CardLimits {
            channel_account: account,
            currency: Currency::CNY,
            sale_minor_max: 1_000,
            card_day_count_max: 2,
            card_day_minor_max: 1_500,
            unsent_minor_max: 10_000,
            unsent_count_max: 10,
            unsent_hours_max: 24,
            list_hours_max: 24,
            stripe: false,
            prefixes: vec!["62".to_owned(), "4012".to_owned()],
            blocked: Vec::new(),
        };
        let digits = |first: &str| CardDigits::new(first, "0018").unwrap();
        let (good, other) = (digits("401234"), digits("520082"));
        let sold = |minor, digits| Sold {
            account,
            terminal: TerminalId::from_bytes([2; 16]),
            amount: Amount::new(minor, Currency::CNY).unwrap(),
            entry: CardEntry::Chip,
            has_pin: false,
            digits,
            sold_at: NOW.plus(-HOUR_MS),
            taken_at: NOW,
        };
        let stripe = CardLimits { stripe: true, ..limits.clone() };
        let keyed = || Sold { entry: CardEntry::Keyed, ..sold(1, &good) };
        let swiped = || Sold { entry: CardEntry::Swiped, ..sold(1, &good) };
        let late = |hours: i64| Sold { sold_at: NOW.plus(-hours * HOUR_MS), ..sold(1, &good) };
        for (sold, limits, before, expected) in [
            (sold(1_000, &good), &limits, (1, 500), vec![]),
            (sold(1_001, &good), &limits, (0, 0), vec!["limit of one sale"]),
            (sold(1, &good), &limits, (2, 2), vec!["too often"]),
            (sold(1_000, &good), &limits, (1, 501), vec!["too much within"]),
            (sold(1, &other), &limits, (0, 0), vec!["not taken", "lost to this card"]),
            (swiped(), &limits, (0, 0), vec!["stripe"]),
            (swiped(), &stripe, (0, 0), vec![]),
            (keyed(), &stripe, (0, 0), vec!["keyed"]),
            (late(25), &limits, (0, 0), vec![]),
            (late(26), &limits, (0, 0), vec!["too late"]),
            (Sold { has_pin: true, ..sold(1, &good) }, &limits, (0, 0), vec!["PIN"]),
        ] {
            let told = broken(&sold, limits, before, std::slice::from_ref(&other));
            assert_eq!(told.len(), expected.len(), "{told:?} {expected:?}");
            assert!(told.iter().zip(&expected).all(|(told, expected)| told.contains(expected)), "{told:?}");
        }
    }
}
