//! Forwards what terminals sold by card without a network. Of several nodes one has a sale's lease.

use std::time::Duration;

use saoma_protocol::Millis;
use saoma_store::{
    StoreError, Tx, access,
    stored_cards::{Claimed, claim_due},
};
use tokio::{sync::watch, task::JoinSet};
use tracing::Instrument as _;

use super::{resolver::began_in, rested};
use crate::{
    app::App,
    payments::{forward, tell_held},
};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long nobody else takes what one worker has in hand: longer than any call with its wait.
const LEASE_MS: i64 = 180_000;
/// Sales in hand at once; of one channel account there is one.
const IN_HAND_MAX: usize = 64;
const UNREADABLE: &str = "it cannot be forwarded as it is stored: look in core's log, and settle it by hand";

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let mut work = JoinSet::new();
    while rested(None, LOOK_EVERY, &mut stopping).await {
        while work.try_join_next().is_some() {}
        if let Err(error) = take_up(&app, IN_HAND_MAX.saturating_sub(work.len()), &mut work).await {
            tracing::warn!(%error, "forwarding waits");
        }
    }
    while work.join_next().await.is_some() {}
}

/// Begins the work that is due now, at most `room` sales, in tasks of `work`.
///
/// # Errors
/// Of the store.
pub async fn take_up(app: &App, room: usize, work: &mut JoinSet<()>) -> Result<(), StoreError> {
    let (now, room) = (app.now(), u32::try_from(room).unwrap_or(0));
    if room == 0 {
        return Ok(());
    }
    let lease_until: Millis = now.plus(LEASE_MS);
    let claim = move |tx: &mut Tx<'_>| {
        let claimed = claim_due(tx, &access::process(), now, lease_until, room)?;
        tell_held(tx, &claimed.held, UNREADABLE, now)?;
        Ok::<_, StoreError>(claimed)
    };
    let Claimed { due, held } = app.store().write(claim).await?;
    for held in held {
        app.news_of(held.scope.tenant());
    }
    for due in due {
        let (app, id) = (app.clone(), due.waiting.sale.payment);
        let span = tracing::info_span!("forward", trace_id = tracing::field::Empty, payment.id = %id, tenant = %due.scope.tenant());
        let one = async move {
            began_in(&app, due.scope, id, None).await;
            if let Err(error) = forward(&app, due).await {
                tracing::warn!(%error, "a sale is forwarded once its lease is over");
            }
        };
        work.spawn(one.instrument(span));
    }
    Ok(())
}
