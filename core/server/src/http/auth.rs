//! Who calls, and what they may do. A handler that compiles has asked: its caller's right is a type of its argument.
//!
//! Who calls is found out before anything else of a request is read: a stranger learns nothing from what is wrong with a
//! body, and makes core parse none.

pub mod gate;
pub mod passwords;
pub mod pins;
pub mod refresh;
pub mod rights;
pub mod tokens;

use std::{
    future::{Ready, ready},
    marker::PhantomData,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::header, web};
use saoma_protocol::{ApiKeyId, SessionId, TerminalId};
use saoma_store::{PlatformScope, Principal, StoreError, TenantScope, access, api_keys, terminals};
use sha2::{Digest as _, Sha256};

use self::rights::{Needs, Right, rights_of};
use super::problem::{
    BODY_PACKED, FORBIDDEN, PASSWORD_CHANGE_NEEDED, Problem, TERMINAL_SHUT_OUT, TOO_MANY_REQUESTS, UNAUTHENTICATED,
};
use crate::{app::App, limits};

/// The terminal that a verified client certificate names; put into the connection's data by the TLS listener alone.
#[derive(Clone, Debug)]
pub struct TerminalCertificate {
    pub terminal: TerminalId,
    pub serial: String,
}

/// What an API key's secret begins with, so that a leaked one is recognised.
const API_KEY_PREFIX: &str = "saoma_";
/// How often "last used" and "last seen" are written down, in milliseconds.
const SEEN_EVERY_MS: i64 = 60_000;

/// A caller who has the right `N`. As an argument of a handler it is the authorisation.
pub struct Caller<N> {
    principal: Principal,
    needs: PhantomData<N>,
}

impl<N: Needs> Caller<N> {
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// # Errors
    /// `FORBIDDEN` for people of the platform, who have no tenant of their own.
    pub fn scope(&self) -> Result<TenantScope, Problem> {
        self.principal
            .tenant_scope()
            .copied()
            .ok_or_else(|| Problem::new(FORBIDDEN, "This is a merchant's. Sign in as one of the merchant's people."))
    }

    /// # Errors
    /// `FORBIDDEN` for everyone but people of the platform.
    pub fn platform(&self) -> Result<PlatformScope, Problem> {
        match self.principal {
            Principal::Platform { scope, .. } => Ok(scope),
            _ => Err(Problem::new(FORBIDDEN, "This is for the platform's administrators.")),
        }
    }

    /// # Errors
    /// `FORBIDDEN` for API keys and terminals, which have no session.
    pub fn session(&self) -> Result<SessionId, Problem> {
        session_of(&self.principal).ok_or_else(|| Problem::new(FORBIDDEN, "This is for people who sign in."))
    }

    pub fn actor(&self) -> String {
        self.principal.actor()
    }
}

/// What [`gate::admit`] found out.
struct Found(Result<Principal, Problem>);

impl<N: Needs> FromRequest for Caller<N> {
    type Error = Problem;
    /// At once: arguments are read together, and a body that is wrong must not be heard of first.
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller<N: Needs>(request: &HttpRequest) -> Result<Caller<N>, Problem> {
    let principal = match request.extensions().get::<Found>() {
        Some(Found(found)) => found.clone()?,
        None => return Err(Problem::new(super::problem::INTERNAL, "Nobody has asked who calls.")),
    };
    may(&principal, N::RIGHT)?;
    let span = tracing::Span::current();
    span.record("actor", principal.actor());
    if let Some(scope) = principal.tenant_scope() {
        span.record("tenant", tracing::field::display(scope.tenant()));
    }
    Ok(Caller { principal, needs: PhantomData })
}

/// Nobody unpacks bodies here: what a small one becomes is anybody's guess.
fn not_packed(request: &HttpRequest) -> Result<(), Problem> {
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING);
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Problem::new(BODY_PACKED, "Send the body as it is, without Content-Encoding."))
}

async fn not_too_often(request: &HttpRequest, principal: &Principal) -> Result<(), Problem> {
    let app = app_of(request)?;
    let counts = limits::request(&app.config().limits, principal);
    app.limits().begin(&counts, app.now()).await.map_err(|too_often| {
        Problem::new(TOO_MANY_REQUESTS, "More requests than allowed in a minute; Retry-After says when.")
            .after(too_often)
    })
}

/// # Errors
/// `FORBIDDEN`, or `PASSWORD_CHANGE_NEEDED` for everything but the change.
pub(super) fn may(principal: &Principal, right: Right) -> Result<(), Problem> {
    let owes_password = match principal {
        Principal::Platform { must_change_password, .. } | Principal::User { must_change_password, .. } => {
            *must_change_password
        }
        Principal::ApiKey { .. } | Principal::Terminal { .. } => false,
    };
    if owes_password && right != Right::OwnSession {
        let detail = "Change the one-time password first (POST /v1/auth/password).";
        return Err(Problem::new(PASSWORD_CHANGE_NEEDED, detail));
    }
    if rights_of(principal).contains(&right) {
        return Ok(());
    }
    Err(Problem::new(FORBIDDEN, format!("This needs the right to {}.", right.words())))
}

async fn principal(request: &HttpRequest) -> Result<Principal, Problem> {
    let app = app_of(request)?;
    if let Some(bearer) = bearer(request)? {
        return match bearer.strip_prefix(API_KEY_PREFIX) {
            Some(key) => by_key(app, key).await,
            None => by_token(app, bearer).await,
        };
    }
    let certificate = request.conn_data::<TerminalCertificate>().cloned();
    match certificate {
        Some(certificate) => by_certificate(app, certificate).await,
        None => Err(Problem::new(UNAUTHENTICATED, "Send an access token or an API key: Authorization: Bearer ….")),
    }
}

pub(crate) fn app_of(request: &HttpRequest) -> Result<&App, Problem> {
    request
        .app_data::<web::Data<App>>()
        .map(|app| app.get_ref())
        .ok_or_else(|| Problem::new(super::problem::INTERNAL, "Core is not ready."))
}

fn bearer(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(UNAUTHENTICATED, "The Authorization header must be: Bearer, a space, and the token.")),
    }
}

/// A new API key's secret as its owner keeps it.
#[must_use]
pub fn api_key_text(id: ApiKeyId, secret: &[u8; 32]) -> String {
    format!("{API_KEY_PREFIX}{id}_{}", data_encoding::BASE64URL_NOPAD.encode(secret))
}

async fn by_key(app: &App, text: &str) -> Result<Principal, Problem> {
    let wrong = || Problem::new(UNAUTHENTICATED, "The API key is not valid (any more).");
    // `key_` and 26 characters, then the secret, which may itself contain underscores.
    let (id, secret) = text.split_at_checked(30).ok_or_else(wrong)?;
    let id: ApiKeyId = id.parse().map_err(|_| wrong())?;
    let secret = secret
        .strip_prefix('_')
        .and_then(|secret| data_encoding::BASE64URL_NOPAD.decode(secret.as_bytes()).ok())
        .ok_or_else(wrong)?;
    let (hash, now): ([u8; 32], _) = (Sha256::digest(&secret).into(), app.now());
    let found = app.store().read(move |tx| {
        let principal = access::by_api_key(tx, id, &hash, now)?;
        let due = match principal.tenant_scope() {
            Some(scope) if api_keys::is_use_due(tx, scope, id, now, SEEN_EVERY_MS)? => Some(*scope),
            _ => None,
        };
        Ok::<_, StoreError>((principal, due))
    });
    let (principal, due) = found.await.map_err(|error| refused(error, wrong()))?;
    // A write at each request would queue all of them behind the database's one writer.
    if let Some(scope) = due {
        noted(app.store().write(move |tx| api_keys::used(tx, &scope, id, now, SEEN_EVERY_MS)).await);
    }
    Ok(principal)
}

async fn by_token(app: &App, token: &str) -> Result<Principal, Problem> {
    let now = app.now();
    let session = tokens::verify(app.vault(), token, now).ok_or_else(|| {
        Problem::new(UNAUTHENTICATED, "The access token is not valid (any more); refresh it or sign in.")
    })?;
    let found = app.store().read(move |tx| access::by_session(tx, session, now)).await;
    found.map_err(|error| refused(error, Problem::new(UNAUTHENTICATED, "The session is over; sign in again.")))
}

async fn by_certificate(app: &App, certificate: TerminalCertificate) -> Result<Principal, Problem> {
    let TerminalCertificate { terminal, serial } = certificate;
    let now = app.now();
    let found = app.store().read(move |tx| {
        let principal = access::by_terminal(tx, terminal, &serial, now)?;
        let due = match principal.tenant_scope() {
            Some(scope) if terminals::is_sign_due(tx, scope, terminal, now, SEEN_EVERY_MS)? => Some(*scope),
            _ => None,
        };
        Ok::<_, StoreError>((principal, due))
    });
    let (principal, due) = found.await.map_err(|error| match error {
        // By this code a till takes no money any more, so that it is said only of what somebody has withdrawn: not of a certificate whose
        // time is over (by a clock that may be wrong), and not of one that a database of before does not have.
        StoreError::Revoked { .. } => Problem::new(
            TERMINAL_SHUT_OUT,
            "This terminal or its certificate was withdrawn, or its merchant is suspended.",
        ),
        other => refused(
            other,
            Problem::new(UNAUTHENTICATED, "This terminal's certificate is not valid (any more); enrol again."),
        ),
    })?;
    if let Some(scope) = due {
        noted(app.store().write(move |tx| terminals::saw(tx, &scope, terminal, now, SEEN_EVERY_MS)).await);
    }
    Ok(principal)
}

/// A stranger does not learn why; a broken database is not the caller's fault.
fn refused(error: StoreError, problem: Problem) -> Problem {
    match error {
        StoreError::NotFound { .. } | StoreError::Revoked { .. } | StoreError::Expired { .. } => problem,
        other => other.into(),
    }
}

fn noted(outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "a sign of life was not written down");
    }
}

/// The id of the session behind a person's request.
#[must_use]
pub const fn session_of(principal: &Principal) -> Option<SessionId> {
    match principal {
        Principal::Platform { session, .. } | Principal::User { session, .. } => Some(*session),
        Principal::ApiKey { .. } | Principal::Terminal { .. } => None,
    }
}
