//! Terminals: who they are, how they prove it, how they do.

use diesel::{dsl::max, prelude::*};
use saoma_protocol::{Millis, StoreId, TenantId, TerminalId, message::Health};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found, from_json, millis, moment, to_json, unsigned32},
    dialect::{insert_or_ignore, take_turn},
    outbox,
    reach::Reach,
    schema::{terminal_certificates, terminal_claims, terminals},
    stores,
};

diesel::define_sql_function! {
    /// The first that is not null.
    fn coalesce(
        first: diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
        second: diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
    ) -> diesel::sql_types::Nullable<diesel::sql_types::BigInt>;
}

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
    // The number is the highest so far plus one, so two that are made at once must not see the same highest.
    take_turn(tx, scope)?;
    let highest: Option<i32> = tx.run(scope, |conn| {
        terminals::table.filter(terminals::tenant_id.eq(Txt(scope.tenant()))).select(max(terminals::number)).first(conn)
    })?;
    let row = TerminalRow {
        tenant_id: Txt(scope.tenant()),
        id: Txt(terminal.id),
        store_id: Txt(terminal.store),
        number: highest.unwrap_or(0) + 1,
        name: terminal.name.clone(),
        created_at: terminal.created_at.0,
        enrolled_at: None,
        revoked_at: None,
        online: false,
        last_seen_at: None,
        health_json: None,
        health_at: None,
    };
    stores::load(tx, scope, terminal.store)?;
    match insert_or_ignore!(tx, scope, terminals::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the terminal's id" }),
        _ => row.try_into(),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Terminal, StoreError> {
    let row: Option<TerminalRow> =
        tx.run(scope, |conn| row_of(scope, terminal).select(TerminalRow::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the terminal" })?.try_into()
}

/// All of the tenant's, or of one store, by number.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope, store: Option<StoreId>) -> Result<Vec<Terminal>, StoreError> {
    let rows: Vec<TerminalRow> = tx.run(scope, |conn| {
        let mut query = terminals::table
            .filter(terminals::tenant_id.eq(Txt(scope.tenant())))
            .order(terminals::number)
            .select(TerminalRow::as_select())
            .into_boxed();
        if let Some(store) = store {
            query = query.filter(terminals::store_id.eq(Txt(store)));
        }
        query.load(conn)
    })?;
    rows.into_iter().map(Terminal::try_from).collect()
}

/// # Errors
/// `NotFound`.
pub fn rename(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, name: &str) -> Result<(), StoreError> {
    let n =
        tx.run(scope, |conn| diesel::update(row_of(scope, terminal)).set(terminals::name.eq(name)).execute(conn))?;
    found(n, "the terminal")
}

/// Shuts a terminal out for good: its certificates and open claim codes with it, and the pushes that it will never fetch.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, at: Millis) -> Result<(), StoreError> {
    let already = load(tx, scope, terminal)?.revoked_at.is_some();
    if already {
        return Ok(());
    }
    // Where it is connected stays known until that node has ended the connection: should the bell be lost, the node looks.
    let changes = (terminals::revoked_at.eq(at.0), terminals::online.eq(false));
    tx.run(scope, |conn| diesel::update(row_of(scope, terminal)).set(changes).execute(conn))?;
    let certificates = terminal_certificates::table
        .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
        .filter(terminal_certificates::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(certificates).set(terminal_certificates::revoked_at.eq(at.0)).execute(conn))?;
    withdraw_claims(tx, scope, terminal, at)?;
    outbox::give_up(tx, scope, terminal, at).map(drop)
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
    if load(tx, scope, terminal)?.revoked_at.is_some() {
        return Err(StoreError::Revoked { what: "the terminal" });
    }
    withdraw_claims(tx, scope, terminal, now)?;
    let row = (
        terminal_claims::code_hash.eq(claim_hash.as_slice()),
        terminal_claims::tenant_id.eq(Txt(scope.tenant())),
        terminal_claims::terminal_id.eq(Txt(terminal)),
        terminal_claims::created_at.eq(now.0),
        terminal_claims::expires_at.eq(expires_at.0),
    );
    match insert_or_ignore!(tx, scope, terminal_claims::table, row)? {
        0 => Err(StoreError::Conflict { what: "the claim code" }),
        _ => Ok(()),
    }
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
    let stored = load(tx, scope, terminal)?;
    if stored.revoked_at.is_some() {
        return Err(StoreError::Revoked { what: "the terminal" });
    }
    let row = CertificateRow {
        serial: certificate.serial.clone(),
        tenant_id: Txt(scope.tenant()),
        terminal_id: Txt(terminal),
        issued_at: certificate.issued_at.0,
        not_after: certificate.not_after.0,
        revoked_at: moment(certificate.revoked_at),
    };
    if insert_or_ignore!(tx, scope, terminal_certificates::table, &row)? == 0 {
        return Err(StoreError::Conflict { what: "the certificate's serial" });
    }
    if stored.enrolled_at.is_none() {
        let enrolled = terminals::enrolled_at.eq(certificate.issued_at.0);
        tx.run(scope, |conn| diesel::update(row_of(scope, terminal)).set(enrolled).execute(conn))?;
    }
    Ok(())
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
    let rows: Vec<CertificateRow> = tx.run(scope, |conn| {
        terminal_certificates::table
            .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
            .order((terminal_certificates::issued_at.desc(), terminal_certificates::serial))
            .select(CertificateRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(Certificate::from).collect())
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
    let row = terminal_certificates::table
        .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
        .filter(terminal_certificates::serial.eq(serial));
    // The first withdrawal counts.
    let at = coalesce(terminal_certificates::revoked_at, Some(at.0));
    let n = tx.run(scope, |conn| diesel::update(row).set(terminal_certificates::revoked_at.eq(at)).execute(conn))?;
    found(n, "the certificate")
}

/// Writes down the key of a certificate: an uncompressed point of P-256. The first one stays.
///
/// # Errors
/// None of its own.
pub fn keep_public_key(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    serial: &str,
    key: &[u8],
) -> Result<(), StoreError> {
    let without = terminal_certificates::table
        .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
        .filter(terminal_certificates::serial.eq(serial))
        .filter(terminal_certificates::public_key.is_null());
    tx.run(scope, |conn| diesel::update(without).set(terminal_certificates::public_key.eq(key)).execute(conn)).map(drop)
}

/// The terminal's certificates whose keys are not known, by serial number.
///
/// # Errors
/// None of its own.
pub fn without_public_key(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
) -> Result<Vec<String>, StoreError> {
    tx.run(scope, |conn| {
        terminal_certificates::table
            .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
            .filter(terminal_certificates::public_key.is_null())
            .select(terminal_certificates::serial)
            .load(conn)
    })
}

/// The key of a certificate; `None` if it is not known, or there is no such certificate.
///
/// # Errors
/// None of its own.
pub fn public_key(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    serial: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<Option<Vec<u8>>> = tx.run(scope, |conn| {
        terminal_certificates::table
            .filter(terminal_certificates::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_certificates::terminal_id.eq(Txt(terminal)))
            .filter(terminal_certificates::serial.eq(serial))
            .select(terminal_certificates::public_key)
            .first(conn)
            .optional()
    })?;
    Ok(found.flatten())
}

/// The terminal has connected to the broker of this node.
///
/// # Errors
/// `NotFound`.
pub fn came_online(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    node: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let changes = (terminals::online.eq(true), terminals::node_id.eq(Some(node)), terminals::last_seen_at.eq(at.0));
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, terminal)).set(changes).execute(conn))?;
    found(n, "the terminal")
}

/// The terminal's connection to this node has ended. Does nothing if it has connected to another meanwhile.
///
/// # Errors
/// None of its own.
pub fn went_offline(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    node: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let here = row_of(scope, terminal).filter(terminals::node_id.eq(node));
    let changes =
        (terminals::online.eq(false), terminals::node_id.eq(None::<String>), terminals::last_seen_at.eq(at.0));
    tx.run(scope, |conn| diesel::update(here).set(changes).execute(conn)).map(drop)
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
    let changes = (
        terminals::health_json.eq(to_json(health)?),
        terminals::health_at.eq(received_at.0),
        terminals::last_seen_at.eq(received_at.0),
    );
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, terminal)).set(changes).execute(conn))?;
    found(n, "the terminal")
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
    let stale = row_of(scope, terminal)
        .filter(terminals::last_seen_at.is_null().or(terminals::last_seen_at.le(at.plus(-every_ms).0)));
    tx.run(scope, |conn| diesel::update(stale).set(terminals::last_seen_at.eq(at.0)).execute(conn)).map(drop)
}

/// Whether [`saw`] would write something: asked first, so that most requests need no turn at writing.
///
/// # Errors
/// None of its own.
pub fn is_sign_due(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    at: Millis,
    every_ms: i64,
) -> Result<bool, StoreError> {
    let seen: Option<Option<i64>> =
        tx.run(scope, |conn| row_of(scope, terminal).select(terminals::last_seen_at).first(conn).optional())?;
    Ok(seen.is_some_and(|seen| seen.is_none_or(|seen| seen <= at.plus(-every_ms).0)))
}

/// Reads a terminal by the id in its certificate, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, terminal: TerminalId) -> Result<Option<(TenantId, Terminal)>, StoreError> {
    let row: Option<TerminalRow> = tx.run(Reach::All, |conn| {
        terminals::table.filter(terminals::id.eq(Txt(terminal))).select(TerminalRow::as_select()).first(conn).optional()
    })?;
    row.map(|row| Ok((row.tenant_id.0, row.try_into()?))).transpose()
}

/// A claim code as [`crate::access`] needs it.
pub(crate) struct Claim {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub expires_at: Millis,
    /// When it was used or withdrawn.
    pub over_at: Option<Millis>,
}

/// Reads a claim code by its hash, whosever it is: for [`crate::access`] alone.
pub(crate) fn claim(tx: &mut Tx<'_>, claim_hash: &[u8; 32]) -> Result<Option<Claim>, StoreError> {
    type Row = (Txt<TenantId>, Txt<TerminalId>, i64, Option<i64>, Option<i64>);
    let row: Option<Row> = tx.run(Reach::All, |conn| {
        terminal_claims::table
            .find(claim_hash.as_slice())
            .select((
                terminal_claims::tenant_id,
                terminal_claims::terminal_id,
                terminal_claims::expires_at,
                terminal_claims::used_at,
                terminal_claims::withdrawn_at,
            ))
            .first(conn)
            .optional()
    })?;
    Ok(row.map(|(tenant, terminal, expires_at, used_at, withdrawn_at)| Claim {
        tenant: tenant.0,
        terminal: terminal.0,
        expires_at: Millis(expires_at),
        over_at: millis(used_at.or(withdrawn_at)),
    }))
}

/// Uses up a claim code; `false` if it was used or withdrawn meanwhile.
pub(crate) fn use_claim(tx: &mut Tx<'_>, claim_hash: &[u8; 32], at: Millis) -> Result<bool, StoreError> {
    let open = terminal_claims::table
        .filter(terminal_claims::code_hash.eq(claim_hash.as_slice()))
        .filter(terminal_claims::used_at.is_null())
        .filter(terminal_claims::withdrawn_at.is_null());
    tx.run(Reach::All, |conn| diesel::update(open).set(terminal_claims::used_at.eq(at.0)).execute(conn)).map(|n| n == 1)
}

fn withdraw_claims(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, at: Millis) -> Result<(), StoreError> {
    let open = terminal_claims::table
        .filter(terminal_claims::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_claims::terminal_id.eq(Txt(terminal)))
        .filter(terminal_claims::used_at.is_null())
        .filter(terminal_claims::withdrawn_at.is_null());
    tx.run(scope, |conn| diesel::update(open).set(terminal_claims::withdrawn_at.eq(at.0)).execute(conn)).map(drop)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, terminal: TerminalId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<TerminalId> = Txt(terminal);
    terminals::table.filter(terminals::tenant_id.eq(tenant)).filter(terminals::id.eq(id))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = terminals)]
struct TerminalRow {
    tenant_id: Txt<TenantId>,
    id: Txt<TerminalId>,
    store_id: Txt<StoreId>,
    number: i32,
    name: String,
    created_at: i64,
    enrolled_at: Option<i64>,
    revoked_at: Option<i64>,
    online: bool,
    last_seen_at: Option<i64>,
    health_json: Option<String>,
    health_at: Option<i64>,
}

impl TryFrom<TerminalRow> for Terminal {
    type Error = StoreError;

    fn try_from(row: TerminalRow) -> Result<Self, StoreError> {
        let health = match (row.health_json, row.health_at) {
            (Some(json), Some(at)) => Some((from_json(&json, "a terminal's health")?, Millis(at))),
            _ => None,
        };
        Ok(Self {
            id: row.id.0,
            store: row.store_id.0,
            name: row.name,
            number: unsigned32(row.number)?,
            created_at: Millis(row.created_at),
            enrolled_at: millis(row.enrolled_at),
            revoked_at: millis(row.revoked_at),
            online: row.online,
            last_seen_at: millis(row.last_seen_at),
            health,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = terminal_certificates)]
struct CertificateRow {
    serial: String,
    tenant_id: Txt<TenantId>,
    terminal_id: Txt<TerminalId>,
    issued_at: i64,
    not_after: i64,
    revoked_at: Option<i64>,
}

impl From<CertificateRow> for Certificate {
    fn from(row: CertificateRow) -> Self {
        Self {
            serial: row.serial,
            not_after: Millis(row.not_after),
            issued_at: Millis(row.issued_at),
            revoked_at: millis(row.revoked_at),
        }
    }
}
