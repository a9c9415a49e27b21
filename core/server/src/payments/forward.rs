//! Forwarding what a terminal sold by card without a network, until the acquirer has said what becomes of it.
//!
//! Nothing undoes such a sale for want of an answer, and the resolver leaves it alone: the same advice goes out again, ever more slowly. Of an
//! account one is in hand at a time, the first that came in; one that a person is called for steps aside, so that those behind it are tried.
//! Before it goes what is being reversed, and a batch that is being closed; a batch waits for what is still to be forwarded. It goes through what
//! new payments of its account go through when it is first sent, and through that ever after. Survives: a crash at
//! any point (the lease ends and the same is sent again), silence, several nodes (one has the lease), and what fails in core each time, which calls
//! a person too. What has no end for long a person is called for; two persons may then settle it by hand, as any payment. No batch waits for what a
//! person is called for, so that it waits for a close, as what is new does.

use saoma_channels::{Card, Failure, Order};
use saoma_domain::payment::{ATTENTION_AFTER_MS, Source};
use saoma_protocol::{Millis, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    payments::{self, Sale},
    plugin_packages, plugin_rollouts, settlement_batches,
    stored_cards::{self, Due, Held, Next, Waiting},
};

use super::{
    Outcome, PaymentError,
    call::{Channel, order_of},
    channel_of,
    close::answered,
    kind, pace, record, settle, stored,
};
use crate::{app::App, settlement::check_not_held};

/// After a failure, doubled with each further one.
const PAUSE_MS_MIN: i64 = 2_000;
const PAUSE_MS_MAX: i64 = 300_000;
/// How often it is looked whether what goes first is over.
const TURN_MS: i64 = 1_000;

/// One attempt. The lease is this node's.
///
/// # Errors
/// Of the store; another attempt follows once the lease is over.
pub async fn forward(app: &App, due: Due) -> Result<(), PaymentError> {
    let Due { scope, waiting } = due;
    let (account, now) = (waiting.sale.account, app.now());
    let goes_first = move |tx: &mut Tx<'_>| {
        Ok::<_, StoreError>(
            settlement_batches::is_closing(tx, &scope, account, now)?
                || stored_cards::reversals_under_way(tx, &scope, account)?,
        )
    };
    if app.store().read(goes_first).await? {
        return in_a_moment(app, scope, waiting).await;
    }
    match attempt(app, scope, &waiting).await {
        Ok(()) | Err(Attempt::NotOurs) => Ok(()),
        Err(Attempt::Store(error)) => Err(error.into()),
        Err(Attempt::Held) => in_a_moment(app, scope, waiting).await,
        Err(Attempt::Open { why, fault, sent_at }) => later(app, scope, waiting, why, fault, sent_at).await,
    }
}

/// Something else goes first.
async fn in_a_moment(app: &App, scope: TenantScope, waiting: Waiting) -> Result<(), PaymentError> {
    let Waiting { aside, first_sent_at, attempts, .. } = waiting;
    let next = Next { at: app.now().plus(TURN_MS), aside, first_sent_at, attempts };
    Ok(app.store().write(move |tx| stored_cards::set_back(tx, &scope, &waiting, next)).await?)
}

/// Why it has no end yet.
enum Attempt {
    /// The database cannot be reached, or what was last written is not known: the same is done again once the lease is over.
    Store(StoreError),
    /// The account's batch goes first.
    Held,
    /// It has ended meanwhile, or the lease was over.
    NotOurs,
    /// `sent_at`: when this attempt was made, if the acquirer may have it.
    Open { why: String, fault: Fault, sent_at: Option<Millis> },
}

/// What is to blame, by which those behind wait or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing of the account can be sent.
    Channels,
    /// It may be this sale alone: those behind wait until a person is called.
    Open,
    /// This sale cannot be sent as it is.
    Sales,
}

impl From<PaymentError> for Attempt {
    fn from(error: PaymentError) -> Self {
        let fault = match error {
            PaymentError::Store(
                error @ (StoreError::Unavailable { .. } | StoreError::InDoubt { .. } | StoreError::DiskFull),
            ) => return Self::Store(error),
            PaymentError::BatchClosing => return Self::Held,
            // Each attempt would find the same.
            PaymentError::Store(_) => Fault::Open,
            // The channel cannot be called here now.
            _ => Fault::Channels,
        };
        Self::Open { why: error.to_string(), fault, sent_at: None }
    }
}

/// What this sale went out through is not served here; those behind go through what is.
fn not_callable(error: PaymentError, waiting: &Waiting) -> Attempt {
    match error {
        PaymentError::NoChannel(_) | PaymentError::PackageNotHere(_) if waiting.first_sent_at.is_some() => {
            Attempt::Open { why: error.to_string(), fault: Fault::Open, sent_at: None }
        }
        error => error.into(),
    }
}

/// The sale as it stands. One that the acquirer cannot have is bound to what new payments go through. `None`: it has ended, perhaps just now,
/// since its payment was ended without it; or it is another's.
fn make_ready(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    waiting: &Waiting,
    now: Millis,
) -> Result<Option<Sale>, StoreError> {
    let payment = waiting.sale.payment;
    let sale = payments::load_sale(tx, scope, payment)?;
    if !sale.payment.payment.is_open() {
        stored::follow(tx, scope, &sale.payment, false, now)?;
        return Ok(None);
    }
    if stored_cards::is_unsent(tx, scope, waiting)? {
        let choice = plugin_rollouts::choice_for(tx, scope, &sale.payment.channel)?;
        plugin_packages::bind_anew(tx, scope, payment, choice)?;
    }
    Ok(Some(sale))
}

async fn attempt(app: &App, scope: TenantScope, waiting: &Waiting) -> Result<(), Attempt> {
    let (now, payment, ours) = (app.now(), waiting.sale.payment, waiting.clone());
    let ready = app.store().write(move |tx| make_ready(tx, &scope, &ours, now)).await;
    let Some(sale) = ready.map_err(PaymentError::from)? else { return Err(Attempt::NotOurs) };
    let channel = channel_of(app, scope, &sale).await.map_err(|error| not_callable(error, waiting))?;
    let card = card_of(&channel, waiting)?;
    let order = order_of(app, scope, &sale, now.plus(PAUSE_MS_MAX)).await?;
    let first_sent_at = waiting.first_sent_at.unwrap_or_else(|| app.now());
    let order = Order { created_at: first_sent_at, ..order };
    // Directly before the call: what was only claimed, the acquirer cannot have.
    let (in_app, ours, call_ms) = (app.clone(), waiting.clone(), pace(&channel.manifest).call_ms);
    let goes_out = move |tx: &mut Tx<'_>| goes_out(&in_app, tx, &scope, &ours, first_sent_at, call_ms);
    if !app.store().write(goes_out).await? {
        return Err(Attempt::NotOurs);
    }
    let sent_at = Some(first_sent_at);
    match app.channels().forward(&channel.account, &order, &card, waiting.sale.sold_at).await {
        Ok(answer) => {
            let since_version = Some(sale.payment.version);
            let heard = answered(app, &channel.manifest, &sale.payment, answer, Source::Reply, since_version);
            let settled = match settle(app, scope, payment, Outcome::Answer(heard), "channel").await {
                Ok(settled) => settled,
                // The acquirer has it, whatever keeps core from booking the answer.
                Err(error) => return Err(Attempt::Open { why: error.to_string(), fault: Fault::Open, sent_at }),
            };
            match settled.refused {
                None => Ok(()),
                Some(refusal) => Err(Attempt::Open { why: refusal.to_string(), fault: Fault::Open, sent_at }),
            }
        }
        Err(failure) => Err(Attempt::Open {
            why: failure.to_string(),
            fault: match failure {
                Failure::CardUnreadable { .. } => Fault::Sales,
                Failure::Misconfigured { .. } | Failure::Overloaded => Fault::Channels,
                _ => Fault::Open,
            },
            sent_at: sent_at.filter(|_| failure.may_have_taken_effect()),
        }),
    }
}

/// Whether it is still in this process' hands: it goes out then. What no batch waits for waits for a close, and none is made while it is out.
fn goes_out(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    waiting: &Waiting,
    first_sent_at: Millis,
    call_ms: i64,
) -> Result<bool, PaymentError> {
    let account = waiting.sale.account;
    settlement_batches::take_turn(tx, scope, account)?;
    if !stored_cards::goes_out(tx, scope, waiting, first_sent_at)? {
        return Ok(false);
    }
    let now = app.now();
    if payments::load(tx, scope, waiting.sale.payment)?.watch.attention_at.is_some() {
        check_not_held(tx, scope, account, now)?;
        settlement_batches::goes_out(tx, scope, account, now.plus(call_ms), now)?;
    } else if settlement_batches::is_closing(tx, scope, account, now)? {
        return Err(PaymentError::BatchClosing);
    }
    Ok(true)
}

/// The whole card, as it was presented.
fn card_of(channel: &Channel, waiting: &Waiting) -> Result<Card, Attempt> {
    let open = |why: &str| Attempt::Open { why: why.to_owned(), fault: Fault::Sales, sent_at: None };
    if !channel.manifest.forwards {
        return Err(open("the channel forwards no sales: its plugin has to be one that does"));
    }
    let kept = channel.kept_card().ok_or_else(|| open("the card is not kept any more"))?;
    let emv = waiting.emv.clone().ok_or_else(|| open("what only the sale needs of its card is not kept any more"))?;
    Ok(Card { kept, track_2: waiting.track_2.clone(), pin: None, emv })
}

/// It stands as it did; the next attempt is set, and in time a person is called.
async fn later(
    app: &App,
    scope: TenantScope,
    waiting: Waiting,
    why: String,
    fault: Fault,
    sent_at: Option<Millis>,
) -> Result<(), PaymentError> {
    let (payment, now) = (waiting.sale.payment, app.now());
    tracing::warn!(payment.id = %payment, why, "a sale is forwarded later");
    let pause_ms = (PAUSE_MS_MIN << waiting.attempts.min(16)).min(PAUSE_MS_MAX);
    let (first_sent_at, attempts) = (waiting.first_sent_at.or(sent_at), waiting.attempts.saturating_add(1));
    let calls = fault == Fault::Sales || now.since(waiting.sale.taken_at) >= ATTENTION_AFTER_MS;
    // For whom a person is called, nobody behind waits.
    let aside = waiting.aside || (calls && fault != Fault::Channels);
    let next = Next { at: now.plus(pause_ms), aside, first_sent_at, attempts };
    // By itself: one whose payment cannot be read must not keep its place.
    let ours = waiting.clone();
    app.store().write(move |tx| stored_cards::set_back(tx, &scope, &ours, next)).await?;
    let is_called = app
        .store()
        .write(move |tx| {
            payments::note_said(tx, &scope, payment, &format!("forward: {why}"), now)?;
            if !calls || payments::load(tx, &scope, payment)?.watch.attention_at.is_some() {
                return Ok::<_, StoreError>(false);
            }
            let behind = if aside { 0 } else { stored_cards::behind(tx, &scope, &waiting)? };
            let words = if behind == 0 { why.clone() } else { format!("{why}; {behind} more wait for the same") };
            call_a_person(tx, &scope, payment, &words, now)
        })
        .await?;
    if is_called {
        app.news_of(scope.tenant());
    }
    Ok(())
}

/// Calls a person for what is held from now on, and says why in its timeline. One that cannot be read keeps none of the others waiting.
///
/// # Errors
/// None of its own.
pub(crate) fn tell_held(tx: &mut Tx<'_>, held: &[Held], why: &str, now: Millis) -> Result<(), StoreError> {
    for Held { scope, payment } in held {
        match call_a_person(tx, scope, *payment, why, now) {
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(payment.id = %payment, %error, "nobody could be called for a sale that is held");
            }
            called => called.map(drop)?,
        }
    }
    Ok(())
}

/// Whether there is anything to call for.
fn call_a_person(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    why: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let mut called = payments::load(tx, scope, payment)?;
    if !called.payment.is_open() {
        return Ok(false);
    }
    if called.watch.attention_at.is_none() {
        called.watch.attention_at = Some(now);
        payments::save(tx, scope, &mut called)?;
    }
    record(tx, scope, &called, None, kind::NEEDS_ATTENTION, why, "core", now)?;
    Ok(true)
}
