//! Compares days with their bills once those are ready: the oldest day first, one of an account at a time.
//!
//! What is due follows from what was done, so nothing is scheduled and nothing can be forgotten. Of several nodes that look
//! at once one starts the day.

use std::time::Duration;

use saoma_protocol::TenantId;
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
    // After which tenant the next look goes on, so that each has its turn.
    let mut after = None;
    loop {
        match look(&app, &stopping, after).await {
            Ok(last) => after = last,
            Err(error) => tracing::warn!(%error, "reconciliation waits"),
        }
        if !rested(None, LOOK_EVERY, &mut stopping).await {
            return;
        }
    }
}

/// Begins what is due from after that tenant on; the answer is the last whose turn is over, or none at the end of the list.
async fn look(
    app: &App,
    stopping: &watch::Receiver<bool>,
    mut after: Option<TenantId>,
) -> Result<Option<TenantId>, StoreError> {
    let mut begun = 0;
    loop {
        let page = app.store().read(move |tx| tenants::list(tx, &access::process(), after, TENANTS)).await?;
        if page.is_empty() {
            return Ok(None);
        }
        for tenant in page {
            let (id, before) = (tenant.id, after.replace(tenant.id));
            let accounts = app
                .store()
                .read(move |tx| {
                    let scope = access::enter_tenant(tx, &access::process(), id)?;
                    Ok::<_, StoreError>((scope, channel_accounts::list(tx, &scope)?))
                })
                .await;
            let (scope, accounts) = match accounts {
                Ok(accounts) => accounts,
                // One merchant whose accounts cannot be read keeps nobody else waiting.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(tenant = %id, %error, "its days are not compared");
                    continue;
                }
                Err(error) => return Err(error),
            };
            for account in accounts {
                if *stopping.borrow() || begun >= BEGUN_MAX || app.comparing().available_permits() == 0 {
                    return Ok(before);
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
        // Most channels, and those whose plugin is gone; and those of which a day is being compared: the next look goes on.
        Err(ReconcileError::NoBills(_) | ReconcileError::Busy(_) | ReconcileError::TooMany) => false,
        Err(error) => {
            tracing::warn!(channel_account = %account.id, %error, "a day could not be compared");
            false
        }
    }
}
