//! Finds out what is not known: asks channels about payments and refunds that are open, and undoes what is to be undone.

use std::{collections::HashMap, time::Duration};

use saoma_domain::payment::{Chased, Event, Pace, State, Step, again_at, has_passed, needs_person, step};
use saoma_protocol::{Millis, PaymentId, RefundId};
use saoma_store::{
    StoreError, TenantScope, Tx, access, events,
    leases::{self, Renewal},
    payments, refunds,
};
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};
use tracing::{Instrument as _, field::Empty};

use super::rested;
use crate::{
    app::App,
    payments::{
        Outcome, PaymentError, ask, ask_in_doubt, cancel, channel_of, close_now, kind, pace, record,
        refund_needs_person, resume_refund, settle, take_as_unanswered,
    },
    telemetry::link_trace,
};

/// Most payments and most refunds in hand at once; of one channel account or tenant the store gives out fewer.
const BATCH_MAX: u32 = 256;
/// How long nobody else takes what one worker has in hand, unless the worker puts it off: what a core that was killed had in hand waits
/// no longer than this, and a call may last. Nodes' clocks may be a minute apart.
const LEASE_MS: i64 = 75_000;
/// How often a lease is put off.
const RENEW_MS: i64 = 5_000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// No call with its wait takes longer.
const CALL_MS_MAX: i64 = 120_000;
/// What lasts longer hangs: it is put off no more, and another worker takes it up, which calls a person in time.
const IN_HAND_MS_MAX: i64 = 3 * CALL_MS_MAX;
/// How often it is looked whether a channel that cannot be called (no plugin, no secrets) can be by now.
const WITHOUT_CHANNEL_MS: i64 = 60_000;
const AFTER_FAILURE_MS_MIN: i64 = 10_000;
const AFTER_FAILURE_MS_MAX: i64 = 180_000;

/// What is being found out.
#[derive(Clone, Copy, Debug)]
enum InHand {
    Payment(TenantScope, PaymentId),
    Refund(TenantScope, RefundId),
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    of: InHand,
    since: Millis,
    until: Millis,
}

/// The leases of what a worker has in hand, by its tasks: a payment that was saved midway may be in two.
#[derive(Debug, Default)]
pub struct Leases(HashMap<Id, Lease>);

impl Leases {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&mut self, ended: Result<(Id, ()), JoinError>) {
        self.0.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
    }

    /// Those that were not put off for a while, or by a clock that has been set back since; not what hangs.
    fn to_renew(&self, now: Millis) -> Vec<(Id, Lease)> {
        let is_due = |lease: &Lease| {
            let left = lease.until.since(now);
            (left <= LEASE_MS - RENEW_MS || left > LEASE_MS) && now.since(lease.since) < IN_HAND_MS_MAX
        };
        self.0.iter().filter(|(_, lease)| is_due(lease)).map(|(id, lease)| (*id, *lease)).collect()
    }

    fn renewed(&mut self, renewed: Vec<(Id, Renewal)>, until: Millis) {
        for (id, became) in renewed {
            match (became, self.0.get_mut(&id)) {
                (Renewal::Done, Some(lease)) => lease.until = until,
                (Renewal::Lost, _) => drop(self.0.remove(&id)),
                (Renewal::Later, _) | (Renewal::Done, None) => {}
            }
        }
    }
}

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let (mut work, mut leases) = (JoinSet::new(), Leases::default());
    while rested(Some(app.resolver_bell()), LOOK_EVERY, &mut stopping).await {
        if let Err(error) = take_up(&app, BATCH_MAX, &mut work, &mut leases).await {
            tracing::warn!(%error, "the resolver waits");
        }
    }
    // What is under way is waited for, and stays this worker's.
    while !work.is_empty() {
        if let Err(error) = take_up(&app, 0, &mut work, &mut leases).await {
            tracing::warn!(%error, "leases are not put off");
        }
        if let Ok(Some(ended)) = tokio::time::timeout(LOOK_EVERY, work.join_next_with_id()).await {
            leases.end(ended);
        }
    }
}

/// Puts off the ends of leases, and begins the work that is due now in tasks of `work`, until it has `most` tasks (of payments and of
/// refunds each as many as there is room for).
///
/// # Errors
/// Of the store.
pub async fn take_up(app: &App, most: u32, work: &mut JoinSet<()>, leases: &mut Leases) -> Result<(), StoreError> {
    while let Some(ended) = work.try_join_next_with_id() {
        leases.end(ended);
    }
    let now = app.now();
    let until = now.plus(LEASE_MS);
    let room = most.saturating_sub(u32::try_from(work.len()).unwrap_or(u32::MAX));
    let to_renew = leases.to_renew(now);
    if !to_renew.is_empty() {
        let renew =
            move |tx: &mut Tx<'_>| to_renew.iter().map(|(id, lease)| Ok((*id, renew(tx, lease, until)?))).collect();
        let renewed: Result<Vec<_>, StoreError> = app.store().write(renew).await;
        leases.renewed(renewed?, until);
    }
    if room == 0 {
        return Ok(());
    }
    let (due, due_refunds) = app
        .store()
        .write(move |tx| {
            let process = access::process();
            let due = payments::claim_due_for_resolving(tx, &process, now, until, room)?;
            Ok::<_, StoreError>((due, refunds::claim_due_for_resolving(tx, &process, now, until, room)?))
        })
        .await?;
    let lease = |of| Lease { of, since: now, until };
    for payments::Due { scope, payment } in due {
        let (app, id, version, moved_at) = (app.clone(), payment.payment.id, payment.version, payment.updated_at);
        let span = tracing::info_span!("resolve", trace_id = Empty, payment.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, id, None).await;
            if let Err(error) = pursue(&app, scope, payment).await {
                tracing::warn!(%error, "a payment is taken up again later");
                // What fails each time is stuck too, and nobody else would tell.
                let plan = next_at(after_failure(moved_at, app.now()));
                if let Err(error) = replan(&app, scope, version, id, &error.to_string(), plan).await {
                    tracing::warn!(%error, "nobody was called");
                }
            }
        };
        leases.0.insert(work.spawn(one.instrument(span)).id(), lease(InHand::Payment(scope, id)));
    }
    for refunds::Due { scope, refund } in due_refunds {
        let (app, id, version, moved_at) = (app.clone(), refund.refund.id, refund.version, refund.updated_at);
        let span = tracing::info_span!("resolve", trace_id = Empty, refund.id = %id, tenant = %scope.tenant());
        let one = async move {
            began_in(&app, scope, refund.payment, Some(id)).await;
            if let Err(error) = pursue_refund(&app, scope, refund).await {
                tracing::warn!(%error, "a refund is taken up again later");
                let again_at = after_failure(moved_at, app.now());
                if let Err(error) = call_about_refund(&app, scope, id, version, error.to_string(), again_at).await {
                    tracing::warn!(%error, "nobody was called");
                }
            }
        };
        leases.0.insert(work.spawn(one.instrument(span)).id(), lease(InHand::Refund(scope, id)));
    }
    Ok(())
}

fn renew(tx: &mut Tx<'_>, lease: &Lease, until: Millis) -> Result<Renewal, StoreError> {
    match lease.of {
        InHand::Payment(scope, id) => leases::renew_of_payment(tx, &scope, id, lease.until, until),
        InHand::Refund(scope, id) => leases::renew_of_refund(tx, &scope, id, lease.until, until),
    }
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
        Err(PaymentError::Store(error)) => return Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "a payment is open and its channel cannot be called");
            let since = match stored.payment.state {
                State::Created => Some(stored.created_at),
                State::Submitting { since } => Some(since),
                _ => None,
            };
            // No call of an earlier start is under way any more: it is not known, which persons may settle.
            if since.is_some_and(|since| has_passed(since, CALL_MS_MAX, app.now())) {
                stored = settle(app, scope, id, Outcome::Event(Event::NoAnswer), "core").await?.sale.payment;
            }
            let plan = next_at(app.now().plus(WITHOUT_CHANNEL_MS));
            return replan(app, scope, stored.version, id, &error.to_string(), plan).await;
        }
    };
    let version = stored.version;
    match step(chased(&sale), pace, app.now()) {
        Step::Wait { .. } | Step::Rest => {}
        Step::TakeAsNoAnswer => {
            settle(app, scope, id, Outcome::Event(Event::NoAnswer), "core").await?;
        }
        Step::Ask => {
            ask(app, scope, id).await?;
        }
        Step::AskInDoubt => ask_in_doubt(app, scope, id).await?,
        Step::GiveUp => {
            tracing::info!("another payment has paid the order");
            cancel(app, scope, id, "core").await?;
        }
        Step::AskThenClose => {
            let asked = ask(app, scope, id).await?.sale;
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

/// When to try again what failed here, as by a database that was busy: ever more slowly, the longer nothing has moved. If that
/// cannot be written down either, the lease ends by itself.
fn after_failure(moved_at: Millis, now: Millis) -> Millis {
    now.plus(now.0.saturating_sub(moved_at.0).clamp(AFTER_FAILURE_MS_MIN, AFTER_FAILURE_MS_MAX))
}

fn next_at(again_at: Millis) -> impl Fn(&payments::Sale, &mut payments::StoredPayment) + Clone + Send + 'static {
    move |_, stored| stored.next_attempt_at = Some(again_at)
}

/// The next attempt after one that changed nothing.
async fn later(app: &App, scope: TenantScope, version: u64, id: PaymentId, pace: Pace) -> Result<(), PaymentError> {
    let jitter = u32::from_be_bytes(app.random_16()?.first_chunk().copied().unwrap_or_default());
    let now = app.now();
    let plan = move |sale: &payments::Sale, stored: &mut payments::StoredPayment| {
        stored.attempts = stored.attempts.saturating_add(1);
        stored.next_attempt_at = again_at(Chased { attempts: stored.attempts, ..chased(sale) }, pace, jitter, now);
    };
    replan(app, scope, version, id, "", plan).await
}

/// If nothing was saved since, the lease is still ours: the next attempt is set. If something was, that set it. What core has
/// not come to an end with for too long is shown to a person, once, with `why`; core goes on.
async fn replan(
    app: &App,
    scope: TenantScope,
    version: u64,
    id: PaymentId,
    why: &str,
    plan: impl Fn(&payments::Sale, &mut payments::StoredPayment) + Clone + Send + 'static,
) -> Result<(), PaymentError> {
    let (now, why) = (app.now(), why.to_owned());
    let work = move |tx: &mut Tx<'_>| {
        let sale = payments::load_sale(tx, &scope, id)?;
        if sale.payment.version != version {
            return Ok(false);
        }
        let mut stored = sale.payment.clone();
        plan(&sale, &mut stored);
        if stored.watch.attention_at.is_some() || !needs_person(chased(&sale), now) {
            payments::reschedule(tx, &scope, &stored)?;
            return Ok(false);
        }
        // Who looks sees the channel's last word, and whose it was.
        let words = [why.clone(), stored.watch.last_said.clone().unwrap_or_default()].join(" ");
        stored.watch.attention_at = Some(now);
        payments::save(tx, &scope, &mut stored)?;
        record(tx, &scope, &stored, None, kind::NEEDS_ATTENTION, words.trim(), "core", now)?;
        Ok::<_, StoreError>(true)
    };
    match app.store().write(work).await {
        Ok(true) => app.news_of(scope.tenant()),
        // Somebody saved it between load and now: their schedule stands, and the next attempt calls.
        Ok(false) | Err(StoreError::Stale { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn chased(sale: &payments::Sale) -> Chased<'_> {
    let stored = &sale.payment;
    Chased {
        payment: &stored.payment,
        created_at: stored.created_at,
        moved_at: stored.updated_at,
        close_asked: stored.close_asked_at.is_some(),
        doubted: stored.watch.doubted_at.is_some(),
        is_surplus: sale.order.paid_by.is_some_and(|by| by != stored.payment.id),
        attempts: stored.attempts,
    }
}

async fn pursue_refund(app: &App, scope: TenantScope, refund: refunds::StoredRefund) -> Result<(), PaymentError> {
    let (id, mut kept) = (refund.refund.id, refund.clone());
    match resume_refund(app, scope, refund).await {
        Err(error) if error.is_of_the_channel() => {
            tracing::error!(%error, "a refund is open and its channel cannot be called");
            if has_passed(kept.updated_at, CALL_MS_MAX, app.now()) {
                kept = take_as_unanswered(app, scope, kept).await?;
            }
            let again_at = app.now().plus(WITHOUT_CHANNEL_MS);
            call_about_refund(app, scope, id, kept.version, error.to_string(), again_at).await
        }
        done => done,
    }
}

/// What keeps core from pursuing a refund is shown to a person once that has lasted too long; it is tried again at `again_at`.
async fn call_about_refund(
    app: &App,
    scope: TenantScope,
    id: RefundId,
    version: u64,
    why: String,
    again_at: Millis,
) -> Result<(), PaymentError> {
    let now = app.now();
    let work = move |tx: &mut Tx<'_>| {
        let mut refund = refunds::load(tx, &scope, id)?;
        // Whoever saved it since has planned what follows, and may be at it.
        if refund.version != version || refund.next_attempt_at.is_none() {
            return Ok(());
        }
        let stored = payments::load(tx, &scope, refund.payment)?;
        refund.watch.last_said = Some(why.clone());
        refund.next_attempt_at = Some(again_at);
        refund_needs_person(tx, &scope, &mut refund, &stored, now)?;
        refunds::reschedule(tx, &scope, &refund)
    };
    match app.store().write(work).await {
        // Somebody saved it meanwhile, and planned what follows.
        Err(StoreError::Stale { .. }) => Ok(()),
        saved => Ok(saved?),
    }
}
