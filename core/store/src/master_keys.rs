//! Which master keys this database was ever sealed under, by name. The keys themselves are files outside of it.
//!
//! The newest that is not retired is the current one: it seals whatever is sealed from now on. Another that is not retired
//! may still seal something, since a rotation is under way.

use diesel::prelude::*;
use saoma_protocol::Millis;

use crate::{PlatformScope, StoreError, Tx, column::millis, dialect::take_turn_named, schema::master_keys};

/// A master key's name, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    pub name: String,
    pub began_at: Millis,
    /// From when on nothing is sealed under it.
    pub retired_at: Option<Millis>,
}

/// All of them, newest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<Master>, StoreError> {
    let rows: Vec<(String, i64, Option<i64>)> = tx.run(platform, |conn| {
        master_keys::table
            .select((master_keys::name, master_keys::began_at, master_keys::retired_at))
            .order((master_keys::began_at.desc(), master_keys::name))
            .load(conn)
    })?;
    let read =
        |(name, began_at, retired_at)| Master { name, began_at: Millis(began_at), retired_at: millis(retired_at) };
    Ok(rows.into_iter().map(read).collect())
}

/// The one that seals; `None` for a database in which nothing was ever sealed.
///
/// # Errors
/// None of its own.
pub fn current(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Option<String>, StoreError> {
    Ok(list(tx, platform)?.into_iter().find(|master| master.retired_at.is_none()).map(|master| master.name))
}

/// The one that seals, which it stays until this transaction is committed.
///
/// # Errors
/// `NotFound` for a database in which nothing was ever sealed.
pub fn hold(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<String, StoreError> {
    take_turn_named(tx, platform, "master_keys")?;
    current(tx, platform)?.ok_or(StoreError::NotFound { what: "the name of the master key" })
}

/// The first one, unless there is one: the answer is the one that seals. Two nodes that start at once agree on one.
///
/// # Errors
/// None of its own.
pub fn begin(tx: &mut Tx<'_>, platform: &PlatformScope, name: &str, at: Millis) -> Result<String, StoreError> {
    take_turn_named(tx, platform, "master_keys")?;
    if let Some(current) = current(tx, platform)? {
        return Ok(current);
    }
    insert(tx, platform, name, at)?;
    Ok(name.to_owned())
}

/// `name` seals from this commit on. Those before it stay until [`retire_others`].
///
/// # Errors
/// `Stale` if `from` is not the current one any more.
pub fn change(tx: &mut Tx<'_>, platform: &PlatformScope, from: &str, name: &str, at: Millis) -> Result<(), StoreError> {
    if hold(tx, platform)? != from {
        return Err(StoreError::Stale { what: "the master key" });
    }
    // By a clock that runs behind, the new one would not be the newest.
    let newest = list(tx, platform)?.first().map_or(at, |master| master.began_at);
    insert(tx, platform, name, Millis(at.0.max(newest.0 + 1)))
}

/// The end of a rotation: all but the current one seal nothing any more, which the caller has seen since it held it.
///
/// # Errors
/// None of its own.
pub fn retire_others(tx: &mut Tx<'_>, platform: &PlatformScope, current: &str, at: Millis) -> Result<u64, StoreError> {
    let others = master_keys::table.filter(master_keys::name.ne(current)).filter(master_keys::retired_at.is_null());
    let retired = master_keys::retired_at.eq(at.0);
    tx.run(platform, |conn| diesel::update(others).set(retired).execute(conn)).map(|n| n as u64)
}

fn insert(tx: &mut Tx<'_>, platform: &PlatformScope, name: &str, at: Millis) -> Result<(), StoreError> {
    let row = (master_keys::name.eq(name), master_keys::began_at.eq(at.0));
    tx.run(platform, |conn| diesel::insert_into(master_keys::table).values(row).execute(conn)).map(drop)
}
