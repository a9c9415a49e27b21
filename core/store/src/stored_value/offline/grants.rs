//! What holders' devices may spend offline. Whoever makes one or spends of one has the tenant's turn at the books.

use diesel::prelude::*;
use saoma_protocol::{
    Amount, Currency, Millis, StoredValueAccountId, TenantId,
    code::offline::{KeyId, Token},
};

use super::{schema::offline_grants as grants, small};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, found, millis},
    journal, terminals,
};

/// How far terminals' clocks may be behind core's, ten times over: past a grant's end by so much, no terminal takes a code of it.
const CLOCKS_APART_MS: i64 = 5 * 60_000;

/// For so long after it has heard core a terminal trusts the time, and without that it takes no code: 27.8 hours, and some.
const TIME_KEPT_MS: i64 = 28 * 3_600_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    pub token: Token,
    pub account: StoredValueAccountId,
    pub issuer: KeyId,
    pub cap: Amount,
    pub cap_single_minor: i64,
    /// Paid by the account so far; never more than the cap.
    pub spent_minor: i64,
    /// Ed25519, lower-case hex.
    pub device_key: String,
    pub not_before: Millis,
    pub not_after: Millis,
    pub code_seconds: u8,
    /// Until then at most what is left of the cap is set aside: journals come late.
    pub reserved_until: Millis,
    /// Its account was frozen: terminals that have heard of it take no code of it.
    pub revoked_at: Option<Millis>,
    pub made_by: String,
    pub created_at: Millis,
}

/// A place in the list of an account's, by `created_at`.
pub type Cursor = crate::Cursor<Token>;

/// # Errors
/// `Conflict` if there is one of this token: draw another.
pub fn make(tx: &mut Tx<'_>, scope: &TenantScope, grant: &StoredGrant) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(grant.token),
        account_id: Txt(grant.account),
        issuer_id: Txt(grant.issuer),
        currency: Txt(grant.cap.currency()),
        cap_single_minor: grant.cap_single_minor,
        cap_minor: grant.cap.minor(),
        spent_minor: grant.spent_minor,
        device_key: grant.device_key.clone(),
        not_before: grant.not_before.0,
        not_after: grant.not_after.0,
        code_seconds: grant.code_seconds.into(),
        reserved_until: grant.reserved_until.0,
        revoked_at: grant.revoked_at.map(|at| at.0),
        made_by: grant.made_by.clone(),
        created_at: grant.created_at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(grants::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the grant's token"))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, token: Token) -> Result<StoredGrant, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, token).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the grant" })?.try_into()
}

/// An account's, newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<StoredGrant>, StoreError> {
    let mut query = grants::table
        .filter(grants::tenant_id.eq(Txt(scope.tenant())))
        .filter(grants::account_id.eq(Txt(account)))
        .order((grants::created_at.desc(), grants::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(Cursor { at, id }) = after {
        let same_moment = grants::created_at.eq(at.0).and(grants::id.lt(Txt(id)));
        query = query.filter(grants::created_at.lt(at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(StoredGrant::try_from).collect()
}

/// What of the account is set aside at `now` for all its grants: what is left of each whose time is not over, or of which a terminal
/// may still have a sale to tell ([`heard`]), for its grace at most.
///
/// # Errors
/// None of its own.
pub fn reserved_minor(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    now: Millis,
) -> Result<i64, StoreError> {
    let reserving = grants::table
        .filter(grants::tenant_id.eq(Txt(scope.tenant())))
        .filter(grants::account_id.eq(Txt(account)))
        .filter(grants::reserved_until.gt(now.0))
        .select((grants::not_before, grants::not_after, grants::cap_minor - grants::spent_minor));
    let reserving: Vec<(i64, i64, i64)> = tx.run(scope, |conn| reserving.load(conn))?;
    reserving_minor(tx, scope, &reserving, now)
}

/// What is still set aside at `now` for this grant.
///
/// # Errors
/// None of its own.
pub fn reserved_of(tx: &mut Tx<'_>, scope: &TenantScope, grant: &StoredGrant, now: Millis) -> Result<i64, StoreError> {
    if now >= grant.reserved_until {
        return Ok(0);
    }
    let left_minor = grant.cap.minor() - grant.spent_minor;
    reserving_minor(tx, scope, &[(grant.not_before.0, grant.not_after.0, left_minor)], now)
}

/// Of grants within their grace: when each begins and ends, and what is left of it.
fn reserving_minor(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    reserving: &[(i64, i64, i64)],
    now: Millis,
) -> Result<i64, StoreError> {
    let is_over = |not_after: i64, heard: Millis| not_after.saturating_add(CLOCKS_APART_MS) <= heard.0;
    // Most accounts have none that is over.
    let heard = if reserving.iter().any(|(_, not_after, left)| *left > 0 && is_over(*not_after, now)) {
        heard(tx, scope)?
    } else {
        Vec::new()
    };
    let may_be_told = |not_before: i64, not_after: i64| {
        heard.iter().any(|its| !is_over(not_after, its.through) && not_before <= its.takes_codes_until.0)
    };
    let is_reserved = |not_before: i64, not_after: i64| !is_over(not_after, now) || may_be_told(not_before, not_after);
    let reserved = reserving.iter().filter(|(not_before, not_after, _)| is_reserved(*not_before, *not_after));
    Ok(reserved.map(|(.., left_minor)| left_minor).sum())
}

/// What core knows of a terminal that may have taken codes.
struct Heard {
    /// The moment up to which it has told what it took: it began after that, has written an entry after that which core has (the
    /// journal has no holes), or has said after that that core knows all.
    through: Millis,
    /// It takes none after this moment unless it hears core again, which core then sees.
    takes_codes_until: Millis,
}

/// Of each terminal. One that was revoked tells nothing any more.
fn heard(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Heard>, StoreError> {
    let mut heard = Vec::new();
    for terminal in terminals::list(tx, scope, None)? {
        let (Some(enrolled_at), None) = (terminal.enrolled_at, terminal.revoked_at) else { continue };
        let clear = terminal.health.filter(|(health, _)| health.unsent.count == 0);
        let told = clear.map_or(enrolled_at, |(health, at)| enrolled_at.max(health.at.min(at)));
        let through = told.max(journal::last_at(tx, scope, terminal.id)?.unwrap_or(told));
        let seen = terminal.last_seen_at.map_or(enrolled_at, |at| at.max(enrolled_at));
        heard.push(Heard { through, takes_codes_until: seen.plus(TIME_KEPT_MS) });
    }
    Ok(heard)
}

/// The account paid so much more of it; at most what is left.
///
/// # Errors
/// `NotFound`.
pub fn spend(tx: &mut Tx<'_>, scope: &TenantScope, token: Token, minor: i64) -> Result<(), StoreError> {
    let more = grants::spent_minor.eq(grants::spent_minor + minor);
    found(tx.run(scope, |conn| diesel::update(row_of(scope, token)).set(more).execute(conn))?, "the grant")
}

/// Revokes all of an account whose time is not over, and whether there were any; what is set aside for them stays so until their end, for what is spent before terminals hear of it.
///
/// # Errors
/// None of its own.
pub fn revoke(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    now: Millis,
) -> Result<bool, StoreError> {
    let standing = grants::table
        .filter(grants::tenant_id.eq(Txt(scope.tenant())))
        .filter(grants::account_id.eq(Txt(account)))
        .filter(grants::not_after.gt(now.0))
        .filter(grants::revoked_at.is_null());
    Ok(tx.run(scope, |conn| diesel::update(standing).set(grants::revoked_at.eq(now.0)).execute(conn))? > 0)
}

/// Revokes one, as [`revoke`]; one that is revoked stays as it is.
///
/// # Errors
/// None of its own.
pub fn revoke_one(tx: &mut Tx<'_>, scope: &TenantScope, token: Token, now: Millis) -> Result<(), StoreError> {
    let standing = row_of(scope, token).filter(grants::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(standing).set(grants::revoked_at.eq(now.0)).execute(conn)).map(drop)
}

/// Those that were revoked before their time, which is not over at `at`: what terminals must not take.
///
/// # Errors
/// None of its own.
pub fn denied(tx: &mut Tx<'_>, scope: &TenantScope, at: Millis) -> Result<Vec<Token>, StoreError> {
    let denied = grants::table
        .filter(grants::tenant_id.eq(Txt(scope.tenant())))
        .filter(grants::not_after.gt(at.0))
        .filter(grants::revoked_at.is_not_null())
        .order(grants::id)
        .select(grants::id);
    let tokens: Vec<Txt<Token>> = tx.run(scope, |conn| denied.load(conn))?;
    Ok(tokens.into_iter().map(|token| token.0).collect())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, token: Token) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let token: Txt<Token> = Txt(token);
    grants::table.filter(grants::tenant_id.eq(tenant)).filter(grants::id.eq(token))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<Token>,
    account_id: Txt<StoredValueAccountId>,
    issuer_id: Txt<KeyId>,
    currency: Txt<Currency>,
    cap_single_minor: i64,
    cap_minor: i64,
    spent_minor: i64,
    device_key: String,
    not_before: i64,
    not_after: i64,
    code_seconds: i64,
    reserved_until: i64,
    revoked_at: Option<i64>,
    made_by: String,
    created_at: i64,
}

impl TryFrom<Row> for StoredGrant {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            token: row.id.0,
            account: row.account_id.0,
            issuer: row.issuer_id.0,
            cap: amount(row.cap_minor, row.currency.0)?,
            cap_single_minor: row.cap_single_minor,
            spent_minor: row.spent_minor,
            device_key: row.device_key,
            not_before: Millis(row.not_before),
            not_after: Millis(row.not_after),
            code_seconds: small(row.code_seconds)?,
            reserved_until: Millis(row.reserved_until),
            revoked_at: millis(row.revoked_at),
            made_by: row.made_by,
            created_at: Millis(row.created_at),
        })
    }
}
