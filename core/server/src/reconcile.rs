//! Comparing a channel account's books with the channel's bill of a day, and what follows from it.
//!
//! A run fetches the bill, walks through both sides once, and writes down what does not agree. It moves no money and changes
//! no payment: that is for persons ([`resolve`]), each step of whom goes into the audit log. Survives: a plugin that fails in
//! the middle (the run fails, what was found before stands), a crash (the lease ends and another run takes the day up, after
//! which the first one writes nothing), the same day started twice (the first one runs), a bill that was taken too early or
//! that the scheme revises (days are compared again for a week).

mod bill;
pub(crate) mod chargeback;
mod compare;
mod days;
mod entries;
pub mod payout;
pub mod resolve;
mod sort;

use std::io;

use jiff::{ToSpan as _, civil::Date};
use saoma_channels::{Account, BillTerms, Capability, Failure, Manifest, NoChance};
use saoma_domain::recon::{self, Finding, StepRefusal};
use saoma_protocol::{ChannelAccountId, Currency, DiscrepancyId, Millis, ReconciliationId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, channel_accounts,
    discrepancies::{self, Run},
    ledger::Span,
    reconciliations::{self, Ended, Reconciliation, State, Tries},
};
use tracing::Instrument as _;

use self::days::Days;
use crate::{
    app::App,
    packages::Served,
    payments::{CLOCKS_APART_MS, PaymentError, channel_of_account},
    period::{Period, PeriodError},
};

/// How long a run may be silent before another takes the day up: longer than any page takes to come and be written.
const LEASE_MS: i64 = 180_000;

/// Most runs of one node at a time: each holds what [`Limits`] say, and a connection now and then.
pub const RUNS_MAX: usize = 4;

/// How much of a day a run holds at a time, and keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Movements of a page of the books.
    pub ours_page: u32,
    /// Lines of a page of the bill, and persons' decisions.
    pub theirs_page: u32,
    /// Of a side that is sorted outside of memory.
    pub sort_bytes: usize,
    /// Findings that are kept one by one.
    pub found: u64,
}

impl Limits {
    /// Pages of a megabyte or two and a sort of eight: a million rows make some ten runs, ten million a hundred. More findings
    /// than are kept people do not work through: past them the bill as a whole is wrong, and the counts say so.
    pub const USUAL: Self = Self { ours_page: 5_000, theirs_page: 5_000, sort_bytes: 8 << 20, found: 10_000 };
}

/// Why a reconciliation, or a step of a discrepancy, did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error(transparent)]
    Day(#[from] PeriodError),
    /// The day is not over where the scheme counts it.
    #[error("the day {0} is not over")]
    DayOpen(String),
    /// Another day of the account is being compared: that may take this one's bill into account, so they take turns.
    #[error("the day {0} of this account is being compared")]
    Busy(String),
    #[error("{RUNS_MAX} days are being compared here")]
    TooMany,
    #[error("{0} has no bills")]
    NoBills(String),
    /// The account's plugin or secrets are gone.
    #[error(transparent)]
    Channel(#[from] PaymentError),
    /// A payout is of days that were compared with their bills.
    #[error("the day {0} was not compared with its bill yet")]
    DayNotCompared(String),
    #[error("the bills of these days have nothing in {0}")]
    OtherCurrency(Currency),
    /// A payout that stands is for some of these days: its reference.
    #[error("the payout {0} is for some of these days")]
    DaysPaidOut(String),
    /// The payout was taken back before.
    #[error("it was reversed before")]
    Reversed,
    #[error("another request had this Idempotency-Key")]
    KeyReused,
    #[error("the bill did not come: {0}")]
    Fetch(#[from] Failure),
    /// It is tried again by itself.
    #[error("core was shut down meanwhile")]
    Stopped,
    #[error("the bill breaks off: {0}")]
    Bill(String),
    /// It has no row, though there should be something on it. It is asked for again.
    #[error("the bill is empty")]
    EmptyBill,
    /// Of the disk that a side is sorted on.
    #[error("a side could not be sorted: {0}")]
    Sort(#[from] std::io::Error),
    /// Our own mistake.
    #[error("the sides could not be walked through: {0}")]
    Walk(String),
    /// The line is on the bill of another account of the merchant's as well, and in the books by that.
    #[error("another account's bill has the same line, and it is in the books by that")]
    BookedElsewhere,
    #[error(transparent)]
    Refused(#[from] StepRefusal),
    #[error("an amount does not fit: {0}")]
    Amount(String),
}

/// What a run is about.
#[derive(Clone)]
struct Case {
    scope: TenantScope,
    id: ReconciliationId,
    account: Account,
    day: String,
    span: Span,
    days: Days,
    next_day: String,
    /// From when on the bill should be whole.
    ready_at: Millis,
    limits: Limits,
}

/// Starts a run of the account's day and answers with it as it then stands; the run goes on by itself. If one of that day is
/// running, that is the answer.
///
/// # Errors
/// Before anything is written: `Store` (`NotFound`), `Channel`, `NoBills`, `Day`, `DayOpen`, `TooMany`, `Busy`.
pub async fn start(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    day: &str,
    actor: &str,
) -> Result<Reconciliation, ReconcileError> {
    start_within(app, scope, account, day, actor, Limits::USUAL).await
}

/// [`start`] with other limits: few rows then do what a million do.
///
/// # Errors
/// As [`start`].
pub async fn start_within(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    day: &str,
    actor: &str,
    limits: Limits,
) -> Result<Reconciliation, ReconcileError> {
    let stored = app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await?;
    let channel = channel_of_account(app, scope, &stored).await?;
    let terms = bill_terms(&channel.manifest)?;
    let now = app.now();
    let span = span_of(account, &channel.manifest, terms, day)?;
    if span.to > now {
        return Err(ReconcileError::DayOpen(day.to_owned()));
    }
    let (next_day, days, ready_at) = (next_day(day)?, Days::from(terms), ready_at(&span, terms));
    let permit = app.comparing().clone().try_acquire_owned().map_err(|_| ReconcileError::TooMany)?;
    let id = ReconciliationId::from_bytes(app.random_16()?);
    let new = Reconciliation {
        id,
        account,
        day: day.to_owned(),
        state: State::Running,
        bill: None,
        result: None,
        words: None,
        started_by: actor.to_owned(),
        started_at: now,
        ended_at: None,
        lease_until: now.plus(LEASE_MS),
    };
    let written = new.clone();
    let running = app
        .store()
        .write(move |tx| {
            let running = reconciliations::start(tx, &scope, &written)?;
            if running.is_none() {
                let entry = audit::NewEntry::new(
                    &written.started_by,
                    "reconciliation.started",
                    &written.id,
                    &serde_json::json!({ "channel_account": account, "day": written.day }),
                    now,
                );
                audit::append(tx, &scope, &entry)?;
            }
            Ok::<_, StoreError>(running)
        })
        .await?;
    if let Some(running) = running {
        return if running.day == day { Ok(running) } else { Err(ReconcileError::Busy(running.day)) };
    }
    let case =
        Case { scope, id, account: channel.account, day: day.to_owned(), span, days, next_day, ready_at, limits };
    let span =
        tracing::info_span!("reconcile", reconciliation.id = %id, tenant = %scope.tenant(), channel_account = %account);
    let task_app = app.clone();
    let work = async move {
        carry_out(&task_app, case).await;
        drop(permit);
    };
    app.in_flight().spawn(work.instrument(span));
    Ok(new)
}

/// # Errors
/// `NoBills`.
fn bill_terms(manifest: &Manifest) -> Result<&BillTerms, ReconcileError> {
    let terms = manifest.bills.as_ref().filter(|_| manifest.can(Capability::Bills));
    terms.ok_or_else(|| ReconcileError::NoBills(manifest.name.clone()))
}

fn span_of(
    account: ChannelAccountId,
    manifest: &Manifest,
    terms: &BillTerms,
    day: &str,
) -> Result<Span, ReconcileError> {
    let Period { from, to } = Days::from(terms).period(day)?;
    Ok(Span { account, from, to, late_by_cancel: !manifest.can(Capability::Refund) })
}

fn next_day(day: &str) -> Result<String, PeriodError> {
    let next = day.parse::<Date>().ok().and_then(|date| date.checked_add(1.day()).ok());
    next.map(|date| date.to_string()).ok_or_else(|| PeriodError::NoDay(day.chars().take(32).collect()))
}

fn ready_at(span: &Span, terms: &BillTerms) -> Millis {
    span.to.plus(i64::from(terms.ready_after_minutes) * 60_000)
}

/// From when on the account's bill of a day should be whole; `None` if its channel has no bills.
///
/// # Errors
/// `Day`.
pub fn bill_ready_at(
    app: &App,
    scope: TenantScope,
    account: &channel_accounts::ChannelAccount,
    day: &str,
) -> Result<Option<Millis>, ReconcileError> {
    let Some(Served { manifest, .. }) = app.served(scope.tenant(), &account.plugin) else { return Ok(None) };
    let Ok(terms) = bill_terms(&manifest) else { return Ok(None) };
    Ok(Some(ready_at(&span_of(account.id, &manifest, terms, day)?, terms)))
}

/// Days of an account whose bill should be there: first those that nobody has compared with it yet, then those that are to be
/// compared once more, since schemes revise bills and neighbouring days settle each other; the oldest first.
///
/// # Errors
/// `Channel`, `NoBills`, `Store`.
pub async fn due_days(
    app: &App,
    scope: TenantScope,
    account: &channel_accounts::ChannelAccount,
) -> Result<Vec<String>, ReconcileError> {
    let served = app.served(scope.tenant(), &account.plugin);
    let manifest = served.ok_or_else(|| ReconcileError::NoBills(account.plugin.clone()))?.manifest;
    let terms = bill_terms(&manifest)?;
    let (now, id) = (app.now(), account.id);
    let Some(today) = Days::from(terms).day_of(now) else { return Ok(Vec::new()) };
    let (mut due, mut again) = (Vec::new(), Vec::new());
    for back in (1..=DAYS_BACK_MAX).rev() {
        let Ok(day) = today.checked_sub(back.days()) else { continue };
        let day = day.to_string();
        let span = span_of(id, &manifest, terms, &day)?;
        let ready_at = ready_at(&span, terms);
        if ready_at > now || span.to <= account.created_at {
            continue;
        }
        let asked = day.clone();
        let tries = app.store().read(move |tx| reconciliations::tries(tx, &scope, id, &asked, ready_at)).await?;
        let was_done = tries.as_ref().is_some_and(|tries| tries.done > 0);
        if tries.is_none_or(|tries| is_due(&tries, now)) {
            if was_done { again.push(day) } else { due.push(day) }
        }
    }
    due.append(&mut again);
    due.append(&mut late_days(app, scope, account, terms, today).await?);
    Ok(due)
}

/// How far back a day is still compared by itself: a week, which a holiday of a scheme's or an outage of ours may take.
const DAYS_BACK_MAX: i64 = 7;
/// How far back a day is asked for that was never compared: three months, after which schemes take bills away (WeChat Pay does).
const LATE_DAYS_MAX: i64 = 92;
/// How often one of these is asked for.
const LATE_PAUSE_MS: i64 = 86_400_000;

/// Days of more than a week ago that no bill has come for yet, the oldest first.
async fn late_days(
    app: &App,
    scope: TenantScope,
    account: &channel_accounts::ChannelAccount,
    terms: &BillTerms,
    today: Date,
) -> Result<Vec<String>, ReconcileError> {
    let (id, now, days) = (account.id, app.now(), Days::from(terms));
    let back = |days: i64| today.checked_sub(days.days()).ok();
    let late: Vec<String> =
        (DAYS_BACK_MAX + 1..=LATE_DAYS_MAX).rev().filter_map(back).map(|day| day.to_string()).collect();
    let (Some(first), Some(last)) = (late.first().cloned(), late.last().cloned()) else { return Ok(Vec::new()) };
    let tried = app.store().read(move |tx| reconciliations::tried_days(tx, &scope, id, &first, &last)).await?;
    let mut due = Vec::new();
    for day in late {
        let is_resting = tried.get(&day).is_some_and(|(last, is_done)| *is_done || last.plus(LATE_PAUSE_MS) > now);
        if !is_resting && days.period(&day)?.to > account.created_at {
            due.push(day);
        }
    }
    Ok(due)
}

fn is_due(tries: &Tries, now: Millis) -> bool {
    match tries.newest.state {
        // One that ends an hour later than ours would was written by a clock that was ahead.
        State::Running => {
            tries.newest.lease_until <= now || tries.newest.lease_until > now.plus(LEASE_MS + CLOCKS_APART_MS)
        }
        State::Failed => tries.newest.ended_at.is_none_or(|ended| ended.plus(pause_ms(tries.failures)) <= now),
        // By hand, before the bill was ready.
        State::Done => tries.last_done_at.is_none_or(|done| done.plus(again_after_ms(tries.done)) <= now),
    }
}

/// A day after the first result, then two, then three: within the week three times more.
fn again_after_ms(done: u32) -> i64 {
    86_400_000 * i64::from(done.clamp(1, 7))
}

/// 5 minutes after a failure, doubled with each further one, at most 4 hours.
fn pause_ms(failures: u32) -> i64 {
    (300_000_i64 << failures.saturating_sub(1).min(6)).min(4 * 3_600_000)
}

async fn carry_out(app: &App, case: Case) {
    let ended = match bill::fetch(app, &case).await {
        Ok(bill) => compare::compare(app, &case, &bill).await.map(|result| Ended::Done { bill: bill.id, result }),
        Err(error) => Err(error),
    };
    let mut no_bill = None;
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            tracing::warn!(%error, "a reconciliation failed");
            no_bill = is_without_bill(app, &case, &error).await;
            Ended::Failed(words_for_persons(&error))
        }
    };
    let (scope, id, now, counting) = (case.scope, case.id, app.now(), app.clone());
    let work = move |tx: &mut Tx<'_>| {
        reconciliations::end(tx, &scope, id, &ended, now)?;
        if let Some((discrepancy, finding)) = &no_bill {
            let run = Run { id, account: case.span.account, day: case.day.clone() };
            discrepancies::keep_no_bill(tx, &scope, &run, *discrepancy, finding, now)?;
        }
        match &ended {
            Ended::Done { .. } => payout::after_comparison(&counting, tx, &scope, case.span.account, &case.day, now),
            Ended::Failed(_) => Ok(()),
        }
    };
    let written = app.store().write(work).await;
    if let Err(error) = written {
        tracing::warn!(%error, "the end of a reconciliation was not written down; its lease ends it");
    }
}

/// How long after it should be ready a person is told that a day has no bill: as long as it is asked for every few hours.
const NO_BILL_AFTER_MS: i64 = DAYS_BACK_MAX * 86_400_000;

/// What a person is told of a day whose bill does not come though the books have something on it.
async fn is_without_bill(app: &App, case: &Case, error: &ReconcileError) -> Option<(DiscrepancyId, Finding)> {
    let is_of_bill = matches!(error, ReconcileError::Fetch(_) | ReconcileError::Bill(_) | ReconcileError::EmptyBill);
    if !is_of_bill || app.now() < case.ready_at.plus(NO_BILL_AFTER_MS) {
        return None;
    }
    match compare::is_anything_expected(app, case).await {
        Ok(true) => {
            let id = DiscrepancyId::from_bytes(app.random_16().ok()?);
            Some((id, recon::no_bill(words_for_persons(error))))
        }
        Ok(false) => None,
        // It is looked at again with the next try.
        Err(error) => {
            tracing::warn!(%error, "whether a day should have a bill is not known");
            None
        }
    }
}

const DISK_FULL: &str = "the disk is full; the day is compared once there is room";

/// What went wrong, without words about the database or the machine.
fn words_for_persons(error: &ReconcileError) -> String {
    match error {
        ReconcileError::Sort(error)
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
        {
            DISK_FULL.to_owned()
        }
        ReconcileError::Store(StoreError::DiskFull) => DISK_FULL.to_owned(),
        ReconcileError::Store(_) | ReconcileError::Sort(_) | ReconcileError::Walk(_) | ReconcileError::NoChance(_) => {
            "something went wrong here; it was noted".to_owned()
        }
        other => other.to_string().chars().take(500).collect(),
    }
}

/// Says that the run goes on, in each transaction that writes for it: so nothing is written for a run that another has taken up.
///
/// # Errors
/// `Stale` if another took the day up.
fn renew(tx: &mut Tx<'_>, case: &Case, now: Millis) -> Result<(), StoreError> {
    reconciliations::renew(tx, &case.scope, case.id, now.plus(LEASE_MS))
}

/// On a thread that may wait for the disk and for the database.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReconcileError> + Send + 'static,
) -> Result<T, ReconcileError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ReconcileError::Walk(error.to_string()))?
}

/// A shutdown does not wait for a million rows.
///
/// # Errors
/// `Stopped`.
fn go_on(app: &App) -> Result<(), ReconcileError> {
    if app.is_stopping() { Err(ReconcileError::Stopped) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_day_crosses_months_and_years() {
        for (day, after) in [("2026-02-28", "2026-03-01"), ("2026-12-31", "2027-01-01")] {
            assert_eq!(next_day(day), Ok(after.to_owned()));
        }
        for day in ["2026-02-29", "", "yesterday", "9999-12-31"] {
            assert!(next_day(day).is_err(), "{day}");
        }
    }

    #[test]
    fn pauses_grow_to_four_hours() {
        assert_eq!([0, 1, 2, 6, 7, 16, u32::MAX].map(|n| pause_ms(n) / 60_000), [5, 5, 10, 160, 240, 240, 240]);
    }

    #[test]
    fn a_full_disk_is_called_so() {
        let sort = |kind: io::ErrorKind| ReconcileError::Sort(io::Error::new(kind, "/data/secret"));
        for full in [sort(io::ErrorKind::StorageFull), sort(io::ErrorKind::QuotaExceeded), StoreError::DiskFull.into()]
        {
            assert_eq!(words_for_persons(&full), DISK_FULL);
        }
        assert!(!words_for_persons(&sort(io::ErrorKind::Other)).contains("secret"));
    }

    #[test]
    fn a_day_is_looked_at_three_times_more() {
        assert_eq!([1, 2, 3, u32::MAX].map(|n| again_after_ms(n) / 86_400_000), [1, 2, 3, 7]);
    }
}
