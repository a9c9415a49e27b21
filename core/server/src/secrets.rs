//! Secrets at rest: a master key outside the database wraps a data key per tenant, which encrypts channel secrets.
//!
//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; what a ciphertext belongs to is its associated data, so that one
//! cannot be moved to another tenant or account.
//!
//! Values are sealed within the transaction that stores them, and opened within the one that reads them: so each finds the
//! keys as they stand with the values, whatever is being rotated ([`crate::rotation`]).

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use saoma_channels::Secrets;
use saoma_protocol::{ChannelAccountId, Millis};
use saoma_store::{
    Opaque, Store, StoreError, TenantScope, Tx, access, channel_accounts, master_keys,
    tenant_keys::{self, TenantKey},
};
use zeroize::Zeroizing;

use crate::{masters::Masters, session_keys::SessionKeys};

pub(crate) const KEY_LEN: usize = 32;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("use the master key {path}: {why}")]
    Master { path: String, why: String },
    #[error(
        "find the master key {name}: something is sealed under it, and its file is not here. Copy it from another node or \
         from the backup to {file}, or beside it"
    )]
    NoMaster { name: String, file: String },
    #[error("open a secret: it was sealed under another key, or changed")]
    Sealed,
    #[error("draw a key: the machine gives no random bytes")]
    NoChance,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds the master keys, and the platform's own keys in the clear. All clones are one.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    masters: Masters,
    own: OwnKeys,
    sessions: RwLock<Arc<SessionKeys>>,
    /// Whether everything that is in force could be read when it was last tried.
    whole: AtomicBool,
}

/// Keys of the platform's own that never change: they are drawn once and sealed under the master key, so that they outlive it.
pub struct OwnKeys {
    pub pay_code: hmac::Key,
    /// Of the hashes by which a repeated request is known again.
    pub fingerprint: hmac::Key,
    /// Of the marks by which our own refresh tokens are known.
    pub refresh: hmac::Key,
}

impl Vault {
    /// See [`crate::own_keys::open`], which reads what it takes.
    #[must_use]
    pub fn new(masters: Masters, own: OwnKeys, sessions: SessionKeys) -> Self {
        let whole = AtomicBool::new(true);
        Self(Arc::new(Inner { masters, own, sessions: RwLock::new(Arc::new(sessions)), whole }))
    }

    #[must_use]
    pub fn masters(&self) -> &Masters {
        &self.0.masters
    }

    #[must_use]
    pub fn own(&self) -> &OwnKeys {
        &self.0.own
    }

    #[must_use]
    pub fn sessions(&self) -> Arc<SessionKeys> {
        Arc::clone(&self.0.sessions.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_sessions(&self, sessions: SessionKeys) {
        *self.0.sessions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sessions);
    }

    /// Whether this node can read every key that is in force: one that cannot must not be asked.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.whole.load(Ordering::Relaxed)
    }

    pub(crate) fn set_whole(&self, whole: bool) {
        self.0.whole.store(whole, Ordering::Relaxed);
    }

    /// Encrypts an account's secrets (by name) for [`channel_accounts::set_secrets`] in the same transaction.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_secrets(
        &self,
        tx: &mut Tx<'_>,
        scope: TenantScope,
        account: ChannelAccountId,
        secrets: &BTreeMap<String, String>,
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        let plain = Zeroizing::new(serde_json::to_vec(secrets).map_err(|_| SecretsError::Sealed)?);
        self.seal(tx, scope, &account, &plain, now)
    }

    /// The same for an account that may have secrets: those named are replaced, or taken away (`None`), the others stay.
    ///
    /// # Errors
    /// As [`Self::seal`] and [`Self::open`]; `NotFound` of the store if the account is not the tenant's.
    pub fn seal_changed(
        &self,
        tx: &mut Tx<'_>,
        scope: TenantScope,
        account: ChannelAccountId,
        changes: &BTreeMap<String, Option<String>>,
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        // Before the look, so that the key it is under is not taken away in between.
        tenant_keys::take_turn(tx, &scope)?;
        let mut secrets = self.opened(tx, scope, account)?;
        for (name, value) in changes {
            match value {
                Some(value) => drop(secrets.insert(name.clone(), value.clone())),
                None => drop(secrets.remove(name)),
            }
        }
        self.seal_secrets(tx, scope, account, &secrets, now)
    }

    /// The account's secrets, for one call of its plugin; none if it has none.
    ///
    /// # Errors
    /// As [`Self::open`]; `NotFound` of the store if the account is not the tenant's.
    pub async fn secrets_of(
        &self,
        store: &Store,
        scope: TenantScope,
        account: ChannelAccountId,
    ) -> Result<Secrets, SecretsError> {
        let vault = self.clone();
        let values = store.read(move |tx| vault.opened(tx, scope, account)).await?;
        Ok(values.into_iter().map(|(name, value)| (name, Zeroizing::new(value.into_bytes()))).collect())
    }

    fn opened(
        &self,
        tx: &mut Tx<'_>,
        scope: TenantScope,
        account: ChannelAccountId,
    ) -> Result<BTreeMap<String, String>, SecretsError> {
        let Some(sealed) = channel_accounts::secrets(tx, &scope, account)? else { return Ok(BTreeMap::new()) };
        let plain = self.open(tx, scope, &account, &sealed)?;
        serde_json::from_slice(&plain).map_err(|_| SecretsError::Sealed)
    }

    /// Encrypts a value of the tenant's under its data key, which it gets with its first value; `what` is the id of what the
    /// value belongs to. Store it in the same transaction.
    ///
    /// # Errors
    /// `Store`, `NoChance`, `NoMaster`, `Master`, `Sealed` if the tenant's data key is not ours.
    pub fn seal(
        &self,
        tx: &mut Tx<'_>,
        scope: TenantScope,
        what: &impl Display,
        plain: &[u8],
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        tenant_keys::take_turn(tx, &scope)?;
        let data_key = match tenant_keys::current(tx, &scope)? {
            Some(data_key) => data_key,
            None => self.add_data_key(tx, scope, now)?,
        };
        let sealed = seal(&self.unwrapped(scope, &data_key)?, plain, &bound_to(scope, what))?;
        Ok(Opaque([data_key.number.to_be_bytes().as_slice(), &sealed].concat()))
    }

    /// What [`Self::seal`] encrypted, read in the same transaction.
    ///
    /// # Errors
    /// `Store`, `NoMaster`, `Master`, `Sealed`.
    pub fn open(
        &self,
        tx: &mut Tx<'_>,
        scope: TenantScope,
        what: &impl Display,
        sealed: &Opaque<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let (number, sealed) = sealed.0.split_first_chunk::<4>().ok_or(SecretsError::Sealed)?;
        let data_key = tenant_keys::load(tx, &scope, u32::from_be_bytes(*number))?;
        open(&self.unwrapped(scope, &data_key)?, sealed, &bound_to(scope, what))
    }

    /// The tenant's next data key, wrapped under the master key that seals now.
    ///
    /// # Errors
    /// `Store`, `NoChance`, `NoMaster`, `Master`.
    pub fn add_data_key(&self, tx: &mut Tx<'_>, scope: TenantScope, now: Millis) -> Result<TenantKey, SecretsError> {
        tenant_keys::take_turn(tx, &scope)?;
        let master = master_keys::hold(tx, &access::process())?;
        let mut fresh = Zeroizing::new([0; KEY_LEN]);
        SystemRandom::new().fill(fresh.as_mut_slice()).map_err(|_| SecretsError::NoChance)?;
        let wrapped = Opaque(self.masters().seal(&master, fresh.as_slice(), &scope.tenant().to_string())?);
        Ok(tenant_keys::add(tx, &scope, &wrapped, &master, now)?)
    }

    /// The same data key, wrapped under another master key.
    ///
    /// # Errors
    /// `NoMaster`, `Master`, `Sealed`, `NoChance`.
    pub fn rewrapped(
        &self,
        scope: TenantScope,
        data_key: &TenantKey,
        master: &str,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        let tenant = scope.tenant().to_string();
        let plain = self.masters().open(&data_key.master, &data_key.wrapped.0, &tenant)?;
        self.masters().seal(master, &plain, &tenant).map(Opaque)
    }

    fn unwrapped(&self, scope: TenantScope, data_key: &TenantKey) -> Result<LessSafeKey, SecretsError> {
        let plain = self.masters().open(&data_key.master, &data_key.wrapped.0, &scope.tenant().to_string())?;
        key(plain.as_slice().try_into().map_err(|_| SecretsError::Sealed)?)
    }
}

fn bound_to(scope: TenantScope, what: &impl Display) -> String {
    format!("{}/{what}", scope.tenant())
}

pub(crate) fn key(bytes: &[u8; KEY_LEN]) -> Result<LessSafeKey, SecretsError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| SecretsError::Sealed)
}

/// Nonce, then ciphertext and tag.
pub(crate) fn seal(key: &LessSafeKey, plain: &[u8], bound_to: &str) -> Result<Vec<u8>, SecretsError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SecretsError::NoChance)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut sealed)
        .map_err(|_| SecretsError::Sealed)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

pub(crate) fn open(key: &LessSafeKey, sealed: &[u8], bound_to: &str) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SecretsError::Sealed)?;
    let mut opened = Zeroizing::new(sealed.to_vec());
    let len = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound_to), opened.as_mut_slice())
        .map_err(|_| SecretsError::Sealed)?
        .len();
    opened.truncate(len);
    Ok(opened)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::own_keys;

    /// A database with the keys of an installation.
    pub(crate) fn vault(folder: &std::path::Path, whose: &str, now: Millis) -> (Store, Vault) {
        let store = Store::open(&folder.join(format!("{whose}.db")).display().to_string(), 2).unwrap();
        let vault = own_keys::open(&store, &folder.join(format!("{whose}.key")), now).unwrap();
        (store, vault)
    }

    #[test]
    fn what_is_sealed_opens_only_unchanged_and_only_where_it_belongs() {
        let (ours, other) = (key(&[1; 32]).unwrap(), key(&[2; 32]).unwrap());
        let sealed = seal(&ours, b"hunter2", "ten_a/cha_b").unwrap();
        assert_eq!(open(&ours, &sealed, "ten_a/cha_b").unwrap().as_slice(), b"hunter2");
        assert!(open(&other, &sealed, "ten_a/cha_b").is_err());
        assert!(open(&ours, &sealed, "ten_c/cha_b").is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&ours, &changed, "ten_a/cha_b").is_err(), "byte {at}");
        }
        assert!(open(&ours, &sealed[..5], "ten_a/cha_b").is_err());
    }
}
