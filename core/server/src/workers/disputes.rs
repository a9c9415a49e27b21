//! Calls a person while there is still time to answer a dispute. Several nodes that look at once write the same.

use std::time::Duration;

use tokio::sync::watch;

use super::rested;
use crate::{app::App, payments::call_for_answers};

/// One query of an index; answers are due in days.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        if let Err(error) = call_for_answers(&app).await {
            tracing::warn!(%error, "calling for answers to disputes waits");
        }
    }
}
