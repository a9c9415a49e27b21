//! Where a dispute meets a bill: whatever the channel took for a case is in the books once, whether a person, the channel's own
//! word or a line of the bill was first.
//!
//! A line that is about a dispute is followed by way of the dispute ([`follow`]). A dispute that comes after a decision about
//! the line takes back what that has booked ([`give_way`]). Both hold the tenant's turn in the books before they look, so that
//! of two at once the second sees the first.

use saoma_domain::{
    dispute::{Event, Outcome, State, decide},
    ledger::{Kind, PostingSet, rules},
    recon::{Class, Correction, Finding, Fix, Key, Movement, Standing},
};
use saoma_protocol::{Amount, DiscrepancyId, DisputeId, Millis, Money, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx, bills,
    discrepancies::{self, Discrepancy},
    disputes::{self, StoredDispute},
    ledger::{self, Booking, Subject},
};

use super::ReconcileError;
use crate::{
    app::App,
    payments::{Case, PaymentError, Said, move_on_dispute, write_down_dispute},
};

/// What of a case a dispute has booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What was taken, or given back.
    Amount(Movement),
    /// What the channel charges for it, which is counted with what was taken.
    Fee,
}

/// Whether following the finding is the dispute's to do.
pub(super) const fn is_by_dispute(finding: &Finding) -> bool {
    matches!(finding.fix, Fix::OpenDispute | Fix::NameDispute | Fix::WinDispute)
}

/// Follows a line by way of the dispute that it is about. The answer is what was booked beside that.
///
/// # Errors
/// `Store` (`Stale` if the dispute or the bill is not what the person saw any more), `Channel`, `Amount`.
pub(super) fn follow(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    actor: &str,
) -> Result<Option<Correction>, ReconcileError> {
    let stale = || ReconcileError::from(discrepancies::STALE);
    let finding = &discrepancy.finding;
    let (Some(key), Some(theirs)) = (&finding.key, finding.theirs) else { return Err(stale()) };
    let nothing = discrepancy.correction.map(|_| Correction::nothing(theirs.currency()));
    let known = disputes::of_case(tx, scope, discrepancy.account, &key.number)?;
    match finding.fix {
        // Written down by somebody else since: what the line says otherwise is for the next comparison.
        Fix::OpenDispute | Fix::NameDispute if known.is_some() => Ok(nothing),
        Fix::OpenDispute => {
            let payment = payment_of(tx, scope, discrepancy, key)?.ok_or_else(stale)?;
            let amount = Amount::try_from(theirs.money).map_err(|error| ReconcileError::Amount(error.to_string()))?;
            let case = Case {
                id: DisputeId::from_bytes(app.random_16()?),
                payment,
                amount,
                case_reference: key.number.clone(),
                reason_code: None,
                respond_by: None,
                actor: actor.to_owned(),
                at: theirs.at.min(app.now()),
                heard_at: None,
            };
            write_down_dispute(app, tx, scope, &case, Some(discrepancy.id)).map_err(or_stale)?;
            let fee = discrepancy.correction.map_or(Money::new(0, theirs.currency()), |correction| correction.fee);
            let sets = rules::fee_corrected(fee).map_err(|error| ReconcileError::Amount(error.to_string()))?;
            post(tx, scope, discrepancy, Kind::FeeCorrected, &sets, app.now())?;
            Ok(nothing.map(|nothing| Correction { fee, ..nothing }))
        }
        Fix::NameDispute => {
            let id = finding.words.as_deref().and_then(|words| words.parse::<DisputeId>().ok()).ok_or_else(stale)?;
            let mut dispute = disputes::load(tx, scope, id)?;
            if dispute.bill_number.is_some() || dispute.dispute.amount.money() != theirs.money {
                return Err(stale());
            }
            let unnamed = dispute.clone();
            dispute.bill_number = Some(key.number.clone());
            dispute.updated_at = app.now();
            disputes::save(tx, scope, &mut dispute)?;
            // What was decided under either number was about one case.
            for named in [unnamed, dispute] {
                let part = Part::Amount(Movement::Chargeback);
                give_way(app, tx, scope, &named, part, Some(discrepancy.id)).map_err(or_stale)?;
            }
            Ok(nothing)
        }
        Fix::WinDispute => {
            let mut dispute = known.ok_or_else(stale)?;
            match &dispute.dispute.state {
                State::Won { .. } => return Ok(nothing),
                State::Lost { .. } => return Err(stale()),
                State::NeedsResponse { .. } | State::UnderReview | State::Accepted => {}
            }
            let event = Event::Closed { outcome: Outcome::Won, fee: None };
            if let Some(next) = decide(&dispute.dispute, &event).map_err(PaymentError::from)? {
                let words = format!("line {} of the bill of {}", finding.line.unwrap_or(0), discrepancy.day);
                let said = Said { words: &words, actor, at: theirs.at.min(app.now()) };
                move_on_dispute(app, tx, scope, &mut dispute, next, &said, Some(discrepancy.id)).map_err(or_stale)?;
            }
            Ok(nothing)
        }
        Fix::NothingToDo
        | Fix::WaitForNextBill
        | Fix::FollowBill
        | Fix::ClaimFromChannel
        | Fix::SettlePayment
        | Fix::FetchAgain => Err(stale()),
    }
}

/// Somebody else acted on the case at this moment.
fn or_stale(error: PaymentError) -> ReconcileError {
    match error {
        PaymentError::Store(StoreError::Conflict { .. } | StoreError::Stale { .. }) => discrepancies::STALE.into(),
        other => other.into(),
    }
}

/// The disputed payment, as the line names it.
fn payment_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    key: &Key,
) -> Result<Option<PaymentId>, StoreError> {
    let Some(bill) = bills::newest(tx, scope, discrepancy.account, &discrepancy.day)? else { return Ok(None) };
    let orders = bills::orders(tx, scope, bill.id, &[key])?;
    Ok(named(key, orders.get(key)))
}

/// The payment that a line of this key and order is about, if it is one of ours.
pub(super) fn named(key: &Key, order: Option<&String>) -> Option<PaymentId> {
    order.unwrap_or(&key.number).parse().ok()
}

/// A line of which the books had nothing, and by now have the dispute: deciding it would book the case twice.
///
/// # Errors
/// `Stale` if it is so.
pub(super) fn refuse_outdated(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
) -> Result<(), StoreError> {
    let Finding { key: Some(key), ours: None, nth: 0, class, .. } = &discrepancy.finding else { return Ok(()) };
    if !key.movement.is_of_dispute() || *class == Class::Corrected {
        return Ok(());
    }
    ledger::take_turn(tx, scope)?;
    let Some(dispute) = disputes::of_case(tx, scope, discrepancy.account, &key.number)? else { return Ok(()) };
    let is_won = matches!(dispute.dispute.state, State::Won { .. });
    if key.movement == Movement::Chargeback || is_won { Err(discrepancies::STALE) } else { Ok(()) }
}

/// A dispute has booked this part of its case: what decisions about the bill have booked of it is taken back, and what waits
/// about it is over, but for `but`; the next comparison tells what still differs.
///
/// # Errors
/// `Corrupt` for sums past 64 bits; `NoChance`.
pub(crate) fn give_way(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    dispute: &StoredDispute,
    part: Part,
    but: Option<DiscrepancyId>,
) -> Result<(), PaymentError> {
    ledger::take_turn(tx, scope)?;
    let now = app.now();
    let movement = match part {
        Part::Amount(movement) => movement,
        Part::Fee => Movement::Chargeback,
    };
    let key = Key { number: dispute.number().to_owned(), movement };
    let why = format!("{} has it in the books", dispute.dispute.id);
    let mut known = discrepancies::of_movement(tx, scope, dispute.channel_account, &key)?;
    for waiting in known.iter_mut().filter(|one| one.standing.waits() && Some(one.id) != but) {
        waiting.standing = Standing::Closed;
        (waiting.reason, waiting.decided_by) = (Some(why.clone()), Some("core".to_owned()));
        waiting.updated_at = now;
        discrepancies::save(tx, scope, waiting)?;
    }
    let decided: Vec<&Discrepancy> = known.iter().filter(|one| one.standing.is_decided()).collect();
    let Some(last) = decided.last() else { return Ok(()) };
    let currency = dispute.dispute.amount.currency();
    let nothing = Correction::nothing(currency);
    let back = |of: fn(&Discrepancy) -> Option<Correction>| {
        let all = decided.iter().filter_map(|one| of(one));
        let sum = all.into_iter().try_fold(nothing, |sum, one| sum.checked_sub(&one));
        let sum = sum.map_err(|error| StoreError::Corrupt { why: error.to_string() })?;
        Ok::<_, StoreError>(match part {
            Part::Amount(_) => Correction { fee: nothing.fee, ..sum },
            Part::Fee => Correction { amount: nothing.amount, ..sum },
        })
    };
    let (correction, lost) = (back(|one| one.correction)?, back(|one| one.lost)?);
    if correction.is_nothing() && lost.is_nothing() {
        return Ok(());
    }
    let mut taken_back = Discrepancy {
        id: DiscrepancyId::from_bytes(app.random_16()?),
        finding: Finding {
            class: Class::Corrected,
            key: Some(key),
            nth: 0,
            line: None,
            ours: None,
            theirs: None,
            words: Some(dispute.dispute.id.to_string()),
            fields: Vec::new(),
            fix: Fix::FollowBill,
        },
        correction: Some(correction),
        lost: Some(lost).filter(|lost| !lost.is_nothing()),
        standing: Standing::Resolved,
        assigned_to: None,
        reason: Some(why),
        proposed_by: None,
        decided_by: Some("core".to_owned()),
        found_at: now,
        updated_at: now,
        version: 1,
        ..(*last).clone()
    };
    discrepancies::insert(tx, scope, &taken_back)?;
    let corrupt = |error: &dyn std::error::Error| StoreError::Corrupt { why: error.to_string() };
    let followed = correction.checked_sub(&lost).map_err(|error| corrupt(&error))?;
    let (bill, fee) = (rules::bill_corrected(followed.amount), rules::fee_corrected(followed.fee));
    let written_off = rules::written_off(lost.net().map_err(|error| corrupt(&error))?);
    taken_back.account = dispute.channel_account;
    for (kind, sets) in [(Kind::BillCorrected, bill), (Kind::FeeCorrected, fee), (Kind::WrittenOff, written_off)] {
        post(tx, scope, &taken_back, kind, &sets.map_err(|error| corrupt(&error))?, now)?;
    }
    Ok(())
}

fn post(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    discrepancy: &Discrepancy,
    kind: Kind,
    sets: &[PostingSet],
    now: Millis,
) -> Result<(), StoreError> {
    let booking = Booking {
        subject: Subject::Other(discrepancy.id.to_string()),
        kind,
        channel_account: Some(discrepancy.account),
        at: now,
        booked_at: now,
    };
    ledger::post(tx, scope, &booking, sets)
}
