//! At the desk: money in, a mistake taken back, a phone that was lost, and money out.

use saoma_domain::stored_value::{Event, MovementKind, Refusal, State, decide};
use saoma_protocol::{Amount, Millis, StoredValueAccountId, StoredValueMovementId};
use saoma_store::{
    TenantScope, Tx, ledger,
    stored_value::{
        self, StoredAccount, codes,
        movements::{self, Movement, NewMovement},
        offline::grants,
    },
};

use super::{Deed, StoredValueError, offline};

/// A holder pays cash in.
///
/// # Errors
/// `NotFound`, and as the domain decides.
pub fn top_up(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    account: StoredValueAccountId,
    amount: Amount,
) -> Result<Movement, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let mut stored = stored_value::load(tx, scope, account)?;
    let after = decide(&stored.account, &Event::ToppedUp(amount))?;
    let told = deed.movement(tx, scope, MovementKind::ToppedUp, None, None)?;
    Ok(movements::record(tx, scope, &mut stored, after, told)?)
}

/// Takes a top-up back that was a mistake: the holder has the cash again.
///
/// # Errors
/// `NotFound`, `NoTopUp`, `TakenBack`, and as the domain decides: what is spent cannot be taken back.
pub fn reverse(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    top_up: StoredValueMovementId,
    reason: String,
) -> Result<Movement, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let made = movements::load(tx, scope, top_up)?;
    if made.told.kind != MovementKind::ToppedUp {
        return Err(StoredValueError::NoTopUp);
    }
    if movements::is_reversed(tx, scope, top_up)? {
        return Err(StoredValueError::TakenBack);
    }
    let mut stored = stored_value::load(tx, scope, made.account)?;
    let reserved_minor = grants::reserved_minor(tx, scope, made.account, deed.at)?;
    let after = decide(&stored.account, &Event::TopUpReversed { amount: made.amount()?, reserved_minor })?;
    let told = deed.movement(tx, scope, MovementKind::TopUpReversed, None, Some(reason))?;
    Ok(movements::record(tx, scope, &mut stored, after, NewMovement { reverses: Some(top_up), ..told })?)
}

/// Freezes the account, or releases it. Every code of it that is out there is dead from here on, those of offline grants as soon as
/// terminals hear of it, which they do at once if they have a network.
///
/// # Errors
/// `NotFound`, and as the domain decides.
pub fn change_state(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    event: Event,
    now: Millis,
) -> Result<StoredAccount, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let mut stored = stored_value::load(tx, scope, account)?;
    (stored.account, stored.updated_at) = (decide(&stored.account, &event)?, now);
    codes::kill(tx, scope, account)?;
    offline::revoke_all(tx, scope, account, now)?;
    stored_value::save(tx, scope, &mut stored)?;
    Ok(stored)
}

/// Pays the remainder out in cash and closes the account for good.
///
/// # Errors
/// `NotFound`, and as the domain decides.
pub fn close(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    account: StoredValueAccountId,
    reason: String,
) -> Result<StoredAccount, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let mut stored = stored_value::load(tx, scope, account)?;
    let reserved_minor = grants::reserved_minor(tx, scope, account, deed.at)?;
    let after = decide(&stored.account, &Event::Closed { reserved_minor })?;
    offline::revoke_all(tx, scope, account, deed.at)?;
    codes::kill(tx, scope, account)?;
    if stored.account.balance_minor > 0 {
        let told = deed.movement(tx, scope, MovementKind::PaidOut, None, Some(reason))?;
        movements::record(tx, scope, &mut stored, after, told)?;
    } else {
        (stored.account, stored.updated_at) = (after, deed.at);
        stored_value::save(tx, scope, &mut stored)?;
    }
    Ok(stored)
}

/// Gives the account another code, by its hash.
///
/// # Errors
/// `NotFound`, `Refused` unless it is active.
pub fn new_code(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    code_hash: &[u8; 32],
    expires_at: Millis,
) -> Result<(), StoredValueError> {
    // A freeze at the same moment comes before or after it, and then kills it.
    ledger::take_turn(tx, scope)?;
    match stored_value::load(tx, scope, account)?.account.state {
        State::Active => Ok(codes::put(tx, scope, account, code_hash, expires_at)?),
        State::Frozen => Err(Refusal::Frozen.into()),
        State::Closed => Err(Refusal::Closed.into()),
    }
}
