//! Ends codes whose time on show is over.

use std::time::Duration;

use saoma_store::{StoreError, access, payments};
use tokio::sync::watch;
use tracing::{Instrument as _, field::Empty};

use super::{resolver::began_in, rested};
use crate::{app::App, payments::expire};

const BATCH_MAX: u32 = 64;
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        if let Err(error) = batch(&app).await {
            tracing::warn!(%error, "expiry waits");
        }
    }
}

async fn batch(app: &App) -> Result<(), StoreError> {
    let now = app.now();
    let due = app.store().read(move |tx| payments::due_for_expiry(tx, &access::process(), now, BATCH_MAX)).await?;
    let mut work = tokio::task::JoinSet::new();
    for payments::Due { scope, payment } in due {
        let (app, id) = (app.clone(), payment.payment.id);
        let span = tracing::info_span!("expire", trace_id = Empty, payment.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, id, None).await;
            if let Err(error) = expire(&app, scope, id).await {
                tracing::warn!(payment.id = %id, %error, "an expiry is tried again");
            }
        };
        work.spawn(one.instrument(span));
    }
    while work.join_next().await.is_some() {}
    Ok(())
}
