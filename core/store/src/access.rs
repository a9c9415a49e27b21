//! From a credential to what its holder may see. The only maker of a [`TenantScope`] and a [`PlatformScope`]: code that
//! holds one was let in here.
//!
//! ```compile_fail,E0451
//! use saoma_store::TenantScope;
//! // A scope cannot be written down from an id that came with a request.
//! let forged = TenantScope { tenant: saoma_protocol::TenantId::from_bytes([1; 16]) };
//! ```

use saoma_domain::pay_code::PayCodeId;
use saoma_protocol::{ApiKeyId, ChannelAccountId, Millis, SessionId, StoreId, TenantId, TerminalId, UserId};

use crate::{
    Opaque, StoreError, Tx,
    channel_accounts::ChannelAccount,
    pay_codes::PayCode,
    sessions::NewSession,
    terminals::Terminal,
    users::{Role, User},
};

/// The right to one tenant's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantScope {
    tenant: TenantId,
}

impl TenantScope {
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// The right to the platform's own rows, and to work that is due for any tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformScope {
    _made_here: (),
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An administrator of the platform, signed in.
    Platform { scope: PlatformScope, user: UserId, session: SessionId, must_change_password: bool },
    /// A person of a tenant, signed in.
    User { scope: TenantScope, user: UserId, role: Role, session: SessionId, must_change_password: bool },
    /// A machine with a key.
    ApiKey { scope: TenantScope, key: ApiKeyId, scopes: Vec<String> },
    /// A terminal with its certificate.
    Terminal { scope: TenantScope, terminal: TerminalId, store: StoreId },
}

impl Principal {
    /// The tenant's scope, if the caller belongs to one.
    #[must_use]
    pub const fn tenant_scope(&self) -> Option<&TenantScope> {
        match self {
            Self::Platform { .. } => None,
            Self::User { scope, .. } | Self::ApiKey { scope, .. } | Self::Terminal { scope, .. } => Some(scope),
        }
    }

    /// The caller's id in wire form, for events and the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Platform { user, .. } | Self::User { user, .. } => user.to_string(),
            Self::ApiKey { key, .. } => key.to_string(),
            Self::Terminal { terminal, .. } => terminal.to_string(),
        }
    }
}

/// The process itself: workers, the command line, the first start. Whoever can start it holds the database file anyway.
/// Never call this on behalf of a request.
#[must_use]
pub const fn process() -> PlatformScope {
    PlatformScope { _made_here: () }
}

/// The platform enters a tenant (the command line, the demo's seed, support).
///
/// # Errors
/// `NotFound` if there is no such tenant.
pub fn enter_tenant(tx: &mut Tx<'_>, _platform: &PlatformScope, tenant: TenantId) -> Result<TenantScope, StoreError> {
    todo!()
}

/// Someone who says who they are, with the hash to check their password against. Nothing is granted yet.
#[derive(Clone, Debug)]
pub struct SignIn {
    user: User,
    password_hash: Opaque<String>,
}

impl SignIn {
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The argon2 hash (PHC string) that the presented password must fit before [`open_session`] is called.
    #[must_use]
    pub fn password_hash(&self) -> &str {
        &self.password_hash.0
    }
}

/// The active person with this login name (compared in lower case).
///
/// # Errors
/// `NotFound` for an unknown or inactive person, or one whose tenant is inactive: verify against a dummy hash all the
/// same, so that both take as long.
pub fn by_login(tx: &mut Tx<'_>, login: &str) -> Result<SignIn, StoreError> {
    todo!()
}

/// Starts a session for a person whose password (and second factor) the caller has verified.
///
/// # Errors
/// `Conflict` if the session's id is taken.
pub fn open_session(tx: &mut Tx<'_>, verified: &SignIn, session: &NewSession) -> Result<Principal, StoreError> {
    todo!()
}

/// The holder of a session (its id comes out of a token whose signature was checked).
///
/// # Errors
/// `NotFound` for an unknown session or an inactive person, `Revoked`, `Expired`.
pub fn by_session(tx: &mut Tx<'_>, session: SessionId, now: Millis) -> Result<Principal, StoreError> {
    todo!()
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Accepted; the next one is in force and the session lasts until its new end.
    Rotated(Principal),
    /// A token that was rotated before: someone else holds a copy. The session is revoked from this commit on.
    Reused,
}

/// Exchanges a session's refresh token (given by SHA-256) for the next.
///
/// # Errors
/// `NotFound` for an unknown session, a token that was never its own or an inactive person, `Revoked`, `Expired`.
pub fn refresh_session(
    tx: &mut Tx<'_>,
    session: SessionId,
    presented_hash: &[u8; 32],
    next_hash: &[u8; 32],
    now: Millis,
    expires_at: Millis,
) -> Result<Refresh, StoreError> {
    todo!()
}

/// The machine that holds an API key (given by SHA-256 of its secret, compared in constant time).
///
/// # Errors
/// `NotFound` for an unknown key or a wrong secret, `Revoked`, `Expired`.
pub fn by_api_key(
    tx: &mut Tx<'_>,
    key: ApiKeyId,
    presented_hash: &[u8; 32],
    now: Millis,
) -> Result<Principal, StoreError> {
    todo!()
}

/// The terminal whose certificate a TLS handshake accepted: its common name, and the certificate's serial in lower-case hex.
///
/// # Errors
/// `NotFound` for an unknown terminal or a serial that is not its own, `Revoked` (terminal or certificate), `Expired`.
pub fn by_terminal(
    tx: &mut Tx<'_>,
    terminal: TerminalId,
    certificate_serial: &str,
    now: Millis,
) -> Result<Principal, StoreError> {
    todo!()
}

/// Uses up a claim code (given by SHA-256) for enrolment; call it in the transaction that stores the certificate.
///
/// # Errors
/// `NotFound`, `Revoked` (used or withdrawn), `Expired`.
pub fn redeem_claim(
    tx: &mut Tx<'_>,
    claim_hash: &[u8; 32],
    now: Millis,
) -> Result<(TenantScope, Terminal), StoreError> {
    todo!()
}

/// The channel account that a notification's address names. It proves nothing: the plugin checks the signature.
///
/// # Errors
/// `NotFound`. A disabled account is found: late notifications of it still count.
pub fn by_channel_account(
    tx: &mut Tx<'_>,
    account: ChannelAccountId,
) -> Result<(TenantScope, ChannelAccount), StoreError> {
    todo!()
}

/// The pay code that a customer opened; its token's MAC was checked.
///
/// # Errors
/// `NotFound`. An expired or dead code is found, so that the page can say so.
pub fn by_pay_code(tx: &mut Tx<'_>, code: PayCodeId) -> Result<(TenantScope, PayCode), StoreError> {
    todo!()
}
