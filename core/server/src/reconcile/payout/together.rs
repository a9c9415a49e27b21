//! Payouts whose days overlap, taken together: none of them says what it brought of which day.
//!
//! Of each such group one discrepancy waits at most, on the payout that was entered last: what arrived less what the bills come
//! to, less what was decided about it before. It is counted anew in every transaction that changes one of the three, so that
//! what a person decides is what is still wrong.

use saoma_domain::recon::{Side, Standing, paid_out_otherwise};
use saoma_protocol::{ChannelAccountId, Currency, DiscrepancyId, Millis, Money, ReconciliationId, UserId};
use saoma_store::{
    TenantScope, Tx,
    discrepancies::{self, Discrepancy},
    ledger,
    payouts::{self, Payout},
    reconciliations,
};

use super::{ReconcileError, days};
use crate::app::App;

/// Most days of payouts that overlap each other.
const DAYS_MAX: usize = 366;

/// Days, of one account and in one currency.
#[derive(Clone, Debug)]
pub(super) struct Days {
    pub account: ChannelAccountId,
    pub currency: Currency,
    /// The first and the last.
    pub from: String,
    pub to: String,
}

/// What the bills of some days come to.
pub(super) struct Due {
    /// Fees taken off.
    pub net_minor: i64,
    /// The last comparison of the last day.
    pub run: ReconciliationId,
}

fn past_64_bits() -> ReconcileError {
    ReconcileError::Amount("a sum past 64 bits".to_owned())
}

impl Days {
    pub(super) fn of(payout: &Payout) -> Self {
        Self {
            account: payout.account,
            currency: payout.amount.currency(),
            from: payout.from_day.clone(),
            to: payout.to_day.clone(),
        }
    }

    fn widen(&mut self, payouts: &[Payout]) -> bool {
        let before = (self.from.clone(), self.to.clone());
        for payout in payouts {
            self.from = self.from.clone().min(payout.from_day.clone());
            self.to = self.to.clone().max(payout.to_day.clone());
        }
        before != (self.from.clone(), self.to.clone())
    }

    /// The payouts that stand and are for these days, with those that overlap them, and so on; and all days of these.
    pub(super) fn with_overlapping(
        mut self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
    ) -> Result<(Self, Vec<Payout>), ReconcileError> {
        loop {
            let found = payouts::of_days(tx, scope, self.account, self.currency, &self.from, &self.to)?;
            if !self.widen(&found) {
                return Ok((self, found));
            }
        }
    }

    /// # Errors
    /// `DayNotCompared`, `Day` (`TooLong`), `Amount`.
    pub(super) fn due(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Due, ReconcileError> {
        let (mut net_minor, mut run) = (0_i64, None);
        for day in days(&self.from, &self.to, DAYS_MAX)? {
            let compared = reconciliations::last_done(tx, scope, self.account, &day)?;
            let Some((id, result)) = compared.and_then(|run| Some((run.id, run.result?))) else {
                return Err(ReconcileError::DayNotCompared(day));
            };
            run = Some(id);
            let Some(sums) = result.sums.get(&self.currency) else { continue };
            let net = sums.theirs_minor.checked_sub(sums.theirs_fee_minor);
            net_minor = net.and_then(|net| net_minor.checked_add(net)).ok_or_else(past_64_bits)?;
        }
        let run = run.ok_or_else(|| ReconcileError::DayNotCompared(self.to.clone()))?;
        Ok(Due { net_minor, run })
    }
}

/// What arrived more than was due, with what was decided about it so far taken off; negative for less.
///
/// # Errors
/// `Amount`.
pub(super) fn surplus(due: &Due, payouts: &[Payout], told: &[Discrepancy]) -> Result<i64, ReconcileError> {
    let arrived = payouts.iter().try_fold(0_i64, |sum, payout| sum.checked_add(payout.amount.minor()));
    let decided = told.iter().filter(|before| before.standing.is_decided()).filter_map(|before| before.correction);
    let decided = decided.map(|correction| correction.amount.minor()).try_fold(0_i64, i64::checked_add);
    let surplus = arrived.zip(decided).and_then(|(arrived, decided)| {
        arrived.checked_sub(due.net_minor).and_then(|surplus| surplus.checked_sub(decided))
    });
    surplus.ok_or_else(past_64_bits)
}

/// Counts anew what waits about the payouts of `days`, group by group. Until the commit nobody else books for the tenant.
///
/// # Errors
/// `DayNotCompared`, `Day` (`TooLong`), `Amount`, `NoChance`, `Store`.
pub(super) fn recount(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    days: Days,
    now: Millis,
) -> Result<(), ReconcileError> {
    ledger::take_turn(tx, scope)?;
    let (_, mut payouts) = days.with_overlapping(tx, scope)?;
    payouts.sort_by(|one, other| one.from_day.cmp(&other.from_day));
    let mut groups: Vec<(Days, Vec<Payout>)> = Vec::new();
    for payout in payouts {
        match groups.last_mut() {
            Some((days, group)) if payout.from_day <= days.to => {
                days.widen(std::slice::from_ref(&payout));
                group.push(payout);
            }
            _ => groups.push((Days::of(&payout), vec![payout])),
        }
    }
    groups.into_iter().try_for_each(|(days, group)| recount_group(app, tx, scope, &days, group, now))
}

fn recount_group(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    days: &Days,
    mut group: Vec<Payout>,
    now: Millis,
) -> Result<(), ReconcileError> {
    group.sort_by_key(|payout| (payout.entered_at, payout.id));
    let Some(last) = group.last() else { return Ok(()) };
    let told = discrepancies::of_payouts(tx, scope, days.account, &group)?;
    let due = days.due(tx, scope)?;
    let surplus = surplus(&due, &group, &told)?;
    let (words, mut kept, mut assigned_to) = (last.id.to_string(), None, None);
    for mut before in told.into_iter().filter(|before| before.standing.waits()) {
        if surplus != 0 && kept.is_none() && before.finding.words.as_ref() == Some(&words) {
            kept = Some(before);
            continue;
        }
        assigned_to = before.assigned_to.or(assigned_to);
        let why = if surplus == 0 {
            "what arrived is what was due by now"
        } else {
            "it is told at the payout that came last"
        };
        (before.standing, before.reason, before.decided_by) =
            (Standing::Closed, Some(why.to_owned()), Some("core".to_owned()));
        before.updated_at = now;
        discrepancies::save(tx, scope, &mut before)?;
    }
    if surplus == 0 {
        return Ok(());
    }
    let expected = last.amount.minor().checked_sub(surplus).ok_or_else(past_64_bits)?;
    let side = |minor| Side {
        money: Money::new(minor, days.currency),
        fee: Money::new(0, days.currency),
        at: last.received_at,
    };
    let finding = paid_out_otherwise(side(expected), side(last.amount.minor()), words);
    let correction = finding.correction(None).map_err(|error| ReconcileError::Amount(error.to_string()))?;
    match kept {
        Some(before) if before.finding == finding => Ok(()),
        // Whoever decides must decide what was shown.
        Some(mut before) => {
            (before.finding, before.correction, before.updated_at) = (finding, correction, now);
            if before.standing == Standing::WriteOffProposed {
                before.standing = Standing::Open;
            }
            Ok(discrepancies::save(tx, scope, &mut before)?)
        }
        None => {
            let filed = Discrepancy {
                id: DiscrepancyId::from_bytes(app.random_16()?),
                account: days.account,
                day: last.to_day.clone(),
                reconciliation: due.run,
                finding,
                correction,
                lost: None,
                standing: standing(assigned_to),
                assigned_to,
                reason: None,
                proposed_by: None,
                decided_by: None,
                found_at: now,
                updated_at: now,
                version: 1,
            };
            Ok(discrepancies::insert(tx, scope, &filed)?)
        }
    }
}

const fn standing(assigned_to: Option<UserId>) -> Standing {
    if assigned_to.is_some() { Standing::Assigned } else { Standing::Open }
}

/// A day was compared with its bill again: what waits about its payouts is counted anew. A day of theirs that cannot be counted
/// leaves them as they were, for the next time.
///
/// # Errors
/// `Store`, `NoChance`.
pub(in crate::reconcile) fn after_comparison(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
    now: Millis,
) -> Result<(), ReconcileError> {
    for currency in payouts::currencies_of_day(tx, scope, account, day)? {
        let days = Days { account, currency, from: day.to_owned(), to: day.to_owned() };
        match recount(app, tx, scope, days, now) {
            Err(error @ (ReconcileError::DayNotCompared(_) | ReconcileError::Day(_) | ReconcileError::Amount(_))) => {
                tracing::error!(channel_account = %account, day, %error, "payouts were not counted again");
            }
            done => done?,
        }
    }
    Ok(())
}
