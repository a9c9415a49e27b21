//! Giving money back: it is set aside first, then the channel is asked, and only the channel's word ends it.

use saoma_channels::Capability;
use saoma_domain::{
    ledger::{Kind as Movement, rules},
    payment::{
        self, Amounts, Event as PaymentEvent, Method, Payment, State as PaymentStanding, decide as decide_payment,
        has_passed,
    },
    refund::{Answer, AnswerStatus, Event, Refund, State, contradicts, decide},
};
use saoma_protocol::{Amount, ChannelAccountId, Millis, PaymentId, RefundId, api::RefundKind, message::PushBody};
use saoma_store::{
    Insertion, StoreError, TenantScope, Tx,
    idempotency::{self, Fingerprint, Kind},
    payments::{self, Sale, StoredPayment, Watch},
    refunds::{self, StoredRefund},
    settlement_batches as batches, tenants,
};
use tracing::Instrument as _;

use super::{
    PaymentError,
    by_hand::Confirmed,
    call::{Channel, channel_of},
    collect::pace,
    fees, in_doubt, kind, payment_view,
    push::send,
    refund_calls::ask,
    refund_view,
    settle::{book, decided, record},
};
use crate::{app::App, day::day_of, settlement::check_not_held, webhooks::tell_refund};

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
        if sale.payment.payment.method == Method::Card && !channel.has_card() {
            let why = "the card's number was deleted, as it must be after 180 days".to_owned();
            return Err(PaymentError::ChannelCannot { channel: sale.payment.channel, why });
        }
    }
    let call_ms = channel.as_ref().map_or(0, |channel| pace(&channel.manifest).call_ms);
    // Whatever the package that took the payment: the account may have another by now, which settles.
    let account = channel.as_ref().map(|channel| channel.account.id);
    let (new, refund) = set_aside(app, scope, wish, call_ms, account).await?;
    app.news_of(scope.tenant());
    if new {
        app.metrics().refund_moved(&refund.refund);
        let (task_app, span) = (app.clone(), tracing::Span::current());
        let work = async move {
            match channel {
                Some(channel) => ask(&task_app, scope, refund, &channel).await,
                None => heard(&task_app, scope, refund.refund.id, Heard::PaidFromTheSafe).await,
            }
        };
        let sent = app.in_flight().spawn(work.instrument(span)).await;
        sent.map_err(|error| PaymentError::CutOff(error.to_string()))?.map_err(PaymentError::once_begun)?;
    }
    let (refund, sale) = app
        .store()
        .read(move |tx| {
            Ok::<_, StoreError>((refunds::load(tx, &scope, id)?, payments::load_sale(tx, &scope, payment)?))
        })
        .await
        .map_err(|error| PaymentError::from(error).once_begun())?;
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
        // Nobody can have taken it before: a caller chooses its own refunds' ids.
        id: RefundId::from_bytes(app.random_16()?),
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
    account: Option<ChannelAccountId>,
) -> Result<(bool, StoredRefund), PaymentError> {
    let app_in = app.clone();
    decided(app, move |tx| {
        let now = app_in.now();
        if let Some(refund) = earlier(tx, &scope, &wish)? {
            return Ok((false, refund));
        }
        if let Some(account) = account {
            check_not_held(tx, &scope, account, now)?;
        }
        let mut stored = payments::load(tx, &scope, wish.payment)?;
        if wish.kind == RefundKind::Void {
            check_void(tx, &scope, &stored, now)?;
        }
        let amount = amount_of(&stored.payment, &wish)?;
        in_doubt::check_left(tx, &scope, &stored.payment, amount)?;
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

/// A void is for the whole of a sale, on the merchant's day of it, and not once it is in a batch: the acquirer undoes nothing of a batch that
/// it has closed.
fn check_void(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment, now: Millis) -> Result<(), PaymentError> {
    let payment = &stored.payment;
    let PaymentStanding::Captured(capture) = &payment.state else {
        let state = payment.public_state();
        return Err(payment::Refusal::NotInState { state, verb: "voided" }.into());
    };
    if capture.refunded_minor + capture.reserved_minor > 0 {
        return Err(payment::Refusal::VoidAfterRefund.into());
    }
    if capture.disputed_minor > 0 {
        let (left_minor, disputed_minor) = (payment.refundable_minor(), capture.disputed_minor);
        return Err(payment::Refusal::Disputed { asked: payment.amount, left_minor, disputed_minor }.into());
    }
    let zone = tenants::load(tx, scope)?.time_zone;
    match (day_of(capture.at, &zone), day_of(now, &zone)) {
        (Some(paid), Some(today)) if paid == today => match stored.channel_account {
            Some(account) if batches::is_in_batch(tx, scope, account, payment.id)? => Err(PaymentError::VoidTooLate),
            Some(_) | None => Ok(()),
        },
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

/// What was heard of a refund, before it is known whether it may be believed.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Answer {
        number: String,
        amount: Option<saoma_protocol::Money>,
        amounts: Amounts,
        status: AnswerStatus,
        /// The refund's version when it was asked; `None` of what the channel sent on its own. What the refund has moved on from may be
        /// old.
        since_version: Option<u64>,
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
    /// Cash that is given back elsewhere than at a terminal: the safe is the channel.
    PaidFromTheSafe,
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

/// Ends what gives back money that was never there. The channel is asked about the payment once more, which then ends too.
/// Whether any was ended.
///
/// # Errors
/// Of the store.
pub(super) fn end_as_never_paid(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
) -> Result<bool, PaymentError> {
    let mut any = false;
    for open in refunds::of_payment(tx, scope, payment)? {
        if !is_over(&open.refund.state) {
            let what = Heard::Event { event: Event::NeverPaid, busy_ms: 0 };
            any |= heard_in(app, tx, scope, open.refund.id, &what)?.is_some();
        }
    }
    Ok(any)
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
    let (mut is_fresh, mut is_unbelieved) = (true, false);
    if let (Heard::Event { event: Event::Submit, .. }, Some(account)) = (what, stored.channel_account) {
        // Core's own, which nobody waits for: it is sent once the scheme has counted.
        check_not_held(tx, scope, account, now)?;
    }
    if let Heard::Answer { note, .. } | Heard::Silence { note, .. } = what {
        refunds::note_said(tx, scope, id, note, now)?;
    }
    let event = match what {
        Heard::Event { event, busy_ms: busy } => {
            busy_ms = *busy;
            event.clone()
        }
        Heard::Silence { event, .. } => event.clone(),
        Heard::PaidFromTheSafe => {
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
        Heard::Answer { number, amount, amounts, status, reference, words: said, since_version, note: _ } => {
            is_fresh = *since_version == Some(refund.version);
            said.clone_into(&mut words);
            match Answer::about(&refund.refund, number, *amount, *amounts, status.clone()) {
                Ok(answer) => {
                    if !reference.is_empty() {
                        refund.channel_reference = Some(reference.clone());
                    }
                    Event::Answered(answer)
                }
                Err(refusal) => {
                    // It did not come from nowhere: the channel is asked.
                    is_unbelieved = contradicts(&refund.refund.state, status);
                    tracing::error!(refund.id = %id, %refusal, "a channel's answer was not believed");
                    record(tx, scope, &stored, Some(id), kind::ANSWER_REFUSED, &refusal.to_string(), "channel", now)?;
                    Event::NoAnswer
                }
            }
        }
    };
    let is_contradicted = is_unbelieved
        || matches!(&event, Event::Answered(answer) if contradicts(&refund.refund.state, answer.status()));
    if refund.watch.doubted_at.is_some() || is_contradicted {
        return in_doubt::heard(app, tx, scope, refund, stored, &event, is_fresh, &words);
    }
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
            pay_out(tx, scope, &mut stored, &refund.refund, now)?;
            if stored.payment.method == Method::Cash {
                // Keyed at no drawer, so out of none: what the refund took from the drawer's account, the safe puts back.
                book(tx, scope, &stored, Some(id), Movement::PaidIn, &rules::paid_in(amount), now)?;
            }
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
    // What the channel says in the end counts, as with payments.
    let by_hand = matches!(event, Event::SettledByHand { .. });
    refund.watch.doubted_at = by_hand.then_some(now);
    refund.next_attempt_at = (by_hand || !is_over(&next)).then_some(now.plus(pause_ms));
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

/// The channel has given it back: what was set aside is gone.
pub(super) fn pay_out(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    refund: &Refund,
    now: Millis,
) -> Result<(), PaymentError> {
    let (id, amount) = (refund.id, refund.amount);
    let done = match refund.kind {
        RefundKind::Void => PaymentEvent::VoidSucceeded { refund: id },
        RefundKind::Refund | RefundKind::Late => PaymentEvent::RefundSucceeded { refund: id, amount },
    };
    move_payment(tx, scope, stored, &done, now)?;
    let sets = fees::refund_succeeded(tx, scope, stored, amount)?;
    Ok(book(tx, scope, stored, Some(id), Movement::RefundSucceeded, &sets, now)?)
}

/// A refund that has been open for too long is shown to a person; core goes on.
pub(crate) fn call_a_person(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: &mut StoredRefund,
    payment: &StoredPayment,
    now: Millis,
) -> Result<(), StoreError> {
    let is_stuck = !is_over(&refund.refund.state) && has_passed(refund.created_at, payment::ATTENTION_AFTER_MS, now);
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
pub(super) fn pause_ms(attempts: u32) -> i64 {
    (2_000_i64 << attempts.min(9)).min(600_000)
}

pub(super) fn move_payment(
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

pub(super) fn announce(
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
