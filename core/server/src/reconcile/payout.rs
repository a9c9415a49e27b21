//! The last leg: what arrived at the bank against what the bills of its days come to.

mod together;

use std::collections::BTreeSet;

use jiff::{ToSpan as _, civil::Date};
use saoma_domain::{
    ledger::{Kind, rules},
    recon::Standing,
};
use saoma_protocol::{Amount, ChannelAccountId, Millis, Money, PayoutId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, channel_accounts,
    discrepancies::{self, Discrepancy},
    idempotency,
    ledger::{self, Booking, Subject},
    payouts::{self, Payout, Reversed},
    reconciliations,
};

pub(super) use self::together::after_comparison;
use self::together::{Days, recount};
use super::{
    ReconcileError,
    resolve::{Keyed, first_of, once},
};
use crate::{app::App, period::PeriodError};

/// Most days of one payout: schemes pay out by the day, week or month.
const DAYS_MAX: usize = 31;

/// A payout as somebody saw it at the bank.
#[derive(Clone, Debug)]
pub struct Seen {
    pub account: ChannelAccountId,
    /// The first and the last day that it is for, as the scheme counts days.
    pub from_day: String,
    pub to_day: String,
    pub amount: Amount,
    pub reference: String,
    /// It is known that a payout which stands is for some of these days.
    pub is_further: bool,
    pub received_at: Millis,
    pub actor: String,
}

/// Books a payout against the bills of its days. What arrived is booked whatever they say; a difference is filed as a
/// discrepancy. The key names the payout: the same request again is answered with it, and `false`.
///
/// # Errors
/// `Day`, `DayNotCompared`, `OtherCurrency`, `DaysPaidOut`, `KeyReused`, `Store` (`NotFound`; `Conflict` if the account has one
/// of that reference that stands), `Amount`. Then nothing is booked.
pub async fn enter(app: &App, scope: TenantScope, seen: Seen, keyed: Keyed) -> Result<(Payout, bool), ReconcileError> {
    days(&seen.from_day, &seen.to_day, DAYS_MAX)?;
    let (id, now) = (PayoutId::for_key(scope.tenant(), &keyed.key), app.now());
    let counting = app.clone();
    let work = move |tx: &mut Tx<'_>| {
        if first_of(tx, &scope, idempotency::Kind::Payout, &id.to_string(), &keyed, now)? {
            return Ok((payouts::load(tx, &scope, id)?, false));
        }
        enter_in(&counting, tx, &scope, id, &seen, now).map(|entered| (entered, true))
    };
    once(app, scope, work).await
}

fn enter_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: PayoutId,
    seen: &Seen,
    now: Millis,
) -> Result<Payout, ReconcileError> {
    channel_accounts::load(tx, scope, seen.account)?;
    ledger::take_turn(tx, scope)?;
    let expected_minor = expected(tx, scope, seen)?;
    let payout = Payout {
        id,
        account: seen.account,
        from_day: seen.from_day.clone(),
        to_day: seen.to_day.clone(),
        amount: seen.amount,
        expected_minor,
        reference: seen.reference.clone(),
        received_at: seen.received_at,
        entered_by: seen.actor.clone(),
        entered_at: now,
        reversed: None,
    };
    payouts::enter(tx, scope, &payout)?;
    recount(app, tx, scope, Days::of(&payout), now)?;
    let detail = serde_json::json!({
        "channel_account": payout.account, "from_day": payout.from_day, "to_day": payout.to_day, "amount": payout.amount,
        "expected_minor": expected_minor, "reference": payout.reference,
    });
    note(tx, scope, &seen.actor, "payout.entered", id, &detail, now)?;
    Ok(payout)
}

/// What the bills of its days come to, fees taken off, less what payouts that stand have brought of it and what was decided
/// about that. Payouts that overlap each other are taken together.
fn expected(tx: &mut Tx<'_>, scope: &TenantScope, seen: &Seen) -> Result<i64, ReconcileError> {
    let currency = seen.amount.currency();
    let mut currencies = BTreeSet::new();
    for day in days(&seen.from_day, &seen.to_day, DAYS_MAX)? {
        let result = reconciliations::last_done(tx, scope, seen.account, &day)?.and_then(|run| run.result);
        currencies.extend(result.ok_or(ReconcileError::DayNotCompared(day))?.sums.into_keys());
    }
    let own = Days { account: seen.account, currency, from: seen.from_day.clone(), to: seen.to_day.clone() };
    let (all, earlier) = own.with_overlapping(tx, scope)?;
    if let Some(overlapping) = earlier.first().filter(|_| !seen.is_further) {
        return Err(ReconcileError::DaysPaidOut(overlapping.reference.clone()));
    }
    let told = discrepancies::of_payouts(tx, scope, seen.account, &earlier)?;
    let surplus = together::surplus(&all.due(tx, scope)?, &earlier, &told)?;
    // Days on which nothing was listed at all say nothing about the currency.
    if !currencies.is_empty() && !currencies.contains(&currency) {
        return Err(ReconcileError::OtherCurrency(currency));
    }
    surplus.checked_neg().ok_or_else(|| ReconcileError::Amount("a sum past 64 bits".to_owned()))
}

/// Takes a payout back that was booked by mistake, with what was decided about its difference. The same request again is
/// answered with it.
///
/// # Errors
/// `KeyReused`, `Reversed`, `Store` (`NotFound`), `Amount`.
pub async fn reverse(
    app: &App,
    scope: TenantScope,
    id: PayoutId,
    reason: String,
    actor: &str,
    keyed: Keyed,
) -> Result<Payout, ReconcileError> {
    let reversed = Reversed { by: actor.to_owned(), at: app.now(), reason };
    let counting = app.clone();
    let work = move |tx: &mut Tx<'_>| {
        let name = format!("{id} {}", keyed.key);
        if first_of(tx, &scope, idempotency::Kind::PayoutReversal, &name, &keyed, reversed.at)? {
            return Ok(payouts::load(tx, &scope, id)?);
        }
        reverse_in(&counting, tx, &scope, id, &reversed)
    };
    once(app, scope, work).await
}

fn reverse_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: PayoutId,
    reversed: &Reversed,
) -> Result<Payout, ReconcileError> {
    ledger::take_turn(tx, scope)?;
    let payout = match payouts::reverse(tx, scope, id, reversed) {
        Err(StoreError::Stale { .. }) => return Err(ReconcileError::Reversed),
        payout => payout?,
    };
    let told = discrepancies::of_payouts(tx, scope, payout.account, std::slice::from_ref(&payout))?;
    for standing in [Standing::Resolved, Standing::WrittenOff] {
        take_back(tx, scope, &payout, &told, standing, reversed.at)?;
    }
    for mut difference in told.into_iter().filter(|told| told.standing != Standing::Closed) {
        difference.standing = Standing::Closed;
        difference.reason = Some("the payout was reversed".to_owned());
        difference.decided_by = Some(reversed.by.clone());
        difference.updated_at = reversed.at;
        discrepancies::save(tx, scope, &mut difference)?;
    }
    recount(app, tx, scope, Days::of(&payout), reversed.at)?;
    let detail = serde_json::json!({ "reference": payout.reference, "reason": reversed.reason });
    note(tx, scope, &reversed.by, "payout.reversed", id, &detail, reversed.at)?;
    Ok(payout)
}

/// The opposite of what was booked about its differences that came to this end: by the merchant, or as nobody's.
fn take_back(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payout: &Payout,
    told: &[Discrepancy],
    end: Standing,
    now: Millis,
) -> Result<(), ReconcileError> {
    let amount = |error: &dyn std::error::Error| ReconcileError::Amount(error.to_string());
    let booked = told.iter().filter(|told| told.standing == end).filter_map(|told| told.correction);
    let none = Money::new(0, payout.amount.currency());
    let back = booked.into_iter().try_fold(none, |back, booked| back.checked_sub(booked.amount));
    let back = back.map_err(|error| amount(&error))?;
    let (kind, sets) = match end {
        Standing::WrittenOff => (Kind::WrittenOff, rules::written_off(back)),
        _ => (Kind::BillCorrected, rules::bill_corrected(back)),
    };
    let booking = Booking {
        subject: Subject::Other(payout.id.to_string()),
        kind,
        channel_account: Some(payout.account),
        at: now,
        booked_at: now,
    };
    Ok(ledger::post(tx, scope, &booking, &sets.map_err(|error| amount(&error))?)?)
}

fn note(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    actor: &str,
    action: &str,
    payout: PayoutId,
    detail: &serde_json::Value,
    at: Millis,
) -> Result<(), StoreError> {
    let entry = audit::NewEntry::new(actor, action, &payout, detail, at);
    audit::append(tx, scope, &entry).map(drop)
}

/// The days from the first to the last.
fn days(first: &str, last: &str, max: usize) -> Result<Vec<String>, PeriodError> {
    let day = |text: &str| {
        let whole = text.len() == "2026-01-31".len();
        let no_day = || PeriodError::NoDay(text.chars().take(32).collect());
        text.parse::<Date>().ok().filter(|_| whole).ok_or_else(no_day)
    };
    let (first, last) = (day(first)?, day(last)?);
    if last < first {
        return Err(PeriodError::Backwards);
    }
    let days: Vec<String> =
        first.series(1.day()).take_while(|day| *day <= last).take(max + 1).map(|day| day.to_string()).collect();
    if days.len() > max { Err(PeriodError::TooLong(max)) } else { Ok(days) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(first: &str, last: &str) -> Result<Vec<String>, PeriodError> {
        super::days(first, last, DAYS_MAX)
    }

    #[test]
    fn days_of_a_payout() {
        assert_eq!(days("2026-02-28", "2026-03-01"), Ok(vec!["2026-02-28".to_owned(), "2026-03-01".to_owned()]));
        assert_eq!(days("2026-03-01", "2026-03-31").map(|days| days.len()), Ok(31));
        assert_eq!(days("2026-03-01", "2026-04-01"), Err(PeriodError::TooLong(31)));
        assert_eq!(days("2026-03-02", "2026-03-01"), Err(PeriodError::Backwards));
        assert!(days("2026-02-30", "2026-03-01").is_err() && days("20260301", "2026-03-01").is_err());
    }
}
