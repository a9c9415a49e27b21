//! Offline codes at the issuer: what a holder's phone is granted, and what becomes of a code that a terminal took.
//!
//! A grant sets its cap aside, so that what is honestly spent can always be paid; it stays set aside for [`GRACE_MS`] after the
//! grant's end, since journals come late. What is spent beyond it the issuer bears: the shop is owed the whole amount.

use ring::{rand::SystemRandom, signature::Ed25519KeyPair};
use saoma_domain::{
    ledger::{Kind, rules},
    stored_value::{
        Charge, Event, MovementKind, State, decide,
        offline::{Granted, Spending, reserve, spend},
    },
};
use saoma_protocol::{
    Amount, Millis, PaymentId, StoredValueAccountId, StoredValueMovementId, TerminalId,
    code::offline::{Code, Grant, Issuer, KeyId, SignedGrant, Token, public_key},
};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    ledger::{self, Booking, Subject},
    sealed::Place,
    stored_value::{
        self,
        charges::{self, StoredCharge},
        codes,
        movements::{self, Numbered},
        offline::{
            Policy,
            grants::{self, StoredGrant},
            issuers::{self, StoredIssuer},
            policy,
            spends::{self, Spend},
        },
    },
};
use zeroize::Zeroizing;

use super::{Deed, StoredValueError};
use crate::{
    secrets::{SecretsError, Vault},
    webhooks::tell_double_spent,
};

const HOUR_MS: i64 = 3_600_000;
/// Longest life of a grant, in hours.
pub const GRANT_HOURS_MAX: u16 = 72;
/// How long after its end what was granted stays set aside: a terminal that was offline for a week is heard.
pub const GRACE_MS: i64 = 7 * 24 * HOUR_MS;
/// How long a key signs; it is good for as long as the longest grant after that.
const SIGNS_MS: i64 = 365 * 24 * HOUR_MS;
/// Clocks of terminals may be behind by so much.
const EARLY_MS: i64 = 60_000;

/// What is asked for a holder's phone; checked to be such as a grant may say.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub account: StoredValueAccountId,
    pub token: Token,
    /// A sound key of Ed25519.
    pub device_key: [u8; 32],
    pub cap: Amount,
    pub cap_minor: u32,
    pub cap_single_minor: u32,
    pub valid_hours: u16,
    pub code_seconds: u8,
}

/// Grants it: the cap is set aside, and signed with the tenant's key, which it gets with its first grant.
///
/// # Errors
/// `OfflineOff`, `NotFound`, then as the domain decides; `Secrets`.
pub fn grant(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    vault: &Vault,
    wanted: &Wanted,
    actor: &str,
    now: Millis,
) -> Result<(StoredGrant, SignedGrant), StoredValueError> {
    ledger::take_turn(tx, scope)?;
    if !policy(tx, scope)?.is_some_and(|policy| policy.enabled) {
        return Err(StoredValueError::OfflineOff);
    }
    let held = stored_value::load(tx, scope, wanted.account)?;
    reserve(&held.account, grants::reserved_minor(tx, scope, wanted.account, now)?, wanted.cap)?;
    let (issuer, pair) = signing_key(tx, scope, vault, now)?;
    let not_before = u32::try_from(now.plus(-EARLY_MS).0 / 1000).unwrap_or(0);
    let signed = Grant {
        issuer,
        token: wanted.token,
        currency: wanted.cap.currency(),
        cap_single: wanted.cap_single_minor,
        cap_grant: wanted.cap_minor,
        not_before,
        valid_hours: wanted.valid_hours,
        code_seconds: wanted.code_seconds,
        device_key: wanted.device_key,
    }
    .sign(&pair);
    let not_after = signed.grant.not_after();
    let stored = StoredGrant {
        token: wanted.token,
        account: wanted.account,
        issuer,
        cap: wanted.cap,
        cap_single_minor: wanted.cap_single_minor.into(),
        spent_minor: 0,
        device_key: hex::encode(wanted.device_key),
        not_before: Millis(i64::from(not_before) * 1000),
        not_after,
        code_seconds: wanted.code_seconds,
        reserved_until: not_after.plus(GRACE_MS),
        revoked_at: None,
        made_by: actor.to_owned(),
        created_at: now,
    };
    grants::make(tx, scope, &stored)?;
    Ok((stored, signed))
}

fn signing_key(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    vault: &Vault,
    now: Millis,
) -> Result<(KeyId, Ed25519KeyPair), SecretsError> {
    let read = |pkcs8: &[u8]| Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| SecretsError::Sealed);
    if let Some(known) = issuers::signing(tx, scope, now)? {
        let pkcs8 = vault.open(tx, *scope, &Place::OfflineIssuer(known.id), &known.secret)?;
        return Ok((known.id, read(&pkcs8)?));
    }
    let drawn = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SecretsError::NoChance)?;
    let pkcs8 = Zeroizing::new(drawn.as_ref().to_vec());
    let pair = read(&pkcs8)?;
    let public = public_key(&pair);
    let id = KeyId::of(&public);
    let signs_until = now.plus(SIGNS_MS);
    let stored = StoredIssuer {
        id,
        issuer: Issuer {
            public_key: hex::encode(public),
            not_before: now.plus(-EARLY_MS),
            not_after: signs_until.plus(i64::from(GRANT_HOURS_MAX) * HOUR_MS),
            revoked: false,
        },
        secret: vault.seal(tx, *scope, &Place::OfflineIssuer(id), &pkcs8, now)?,
        signs_until,
        created_at: now,
    };
    issuers::add(tx, scope, &stored)?;
    Ok((id, pair))
}

/// A code that a terminal took.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    pub code: &'a Code,
    pub payment: PaymentId,
    pub amount: Amount,
    pub terminal: TerminalId,
    /// By the terminal's clock, as far as that is believed.
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
    let Some(policy) = policy(tx, scope)? else {
        return held("an offline code was taken, and this merchant has no policy for them".to_owned());
    };
    let issuers = issuers::list(tx, scope, taken.at)?;
    if let Err(error) = taken.code.verify(&issuers, taken.at) {
        let forged = if error.is_forged() { "forged: " } else { "" };
        return held(format!("{forged}{error}"));
    }
    let grant = match grants::load(tx, scope, taken.code.grant().token) {
        Ok(grant) => grant,
        Err(StoreError::NotFound { .. }) => return held("the code's grant is signed, and not known here".to_owned()),
        Err(error) => return Err(error.into()),
    };
    if taken.amount.currency() != grant.cap.currency() {
        return held(format!("{} was taken with a code in {}", taken.amount, grant.cap.currency()));
    }
    if taken.amount.minor() > grant.cap_single_minor {
        return held(format!(
            "{} is more than one code allows, {} in minor units",
            taken.amount, grant.cap_single_minor
        ));
    }
    if charges::find(tx, scope, &policy.acceptor, &taken.payment.to_string())?.is_some() {
        return held(format!("{} was asked for online as well", taken.payment));
    }
    Ok((policy, grant))
}

/// Books at the issuer's what was taken: the account pays what was granted, the issuer what was too much, and who spends twice is
/// frozen. Once for a payment.
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
        reserved_minor: grant.reserved_minor(now),
        is_counter_spent: spends::is_spent(tx, scope, grant.token, counter)?,
    };
    let Spending { covered_minor, risk_minor, over } = spend(&held.account, reserved_minor, &granted, taken.amount);
    // The movement has the payment's number, as its order has.
    let id = StoredValueMovementId::from_bytes(*taken.payment.as_bytes());
    let deed = Deed { id, actor: taken.terminal.to_string(), at: now };
    let (number, day) = (taken.payment.to_string(), deed.day(tx, scope)?);
    if let Ok(covered) = Amount::new(covered_minor, taken.amount.currency()) {
        let internal = |refusal: saoma_domain::stored_value::Refusal| StoreError::Internal { why: refusal.to_string() };
        let after = decide(&held.account, &Event::SpentOffline(covered)).map_err(internal)?;
        let numbered =
            Numbered { acceptor: policy.acceptor.clone(), number: number.clone(), charge_number: number.clone() };
        let told = deed.movement(tx, scope, MovementKind::Charged, Some(numbered), None)?;
        movements::record(tx, scope, &mut held, after, told)?;
        let charge = StoredCharge {
            acceptor: policy.acceptor.clone(),
            number: number.clone(),
            account: Some(grant.account),
            charge: Charge::Charged { amount: covered, returned_minor: 0 },
            movement: Some(id),
            day,
            created_at: now,
            updated_at: now,
        };
        charges::insert(tx, scope, &charge)?;
        grants::spend(tx, scope, grant.token, covered_minor)?;
    }
    if let Ok(risk) = Amount::new(risk_minor, taken.amount.currency()) {
        let subject = Subject::Other(format!("offline/{number}"));
        let booking = Booking { subject, kind: Kind::DoubleSpent, channel_account: None, at: taken.at, booked_at: now };
        ledger::post(tx, scope, &booking, &rules::double_spent(risk))?;
    }
    let spend = Spend {
        payment: taken.payment,
        grant: grant.token,
        account: grant.account,
        terminal: taken.terminal,
        counter,
        amount: taken.amount,
        covered_minor,
        over,
        sold_at: taken.at,
        at: now,
    };
    spends::insert(tx, scope, &spend)?;
    if over.is_some_and(saoma_domain::stored_value::offline::Over::is_double_spent) {
        freeze(tx, scope, &mut held, now)?;
        let detail = serde_json::json!({ "payment": spend.payment, "grant": spend.grant.to_string(),
            "counter": counter, "why": over.map(saoma_domain::stored_value::offline::Over::text), "risk_minor": risk_minor });
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
    grants::revoke(tx, scope, held.id, now)?;
    codes::kill(tx, scope, held.id)?;
    if held.account.state == State::Active {
        (held.account.state, held.updated_at) = (State::Frozen, now);
        stored_value::save(tx, scope, held)?;
    }
    Ok(())
}
