//! Whose signatures of plugins are believed: by the platform, or by a tenant for itself alone.

use diesel::prelude::*;
use saoma_protocol::Millis;

use crate::{
    Insertion, Owner, StoreError, Tx,
    column::{Txt, found, millis, moment},
    dialect::insert_or_ignore,
    plugin_owner::Key,
    schema::plugin_publishers,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The name of the key: SHA-256 of it, in hex.
    pub key_id: String,
    /// What its owner calls it.
    pub name: String,
    /// In PEM.
    pub public_key: String,
    pub trusted_at: Millis,
    pub trusted_by: String,
    /// What it signed is not taken any more from then on.
    pub revoked_at: Option<Millis>,
}

/// A key that is there already stays as it is, also if it was revoked: load it and look.
///
/// # Errors
/// None of its own.
pub fn trust(tx: &mut Tx<'_>, owner: &Owner, publisher: &Publisher) -> Result<Insertion, StoreError> {
    let row = Row {
        tenant_id: Txt(owner.key()),
        key_id: publisher.key_id.clone(),
        name: publisher.name.clone(),
        public_key: publisher.public_key.clone(),
        trusted_at: publisher.trusted_at.0,
        trusted_by: publisher.trusted_by.clone(),
        revoked_at: moment(publisher.revoked_at),
    };
    match insert_or_ignore!(tx, owner, plugin_publishers::table, &row)? {
        0 => Ok(Insertion::Existing),
        _ => Ok(Insertion::Inserted),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, owner: &Owner, key_id: &str) -> Result<Publisher, StoreError> {
    let row: Option<Row> =
        tx.run(owner, |conn| row_of(owner, key_id).select(Row::as_select()).first(conn).optional())?;
    row.map(Publisher::from).ok_or(StoreError::NotFound { what: "the publisher" })
}

/// The oldest first; revoked ones too.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<Publisher>, StoreError> {
    let rows: Vec<Row> = tx.run(owner, |conn| {
        plugin_publishers::table
            .filter(plugin_publishers::tenant_id.eq(Txt(owner.key())))
            .order((plugin_publishers::trusted_at, plugin_publishers::key_id))
            .select(Row::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(Publisher::from).collect())
}

/// One that is revoked already keeps the first time.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, owner: &Owner, key_id: &str, at: Millis) -> Result<(), StoreError> {
    if load(tx, owner, key_id)?.revoked_at.is_some() {
        return Ok(());
    }
    let revoked = plugin_publishers::revoked_at.eq(at.0);
    let n = tx.run(owner, |conn| diesel::update(row_of(owner, key_id)).set(revoked).execute(conn))?;
    found(n, "the publisher")
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(owner: &Owner, key_id: &'a str) -> _ {
    let key: Txt<Key> = Txt(owner.key());
    plugin_publishers::table.filter(plugin_publishers::tenant_id.eq(key)).filter(plugin_publishers::key_id.eq(key_id))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = plugin_publishers)]
struct Row {
    tenant_id: Txt<Key>,
    key_id: String,
    name: String,
    public_key: String,
    trusted_at: i64,
    trusted_by: String,
    revoked_at: Option<i64>,
}

impl From<Row> for Publisher {
    fn from(row: Row) -> Self {
        Self {
            key_id: row.key_id,
            name: row.name,
            public_key: row.public_key,
            trusted_at: Millis(row.trusted_at),
            trusted_by: row.trusted_by,
            revoked_at: millis(row.revoked_at),
        }
    }
}
