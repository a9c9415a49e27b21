//! The one way in for everything that changes a payment after it was made: an answer, a silence, an expiry, a wish.
//!
//! Load, decide, and write row, event, postings and push in one transaction; what the domain wants done after the commit is
//! returned. Somebody else was faster: load and decide again.

use saoma_domain::{
    ledger::{Kind as Movement, PostingSet},
    payment::{Answer, AnswerStatus, Close, Effect, Event, Payment, Refusal, Source, State, decide},
};
use saoma_protocol::{Millis, Money, PaymentId, RefundId, message::PushBody};
use saoma_store::{
    StoreError, TenantScope, Tx,
    events::{self, NewEvent},
    ledger::{self, Booking, Subject},
    outbox::{self, Kind, NewMessage},
    pay_codes::{self, PayCode},
    payments::{self, Sale, StoredPayment},
    tenants::{self, LatePolicy},
};

use super::{PaymentError, fees, kind, payment_view};
use crate::app::App;

/// How often a decision is made again because somebody else saved first.
const STALE_MAX: u32 = 8;

/// What happened, before it is known whether it may be believed.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The channel's words; checked here to be about this payment.
    Answer {
        number: String,
        amount: Option<Money>,
        status: AnswerStatus,
        reference: String,
        payer_hint: String,
        source: Source,
    },
    Event(Event),
    /// The channel gave a code; it is stored with the state that shows it.
    Presented(PayCode),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Settled {
    pub sale: Sale,
    /// The domain's wishes for after the commit: asking the channel, giving back what came late.
    pub follow_ups: Vec<Effect>,
    /// The answer was not believed; it counts as none.
    pub refused: Option<Refusal>,
    /// The payment is in another state than before.
    pub moved: bool,
}

/// Lets `outcome` happen to a payment. `actor` is who caused it: a principal, `channel` or `core`.
///
/// # Errors
/// `Refused` if it cannot happen (an answer that may not be believed is no error: see [`Settled::refused`]), `Store`.
#[tracing::instrument(skip_all, fields(payment.id = %payment))]
pub async fn settle(
    app: &App,
    scope: TenantScope,
    payment: PaymentId,
    outcome: Outcome,
    actor: &str,
) -> Result<Settled, PaymentError> {
    let (app_in, actor) = (app.clone(), actor.to_owned());
    let settled = decided(app, move |tx| settle_in(&app_in, tx, &scope, payment, &outcome, &actor)).await?;
    if settled.moved {
        app.metrics().payment_moved(&settled.sale.payment.payment, &settled.sale.payment.channel);
    }
    app.wake_outbox();
    app.wake_resolver();
    app.news_of(scope.tenant());
    Ok(settled)
}

/// Runs `work` in one transaction, and again while somebody else saved first: it loads and decides anew each time.
///
/// # Errors
/// What `work` says.
pub(super) async fn decided<T, F>(app: &App, work: F) -> Result<T, PaymentError>
where
    T: Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T, PaymentError> + Clone + Send + 'static,
{
    let mut tries = 0;
    loop {
        match app.store().write(work.clone()).await {
            Err(PaymentError::Store(StoreError::Stale { .. })) if tries < STALE_MAX => tries += 1,
            done => return done,
        }
    }
}

fn settle_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: PaymentId,
    outcome: &Outcome,
    actor: &str,
) -> Result<Settled, PaymentError> {
    let now = app.now();
    let mut stored = payments::load(tx, scope, id)?;
    let (event, refused) = match outcome {
        Outcome::Event(event) => (event.clone(), None),
        Outcome::Presented(code) => {
            pay_codes::insert_new(tx, scope, code)?;
            (Event::Present { expires_at: code.expires_at }, None)
        }
        Outcome::Answer { number, amount, status, reference, payer_hint, source } => {
            match Answer::about(&stored.payment, number, *amount, status.clone(), *source) {
                Ok(answer) => {
                    if !reference.is_empty() {
                        stored.channel_reference = Some(reference.clone());
                    }
                    if !payer_hint.is_empty() {
                        stored.payer_hint = Some(payer_hint.clone());
                    }
                    (Event::Answered(answer), None)
                }
                // Not believed, so it says nothing: as if the channel had kept silent.
                Err(refusal) => (Event::NoAnswer, Some(refusal)),
            }
        }
    };
    if let Some(refusal) = &refused {
        tracing::error!(payment.id = %id, %refusal, "a channel's answer was not believed");
        record(tx, scope, &stored, None, kind::ANSWER_REFUSED, &refusal.to_string(), "channel", now)?;
    }
    let decision = decide(&stored.payment, &event, now)?;
    let (mut follow_ups, mut moved) = (Vec::new(), false);
    if let Some(next) = decision.next {
        let before = std::mem::replace(&mut stored.payment.state, next);
        moved = event_kind(&before, &stored.payment).is_some();
        tracing::info!(payment.id = %id, tenant = %scope.tenant(), state = ?stored.payment.public_state(), "a payment moved");
        schedule(&mut stored, now);
        stored.updated_at = now;
        payments::save(tx, scope, &mut stored)?;
        if let Some(name) = event_kind(&before, &stored.payment) {
            record(tx, scope, &stored, None, name, "", actor, now)?;
        }
    }
    for effect in decision.effects {
        match effect {
            Effect::BookCapture => {
                let sets = fees::captured(tx, scope, &stored)?;
                book(tx, scope, &stored, None, Movement::Captured, &sets, now)?;
            }
            Effect::BookUndone => {
                let sets = fees::undone(tx, scope, &stored)?;
                book(tx, scope, &stored, None, Movement::Undone, &sets, now)?;
            }
            Effect::Alert(notice) => record(tx, scope, &stored, None, notice.code(), "", "core", now)?,
            Effect::RefundLate if tenants::load(tx, scope)?.late_policy == LatePolicy::Accept => {}
            Effect::RefundLate | Effect::AskAgain | Effect::AskClose => follow_ups.push(effect),
        }
    }
    if follow_ups.contains(&Effect::AskClose) || follow_ups.contains(&Effect::AskAgain) {
        if follow_ups.contains(&Effect::AskClose) && stored.close_asked_at.is_none() {
            stored.close_asked_at = Some(now);
            stored.attempts = 0;
        }
        // Who asked for the close carries it out; the resolver comes after, should that fail.
        let pause_ms = if follow_ups.contains(&Effect::AskAgain) { 0 } else { FIRST_LOOK_MS };
        stored.next_attempt_at = Some(now.plus(pause_ms));
        stored.updated_at = now;
        payments::save(tx, scope, &mut stored)?;
    }
    let sale = payments::load_sale(tx, scope, id)?;
    push(app, tx, scope, &sale, now)?;
    Ok(Settled { sale, follow_ups, refused, moved })
}

/// When core must next ask the channel, for a payment that has just moved.
fn schedule(stored: &mut StoredPayment, now: Millis) {
    stored.attempts = 0;
    let waits = matches!(stored.payment.state, State::Presenting { .. }) || stored.payment.is_open();
    stored.next_attempt_at = waits.then_some(now.plus(FIRST_LOOK_MS));
    if !waits {
        stored.close_asked_at = None;
    }
}

/// A resolver that looks sooner would only be in the way of the answer that is coming.
const FIRST_LOOK_MS: i64 = 1_000;

/// The event's name for a change of state; nothing for one that only moves sums.
fn event_kind(before: &State, payment: &Payment) -> Option<&'static str> {
    Some(match (&payment.state, before) {
        (State::Created, _) => kind::CREATED,
        (State::Presenting { .. }, _) => kind::PRESENTING,
        (State::Submitting { .. }, _) => kind::SUBMITTING,
        (State::Pending { .. }, _) => kind::PENDING,
        (State::Unknown { .. }, _) => kind::NO_ANSWER,
        (State::Captured(_), State::Captured(_)) => return None,
        (State::Captured(_), _) => kind::SUCCEEDED,
        (State::Voided { .. }, _) => kind::VOIDED,
        (State::Failed { .. }, _) => kind::FAILED,
        (State::Reversed, _) => kind::REVERSED,
        (State::Expired { close: Close::Asked }, _) => kind::EXPIRED,
        (State::Cancelled { close: Close::Asked }, _) => kind::CANCELLED,
        (State::Expired { .. }, State::Expired { .. }) | (State::Cancelled { .. }, State::Cancelled { .. }) => {
            kind::CLOSE_CONFIRMED
        }
        (State::Expired { .. }, _) => kind::EXPIRED,
        (State::Cancelled { .. }, _) => kind::CANCELLED,
    })
}

/// Writes an event of a payment as it now stands.
#[expect(clippy::too_many_arguments, reason = "one event has this many facts")]
pub(super) fn record(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    refund: Option<RefundId>,
    kind: &str,
    detail: &str,
    actor: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let data = if detail.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "detail": detail }) };
    let event = NewEvent {
        payment: stored.payment.id,
        refund,
        version: stored.version,
        kind: kind.to_owned(),
        data_json: data.to_string(),
        actor: actor.to_owned(),
        store: stored.store,
        terminal: stored.terminal,
        at,
    };
    events::append(tx, scope, &event).map(drop)
}

pub(super) fn book(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    refund: Option<RefundId>,
    kind: Movement,
    sets: &[PostingSet],
    at: Millis,
) -> Result<(), StoreError> {
    let payment = stored.payment.id;
    let subject = match refund {
        Some(refund) => Subject::Refund { payment, refund },
        None => Subject::Payment(payment),
    };
    let booking = Booking { subject, kind, channel_account: stored.channel_account, at, booked_at: at };
    ledger::post(tx, scope, &booking, sets)
}

/// Puts the news into the outbox of the terminal that keyed the sale.
pub(super) fn push(app: &App, tx: &mut Tx<'_>, scope: &TenantScope, sale: &Sale, at: Millis) -> Result<(), StoreError> {
    let Some(terminal) = sale.payment.terminal else { return Ok(()) };
    let body = PushBody::Payment { payment: payment_view(app, sale) };
    send(tx, scope, terminal, &body, at)
}

pub(super) fn send(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: saoma_protocol::TerminalId,
    body: &PushBody,
    at: Millis,
) -> Result<(), StoreError> {
    let payload = serde_json::to_string(body).map_err(|error| StoreError::Internal { why: error.to_string() })?;
    let message = NewMessage { kind: Kind::Push, terminal: Some(terminal), payload, created_at: at };
    outbox::append(tx, scope, &message).map(drop)
}
