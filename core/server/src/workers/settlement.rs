//! Settles batches at schemes: those on their way are taken up again, and what is open is closed once the merchant's day is over.
//! What is due follows from what was done, so nothing is scheduled; of several nodes one has a batch's lease.

use std::time::Duration;

use saoma_protocol::TenantId;
use saoma_store::{StoreError, TenantScope, access, channel_accounts, settlement_batches::claim_due, tenants};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tracing::Instrument as _;

use super::rested;
use crate::{
    app::App,
    settlement::{self, SettlementError, lease_from},
};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked what is to be closed.
const CLOSE_EVERY: Duration = Duration::from_secs(60);
/// Batches in hand at once.
const IN_HAND_MAX: usize = 16;
const TENANTS: u32 = 100;

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let mut work = JoinSet::new();
    let mut close_at = Instant::now();
    while rested(Some(app.settlement_bell()), LOOK_EVERY, &mut stopping).await {
        while work.try_join_next().is_some() {}
        if Instant::now() >= close_at {
            close_at = Instant::now() + CLOSE_EVERY;
            match close_due(&app, &mut work).await {
                Ok(true) => {}
                // There was no room for all: the others are looked for as soon as there is.
                Ok(false) => close_at = Instant::now(),
                Err(error) => tracing::warn!(%error, "closing batches waits"),
            }
        }
        let room = IN_HAND_MAX.saturating_sub(work.len());
        if let Err(error) = take_up(&app, room, &mut work).await {
            tracing::warn!(%error, "settling batches waits");
        }
    }
    while work.join_next().await.is_some() {}
}

/// Begins the work that is due now, at most `room` batches, in tasks of `work`.
///
/// # Errors
/// Of the store.
pub async fn take_up(app: &App, room: usize, work: &mut JoinSet<()>) -> Result<(), StoreError> {
    let (now, room) = (app.now(), u32::try_from(room).unwrap_or(0));
    if room == 0 {
        return Ok(());
    }
    let due = app.store().write(move |tx| claim_due(tx, &access::process(), now, lease_from(now), room)).await?;
    for due in due {
        let (app, id) = (app.clone(), due.batch.id);
        let span = tracing::info_span!("settle", settlement_batch = %id, tenant = %due.scope.tenant());
        let one = async move {
            if let Err(error) = settlement::pursue(&app, due.scope, due.batch).await {
                tracing::warn!(%error, "a batch is taken up again later");
            }
        };
        work.spawn(one.instrument(span));
    }
    Ok(())
}

/// Closes what is due, of all merchants, and begins to settle each at once in tasks of `work`: payments wait from the close on, so nothing
/// is closed that would wait for its turn. `false` if there was no room for more, or the process stops.
///
/// # Errors
/// Of the store; what was closed until then is.
pub async fn close_due(app: &App, work: &mut JoinSet<()>) -> Result<bool, StoreError> {
    let mut after: Option<TenantId> = None;
    loop {
        let page = app.store().read(move |tx| tenants::list(tx, &access::process(), after, TENANTS)).await?;
        let Some(last) = page.last() else { return Ok(true) };
        after = Some(last.id);
        for tenant in page {
            // One merchant whose accounts cannot be read keeps nobody else waiting.
            match close_of(app, tenant.id, work).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => tracing::warn!(tenant = %tenant.id, %error, "a merchant's batches are closed later"),
            }
        }
    }
}

async fn close_of(app: &App, tenant: TenantId, work: &mut JoinSet<()>) -> Result<bool, SettlementError> {
    let (scope, accounts): (TenantScope, _) = app
        .store()
        .read(move |tx| {
            let scope = access::enter_tenant(tx, &access::process(), tenant)?;
            Ok::<_, StoreError>((scope, channel_accounts::list(tx, &scope)?))
        })
        .await?;
    for account in accounts {
        let Some(due) = settlement::is_due(app, scope, &account).await? else { continue };
        while work.try_join_next().is_some() {}
        if work.len() >= IN_HAND_MAX || app.is_stopping() {
            return Ok(false);
        }
        match settlement::close(app, scope, account.id, "core", due.despite, Some(due.after)).await {
            Ok(_) => take_up(app, IN_HAND_MAX - work.len(), work).await?,
            Err(SettlementError::UnderWay(_) | SettlementError::Nothing) => {}
            Err(error) => tracing::warn!(channel_account = %account.id, %error, "a batch is closed later"),
        }
    }
    Ok(true)
}
