//! People who sign in.

use saoma_protocol::{Millis, TenantId, UserId};

use crate::{Opaque, PlatformScope, Principal, StoreError, TenantScope, Tx};

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
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::PlatformAdmin,
        Self::Owner,
        Self::Manager,
        Self::Cashier,
        Self::Accountant,
        Self::ReadOnly,
        Self::PluginPublisher,
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
    todo!()
}

/// A person of the platform itself (`user.role` is taken as `PlatformAdmin`).
///
/// # Errors
/// `Conflict` if the login or id is taken.
pub fn create_platform_admin(tx: &mut Tx<'_>, _: &PlatformScope, user: &NewUser) -> Result<User, StoreError> {
    todo!()
}

/// # Errors
/// None of its own.
pub fn platform_admins(tx: &mut Tx<'_>, _: &PlatformScope) -> Result<Vec<User>, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, user: UserId) -> Result<User, StoreError> {
    todo!()
}

/// All of the tenant's people, by login.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<User>, StoreError> {
    todo!()
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
    todo!()
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
    todo!()
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
    todo!()
}

/// The hash of the signed-in person's own password, to check the old one before a change.
///
/// # Errors
/// `NotFound` for a principal that is no person.
pub fn own_password_hash(tx: &mut Tx<'_>, me: &Principal) -> Result<Opaque<String>, StoreError> {
    todo!()
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
    todo!()
}

/// The signed-in person, with name and role.
///
/// # Errors
/// `NotFound` for a principal that is no person.
pub fn me(tx: &mut Tx<'_>, me: &Principal) -> Result<User, StoreError> {
    todo!()
}
