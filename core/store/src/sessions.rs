//! Sign-ins: which are open, and ending them. [`crate::access`] opens and refreshes them.

use diesel::prelude::*;
use saoma_protocol::{Millis, SessionId, TenantId, UserId};

use crate::{
    PlatformScope, Principal, StoreError, TenantScope, Tx,
    column::{Txt, millis},
    dialect::insert_or_ignore,
    reach::Reach,
    schema::sessions,
    users,
};

#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    /// SHA-256 of the first refresh token.
    pub refresh_hash: [u8; 32],
    /// What the person sees in the list of their sign-ins: browser and address.
    pub label: String,
    pub created_at: Millis,
    /// When the refresh token dies.
    pub expires_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub label: String,
    pub created_at: Millis,
    pub refreshed_at: Option<Millis>,
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
}

/// The caller's own sessions that are open at `now`, newest first.
///
/// # Errors
/// None of its own; empty for a principal that is no person.
pub fn own(tx: &mut Tx<'_>, me: &Principal, now: Millis) -> Result<Vec<Session>, StoreError> {
    let Ok((tenant, user, _)) = users::person(me) else { return Ok(Vec::new()) };
    let rows: Vec<SessionRow> = tx.run(Reach::of(tenant), |conn| {
        sessions::table
            .filter(sessions::user_id.eq(Txt(user)))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(now.0))
            .order((sessions::created_at.desc(), sessions::id))
            .select(SessionRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// Ends one of the caller's own sessions (sign out: the current one). Ending an ended one is fine.
///
/// # Errors
/// `NotFound` if it is not the caller's.
pub fn end(tx: &mut Tx<'_>, me: &Principal, session: SessionId, at: Millis) -> Result<(), StoreError> {
    let (tenant, user, _) = users::person(me)?;
    let row = sessions::table.filter(sessions::id.eq(Txt(session))).filter(sessions::user_id.eq(Txt(user)));
    let n: i64 = tx.run(Reach::of(tenant), |conn| row.count().get_result(conn))?;
    if n == 0 {
        return Err(StoreError::NotFound { what: "the session" });
    }
    let open = row.filter(sessions::revoked_at.is_null());
    tx.run(Reach::of(tenant), |conn| diesel::update(open).set(sessions::revoked_at.eq(at.0)).execute(conn)).map(drop)
}

/// Ends all sessions of a person of the tenant.
///
/// # Errors
/// None of its own.
pub fn end_all_of(tx: &mut Tx<'_>, scope: &TenantScope, user: UserId, at: Millis) -> Result<u64, StoreError> {
    let open = sessions::table
        .filter(sessions::tenant_id.eq(Txt(scope.tenant())))
        .filter(sessions::user_id.eq(Txt(user)))
        .filter(sessions::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(open).set(sessions::revoked_at.eq(at.0)).execute(conn)).map(|n| n as u64)
}

/// Deletes sessions that ended before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, platform: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    let over = sessions::table.filter(sessions::expires_at.lt(before.0).or(sessions::revoked_at.lt(before.0)));
    tx.run(platform, |conn| diesel::delete(over).execute(conn)).map(|n| n as u64)
}

/// What [`crate::access`] needs to know of a session.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct Credential {
    pub user_id: Txt<UserId>,
    pub refresh_hash: Vec<u8>,
    pub expires_at: i64,
    pub revoked_at: Option<i64>,
}

/// Reads a session by its id, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, session: SessionId) -> Result<Option<Credential>, StoreError> {
    tx.run(Reach::All, |conn| sessions::table.find(Txt(session)).select(Credential::as_select()).first(conn).optional())
}

pub(crate) fn insert(tx: &mut Tx<'_>, user: &users::User, session: &NewSession) -> Result<(), StoreError> {
    let row = (
        sessions::id.eq(Txt(session.id)),
        sessions::tenant_id.eq(user.tenant.map(Txt)),
        sessions::user_id.eq(Txt(user.id)),
        sessions::refresh_hash.eq(session.refresh_hash.as_slice()),
        sessions::label.eq(&session.label),
        sessions::created_at.eq(session.created_at.0),
        sessions::expires_at.eq(session.expires_at.0),
    );
    match insert_or_ignore!(tx, Reach::of(user.tenant), sessions::table, row)? {
        0 => Err(StoreError::Conflict { what: "the session's id" }),
        _ => Ok(()),
    }
}

/// Puts the next refresh token in force, if `current` still is: of two that come at once, one gets `false`.
pub(crate) fn rotate(
    tx: &mut Tx<'_>,
    session: SessionId,
    current: &[u8; 32],
    next: &[u8; 32],
    now: Millis,
    expires_at: Millis,
) -> Result<bool, StoreError> {
    let row = sessions::table
        .filter(sessions::id.eq(Txt(session)))
        .filter(sessions::refresh_hash.eq(current.as_slice()))
        .filter(sessions::revoked_at.is_null());
    let changes = (
        sessions::refresh_hash.eq(next.as_slice()),
        sessions::refreshed_at.eq(now.0),
        sessions::expires_at.eq(expires_at.0),
    );
    tx.run(Reach::All, |conn| diesel::update(row).set(changes).execute(conn)).map(|n| n == 1)
}

pub(crate) fn revoke(tx: &mut Tx<'_>, session: SessionId, at: Millis) -> Result<(), StoreError> {
    let row = sessions::table.find(Txt(session));
    tx.run(Reach::All, |conn| diesel::update(row).set(sessions::revoked_at.eq(at.0)).execute(conn)).map(drop)
}

/// Ends a person's open sessions, but for one if it is given.
pub(crate) fn end_all(
    tx: &mut Tx<'_>,
    tenant: Option<TenantId>,
    user: UserId,
    but: Option<SessionId>,
    at: Millis,
) -> Result<u64, StoreError> {
    let but = but.map_or_else(String::new, |session| session.to_string());
    let open = sessions::table
        .filter(sessions::user_id.eq(Txt(user)))
        .filter(sessions::id.ne(but))
        .filter(sessions::revoked_at.is_null());
    tx.run(Reach::of(tenant), |conn| diesel::update(open).set(sessions::revoked_at.eq(at.0)).execute(conn))
        .map(|n| n as u64)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: Txt<SessionId>,
    user_id: Txt<UserId>,
    label: String,
    created_at: i64,
    refreshed_at: Option<i64>,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.0,
            user: row.user_id.0,
            label: row.label,
            created_at: Millis(row.created_at),
            refreshed_at: millis(row.refreshed_at),
            expires_at: Millis(row.expires_at),
            revoked_at: millis(row.revoked_at),
        }
    }
}
