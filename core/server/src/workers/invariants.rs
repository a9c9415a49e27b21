//! Proves the books again and again. A broken promise is an alarm for a person, never mended by itself.

use std::time::Duration;

use saoma_store::{access, ledger};
use tokio::sync::watch;

use super::rested;
use crate::app::App;

const LOOK_EVERY: Duration = Duration::from_secs(600);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        match app.store().read(|tx| ledger::check_all(tx, &access::process())).await {
            Ok(broken) if broken.is_empty() => tracing::debug!("the books hold"),
            Ok(broken) => tracing::error!(?broken, "the books do not hold"),
            Err(error) => tracing::warn!(%error, "the books could not be checked"),
        }
    }
}
