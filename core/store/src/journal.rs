//! The terminals' journals, entry by entry as they wrote them.

use diesel::prelude::*;
use saoma_protocol::{
    Millis, Sequence, TerminalId,
    journal::{Entry, EntrySignature, GENESIS},
    message::{JournalVerdict, Verdict},
};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Tag, Txt, corrupt, sequence, signed},
    dialect::insert_or_ignore,
    schema::journal_entries,
    terminals,
};

/// How far core has a terminal's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through {
    /// The last entry stored; 0 before the first.
    pub sequence: Sequence,
    /// Its hash; [`saoma_protocol::journal::GENESIS`] before the first.
    pub hash: [u8; 32],
    /// Whether it is signed.
    pub is_signed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Without the card of a stored sale: such an entry is known again by `hash` alone.
    pub entry: Entry,
    pub hash: [u8; 32],
    pub received_at: Millis,
    pub verdict: Option<JournalVerdict>,
}

/// # Errors
/// None of its own: a terminal without entries is at [`Sequence`] 0.
pub fn through(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Through, StoreError> {
    let last: Option<(i64, String, Option<String>)> = tx.run(scope, |conn| {
        journal_entries::table
            .filter(journal_entries::tenant_id.eq(Txt(scope.tenant())))
            .filter(journal_entries::terminal_id.eq(Txt(terminal)))
            .order(journal_entries::sequence.desc())
            .select((journal_entries::sequence, journal_entries::hash, journal_entries::signature))
            .first(conn)
            .optional()
    })?;
    let Some((number, hash, signature)) = last else {
        return Ok(Through { sequence: Sequence(0), hash: GENESIS, is_signed: false });
    };
    Ok(Through { sequence: sequence(number)?, hash: read_hash(&hash)?, is_signed: signature.is_some() })
}

fn read_hash(text: &str) -> Result<[u8; 32], StoreError> {
    let hash = data_encoding::HEXLOWER.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    hash.ok_or_else(|| corrupt("an entry's hash"))
}

/// When the last entry was written by the terminal's clock, which is not believed to be ahead of core's at its arrival.
///
/// # Errors
/// None of its own.
pub fn last_at(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Option<Millis>, StoreError> {
    let last: Option<(i64, i64)> = tx.run(scope, |conn| {
        journal_entries::table
            .filter(journal_entries::tenant_id.eq(Txt(scope.tenant())))
            .filter(journal_entries::terminal_id.eq(Txt(terminal)))
            .order(journal_entries::sequence.desc())
            .select((journal_entries::at, journal_entries::received_at))
            .first(conn)
            .optional()
    })?;
    Ok(last.map(|(at, received_at)| Millis(at.min(received_at))))
}

/// Stores the next entry with its signature, but for the card of a stored sale: what is sealed in it may not outlast the acquirer's answer, and is kept elsewhere
/// until then. `verdict` is for an entry that waits for a person; [`Verdict::Rejected`] is not stored by its
/// meaning, so it is refused here.
///
/// # Errors
/// `Stale` if it is not the one after [`through`] or names another hash as the one before, `NotFound` if the terminal is
/// not the tenant's, `Conflict` for a `Rejected` verdict.
pub fn append(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    entry: &Entry,
    verdict: Option<(Verdict, &str)>,
    received_at: Millis,
) -> Result<(), StoreError> {
    terminals::load(tx, scope, terminal)?;
    let before = through(tx, scope, terminal)?;
    let follows =
        entry.sequence == before.sequence.next() && entry.prev_hash == data_encoding::HEXLOWER.encode(&before.hash);
    if !follows {
        return Err(STALE);
    }
    if matches!(verdict, Some((Verdict::Rejected, _))) {
        return Err(StoreError::Conflict { what: "a rejected entry, which is not kept: the journal" });
    }
    let row = (
        journal_entries::tenant_id.eq(Txt(scope.tenant())),
        journal_entries::terminal_id.eq(Txt(terminal)),
        journal_entries::sequence.eq(signed(entry.sequence.0)),
        journal_entries::at.eq(entry.at.0),
        journal_entries::prev_hash.eq(&entry.prev_hash),
        journal_entries::hash.eq(data_encoding::HEXLOWER.encode(&entry.hash())),
        journal_entries::payload.eq(entry.payload_without_card()),
        journal_entries::received_at.eq(received_at.0),
        journal_entries::verdict.eq(verdict.map(|(verdict, _)| Tag(verdict))),
        journal_entries::why.eq(verdict.map(|(_, why)| why)),
        journal_entries::signed_by.eq(entry.signature.as_ref().map(|signature| &signature.certificate)),
        journal_entries::signature.eq(entry.signature.as_ref().map(|signature| &signature.value)),
    );
    // Of two that bring the same entry at once, one finds it stored.
    match insert_or_ignore!(tx, scope, journal_entries::table, row)? {
        0 => Err(STALE),
        _ => Ok(()),
    }
}

/// Entries after `after`, in order.
///
/// # Errors
/// None of its own.
pub fn entries(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    after: Sequence,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows: Vec<EntryRow> = tx.run(scope, |conn| {
        journal_entries::table
            .filter(journal_entries::tenant_id.eq(Txt(scope.tenant())))
            .filter(journal_entries::terminal_id.eq(Txt(terminal)))
            .filter(journal_entries::sequence.gt(signed(after.0)))
            .order(journal_entries::sequence)
            .limit(limit.into())
            .select(EntryRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredEntry::try_from).collect()
}

/// The terminal's entries after `after` that wait for a person, in order.
///
/// # Errors
/// None of its own.
pub fn held(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    after: Sequence,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let rows: Vec<EntryRow> = tx.run(scope, |conn| {
        journal_entries::table
            .filter(journal_entries::tenant_id.eq(Txt(scope.tenant())))
            .filter(journal_entries::terminal_id.eq(Txt(terminal)))
            .filter(journal_entries::sequence.gt(signed(after.0)))
            .filter(journal_entries::verdict.is_not_null())
            .order(journal_entries::sequence)
            .limit(limit.into())
            .select(EntryRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredEntry::try_from).collect()
}

const STALE: StoreError = StoreError::Stale { what: "the journal" };

#[derive(Queryable, Selectable)]
#[diesel(table_name = journal_entries)]
struct EntryRow {
    sequence: i64,
    at: i64,
    prev_hash: String,
    hash: String,
    payload: String,
    received_at: i64,
    verdict: Option<Tag<Verdict>>,
    why: Option<String>,
    signed_by: Option<String>,
    signature: Option<String>,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let (number, hash) = (sequence(row.sequence)?, read_hash(&row.hash)?);
        let signature = row.signed_by.zip(row.signature);
        let signature = signature.map(|(certificate, value)| EntrySignature { certificate, value });
        let entry =
            Entry { sequence: number, at: Millis(row.at), prev_hash: row.prev_hash, payload: row.payload, signature };
        let why = row.why.unwrap_or_default();
        let verdict =
            row.verdict.map(|verdict| JournalVerdict { sequence: number, verdict: verdict.0, why, newer: false });
        Ok(Self { entry, hash, received_at: Millis(row.received_at), verdict })
    }
}
