//! Compares closed batches again while they are young, and for as long as something differs: what a channel said late, and
//! what terminals learned since, ends a difference or begins one. Several nodes that look at once write the same.

use std::time::Duration;

use saoma_protocol::Millis;
use saoma_store::{Store, StoreError, TenantScope, batches};
use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    batches::{compare, has_news},
    ledger_check,
};

const LOOK_EVERY: Duration = Duration::from_secs(300);
/// How long after its close came in: a channel that answers later than that is found by the comparison with its bill.
const YOUNG_MS: i64 = 48 * 3_600_000;
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
    look_at(app.store(), scope, app.now(), PAGE, || *stop.borrow())
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
            if store.read_blocking(|tx| has_news(tx, &scope, batch, now))? {
                store.write_blocking(|tx| compare(tx, &scope, batch, now))?;
            }
        }
        let Some(last) = batches.last().filter(|_| batches.len() as u64 == u64::from(page)) else { break };
        after = Some(last.id);
    }
    Ok(())
}
