//! The keys that all nodes of an installation share, and why a node with others is not let in.
//!
//! The master keys are files that every node is given (`secrets.master_key_file`, [`crate::masters`]). All else lies in the
//! database, sealed under one of them, so that they are the only secrets to carry around. The database remembers the names of
//! the master keys that it is or was sealed under: with another, a node could open nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ring::{hmac, rand};
use saoma_protocol::Millis;
use saoma_store::{
    Opaque, Store, StoreError, access, master_keys,
    server_keys::{self, ServerKey},
};
use zeroize::Zeroizing;

use crate::{
    fleet::ca::{CERTIFICATE_FILE, Ca, CaError},
    masters::{Masters, Ring},
    secrets::{KEY_LEN, OwnKeys, SecretsError, Vault},
    session_keys::{AGE_MS_MAX, CHECKS_MS, PUBLISHED_MS, SessionKey, SessionKeys},
};

/// Kinds of the server's keys.
const TERMINAL_CA: &str = "terminal_ca";
const SESSION: &str = "session";
const PAY_CODE: &str = "pay_code";
const FINGERPRINT: &str = "fingerprint";
const REFRESH: &str = "refresh";
/// What signs the ends of audit logs ([`crate::audit_anchor`]).
pub const AUDIT_ANCHOR: &str = "audit_anchor";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(
        "use the master key {file}: this database is sealed under another. Give every node on it the same file \
         (secrets.master_key_file), or this node a database of its own"
    )]
    OtherMaster { file: PathBuf },
    #[error(
        "find the master key {file}: this database was begun under one, and nothing in it can be opened without. Copy it \
         from another node or from the backup (secrets.master_key_file)"
    )]
    NoMaster { file: PathBuf },
    #[error(
        "use the terminals' CA {file}: this database has another, which its terminals trust. Delete the file if it is a \
         leftover, or give this node a database of its own"
    )]
    OtherCa { file: PathBuf },
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the master keys of this database and the keys sealed under them; draws them if the database is new. Blocks.
///
/// # Errors
/// `NoMaster`, `OtherMaster`, `Secrets` for a file that cannot be used.
pub fn open(store: &Store, file: &Path, now: Millis) -> Result<Vault, KeysError> {
    let known = store.read_blocking(|tx| master_keys::current(tx, &access::process()))?;
    if known.is_none() && !file.exists() {
        Ring::begin(file)?;
    }
    let masters = Masters::read(file)?;
    let ring = masters.ring();
    let current = match (known, ring.name_in(file)) {
        (Some(known), _) => known,
        // What else lies beside it may be another installation's, or taken away tomorrow.
        (None, Some(its)) => store.write_blocking(|tx| master_keys::begin(tx, &access::process(), its, now))?,
        (None, None) => return Err(KeysError::NoMaster { file: file.to_owned() }),
    };
    if ring.get(&current).is_none() {
        let file = file.to_owned();
        return Err(if ring.is_empty() { KeysError::NoMaster { file } } else { KeysError::OtherMaster { file } });
    }
    let mac = |kind: &str| {
        let kept = current_or_drawn(store, &masters, kind, now, || Ok((String::new(), random()?)))?;
        Ok::<_, KeysError>(hmac::Key::new(hmac::HMAC_SHA256, &masters.open_own(&kept)?))
    };
    let own = OwnKeys { pay_code: mac(PAY_CODE)?, fingerprint: mac(FINGERPRINT)?, refresh: mac(REFRESH)? };
    current_or_drawn(store, &masters, SESSION, now, || Ok((String::new(), random()?)))?;
    let sessions = store.read_blocking(|tx| server_keys::list(tx, &access::process(), SESSION))?;
    let sessions = opened_sessions(&masters, &sessions)?;
    Ok(Vault::new(masters, own, sessions))
}

/// The CA of this database's terminals, made if it has none. Blocks.
///
/// # Errors
/// `OtherCa` if this node's data folder is from another database.
pub fn terminal_ca(store: &Store, vault: &Vault, data_dir: &Path, now: Millis) -> Result<Ca, KeysError> {
    let kept = current_or_drawn(store, vault.masters(), TERMINAL_CA, now, || {
        let (certificate, key) = Ca::draw(now)?;
        Ok((certificate, Zeroizing::new(key.as_bytes().to_vec())))
    })?;
    let folder = data_dir.join("fleet");
    let file = folder.join(CERTIFICATE_FILE);
    if fs::read_to_string(&file).is_ok_and(|certificate| certificate != kept.public) {
        return Err(KeysError::OtherCa { file });
    }
    let key = vault.masters().open_own(&kept)?;
    let key = std::str::from_utf8(&key).map_err(|_| SecretsError::Sealed)?;
    Ok(Ca::open(&folder, &kept.public, key)?)
}

/// The key that signs anchors: its `kid` and its seed (Ed25519). Blocks.
///
/// # Errors
/// `Secrets`, `Store`.
pub fn anchor_seed(store: &Store, vault: &Vault, now: Millis) -> Result<(String, Zeroizing<Vec<u8>>), KeysError> {
    let kept = current_or_drawn(store, vault.masters(), AUDIT_ANCHOR, now, || Ok((String::new(), random()?)))?;
    Ok((kept.kid.clone(), vault.masters().open_own(&kept)?))
}

/// Reads again what other processes may have changed: files of master keys, and keys of sessions.
///
/// # Errors
/// `Secrets` for what cannot be used, `Store`: what was read before stays in force.
pub async fn learn(store: &Store, vault: &Vault) -> Result<(), KeysError> {
    let learner = vault.clone();
    let learnt = store
        .read(move |tx| {
            let process = access::process();
            let current = master_keys::current(tx, &process)?;
            let read = learner.masters().read_again(current.as_deref().unwrap_or_default());
            let sessions = server_keys::list(tx, &process, SESSION)?;
            learner.set_sessions(opened_sessions(learner.masters(), &sessions)?);
            Ok(read.map(drop)?)
        })
        .await;
    // A database that does not answer says nothing about the keys.
    if !matches!(learnt, Err(KeysError::Store(_))) {
        vault.set_whole(learnt.is_ok());
    }
    learnt
}

/// Draws the next key of sessions; those before it sign for half a minute more. With `if_due` only if the newest has come to
/// its age. The answer is its `kid`, if it was drawn.
///
/// # Errors
/// `Secrets`, `Store`.
pub fn rotate_sessions(store: &Store, vault: &Vault, now: Millis, if_due: bool) -> Result<Option<String>, KeysError> {
    let (kid, seed) = (fresh_kid(SESSION)?, random()?);
    // Without a moment between two keys they could not be told apart by age.
    let unless_since = if if_due { now.plus(-AGE_MS_MAX) } else { now };
    let drawn = store.write_blocking(|tx| {
        let process = access::process();
        let master = master_keys::hold(tx, &process)?;
        let fresh = sealed(vault.masters(), &master, SESSION, &kid, String::new(), &seed, now)?;
        server_keys::prune(tx, &process, SESSION, now.plus(-2 * CHECKS_MS))?;
        Ok::<_, KeysError>(server_keys::succeed(tx, &process, &fresh, now.plus(PUBLISHED_MS), unless_since)?)
    })?;
    Ok(drawn.then_some(kid))
}

fn opened_sessions(masters: &Masters, keys: &[ServerKey]) -> Result<SessionKeys, SecretsError> {
    let opened =
        |key: &ServerKey| SessionKey::of_seed(&key.kid, &masters.open_own(key)?, key.created_at, key.retired_at);
    keys.iter().map(opened).collect::<Result<_, _>>().map(SessionKeys::new)
}

/// The current key of a kind, drawn (public part and secret part) if there is none yet.
fn current_or_drawn(
    store: &Store,
    masters: &Masters,
    kind: &str,
    now: Millis,
    draw: impl Fn() -> Result<(String, Zeroizing<Vec<u8>>), KeysError>,
) -> Result<ServerKey, KeysError> {
    if let Some(kept) = store.read_blocking(|tx| server_keys::current(tx, &access::process(), kind))? {
        return Ok(kept);
    }
    let (kid, (public, secret)) = (fresh_kid(kind)?, draw()?);
    store.write_blocking(|tx| {
        let master = master_keys::hold(tx, &access::process())?;
        let fresh = sealed(masters, &master, kind, &kid, public.clone(), &secret, now)?;
        Ok(server_keys::current_or_add(tx, &access::process(), &fresh)?)
    })
}

fn sealed(
    masters: &Masters,
    master: &str,
    kind: &str,
    kid: &str,
    public: String,
    secret: &[u8],
    now: Millis,
) -> Result<ServerKey, SecretsError> {
    let ciphertext: Opaque<Vec<u8>> = masters.seal_own(master, kind, secret)?;
    Ok(ServerKey {
        kid: kid.to_owned(),
        kind: kind.to_owned(),
        public,
        ciphertext,
        master: master.to_owned(),
        created_at: now,
        retired_at: None,
    })
}

fn random() -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let drawn: rand::Random<[u8; KEY_LEN]> =
        rand::generate(&rand::SystemRandom::new()).map_err(|_| SecretsError::NoChance)?;
    Ok(Zeroizing::new(drawn.expose().to_vec()))
}

fn fresh_kid(kind: &str) -> Result<String, SecretsError> {
    let drawn: rand::Random<[u8; 8]> =
        rand::generate(&rand::SystemRandom::new()).map_err(|_| SecretsError::NoChance)?;
    Ok(format!("{kind}-{}", hex::encode(drawn.expose())))
}
