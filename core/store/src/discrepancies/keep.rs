//! Writing down what a comparison found.

use diesel::{
    dsl::{count_star, max, sql},
    prelude::*,
    sql_types::Bool,
};
use saoma_domain::recon::{Class, Correction, Finding, Key, Side, Standing};
use saoma_protocol::{ChannelAccountId, DiscrepancyId, Millis, ReconciliationId, money::MoneyError};

use super::{DECIDED, Discrepancy, STALE, WAITS, insert, row::Row, row_of, save};
use crate::{
    StoreError, TenantScope, Tx, channel_accounts,
    column::{Txt, signed},
    schema::discrepancies,
};

/// A comparison that is being written down.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: ReconciliationId,
    pub account: ChannelAccountId,
    pub day: String,
}

/// Most findings of one call of [`keep`]: PostgreSQL and SQLite take lists of that length in a query.
pub const KEEP_MAX: usize = 500;

/// Writes down what a comparison found, each with the id that it gets if it is new: what of it is not booked yet, and one for
/// each movement, whichever day it was told on before.
///
/// # Errors
/// [`STALE`] if a person acted on one of them at this moment: then it is worth another try.
pub fn keep(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    found: &[(DiscrepancyId, Finding)],
    at: Millis,
) -> Result<(), StoreError> {
    let numbers: Vec<&str> =
        found.iter().filter_map(|(_, finding)| finding.key.as_ref()).map(|key| &*key.number).collect();
    let mut known = of_numbers(tx, scope, run.account, &numbers)?;
    known.extend(unreadable(tx, scope, run, found)?);
    for (id, finding) in found {
        let of_it: Vec<&Discrepancy> = known.iter().filter(|before| is_same(before, &run.day, finding)).collect();
        keep_one(tx, scope, run, &of_it, *id, finding, at)?;
    }
    Ok(())
}

fn keep_one(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    of_it: &[&Discrepancy],
    id: DiscrepancyId,
    finding: &Finding,
    at: Millis,
) -> Result<(), StoreError> {
    // Past 64 bits, and across currencies, nothing can be posted: it waits without a correction.
    let booked = booked_of(of_it);
    let correction = booked.as_ref().ok().and_then(|booked| finding.correction(booked.as_ref()).ok().flatten());
    let decided = |before: &&&Discrepancy| {
        before.standing.is_decided() && before.day == run.day && says_the_same(&before.finding, finding)
    };
    let is_over = match (correction, booked) {
        (Some(correction), _) => correction.is_nothing(),
        (None, Ok(None)) if finding.class == Class::Corrected => true,
        (None, _) => of_it.iter().any(|before| decided(&before)),
    };
    let waiting = of_it.iter().find(|before| before.standing.waits());
    if is_over {
        return waiting.map_or(Ok(()), |before| close(tx, scope, before, "what was booked settles it", at));
    }
    let mut assigned_to = None;
    match waiting {
        Some(before) if before.day == run.day => return again(tx, scope, run, before, finding, correction, at),
        Some(before) => {
            assigned_to = before.assigned_to;
            close(tx, scope, before, &format!("it is told on {}", run.day), at)?;
        }
        None => {}
    }
    let mut new = Discrepancy {
        id,
        account: run.account,
        day: run.day.clone(),
        reconciliation: run.id,
        finding: finding.clone(),
        correction,
        lost: None,
        standing: if assigned_to.is_some() { Standing::Assigned } else { Standing::Open },
        assigned_to,
        reason: None,
        proposed_by: None,
        decided_by: None,
        found_at: at,
        updated_at: at,
        version: 1,
    };
    let closed = of_it.iter().filter(|before| before.standing == Standing::Closed && before.day == run.day);
    match closed.max_by_key(|before| before.updated_at) {
        // It is back.
        Some(before) => {
            (new.id, new.found_at, new.version) = (before.id, before.found_at, before.version);
            save(tx, scope, &mut new)?;
            found_by(tx, scope, run, new.id, new.version)
        }
        None => insert(tx, scope, &new),
    }
}

/// It still waits. Whoever decides must decide what was shown: a change is another version, the mere repeat is none.
fn again(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    before: &Discrepancy,
    finding: &Finding,
    correction: Option<Correction>,
    at: Millis,
) -> Result<(), StoreError> {
    if before.finding == *finding && before.correction == correction {
        return found_by(tx, scope, run, before.id, before.version);
    }
    let mut now = before.clone();
    (now.finding, now.correction) = (finding.clone(), correction);
    now.updated_at = at;
    if now.standing == Standing::WriteOffProposed {
        now.standing = Standing::Open;
    }
    save(tx, scope, &mut now)?;
    found_by(tx, scope, run, now.id, now.version)
}

/// Says that the run found it, as it is in this version.
fn found_by(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    id: DiscrepancyId,
    version: u64,
) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, id).filter(discrepancies::version.eq(signed(version)));
    let run = discrepancies::reconciliation_id.eq(Txt(run.id));
    let n = tx.run(scope, |conn| diesel::update(as_loaded).set(run).execute(conn))?;
    if n == 1 { Ok(()) } else { Err(STALE) }
}

/// These movements agree on the run's day: what waits about them on other days is over.
///
/// # Errors
/// [`STALE`], as [`keep`].
pub fn settle(tx: &mut Tx<'_>, scope: &TenantScope, run: &Run, keys: &[Key], at: Millis) -> Result<(), StoreError> {
    let numbers: Vec<&str> = keys.iter().map(|key| &*key.number).collect();
    let known = of_numbers(tx, scope, run.account, &numbers)?;
    let over = known.iter().filter(|before| {
        before.standing.waits()
            && before.day != run.day
            && before.finding.nth == 0
            && before.finding.key.as_ref().is_some_and(|key| keys.contains(key))
    });
    for before in over {
        close(tx, scope, before, &format!("it is on the bill of {}", run.day), at)?;
    }
    Ok(())
}

/// Writes down that there is no bill of the run's day, unless that is told or was decided.
///
/// # Errors
/// `Conflict` if the id is taken.
pub fn keep_no_bill(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    id: DiscrepancyId,
    finding: &Finding,
    at: Millis,
) -> Result<(), StoreError> {
    let told: i64 = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(run.account)))
            .filter(discrepancies::day.eq(&run.day))
            .filter(discrepancies::class.eq(Class::NoBill.text()))
            .filter(discrepancies::state.ne(Standing::Closed.text()))
            .count()
            .get_result(conn)
    })?;
    if told > 0 {
        return Ok(());
    }
    keep_one(tx, scope, run, &[], id, finding, at)
}

/// Closes what waits of the run's day and was not kept by it, for the reason `why`: nobody decides what may have come to agree. The
/// answer is how many those are.
///
/// # Errors
/// None of its own.
pub fn close_others(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    why: &str,
    at: Millis,
) -> Result<usize, StoreError> {
    let others = discrepancies::table
        .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
        .filter(discrepancies::channel_account_id.eq(Txt(run.account)))
        .filter(discrepancies::day.eq(&run.day))
        .filter(discrepancies::reconciliation_id.ne(Txt(run.id)))
        .filter(discrepancies::class.ne(Class::Payout.text()))
        .filter(sql::<Bool>(WAITS));
    let changes = (
        discrepancies::state.eq(Standing::Closed.text()),
        discrepancies::reason.eq(why),
        discrepancies::decided_by.eq("core"),
        discrepancies::updated_at.eq(at.0),
        discrepancies::version.eq(discrepancies::version + 1),
    );
    tx.run(scope, |conn| diesel::update(others).set(changes).execute(conn))
}

/// What a decision has booked about a movement, or about a line too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub id: DiscrepancyId,
    pub key: Key,
    pub day: String,
    pub nth: u64,
    pub correction: Correction,
}

/// What persons have booked about an account's movements, in the order of the numbers, from after `after` on.
///
/// # Errors
/// None of its own.
pub fn decided(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    after: Option<&Decided>,
    limit: u32,
) -> Result<Vec<Decided>, StoreError> {
    let mut query = discrepancies::table
        .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
        .filter(discrepancies::channel_account_id.eq(Txt(account)))
        .filter(discrepancies::currency.is_not_null())
        .filter(sql::<Bool>(DECIDED))
        .order((discrepancies::number, discrepancies::id))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(Decided { key, id, .. }) = after {
        let number = key.number.clone();
        let later = discrepancies::number.gt(number.clone()).or(discrepancies::id.gt(Txt(*id)));
        query = query.filter(discrepancies::number.ge(number)).filter(later);
    } else {
        // A payout has no number, and is compared with no line.
        query = query.filter(discrepancies::number.gt(""));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    let read = |row: Row| {
        let Discrepancy { id, day, finding, correction, .. } = row.try_into()?;
        let nth = finding.nth;
        Ok(finding.key.zip(correction).map(|(key, correction)| Decided { id, key, day, nth, correction }))
    };
    rows.into_iter().map(read).filter_map(Result::transpose).collect()
}

/// All that was found about a movement itself, whatever became of it, in the order in which it was found.
///
/// # Errors
/// None of its own.
pub fn of_movement(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    key: &Key,
) -> Result<Vec<Discrepancy>, StoreError> {
    let mut known = of_numbers(tx, scope, account, &[&key.number])?;
    known.retain(|one| one.finding.nth == 0 && one.finding.key.as_ref() == Some(key));
    known.sort_by_key(|one| (one.found_at, one.id));
    Ok(known)
}

/// Of these movements of an account those that decisions about other accounts of its plugin have booked, each with the line that
/// this was about: two accounts with one merchant number at the scheme have the same lines on their bills.
///
/// # Errors
/// `NotFound` if the account is not the tenant's.
pub fn booked_elsewhere(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    keys: &[&Key],
) -> Result<Vec<(Key, Side)>, StoreError> {
    let accounts = channel_accounts::list(tx, scope)?;
    let plugin = accounts.iter().find(|one| one.id == account).map(|one| one.plugin.clone());
    let others = accounts.into_iter().filter(|one| one.id != account && Some(&one.plugin) == plugin.as_ref());
    let numbers: Vec<&str> = keys.iter().map(|key| key.number.as_str()).collect();
    let mut booked: Vec<(Key, Side)> = Vec::new();
    for other in others {
        let mut known = of_numbers(tx, scope, other.id, &numbers)?;
        known.retain(|one| one.standing.is_decided() && one.finding.nth == 0);
        for key in keys {
            let of_it: Vec<&Discrepancy> = known.iter().filter(|one| one.finding.key.as_ref() == Some(*key)).collect();
            let is_nothing = match booked_of(&of_it) {
                Ok(sum) => sum.is_none_or(|sum| sum.is_nothing()),
                // Past 64 bits it is not nothing.
                Err(_) => false,
            };
            let sides = of_it.iter().filter_map(|one| one.finding.theirs).filter(|_| !is_nothing);
            booked.extend(sides.map(|side| ((*key).clone(), side)));
        }
    }
    Ok(booked)
}

/// How much persons have decided about the account's movements: another answer after each decision.
///
/// # Errors
/// None of its own.
pub fn decisions(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<(i64, Option<String>), StoreError> {
    tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(account)))
            .filter(discrepancies::number.gt(""))
            .filter(sql::<Bool>(DECIDED))
            .select((count_star(), max(discrepancies::id)))
            .first(conn)
    })
}

/// What of a discrepancy's movement was written off so far; `None` for nothing.
///
/// # Errors
/// `Corrupt` past 64 bits.
pub fn lost_before(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
) -> Result<Option<Correction>, StoreError> {
    let Some(key) = &discrepancy.finding.key else { return Ok(None) };
    let known = of_numbers(tx, scope, discrepancy.account, &[&key.number])?;
    let of_it = known
        .iter()
        .filter(|before| before.standing.is_decided() && is_same(before, &discrepancy.day, &discrepancy.finding));
    let sum = sum(of_it.filter_map(|before| before.lost)).map_err(|_| crate::column::corrupt("a sum past 64 bits"))?;
    Ok(sum.filter(|lost| !lost.is_nothing()))
}

fn booked_of(of_it: &[&Discrepancy]) -> Result<Option<Correction>, MoneyError> {
    sum(of_it.iter().filter(|before| before.standing.is_decided()).filter_map(|before| before.correction))
}

fn sum(mut corrections: impl Iterator<Item = Correction>) -> Result<Option<Correction>, MoneyError> {
    let Some(first) = corrections.next() else { return Ok(None) };
    corrections.try_fold(first, |sum, one| sum.checked_add(&one)).map(Some)
}

fn of_numbers(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    numbers: &[&str],
) -> Result<Vec<Discrepancy>, StoreError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(account)))
            .filter(discrepancies::number.eq_any(numbers))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Discrepancy::try_from).collect()
}

/// Lines that cannot be read have no number: of those of the day, the ones between the first and the last line meant.
fn unreadable(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    found: &[(DiscrepancyId, Finding)],
) -> Result<Vec<Discrepancy>, StoreError> {
    let lines = found.iter().filter(|(_, finding)| finding.key.is_none()).filter_map(|(_, finding)| finding.line);
    let (first, last) = lines.fold((u64::MAX, 0), |(first, last), line| (first.min(line), last.max(line)));
    if first > last {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(run.account)))
            .filter(discrepancies::number.eq(""))
            .filter(discrepancies::class.eq(Class::Unreadable.text()))
            .filter(discrepancies::day.eq(&run.day))
            .filter(discrepancies::line.between(signed(first), signed(last)))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Discrepancy::try_from).collect()
}

fn close(tx: &mut Tx<'_>, scope: &TenantScope, before: &Discrepancy, why: &str, at: Millis) -> Result<(), StoreError> {
    let mut now = before.clone();
    now.standing = Standing::Closed;
    now.reason = Some(why.to_owned());
    now.decided_by = Some("core".to_owned());
    now.updated_at = at;
    save(tx, scope, &mut now)
}

/// Whether both are about the same movement, the same line too many, or the same line that cannot be read.
fn is_same(before: &Discrepancy, day: &str, finding: &Finding) -> bool {
    let one = &before.finding;
    if finding.key.is_none() {
        return before.day == day && one.class == finding.class && one.line == finding.line;
    }
    one.key == finding.key && one.nth == finding.nth && (one.nth == 0 || before.day == day)
}

/// Whether what was decided about the one, where nothing could be posted, holds for the other.
fn says_the_same(decided: &Finding, finding: &Finding) -> bool {
    let sides = |finding: &Finding| [finding.ours, finding.theirs].map(|side| side.map(|side| (side.money, side.fee)));
    decided.class == finding.class && decided.words == finding.words && sides(decided) == sides(finding)
}
