//! What becomes of a code that a terminal took: who pays, and what is for a person.

use saoma_domain::stored_value::{
    Charge, Event, MovementKind, State, decide,
    offline::{Granted, Over, Spending, spend},
};
use saoma_protocol::{
    Amount, Millis, PaymentId, StoredValueMovementId, TerminalId,
    code::offline::{Code, Issuer},
};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, channel_accounts,
    stored_value::{
        self,
        charges::{self, StoredCharge},
        codes,
        movements::{self, NewMovement, Numbered},
        offline::{
            Policy,
            grants::{self, StoredGrant},
            issuers, policy,
            spends::{self, Spend},
        },
    },
};

use super::super::Deed;
use crate::webhooks::tell_double_spent;

/// A code that a terminal took.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    pub code: &'a Code,
    pub payment: PaymentId,
    pub amount: Amount,
    pub terminal: TerminalId,
    /// By the terminal's clock, as far as that is believed; some seconds ahead of core's at most.
    pub at: Millis,
}

/// Why a code that a terminal took is for a person. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    #[error("{0}")]
    Held(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What core knows to be right of a code: its policy and its grant.
///
/// # Errors
/// `Held` for a code that a terminal should not have taken, with what is wrong.
pub fn check(tx: &mut Tx<'_>, scope: &TenantScope, taken: &Taken<'_>) -> Result<(Policy, StoredGrant), Doubt> {
    let held = |why: String| Err(Doubt::Held(why));
    let Some(mut policy) = policy(tx, scope)? else {
        return held("an offline code was taken, and this merchant has no policy for them".to_owned());
    };
    // Refunds and bills ask by what its account calls it now.
    let account = channel_accounts::load(tx, scope, policy.channel_account)?;
    policy.acceptor = super::acceptor_named(&account).unwrap_or(policy.acceptor);
    // A terminal may not have heard of a key's revocation: what was made here stands, and nothing else does.
    let known = issuers::list(tx, scope, taken.at)?.into_iter();
    let issuers: Vec<_> = known.map(|known| Issuer { revoked: false, ..known.issuer }).collect();
    if let Err(error) = taken.code.verify(&issuers, taken.at) {
        let forged = if error.is_forged() { "forged: " } else { "" };
        return held(format!("{forged}{error}"));
    }
    let grant = match grants::load(tx, scope, taken.code.grant().token) {
        Ok(grant) => grant,
        Err(StoreError::NotFound { .. }) => return held("the code's grant is signed, and not known here".to_owned()),
        Err(error) => return Err(error.into()),
    };
    if hex::encode(taken.code.grant().device_key) != grant.device_key {
        return held("the code's grant is signed, and was made here for another phone".to_owned());
    }
    if taken.amount.currency() != grant.cap.currency() {
        return held(format!("{} was taken with a code in {}", taken.amount, grant.cap.currency()));
    }
    if taken.amount.minor() > grant.cap_single_minor {
        return held(format!(
            "{} is more than one code allows, {} in minor units",
            taken.amount, grant.cap_single_minor
        ));
    }
    // A terminal takes no code twice: this is nothing of the holder's.
    if spends::spent_at(tx, scope, grant.token, taken.code.counter)?.contains(&taken.terminal) {
        return held("this terminal has told the same offline code before, which is the terminal's fault".to_owned());
    }
    if charges::find(tx, scope, &policy.acceptor, &taken.payment.to_string())?.is_some() {
        return held(format!("{} was asked for online as well", taken.payment));
    }
    Ok((policy, grant))
}

/// The movement of a payment's code has its number, as its order has.
#[must_use]
pub const fn movement_of(payment: PaymentId) -> StoredValueMovementId {
    StoredValueMovementId::from_bytes(*payment.as_bytes())
}

/// Books at the issuer's what was taken: the account pays what was granted or is free, the issuer the rest, and who spends twice is
/// frozen. The acceptor is owed the whole of it. Once for a payment.
///
/// # Errors
/// Of the store; `Conflict` if the payment has a code already.
pub fn settle(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    taken: &Taken<'_>,
    (policy, grant): (&Policy, &StoredGrant),
    now: Millis,
) -> Result<Spend, StoreError> {
    let counter = taken.code.counter;
    let mut held = stored_value::load(tx, scope, grant.account)?;
    let reserved_minor = grants::reserved_minor(tx, scope, grant.account, now)?;
    let granted = Granted {
        cap_minor: grant.cap.minor(),
        spent_minor: grant.spent_minor,
        reserved_minor: grants::reserved_of(tx, scope, grant, now)?,
        is_counter_spent: !spends::spent_at(tx, scope, grant.token, counter)?.is_empty(),
        is_revoked: grant.revoked_at.is_some(),
    };
    let Spending { covered_minor, risk_minor, over } = spend(&held.account, reserved_minor, &granted, taken.amount);
    let id = movement_of(taken.payment);
    let deed = Deed { id, actor: taken.terminal.to_string(), at: now };
    let (acceptor, number, day) = (policy.acceptor.clone(), taken.payment.to_string(), deed.day(tx, scope)?);
    let after = match Amount::new(covered_minor, taken.amount.currency()) {
        Ok(covered) => decide(&held.account, &Event::SpentOffline(covered))
            .map_err(|refusal| StoreError::Internal { why: refusal.to_string() })?,
        Err(_) => held.account,
    };
    let numbered = Numbered { acceptor: acceptor.clone(), number: number.clone(), charge_number: number.clone() };
    let told = deed.movement(tx, scope, MovementKind::Charged, Some(numbered), None)?;
    movements::record(tx, scope, &mut held, after, NewMovement { borne_minor: risk_minor, ..told })?;
    let charge = StoredCharge {
        acceptor,
        number,
        account: Some(grant.account),
        charge: Charge::Charged { amount: taken.amount, borne_minor: risk_minor, returned_minor: 0 },
        movement: Some(id),
        day,
        created_at: now,
        updated_at: now,
    };
    charges::insert(tx, scope, &charge)?;
    // What is free paid beyond it.
    grants::spend(tx, scope, grant.token, covered_minor.min(grant.cap.minor() - grant.spent_minor))?;
    let spend = Spend {
        payment: taken.payment,
        grant: grant.token,
        account: grant.account,
        terminal: taken.terminal,
        counter,
        amount: taken.amount,
        covered_minor,
        over,
        sold_at: taken.at.min(now),
        at: now,
    };
    spends::insert(tx, scope, &spend)?;
    if over.is_some_and(Over::is_double_spent) {
        freeze(tx, scope, &mut held, now)?;
    }
    if matches!(over, Some(Over::Counter | Over::Cap)) {
        let detail = serde_json::json!({ "payment": spend.payment, "grant": spend.grant.to_string(),
            "counter": counter, "why": over.map(Over::text), "risk_minor": risk_minor });
        let entry = audit::NewEntry::new(&deed.actor, "stored_value.double_spent", &spend.account, &detail, now);
        audit::append(tx, scope, &entry)?;
        tell_double_spent(tx, scope, &spend, now)?;
    }
    Ok(spend)
}

/// Whoever has the phone spends nothing more.
fn freeze(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    held: &mut stored_value::StoredAccount,
    now: Millis,
) -> Result<(), StoreError> {
    super::revoke_all(tx, scope, held.id, now)?;
    codes::kill(tx, scope, held.id)?;
    if held.account.state == State::Active {
        (held.account.state, held.updated_at) = (State::Frozen, now);
        stored_value::save(tx, scope, held)?;
    }
    Ok(())
}
