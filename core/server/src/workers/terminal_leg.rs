//! Compares closed batches again while they are young: what a channel said late, and what terminals learned since, ends a
//! difference or begins one. Several nodes that look at once write the same.

use std::time::Duration;

use saoma_store::{StoreError, TenantScope, batches};
use tokio::sync::watch;

use super::rested;
use crate::{app::App, batches::compare, ledger_check};

const LOOK_EVERY: Duration = Duration::from_secs(300);
/// How long after its close: a channel that answers later than that is found by the comparison with its bill.
const YOUNG_MS: i64 = 48 * 3_600_000;
/// Most batches of a merchant in one look; those that follow come with the next.
const BATCHES_MAX: u32 = 1_000;

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
            && let Err(error) = of_tenant(app, scope)
        {
            tracing::warn!(tenant = %scope.tenant(), %error, "a merchant's batches could not be compared");
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::warn!(%error, "the comparison with the terminals waits");
    }
}

fn of_tenant(app: &App, scope: TenantScope) -> Result<(), StoreError> {
    let now = app.now();
    let young = app.store().read_blocking(|tx| batches::closed_since(tx, &scope, now.plus(-YOUNG_MS), BATCHES_MAX))?;
    for batch in young {
        app.store().write_blocking(|tx| compare(tx, &scope, &batch, now))?;
    }
    Ok(())
}
