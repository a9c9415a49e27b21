//! Ends codes whose time on show is over.
//!
//! Each in a task of its own, and only so many of one channel account at once: a channel that does not answer delays the
//! end of its own codes and nobody else's.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use saoma_protocol::{ChannelAccountId, PaymentId};
use saoma_store::{StoreError, access, payments};
use tokio::{sync::watch, task::JoinSet};
use tracing::{Instrument as _, field::Empty};

use super::{resolver::began_in, rested};
use crate::{app::App, payments::expire};

const BATCH_MAX: u32 = 64;
/// Most codes of one channel account in hand at once.
const OF_ACCOUNT_MAX: usize = 8;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A code's end that is under way.
pub type InHand = (Option<ChannelAccountId>, PaymentId);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let (mut work, mut in_hand) = (JoinSet::new(), HashSet::new());
    while rested(None, LOOK_EVERY, &mut stopping).await {
        while let Some(done) = work.try_join_next() {
            match done {
                Ok(done) => drop(in_hand.remove(&done)),
                // Which one panicked is not known: all are looked at again, and an expiry done twice is done once.
                Err(_) => in_hand.clear(),
            }
        }
        if let Err(error) = take_up(&app, &mut work, &mut in_hand).await {
            tracing::warn!(%error, "expiry waits");
        }
    }
    while work.join_next().await.is_some() {}
}

/// Begins to end what is over now, in tasks of `work`; `in_hand` is what they are about.
///
/// # Errors
/// Of the store.
pub async fn take_up(app: &App, work: &mut JoinSet<InHand>, in_hand: &mut HashSet<InHand>) -> Result<(), StoreError> {
    let now = app.now();
    let mut counts: HashMap<ChannelAccountId, usize> = HashMap::new();
    for account in in_hand.iter().filter_map(|(account, _)| *account) {
        *counts.entry(account).or_default() += 1;
    }
    let full: Vec<ChannelAccountId> =
        counts.iter().filter(|(_, count)| **count >= OF_ACCOUNT_MAX).map(|(account, _)| *account).collect();
    // What is in hand is still due, and must not fill the batch.
    let limit = BATCH_MAX.saturating_add(u32::try_from(in_hand.len()).unwrap_or(u32::MAX));
    let due = app.store().read(move |tx| payments::due_for_expiry(tx, &access::process(), now, &full, limit)).await?;
    for payments::Due { scope, payment } in due {
        let (account, id) = (payment.channel_account, payment.payment.id);
        let count = account.map(|account| counts.entry(account).or_default());
        if count.as_ref().is_some_and(|count| **count >= OF_ACCOUNT_MAX) || !in_hand.insert((account, id)) {
            continue;
        }
        if let Some(count) = count {
            *count += 1;
        }
        let app = app.clone();
        let span = tracing::info_span!("expire", trace_id = Empty, payment.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, id, None).await;
            if let Err(error) = expire(&app, scope, id).await {
                tracing::warn!(payment.id = %id, %error, "an expiry is tried again");
            }
            (account, id)
        };
        work.spawn(one.instrument(span));
    }
    Ok(())
}
