//! Postings with the fee in them: by the version of the channel account's plan that the payment was made under, whatever
//! the plan says by now.

use saoma_domain::{
    fee::FeePlan,
    ledger::{Account, Kind, PostingSet, rules},
    payment::{Payment, State},
};
use saoma_protocol::{Amount, Money};
use saoma_store::{StoreError, TenantScope, Tx, fee_plans, ledger, payments::StoredPayment};

/// The postings of the capture.
///
/// # Errors
/// `Corrupt` if there is no such plan.
pub(super) fn captured(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
) -> Result<Vec<PostingSet>, StoreError> {
    let Payment { amount, method, .. } = stored.payment;
    let fee = plan_of(tx, scope, stored)?.map_or(Money::new(0, amount.currency()), |plan| plan.fee(amount));
    Ok(rules::captured(method, amount, fee))
}

/// The postings of a refund or void of `amount`, when `stored` stands as it does after it.
///
/// # Errors
/// `Corrupt` if there is no such plan.
pub(super) fn refund_succeeded(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    amount: Amount,
) -> Result<Vec<PostingSet>, StoreError> {
    Ok(rules::refund_succeeded(stored.payment.method, amount, returned(tx, scope, stored)?))
}

/// The postings of a capture that the channel undid by itself, or that persons alone had said: a channel takes no fee of
/// what it never paid.
///
/// # Errors
/// `Corrupt` if there is no such plan.
pub(super) fn undone(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    was_by_hand: bool,
) -> Result<Vec<PostingSet>, StoreError> {
    let fee = if was_by_hand {
        let (taken, back) = so_far(tx, scope, stored)?;
        sum(taken, back.negated())?
    } else {
        returned(tx, scope, stored)?
    };
    Ok(rules::undone(stored.payment.method, stored.payment.amount, fee))
}

fn plan_of(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment) -> Result<Option<FeePlan>, StoreError> {
    match (stored.channel_account, stored.fee_plan) {
        (Some(account), Some(version)) => fee_plans::load(tx, scope, account, version).map(Some),
        _ => Ok(None),
    }
}

/// What of the fee comes back now: what should be back by now, less what is. Both are read from the books, so that a fee
/// that was corrected comes back as corrected.
fn returned(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment) -> Result<Money, StoreError> {
    let amount = stored.payment.amount;
    let none = Money::new(0, amount.currency());
    let Some(plan) = plan_of(tx, scope, stored)? else { return Ok(none) };
    let given_back_minor = match &stored.payment.state {
        State::Captured(capture) => capture.refunded_minor,
        _ => amount.minor(),
    };
    let (taken, back) = so_far(tx, scope, stored)?;
    let due = plan.on_refund().returned(taken, amount, given_back_minor);
    let now = sum(due, back.negated())?;
    // A correction after a refund can leave less of the fee than has come back; that is the channel's bill to settle.
    Ok(if now.minor() < 0 { none } else { now })
}

/// What the books have as taken and as given back of the payment's fee.
fn so_far(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment) -> Result<(Money, Money), StoreError> {
    let none = Money::new(0, stored.payment.amount.currency());
    let (mut taken, mut back) = (none, none);
    for set in ledger::of_payment(tx, scope, stored.payment.id)? {
        for posting in set.postings.iter().filter(|posting| posting.account == Account::Fees) {
            match set.kind {
                Kind::Captured => taken = sum(taken, posting.money)?,
                // Of the fee that was taken, or of what a refund brought back.
                Kind::FeeCorrected if set.refund.is_none() => taken = sum(taken, posting.money)?,
                Kind::RefundSucceeded | Kind::Undone | Kind::FeeCorrected => back = sum(back, posting.money.negated())?,
                _ => {}
            }
        }
    }
    Ok((taken, back))
}

fn sum(one: Money, other: Money) -> Result<Money, StoreError> {
    one.checked_add(other).map_err(|error| StoreError::Corrupt { why: format!("the fees of a payment: {error}") })
}
