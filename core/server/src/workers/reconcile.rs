//! Compares days with their bills once those are ready: the oldest day first, one of an account at a time.
//!
//! What is due follows from what was done, so nothing is scheduled and nothing can be forgotten. Of several nodes that look
//! at once one starts the day.

use std::time::Duration;

use saoma_store::{StoreError, TenantScope, access, channel_accounts, reconciliations::Reconciliation, tenants};
use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    reconcile::{self, ReconcileError},
};

const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Most days begun in one look: each is a plugin that pages and a database that is written to.
const BEGUN_MAX: usize = 4;
/// Tenants of one page.
const TENANTS: u32 = 100;

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    loop {
        if let Err(error) = look(&app, &stopping).await {
            tracing::warn!(%error, "reconciliation waits");
        }
        if !rested(None, LOOK_EVERY, &mut stopping).await {
            return;
        }
    }
}

async fn look(app: &App, stopping: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let (mut after, mut begun) = (None, 0);
    loop {
        let page = app.store().read(move |tx| tenants::list(tx, &access::process(), after, TENANTS)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for tenant in page {
            let id = tenant.id;
            let (scope, accounts) = app
                .store()
                .read(move |tx| {
                    let scope = access::enter_tenant(tx, &access::process(), id)?;
                    Ok::<_, StoreError>((scope, channel_accounts::list(tx, &scope)?))
                })
                .await?;
            for account in accounts {
                if *stopping.borrow() || begun >= BEGUN_MAX {
                    return Ok(());
                }
                begun += usize::from(of_account(app, scope, &account).await);
            }
        }
    }
}

/// Starts the oldest day of the account that is due; whether one was.
async fn of_account(app: &App, scope: TenantScope, account: &channel_accounts::ChannelAccount) -> bool {
    let started: Result<Option<Reconciliation>, ReconcileError> = async {
        match reconcile::due_days(app, scope, account).await?.into_iter().next() {
            Some(day) => reconcile::start(app, scope, account.id, &day, "core").await.map(Some),
            None => Ok(None),
        }
    }
    .await;
    match started {
        Ok(run) => run.is_some(),
        // Most channels, and those whose plugin is gone.
        Err(ReconcileError::NoBills(_)) => false,
        Err(error) => {
            tracing::warn!(channel_account = %account.id, %error, "a day could not be compared");
            false
        }
    }
}
