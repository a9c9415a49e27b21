//! Takes up rollouts that were changed on another node, or that this one could not load before.

use std::time::Duration;

use tokio::sync::watch;

use super::rested;
use crate::{app::App, packages};

/// The other nodes ring; this is for a bell that nobody heard.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After a package did not load.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    loop {
        let pause = match packages::refresh(&app).await {
            Ok(true) => app.look_after(LOOK_EVERY),
            Ok(false) => TRY_AGAIN_AFTER,
            Err(error) => {
                tracing::warn!(%error, "rollouts of plugins are looked at a little later");
                TRY_AGAIN_AFTER
            }
        };
        if !rested(Some(app.serving().bell()), pause, &mut stopping).await {
            break;
        }
    }
}
