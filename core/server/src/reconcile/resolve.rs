//! What persons do about a discrepancy. Each step is one transaction: its row, its postings, its line in the audit log, and the
//! key under which a repeat finds it.

use saoma_domain::{
    ledger::{Kind, PostingSet, rules},
    recon::{Class, Correction, Finding, Movement, Standing, Step, step},
};
use saoma_protocol::{DiscrepancyId, Millis, PaymentId, RefundId, UserId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    discrepancies::{self, Discrepancy},
    idempotency::{self, Fingerprint},
    ledger::{self, Booking, Subject},
    refunds, users,
};

use super::{
    ReconcileError,
    chargeback::{follow, is_by_dispute, refuse_outdated},
};
use crate::app::App;

/// A step with what it needs. `version`: of the discrepancy as the person saw it.
#[derive(Clone, Debug)]
pub enum Deed {
    Assign {
        to: UserId,
    },
    /// The books follow the bill: by a posting, or by the dispute that the line is about.
    Resolve {
        reason: String,
        version: u64,
    },
    ProposeWriteOff {
        reason: String,
        version: u64,
    },
    ApproveWriteOff {
        version: u64,
    },
    DeclineWriteOff,
}

/// By what a repeat of a request is known: the caller's `Idempotency-Key`, and what it was sent with.
#[derive(Clone, Debug)]
pub struct Keyed {
    pub key: String,
    pub fingerprint: Fingerprint,
}

/// Takes the step, as `actor`. The same request again is answered with the discrepancy as it then stands.
///
/// # Errors
/// `Store` (`NotFound`; `Stale` if it is not what the person saw any more), `KeyReused`, `Refused`, `Amount`.
pub async fn act(
    app: &App,
    scope: TenantScope,
    id: DiscrepancyId,
    deed: Deed,
    actor: &str,
    keyed: Keyed,
) -> Result<Discrepancy, ReconcileError> {
    let (now, actor, app_in) = (app.now(), actor.to_owned(), app.clone());
    let work = move |tx: &mut Tx<'_>| {
        let known = first_of(tx, &scope, idempotency::Kind::Discrepancy, &format!("{id} {}", keyed.key), &keyed, now)?;
        if known {
            Ok(discrepancies::load(tx, &scope, id)?)
        } else {
            act_in(&app_in, tx, &scope, id, &deed, &actor, now)
        }
    };
    once(app, scope, work).await
}

/// Carries out `work`, which asks [`first_of`] before anything else, and tells whoever looks on.
///
/// # Errors
/// What `work` says.
pub(super) async fn once<T, F>(app: &App, scope: TenantScope, work: F) -> Result<T, ReconcileError>
where
    T: Send + 'static,
    F: Fn(&mut Tx<'_>) -> Result<T, ReconcileError> + Clone + Send + 'static,
{
    let done = match app.store().write(work.clone()).await {
        // The very same request came twice at once, and the other was first: what that one did is known now.
        Err(ReconcileError::Store(StoreError::Conflict { what: "the Idempotency-Key" })) => {
            app.store().write(work).await?
        }
        done => done?,
    };
    app.news_of(scope.tenant());
    Ok(done)
}

/// Whether a request was carried out before; if not, its key is kept with what it does.
///
/// # Errors
/// `KeyReused`; `Store` (`Conflict` if the same one is being carried out at this moment).
pub(super) fn first_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    kind: idempotency::Kind,
    name: &str,
    keyed: &Keyed,
    now: Millis,
) -> Result<bool, ReconcileError> {
    match idempotency::kept(tx, scope, kind, name)? {
        Some(first) if first == keyed.fingerprint => Ok(true),
        Some(_) => Err(ReconcileError::KeyReused),
        None => {
            idempotency::keep(tx, scope, kind, name, &keyed.fingerprint, now)?;
            Ok(false)
        }
    }
}

fn act_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: DiscrepancyId,
    deed: &Deed,
    actor: &str,
    now: Millis,
) -> Result<Discrepancy, ReconcileError> {
    let mut discrepancy = discrepancies::load(tx, scope, id)?;
    let (what, action) = match deed {
        Deed::Assign { .. } => (Step::Assign, "discrepancy.assigned"),
        Deed::Resolve { .. } => (Step::Resolve, "discrepancy.resolved"),
        Deed::ProposeWriteOff { .. } => (Step::ProposeWriteOff, "discrepancy.write_off_proposed"),
        Deed::ApproveWriteOff { .. } => (Step::ApproveWriteOff, "discrepancy.written_off"),
        Deed::DeclineWriteOff => (Step::DeclineWriteOff, "discrepancy.write_off_declined"),
    };
    let seen = match deed {
        Deed::Resolve { version, .. } | Deed::ProposeWriteOff { version, .. } | Deed::ApproveWriteOff { version } => {
            *version
        }
        Deed::Assign { .. } | Deed::DeclineWriteOff => discrepancy.version,
    };
    if discrepancy.version != seen && discrepancy.standing.waits() {
        return Err(discrepancies::STALE.into());
    }
    let same_person = discrepancy.proposed_by.as_deref() == Some(actor);
    let by_dispute = what == Step::Resolve && is_by_dispute(&discrepancy.finding);
    let can_post = by_dispute || discrepancy.correction.is_some_and(|correction| !correction.is_nothing());
    discrepancy.standing = step(discrepancy.standing, what, discrepancy.finding.class, can_post, same_person)?;
    match deed {
        Deed::Assign { to } => {
            users::load(tx, scope, *to)?;
            discrepancy.assigned_to = Some(*to);
        }
        Deed::Resolve { reason, .. } => {
            discrepancy.reason = Some(reason.clone());
            discrepancy.decided_by = Some(actor.to_owned());
        }
        Deed::ProposeWriteOff { reason, .. } => {
            discrepancy.reason = Some(reason.clone());
            discrepancy.proposed_by = Some(actor.to_owned());
        }
        Deed::ApproveWriteOff { .. } => discrepancy.decided_by = Some(actor.to_owned()),
        Deed::DeclineWriteOff => discrepancy.proposed_by = None,
    }
    if discrepancy.standing.is_decided() && !by_dispute {
        refuse_outdated(tx, scope, &discrepancy)?;
        refuse_booked_elsewhere(tx, scope, &discrepancy)?;
    }
    match (discrepancy.standing, discrepancy.correction) {
        (Standing::Resolved, _) if by_dispute => {
            discrepancy.correction = follow(app, tx, scope, &discrepancy, actor)?;
        }
        (Standing::Resolved, Some(correction)) => {
            discrepancy.lost = resolve(tx, scope, &discrepancy, correction, now)?;
        }
        (Standing::WrittenOff, Some(correction)) => {
            write_off(tx, scope, &discrepancy, correction, now)?;
            discrepancy.lost = Some(correction);
        }
        (Standing::Resolved | Standing::WrittenOff, None)
        | (Standing::Open | Standing::Assigned | Standing::WriteOffProposed | Standing::Closed, _) => {}
    }
    discrepancy.updated_at = now;
    discrepancies::save(tx, scope, &mut discrepancy)?;
    let finding = &discrepancy.finding;
    let detail = serde_json::json!({
        "channel_account": discrepancy.account, "day": discrepancy.day, "class": finding.class.text(),
        "number": finding.key.as_ref().map(|key| &key.number), "assigned_to": discrepancy.assigned_to,
        "reason": discrepancy.reason, "proposed_by": discrepancy.proposed_by,
        "amount_minor": discrepancy.correction.map(|correction| correction.amount.minor()),
        "fee_minor": discrepancy.correction.map(|correction| correction.fee.minor()),
    });
    let entry = audit::NewEntry::new(actor, action, &discrepancy.id, &detail, now);
    audit::append(tx, scope, &entry)?;
    Ok(discrepancy)
}

/// Two accounts with one merchant number at the scheme have the same lines on their bills: one of them books it.
fn refuse_booked_elsewhere(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
) -> Result<(), ReconcileError> {
    let Finding { class: Class::MissingHere, key: Some(key), theirs: Some(theirs), nth: 0, .. } = &discrepancy.finding
    else {
        return Ok(());
    };
    // Of two persons at once, one for each account, the second sees what the first has booked.
    ledger::take_turn(tx, scope)?;
    let booked = discrepancies::booked_elsewhere(tx, scope, discrepancy.account, &[key])?;
    if booked.iter().any(|(_, side)| side == theirs) { Err(ReconcileError::BookedElsewhere) } else { Ok(()) }
}

/// The merchant has or bears the amount, and the fee is what the channel says. What was written off of it before is taken back:
/// the answer is how that changes what is nobody's.
fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    correction: Correction,
    now: Millis,
) -> Result<Option<Correction>, ReconcileError> {
    let subject = subject(tx, scope, discrepancy)?;
    let nothing = Correction::nothing(correction.amount.currency());
    let before = discrepancies::lost_before(tx, scope, discrepancy)?.unwrap_or(nothing);
    let followed = correction.checked_add(&before).map_err(|error| amount(&error))?;
    let taken_back = nothing.checked_sub(&before).map_err(|error| amount(&error))?;
    let sets = rules::bill_corrected(followed.amount).map_err(|error| amount(&error))?;
    post(tx, scope, discrepancy, subject.clone(), Kind::BillCorrected, &sets, now)?;
    let sets = rules::fee_corrected(followed.fee).map_err(|error| amount(&error))?;
    post(tx, scope, discrepancy, subject, Kind::FeeCorrected, &sets, now)?;
    write_off(tx, scope, discrepancy, taken_back, now)?;
    Ok(Some(taken_back).filter(|taken_back| !taken_back.is_nothing()))
}

fn amount(error: &impl std::error::Error) -> ReconcileError {
    ReconcileError::Amount(error.to_string())
}

/// Whatever the channel pays more or less is nobody's.
fn write_off(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    correction: Correction,
    now: Millis,
) -> Result<(), ReconcileError> {
    let net = correction.net().map_err(|error| amount(&error))?;
    let sets = rules::written_off(net).map_err(|error| amount(&error))?;
    post(tx, scope, discrepancy, Subject::Other(discrepancy.id.to_string()), Kind::WrittenOff, &sets, now)
}

fn post(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    subject: Subject,
    kind: Kind,
    sets: &[PostingSet],
    now: Millis,
) -> Result<(), ReconcileError> {
    let booking = Booking { subject, kind, channel_account: Some(discrepancy.account), at: now, booked_at: now };
    Ok(ledger::post(tx, scope, &booking, sets)?)
}

/// Beside the payment or refund that it corrects, if the books have that, where persons see it.
fn subject(tx: &mut Tx<'_>, scope: &TenantScope, discrepancy: &Discrepancy) -> Result<Subject, StoreError> {
    let by = discrepancy.id.to_string();
    // A line too many is about the payment and none of it: what is refunded later must not see its fee.
    let finding = &discrepancy.finding;
    let key = finding.key.as_ref().filter(|_| finding.ours.is_some() && finding.nth == 0);
    let Some(key) = key else { return Ok(Subject::Other(by)) };
    match key.movement {
        Movement::Payment => Ok(match key.number.parse::<PaymentId>() {
            Ok(payment) => Subject::Correction { by, payment, refund: None },
            Err(_) => Subject::Other(by),
        }),
        Movement::Refund => match key.number.parse::<RefundId>() {
            Ok(refund) => {
                let payment = refunds::load(tx, scope, refund)?.payment;
                Ok(Subject::Correction { by, payment, refund: Some(refund) })
            }
            Err(_) => Ok(Subject::Other(by)),
        },
        // Beside the case, no refund of the payment gives any of it back.
        Movement::Chargeback | Movement::ChargebackReversal => Ok(Subject::Other(by)),
        Movement::Reversal => {
            let Ok(payment) = key.number.parse::<PaymentId>() else { return Ok(Subject::Other(by)) };
            // A void is a refund here; what the channel undid by itself is none.
            let refunds = refunds::of_payment(tx, scope, payment)?;
            let succeeded = |refund: &&refunds::StoredRefund| {
                refund.refund.state == saoma_domain::refund::State::Succeeded
                    && refund.refund.amount.minor() == finding.ours.map_or(0, |side| side.money.minor())
            };
            let refund = refunds.iter().find(succeeded).map(|refund| refund.refund.id);
            Ok(Subject::Correction { by, payment, refund })
        }
    }
}
