//! From a credential to what its holder may see. The only maker of a [`TenantScope`] and a [`PlatformScope`]: code that
//! holds one was let in here.
//!
//! ```compile_fail,E0451
//! use saoma_store::TenantScope;
//! // A scope cannot be written down from an id that came with a request.
//! let forged = TenantScope { tenant: saoma_protocol::TenantId::from_bytes([1; 16]) };
//! ```

use saoma_domain::pay_code::PayCodeId;
use saoma_protocol::{
    ApiKeyId, ChannelAccountId, Millis, SessionId, StaticCodeId, StoreId, TenantId, TerminalId, UserId,
};
use subtle::ConstantTimeEq as _;

use crate::{
    Opaque, StoreError, Tx, api_keys,
    channel_accounts::{self, ChannelAccount},
    pay_codes::{self, PayCode},
    sessions::{self, NewSession},
    static_codes::{self, StaticCode},
    tenants,
    terminals::{self, Certificate, Terminal},
    users::{self, Role, User},
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
    let scope = TenantScope { tenant };
    tenants::load(tx, &scope)?;
    Ok(scope)
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
    let (user, password_hash) = users::by_login(tx, login)?.ok_or(NOBODY)?;
    let sign_in = SignIn { user, password_hash };
    admit(tx, &sign_in.user)?;
    Ok(sign_in)
}

/// Starts a session for a person whose password (and second factor) the caller has verified.
///
/// # Errors
/// `Conflict` if the session's id is taken.
pub fn open_session(tx: &mut Tx<'_>, verified: &SignIn, session: &NewSession) -> Result<Principal, StoreError> {
    sessions::insert(tx, &verified.user, session)?;
    Ok(person(&verified.user, session.id))
}

/// The holder of a session (its id comes out of a token whose signature was checked).
///
/// # Errors
/// `NotFound` for an unknown session or an inactive person, `Revoked`, `Expired`.
pub fn by_session(tx: &mut Tx<'_>, session: SessionId, now: Millis) -> Result<Principal, StoreError> {
    let credential = sessions::by_id(tx, session)?.ok_or(NO_SESSION)?;
    holder(tx, session, &credential, now)
}

/// A refresh token as somebody shows it.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// It bears our own mark for this session: it is or was good. Whoever calls has checked that.
    pub is_ours: bool,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Accepted; the next one is in force and the session lasts until its new end.
    Rotated(Principal),
    /// A token that was exchanged before, however long ago: someone else holds a copy. The session is revoked from this
    /// commit on.
    Reused(Principal),
}

/// Exchanges a session's refresh token for the next.
///
/// # Errors
/// `NotFound` for an unknown session, a token that was never its own or an inactive person, `Revoked`, `Expired`.
pub fn refresh_session(
    tx: &mut Tx<'_>,
    session: SessionId,
    presented: &Presented,
    next_hash: &[u8; 32],
    now: Millis,
    expires_at: Millis,
) -> Result<Refresh, StoreError> {
    let credential = sessions::by_id(tx, session)?.ok_or(NO_SESSION)?;
    let principal = holder(tx, session, &credential, now)?;
    let is_current = bool::from(credential.refresh_hash.ct_eq(presented.hash.as_slice()));
    if is_current && sessions::rotate(tx, session, &presented.hash, next_hash, now, expires_at)? {
        return Ok(Refresh::Rotated(principal));
    }
    // Exchanged before, or at this very moment by somebody else.
    if is_current || presented.is_ours {
        sessions::revoke(tx, session, now)?;
        return Ok(Refresh::Reused(principal));
    }
    Err(NO_SESSION)
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
    let credential = api_keys::by_id(tx, key)?.ok_or(NO_KEY)?;
    if !bool::from(credential.secret_hash.ct_eq(presented_hash)) {
        return Err(NO_KEY);
    }
    in_force(credential.key.revoked_at, credential.key.expires_at, now, "the key")?;
    let scope = active(tx, credential.tenant)?.ok_or(NO_KEY)?;
    Ok(Principal::ApiKey { scope, key, scopes: credential.key.scopes })
}

/// The terminal whose certificate a TLS handshake accepted: its common name, and the certificate's serial in lower-case hex.
///
/// # Errors
/// `NotFound` for an unknown terminal or a serial that is not its own, `Revoked` (merchant, terminal or certificate), `Expired`.
pub fn by_terminal(
    tx: &mut Tx<'_>,
    terminal: TerminalId,
    certificate_serial: &str,
    now: Millis,
) -> Result<Principal, StoreError> {
    let suspended = StoreError::Revoked { what: "the merchant" };
    let (stored, scope, certificate) = certified(tx, terminal, certificate_serial, suspended)?;
    in_force(stored.revoked_at, None, now, "the terminal")?;
    in_force(certificate.revoked_at, Some(certificate.not_after), now, "the certificate")?;
    Ok(Principal::Terminal { scope, terminal, store: stored.store })
}

/// A terminal as the key of one of its certificates stands for it.
pub struct KeyHolder {
    pub scope: TenantScope,
    pub store: StoreId,
    /// `None`: core does not have it yet.
    pub key: Option<Vec<u8>>,
    pub standing: KeyStanding,
}

/// Whether what is signed by a certificate's key still counts. What it has begun before stays begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    InForce,
    /// The certificate's time is over.
    Over,
    /// Terminal or certificate were withdrawn: somebody else may have the key.
    ShutOut,
}

/// The terminal of `tenant` that signed something by the key of its certificate (its serial in lower-case hex), wherever that came from and
/// whenever it was. Whether the signature fits is the caller's to check, with the key.
///
/// # Errors
/// `NotFound` for a terminal that is none of `tenant`'s, or a serial that is not its own.
pub fn by_terminals_key(
    tx: &mut Tx<'_>,
    (tenant, terminal): (TenantId, TerminalId),
    certificate_serial: &str,
    now: Millis,
) -> Result<KeyHolder, StoreError> {
    let (stored, scope, certificate) = certified(tx, terminal, certificate_serial, NO_TERMINAL)?;
    if scope.tenant() != tenant {
        return Err(NO_TERMINAL);
    }
    let key = terminals::public_key(tx, &scope, terminal, certificate_serial)?;
    let standing = match () {
        () if stored.revoked_at.is_some() || certificate.revoked_at.is_some() => KeyStanding::ShutOut,
        () if now >= certificate.not_after => KeyStanding::Over,
        () => KeyStanding::InForce,
    };
    Ok(KeyHolder { scope, store: stored.store, key, standing })
}

/// A terminal with the certificate of that serial, however both stand. `suspended`: what a merchant is told who is not active.
fn certified(
    tx: &mut Tx<'_>,
    terminal: TerminalId,
    certificate_serial: &str,
    suspended: StoreError,
) -> Result<(Terminal, TenantScope, Certificate), StoreError> {
    let (tenant, stored) = terminals::by_id(tx, terminal)?.ok_or(NO_TERMINAL)?;
    let scope = active(tx, tenant)?.ok_or(suspended)?;
    let certificate = terminals::certificates(tx, &scope, terminal)?
        .into_iter()
        .find(|certificate| certificate.serial == certificate_serial)
        .ok_or(NO_TERMINAL)?;
    Ok((stored, scope, certificate))
}

/// The same caller as things stand now, for a connection that stays open after its credential was checked.
///
/// # Errors
/// `NotFound`, `Revoked`, `Expired`: the caller was shut out since.
pub fn again(tx: &mut Tx<'_>, before: &Principal, now: Millis) -> Result<Principal, StoreError> {
    match before {
        Principal::Platform { session, .. } | Principal::User { session, .. } => by_session(tx, *session, now),
        Principal::ApiKey { key, .. } => {
            let credential = api_keys::by_id(tx, *key)?.ok_or(NO_KEY)?;
            in_force(credential.key.revoked_at, credential.key.expires_at, now, "the key")?;
            let scope = active(tx, credential.tenant)?.ok_or(NO_KEY)?;
            Ok(Principal::ApiKey { scope, key: *key, scopes: credential.key.scopes })
        }
        Principal::Terminal { terminal, .. } => {
            let (tenant, stored) = terminals::by_id(tx, *terminal)?.ok_or(NO_TERMINAL)?;
            let scope = active(tx, tenant)?.ok_or(NO_TERMINAL)?;
            in_force(stored.revoked_at, None, now, "the terminal")?;
            Ok(Principal::Terminal { scope, terminal: *terminal, store: stored.store })
        }
    }
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
    let claim = terminals::claim(tx, claim_hash)?.ok_or(NO_CLAIM)?;
    in_force(claim.over_at, Some(claim.expires_at), now, "the claim code")?;
    let scope = active(tx, claim.tenant)?.ok_or(NO_CLAIM)?;
    // Of two terminals that present it at once, one finds it used.
    if !terminals::use_claim(tx, claim_hash, now)? {
        return Err(StoreError::Revoked { what: "the claim code" });
    }
    let terminal = terminals::load(tx, &scope, claim.terminal)?;
    in_force(terminal.revoked_at, None, now, "the terminal")?;
    Ok((scope, terminal))
}

/// The channel account that a notification's address names. It proves nothing: the plugin checks the signature.
///
/// # Errors
/// `NotFound`. A disabled account is found: late notifications of it still count.
pub fn by_channel_account(
    tx: &mut Tx<'_>,
    account: ChannelAccountId,
) -> Result<(TenantScope, ChannelAccount), StoreError> {
    let (tenant, account) =
        channel_accounts::by_id(tx, account)?.ok_or(StoreError::NotFound { what: "the channel account" })?;
    Ok((TenantScope { tenant }, account))
}

/// The pay code that a customer opened; its token's MAC was checked.
///
/// # Errors
/// `NotFound`. An expired or dead code is found, so that the page can say so.
pub fn by_pay_code(tx: &mut Tx<'_>, code: PayCodeId) -> Result<(TenantScope, PayCode), StoreError> {
    let (tenant, code) = pay_codes::by_id(tx, code)?.ok_or(StoreError::NotFound { what: "the code" })?;
    Ok((TenantScope { tenant }, code))
}

/// The printed code that a customer opened: whoever has its number has seen it.
///
/// # Errors
/// `NotFound`, also while its tenant is not active. A revoked one is found, so that the page can say so.
pub fn by_static_code(tx: &mut Tx<'_>, code: StaticCodeId) -> Result<(TenantScope, StaticCode), StoreError> {
    let (tenant, code) = static_codes::by_id(tx, code)?.ok_or(NO_STATIC_CODE)?;
    Ok((active(tx, tenant)?.ok_or(NO_STATIC_CODE)?, code))
}

const NO_STATIC_CODE: StoreError = StoreError::NotFound { what: "the static code" };
const NOBODY: StoreError = StoreError::NotFound { what: "the person" };
const NO_SESSION: StoreError = StoreError::NotFound { what: "the session" };
const NO_KEY: StoreError = StoreError::NotFound { what: "the key" };
const NO_TERMINAL: StoreError = StoreError::NotFound { what: "the terminal" };
const NO_CLAIM: StoreError = StoreError::NotFound { what: "the claim code" };

/// The scope of a tenant that was created in this transaction, or that a claimed row of work belongs to.
pub(crate) const fn of_row(tenant: TenantId) -> TenantScope {
    TenantScope { tenant }
}

/// The scope of a tenant whose people, keys and terminals are let in.
fn active(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<TenantScope>, StoreError> {
    Ok(tenants::by_id(tx, tenant)?.active.then_some(TenantScope { tenant }))
}

/// Whether this person is let in at all.
fn admit(tx: &mut Tx<'_>, user: &User) -> Result<(), StoreError> {
    let tenant_is_active = match user.tenant {
        Some(tenant) => active(tx, tenant)?.is_some(),
        None => true,
    };
    if user.active && tenant_is_active { Ok(()) } else { Err(NOBODY) }
}

fn holder(
    tx: &mut Tx<'_>,
    session: SessionId,
    credential: &sessions::Credential,
    now: Millis,
) -> Result<Principal, StoreError> {
    let user = users::by_id(tx, credential.user_id.0)?.ok_or(NO_SESSION)?;
    admit(tx, &user).map_err(|error| error.about("the session"))?;
    in_force(credential.revoked_at.map(Millis), Some(Millis(credential.expires_at)), now, "the session")?;
    Ok(person(&user, session))
}

const fn person(user: &User, session: SessionId) -> Principal {
    let must_change_password = user.must_change_password;
    match user.tenant {
        Some(tenant) => Principal::User {
            scope: TenantScope { tenant },
            user: user.id,
            role: user.role,
            session,
            must_change_password,
        },
        None => Principal::Platform { scope: process(), user: user.id, session, must_change_password },
    }
}

fn in_force(
    revoked_at: Option<Millis>,
    expires_at: Option<Millis>,
    now: Millis,
    what: &'static str,
) -> Result<(), StoreError> {
    if revoked_at.is_some() {
        return Err(StoreError::Revoked { what });
    }
    match expires_at {
        Some(expires_at) if expires_at <= now => Err(StoreError::Expired { what }),
        _ => Ok(()),
    }
}
