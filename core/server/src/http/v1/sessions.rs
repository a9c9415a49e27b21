//! `/v1/auth`: people sign in, stay signed in, and sign out.
//!
//! An access token is short and goes with each request; the refresh token is a cookie for these requests alone. One that
//! comes twice was copied: its session ends.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, ResponseError as _, http::header, web};
use saoma_protocol::{Millis, SessionId, api::Page};
use saoma_store::{
    Principal, StoreError, Tx,
    access::{self, Refresh},
    sessions::{self, NewSession},
    tenants::{self, Tenant},
    users::{self, User},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    audit::note,
    people::{NO_STORE, UserView},
    tenants::TenantView,
};
use crate::{
    app::App,
    http::{
        auth::{Caller, passwords, refresh, rights::OwnSession, session_of, tokens},
        origin,
        problem::{FORBIDDEN, INTERNAL, INVALID, Problem, SIGN_IN_FAILED, TOO_MANY_ATTEMPTS, UNAUTHENTICATED},
        router::other_method,
        text,
    },
    limits,
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/auth/sign-in").route(web::post().to(sign_in)).default_service(web::to(other_method)))
        .service(
            web::resource("/auth/refresh")
                .route(web::post().to(refresh_session))
                .default_service(web::to(other_method)),
        )
        .service(web::resource("/auth/sign-out").route(web::post().to(sign_out)).default_service(web::to(other_method)))
        .service(web::resource("/auth/me").route(web::get().to(me)).default_service(web::to(other_method)))
        .service(
            web::resource("/auth/password")
                .route(web::post().to(change_password))
                .default_service(web::to(other_method)),
        )
        .service(web::resource("/auth/sessions").route(web::get().to(list)).default_service(web::to(other_method)))
        .service(
            web::resource("/auth/sessions/{session}")
                .route(web::delete().to(end))
                .default_service(web::to(other_method)),
        );
}

/// Most characters of a browser's name that a person sees in the list of their sessions.
const BROWSER_LEN_MAX: usize = 120;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The login.
    email: String,
    password: String,
}

/// Somebody is signed in. The answer also sets the refresh cookie.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// For the header `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token works, in seconds. Refresh before.
    expires_in: i64,
    user: UserView,
    /// Absent for people of the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantView>,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    current_password: String,
    /// At least 12 characters, at most 256 bytes.
    new_password: String,
}

/// An open sign-in.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    id: SessionId,
    /// Browser and address at the sign-in.
    label: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    refreshed_at: Option<Millis>,
    expires_at: Millis,
    /// It is the one that asks.
    current: bool,
}

/// Signs in with a password.
#[utoipa::path(post, path = "/v1/auth/sign-in", security(()), tag = "auth", request_body = SignIn,
    responses((status = 200, body = Session)))]
pub async fn sign_in(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Json<SignIn>,
) -> Result<HttpResponse, Problem> {
    origin::check_page(&app, &request)?;
    let SignIn { email, password } = body.into_inner();
    let login = email.trim().to_lowercase();
    if login.is_empty() || login.len() > text::EMAIL_LEN_MAX || login.chars().any(char::is_control) {
        return Err(Problem::new(INVALID, "An e-mail address is needed here.").at("/email"));
    }
    let address = origin::address(&app, &request);
    let verified = verify(&app, address, &login, password).await?;
    let session = SessionId::from_bytes(app.random_16()?);
    let secret = refresh::secret(app.vault(), session, &app.random_16()?);
    let now = app.now();
    let new = NewSession {
        id: session,
        refresh_hash: refresh::hash(&secret),
        label: label(&request, address),
        created_at: now,
        expires_at: now.plus(refresh::LIFE_MS),
    };
    let (user, tenant) = app
        .store()
        .write(move |tx| {
            // Whoever reset the password meanwhile has ended the sessions that there were.
            let still = access::by_login(tx, &login).map_err(|error| match error {
                StoreError::NotFound { .. } => wrong(),
                other => other.into(),
            })?;
            if still.password_hash() != verified.password_hash() {
                return Err(wrong());
            }
            let principal = access::open_session(tx, &verified, &new)?;
            note(tx, &principal, "session.opened", &session, &json!({ "label": new.label }), now)?;
            Ok(signed_in(tx, &principal)?)
        })
        .await?;
    answer(&app, session, &secret, user, tenant)
}

/// A new access token for the refresh cookie, which is exchanged for the next.
#[utoipa::path(post, path = "/v1/auth/refresh", security(()), tag = "auth", responses((status = 200, body = Session)))]
pub async fn refresh_session(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    origin::check_page(&app, &request)?;
    match rotate(&app, &request).await {
        Err(problem) if problem.code() == UNAUTHENTICATED => {
            let mut response = problem.error_response();
            drop(response.add_cookie(&refresh::no_cookie(is_secure(&app))));
            Ok(response)
        }
        outcome => outcome,
    }
}

/// Ends the session of the access token and that of the cookie, if they are good, and takes the cookie away.
#[utoipa::path(post, path = "/v1/auth/sign-out", security(()), tag = "auth", responses((status = 204)))]
pub async fn sign_out(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Result<Caller<OwnSession>, Problem>,
) -> Result<HttpResponse, Problem> {
    origin::check_page(&app, &request)?;
    let bearer = match caller {
        Ok(caller) => Some(caller.principal().clone()),
        // Whoever has no session (any more) has none to end; for all else nobody must hear that it has ended.
        Err(problem) if [UNAUTHENTICATED, FORBIDDEN].contains(&problem.code()) => None,
        Err(problem) => return Err(problem),
    };
    let shown = refresh::presented(&request)
        .map(|(session, secret)| (session, refresh::looked_at(app.vault(), session, &secret)))
        .filter(|(_, presented)| presented.is_ours);
    let gone = HttpResponse::NoContent().cookie(refresh::no_cookie(is_secure(&app))).finish();
    // Strangers do not get the database's one writer.
    if bearer.is_none() && shown.is_none() {
        return Ok(gone);
    }
    let (discarded, now) = (app.random_32()?, app.now());
    app.store()
        .write(move |tx| {
            if let Some(who) = &bearer
                && let Some(session) = session_of(who)
            {
                end_own(tx, who, session, now)?;
            }
            let Some((session, presented)) = &shown else { return Ok(()) };
            // Whoever can exchange the token may end its session; what it was exchanged for is thrown away.
            let expires_at = now.plus(refresh::LIFE_MS);
            match access::refresh_session(tx, *session, presented, &discarded, now, expires_at) {
                Ok(Refresh::Rotated(who)) => end_own(tx, &who, *session, now),
                Ok(Refresh::Reused(who)) => note_reuse(tx, &who, *session, now),
                Err(StoreError::NotFound { .. } | StoreError::Revoked { .. } | StoreError::Expired { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await?;
    Ok(gone)
}

/// Who is signed in.
#[utoipa::path(get, path = "/v1/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(app: web::Data<App>, caller: Caller<OwnSession>) -> Result<web::Json<Me>, Problem> {
    caller.session()?;
    let who = caller.principal().clone();
    let (user, tenant) = app.store().read(move |tx| signed_in(tx, &who)).await?;
    Ok(web::Json(Me { user: user.into(), tenant: tenant.map(TenantView::from) }))
}

/// Changes one's own password; the other sessions end.
#[utoipa::path(post, path = "/v1/auth/password", tag = "auth", request_body = ChangePassword,
    responses((status = 204)))]
pub async fn change_password(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller<OwnSession>,
    body: web::Json<ChangePassword>,
) -> Result<HttpResponse, Problem> {
    let (session, who) = (caller.session()?, caller.principal().clone());
    let ChangePassword { current_password, new_password } = body.into_inner();
    passwords::check_new(&new_password, "/new_password")?;
    if new_password == current_password {
        return Err(Problem::new(INVALID, "The new password must be another one.").at("/new_password"));
    }
    let me = who.clone();
    let (user, stored) = app
        .store()
        .read(move |tx| Ok::<_, StoreError>((users::me(tx, &me)?, users::own_password_hash(tx, &me)?)))
        .await?;
    // Whoever found an open page may not guess here either.
    let address = origin::address(&app, &request);
    begin(&app, address, &user.login).await?;
    if !passwords::check(current_password, Some(stored.0.clone())).await? {
        return Err(Problem::new(INVALID, "This is not your password.").at("/current_password"));
    }
    app.limits().forgive(&limits::sign_in(address, &user.login)).await;
    let password_hash = passwords::hash_new(new_password, app.random_16()?).await?;
    let now = app.now();
    app.store()
        .write(move |tx| {
            // Signed out or given another password meanwhile: then this one is not to be set.
            access::by_session(tx, session, now)?;
            if users::own_password_hash(tx, &who)? != stored {
                return Err(StoreError::Stale { what: "the password" });
            }
            note(tx, &who, "user.password_changed", &who.actor(), &json!({}), now)?;
            users::change_own_password(tx, &who, &password_hash, now)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// One's own open sessions, newest first.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "auth", responses((status = 200, body = Page<SessionView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<OwnSession>) -> Result<web::Json<Page<SessionView>>, Problem> {
    let (own, who, now) = (caller.session()?, caller.principal().clone(), app.now());
    let open = app.store().read(move |tx| sessions::own(tx, &who, now)).await?;
    let view = |session: sessions::Session| SessionView {
        id: session.id,
        label: session.label,
        created_at: session.created_at,
        refreshed_at: session.refreshed_at,
        expires_at: session.expires_at,
        current: session.id == own,
    };
    Ok(web::Json(Page { items: open.into_iter().map(view).collect(), next_cursor: None }))
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/v1/auth/sessions/{session}", tag = "auth", params(("session" = SessionId, Path)),
    responses((status = 204)))]
pub async fn end(
    app: web::Data<App>,
    caller: Caller<OwnSession>,
    session: web::Path<SessionId>,
) -> Result<HttpResponse, Problem> {
    caller.session()?;
    let (who, session, now) = (caller.principal().clone(), session.into_inner(), app.now());
    app.store().write(move |tx| end_own(tx, &who, session, now)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The person with this login, if the password fits. Takes as long for a login that does not exist.
async fn verify(app: &App, address: IpAddr, login: &str, password: String) -> Result<access::SignIn, Problem> {
    begin(app, address, login).await?;
    let name = login.to_owned();
    let found = match app.store().read(move |tx| access::by_login(tx, &name)).await {
        Ok(found) => Some(found),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => {
            app.limits().forgive(&limits::sign_in(address, login)).await;
            return Err(error.into());
        }
    };
    let stored = found.as_ref().map(|found| found.password_hash().to_owned());
    let fits = match passwords::check(password, stored).await {
        Ok(fits) => fits,
        Err(busy) => {
            app.limits().forgive(&limits::sign_in(address, login)).await;
            return Err(busy);
        }
    };
    let verified = found.filter(|_| fits).ok_or_else(wrong)?;
    app.limits().forgive(&limits::sign_in(address, login)).await;
    Ok(verified)
}

async fn begin(app: &App, address: IpAddr, login: &str) -> Result<(), Problem> {
    let begun = app.limits().begin(&limits::sign_in(address, login), app.now()).await;
    begun.map_err(|too_often| {
        tracing::warn!(%address, "somebody tries passwords");
        Problem::new(TOO_MANY_ATTEMPTS, "Wait ten minutes and try again.").after(too_often)
    })
}

fn wrong() -> Problem {
    Problem::new(SIGN_IN_FAILED, "Check both. After a reset, use the one-time password.")
}

async fn rotate(app: &App, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let over = || Problem::new(UNAUTHENTICATED, "The session is over; sign in again.");
    let (session, secret) = refresh::presented(request).ok_or_else(over)?;
    let presented = refresh::looked_at(app.vault(), session, &secret);
    if !presented.is_ours {
        return Err(over());
    }
    let next = refresh::secret(app.vault(), session, &app.random_16()?);
    let (next_hash, now) = (refresh::hash(&next), app.now());
    let refreshed = app.store().write(move |tx| {
        let expires_at = now.plus(refresh::LIFE_MS);
        match access::refresh_session(tx, session, &presented, &next_hash, now, expires_at)? {
            Refresh::Rotated(who) => signed_in(tx, &who).map(Some),
            Refresh::Reused(who) => note_reuse(tx, &who, session, now).map(|()| None),
        }
    });
    match refreshed.await {
        Ok(Some((user, tenant))) => answer(app, session, &next, user, tenant),
        Ok(None) => {
            tracing::warn!(session.id = %session, "a refresh token came twice; the session is ended");
            Err(over())
        }
        Err(StoreError::NotFound { .. } | StoreError::Revoked { .. } | StoreError::Expired { .. }) => Err(over()),
        Err(error) => Err(error.into()),
    }
}

fn note_reuse(tx: &mut Tx<'_>, who: &Principal, session: SessionId, now: Millis) -> Result<(), StoreError> {
    note(tx, who, "session.token_reused", &session, &json!({}), now)
}

fn end_own(tx: &mut Tx<'_>, who: &Principal, session: SessionId, now: Millis) -> Result<(), StoreError> {
    sessions::end(tx, who, session, now)?;
    note(tx, who, "session.ended", &session, &json!({}), now)
}

fn signed_in(tx: &mut Tx<'_>, who: &Principal) -> Result<(User, Option<Tenant>), StoreError> {
    let tenant = who.tenant_scope().map(|scope| tenants::load(tx, scope)).transpose()?;
    Ok((users::me(tx, who)?, tenant))
}

fn answer(
    app: &App,
    session: SessionId,
    secret: &refresh::Secret,
    user: User,
    tenant: Option<Tenant>,
) -> Result<HttpResponse, Problem> {
    let access_token = tokens::issue(app.vault(), session, app.now())
        .ok_or_else(|| Problem::new(INTERNAL, "No access token can be made."))?;
    let signed_in = Session {
        access_token,
        token_type: "Bearer",
        expires_in: tokens::LIFE_SECONDS,
        user: user.into(),
        tenant: tenant.map(TenantView::from),
    };
    let cookie = refresh::cookie(session, secret, is_secure(app));
    Ok(HttpResponse::Ok().insert_header(NO_STORE).cookie(cookie).json(signed_in))
}

fn is_secure(app: &App) -> bool {
    app.config().server.public_url.starts_with("https://")
}

/// Browser and address, for the person who wonders which of their sign-ins this is.
fn label(request: &HttpRequest, address: IpAddr) -> String {
    let browser = request.headers().get(header::USER_AGENT).and_then(|browser| browser.to_str().ok()).unwrap_or("?");
    let browser: String = browser.chars().filter(|letter| !letter.is_control()).take(BROWSER_LEN_MAX).collect();
    format!("{browser}, {address}")
}
