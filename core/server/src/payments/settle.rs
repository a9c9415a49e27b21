//! The one way in for everything that changes a payment after it was made: an answer, a silence, an expiry, a wish.
//!
//! Load, decide, and write row, event, postings, what is to be given back, and push in one transaction; what the domain wants
//! done after the commit is returned. Somebody else was faster: load and decide again.

use std::pin::Pin;

use saoma_domain::{
    ledger::{Kind as Movement, PostingSet},
    order::may_be_paid,
    payment::{
        Amounts, Answer, AnswerStatus, Close, Effect, Event, Method, Notice, ON_ITS_WAY_MS, Payment, Refusal, Source,
        State, decide,
    },
};
use saoma_protocol::{Millis, Money, PaymentId, RefundId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    events::{self, NewEvent},
    ledger::{self, Booking, Subject},
    orders,
    pay_codes::{self, PayCode},
    payments::{self, Sale, StoredPayment},
    settlement_batches, stored_cards,
    tenants::{self, LatePolicy},
};

use super::{
    PaymentError,
    by_hand::Confirmed,
    doubt::{Wait, has_to_wait, is_nowhere, may_be_undone, may_end, waited},
    fees, in_doubt, kind,
    push::{announce, push},
    refund, stored as stored_sale,
};
use crate::{app::App, webhooks::tell_payment};

/// How often a decision is made again because somebody else saved first.
const STALE_MAX: u32 = 8;

/// What happened, before it is known whether it may be believed.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The channel's words; checked here to be about this payment.
    Answer(Heard),
    Event(Event),
    /// The channel gave a code; it is stored with the state that shows it.
    Presented(PayCode),
    /// How two persons settled it, with the channel's own number as they found it.
    ByHand(Confirmed),
}

/// What a channel said, as it said it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub number: String,
    pub amount: Option<Money>,
    pub amounts: Amounts,
    pub status: AnswerStatus,
    pub reference: String,
    pub payer_hint: String,
    pub source: Source,
    /// The payment's version when the call began that this answers; `None` for what the channel sent on its own. A reply
    /// that the payment has overtaken is as old as any notification.
    pub since_version: Option<u64>,
    /// The scheme's own words, for the events.
    pub words: String,
    /// What was asked and what was said, to be noted; `None` for what nobody asked.
    pub note: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Settled {
    pub sale: Sale,
    /// The domain's wishes for after the commit: asking the channel to close, or how things stand.
    pub follow_ups: Vec<Effect>,
    /// The answer was not believed; it counts as none.
    pub refused: Option<Refusal>,
    /// The payment is in another state than before.
    pub moved: bool,
    /// Anything was written that somebody must see.
    is_news: bool,
    /// There is money to give back.
    gives_back: bool,
    /// Payments of the same order that nobody shall pay any more.
    surplus: Vec<PaymentId>,
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
    if settled.is_news {
        app.wake_outbox();
        app.news_of(scope.tenant());
    }
    if settled.gives_back || !settled.follow_ups.is_empty() {
        app.wake_resolver();
    }
    for other in settled.surplus.iter().copied() {
        app.in_flight().spawn(give_up(app.clone(), scope, other));
    }
    Ok(settled)
}

/// Closes another way to pay an order that is paid. Should this not come to its end, the resolver finds it. The type is
/// written out since it leads back to [`settle`].
fn give_up(app: App, scope: TenantScope, payment: PaymentId) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if let Err(error) = super::cancel(&app, scope, payment, "core").await {
            tracing::warn!(payment.id = %payment, %error, "a second way to pay an order is closed later");
        }
    })
}

/// Runs `work` in one transaction, and again while somebody else saved first: it loads and decides anew each time.
///
/// # Errors
/// What `work` says.
pub(super) async fn decided<T, F>(app: &App, work: F) -> Result<T, PaymentError>
where
    T: Send + 'static,
    F: Fn(&mut Tx<'_>) -> Result<T, PaymentError> + Clone + Send + 'static,
{
    let mut tries = 0;
    loop {
        match app.store().write(work.clone()).await {
            Err(PaymentError::Store(StoreError::Stale { .. })) if tries < STALE_MAX => tries += 1,
            done => return done,
        }
    }
}

/// What an outcome is to the domain.
struct Read {
    event: Event,
    refused: Option<Refusal>,
    /// For the timeline.
    words: String,
    /// Nothing more needs to be asked.
    is_definite: bool,
    /// How an answer that is believed came.
    source: Option<Source>,
    /// The channel's number and the payer, as the answer has them.
    reference: Option<String>,
    payer_hint: Option<String>,
}

fn read(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    outcome: &Outcome,
    now: Millis,
) -> Result<Read, StoreError> {
    let plain = |event| Read {
        event,
        refused: None,
        words: String::new(),
        is_definite: false,
        source: None,
        reference: None,
        payer_hint: None,
    };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Ok(match outcome {
        Outcome::Event(event) => plain(event.clone()),
        Outcome::Presented(code) => {
            pay_codes::insert_new(tx, scope, code)?;
            plain(Event::Present { expires_at: code.expires_at })
        }
        Outcome::ByHand(confirmed) => {
            confirmed.end(tx, scope, now)?;
            let event = Event::SettledByHand { paid: confirmed.is_paid(), at: now };
            Read { words: confirmed.words(), reference: confirmed.reference(), ..plain(event) }
        }
        Outcome::Answer(heard) => {
            let is_overtaken = heard.since_version.is_none_or(|version| version != stored.version);
            let source = if is_overtaken { Source::Notification } else { heard.source };
            let status = heard.status.clone();
            match Answer::about(&stored.payment, &heard.number, heard.amount, heard.amounts, status, source) {
                Ok(answer) => Read {
                    words: heard.words.clone(),
                    is_definite: answer.is_definite(),
                    source: Some(answer.source()),
                    reference: given(&heard.reference),
                    payer_hint: given(&heard.payer_hint),
                    ..plain(Event::Answered(answer))
                },
                // Not believed, so it says nothing: as if the channel had kept silent. But what it sent on its own did not
                // come from nowhere.
                Err(refusal) => {
                    let event = if heard.since_version.is_none() { Event::Unbelieved } else { Event::NoAnswer };
                    Read { refused: Some(refusal), ..plain(event) }
                }
            }
        }
    })
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
    let loaded = stored.clone();
    // The goods are gone: nobody undoes it, and the acquirer will answer.
    if matches!(outcome, Outcome::Event(Event::Cancel)) && stored_cards::waiting(tx, scope, id)? {
        return Err(PaymentError::Forwarding);
    }
    let Read { event, refused, words, is_definite, source, reference, payer_hint } =
        read(tx, scope, &stored, outcome, now)?;
    if let Outcome::Answer(Heard { note: Some(note), .. }) = outcome {
        payments::note_said(tx, scope, id, note, now)?;
    }
    if let Some(refusal) = &refused {
        tracing::error!(payment.id = %id, %refusal, "a channel's answer was not believed");
        record(tx, scope, &stored, None, kind::ANSWER_REFUSED, &refusal.to_string(), "channel", now)?;
    }
    let mut decision = decide(&stored.payment, &event, now)?;
    if let Event::SettledByHand { paid, .. } = event
        && stored_cards::take_unsent(tx, scope, id)?
    {
        if paid {
            return Err(PaymentError::ChannelSays(stored_sale::NEVER_SENT.to_owned()));
        }
        // The acquirer does not know of it, and never will.
        decision.effects.retain(|effect| *effect != Effect::AskAgain);
    }
    let captures = decision.effects.contains(&Effect::BookCapture);
    let (asks_close, close_was_asked) = (decision.effects.contains(&Effect::AskClose), loaded.close_asked_at.is_some());
    // Who asks for the close hears by its own reply that it was too late, and goes on with what is paid.
    let told_at_once = source == Some(Source::CancelReply) && loaded.attempts == 0;
    if captures && close_was_asked && !told_at_once && is_given_up(tx, scope, id)? {
        decision = decision.given_up();
    }
    // What we asked to be undone may have been, since the channel sent this.
    let is_overtaken = captures && close_was_asked && source == Some(Source::Notification);
    let asks_again = is_overtaken || decision.effects.contains(&Effect::AskAgain);
    let mut kinds: Vec<&str> = Vec::new();
    // An answer that changes nothing may be about an earlier attempt of the customer, under another number.
    let is_told = |known: &Option<String>| decision.next.is_some() || known.is_none();
    if reference.is_some() && is_told(&stored.channel_reference) {
        stored.channel_reference = reference;
    }
    if payer_hint.is_some() && is_told(&stored.payer_hint) {
        stored.payer_hint = payer_hint;
    }
    if asks_close && decision.next.is_none() && (!close_was_asked || (actor != CORE && !is_given_up(tx, scope, id)?)) {
        kinds.push(kind::CANCEL_ASKED);
    }
    let (moved, mut changes_state) = (decision.next.is_some(), false);
    if let Some(next) = decision.next {
        let before = std::mem::replace(&mut stored.payment.state, next);
        tracing::info!(payment.id = %id, tenant = %scope.tenant(), state = ?stored.payment.public_state(), "a payment moved");
        let name = event_kind(&before, &stored.payment);
        changes_state = name.is_some();
        kinds.extend(name);
        schedule(&mut stored, now);
    }
    let mut waits = false;
    if may_end(&stored, now) && (is_definite || is_nowhere(tx, scope, &stored, &event)?) {
        let has_to_wait = !is_definite || has_to_wait(tx, scope, &stored)?;
        let node = app.fleet().node();
        match if has_to_wait { waited(tx, scope, id, None, node, now)? } else { Wait::Over } {
            Wait::Over => {
                stored.watch.doubted_at = None;
                kinds.push(kind::DOUBT_ENDED);
            }
            Wait::Begins => {
                stored.watch.doubted_at = Some(now.plus(ON_ITS_WAY_MS));
                waits = true;
            }
            // Left as it is: two nodes would set it to and fro.
            Wait::Runs { .. } => {}
        }
    }
    let began = if may_be_undone(&loaded, &stored) {
        Some(now.plus(ON_ITS_WAY_MS))
    } else {
        (asks_again && stored.watch.doubted_at.is_none()).then_some(now)
    };
    if began.is_some() {
        stored.watch.doubted_at = began;
        kinds.push(kind::DOUBTED);
    }
    if asks_close && stored.close_asked_at.is_none() {
        stored.close_asked_at = Some(now);
    }
    replan(&mut stored, &loaded, moved, now);
    if stored.watch.attention_at.is_some()
        && is_unsettled(&loaded)
        && !is_unsettled(&stored)
        && !is_called(tx, scope, id)?
    {
        stored.watch.attention_at = None;
    }
    let calls = |effect: &Effect| matches!(effect, Effect::Alert(notice) if notice.needs_person());
    if stored.watch.attention_at.is_none() && decision.effects.iter().any(calls) {
        stored.watch.attention_at = Some(now);
    }
    let is_kept = stored_sale::keeps(tx, scope, id, &mut decision.effects)?;
    if is_kept {
        stored.watch.attention_at.get_or_insert(now);
    }
    let mut is_news = refused.is_some() || !kinds.is_empty();
    if stored != loaded {
        is_news = true;
        stored.updated_at = now;
        payments::save(tx, scope, &mut stored)?;
    }
    if waits {
        record(tx, scope, &stored, None, kind::DOUBT_WAITS, app.fleet().node(), CORE, now)?;
    }
    for name in kinds {
        record(tx, scope, &stored, None, name, &words, actor, now)?;
        tell_payment(tx, scope, name, id, now)?;
    }
    if changes_state && stored.payment.method == Method::Card {
        stored_sale::follow(tx, scope, &stored, decision.effects.contains(&Effect::BookUndone), now)?;
    }
    if is_kept {
        record(tx, scope, &stored, None, kind::NEEDS_ATTENTION, stored_sale::PAID_AFTER_ALL, CORE, now)?;
    }
    let mut booking = Booked::default();
    for effect in &decision.effects {
        match effect {
            Effect::BookCapture => {
                let sets = fees::captured(tx, scope, &stored)?;
                // However late it was heard of, it is of the moment in which the channel took it; what comes into the books
                // comes into them now, and no period that is over changes.
                let State::Captured(capture) = &stored.payment.state else {
                    return Err(StoreError::Internal { why: format!("{id} is booked and not captured") }.into());
                };
                let captured = booking_of(&stored, None, Movement::Captured, now);
                ledger::post(tx, scope, &Booking { at: capture.at, ..captured }, &sets)?;
                booking.captured = true;
                booking.is_part_gone = decision.effects.contains(&Effect::Alert(Notice::RefundedElsewhere));
            }
            Effect::BookUndone => {
                let was_by_hand = matches!(loaded.payment.state, State::Captured(capture) if capture.by_hand);
                let sets = fees::undone(tx, scope, &stored, was_by_hand)?;
                book(tx, scope, &stored, None, Movement::Undone, &sets, now)?;
                if let (true, Some(account)) = (was_by_hand, stored.channel_account) {
                    settlement_batches::leave_out(tx, scope, account, id)?;
                }
            }
            Effect::Alert(notice) => {
                is_news |= alert(tx, scope, &stored, *notice, "", moved, now)?;
                if *notice == Notice::RefundedElsewhere {
                    in_doubt::doubt_failed(app, tx, scope, &mut stored, now)?;
                }
            }
            Effect::RefundLate => booking.is_late = true,
            Effect::EndRefunds => is_news |= refund::end_as_never_paid(app, tx, scope, id)?,
            Effect::AskAgain | Effect::AskClose => {}
        }
    }
    let (gives_back, surplus) = keep_or_give_back(app, tx, scope, &mut stored, booking, now)?;
    let sale = payments::load_sale(tx, scope, id)?;
    if is_news {
        push(app, tx, scope, &sale, now)?;
    }
    if booking.captured && !booking.is_part_gone && !gives_back {
        announce(tx, scope, &sale, now)?;
    }
    let wishes = [Effect::AskClose, Effect::AskAgain];
    let follow_ups = decision.effects.into_iter().filter(|effect| wishes.contains(effect)).collect();
    Ok(Settled { sale, follow_ups, refused, moved: changes_state, is_news, gives_back, surplus })
}

/// Core itself, where it says who did something.
const CORE: &str = "core";

/// Whether a person (or a merchant's program) has asked for the payment to be undone.
fn is_given_up(tx: &mut Tx<'_>, scope: &TenantScope, id: PaymentId) -> Result<bool, StoreError> {
    let told = events::timeline(tx, scope, id)?;
    Ok(told.iter().any(|told| told.event.kind == kind::CANCEL_ASKED && told.event.actor != CORE))
}

#[derive(Clone, Copy, Default)]
struct Booked {
    captured: bool,
    is_late: bool,
    /// Somebody else has given some of it back already, and how much nobody says.
    is_part_gone: bool,
}

/// A capture pays its order, or it is given back: because it came after the payment had been closed (unless the tenant
/// accepts that), or because another payment has paid the order. What is given back is set aside in this transaction, so
/// that no crash can lose it; the resolver sends it.
fn keep_or_give_back(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    booked: Booked,
    now: Millis,
) -> Result<(bool, Vec<PaymentId>), PaymentError> {
    if !booked.captured {
        return Ok((false, Vec::new()));
    }
    if booked.is_late && tenants::load(tx, scope)?.late_policy == LatePolicy::Refund {
        refund::set_aside_unasked(app, tx, scope, stored, None, now)?;
        return Ok((true, Vec::new()));
    }
    if orders::keep(tx, scope, stored.order, stored.payment.id)? {
        let others = payments::of_order(tx, scope, stored.order)?;
        let open = others.iter().map(|other| &other.payment).filter(|other| other.id != stored.payment.id);
        return Ok((false, open.filter(|other| may_be_paid(&other.state)).map(|other| other.id).collect()));
    }
    let order = orders::load(tx, scope, stored.order)?;
    let why = order.paid_by.map(|first| format!("{first} has paid the order")).unwrap_or_default();
    alert(tx, scope, stored, Notice::SecondPayment, &why, true, now)?;
    if booked.is_part_gone {
        // What is left of it a person finds out, who is called anyway.
        return Ok((false, Vec::new()));
    }
    refund::set_aside_unasked(app, tx, scope, stored, Some(why), now)?;
    Ok((true, Vec::new()))
}

/// Once for each time that the payment stands as it does: an answer that is repeated is not a new alarm. Whether it was new.
fn alert(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    notice: Notice,
    detail: &str,
    moved: bool,
    now: Millis,
) -> Result<bool, StoreError> {
    if !moved {
        let raised = events::timeline(tx, scope, stored.payment.id)?;
        let same = |event: &NewEvent| event.kind == notice.code() && event.version == stored.version;
        if raised.iter().any(|raised| same(&raised.event)) {
            return Ok(false);
        }
    }
    record(tx, scope, stored, None, notice.code(), detail, CORE, now)?;
    Ok(true)
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

/// The same for a doubt that began or ended, and for a close that somebody wants.
fn replan(stored: &mut StoredPayment, loaded: &StoredPayment, moved: bool, now: Millis) {
    let waits = is_waiting(&stored.payment);
    let is_doubted = stored.watch.doubted_at.is_some();
    if let Some(doubted_at) = stored.watch.doubted_at.filter(|_| stored.watch.doubted_at != loaded.watch.doubted_at) {
        stored.attempts = 0;
        stored.next_attempt_at = Some(doubted_at);
    } else if is_doubted && moved && !waits {
        stored.next_attempt_at = Some(now.plus(FIRST_LOOK_MS));
    } else if stored.close_asked_at != loaded.close_asked_at && stored.close_asked_at.is_some() {
        // Who asked for the close carries it out; the resolver comes after, should that fail.
        stored.attempts = 0;
        stored.next_attempt_at = Some(now.plus(FIRST_LOOK_MS));
    } else if !is_doubted && !waits {
        stored.next_attempt_at = None;
    }
}

pub(super) fn is_waiting(payment: &Payment) -> bool {
    matches!(payment.state, State::Created | State::Presenting { .. }) || payment.is_open()
}

fn is_unsettled(stored: &StoredPayment) -> bool {
    is_waiting(&stored.payment) || stored.watch.doubted_at.is_some()
}

/// Whether a person has something to do about it that its end does not do away with, as being stuck is. By the order in which
/// it was told, not by the times: those are of clocks that may have been set.
fn is_called(tx: &mut Tx<'_>, scope: &TenantScope, id: PaymentId) -> Result<bool, StoreError> {
    let calls =
        |event: &NewEvent| event.refund.is_none() && Notice::of_code(&event.kind).is_some_and(Notice::needs_person);
    let told = events::timeline(tx, scope, id)?;
    let since_seen = told.iter().rev().take_while(|told| told.event.kind != kind::ATTENDED);
    Ok(since_seen.into_iter().any(|told| calls(&told.event)))
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
        (State::Captured(after), State::Captured(before)) if before.by_hand && !after.by_hand => kind::SUCCEEDED,
        (State::Captured(_), State::Captured(_)) => return None,
        (State::Captured(capture), _) if capture.by_hand => kind::PAID_BY_HAND,
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
pub(crate) fn record(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    refund: Option<RefundId>,
    kind: &str,
    detail: &str,
    actor: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let event = NewEvent {
        payment: stored.payment.id,
        refund,
        dispute: None,
        version: stored.version,
        kind: kind.to_owned(),
        data_json: detail_json(detail).to_string(),
        actor: actor.to_owned(),
        store: stored.store,
        terminal: stored.terminal,
        at,
    };
    events::append(tx, scope, &event).map(drop)
}

/// What an event's data says.
pub(super) fn detail_json(detail: &str) -> serde_json::Value {
    if detail.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "detail": detail }) }
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
    ledger::post(tx, scope, &booking_of(stored, refund, kind, at), sets)
}

fn booking_of(stored: &StoredPayment, refund: Option<RefundId>, kind: Movement, at: Millis) -> Booking {
    let payment = stored.payment.id;
    let subject = match refund {
        Some(refund) => Subject::Refund { payment, refund },
        None => Subject::Payment(payment),
    };
    Booking { subject, kind, channel_account: stored.channel_account, at, booked_at: at }
}
