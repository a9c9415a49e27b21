//! The platform's own keys (token signing, pay codes, the terminals' CA), their secret part wrapped by the master key.

use diesel::prelude::*;
use saoma_protocol::Millis;

use crate::{
    Opaque, PlatformScope, StoreError, Tx,
    column::{found, millis, moment},
    dialect::{insert_or_ignore, take_turn_named},
    schema::server_keys,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// Unique; the `kid` of tokens.
    pub kid: String,
    /// What it is for, for example `session`, `pay_code`, `terminal_ca`.
    pub kind: String,
    /// The public part (a PEM, a certificate), empty if it has none.
    pub public: String,
    /// The secret part, encrypted by the caller under the master key named `master`.
    pub ciphertext: Opaque<Vec<u8>>,
    pub master: String,
    pub created_at: Millis,
    /// From when on it only verifies and no longer signs.
    pub retired_at: Option<Millis>,
}

/// Adds a key; it is the current one of its kind from now on.
///
/// # Errors
/// `Conflict` if the kid is taken.
pub fn add(tx: &mut Tx<'_>, platform: &PlatformScope, key: &ServerKey) -> Result<(), StoreError> {
    match insert_or_ignore!(tx, platform, server_keys::table, KeyRow::from(key))? {
        0 => Err(StoreError::Conflict { what: "the kid" }),
        _ => Ok(()),
    }
}

/// The kind's current key if it has one, else `key`, which is added: two nodes at their first start agree on one.
///
/// # Errors
/// None of its own.
pub fn current_or_add(tx: &mut Tx<'_>, platform: &PlatformScope, key: &ServerKey) -> Result<ServerKey, StoreError> {
    take_turn_named(tx, platform, "server_keys")?;
    if let Some(current) = current(tx, platform, &key.kind)? {
        return Ok(current);
    }
    add(tx, platform, key)?;
    Ok(key.clone())
}

/// Adds `key`, from whose `created_at` on the others of its kind are retired at `retired_at`; `false` and nothing if one of
/// its kind was added at `unless_since` or later: of two that rotate at once, one does.
///
/// # Errors
/// `Conflict` if the kid is taken.
pub fn succeed(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    key: &ServerKey,
    retired_at: Millis,
    unless_since: Millis,
) -> Result<bool, StoreError> {
    take_turn_named(tx, platform, "server_keys")?;
    if list(tx, platform, &key.kind)?.iter().any(|other| other.created_at >= unless_since) {
        return Ok(false);
    }
    let others = server_keys::table.filter(server_keys::kind.eq(&key.kind)).filter(server_keys::retired_at.is_null());
    let retired = server_keys::retired_at.eq(retired_at.0);
    tx.run(platform, |conn| diesel::update(others).set(retired).execute(conn))?;
    add(tx, platform, key)?;
    Ok(true)
}

/// Some of those, of any kind, that are sealed under another master key than this.
///
/// # Errors
/// None of its own.
pub fn under_others(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    master: &str,
    limit: u32,
) -> Result<Vec<ServerKey>, StoreError> {
    let rows: Vec<KeyRow> = tx.run(platform, |conn| {
        server_keys::table
            .filter(server_keys::master.ne(master))
            .order(server_keys::kid)
            .limit(limit.into())
            .select(KeyRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(ServerKey::from).collect())
}

/// All of every kind, by kind, newest first.
///
/// # Errors
/// None of its own.
pub fn list_all(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<ServerKey>, StoreError> {
    let rows: Vec<KeyRow> = tx.run(platform, |conn| {
        server_keys::table
            .order((server_keys::kind, server_keys::created_at.desc(), server_keys::kid))
            .select(KeyRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(ServerKey::from).collect())
}

/// The same key under another master key.
///
/// # Errors
/// `NotFound`.
pub fn rewrap(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    kid: &str,
    ciphertext: &Opaque<Vec<u8>>,
    master: &str,
) -> Result<(), StoreError> {
    let row = server_keys::table.find(kid);
    let changes = (server_keys::ciphertext.eq(ciphertext.0.as_slice()), server_keys::master.eq(master));
    let n = tx.run(platform, |conn| diesel::update(row).set(changes).execute(conn))?;
    found(n, "the server's key")
}

/// The newest of its kind that is not retired.
///
/// # Errors
/// None of its own.
pub fn current(tx: &mut Tx<'_>, platform: &PlatformScope, kind: &str) -> Result<Option<ServerKey>, StoreError> {
    let row: Option<KeyRow> = tx.run(platform, |conn| {
        server_keys::table
            .filter(server_keys::kind.eq(kind))
            .filter(server_keys::retired_at.is_null())
            .order((server_keys::created_at.desc(), server_keys::kid))
            .select(KeyRow::as_select())
            .first(conn)
            .optional()
    })?;
    Ok(row.map(ServerKey::from))
}

/// All of its kind, newest first, retired ones too.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, platform: &PlatformScope, kind: &str) -> Result<Vec<ServerKey>, StoreError> {
    let rows: Vec<KeyRow> = tx.run(platform, |conn| {
        server_keys::table
            .filter(server_keys::kind.eq(kind))
            .order((server_keys::created_at.desc(), server_keys::kid))
            .select(KeyRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(ServerKey::from).collect())
}

/// Takes away for good those of a kind that were retired before `before`: nothing they signed is believed any more.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, platform: &PlatformScope, kind: &str, before: Millis) -> Result<u64, StoreError> {
    let rows = server_keys::table.filter(server_keys::kind.eq(kind)).filter(server_keys::retired_at.lt(before.0));
    tx.run(platform, |conn| diesel::delete(rows).execute(conn)).map(|n| n as u64)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = server_keys)]
struct KeyRow {
    kid: String,
    kind: String,
    public_part: String,
    ciphertext: Vec<u8>,
    created_at: i64,
    retired_at: Option<i64>,
    master: String,
}

impl From<&ServerKey> for KeyRow {
    fn from(key: &ServerKey) -> Self {
        Self {
            kid: key.kid.clone(),
            kind: key.kind.clone(),
            public_part: key.public.clone(),
            ciphertext: key.ciphertext.0.clone(),
            created_at: key.created_at.0,
            retired_at: moment(key.retired_at),
            master: key.master.clone(),
        }
    }
}

impl From<KeyRow> for ServerKey {
    fn from(row: KeyRow) -> Self {
        Self {
            kid: row.kid,
            kind: row.kind,
            public: row.public_part,
            ciphertext: Opaque(row.ciphertext),
            created_at: Millis(row.created_at),
            retired_at: millis(row.retired_at),
            master: row.master,
        }
    }
}
