//! What persons do about a discrepancy. Each step is one transaction: its row, its postings, its line in the audit log.

use saoma_domain::{
    ledger::{Kind, PostingSet, rules},
    recon::{Correction, Movement, Standing, Step, step},
};
use saoma_protocol::{DiscrepancyId, Millis, PaymentId, RefundId, UserId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    discrepancies::{self, Discrepancy},
    ledger::{self, Booking, Subject},
    refunds, users,
};

use super::ReconcileError;
use crate::app::App;

/// A step with what it needs.
#[derive(Clone, Debug)]
pub enum Deed {
    Assign {
        to: UserId,
    },
    /// The books follow the bill.
    Resolve {
        reason: String,
    },
    ProposeWriteOff {
        reason: String,
    },
    ApproveWriteOff,
    DeclineWriteOff,
}

/// Takes the step, as `actor`.
///
/// # Errors
/// `Store` (`NotFound`; `Stale` if somebody else acted at this moment), `Refused`, `Amount`.
pub async fn act(
    app: &App,
    scope: TenantScope,
    id: DiscrepancyId,
    deed: Deed,
    actor: &str,
) -> Result<Discrepancy, ReconcileError> {
    let (now, actor) = (app.now(), actor.to_owned());
    let done = app.store().write(move |tx| act_in(tx, &scope, id, &deed, &actor, now)).await?;
    app.news_of(scope.tenant());
    Ok(done)
}

fn act_in(
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
        Deed::ApproveWriteOff => (Step::ApproveWriteOff, "discrepancy.written_off"),
        Deed::DeclineWriteOff => (Step::DeclineWriteOff, "discrepancy.write_off_declined"),
    };
    let same_person = discrepancy.proposed_by.as_deref() == Some(actor);
    discrepancy.standing = step(discrepancy.standing, what, &discrepancy.finding, same_person)?;
    match deed {
        Deed::Assign { to } => {
            users::load(tx, scope, *to)?;
            discrepancy.assigned_to = Some(*to);
        }
        Deed::Resolve { reason } => {
            discrepancy.reason = Some(reason.clone());
            discrepancy.decided_by = Some(actor.to_owned());
        }
        Deed::ProposeWriteOff { reason } => {
            discrepancy.reason = Some(reason.clone());
            discrepancy.proposed_by = Some(actor.to_owned());
        }
        Deed::ApproveWriteOff => discrepancy.decided_by = Some(actor.to_owned()),
        Deed::DeclineWriteOff => discrepancy.proposed_by = None,
    }
    let booked = match discrepancy.standing {
        Standing::Resolved => {
            correction(&discrepancy)?.map(|correction| resolve(tx, scope, &discrepancy, correction, now))
        }
        Standing::WrittenOff => {
            correction(&discrepancy)?.map(|correction| write_off(tx, scope, &discrepancy, correction, now))
        }
        Standing::Open | Standing::Assigned | Standing::WriteOffProposed | Standing::Closed => None,
    };
    booked.transpose()?;
    discrepancy.updated_at = now;
    discrepancies::save(tx, scope, &mut discrepancy)?;
    let finding = &discrepancy.finding;
    let detail = serde_json::json!({
        "channel_account": discrepancy.account, "day": discrepancy.day, "class": finding.class.text(),
        "number": finding.key.as_ref().map(|key| &key.number), "assigned_to": discrepancy.assigned_to,
        "reason": discrepancy.reason, "proposed_by": discrepancy.proposed_by,
        "amount_minor": correction(&discrepancy)?.map(|correction| correction.amount.minor()),
        "fee_minor": correction(&discrepancy)?.map(|correction| correction.fee.minor()),
    });
    let entry = audit::NewEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: discrepancy.id.to_string(),
        detail_json: detail.to_string(),
        at: now,
    };
    audit::append(tx, scope, &entry)?;
    Ok(discrepancy)
}

/// What booking it away would move.
///
/// # Errors
/// `Amount`.
pub fn correction(discrepancy: &Discrepancy) -> Result<Option<Correction>, ReconcileError> {
    discrepancy.finding.correction().map_err(|error| ReconcileError::Amount(error.to_string()))
}

/// The merchant has or bears the amount, and the fee is what the channel says.
fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    correction: Correction,
    now: Millis,
) -> Result<(), ReconcileError> {
    let subject = subject(tx, scope, discrepancy)?;
    let unbalanced = |error: saoma_domain::ledger::Unbalanced| ReconcileError::Amount(error.to_string());
    let amount = rules::bill_corrected(correction.amount).map_err(unbalanced)?;
    post(tx, scope, discrepancy, subject.clone(), Kind::BillCorrected, &amount, now)?;
    let fee = rules::fee_corrected(correction.fee).map_err(unbalanced)?;
    post(tx, scope, discrepancy, subject, Kind::FeeCorrected, &fee, now)
}

/// Whatever the channel pays more or less is nobody's.
fn write_off(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    correction: Correction,
    now: Millis,
) -> Result<(), ReconcileError> {
    let net = correction.net().map_err(|error| ReconcileError::Amount(error.to_string()))?;
    let sets = rules::written_off(net).map_err(|error| ReconcileError::Amount(error.to_string()))?;
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

/// Beside the payment or refund that it corrects, if the books have that: a fee that was corrected comes back as corrected.
fn subject(tx: &mut Tx<'_>, scope: &TenantScope, discrepancy: &Discrepancy) -> Result<Subject, StoreError> {
    let by = discrepancy.id.to_string();
    let key = discrepancy.finding.key.as_ref().filter(|_| discrepancy.finding.ours.is_some());
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
        Movement::Reversal => {
            let Ok(payment) = key.number.parse::<PaymentId>() else { return Ok(Subject::Other(by)) };
            // A void is a refund here; what the channel undid by itself is none.
            let refunds = refunds::of_payment(tx, scope, payment)?;
            let succeeded = |refund: &&refunds::StoredRefund| {
                refund.refund.state == saoma_domain::refund::State::Succeeded
                    && refund.refund.amount.minor() == discrepancy.finding.ours.map_or(0, |side| side.money.minor())
            };
            let refund = refunds.iter().find(succeeded).map(|refund| refund.refund.id);
            Ok(Subject::Correction { by, payment, refund })
        }
    }
}
