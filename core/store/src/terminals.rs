//! Terminals: who they are, how they prove it, how they do.

use saoma_protocol::{Millis, StoreId, TerminalId, message::Health};

use crate::{StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    pub id: TerminalId,
    pub store: StoreId,
    pub name: String,
    /// Short number for people, from 1, unique within the tenant.
    pub number: u32,
    pub created_at: Millis,
    /// When it first got a certificate; `None` while it waits to be claimed.
    pub enrolled_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    /// Connected to the broker, as far as core knows.
    pub online: bool,
    /// Last sign of life.
    pub last_seen_at: Option<Millis>,
    /// What it last said of itself, and when core took that in.
    pub health: Option<(Health, Millis)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTerminal {
    pub id: TerminalId,
    pub store: StoreId,
    pub name: String,
    pub created_at: Millis,
}

/// A certificate that core's CA made for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Lower-case hex, unique within the CA.
    pub serial: String,
    pub not_after: Millis,
    pub issued_at: Millis,
    pub revoked_at: Option<Millis>,
}

/// Adds a terminal and gives it the tenant's next number.
///
/// # Errors
/// `Conflict` if the id is taken, `NotFound` if the store is not the tenant's.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, terminal: &NewTerminal) -> Result<Terminal, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Terminal, StoreError> {
    todo!()
}

/// All of the tenant's, or of one store, by number.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope, store: Option<StoreId>) -> Result<Vec<Terminal>, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn rename(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, name: &str) -> Result<(), StoreError> {
    todo!()
}

/// Shuts a terminal out for good: its certificates and open claim codes with it.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// Makes a claim code (by its SHA-256) the terminal's only open one; earlier unused ones are withdrawn.
///
/// # Errors
/// `NotFound`, `Revoked` for a terminal that was shut out, `Conflict` if the code is in use.
pub fn offer_claim(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    claim_hash: &[u8; 32],
    now: Millis,
    expires_at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// Writes down a certificate; the first one makes the terminal enrolled.
///
/// # Errors
/// `NotFound`, `Revoked`, `Conflict` if the serial is taken.
pub fn add_certificate(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    certificate: &Certificate,
) -> Result<(), StoreError> {
    todo!()
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn certificates(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
) -> Result<Vec<Certificate>, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn revoke_certificate(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    serial: &str,
    at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn set_presence(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    online: bool,
    at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn set_health(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    health: &Health,
    received_at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// Writes down a sign of life; does nothing within `every_ms` of the last, so that it may be called for each request.
///
/// # Errors
/// None of its own.
pub fn saw(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    at: Millis,
    every_ms: i64,
) -> Result<(), StoreError> {
    todo!()
}

/// At start: nobody is connected to a broker that was not there.
///
/// # Errors
/// None of its own.
pub fn all_offline(tx: &mut Tx<'_>, _: &crate::PlatformScope) -> Result<u64, StoreError> {
    todo!()
}
