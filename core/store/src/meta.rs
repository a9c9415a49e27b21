//! Small facts about the installation, by name.

use diesel::prelude::*;

use crate::{
    PlatformScope, StoreError, Tx,
    dialect::{insert_or_ignore, upsert},
    schema::meta,
};

/// # Errors
/// None of its own.
pub fn get(tx: &mut Tx<'_>, platform: &PlatformScope, name: &str) -> Result<Option<String>, StoreError> {
    tx.run(platform, |conn| meta::table.find(name).select(meta::value).first(conn).optional())
}

/// # Errors
/// None of its own.
pub fn set(tx: &mut Tx<'_>, platform: &PlatformScope, name: &str, value: &str) -> Result<(), StoreError> {
    let row = (meta::name.eq(name), meta::value.eq(value));
    upsert!(tx, platform, meta::table, row, meta::name, meta::value.eq(value)).map(drop)
}

/// Sets it unless it is set; the answer is what is set now. Two nodes agree on one value.
///
/// # Errors
/// None of its own.
pub fn set_once(tx: &mut Tx<'_>, platform: &PlatformScope, name: &str, value: &str) -> Result<String, StoreError> {
    insert_or_ignore!(tx, platform, meta::table, (meta::name.eq(name), meta::value.eq(value)))?;
    get(tx, platform, name)?.ok_or(StoreError::NotFound { what: "a fact that was just set" })
}
