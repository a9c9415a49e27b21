//! Who did what, each entry chained to the one before by its hash, per tenant (and once for the platform).

use std::fmt::Display;

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
pub const PLATFORM: &str = "platform";
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

impl NewEntry {
    /// `detail` holds no secrets.
    #[must_use]
    pub fn new(
        actor: &str,
        action: impl Into<String>,
        subject: &impl Display,
        detail: &serde_json::Value,
        at: Millis,
    ) -> Self {
        let (actor, action) = (actor.to_owned(), action.into());
        Self { actor, action, subject: subject.to_string(), detail_json: detail.to_string(), at }
    }
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

/// How far a log has been read, and the hash of the entry there: what the rest of it is chained to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// 0 before the first entry.
    pub sequence: u64,
    /// 64 lower-case hex digits.
    pub hash: String,
}

impl Head {
    /// Where every log begins.
    #[must_use]
    pub fn genesis() -> Self {
        Self { sequence: 0, hash: GENESIS.to_owned() }
    }
}

/// The first entry of a log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub sequence: Sequence,
    pub flaw: Flaw,
}

/// What is wrong with an entry, as far as the entry after it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// So many entries have numbers from before the first: nobody wrote them.
    BeforeFirst { count: i64 },
    /// There is none of that number; the next is this one.
    Missing { next: Sequence },
    /// Its fields were changed: the entry after it is chained to the hash that it has, which these fields do not give.
    Fields { entry: NewEntry, hash: String, of_fields: String },
    /// Its hash was changed: the entry after it is chained to the one that its fields give.
    Hash { entry: NewEntry, hash: String, of_fields: String },
    /// Its hash does not fit its fields and the entry before, and no entry after it says which of them was changed.
    Unclear { entry: NewEntry, hash: String, of_fields: String },
}

/// What came of reading a piece of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// It holds this far, and there may be more.
    On(Head),
    /// It holds to its end.
    End(Head),
    Broken(Broken),
}

/// Whose logs there are: ids of tenants, and `platform`. Read from the log itself, so that one whose tenant is gone is there
/// as well.
///
/// # Errors
/// None of its own.
pub fn chains(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<String>, StoreError> {
    let mut owners: Vec<String> = Vec::new();
    // One look into the index for each, where DISTINCT would read all of it.
    loop {
        let mut query = audit_log::table.select(audit_log::tenant_id).order(audit_log::tenant_id).limit(1).into_boxed();
        if let Some(last) = owners.last() {
            query = query.filter(audit_log::tenant_id.gt(last.clone()));
        }
        match tx.run(platform, |conn| query.first(conn).optional())? {
            Some(owner) => owners.push(owner),
            None => return Ok(owners),
        }
    }
}

/// The end of a log; `None` if it has no entry.
///
/// # Errors
/// `Corrupt` for a number that no entry has.
pub fn head(tx: &mut Tx<'_>, platform: &PlatformScope, owner: &str) -> Result<Option<Head>, StoreError> {
    last(tx, platform.into(), owner)?.map(|(number, hash)| Ok(Head { sequence: sequence(number)?.0, hash })).transpose()
}

/// The hash of one entry; `None` if there is no such entry.
///
/// # Errors
/// None of its own.
pub fn hash_at(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    owner: &str,
    number: u64,
) -> Result<Option<String>, StoreError> {
    let row = audit_log::table.find((owner, signed(number))).select(audit_log::hash);
    tx.run(platform, |conn| row.first(conn).optional())
}

/// Proves the next entries of a log, up to 1,000 of them: each is chained to the one before, and is as its hash says.
///
/// What is cut off at the end leaves no trace here: that takes a [`Head`] that was noted elsewhere.
///
/// # Errors
/// `Corrupt` for a number that no entry has.
pub fn walk(tx: &mut Tx<'_>, platform: &PlatformScope, owner: &str, from: &Head) -> Result<Walked, StoreError> {
    if from.sequence == 0 {
        let before = audit_log::table.filter(audit_log::tenant_id.eq(owner)).filter(audit_log::sequence.lt(1)).count();
        let count = tx.run(platform, |conn| before.get_result::<i64>(conn))?;
        if count > 0 {
            return Ok(Walked::Broken(Broken { sequence: Sequence(0), flaw: Flaw::BeforeFirst { count } }));
        }
    }
    let rows: Vec<EntryRow> = tx.run(platform, |conn| {
        audit_log::table
            .filter(audit_log::tenant_id.eq(owner))
            .filter(audit_log::sequence.gt(signed(from.sequence)))
            .order(audit_log::sequence)
            // One more, to tell by it what is wrong with the last.
            .limit(VERIFY_STEP + 1)
            .select(EntryRow::as_select())
            .load(conn)
    })?;
    let more = rows.len() > VERIFY_STEP as usize;
    let entries = rows.into_iter().map(StoredEntry::try_from).collect::<Result<Vec<_>, _>>()?;
    let mut head = from.clone();
    for (idx, stored) in entries.iter().take(VERIFY_STEP as usize).enumerate() {
        let number = Sequence(head.sequence + 1);
        if stored.sequence != number {
            return Ok(Walked::Broken(Broken { sequence: number, flaw: Flaw::Missing { next: stored.sequence } }));
        }
        let of_fields = hash_of(&head.hash, owner, signed(number.0), &stored.entry);
        if stored.hash != of_fields {
            let flaw = flaw(owner, stored, of_fields, entries.get(idx + 1));
            return Ok(Walked::Broken(Broken { sequence: number, flaw }));
        }
        head = Head { sequence: number.0, hash: stored.hash.clone() };
    }
    Ok(if more { Walked::On(head) } else { Walked::End(head) })
}

fn flaw(owner: &str, stored: &StoredEntry, of_fields: String, next: Option<&StoredEntry>) -> Flaw {
    let (entry, hash) = (stored.entry.clone(), stored.hash.clone());
    let next_fits =
        |hash: &str| next.is_some_and(|next| next.hash == hash_of(hash, owner, signed(next.sequence.0), &next.entry));
    if next_fits(&hash) {
        Flaw::Fields { entry, hash, of_fields }
    } else if next_fits(&of_fields) {
        Flaw::Hash { entry, hash, of_fields }
    } else {
        Flaw::Unclear { entry, hash, of_fields }
    }
}

fn last(tx: &mut Tx<'_>, reach: Reach, owner: &str) -> Result<Option<(i64, String)>, StoreError> {
    tx.run(reach, |conn| {
        audit_log::table
            .filter(audit_log::tenant_id.eq(owner))
            .order(audit_log::sequence.desc())
            .select((audit_log::sequence, audit_log::hash))
            .first(conn)
            .optional()
    })
}

fn append_to(tx: &mut Tx<'_>, reach: Reach, owner: &str, entry: &NewEntry) -> Result<Sequence, StoreError> {
    // Each entry names the one before it, so two that are written at once must not see the same last one.
    take_turn_named(tx, reach, &format!("audit {owner}"))?;
    let (last, hash) = last(tx, reach, owner)?.unwrap_or((0, GENESIS.to_owned()));
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
