//! The terminals' journals, entry by entry as they wrote them.

use saoma_protocol::{
    Millis, Sequence, TerminalId,
    journal::Entry,
    message::{JournalVerdict, Verdict},
};

use crate::{StoreError, TenantScope, Tx};

/// How far core has a terminal's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through {
    /// The last entry stored; 0 before the first.
    pub sequence: Sequence,
    /// Its hash; [`saoma_protocol::journal::GENESIS`] before the first.
    pub hash: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    pub entry: Entry,
    pub received_at: Millis,
    pub verdict: Option<JournalVerdict>,
}

/// # Errors
/// None of its own: a terminal without entries is at [`Sequence`] 0.
pub fn through(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Through, StoreError> {
    todo!()
}

/// Stores the next entry. `verdict` is for an entry that waits for a person; [`Verdict::Rejected`] is not stored by its
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
    todo!()
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
    todo!()
}

/// Entries of all terminals that wait for a person, oldest first.
///
/// # Errors
/// None of its own.
pub fn held(tx: &mut Tx<'_>, scope: &TenantScope, limit: u32) -> Result<Vec<(TerminalId, StoredEntry)>, StoreError> {
    todo!()
}
