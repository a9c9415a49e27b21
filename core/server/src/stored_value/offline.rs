//! Offline codes at the issuer: what a holder's phone is granted, and what becomes of a code that a terminal took.
//!
//! A grant sets its cap aside, so that what is honestly spent can always be paid. What is left of it is free again once every terminal
//! has told core what it took until the grant's end: by an entry of its journal or a report that nothing is unsent, some minutes later
//! (`grants::heard`). A terminal that is silent holds it back, for [`GRACE_MS`] at most; who scraps one revokes it. A revoked
//! grant is no earlier free: core cannot know when a terminal without a network hears of it, and until the grant's end it may take
//! codes. So a phone that fetches a grant a day, after the last one's end, has one set aside and not eight; one that fetches before has
//! both for the time between. What is spent beyond what is set aside and free the issuer bears: the shop gave its goods for a code that
//! was good where it was shown, so it is owed the whole amount.
//!
//! Who pays, and to whom it comes back ([`taken`], [`charges`](super)):
//!
//! | what comes in | the account | the issuer | the payment |
//! |---|---|---|---|
//! | a code within its grant, also after a freeze or a revocation | all | | succeeded |
//! | the same counter again, at another terminal, whatever the order: the one told first counts | | all | succeeded |
//! | beyond the grant's cap | what was left of it and what is free; of a frozen account or a revoked grant what was left | the rest | succeeded |
//! | when nothing is set aside any more | what is free of other grants | the rest | succeeded |
//! | after the account was closed | | all | succeeded |
//! | not signed, too old, of another tenant's issuer, of an unknown grant, over one code's cap, in another currency, the same counter again at the same terminal, a number that was asked online | | | held for a person |
//!
//! Whatever a person later refunds or voids goes through the payment's channel account, as if the code had been scanned online: the
//! issuer knows a charge of the whole amount under the payment's number. What comes back makes the issuer's loss good first; only what
//! is more is the holder's. So neither phone nor thief gains by returning goods, and a closed account stands in the way of a refund
//! only as far as it is owed something.
//!
//! The payment is one of the channel account that the policy names when the sale comes in, also if that is disabled or the policy is
//! switched off by then. Its fee is that account's. It is bound to the package that the rollouts give its merchant at that moment
//! (`plugin_rollouts::choice_for`), whether or not this node could load it: no package began it, and that one answers for it from
//! then on. It counts as paid when the issuer booked it, not when the terminal sold: so it stands on the issuer's bill of the same
//! day, and may be voided on that day; its order keeps the time of the sale. The bill has one line with the whole amount, whoever
//! paid it: the acceptor does not see, and need not know, that a code was spent twice.
//!
//! Payment, charge, movement, loss and spend are one transaction in the tenant's turn at the books: two terminals, or two nodes, come
//! one after the other, and after a crash the terminal sends again what is not there. Who spent a code twice is frozen; who spent
//! beyond the grant is not, since two terminals without a network may each take what is left of it. A person looks at each loss
//! ([`loss`]) and leaves it, or has the account pay for it.
//!
//! What is held books nothing, now or later: as with other held entries of a journal a person reads it (`/v1/terminals/{id}/held`), and
//! core has no way to book it by hand. The shop bears it, or settles it with the holder outside.
//!
//! Not offered: a void without a network (the sale goes to core first), and grants of another tenant's issuer: the acceptor and the
//! issuer are one merchant.

mod loss;
mod taken;

pub use loss::resolve;
pub use taken::{Doubt, Taken, check, movement_of, settle};

use ring::{rand::SystemRandom, signature::Ed25519KeyPair};
use saoma_domain::stored_value::offline::reserve;
use saoma_protocol::{
    Amount, Millis, StoredValueAccountId,
    code::offline::{Grant, Issuer, KeyId, SignedGrant, Token, public_key},
    message::PushBody,
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    channel_accounts::ChannelAccount,
    ledger,
    outbox::{self, NewMessage},
    sealed::Place,
    stored_value::{
        self,
        offline::{
            grants::{self, StoredGrant},
            issuers::{self, StoredIssuer},
            policy,
        },
    },
    terminals,
};
use zeroize::Zeroizing;

use super::StoredValueError;
use crate::secrets::{SecretsError, Vault};

const HOUR_MS: i64 = 3_600_000;
/// Longest life of a grant, in hours.
pub const GRANT_HOURS_MAX: u16 = 72;
/// How long after its end what was granted stays set aside at most: a terminal that was offline for a week is heard.
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

/// The name under which the issuer counts what goes through the account, where its settings have one: refunds and bills ask by it.
#[must_use]
pub fn acceptor_named(account: &ChannelAccount) -> Option<String> {
    let settings: serde_json::Value = serde_json::from_str(&account.settings_json).ok()?;
    settings.get("acceptor")?.as_str().map(str::to_owned)
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
        revoked_at: None,
        created_at: now,
    };
    issuers::add(tx, scope, &stored)?;
    // No code of it is taken where it is not known.
    announce(tx, scope, now)?;
    Ok((id, pair))
}

/// Revokes a key that may have leaked: terminals that hear of it take nothing that it signed, and the next grant is signed with a new
/// one. What they took before is booked as far as it is of a grant that was made here.
///
/// # Errors
/// `NotFound`.
pub fn revoke_key(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    key: KeyId,
    now: Millis,
) -> Result<StoredIssuer, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let revoked = issuers::revoke(tx, scope, key, now)?;
    announce(tx, scope, now)?;
    Ok(revoked)
}

/// Revokes one grant: terminals that hear of it take no code of it. What was taken before is booked all the same.
///
/// # Errors
/// `NotFound`, `NoGrant` if it is another account's.
pub fn revoke(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    token: Token,
    now: Millis,
) -> Result<StoredGrant, StoredValueError> {
    ledger::take_turn(tx, scope)?;
    let grant = grants::load(tx, scope, token)?;
    if grant.account != account {
        return Err(StoredValueError::NoGrant);
    }
    if grant.revoked_at.is_none() {
        grants::revoke_one(tx, scope, token, now)?;
        announce(tx, scope, now)?;
    }
    Ok(grants::load(tx, scope, token)?)
}

/// Revokes all grants of an account.
///
/// # Errors
/// Of the store.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    now: Millis,
) -> Result<(), StoreError> {
    if grants::revoke(tx, scope, account, now)? { announce(tx, scope, now) } else { Ok(()) }
}

/// Every terminal is to fetch its list, if it has not been told yet: a terminal that was off for a month, or of a release that does not
/// know the word, has one push waiting. One that has taken it and not said so yet fetches once more after it has.
///
/// # Errors
/// Of the store.
pub fn announce(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<(), StoreError> {
    let payload = serde_json::to_string(&PushBody::OfflineListChanged);
    let payload = payload.map_err(|error| StoreError::Internal { why: error.to_string() })?;
    let waiting = outbox::waiting(tx, scope, &payload)?;
    for terminal in terminals::list(tx, scope, None)? {
        if terminal.enrolled_at.is_some() && terminal.revoked_at.is_none() && !waiting.contains(&terminal.id) {
            let (terminal, payload) = (Some(terminal.id), payload.clone());
            outbox::append(tx, scope, &NewMessage { kind: outbox::Kind::Push, terminal, payload, created_at: now })?;
        }
    }
    Ok(())
}
