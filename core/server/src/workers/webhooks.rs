//! Sends webhooks: events of the outbox become deliveries, and those that are due are claimed and sent.
//!
//! What was claimed by a process that ended is due again when its lease is over; no two processes have the same delivery.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use saoma_channels::Outgoing;
use saoma_protocol::WebhookEndpointId;
use saoma_store::{
    StoreError, access,
    webhooks::{self, Job, Wanted},
};
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};
use tracing::{Instrument as _, field::Empty};

use super::rested;
use crate::{app::App, telemetry::continue_trace, webhooks::send};

/// Most deliveries in hand at once, and most of one endpoint: a slow one leaves room for the others.
const IN_HAND_MAX: usize = 64;
const PER_ENDPOINT_MAX: u32 = 4;
/// Longer than an attempt with both its transactions.
const LEASE_MS: i64 = 60_000;
const FAN_OUT_MAX: u32 = 64;
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub async fn run(app: App, outgoing: Outgoing, mut stopping: watch::Receiver<bool>) {
    let outgoing = Arc::new(outgoing);
    let mut hands = Hands::default();
    loop {
        let goes_on = tokio::select! {
            goes_on = rested(Some(app.webhooks_bell()), LOOK_EVERY, &mut stopping) => goes_on,
            // There is room for another, and the next of an ordered endpoint may be due.
            Some(done) = hands.work.join_next_with_id() => {
                hands.let_go(done);
                !*stopping.borrow()
            }
        };
        if !goes_on {
            break;
        }
        if let Err(error) = step(&app, &outgoing, &mut hands).await {
            tracing::warn!(%error, "webhooks wait");
        }
    }
    while hands.work.join_next().await.is_some() {}
}

/// The deliveries being sent.
#[derive(Default)]
struct Hands {
    work: JoinSet<()>,
    of: HashMap<Id, WebhookEndpointId>,
}

impl Hands {
    fn let_go(&mut self, done: Result<(Id, ()), JoinError>) {
        let id = match done {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "an attempt to send a webhook ended early");
                error.id()
            }
        };
        self.of.remove(&id);
    }

    fn by_endpoint(&self) -> BTreeMap<WebhookEndpointId, u32> {
        let mut counts = BTreeMap::new();
        for endpoint in self.of.values() {
            *counts.entry(*endpoint).or_default() += 1;
        }
        counts
    }

    fn take(&mut self, app: &App, outgoing: &Arc<Outgoing>, jobs: Vec<Job>) {
        for job in jobs {
            let endpoint = job.delivery.endpoint;
            let span = tracing::info_span!(
                "webhook",
                otel.kind = "client",
                tenant = %job.scope.tenant(),
                webhook.endpoint = %endpoint,
                webhook.delivery = %job.delivery.id,
                webhook.event = %job.delivery.event,
                webhook.event_type = job.delivery.event_type,
                attempt = job.delivery.attempts,
                http.response.status_code = Empty,
                duration_ms = Empty,
                trace_id = Empty,
            );
            continue_trace(&span, job.delivery.traceparent.as_deref());
            let (app, outgoing) = (app.clone(), Arc::clone(outgoing));
            let one = async move {
                if let Err(error) = send(&app, &outgoing, job).await {
                    tracing::error!(%error, "a webhook could not be tried; it is taken up again");
                }
            };
            let task = self.work.spawn(one.instrument(span));
            self.of.insert(task.id(), endpoint);
        }
    }
}

async fn step(app: &App, outgoing: &Arc<Outgoing>, hands: &mut Hands) -> Result<(), StoreError> {
    let now = app.now();
    let due = app.store().read(move |tx| webhooks::next_due_at(tx, &access::process(), now)).await?;
    if due.is_none_or(|at| at > now) {
        return Ok(());
    }
    let (taken, unreadable) =
        app.store().write(move |tx| webhooks::fan_out(tx, &access::process(), now, FAN_OUT_MAX)).await?;
    for message in unreadable {
        tracing::error!(%message, "an event in the outbox cannot be read; it is told to nobody");
    }
    if taken == FAN_OUT_MAX {
        app.webhooks_bell().notify_one();
    }
    let room = u32::try_from(IN_HAND_MAX.saturating_sub(hands.of.len())).unwrap_or(0);
    let in_hand = hands.by_endpoint();
    let jobs = app
        .store()
        .write(move |tx| {
            let wanted = Wanted { in_hand: &in_hand, per_endpoint_max: PER_ENDPOINT_MAX, limit: room };
            webhooks::claim_due(tx, &access::process(), now, now.plus(LEASE_MS), wanted)
        })
        .await?;
    hands.take(app, outgoing, jobs);
    Ok(())
}
