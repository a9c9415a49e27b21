//! The last leg: what arrived at the bank against what the bills of its days come to.

use jiff::{ToSpan as _, civil::Date};
use saoma_protocol::{Amount, ChannelAccountId, Millis, PayoutId};
use saoma_store::{
    TenantScope, Tx, audit, channel_accounts,
    payouts::{self, Payout},
    reconciliations,
};

use super::ReconcileError;
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
    pub received_at: Millis,
    pub actor: String,
}

/// Books a payout against the bills of its days. What arrived is booked whatever they say; the difference is shown.
///
/// # Errors
/// `Day`, `DayNotCompared`, `Store` (`NotFound`; `Conflict` if the account has one of that reference), `Amount`. Then nothing
/// is booked.
pub async fn enter(app: &App, scope: TenantScope, seen: Seen) -> Result<Payout, ReconcileError> {
    let days = days(&seen.from_day, &seen.to_day)?;
    let (id, now) = (PayoutId::from_bytes(app.random_16()?), app.now());
    let entered = app.store().write(move |tx| enter_in(tx, &scope, id, &seen, &days, now)).await?;
    app.news_of(scope.tenant());
    Ok(entered)
}

fn enter_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: PayoutId,
    seen: &Seen,
    days: &[String],
    now: Millis,
) -> Result<Payout, ReconcileError> {
    channel_accounts::load(tx, scope, seen.account)?;
    let mut expected_minor = 0_i64;
    for day in days {
        let compared = reconciliations::last_done(tx, scope, seen.account, day)?;
        let result = compared.and_then(|run| run.result).ok_or_else(|| ReconcileError::DayNotCompared(day.clone()))?;
        let sums = result.sums.get(&seen.amount.currency()).copied().unwrap_or_default();
        let net = sums.theirs_minor.checked_sub(sums.theirs_fee_minor);
        expected_minor = net
            .and_then(|net| expected_minor.checked_add(net))
            .ok_or_else(|| ReconcileError::Amount("a sum past 64 bits".to_owned()))?;
    }
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
    };
    payouts::enter(tx, scope, &payout)?;
    let detail = serde_json::json!({
        "channel_account": payout.account, "from_day": payout.from_day, "to_day": payout.to_day, "amount": payout.amount,
        "expected_minor": expected_minor, "reference": payout.reference,
    });
    let entry = audit::NewEntry {
        actor: seen.actor.clone(),
        action: "payout.entered".to_owned(),
        subject: id.to_string(),
        detail_json: detail.to_string(),
        at: now,
    };
    audit::append(tx, scope, &entry)?;
    Ok::<_, ReconcileError>(payout)
}

/// The days from the first to the last.
fn days(first: &str, last: &str) -> Result<Vec<String>, PeriodError> {
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
        first.series(1.day()).take_while(|day| *day <= last).take(DAYS_MAX + 1).map(|day| day.to_string()).collect();
    if days.len() > DAYS_MAX { Err(PeriodError::TooLong(DAYS_MAX)) } else { Ok(days) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_a_payout() {
        assert_eq!(days("2026-02-28", "2026-03-01"), Ok(vec!["2026-02-28".to_owned(), "2026-03-01".to_owned()]));
        assert_eq!(days("2026-03-01", "2026-03-31").map(|days| days.len()), Ok(31));
        assert_eq!(days("2026-03-01", "2026-04-01"), Err(PeriodError::TooLong(31)));
        assert_eq!(days("2026-03-02", "2026-03-01"), Err(PeriodError::Backwards));
        assert!(days("2026-02-30", "2026-03-01").is_err() && days("20260301", "2026-03-01").is_err());
    }
}
