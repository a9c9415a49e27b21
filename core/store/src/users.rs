//! People who sign in.

use diesel::{
    prelude::*,
    sql_types::{Bool, Nullable},
};
use saoma_protocol::{Millis, SessionId, TenantId, UserId};

use crate::{
    Opaque, PlatformScope, Principal, StoreError, TenantScope, Tx,
    column::{Txt, found},
    conn::MultiBackend,
    dialect::insert_or_ignore,
    reach::Reach,
    schema::users,
    sessions,
};

/// What a person is to the platform or to a tenant. What each may do is the server's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    PlatformAdmin,
    Owner,
    Manager,
    Cashier,
    Accountant,
    ReadOnly,
    PluginPublisher,
    /// Takes stored value of this tenant's, and does nothing else: for keys of those who accept it.
    Acceptor,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::PlatformAdmin,
        Self::Owner,
        Self::Manager,
        Self::Cashier,
        Self::Accountant,
        Self::ReadOnly,
        Self::PluginPublisher,
        Self::Acceptor,
    ];

    /// The stable text of this role, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform_admin",
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Cashier => "cashier",
            Self::Accountant => "accountant",
            Self::ReadOnly => "read_only",
            Self::PluginPublisher => "plugin_publisher",
            Self::Acceptor => "acceptor",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.text() == text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// `None` for the platform's own people.
    pub tenant: Option<TenantId>,
    /// What is typed at sign-in, an e-mail address or a name; unique over all tenants, compared in lower case.
    pub login: String,
    pub name: String,
    pub role: Role,
    pub active: bool,
    pub must_change_password: bool,
    pub created_at: Millis,
}

#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub role: Role,
    /// The argon2 hash as a PHC string.
    pub password_hash: Opaque<String>,
    pub must_change_password: bool,
    pub created_at: Millis,
}

/// # Errors
/// `Conflict` if the login or id is taken; `Limit` for the role `PlatformAdmin`, which no tenant has.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, user: &NewUser) -> Result<User, StoreError> {
    if user.role == Role::PlatformAdmin {
        return Err(StoreError::Limit { what: "platform administrators of a tenant", max: 0 });
    }
    insert(tx, Some(scope.tenant()), user.role, user)
}

/// A person of the platform itself (`user.role` is taken as `PlatformAdmin`).
///
/// # Errors
/// `Conflict` if the login or id is taken.
pub fn create_platform_admin(tx: &mut Tx<'_>, _: &PlatformScope, user: &NewUser) -> Result<User, StoreError> {
    insert(tx, None, Role::PlatformAdmin, user)
}

/// # Errors
/// None of its own.
pub fn platform_admins(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<User>, StoreError> {
    let rows: Vec<UserRow> = tx.run(platform, |conn| {
        users::table.filter(users::tenant_id.is_null()).order(users::login).select(UserRow::as_select()).load(conn)
    })?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, user: UserId) -> Result<User, StoreError> {
    let row: Option<UserRow> =
        tx.run(scope, |conn| row_of(Some(scope.tenant()), user).select(UserRow::as_select()).first(conn).optional())?;
    row.map(User::from).ok_or(NOBODY)
}

/// All of the tenant's people, by login.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<User>, StoreError> {
    let rows: Vec<UserRow> = tx.run(scope, |conn| {
        users::table
            .filter(users::tenant_id.eq(Txt(scope.tenant())))
            .order(users::login)
            .select(UserRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Changes name, role and whether the person is active; making someone inactive ends their sessions.
///
/// # Errors
/// `NotFound`; `Limit` for the role `PlatformAdmin`.
pub fn update(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    user: UserId,
    name: &str,
    role: Role,
    active: bool,
    at: Millis,
) -> Result<(), StoreError> {
    if role == Role::PlatformAdmin {
        return Err(StoreError::Limit { what: "platform administrators of a tenant", max: 0 });
    }
    let changes =
        (users::name.eq(name), users::role.eq(Txt(role)), users::active.eq(active), users::updated_at.eq(at.0));
    let row = row_of(Some(scope.tenant()), user);
    let n = tx.run(scope, |conn| diesel::update(row).set(changes).execute(conn))?;
    found(n, "the person")?;
    if !active {
        sessions::end_all_of(tx, scope, user, at)?;
    }
    Ok(())
}

/// Somebody else sets a new password, to be changed at the next sign-in; ends the person's sessions.
///
/// # Errors
/// `NotFound`.
pub fn reset_password(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    user: UserId,
    password_hash: &Opaque<String>,
    at: Millis,
) -> Result<(), StoreError> {
    set_password(tx, Some(scope.tenant()), user, password_hash, true, at)?;
    sessions::end_all(tx, Some(scope.tenant()), user, None, at).map(drop)
}

/// The same for a person of the platform (`saoma admin reset-password`).
///
/// # Errors
/// `NotFound`.
pub fn reset_platform_password(
    tx: &mut Tx<'_>,
    _: &PlatformScope,
    user: UserId,
    password_hash: &Opaque<String>,
    at: Millis,
) -> Result<(), StoreError> {
    set_password(tx, None, user, password_hash, true, at)?;
    sessions::end_all(tx, None, user, None, at).map(drop)
}

/// The hash of the signed-in person's own password, to check the old one before a change.
///
/// # Errors
/// `NotFound` for a principal that is no person.
pub fn own_password_hash(tx: &mut Tx<'_>, me: &Principal) -> Result<Opaque<String>, StoreError> {
    let (tenant, user, _) = person(me)?;
    let hash: Option<String> =
        tx.run(Reach::of(tenant), |conn| row_of(tenant, user).select(users::password_hash).first(conn).optional())?;
    hash.map(Opaque).ok_or(NOBODY)
}

/// A signed-in person's new password; ends their other sessions.
///
/// # Errors
/// `NotFound` for a principal that is no person.
pub fn change_own_password(
    tx: &mut Tx<'_>,
    me: &Principal,
    password_hash: &Opaque<String>,
    at: Millis,
) -> Result<(), StoreError> {
    let (tenant, user, session) = person(me)?;
    set_password(tx, tenant, user, password_hash, false, at)?;
    sessions::end_all(tx, tenant, user, Some(session), at).map(drop)
}

/// The signed-in person, with name and role.
///
/// # Errors
/// `NotFound` for a principal that is no person.
pub fn me(tx: &mut Tx<'_>, me: &Principal) -> Result<User, StoreError> {
    let (tenant, user, _) = person(me)?;
    let row: Option<UserRow> =
        tx.run(Reach::of(tenant), |conn| row_of(tenant, user).select(UserRow::as_select()).first(conn).optional())?;
    row.map(User::from).ok_or(NOBODY)
}

const NOBODY: StoreError = StoreError::NotFound { what: "the person" };

crate::column::stored_as_text!(Role);

/// Who a principal is, if it is a person.
pub(crate) fn person(me: &Principal) -> Result<(Option<TenantId>, UserId, SessionId), StoreError> {
    match me {
        Principal::Platform { user, session, .. } => Ok((None, *user, *session)),
        Principal::User { scope, user, session, .. } => Ok((Some(scope.tenant()), *user, *session)),
        Principal::ApiKey { .. } | Principal::Terminal { .. } => Err(NOBODY),
    }
}

/// Reads a person by their login, whosever they are: for [`crate::access`] alone.
pub(crate) fn by_login(tx: &mut Tx<'_>, login: &str) -> Result<Option<(User, Opaque<String>)>, StoreError> {
    let row: Option<(UserRow, String)> = tx.run(Reach::All, |conn| {
        users::table
            .filter(users::login.eq(login.to_lowercase()))
            .select((UserRow::as_select(), users::password_hash))
            .first(conn)
            .optional()
    })?;
    Ok(row.map(|(row, hash)| (row.into(), Opaque(hash))))
}

/// Reads a person by their id, whosever they are: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, user: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> =
        tx.run(Reach::All, |conn| users::table.find(Txt(user)).select(UserRow::as_select()).first(conn).optional())?;
    Ok(row.map(User::from))
}

fn insert(tx: &mut Tx<'_>, tenant: Option<TenantId>, role: Role, user: &NewUser) -> Result<User, StoreError> {
    let row = UserRow {
        id: Txt(user.id),
        tenant_id: tenant.map(Txt),
        login: user.login.to_lowercase(),
        name: user.name.clone(),
        role: Txt(role),
        active: true,
        must_change_password: user.must_change_password,
        created_at: user.created_at.0,
    };
    let values = (&row, users::password_hash.eq(&user.password_hash.0), users::updated_at.eq(user.created_at.0));
    match insert_or_ignore!(tx, Reach::of(tenant), users::table, values)? {
        0 => Err(StoreError::Conflict { what: "the login" }),
        _ => Ok(row.into()),
    }
}

fn set_password(
    tx: &mut Tx<'_>,
    tenant: Option<TenantId>,
    user: UserId,
    password_hash: &Opaque<String>,
    must_change: bool,
    at: Millis,
) -> Result<(), StoreError> {
    let changes = (
        users::password_hash.eq(&password_hash.0),
        users::must_change_password.eq(must_change),
        users::updated_at.eq(at.0),
    );
    let n = tx.run(Reach::of(tenant), |conn| diesel::update(row_of(tenant, user)).set(changes).execute(conn))?;
    found(n, "the person")
}

/// The person with this id if they belong to the tenant (or to the platform, without one).
#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(tenant: Option<TenantId>, user: UserId) -> _ {
    let id: Txt<UserId> = Txt(user);
    let owned: Owned = owned_by(tenant);
    users::table.filter(users::id.eq(id)).filter(owned)
}

type Owned = Box<dyn BoxableExpression<users::table, MultiBackend, SqlType = Nullable<Bool>>>;

fn owned_by(tenant: Option<TenantId>) -> Owned {
    match tenant {
        Some(tenant) => Box::new(users::tenant_id.eq(Txt(tenant))),
        None => Box::new(users::tenant_id.is_null().nullable()),
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
struct UserRow {
    id: Txt<UserId>,
    tenant_id: Option<Txt<TenantId>>,
    login: String,
    name: String,
    role: Txt<Role>,
    active: bool,
    must_change_password: bool,
    created_at: i64,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.0,
            tenant: row.tenant_id.map(|tenant| tenant.0),
            login: row.login,
            name: row.name,
            role: row.role.0,
            active: row.active,
            must_change_password: row.must_change_password,
            created_at: Millis(row.created_at),
        }
    }
}
