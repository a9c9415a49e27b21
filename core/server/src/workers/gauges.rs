//! Measures what lies in the database and waits, for those who watch.

use std::time::Duration;

use saoma_store::{
    StoreError, access,
    outbox::{self, Kind},
    payments, settlement_batches,
};
use tokio::sync::watch;

use super::rested;
use crate::{app::App, telemetry::metrics::Waiting};

/// Often enough for an alarm within the minute; each look costs five counts over partial indexes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    loop {
        if let Err(error) = look(&app).await {
            tracing::warn!(%error, "what waits could not be measured");
        }
        if !rested(None, LOOK_EVERY, &mut stopping).await {
            return;
        }
    }
}

async fn look(app: &App) -> Result<(), StoreError> {
    let now = app.now();
    let (backlog, (payments_open, payments_unknown), settlements_waiting) = app
        .store()
        .read(move |tx| {
            let process = access::process();
            let backlog = outbox::backlog(tx, &process, Kind::Push)?;
            let waiting = settlement_batches::waiting_count(tx, &process, now)?;
            Ok::<_, StoreError>((backlog, payments::open_count(tx, &process)?, waiting))
        })
        .await?;
    let age_ms = backlog.oldest.map_or(0, |oldest| app.now().since(oldest).max(0));
    app.metrics().waiting(Waiting {
        outbox_messages: backlog.messages,
        outbox_oldest_age: Duration::from_millis(age_ms.unsigned_abs()),
        payments_open,
        payments_unknown,
        settlements_waiting,
    });
    Ok(())
}
