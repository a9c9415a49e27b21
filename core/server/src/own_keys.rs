//! The keys that all nodes of an installation share, and why a node with others is not let in.
//!
//! The master key is a file that every node is given (`secrets.master_key_file`). All else is derived from it or lies in the
//! database sealed under it, so that it is the only secret to carry around. The database remembers which master key it was
//! begun under: another would sign sessions and pay codes that no other node believes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saoma_protocol::Millis;
use saoma_store::{
    Opaque, Store, StoreError, access, meta,
    server_keys::{self, ServerKey},
};

use crate::{
    fleet::ca::{CERTIFICATE_FILE, Ca, CaError},
    secrets::{SecretsError, Vault},
};

/// Name under which the database remembers its master key.
const MASTER: &str = "master_key";
/// Kind of the terminals' CA among the server's keys.
const TERMINAL_CA: &str = "terminal_ca";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(
        "use the master key {file}: this database was begun under another. Give every node on it the same file \
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

/// Opens the master key of this database; draws it if the database is new and there is no file.
///
/// # Errors
/// `NoMaster`, `OtherMaster`, `Secrets` for a file that cannot be used.
pub async fn vault(store: &Store, file: &Path) -> Result<Vault, KeysError> {
    let known = store.read(|tx| meta::get(tx, &access::process(), MASTER)).await?;
    if known.is_some() && !file.exists() {
        return Err(KeysError::NoMaster { file: file.to_owned() });
    }
    let vault = Vault::open(file)?;
    let ours = vault.name().to_owned();
    let kept = store.write(move |tx| meta::set_once(tx, &access::process(), MASTER, &ours)).await?;
    if kept == vault.name() { Ok(vault) } else { Err(KeysError::OtherMaster { file: file.to_owned() }) }
}

/// The CA of this database's terminals, made if it has none.
///
/// # Errors
/// `OtherCa` if this node's data folder is from another database.
pub async fn terminal_ca(store: &Store, vault: &Vault, data_dir: &Path, now: Millis) -> Result<Ca, KeysError> {
    let known = store.read(|tx| server_keys::current(tx, &access::process(), TERMINAL_CA)).await?;
    let kept = match known {
        Some(kept) => kept,
        None => {
            let (certificate, key) = Ca::draw(now)?;
            let fresh = ServerKey {
                kid: format!("{TERMINAL_CA}-{}", now.0),
                kind: TERMINAL_CA.to_owned(),
                public: certificate,
                ciphertext: Opaque(vault.seal_own(TERMINAL_CA, key.as_bytes())?),
                created_at: now,
                retired_at: None,
            };
            store.write(move |tx| server_keys::current_or_add(tx, &access::process(), &fresh)).await?
        }
    };
    let folder = data_dir.join("fleet");
    let file = folder.join(CERTIFICATE_FILE);
    if fs::read_to_string(&file).is_ok_and(|certificate| certificate != kept.public) {
        return Err(KeysError::OtherCa { file });
    }
    let key = vault.open_own(TERMINAL_CA, &kept.ciphertext.0)?;
    let key = std::str::from_utf8(&key).map_err(|_| SecretsError::Sealed)?;
    Ok(Ca::open(&folder, &kept.public, key)?)
}
