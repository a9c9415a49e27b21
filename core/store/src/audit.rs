//! Who did what, each entry chained to the one before by its hash, per tenant (and once for the platform).

use data_encoding::HEXLOWER;
use diesel::prelude::*;
use saoma_protocol::{Millis, Sequence};
use sha2::{Digest as _, Sha256};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx,
    column::{sequence, signed},
    dialect::take_turn_named,
    reach::Reach,
    schema::audit_log,
};

/// Whose log the platform's own is.
const PLATFORM: &str = "platform";
/// The hash before the first entry.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Entries that are read at once while a log is verified.
const VERIFY_STEP: i64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// As [`crate::Principal::actor`] names them, or `core`.
    pub actor: String,
    /// What was done, for example `channel_account.secrets_changed`.
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// More about it as JSON text; no secrets.
    pub detail_json: String,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// From 1, without gaps, per tenant.
    pub sequence: Sequence,
    pub entry: NewEntry,
    /// 64 lower-case hex digits.
    pub hash: String,
}

/// # Errors
/// None of its own.
pub fn append(tx: &mut Tx<'_>, scope: &TenantScope, entry: &NewEntry) -> Result<Sequence, StoreError> {
    append_to(tx, scope.into(), &scope.tenant().to_string(), entry)
}

/// In the platform's own log.
///
/// # Errors
/// None of its own.
pub fn append_platform(tx: &mut Tx<'_>, platform: &PlatformScope, entry: &NewEntry) -> Result<Sequence, StoreError> {
    append_to(tx, platform.into(), PLATFORM, entry)
}

/// Newest first, from before `before` if given.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    before: Option<Sequence>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    list_of(tx, scope.into(), &scope.tenant().to_string(), before, limit)
}

/// The platform's own log, as [`list`].
///
/// # Errors
/// None of its own.
pub fn list_platform(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    before: Option<Sequence>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    list_of(tx, platform.into(), PLATFORM, before, limit)
}

fn list_of(
    tx: &mut Tx<'_>,
    reach: Reach,
    owner: &str,
    before: Option<Sequence>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let mut query = audit_log::table
        .filter(audit_log::tenant_id.eq(owner))
        .order(audit_log::sequence.desc())
        .limit(limit.into())
        .select(EntryRow::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(audit_log::sequence.lt(signed(before.0)));
    }
    let rows: Vec<EntryRow> = tx.run(reach, |conn| query.load(conn))?;
    rows.into_iter().map(StoredEntry::try_from).collect()
}

/// Reads the whole log of the tenant: `None` if it holds, else the first entry that was changed or is missing.
///
/// # Errors
/// None of its own.
pub fn first_broken(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<Sequence>, StoreError> {
    let owner = scope.tenant().to_string();
    let (mut last, mut hash) = (0_i64, GENESIS.to_owned());
    loop {
        let rows: Vec<EntryRow> = tx.run(scope, |conn| {
            audit_log::table
                .filter(audit_log::tenant_id.eq(&owner))
                .filter(audit_log::sequence.gt(last))
                .order(audit_log::sequence)
                .limit(VERIFY_STEP)
                .select(EntryRow::as_select())
                .load(conn)
        })?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in rows {
            let (number, claimed) = (row.sequence, row.hash.clone());
            let entry = StoredEntry::try_from(row)?.entry;
            if number != last + 1 || claimed != hash_of(&hash, &owner, last + 1, &entry) {
                return sequence(last + 1).map(Some);
            }
            (last, hash) = (number, claimed);
        }
    }
}

fn append_to(tx: &mut Tx<'_>, reach: Reach, owner: &str, entry: &NewEntry) -> Result<Sequence, StoreError> {
    // Each entry names the one before it, so two that are written at once must not see the same last one.
    take_turn_named(tx, reach, &format!("audit {owner}"))?;
    let last: Option<(i64, String)> = tx.run(reach, |conn| {
        audit_log::table
            .filter(audit_log::tenant_id.eq(owner))
            .order(audit_log::sequence.desc())
            .select((audit_log::sequence, audit_log::hash))
            .first(conn)
            .optional()
    })?;
    let (last, hash) = last.unwrap_or((0, GENESIS.to_owned()));
    let row = (
        audit_log::tenant_id.eq(owner),
        audit_log::sequence.eq(last + 1),
        audit_log::actor.eq(&entry.actor),
        audit_log::action.eq(&entry.action),
        audit_log::subject.eq(&entry.subject),
        audit_log::detail_json.eq(&entry.detail_json),
        audit_log::at.eq(entry.at.0),
        audit_log::hash.eq(hash_of(&hash, owner, last + 1, entry)),
    );
    tx.run(reach, |conn| diesel::insert_into(audit_log::table).values(row).execute(conn))?;
    sequence(last + 1)
}

/// SHA-256 over `saoma audit 1`, the hash before as text, and every field with its length before it.
fn hash_of(before: &str, owner: &str, number: i64, entry: &NewEntry) -> String {
    let mut hash = Sha256::new();
    hash.update(b"saoma audit 1");
    hash.update(before.as_bytes());
    hash.update(number.to_be_bytes());
    hash.update(entry.at.0.to_be_bytes());
    for field in [owner, &entry.actor, &entry.action, &entry.subject, &entry.detail_json] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct EntryRow {
    sequence: i64,
    actor: String,
    action: String,
    subject: String,
    detail_json: String,
    at: i64,
    hash: String,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let EntryRow { sequence: number, actor, action, subject, detail_json, at, hash } = row;
        let entry = NewEntry { actor, action, subject, detail_json, at: Millis(at) };
        Ok(Self { sequence: sequence(number)?, entry, hash })
    }
}
