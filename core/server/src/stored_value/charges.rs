//! For those who accept stored value: a charge by its number, and all that can become of it.

use saoma_domain::stored_value::{Charge, Event, MovementKind, Refusal, Returned, decide};
use saoma_protocol::{Amount, StoredValueAccountId};
use saoma_store::{
    StoreError, TenantScope, Tx, ledger,
    stored_value::{
        self,
        charges::{self, StoredCharge},
        codes,
        movements::{self, Movement, NewMovement, Numbered},
        offline::grants,
    },
};

use super::{Deed, StoredValueError};

/// A charge as an acceptor asks for it.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pub acceptor: String,
    pub number: String,
    pub amount: Amount,
    /// SHA-256 of the code that the holder showed.
    pub code_hash: [u8; 32],
}

/// Why a charge was refused that named no account.
const CODE: &str = "code";
/// The same, of a code whose time was over.
const CODE_EXPIRED: &str = "code_expired";

/// Charges the account whose code was shown, once under this number: again, it is what became of the first. A refusal is kept as
/// well, and the code is used up by it.
///
/// # Errors
/// `ChargeDiffers` if the number was charged with another amount.
pub fn charge(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    asked: &Acceptance,
) -> Result<StoredCharge, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    if let Some(known) = charges::find(tx, scope, &asked.acceptor, &asked.number)? {
        return match &known.charge {
            Charge::Barred => Ok(known),
            Charge::Refused { amount, .. } | Charge::Charged { amount, .. } | Charge::Cancelled { amount }
                if *amount == asked.amount =>
            {
                Ok(known)
            }
            _ => Err(StoredValueError::ChargeDiffers),
        };
    }
    let refused = |reason: &str| Charge::Refused { amount: asked.amount, reason: reason.to_owned() };
    let day = deed.day(tx, scope)?;
    let mut stored = StoredCharge {
        acceptor: asked.acceptor.clone(),
        number: asked.number.clone(),
        account: None,
        charge: refused(CODE),
        movement: None,
        day,
        created_at: deed.at,
        updated_at: deed.at,
    };
    if let Some((account, expires_at)) = codes::take(tx, scope, &asked.code_hash)? {
        stored.account = Some(account);
        if expires_at <= deed.at {
            stored.charge = refused(CODE_EXPIRED);
        } else {
            take(tx, scope, deed, account, asked.amount, &mut stored)?;
        }
    }
    charges::insert(tx, scope, &stored)?;
    Ok(stored)
}

fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    account: StoredValueAccountId,
    amount: Amount,
    stored: &mut StoredCharge,
) -> Result<(), StoreError> {
    let mut of = stored_value::load(tx, scope, account)?;
    let spent_minor = charges::spent_minor(tx, scope, account, &stored.day)?;
    let reserved_minor = grants::reserved_minor(tx, scope, account, deed.at)?;
    match decide(&of.account, &Event::Charged { amount, spent_minor, reserved_minor }) {
        // What its holder has set aside is nothing to an acceptor.
        Err(Refusal::Reserved { .. }) => {
            stored.charge = Charge::Refused { amount, reason: Refusal::Insufficient.code().to_owned() };
        }
        Err(refusal) => stored.charge = Charge::Refused { amount, reason: refusal.code().to_owned() },
        Ok(after) => {
            let numbered = numbered(stored, &stored.number);
            let told = deed.movement(tx, scope, MovementKind::Charged, Some(numbered), None)?;
            let movement = movements::record(tx, scope, &mut of, after, told)?;
            stored.charge = Charge::Charged { amount, borne_minor: 0, returned_minor: 0 };
            stored.movement = Some(movement.told.id);
        }
    }
    Ok(())
}

/// What has become of a number.
///
/// # Errors
/// `UnknownCharge`.
pub fn charge_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    acceptor: &str,
    number: &str,
) -> Result<StoredCharge, StoredValueError> {
    charges::find(tx, scope, acceptor, number)?.ok_or(StoredValueError::UnknownCharge)
}

/// Undoes a charge whole. A number that has not come yet is barred by it: the charge that comes later takes nothing.
///
/// # Errors
/// `PartlyReturned`; `Closed` if the holder's account was closed since, and has something back.
pub fn cancel(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    acceptor: &str,
    number: &str,
) -> Result<StoredCharge, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let Some(mut stored) = charges::find(tx, scope, acceptor, number)? else {
        let barred = StoredCharge {
            acceptor: acceptor.to_owned(),
            number: number.to_owned(),
            account: None,
            charge: Charge::Barred,
            movement: None,
            day: deed.day(tx, scope)?,
            created_at: deed.at,
            updated_at: deed.at,
        };
        charges::insert(tx, scope, &barred)?;
        return Ok(barred);
    };
    let (charge, returned) = stored.charge.cancel()?;
    if let Some(returned) = returned {
        back(tx, scope, deed, &stored, (MovementKind::ChargeCancelled, number), returned, None)?;
        (stored.charge, stored.updated_at) = (charge, deed.at);
        charges::save(tx, scope, &stored)?;
    }
    Ok(stored)
}

/// Gives back part or all of a charge, once under this number of the refund: what the issuer bore of it first, then the account's.
///
/// # Errors
/// `UnknownCharge`; `RefundDiffers` if the number was another refund's; as the domain decides.
pub fn give_back(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    (acceptor, number): (&str, &str),
    refund_number: &str,
    amount: Amount,
    reason: Option<String>,
) -> Result<Movement, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    if let Some(known) = movements::of_number(tx, scope, acceptor, MovementKind::Refunded, refund_number)? {
        let is_same = known.told.numbered.as_ref().is_some_and(|of| of.charge_number == number);
        return if is_same && known.amount()? == amount { Ok(known) } else { Err(StoredValueError::RefundDiffers) };
    }
    let mut stored = charge_of(tx, scope, acceptor, number)?;
    let (charge, returned) = stored.charge.refund(amount)?;
    let moved = back(tx, scope, deed, &stored, (MovementKind::Refunded, refund_number), returned, reason)?;
    (stored.charge, stored.updated_at) = (charge, deed.at);
    charges::save(tx, scope, &stored)?;
    Ok(moved)
}

/// The refund of this number, if it was given back.
///
/// # Errors
/// `UnknownCharge`.
pub fn refund_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    acceptor: &str,
    refund_number: &str,
) -> Result<Movement, StoredValueError> {
    let found = movements::of_number(tx, scope, acceptor, MovementKind::Refunded, refund_number)?;
    found.ok_or(StoredValueError::UnknownCharge)
}

fn back(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    deed: &Deed,
    charge: &StoredCharge,
    (kind, number): (MovementKind, &str),
    returned: Returned,
    reason: Option<String>,
) -> Result<Movement, StoredValueError> {
    let account = charge.account.ok_or(StoredValueError::UnknownCharge)?;
    let mut stored = stored_value::load(tx, scope, account)?;
    let after = match returned.to_holder() {
        Some(amount) => decide(&stored.account, &Event::Returned(amount))?,
        None => stored.account,
    };
    let told = deed.movement(tx, scope, kind, Some(numbered(charge, number)), reason)?;
    let told = NewMovement { borne_minor: returned.borne_minor, ..told };
    Ok(movements::record(tx, scope, &mut stored, after, told)?)
}

fn numbered(charge: &StoredCharge, number: &str) -> Numbered {
    Numbered { acceptor: charge.acceptor.clone(), number: number.to_owned(), charge_number: charge.number.clone() }
}
