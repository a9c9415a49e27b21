//! Finds out what is not known: asks channels about payments and refunds that are open, and undoes what is to be undone.

use std::time::Duration;

use saoma_domain::payment::{Chased, Event, Pace, Step, again_at, step};
use saoma_protocol::{PaymentId, RefundId};
use saoma_store::{StoreError, TenantScope, access, events, payments, refunds};
use tokio::{sync::watch, task::JoinSet};
use tracing::{Instrument as _, field::Empty};

use super::rested;
use crate::{
    app::App,
    payments::{Outcome, PaymentError, ask, cancel, channel_of, close_now, pace, resume_refund, settle},
    telemetry::link_trace,
};

/// Most payments and most refunds in hand at once.
const BATCH_MAX: u32 = 32;
/// How long nobody else takes what one worker has in hand: longer than any call with its wait.
const LEASE_MS: i64 = 180_000;
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let mut work = JoinSet::new();
    while rested(Some(app.resolver_bell()), LOOK_EVERY, &mut stopping).await {
        while work.try_join_next().is_some() {}
        let room = BATCH_MAX.saturating_sub(u32::try_from(work.len()).unwrap_or(u32::MAX));
        if room > 0
            && let Err(error) = take_up(&app, room, &mut work).await
        {
            tracing::warn!(%error, "the resolver waits");
        }
    }
    while work.join_next().await.is_some() {}
}

async fn take_up(app: &App, room: u32, work: &mut JoinSet<()>) -> Result<(), StoreError> {
    let now = app.now();
    let (due, due_refunds) = app
        .store()
        .write(move |tx| {
            let (process, lease) = (access::process(), now.plus(LEASE_MS));
            let due = payments::claim_due_for_resolving(tx, &process, now, lease, room)?;
            Ok::<_, StoreError>((due, refunds::claim_due_for_resolving(tx, &process, now, lease, room)?))
        })
        .await?;
    for payments::Due { scope, payment } in due {
        let (app, id) = (app.clone(), payment.payment.id);
        let span = tracing::info_span!("resolve", trace_id = Empty, payment.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, id, None).await;
            if let Err(error) = pursue(&app, scope, payment).await {
                tracing::warn!(%error, "a payment is taken up again later");
            }
        };
        work.spawn(one.instrument(span));
    }
    for refunds::Due { scope, refund } in due_refunds {
        let (app, id) = (app.clone(), refund.refund.id);
        let span = tracing::info_span!("resolve", trace_id = Empty, refund.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, refund.payment, Some(id)).await;
            if let Err(error) = pursue_refund(&app, scope, refund).await {
                tracing::warn!(%error, "a refund is taken up again later");
            }
        };
        work.spawn(one.instrument(span));
    }
    Ok(())
}

/// Each look is a trace of its own (there may be hundreds), which points to the one in which it began.
pub(super) async fn began_in(app: &App, scope: TenantScope, payment: PaymentId, refund: Option<RefundId>) {
    let found = app.store().read(move |tx| events::trace_of(tx, &scope, payment, refund)).await;
    // Without it the work is done all the same, and the payment's number is in both traces.
    link_trace(&tracing::Span::current(), found.ok().flatten().as_deref());
}

/// Does the one step that is due; if it changed nothing, says when the next is.
async fn pursue(app: &App, scope: TenantScope, mut stored: payments::StoredPayment) -> Result<(), PaymentError> {
    let id = stored.payment.id;
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, id)).await?;
    // Without its plugin nobody can be asked: it stays open, and is looked at again as slowly as can be.
    let pace = match channel_of(app, scope, &sale).await {
        Ok(channel) => pace(&channel.manifest),
        Err(error) => {
            tracing::error!(%error, "a payment is open and its channel cannot be called");
            stored.next_attempt_at = Some(app.now().plus(60_000));
            return Ok(app.store().write(move |tx| payments::reschedule(tx, &scope, &stored)).await?);
        }
    };
    let version = stored.version;
    match step(chased(&stored), pace, app.now()) {
        Step::Wait { .. } => {}
        Step::TakeAsNoAnswer => {
            settle(app, scope, id, Outcome::Event(Event::NoAnswer), "core").await?;
        }
        Step::Ask | Step::AskOnce => {
            ask(app, scope, id).await?;
        }
        Step::AskThenClose => {
            let asked = ask(app, scope, id).await?;
            if asked.payment.payment.is_open() {
                tracing::info!("a payment's time is over: it is undone");
                cancel(app, scope, id, "core").await?;
            }
        }
        Step::Close => {
            close_now(app, scope, id).await?;
        }
    }
    later(app, scope, version, id, pace).await
}

/// If nothing was saved since, the lease is still ours: the next attempt is set. If something was, that set it.
async fn later(app: &App, scope: TenantScope, version: u64, id: PaymentId, pace: Pace) -> Result<(), PaymentError> {
    let jitter = u32::from_be_bytes(app.random_16()?.first_chunk().copied().unwrap_or_default());
    let now = app.now();
    let outcome = app
        .store()
        .write(move |tx| {
            let mut stored = payments::load(tx, &scope, id)?;
            if stored.version != version {
                return Ok(());
            }
            stored.attempts = stored.attempts.saturating_add(1);
            stored.next_attempt_at = again_at(chased(&stored), pace, jitter, now);
            payments::reschedule(tx, &scope, &stored)
        })
        .await;
    match outcome {
        // Somebody saved it between load and now: their schedule stands.
        Err(StoreError::Stale { .. }) => Ok(()),
        other => Ok(other?),
    }
}

const fn chased(stored: &payments::StoredPayment) -> Chased<'_> {
    Chased {
        payment: &stored.payment,
        created_at: stored.created_at,
        close_asked: stored.close_asked_at.is_some(),
        attempts: stored.attempts,
    }
}

async fn pursue_refund(app: &App, scope: TenantScope, refund: refunds::StoredRefund) -> Result<(), PaymentError> {
    let mut kept = refund.clone();
    match resume_refund(app, scope, refund).await {
        Err(PaymentError::NoChannel(why)) => {
            tracing::error!(why, "a refund is open and its channel cannot be called");
            kept.next_attempt_at = Some(app.now().plus(60_000));
            Ok(app.store().write(move |tx| refunds::reschedule(tx, &scope, &kept)).await?)
        }
        done => done,
    }
}
