//! Disputes: what persons write down of the channel's word about them, and what they answer.
//!
//! Persons carry the channel's word into core, or the channel's own news ([`super::heard_dispute`]) and bills do. Each step is
//! one transaction: the dispute, its payment (whose version keeps a refund that is asked for at the same moment from getting
//! the same money), the postings, the event, the webhook, the line in the audit log, and the key by which a repeat is known.

use saoma_domain::{
    dispute::{Dispute, Event, Outcome, State, decide},
    ledger::{Kind as Movement, PostingSet, rules},
    payment::{Effect, Event as PaymentEvent, Notice, decide as decide_payment},
    recon,
};
use saoma_protocol::{Amount, DiscrepancyId, DisputeId, Millis, Money, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx, access, audit,
    disputes::{self, Due, StoredDispute},
    events::{self, NewEvent},
    idempotency::{self, Fingerprint, Kind},
    ledger::{self, Booking, Subject},
    payments::{self, StoredPayment},
};

use super::{
    PaymentError, kind,
    refund::move_payment,
    settle::{decided, record},
};
use crate::{
    app::App,
    reconcile::chargeback::{Part, give_way},
    webhooks::tell_dispute,
};

/// A case that the channel opened. The id makes it one dispute however often it is written down.
#[derive(Clone, Debug)]
pub struct Opening {
    pub id: DisputeId,
    /// Of the whole request: with another one the id is taken.
    pub fingerprint: Fingerprint,
    pub payment: PaymentId,
    pub amount: Amount,
    pub case_reference: String,
    pub reason_code: Option<String>,
    pub respond_by: Option<Millis>,
    pub actor: String,
}

/// What happens to a dispute, with what it needs.
#[derive(Clone, Debug)]
pub enum Deed {
    Asked { respond_by: Millis },
    Submit { evidence: Vec<String> },
    Accept { reason: String },
    Close { outcome: Outcome, fee: Option<Amount> },
}

/// A case that is written down, whoever says so.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub id: DisputeId,
    pub payment: PaymentId,
    pub amount: Amount,
    pub case_reference: String,
    pub reason_code: Option<String>,
    pub respond_by: Option<Millis>,
    pub actor: String,
    /// When the channel took the money.
    pub at: Millis,
    /// If the channel itself says so.
    pub heard_at: Option<Millis>,
}

/// What is to be written beside a dispute's next state.
pub(crate) struct Said<'a> {
    pub words: &'a str,
    pub actor: &'a str,
    /// When it happened.
    pub at: Millis,
}

/// One step of a dispute, and by what a repeat of it is known.
#[derive(Clone, Debug)]
pub struct DisputeStep {
    pub dispute: DisputeId,
    pub deed: Deed,
    pub actor: String,
    pub key: String,
    pub fingerprint: Fingerprint,
}

/// How long before the channel stops waiting a person is called, in milliseconds: three days, so that a weekend does not
/// swallow it. Schemes give a week or more.
const CALL_BEFORE_MS: i64 = 3 * 24 * 3_600_000;

/// Disputes of one look; those that follow come with the next.
const LOOK_MAX: u32 = 200;

/// Writes a dispute down: the channel has the money, whatever is left of the payment. Answers with it as it then stands, and
/// whether it is new.
///
/// # Errors
/// `DisputeKeyReused`, `Refused` (`NotInState`, `CashDisputed`, `DisputeCurrency`), `Store` (`NotFound`; `Conflict` if the
/// channel account has that case already).
pub async fn open(app: &App, scope: TenantScope, opening: Opening) -> Result<(StoredDispute, bool), PaymentError> {
    let app_in = app.clone();
    let opened = decided(app, move |tx| open_in(&app_in, tx, &scope, &opening)).await?;
    app.news_of(scope.tenant());
    Ok(opened)
}

fn open_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    opening: &Opening,
) -> Result<(StoredDispute, bool), PaymentError> {
    let (id, now) = (opening.id, app.now());
    if is_repeat(tx, scope, Kind::Dispute, &id.to_string(), id, &opening.fingerprint, now)? {
        return Ok((disputes::load(tx, scope, id)?, false));
    }
    let case = Case {
        id,
        payment: opening.payment,
        amount: opening.amount,
        case_reference: opening.case_reference.clone(),
        reason_code: opening.reason_code.clone(),
        respond_by: opening.respond_by,
        actor: opening.actor.clone(),
        at: now,
        heard_at: None,
    };
    write_down(app, tx, scope, &case, None).map(|dispute| (dispute, true))
}

/// Writes a case down and books it. What was booked about it as a difference of a bill is taken back, and what waits about it
/// as one is over; `but` the one that is being decided.
///
/// # Errors
/// `Refused` (`NotInState`, `CashDisputed`, `DisputeCurrency`), `Store` (`NotFound`; `Conflict` if the account has the case).
pub(crate) fn write_down(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    case: &Case,
    but: Option<DiscrepancyId>,
) -> Result<StoredDispute, PaymentError> {
    let (amount, now) = (case.amount, app.now());
    let mut stored = payments::load(tx, scope, case.payment)?;
    let decision = decide_payment(&stored.payment, &PaymentEvent::DisputeOpened { amount }, now)?;
    // What is not cash has an account.
    let channel_account = stored.channel_account.ok_or(StoreError::NotFound { what: "the channel account" })?;
    let dispute = StoredDispute {
        dispute: Dispute { id: case.id, amount, state: State::NeedsResponse { respond_by: case.respond_by } },
        payment: case.payment,
        channel_account,
        version: 1,
        case_reference: case.case_reference.clone(),
        bill_number: None,
        reason_code: case.reason_code.clone(),
        evidence: None,
        opened_by: case.actor.clone(),
        attention_at: None,
        heard_at: case.heard_at,
        created_at: now,
        updated_at: now,
    };
    disputes::insert(tx, scope, &dispute)?;
    let exceeds = decision.effects.contains(&Effect::Alert(Notice::DisputeExceeds));
    if exceeds && stored.watch.attention_at.is_none() {
        stored.watch.attention_at = Some(now);
    }
    if let Some(next) = decision.next {
        stored.payment.state = next;
    }
    // Also where nothing of it changes: whoever has loaded it decides again.
    stored.updated_at = now;
    payments::save(tx, scope, &mut stored)?;
    book(tx, scope, &dispute, Movement::DisputeOpened, &rules::dispute_opened(amount), case.at, now)?;
    give_way(app, tx, scope, &dispute, Part::Amount(recon::Movement::Chargeback), but)?;
    let reason = case.reason_code.as_deref().map(|code| format!("; reason code {code}")).unwrap_or_default();
    let words = format!("{amount}; case {}{reason}", case.case_reference);
    tell(tx, scope, &stored, &dispute, kind::DISPUTE_OPENED, &words, &case.actor, now)?;
    if exceeds {
        record(tx, scope, &stored, None, Notice::DisputeExceeds.code(), &words, "core", now)?;
    }
    Ok(dispute)
}

/// Takes a step of a dispute. The same request again is answered with the dispute as it then stands.
///
/// # Errors
/// `DisputeKeyReused`, `DisputeRefused`, `Store` (`NotFound`).
pub async fn step(app: &App, scope: TenantScope, step: DisputeStep) -> Result<StoredDispute, PaymentError> {
    let app_in = app.clone();
    let dispute = decided(app, move |tx| step_in(&app_in, tx, &scope, &step)).await?;
    app.news_of(scope.tenant());
    Ok(dispute)
}

fn step_in(app: &App, tx: &mut Tx<'_>, scope: &TenantScope, step: &DisputeStep) -> Result<StoredDispute, PaymentError> {
    let (name, now) = (format!("{} {}", step.dispute, step.key), app.now());
    let is_repeat = is_repeat(tx, scope, Kind::DisputeStep, &name, step.dispute, &step.fingerprint, now)?;
    let mut dispute = disputes::load(tx, scope, step.dispute)?;
    if is_repeat {
        return Ok(dispute);
    }
    let (event, words) = match &step.deed {
        Deed::Asked { respond_by } => (Event::Asked { respond_by: Some(*respond_by) }, String::new()),
        Deed::Submit { evidence } => (Event::EvidenceSubmitted, evidence.join("; ")),
        Deed::Accept { reason } => (Event::Accepted, reason.clone()),
        Deed::Close { outcome, fee } => {
            let words = fee.map(|fee| format!("fee {fee}")).unwrap_or_default();
            (Event::Closed { outcome: *outcome, fee: *fee }, words)
        }
    };
    let Some(next) = decide(&dispute.dispute, &event)? else { return Ok(dispute) };
    if let Deed::Submit { evidence } = &step.deed {
        dispute.evidence = Some(evidence.join("\n"));
    }
    let said = Said { words: &words, actor: &step.actor, at: now };
    move_on(app, tx, scope, &mut dispute, next, &said, None)?;
    Ok(dispute)
}

/// Takes a dispute to its next state, and books that. `but`: as [`write_down`].
///
/// # Errors
/// `Store`.
pub(crate) fn move_on(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    dispute: &mut StoredDispute,
    next: State,
    said: &Said<'_>,
    but: Option<DiscrepancyId>,
) -> Result<(), PaymentError> {
    let now = app.now();
    let mut stored = payments::load(tx, scope, dispute.payment)?;
    dispute.dispute.state = next;
    // Whoever was called has answered, or has another day now.
    dispute.attention_at = None;
    dispute.updated_at = now;
    // In this order everywhere, the dispute, its payment, the books: two at once then never wait for each other.
    disputes::save(tx, scope, dispute)?;
    let amount = dispute.dispute.amount;
    let fee = dispute.dispute.state.fee().map_or(Money::new(0, amount.currency()), Amount::money);
    let (name, ended) = match &dispute.dispute.state {
        State::NeedsResponse { .. } => (kind::DISPUTE_ASKED, None),
        State::UnderReview => (kind::DISPUTE_CONTESTED, None),
        State::Accepted => (kind::DISPUTE_ACCEPTED, None),
        State::Won { .. } => {
            move_payment(tx, scope, &mut stored, &PaymentEvent::DisputeWon { amount }, now)?;
            (kind::DISPUTE_WON, Some((Movement::DisputeWon, rules::dispute_won(amount, fee))))
        }
        State::Lost { .. } => (kind::DISPUTE_LOST, Some((Movement::DisputeLost, rules::dispute_lost(amount, fee)))),
    };
    if let Some((movement, sets)) = ended {
        book(tx, scope, dispute, movement, &sets, said.at, now)?;
        if movement == Movement::DisputeWon {
            give_way(app, tx, scope, dispute, Part::Amount(recon::Movement::ChargebackReversal), but)?;
        }
        if fee.minor() != 0 {
            give_way(app, tx, scope, dispute, Part::Fee, but)?;
        }
    }
    tell(tx, scope, &stored, dispute, name, said.words, said.actor, now).map_err(PaymentError::from)
}

/// Calls a person for each dispute whose time to answer is running out.
///
/// # Errors
/// Of the store; then those that are left are called for the next time.
pub async fn call_for_answers(app: &App) -> Result<(), PaymentError> {
    let now = app.now();
    let until = now.plus(CALL_BEFORE_MS);
    let due = move |tx: &mut Tx<'_>| disputes::wanting_an_answer(tx, &access::process(), until, LOOK_MAX);
    for Due { scope, dispute } in app.store().read(due).await? {
        if decided(app, move |tx| call_in(tx, &scope, dispute, until, now)).await? {
            app.news_of(scope.tenant());
        }
    }
    Ok(())
}

/// Whether a person is called for it now who was not before.
fn call_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: DisputeId,
    until: Millis,
    now: Millis,
) -> Result<bool, PaymentError> {
    let mut dispute = disputes::load(tx, scope, id)?;
    let wants = match dispute.dispute.state {
        State::NeedsResponse { respond_by } => respond_by.is_some_and(|respond_by| respond_by <= until),
        State::UnderReview | State::Accepted | State::Won { .. } | State::Lost { .. } => false,
    };
    if !wants || dispute.attention_at.is_some() {
        return Ok(false);
    }
    dispute.attention_at = Some(now);
    disputes::save(tx, scope, &mut dispute)?;
    let stored = payments::load(tx, scope, dispute.payment)?;
    let words = format!("the channel waits for an answer to case {}", dispute.case_reference);
    write_event(tx, scope, &stored, id, kind::NEEDS_ATTENTION, &words, "core", now)?;
    Ok(true)
}

/// Whether the request was carried out before; if not, its key is kept with what it does.
fn is_repeat(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    of: Kind,
    name: &str,
    dispute: DisputeId,
    fingerprint: &Fingerprint,
    now: Millis,
) -> Result<bool, PaymentError> {
    match idempotency::kept(tx, scope, of, name)? {
        Some(first) if first == *fingerprint => return Ok(true),
        Some(_) => return Err(PaymentError::DisputeKeyReused(dispute)),
        None => {}
    }
    match idempotency::keep(tx, scope, of, name, fingerprint, now) {
        // The same key at the same moment, and the other was first: what that one did is known when we decide again.
        Err(StoreError::Conflict { .. }) => Err(StoreError::Stale { what: "the dispute" }.into()),
        kept => Ok(kept.map(|()| false)?),
    }
}

fn book(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    dispute: &StoredDispute,
    kind: Movement,
    sets: &[PostingSet],
    at: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    let booking = Booking {
        subject: Subject::Dispute { payment: dispute.payment, dispute: dispute.dispute.id },
        kind,
        channel_account: Some(dispute.channel_account),
        at,
        booked_at: now,
    };
    ledger::post(tx, scope, &booking, sets)
}

/// In the payment's timeline, in the audit log, and to the merchant's systems.
#[expect(clippy::too_many_arguments, reason = "one event has this many facts")]
fn tell(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    dispute: &StoredDispute,
    name: &str,
    words: &str,
    actor: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let id = dispute.dispute.id;
    write_event(tx, scope, stored, id, name, words, actor, now)?;
    let detail = serde_json::json!({
        "payment": dispute.payment, "amount": dispute.dispute.amount, "case_reference": dispute.case_reference,
        "state": dispute.dispute.state.text(), "fee": dispute.dispute.state.fee(), "words": words,
    });
    let entry = audit::NewEntry::new(actor, name.replacen("dispute_", "dispute.", 1), &id, &detail, now);
    audit::append(tx, scope, &entry)?;
    tell_dispute(tx, scope, dispute, now)
}

#[expect(clippy::too_many_arguments, reason = "one event has this many facts")]
pub(super) fn write_event(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    dispute: DisputeId,
    name: &str,
    words: &str,
    actor: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let data = if words.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "detail": words }) };
    let event = NewEvent {
        payment: stored.payment.id,
        refund: None,
        dispute: Some(dispute),
        version: stored.version,
        kind: name.to_owned(),
        data_json: data.to_string(),
        actor: actor.to_owned(),
        store: stored.store,
        terminal: stored.terminal,
        at,
    };
    events::append(tx, scope, &event).map(drop)
}
