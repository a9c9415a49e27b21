//! Secrets at rest: a master key outside the database wraps a data key per tenant, which encrypts channel secrets.
//!
//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; what a ciphertext belongs to is its associated data, so that one
//! cannot be moved to another tenant or account.

use std::{collections::BTreeMap, fmt::Display, fs, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
    rand::{SecureRandom as _, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use saoma_channels::Secrets;
use saoma_protocol::{ChannelAccountId, Millis};
use saoma_store::{Opaque, Store, StoreError, TenantScope, channel_accounts, tenant_keys};
use zeroize::Zeroizing;

use crate::private_file;

const KEY_LEN: usize = 32;
/// RFC 8410 §7: what stands before the 32 bytes of an Ed25519 seed in a PKCS #8 document.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// The name that wrapped data keys carry, for the day the master key is rotated.
const MASTER_NAME: &str = "file-1";

/// Why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("use the master key {path}: {why}")]
    Master { path: String, why: String },
    #[error("open a secret: it was sealed under another key, or changed")]
    Sealed,
    #[error("draw a key: the machine gives no random bytes")]
    NoChance,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds the master key, and what is derived from it.
pub struct Vault {
    master: LessSafeKey,
    pay_code: hmac::Key,
    /// Tells master keys apart, and says nothing of them.
    name: String,
    fingerprint: hmac::Key,
    refresh: hmac::Key,
    sessions: SessionKeys,
}

/// What signs access tokens (Ed25519, RFC 8032), and what checks them.
pub struct SessionKeys {
    pub sign: EncodingKey,
    pub verify: DecodingKey,
}

impl Vault {
    /// Reads the master key, or draws it at the first start (mode 0600).
    ///
    /// # Errors
    /// `Master` if the file cannot be read, is open to others, or has another length.
    pub fn open(path: &Path) -> Result<Self, SecretsError> {
        let refused = |why: String| SecretsError::Master { path: path.display().to_string(), why };
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        if !path.exists() {
            SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| SecretsError::NoChance)?;
            private_file::draw(path, bytes.as_slice()).map_err(|error| refused(error.to_string()))?;
        }
        let mut file = fs::File::open(path).map_err(|error| refused(error.to_string()))?;
        let about = file.metadata().map_err(|error| refused(error.to_string()))?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(refused("others may read it; set its mode to 600".to_owned()));
        }
        if about.len() != KEY_LEN as u64 {
            return Err(refused(format!("it must have {KEY_LEN} bytes, not {}", about.len())));
        }
        file.read_exact(bytes.as_mut_slice()).map_err(|error| refused(error.to_string()))?;
        let mac_key = |purpose: &[u8]| {
            derived(&bytes, purpose).map(|derived| hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice()))
        };
        let wrapping = derived(&bytes, b"saoma data keys 1")?;
        let session_seed = derived(&bytes, b"saoma session 1")?;
        let check = derived(&bytes, b"saoma master check 1")?;
        Ok(Self {
            master: key(&wrapping)?,
            pay_code: mac_key(b"saoma pay code 1")?,
            name: hex::encode(check.first_chunk::<16>().map_or(&[][..], |half| half.as_slice())),
            fingerprint: mac_key(b"saoma fingerprint 1")?,
            refresh: mac_key(b"saoma refresh 1")?,
            sessions: SessionKeys::of_seed(&session_seed)?,
        })
    }

    /// 32 hex digits that are the same for the same master key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Encrypts a key of the platform's own for the database; `name` says which it is.
    ///
    /// # Errors
    /// `NoChance`.
    pub fn seal_own(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        seal(&self.master, plain, &own(name))
    }

    /// The same in the clear.
    ///
    /// # Errors
    /// `Sealed` if it was sealed by another master key or under another name.
    pub fn open_own(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        open(&self.master, sealed, &own(name))
    }

    #[must_use]
    pub const fn pay_code_key(&self) -> &hmac::Key {
        &self.pay_code
    }

    /// Of the hashes by which a repeated request is known again.
    #[must_use]
    pub const fn fingerprint_key(&self) -> &hmac::Key {
        &self.fingerprint
    }

    /// Of the marks by which our own refresh tokens are known.
    #[must_use]
    pub const fn refresh_key(&self) -> &hmac::Key {
        &self.refresh
    }

    #[must_use]
    pub const fn session_keys(&self) -> &SessionKeys {
        &self.sessions
    }

    /// Encrypts an account's secrets (by name) with a data key of the tenant's own, for [`channel_accounts::set_secrets`].
    ///
    /// # Errors
    /// `Store`, `NoChance`, `Sealed` if the tenant's data key is not ours.
    pub async fn seal(
        &self,
        store: &Store,
        scope: TenantScope,
        account: ChannelAccountId,
        secrets: &BTreeMap<String, String>,
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        let plain = Zeroizing::new(serde_json::to_vec(secrets).map_err(|_| SecretsError::Sealed)?);
        self.seal_for(store, scope, &account, &plain, now).await
    }

    /// The same for an account that may have secrets: those named are replaced, or taken away (`None`), the others stay.
    ///
    /// # Errors
    /// `Store` (`NotFound` if the account is not the tenant's), `NoChance`, `Sealed`.
    pub async fn seal_changed(
        &self,
        store: &Store,
        scope: TenantScope,
        account: ChannelAccountId,
        changes: &BTreeMap<String, Option<String>>,
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        let mut secrets = self.opened(store, scope, account).await?;
        for (name, value) in changes {
            match value {
                Some(value) => drop(secrets.insert(name.clone(), value.clone())),
                None => drop(secrets.remove(name)),
            }
        }
        self.seal(store, scope, account, &secrets, now).await
    }

    /// The account's secrets, for one call of its plugin; none if it has none.
    ///
    /// # Errors
    /// `Store`, `Sealed`.
    pub async fn secrets_of(
        &self,
        store: &Store,
        scope: TenantScope,
        account: ChannelAccountId,
    ) -> Result<Secrets, SecretsError> {
        let values = self.opened(store, scope, account).await?;
        Ok(values.into_iter().map(|(name, value)| (name, Zeroizing::new(value.into_bytes()))).collect())
    }

    async fn opened(
        &self,
        store: &Store,
        scope: TenantScope,
        account: ChannelAccountId,
    ) -> Result<BTreeMap<String, String>, SecretsError> {
        let Some(sealed) = store.read(move |tx| channel_accounts::secrets(tx, &scope, account)).await? else {
            return Ok(BTreeMap::new());
        };
        let plain = self.open_of(store, scope, &account, &sealed).await?;
        serde_json::from_slice(&plain).map_err(|_| SecretsError::Sealed)
    }

    /// Encrypts a value of the tenant's under its data key; `what` is the id of what it belongs to.
    ///
    /// # Errors
    /// `Store`, `NoChance`, `Sealed` if the tenant's data key is not ours.
    pub async fn seal_for(
        &self,
        store: &Store,
        scope: TenantScope,
        what: &impl Display,
        plain: &[u8],
        now: Millis,
    ) -> Result<Opaque<Vec<u8>>, SecretsError> {
        let data_key = match store.read(move |tx| tenant_keys::current(tx, &scope)).await? {
            Some(data_key) => data_key,
            None => {
                let mut fresh = Zeroizing::new([0; KEY_LEN]);
                SystemRandom::new().fill(fresh.as_mut_slice()).map_err(|_| SecretsError::NoChance)?;
                let wrapped = Opaque(seal(&self.master, fresh.as_slice(), &scope.tenant().to_string())?);
                store.write(move |tx| tenant_keys::add(tx, &scope, &wrapped, MASTER_NAME, now)).await?
            }
        };
        let sealed = seal(&self.unwrapped(scope, &data_key.wrapped.0)?, plain, &bound_to(scope, what))?;
        Ok(Opaque([data_key.number.to_be_bytes().as_slice(), &sealed].concat()))
    }

    /// What [`Self::seal_for`] encrypted.
    ///
    /// # Errors
    /// `Store`, `Sealed`.
    pub async fn open_of(
        &self,
        store: &Store,
        scope: TenantScope,
        what: &impl Display,
        sealed: &Opaque<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let (number, sealed) = sealed.0.split_first_chunk::<4>().ok_or(SecretsError::Sealed)?;
        let number = u32::from_be_bytes(*number);
        let data_key = store.read(move |tx| tenant_keys::load(tx, &scope, number)).await?;
        open(&self.unwrapped(scope, &data_key.wrapped.0)?, sealed, &bound_to(scope, what))
    }

    fn unwrapped(&self, scope: TenantScope, wrapped: &[u8]) -> Result<LessSafeKey, SecretsError> {
        let data_key = open(&self.master, wrapped, &scope.tenant().to_string())?;
        key(data_key.as_slice().try_into().map_err(|_| SecretsError::Sealed)?)
    }
}

impl SessionKeys {
    fn of_seed(seed: &[u8; KEY_LEN]) -> Result<Self, SecretsError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SecretsError::Sealed)?;
        let document = Zeroizing::new([PKCS8_PREFIX.as_slice(), seed].concat());
        Ok(Self {
            sign: EncodingKey::from_ed_der(&document),
            verify: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        })
    }
}

/// What a key of the platform's own is bound to; no tenant's id has a slash.
fn own(name: &str) -> String {
    format!("server/{name}")
}

fn bound_to(scope: TenantScope, what: &impl Display) -> String {
    format!("{}/{what}", scope.tenant())
}

fn key(bytes: &[u8; KEY_LEN]) -> Result<LessSafeKey, SecretsError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| SecretsError::Sealed)
}

/// HKDF-SHA-256 (RFC 5869) of the master key for one purpose.
fn derived(master: &[u8; KEY_LEN], purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, SecretsError> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(master)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(bytes.as_mut_slice()))
        .map_err(|_| SecretsError::NoChance)?;
    Ok(bytes)
}

/// Nonce, then ciphertext and tag.
fn seal(key: &LessSafeKey, plain: &[u8], bound_to: &str) -> Result<Vec<u8>, SecretsError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SecretsError::NoChance)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut sealed)
        .map_err(|_| SecretsError::Sealed)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(key: &LessSafeKey, sealed: &[u8], bound_to: &str) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
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
mod tests {
    use super::*;

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

    #[test]
    fn the_master_key_is_made_once_and_must_be_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let mark = |vault: Vault| hmac::sign(vault.refresh_key(), b"x").as_ref().to_vec();
        assert_eq!(mark(Vault::open(&path).unwrap()), mark(Vault::open(&path).unwrap()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(&path), Err(SecretsError::Master { .. })));
    }
}
