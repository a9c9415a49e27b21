//! Compares closed batches again while they are young, and what was keyed outside of shifts today and yesterday; and both for
//! as long as something differs: what a channel said late, and what terminals learned since, ends a difference or begins one.
//! Several nodes that look at once write the same.

use std::{collections::BTreeSet, time::Duration};

use saoma_protocol::Millis;
use saoma_store::{Store, StoreError, TenantScope, batches, tenants};
use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    batches::{Compared, OPEN_DAYS_MAX, compare, has_news},
    ledger_check,
    period::{Period, local_day},
};

const LOOK_EVERY: Duration = Duration::from_secs(300);
/// How long after its close came in: a channel that answers later than that is found by the comparison with its bill.
const YOUNG_MS: i64 = 48 * 3_600_000;
/// What is younger may still be on its way from the terminal or to it.
const SETTLED_MS: i64 = 15 * 60_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// Batches of a merchant that are held at once.
const PAGE: u32 = 200;

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        let (app_in, stop) = (app.clone(), stopping.clone());
        if let Err(error) = tokio::task::spawn_blocking(move || look(&app_in, &stop)).await {
            tracing::error!(%error, "the comparison with the terminals was cut off");
        }
    }
}

fn look(app: &App, stop: &watch::Receiver<bool>) {
    let done = ledger_check::each_tenant(app.store(), |scope| {
        if !*stop.borrow()
            && let Err(error) = of_tenant(app, scope, stop)
        {
            tracing::warn!(tenant = %scope.tenant(), %error, "a merchant's batches could not be compared");
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::warn!(%error, "the comparison with the terminals waits");
    }
}

fn of_tenant(app: &App, scope: TenantScope, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    look_at(app.store(), scope, app.now(), PAGE, || *stop.borrow())?;
    look_at_days(app.store(), scope, app.now(), || *stop.borrow())
}

/// Compares what a merchant's terminals keyed outside of shifts, today and yesterday as they sell, and on the days where
/// something differed. Of a terminal no further than its journal has come, so that what it has not sent yet does not seem to be
/// missing there.
///
/// # Errors
/// Of the store; what was compared until then is written down.
pub fn look_at_days(
    store: &Store,
    scope: TenantScope,
    now: Millis,
    is_over: impl Fn() -> bool,
) -> Result<(), StoreError> {
    let (zone, keyed, open) = store.read_blocking(|tx| {
        let zone = tenants::load(tx, &scope)?.time_zone;
        let keyed = batches::last_keyed(tx, &scope, now.plus(-2 * DAY_MS))?;
        Ok::<_, StoreError>((zone, keyed, batches::open_days(tx, &scope, OPEN_DAYS_MAX)?))
    })?;
    let mut days: BTreeSet<_> = open.into_iter().map(|open| (open.terminal, open.day)).collect();
    for terminal in keyed.keys() {
        days.extend([now.plus(-DAY_MS), now].map(|at| (*terminal, local_day(at, &zone))));
    }
    for (terminal, day) in days {
        if is_over() {
            break;
        }
        // A zone that was taken away since: there is no such day.
        let Ok(Period { from, to }) = Period::of_days(&day, &day, &zone) else { continue };
        let to = keyed.get(&terminal).map_or(to, |last| to.min(last.plus(1))).min(now.plus(-SETTLED_MS));
        if from < to {
            compare_again(store, scope, &Compared::Day { terminal, day, from, to }, now)?;
        }
    }
    Ok(())
}

/// Compares a merchant's batches again, `page` at a time. Reads alone, unless something is another than it was.
///
/// # Errors
/// Of the store; what was compared until then is written down.
pub fn look_at(
    store: &Store,
    scope: TenantScope,
    now: Millis,
    page: u32,
    is_over: impl Fn() -> bool,
) -> Result<(), StoreError> {
    let mut after = None;
    while !is_over() {
        let since = now.plus(-YOUNG_MS);
        let batches = store.read_blocking(|tx| batches::to_compare(tx, &scope, since, after, page))?;
        for batch in &batches {
            compare_again(store, scope, &Compared::Batch(batch), now)?;
        }
        let Some(last) = batches.last().filter(|_| batches.len() as u64 == u64::from(page)) else { break };
        after = Some(last.id);
    }
    Ok(())
}

/// Reads alone, unless something is another than it was.
fn compare_again(store: &Store, scope: TenantScope, what: &Compared<'_>, now: Millis) -> Result<(), StoreError> {
    if store.read_blocking(|tx| has_news(tx, &scope, what, now))? {
        store.write_blocking(|tx| compare(tx, &scope, what, now))?;
    }
    Ok(())
}
