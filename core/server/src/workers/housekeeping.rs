//! Deletes what nobody will ask for again, and follows the key of sessions by another when it has come to its age. Books, payments, events, journals and the audit log are never touched.

use std::time::Duration;

use saoma_store::{StoreError, access, cards, idempotency, outbox, sessions, stored_cards, webhooks};
use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    own_keys,
    payments::{CARDS_KEPT_MS, TRACKS_KEPT_MS, tell_held},
};

/// A push that the terminal has. A month, so that a support case can still be read.
const ACKED_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// A webhook that was delivered or given up can be looked at and replayed for so long.
const WEBHOOKS_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// A session that ended. As long as a person may ask where they were signed in.
const SESSIONS_KEPT_MS: i64 = 90 * 24 * 3_600_000;
/// Of sales without a network that the acquirer has not answered.
const TRACKS_AT_ONCE: u32 = 1_000;
const FORGOTTEN: &str =
    "the acquirer has not answered in time, and what only the sale needs of its card is deleted: settle it by hand";
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        match tidy(&app).await {
            Ok((messages, webhooks, ended)) => {
                tracing::info!(messages, webhooks, sessions = ended, "what is over was deleted");
            }
            Err(error) => tracing::warn!(%error, "housekeeping waits"),
        }
        let (app, now) = (app.clone(), app.now());
        let drawn = tokio::task::spawn_blocking(move || own_keys::rotate_sessions(app.store(), app.vault(), now, true));
        match drawn.await {
            Ok(Ok(Some(kid))) => tracing::info!(kid, "the key of sessions came to its age; the next signs soon"),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the key of sessions could not be followed by another"),
            Err(error) => tracing::error!(%error, "the key of sessions was not looked at"),
        }
    }
}

async fn tidy(app: &App) -> Result<(u64, u64, u64), StoreError> {
    let now = app.now();
    app.store()
        .write(move |tx| {
            let process = access::process();
            idempotency::forget_answers(tx, &process, now)?;
            cards::prune(tx, &process, now.plus(-CARDS_KEPT_MS))?;
            let held = stored_cards::forget(tx, &process, now.plus(-TRACKS_KEPT_MS), now, TRACKS_AT_ONCE)?;
            tell_held(tx, &held, FORGOTTEN, now)?;
            let messages = outbox::prune(tx, &process, now.plus(-ACKED_KEPT_MS))?;
            let webhooks = webhooks::prune(tx, &process, now.plus(-WEBHOOKS_KEPT_MS))?;
            Ok((messages, webhooks, sessions::prune(tx, &process, now.plus(-SESSIONS_KEPT_MS))?))
        })
        .await
}
