//! What the issuer bore of an offline code, and a person's decision about it: it stays the issuer's, or the holder's account pays.

use saoma_domain::stored_value::{Event, MovementKind, decide};
use saoma_protocol::{Amount, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx, ledger,
    stored_value::{
        self,
        charges::{self, StoredCharge},
        movements,
        offline::{
            grants,
            spends::{self, Excess, Resolution},
        },
    },
};

use super::super::{Deed, StoredValueError};

/// Ends a double spend, once. `recover`: the account pays for what the issuer bears of it, as far as it holds that beside what is
/// set aside for codes; also a frozen one. What comes back of the sale later is then the holder's.
///
/// # Errors
/// `NotFound`, `Resolved`.
pub fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    payment: PaymentId,
    recover: bool,
    reason: &str,
) -> Result<Excess, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let (spend, before) = spends::load_over(tx, scope, payment)?;
    if before.is_some() {
        return Err(StoredValueError::Resolved);
    }
    let recovered_minor = if recover { take_back(tx, scope, deed, &spend, reason)? } else { 0 };
    let resolution =
        Resolution { recovered_minor, reason: reason.to_owned(), made_by: deed.actor.clone(), at: deed.at };
    spends::resolve(tx, scope, payment, &resolution)?;
    Ok((spend, Some(resolution)))
}

/// What the account paid.
fn take_back(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    spend: &spends::Spend,
    reason: &str,
) -> Result<i64, StoredValueError> {
    let mut charge = charge_of(tx, scope, spend)?;
    let mut held = stored_value::load(tx, scope, spend.account)?;
    let reserved_minor = grants::reserved_minor(tx, scope, spend.account, deed.at)?;
    let free_minor = held.account.balance_minor.saturating_sub(reserved_minor);
    let Ok(amount) = Amount::new(charge.charge.loss_minor().min(free_minor), spend.amount.currency()) else {
        return Ok(0);
    };
    let after = decide(&held.account, &Event::Recovered { amount, reserved_minor })?;
    // Without the charge's number: it is nothing to the acceptor, and stands on no bill.
    let told = deed.movement(tx, scope, MovementKind::Recovered, None, Some(reason.to_owned()))?;
    movements::record(tx, scope, &mut held, after, told)?;
    (charge.charge, charge.updated_at) = (charge.charge.recover(amount)?, deed.at);
    charges::save(tx, scope, &charge)?;
    Ok(amount.minor())
}

/// The charge of a code that was spent: its movement says under which acceptor.
fn charge_of(tx: &mut Tx<'_>, scope: &TenantScope, spend: &spends::Spend) -> Result<StoredCharge, StoredValueError> {
    let movement = movements::load(tx, scope, super::taken::movement_of(spend.payment))?;
    let numbered = movement.told.numbered.ok_or(StoreError::NotFound { what: "the charge" })?;
    charges::find(tx, scope, &numbered.acceptor, &numbered.number)?.ok_or(StoredValueError::UnknownCharge)
}
