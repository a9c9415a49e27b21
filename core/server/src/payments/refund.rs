//! Giving money back: it is set aside first, then the channel is asked, and only the channel's word ends it.

use saoma_channels::{Capability, PaymentStatus, RefundOrder, RefundStatus};
use saoma_domain::{
    ledger::{Kind as Movement, rules},
    payment::{
        self, Amounts, Event as PaymentEvent, Method, Payment, State as PaymentStanding, decide as decide_payment,
    },
    refund::{Answer, AnswerStatus, Event, Refund, State, decide},
};
use saoma_protocol::{Amount, Millis, PaymentId, RefundId, api::RefundKind, message::PushBody};
use saoma_store::{
    Insertion, StoreError, TenantScope, Tx,
    idempotency::{self, Fingerprint, Kind},
    payments::{self, Sale, StoredPayment, Watch},
    refunds::{self, StoredRefund},
    tenants,
};
use tracing::Instrument as _;

use super::{
    PaymentError,
    by_hand::Confirmed,
    call::{Channel, amounts, channel_of, failure, not_sent, scheme_words},
    collect::pace,
    fees, kind, payment_view, refund_view,
    settle::{book, decided, record, send},
};
use crate::{app::App, day::day_of, webhooks::tell_refund};

/// Longest note of what a channel said.
const NOTE_CHARS_MAX: usize = 200;

/// What is to be given back. The id makes it one refund however often it is asked for.
#[derive(Clone, Debug)]
pub struct GiveBack {
    pub id: RefundId,
    /// Of the whole request: with another one the id is taken. `None`: core's own wish.
    pub fingerprint: Option<Fingerprint>,
    pub payment: PaymentId,
    pub kind: RefundKind,
    /// `None`: all that is left (a void, and what came late).
    pub amount: Option<Amount>,
    pub reason: Option<String>,
    pub actor: String,
}

/// Gives money back, and answers with the refund as it then stands and whether it is new. Goes on if the caller hangs up.
///
/// # Errors
/// Before anything is written: `Refused`, `VoidTooLate`, `ChannelCannot`, `RefundExistsDifferently`, `NoChannel`, `Store`.
#[tracing::instrument(skip_all, fields(payment.id = %wish.payment, refund.id = %wish.id))]
pub async fn give_back(
    app: &App,
    scope: TenantScope,
    wish: GiveBack,
) -> Result<(StoredRefund, Sale, bool), PaymentError> {
    let (id, payment) = (wish.id, wish.payment);
    let asked = wish.clone();
    let looked = app.store().read(move |tx| {
        let sale = payments::load_sale(tx, &scope, payment)?;
        Ok::<_, PaymentError>((sale, earlier(tx, &scope, &asked)?))
    });
    let (sale, earlier) = looked.await?;
    if let Some(refund) = earlier {
        return Ok((refund, sale, false));
    }
    let by_channel = sale.payment.payment.method != Method::Cash;
    let channel = if by_channel { Some(channel_of(app, scope, &sale).await?) } else { None };
    if let Some(channel) = &channel {
        check_capability(channel, &wish, sale.payment.payment.amount)?;
    }
    let call_ms = channel.as_ref().map_or(0, |channel| pace(&channel.manifest).call_ms);
    let (new, refund) = set_aside(app, scope, wish, call_ms).await?;
    app.news_of(scope.tenant());
    if new {
        app.metrics().refund_moved(&refund.refund);
        let (task_app, span) = (app.clone(), tracing::Span::current());
        let work = async move {
            match channel {
                Some(channel) => ask(&task_app, scope, refund, &channel).await,
                None => heard(&task_app, scope, refund.refund.id, Heard::PaidFromTheDrawer).await,
            }
        };
        app.in_flight()
            .spawn(work.instrument(span))
            .await
            .map_err(|error| PaymentError::CutOff(error.to_string()))??;
    }
    let (refund, sale) = app
        .store()
        .read(move |tx| {
            Ok::<_, StoreError>((refunds::load(tx, &scope, id)?, payments::load_sale(tx, &scope, payment)?))
        })
        .await?;
    Ok((refund, sale, new))
}

/// Sets aside the whole of what was just captured and nobody wants: it came late, or for an order that was paid. The
/// resolver sends it. Within the transaction of the capture.
///
/// # Errors
/// Of the store alone; `Invariant` if it was set aside before.
pub(super) fn set_aside_unasked(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    why: Option<String>,
    now: Millis,
) -> Result<(), PaymentError> {
    let (payment, amount) = (stored.payment.id, stored.payment.amount);
    let wish = GiveBack {
        // No caller's key has a space in it.
        id: RefundId::for_key(scope.tenant(), payment, "paid late"),
        fingerprint: None,
        payment,
        kind: RefundKind::Late,
        amount: Some(amount),
        reason: why,
        actor: "core".to_owned(),
    };
    write_down(app, tx, scope, stored, &wish, amount, State::Created, now)?;
    Ok(())
}

/// Takes up a refund whose end nobody has heard.
///
/// # Errors
/// `NoChannel`, `Secrets`, `Store`.
pub async fn resume(app: &App, scope: TenantScope, refund: StoredRefund) -> Result<(), PaymentError> {
    let (payment, id) = (refund.payment, refund.refund.id);
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    if sale.payment.payment.method == Method::Cash {
        return heard(app, scope, refund.refund.id, Heard::PaidFromTheDrawer).await;
    }
    let channel = channel_of(app, scope, &sale).await?;
    let call_ms = pace(&channel.manifest).call_ms;
    let refund = match refund.refund.state {
        // Nothing was sent before this commit.
        State::Created => {
            heard(app, scope, id, Heard::Event { event: Event::Submit, busy_ms: call_ms }).await?;
            let refund = app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
            return if refund.refund.state == State::Submitting {
                ask(app, scope, refund, &channel).await
            } else {
                Ok(())
            };
        }
        // It may have been sent before the process ended: from now on a repeat that does not get through proves nothing.
        State::Submitting => {
            // It is asked about, and may be sent, before anybody else takes it up.
            heard(app, scope, id, Heard::Event { event: Event::NoAnswer, busy_ms: 2 * call_ms }).await?;
            app.store().read(move |tx| refunds::load(tx, &scope, id)).await?
        }
        State::Pending | State::Unknown | State::Succeeded | State::Failed { .. } => refund,
    };
    if is_over(&refund.refund.state) {
        return Ok(());
    }
    // A void is asked for again: it is the same request, and says how things stand.
    if by_cancel(&channel, refund.refund.kind) {
        return ask(app, scope, refund, &channel).await;
    }
    if query(app, scope, &sale.payment, &refund, &channel).await? == Some(RefundStatus::NotFound) {
        return ask(app, scope, refund, &channel).await;
    }
    Ok(())
}

/// A refund that a crash left on its way, and whose channel cannot be called: nobody knows, and it is as unknown as any.
///
/// # Errors
/// `Store`.
pub async fn take_as_unanswered(
    app: &App,
    scope: TenantScope,
    refund: StoredRefund,
) -> Result<StoredRefund, PaymentError> {
    let id = refund.refund.id;
    if refund.refund.state != State::Submitting {
        return Ok(refund);
    }
    heard(app, scope, id, Heard::Event { event: Event::NoAnswer, busy_ms: 0 }).await?;
    Ok(app.store().read(move |tx| refunds::load(tx, &scope, id)).await?)
}

/// Asks how the refund stands, and sends nothing that could give money back a second time. What was said, as long as it is
/// open.
///
/// # Errors
/// `NoChannel`, `Secrets`, `Store`.
pub(super) async fn look(app: &App, scope: TenantScope, id: RefundId) -> Result<Option<RefundStatus>, PaymentError> {
    let (sale, refund) = app
        .store()
        .read(move |tx| {
            let refund = refunds::load(tx, &scope, id)?;
            Ok::<_, StoreError>((payments::load_sale(tx, &scope, refund.payment)?, refund))
        })
        .await?;
    let channel = channel_of(app, scope, &sale).await?;
    if refund.refund.state == State::Created {
        return Ok(None);
    }
    if !by_cancel(&channel, refund.refund.kind) {
        return query(app, scope, &sale.payment, &refund, &channel).await;
    }
    // The whole is undone once, however often it is asked for.
    ask(app, scope, refund, &channel).await?;
    let refund = app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
    Ok(Some(RefundStatus::Pending).filter(|_| refund.refund.state == State::Pending))
}

/// One question about a refund that was sent. What was said, unless it was not believed or nothing was.
async fn query(
    app: &App,
    scope: TenantScope,
    payment: &StoredPayment,
    refund: &StoredRefund,
    channel: &Channel,
) -> Result<Option<RefundStatus>, PaymentError> {
    let (id, order) = (refund.refund.id, refund_order(payment, refund));
    let (said, outcome) = match app.channels().query_refund(&channel.account, &order).await {
        // What follows is sent, or waits for its turn: neither is something new about the refund.
        Ok(answer) if answer.status == RefundStatus::NotFound => return Ok(Some(answer.status)),
        Ok(answer) => {
            let heard = Heard::Answer {
                number: answer.refund_number,
                amount: answer.amount,
                amounts: amounts(&channel.manifest),
                words: decline_words(&answer.status),
                note: format!("query-refund: {}", refund_said(&answer.status)),
                status: refund_status(answer.status.clone()),
                reference: answer.reference,
            };
            (Some(answer.status), heard)
        }
        Err(silence) => {
            tracing::warn!(refund.id = %id, error = %silence, "a channel did not say how a refund stands");
            (None, Heard::Silence { event: Event::NoAnswer, note: format!("query-refund: {}", silence.code()) })
        }
    };
    heard(app, scope, id, outcome).await?;
    Ok(said)
}

/// A void is a cancel; so is giving back what came late at a channel that knows no refunds.
fn by_cancel(channel: &Channel, kind: RefundKind) -> bool {
    match kind {
        RefundKind::Void => channel.manifest.can(Capability::Cancel),
        RefundKind::Late => !channel.manifest.can(Capability::Refund),
        RefundKind::Refund => false,
    }
}

fn check_capability(channel: &Channel, wish: &GiveBack, total: Amount) -> Result<(), PaymentError> {
    let partial = wish.amount.is_some_and(|amount| amount.minor() < total.minor());
    let (needed, why) = match wish.kind {
        RefundKind::Void if channel.manifest.can(Capability::Cancel) => return Ok(()),
        _ if partial => (Capability::PartialRefund, "it gives back whole amounts only"),
        _ => (Capability::Refund, "it gives nothing back"),
    };
    if channel.manifest.can(needed) {
        return Ok(());
    }
    Err(PaymentError::ChannelCannot { channel: channel.manifest.name.clone(), why: why.to_owned() })
}

/// Transaction one: the amount is set aside in payment and books, the refund is written down.
async fn set_aside(
    app: &App,
    scope: TenantScope,
    wish: GiveBack,
    call_ms: i64,
) -> Result<(bool, StoredRefund), PaymentError> {
    let app_in = app.clone();
    decided(app, move |tx| {
        let now = app_in.now();
        if let Some(refund) = earlier(tx, &scope, &wish)? {
            return Ok((false, refund));
        }
        let mut stored = payments::load(tx, &scope, wish.payment)?;
        if wish.kind == RefundKind::Void {
            check_void(tx, &scope, &stored.payment, now)?;
        }
        let amount = amount_of(&stored.payment, &wish)?;
        let next_attempt_at = now.plus(call_ms);
        let refund = write_down(&app_in, tx, &scope, &mut stored, &wish, amount, State::Submitting, next_attempt_at)?;
        if let Some(fingerprint) = &wish.fingerprint {
            idempotency::keep(tx, &scope, Kind::Refund, &wish.id.to_string(), fingerprint, now)?;
        }
        Ok((true, refund))
    })
    .await
}

/// The refund that this very wish has made before.
fn earlier(tx: &mut Tx<'_>, scope: &TenantScope, wish: &GiveBack) -> Result<Option<StoredRefund>, PaymentError> {
    let refund = match refunds::load(tx, scope, wish.id) {
        Ok(refund) => refund,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let first = idempotency::kept(tx, scope, Kind::Refund, &wish.id.to_string())?;
    let is_same = refund.payment == wish.payment && refund.refund.kind == wish.kind && first == wish.fingerprint;
    if is_same { Ok(Some(refund)) } else { Err(PaymentError::RefundExistsDifferently(wish.id)) }
}

/// A void is for the whole of a sale, on the merchant's day of it.
fn check_void(tx: &mut Tx<'_>, scope: &TenantScope, payment: &Payment, now: Millis) -> Result<(), PaymentError> {
    let PaymentStanding::Captured(capture) = &payment.state else {
        let state = payment.public_state();
        return Err(payment::Refusal::NotInState { state, verb: "voided" }.into());
    };
    if capture.refunded_minor + capture.reserved_minor > 0 {
        return Err(payment::Refusal::VoidAfterRefund.into());
    }
    let zone = tenants::load(tx, scope)?.time_zone;
    match (day_of(capture.at, &zone), day_of(now, &zone)) {
        (Some(paid), Some(today)) if paid == today => Ok(()),
        (Some(_), Some(_)) => Err(PaymentError::VoidTooLate),
        _ => {
            Err(StoreError::Corrupt { why: format!("a merchant's time zone {zone:?}, or the moment of a sale") }.into())
        }
    }
}

/// The amount is set aside in payment and books, and the refund written down with the moment of its next attempt.
#[expect(clippy::too_many_arguments, reason = "one refund has this many facts")]
fn write_down(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    wish: &GiveBack,
    amount: Amount,
    state: State,
    next_attempt_at: Millis,
) -> Result<StoredRefund, PaymentError> {
    let now = app.now();
    move_payment(tx, scope, stored, &PaymentEvent::ReserveRefund { refund: wish.id, amount }, now)?;
    let refund = StoredRefund {
        refund: Refund { id: wish.id, kind: wish.kind, amount, state },
        payment: wish.payment,
        version: 1,
        reason: wish.reason.clone(),
        requested_by: wish.actor.clone(),
        channel_reference: None,
        next_attempt_at: Some(next_attempt_at),
        attempts: 0,
        watch: Watch::default(),
        created_at: now,
        updated_at: now,
    };
    if refunds::insert_new(tx, scope, &refund)? == Insertion::Existing {
        // Another one was faster: decide again, which finds it.
        return Err(StoreError::Stale { what: "the refund" }.into());
    }
    book(tx, scope, stored, Some(wish.id), Movement::RefundReserved, &rules::refund_reserved(amount), now)?;
    record(tx, scope, stored, Some(wish.id), kind::REFUND_SUBMITTED, "", &wish.actor, now)?;
    announce(app, tx, scope, &refund, now)?;
    tell_refund(tx, scope, &refund, now)?;
    Ok(refund)
}

/// What goes back: the amount wished, or all of it.
fn amount_of(payment: &Payment, wish: &GiveBack) -> Result<Amount, PaymentError> {
    if let Some(amount) = wish.amount {
        return Ok(amount);
    }
    let left = payment.refundable_minor();
    Amount::new(left, payment.amount.currency()).map_err(|_| {
        let state = payment.public_state();
        payment::Refusal::NotInState { state, verb: "refunded" }.into()
    })
}

fn refund_order(payment: &StoredPayment, refund: &StoredRefund) -> RefundOrder {
    RefundOrder {
        number: payment.payment.id,
        reference: payment.channel_reference.clone().unwrap_or_default(),
        refund_number: refund.refund.id,
        amount: refund.refund.amount,
        total: payment.payment.amount,
        reason: refund.reason.clone().unwrap_or_default(),
    }
}

/// The call. What comes of it is booked by [`heard`].
async fn ask(app: &App, scope: TenantScope, refund: StoredRefund, channel: &Channel) -> Result<(), PaymentError> {
    let payment = refund.payment;
    let stored = app.store().read(move |tx| payments::load(tx, &scope, payment)).await?;
    let id = refund.refund.id;
    let reply = if by_cancel(channel, refund.refund.kind) {
        app.channels().cancel(&channel.account, payment).await.map(|answer| Heard::Answer {
            number: if answer.number == payment.to_string() { id.to_string() } else { answer.number },
            // The answer is about the payment: its amount is the refund's, since a void is of the whole, also unnamed.
            amount: answer.amount,
            amounts: Amounts::NotNamed,
            words: scheme_words(&answer.status),
            note: format!("cancel: {:?}", answer.status).chars().take(NOTE_CHARS_MAX).collect(),
            status: match answer.status {
                PaymentStatus::Closed | PaymentStatus::Refunded => AnswerStatus::Succeeded,
                PaymentStatus::Pending => AnswerStatus::Pending,
                PaymentStatus::NotFound => AnswerStatus::NotFound,
                PaymentStatus::Failed(decline) => AnswerStatus::Failed { failure: failure(decline.code) },
                PaymentStatus::Succeeded => {
                    AnswerStatus::Failed { failure: failure(saoma_channels::DeclineCode::NotPermitted) }
                }
            },
            reference: String::new(),
        })
    } else {
        let order = refund_order(&stored, &refund);
        app.channels().refund(&channel.account, &order).await.map(|answer| Heard::Answer {
            number: answer.refund_number,
            amount: answer.amount,
            amounts: amounts(&channel.manifest),
            words: decline_words(&answer.status),
            note: format!("refund: {}", refund_said(&answer.status)),
            status: refund_status(answer.status),
            reference: answer.reference,
        })
    };
    let outcome = reply.unwrap_or_else(|silence| {
        tracing::warn!(refund.id = %id, error = %silence, "a channel did not answer about a refund");
        let event = if silence.may_have_taken_effect() {
            Event::NoAnswer
        } else {
            Event::NotSent { failure: not_sent(&silence) }
        };
        Heard::Silence { event, note: format!("refund: {}", silence.code()) }
    });
    heard(app, scope, id, outcome).await
}

fn refund_status(status: RefundStatus) -> AnswerStatus {
    match status {
        RefundStatus::Succeeded => AnswerStatus::Succeeded,
        RefundStatus::Pending => AnswerStatus::Pending,
        RefundStatus::Failed(decline) => AnswerStatus::Failed { failure: failure(decline.code) },
        RefundStatus::NotFound => AnswerStatus::NotFound,
    }
}

const fn refund_said(status: &RefundStatus) -> &'static str {
    match status {
        RefundStatus::Succeeded => "succeeded",
        RefundStatus::Pending => "pending",
        RefundStatus::Failed(_) => "failed",
        RefundStatus::NotFound => "not found",
    }
}

fn decline_words(status: &RefundStatus) -> String {
    match status {
        RefundStatus::Failed(decline) => decline.message.clone(),
        RefundStatus::Succeeded | RefundStatus::Pending | RefundStatus::NotFound => String::new(),
    }
}

/// What was heard of a refund, before it is known whether it may be believed.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Answer {
        number: String,
        amount: Option<saoma_protocol::Money>,
        amounts: Amounts,
        status: AnswerStatus,
        reference: String,
        /// The scheme's own words, for the events.
        words: String,
        note: String,
    },
    /// The channel was asked and gave no answer.
    Silence {
        event: Event,
        note: String,
    },
    /// Core's own: about to be sent, or taken as not answered. For `busy_ms` a call of ours may be under way now.
    Event {
        event: Event,
        busy_ms: i64,
    },
    ByHand(Confirmed),
    /// Cash: the drawer is the channel.
    PaidFromTheDrawer,
}

/// Transaction two: refund, payment, books, event and push.
pub(super) async fn heard(app: &App, scope: TenantScope, id: RefundId, what: Heard) -> Result<(), PaymentError> {
    let app_in = app.clone();
    if let Some(moved) = decided(app, move |tx| heard_in(&app_in, tx, &scope, id, &what)).await? {
        app.metrics().refund_moved(&moved.refund);
    }
    app.wake_outbox();
    app.news_of(scope.tenant());
    Ok(())
}

/// The refund, if it is in another state now.
fn heard_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: RefundId,
    what: &Heard,
) -> Result<Option<StoredRefund>, PaymentError> {
    let now = app.now();
    let mut refund = refunds::load(tx, scope, id)?;
    let mut stored = payments::load(tx, scope, refund.payment)?;
    let (mut words, mut actor, mut busy_ms) = (String::new(), "channel".to_owned(), 0);
    if let Heard::Answer { note, .. } | Heard::Silence { note, .. } = what {
        refunds::note_said(tx, scope, id, note, now)?;
    }
    let event = match what {
        Heard::Event { event, busy_ms: busy } => {
            busy_ms = *busy;
            event.clone()
        }
        Heard::Silence { event, .. } => event.clone(),
        Heard::PaidFromTheDrawer => {
            actor.clone_from(&refund.requested_by);
            let amounts = Amounts::NotNamed;
            Event::Answered(Answer::about(&refund.refund, &id.to_string(), None, amounts, AnswerStatus::Succeeded)?)
        }
        Heard::ByHand(confirmed) => {
            confirmed.end(tx, scope, now)?;
            refund.channel_reference = confirmed.reference().or(refund.channel_reference.take());
            (words, actor) = (confirmed.words(), confirmed.by().to_owned());
            Event::SettledByHand { paid: confirmed.is_paid() }
        }
        Heard::Answer { number, amount, amounts, status, reference, words: said, note: _ } => {
            said.clone_into(&mut words);
            match Answer::about(&refund.refund, number, *amount, *amounts, status.clone()) {
                Ok(answer) => {
                    if !reference.is_empty() {
                        refund.channel_reference = Some(reference.clone());
                    }
                    Event::Answered(answer)
                }
                Err(refusal) => {
                    tracing::error!(refund.id = %id, %refusal, "a channel's answer was not believed");
                    record(tx, scope, &stored, Some(id), kind::ANSWER_REFUSED, &refusal.to_string(), "channel", now)?;
                    Event::NoAnswer
                }
            }
        }
    };
    let Some(next) = decide(&refund.refund, &event)? else {
        refund.attempts += 1;
        refund.next_attempt_at = (!is_over(&refund.refund.state)).then_some(now.plus(pause_ms(refund.attempts)));
        call_a_person(tx, scope, &mut refund, &stored, now)?;
        refunds::reschedule(tx, scope, &refund)?;
        return Ok(None);
    };
    let amount = refund.refund.amount;
    let void = refund.refund.kind == RefundKind::Void;
    let name = match &next {
        State::Succeeded => {
            let done = if void {
                PaymentEvent::VoidSucceeded { refund: id }
            } else {
                PaymentEvent::RefundSucceeded { refund: id, amount }
            };
            move_payment(tx, scope, &mut stored, &done, now)?;
            let sets = fees::refund_succeeded(tx, scope, &stored, amount)?;
            book(tx, scope, &stored, Some(id), Movement::RefundSucceeded, &sets, now)?;
            match (&event, void) {
                (Event::SettledByHand { .. }, _) => kind::REFUND_BY_HAND,
                (_, true) => kind::VOIDED,
                (_, false) => kind::REFUND_SUCCEEDED,
            }
        }
        State::Failed { .. } => {
            let failed = PaymentEvent::RefundFailed { refund: id, amount };
            if matches!(event, Event::Answered(_)) && stored.watch.doubted_at.is_none() {
                // There may be nothing to give back: the channel is asked how the payment itself stands.
                stored.watch.doubted_at = Some(now);
                stored.next_attempt_at = Some(now);
                stored.attempts = 0;
            }
            move_payment(tx, scope, &mut stored, &failed, now)?;
            book(tx, scope, &stored, Some(id), Movement::RefundFailed, &rules::refund_failed(amount), now)?;
            if matches!(event, Event::SettledByHand { .. }) { kind::REFUND_BY_HAND } else { kind::REFUND_FAILED }
        }
        State::Pending => kind::REFUND_PENDING,
        State::Unknown => kind::REFUND_NO_ANSWER,
        // Told once, however often it is tried.
        State::Created if refund.attempts == 0 => kind::REFUND_NOT_SENT,
        State::Created | State::Submitting => "",
    };
    refund.attempts = match &next {
        // Nobody asked for it, so nobody tries again: a refund of core's own that did not get through waits and is sent again.
        State::Created => refund.attempts + 1,
        State::Submitting => refund.attempts,
        State::Pending | State::Unknown | State::Succeeded | State::Failed { .. } => 0,
    };
    let pause_ms = if busy_ms > 0 { busy_ms } else { pause_ms(refund.attempts) };
    refund.next_attempt_at = (!is_over(&next)).then_some(now.plus(pause_ms));
    let is_owed = refund.refund.kind == RefundKind::Late && matches!(event, Event::Answered(_) | Event::NotSent { .. });
    if is_over(&next) {
        // Money that the customer should have back stays with the merchant until a person does something.
        refund.watch.attention_at = (is_owed && next != State::Succeeded).then_some(now);
    }
    refund.refund.state = next;
    refund.updated_at = now;
    call_a_person(tx, scope, &mut refund, &stored, now)?;
    refunds::save(tx, scope, &mut refund)?;
    if refund.watch.attention_at.is_some() && is_over(&refund.refund.state) {
        record(tx, scope, &stored, Some(id), kind::NEEDS_ATTENTION, &words, "core", now)?;
    }
    if name.is_empty() {
        return Ok(None);
    }
    record(tx, scope, &stored, Some(id), name, &words, &actor, now)?;
    announce(app, tx, scope, &refund, now)?;
    if refund.refund.state != State::Created {
        tell_refund(tx, scope, &refund, now)?;
    }
    Ok(Some(refund))
}

/// A refund that has been open for too long is shown to a person; core goes on.
pub(crate) fn call_a_person(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: &mut StoredRefund,
    payment: &StoredPayment,
    now: Millis,
) -> Result<(), StoreError> {
    let is_stuck = !is_over(&refund.refund.state) && now >= refund.created_at.plus(payment::ATTENTION_AFTER_MS);
    if !is_stuck || refund.watch.attention_at.is_some() {
        return Ok(());
    }
    refund.watch.attention_at = Some(now);
    let words = refund.watch.last_said.clone().unwrap_or_default();
    record(tx, scope, payment, Some(refund.refund.id), kind::NEEDS_ATTENTION, &words, "core", now)
}

pub(super) const fn is_over(state: &State) -> bool {
    matches!(state, State::Succeeded | State::Failed { .. })
}

/// 2 s, doubled with each attempt that told nothing new, at most 10 minutes.
fn pause_ms(attempts: u32) -> i64 {
    (2_000_i64 << attempts.min(9)).min(600_000)
}

fn move_payment(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    event: &PaymentEvent,
    now: Millis,
) -> Result<(), PaymentError> {
    if let Some(next) = decide_payment(&stored.payment, event, now)?.next {
        stored.payment.state = next;
        stored.updated_at = now;
        payments::save(tx, scope, stored)?;
    }
    Ok(())
}

fn announce(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: &StoredRefund,
    at: Millis,
) -> Result<(), StoreError> {
    let sale = payments::load_sale(tx, scope, refund.payment)?;
    let Some(terminal) = sale.payment.terminal else { return Ok(()) };
    let body = PushBody::Refund { refund: refund_view(refund), payment: payment_view(app, &sale) };
    send(tx, scope, terminal, &body, at)
}
