//! The platform's first administrator, with a password that works until it is changed.

use std::{fs, path::Path};

use saoma_channels::{Chance as _, SystemChance};
use saoma_protocol::{Millis, UserId};
use saoma_store::{
    Store, StoreError, access,
    users::{self, NewUser, Role},
};

use crate::{http::auth::passwords, private_file};

/// The first administrator's login.
pub const ADMIN_LOGIN: &str = "admin@saoma.local";
/// File in the data folder that holds the one-time password until somebody deletes it.
pub const PASSWORD_FILE: &str = "admin-one-time-password";

#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chance(#[from] saoma_channels::NoChance),
    #[error(transparent)]
    Hash(#[from] passwords::HashError),
    #[error("write {file}")]
    File { file: String, source: std::io::Error },
}

/// Makes the first administrator if the platform has none. The password goes into a file that its owner alone can read, and
/// never into the log.
///
/// # Errors
/// See [`FirstStartError`].
pub async fn ensure_admin(store: &Store, data_dir: &Path, now: Millis) -> Result<(), FirstStartError> {
    if !store.read(|tx| users::platform_admins(tx, &access::process())).await?.is_empty() {
        return Ok(());
    }
    let (mut secret, mut salt, mut id) = ([0; 16], [0; 16], [0; 16]);
    for bytes in [&mut secret, &mut salt, &mut id] {
        SystemChance.fill(bytes)?;
    }
    let password = passwords::one_time(&secret);
    let admin = NewUser {
        id: UserId::from_bytes(id),
        login: ADMIN_LOGIN.to_owned(),
        name: "Administrator".to_owned(),
        role: Role::PlatformAdmin,
        password_hash: passwords::hash(&password, salt)?,
        must_change_password: true,
        created_at: now,
    };
    // The file first: an administrator whose password nobody knows could not be let in.
    write_password(data_dir, &password)?;
    match store.write(move |tx| users::create_platform_admin(tx, &access::process(), &admin)).await {
        Ok(_) => {}
        // Another node was first, and the password is in its folder.
        Err(StoreError::Conflict { .. }) => {
            let path = data_dir.join(PASSWORD_FILE);
            let refused = |source| FirstStartError::File { file: path.display().to_string(), source };
            return fs::remove_file(&path).map_err(refused);
        }
        Err(error) => return Err(error.into()),
    }
    tracing::warn!(
        login = ADMIN_LOGIN,
        file = PASSWORD_FILE,
        "the first administrator's password is in the data folder"
    );
    Ok(())
}

/// Writes the one-time password for its owner's eyes alone.
///
/// # Errors
/// `File`.
pub fn write_password(data_dir: &Path, password: &str) -> Result<(), FirstStartError> {
    let path = data_dir.join(PASSWORD_FILE);
    let refused = |source| FirstStartError::File { file: path.display().to_string(), source };
    private_file::replace(&path, format!("{password}\n").as_bytes()).map_err(refused)
}
