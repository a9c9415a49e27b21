//! Another key for the journal: everything is sealed again under it, in batches; the old key goes when nothing is left under it.
//!
//! `meta` says which key is in force (`key`) and, while a change is under way, which follows (`key_next`). Both are kept until
//! it is over, and each value names its own, so that the power may go at any moment: the next start goes on.

use diesel::{prelude::*, sql_types};

use super::{
    JournalError, Settings, Store, beside,
    keys::Keys,
    open, plain,
    rows::SEALED,
    seal::{KeyId, Place},
    store::{forget_meta, set_meta, unreadable},
};

const KEY: &str = "key";
const KEY_NEXT: &str = "key_next";

/// What a change of keys did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rekeyed {
    /// The key in force now, by its name.
    pub key: String,
    /// Where it is.
    pub source: String,
    /// Values that were sealed again by this call; those of a call before it that was cut off are not counted.
    pub values: u64,
    /// Whether what was sealed under the old key is out of the file as well.
    pub wiped: bool,
}

#[derive(QueryableByName)]
struct Sealed {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = sql_types::Text)]
    of: String,
    #[diesel(sql_type = sql_types::Binary)]
    value: Vec<u8>,
}

/// Gives the journal in `settings` another key. No agent may run on it.
///
/// # Errors
/// Those of the keys; `NotSealedYet` if no agent of this version has run on it.
pub fn rekey(settings: &Settings) -> Result<Rekeyed, JournalError> {
    let mut store = open::present(settings)?;
    let Some(in_force) = key_of(&mut store)? else {
        return Err(JournalError::NotSealedYet { path: settings.path.clone() });
    };
    let mut keys = Keys::read(&settings.path)?;
    // Nothing is begun that could not be read.
    keys.seals(in_force)?;
    beside::check(settings)?;
    // A call before this one may have ended before the old file was gone.
    let was_over = keys.settle(in_force)?;
    if !was_over && meta_id(&mut store, KEY_NEXT)?.is_none() {
        let next = keys.following(in_force)?;
        store.set_meta(KEY_NEXT, &next.to_string())?;
    }
    let values = finish(&mut store, &mut keys)?;
    let wiped = plain::wipe(&mut store);
    if let Err(error) = &wiped {
        tracing::warn!(
            error = error.chain(),
            "what was encrypted under the old key is still in free pages of the journal"
        );
    }
    let Some(key) = key_of(&mut store)? else { return Err(unreadable("the journal's key", "it is gone")) };
    Ok(Rekeyed { key: key.to_string(), source: keys.source(key), values, wiped: wiped.is_ok() })
}

/// The key in force; none before the first start.
pub(super) fn key_of(store: &mut Store) -> Result<Option<KeyId>, JournalError> {
    meta_id(store, KEY)
}

fn meta_id(store: &mut Store, name: &str) -> Result<Option<KeyId>, JournalError> {
    let text = store.meta(name)?;
    text.map(|text| text.parse().map_err(|error| unreadable("the name of the journal's key", error))).transpose()
}

/// Finds the key of the journal, and makes one if it never had any.
///
/// # Errors
/// Those of the keys.
pub(super) fn unlock(store: &mut Store, keys: &mut Keys) -> Result<(), JournalError> {
    let in_force = match key_of(store)? {
        Some(key) => key,
        None => {
            let key = keys.first()?;
            store.set_meta(KEY, &key.to_string())?;
            key
        }
    };
    store.seals = keys.seals(in_force)?;
    Ok(())
}

/// Ends a change of keys that is under way, if one is; how many values it sealed.
///
/// # Errors
/// Those of the keys and of the database. What was done until then is not undone.
pub(super) fn finish(store: &mut Store, keys: &mut Keys) -> Result<u64, JournalError> {
    let mut values = 0;
    if let Some(next) = meta_id(store, KEY_NEXT)? {
        store.seals = keys.seals(next)?;
        store.execute("PRAGMA secure_delete = ON")?;
        for place in SEALED {
            if !plain::has(store, place)? {
                continue;
            }
            let mut after = i64::MIN;
            while let Some((last, sealed)) = reseal_batch(store, place, after)? {
                after = last;
                values += sealed;
            }
        }
        beside::reseal(store)?;
        store.connection.immediate_transaction(|tx| {
            plain::leave_remains(tx)?;
            set_meta(tx, KEY, &next.to_string())?;
            forget_meta(tx, KEY_NEXT)
        })?;
        keys.settle(next)?;
    } else if let Some(in_force) = key_of(store)? {
        keys.settle_drawn(in_force)?;
    }
    Ok(values)
}

/// One batch of a column, after the row `after`: the last row that was looked at, and how many of its values were sealed.
pub(super) fn reseal_batch(store: &mut Store, place: Place, after: i64) -> Result<Option<(i64, u64)>, JournalError> {
    let Store { connection, seals, .. } = store;
    let Place { table, column, key } = place;
    connection.immediate_transaction(|tx| {
        let batch: Vec<Sealed> = diesel::sql_query(format!(
            "SELECT rowid AS id, CAST({key} AS TEXT) AS of, {column} AS value FROM {table} \
             WHERE rowid > ? AND {column} IS NOT NULL ORDER BY rowid LIMIT ?"
        ))
        .bind::<sql_types::BigInt, _>(after)
        .bind::<sql_types::BigInt, _>(plain::BATCH)
        .load(tx)?;
        let mut count = 0;
        for Sealed { id, of, value } in &batch {
            if seals.is_of_first(value) {
                continue;
            }
            let value = seals.seal(place, of, &seals.open(place, of, value)?)?;
            diesel::sql_query(format!("UPDATE {table} SET {column} = ? WHERE rowid = ?"))
                .bind::<sql_types::Binary, _>(value)
                .bind::<sql_types::BigInt, _>(*id)
                .execute(tx)?;
            count += 1;
        }
        Ok(batch.last().map(|last| (last.id, count)))
    })
}
