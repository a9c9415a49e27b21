//! `/v1/terminals`: the merchant's terminals, seen and managed by its people.

use actix_web::{HttpResponse, http::StatusCode, web};
use ring::rand::SystemRandom;
use saoma_protocol::{
    Millis, Sequence, StoreId, TerminalId,
    api::Page,
    message::{Health, PushBody},
};
use saoma_store::{
    StoreError, Tx,
    outbox::{self, Kind, NewMessage},
    terminals::{self, NewTerminal, Terminal},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::audit::note;
use crate::{
    app::App,
    fleet::enrol::{CLAIM_LIFE_MS, claim_hash, draw_claim_code},
    http::{
        auth::{
            Caller,
            rights::{ManageFleet, ReadFleet},
        },
        idempotency::IdempotencyKey,
        no_body::NoBody,
        once::{Wish, answered},
        problem::{INTERNAL, Problem, TERMINAL_REVOKED},
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/terminals").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/terminals/{terminal}").route(web::get().to(show)).route(web::patch().to(change)))
        .service(resource("/terminals/{terminal}/claim-code").route(web::post().to(offer_claim)))
        .service(resource("/terminals/{terminal}/revoke").route(web::post().to(revoke)))
        .service(resource("/terminals/{terminal}/sync-now").route(web::post().to(sync_now)));
}

/// Most waiting pushes that are looked through for a sync that was asked for already.
const PENDING_MAX: u32 = 100;

/// A terminal.
#[derive(Serialize, ToSchema)]
pub struct TerminalView {
    id: TerminalId,
    /// Short, for people; from 1.
    number: u32,
    name: String,
    store: StoreId,
    /// Connected to the broker.
    online: bool,
    created_at: Millis,
    /// Absent while it waits to be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
    /// Last sign of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Millis>,
    /// What it last said of itself: its peripherals, and what it has not sent yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    /// When core heard that.
    #[serde(skip_serializing_if = "Option::is_none")]
    health_received_at: Option<Millis>,
}

impl From<Terminal> for TerminalView {
    fn from(terminal: Terminal) -> Self {
        let (health, health_received_at) = terminal.health.unzip();
        Self {
            id: terminal.id,
            number: terminal.number,
            name: terminal.name,
            store: terminal.store,
            online: terminal.online,
            created_at: terminal.created_at,
            enrolled_at: terminal.enrolled_at,
            revoked_at: terminal.revoked_at,
            last_seen_at: terminal.last_seen_at,
            health,
            health_received_at,
        }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTerminal {
    /// 1 to 128 characters.
    name: String,
    store: StoreId,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTerminal {
    name: String,
}

/// What a person types into the terminal to claim it. Works once.
#[derive(Serialize, ToSchema)]
pub struct ClaimCode {
    claim_code: String,
    /// By which the terminal knows core at the first contact: SHA-256 of the CA's certificate, in hex.
    ca_fingerprint: String,
    expires_at: Millis,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    store: Option<StoreId>,
}

/// The merchant's terminals, by number.
#[utoipa::path(get, path = "/v1/terminals", tag = "terminals", params(ListQuery),
    responses((status = 200, body = Page<TerminalView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadFleet>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<TerminalView>>, Problem> {
    let (scope, store) = (caller.scope()?, query.store);
    let fleet = app.store().read(move |tx| terminals::list(tx, &scope, store)).await?;
    Ok(web::Json(Page { items: fleet.into_iter().map(TerminalView::from).collect(), next_cursor: None }))
}

/// Adds a terminal, to be claimed with a claim code.
#[utoipa::path(post, path = "/v1/terminals", tag = "terminals", request_body = CreateTerminal,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = TerminalView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    key: IdempotencyKey,
    body: web::Json<CreateTerminal>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/terminals", &caller, &key, &*body)?;
    let (scope, who) = (caller.scope()?, caller.principal().clone());
    let new = NewTerminal {
        id: TerminalId::from_bytes(app.random_16()?),
        store: body.store,
        name: text::name(&body.name, "/name")?,
        created_at: app.now(),
    };
    let add = move |tx: &mut Tx<'_>| {
        let terminal = terminals::create(tx, &scope, &new)?;
        let detail = json!({ "name": terminal.name, "store": terminal.store, "number": terminal.number });
        note(tx, &who, "terminal.created", &terminal.id, &detail, new.created_at)?;
        Ok(TerminalView::from(terminal))
    };
    let added = answered(&app, scope, wish, StatusCode::CREATED, add).await?;
    app.news_of(scope.tenant());
    Ok(added)
}

/// One terminal.
#[utoipa::path(get, path = "/v1/terminals/{terminal}", tag = "terminals", params(("terminal" = TerminalId, Path)),
    responses((status = 200, body = TerminalView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadFleet>,
    terminal: web::Path<TerminalId>,
) -> Result<web::Json<TerminalView>, Problem> {
    let (scope, terminal) = (caller.scope()?, terminal.into_inner());
    Ok(web::Json(app.store().read(move |tx| terminals::load(tx, &scope, terminal)).await?.into()))
}

/// Renames a terminal.
#[utoipa::path(patch, path = "/v1/terminals/{terminal}", tag = "terminals", request_body = ChangeTerminal,
    params(("terminal" = TerminalId, Path)), responses((status = 200, body = TerminalView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    terminal: web::Path<TerminalId>,
    body: web::Json<ChangeTerminal>,
) -> Result<web::Json<TerminalView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), terminal.into_inner(), app.now());
    let name = text::name(&body.name, "/name")?;
    let terminal = app
        .store()
        .write(move |tx| {
            terminals::rename(tx, &scope, id, &name)?;
            note(tx, &who, "terminal.renamed", &id, &json!({ "name": name }), now)?;
            terminals::load(tx, &scope, id)
        })
        .await?;
    app.news_of(scope.tenant());
    Ok(web::Json(terminal.into()))
}

/// Makes a claim code; earlier ones of this terminal stop working. A machine that claims a terminal which has one takes its
/// place.
#[utoipa::path(post, path = "/v1/terminals/{terminal}/claim-code", tag = "terminals",
    params(("terminal" = TerminalId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ClaimCode)))]
pub async fn offer_claim(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    terminal: web::Path<TerminalId>,
    key: IdempotencyKey,
    _body: NoBody,
) -> Result<HttpResponse, Problem> {
    let (scope, who, terminal) = (caller.scope()?, caller.principal().clone(), terminal.into_inner());
    let wish = Wish::of(&app, &format!("POST /v1/terminals/{terminal}/claim-code"), &caller, &key, &())?;
    let drawn = draw_claim_code(&SystemRandom::new()).and_then(|code| claim_hash(&code).map(|hash| (code, hash)));
    let (claim_code, hash) = drawn.ok_or_else(|| Problem::new(INTERNAL, "No claim code can be drawn now."))?;
    let now = app.now();
    let expires_at = now.plus(CLAIM_LIFE_MS);
    let ca_fingerprint = app.fleet().ca().ca_fingerprint();
    let offer = move |tx: &mut Tx<'_>| {
        terminals::offer_claim(tx, &scope, terminal, &hash, now, expires_at).map_err(or_revoked)?;
        note(tx, &who, "terminal.claim_code_made", &terminal, &json!({ "expires_at": expires_at }), now)?;
        Ok(ClaimCode { claim_code: claim_code.clone(), ca_fingerprint: ca_fingerprint.clone(), expires_at })
    };
    answered(&app, scope, wish, StatusCode::CREATED, offer).await
}

/// Shuts a terminal out for good, now: its certificates, its claim codes, its connection.
#[utoipa::path(post, path = "/v1/terminals/{terminal}/revoke", tag = "terminals",
    params(("terminal" = TerminalId, Path)), responses((status = 200, body = TerminalView)))]
pub async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    terminal: web::Path<TerminalId>,
) -> Result<web::Json<TerminalView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), terminal.into_inner(), app.now());
    let terminal = app
        .store()
        .write(move |tx| {
            terminals::revoke(tx, &scope, id, now)?;
            note(tx, &who, "terminal.revoked", &id, &json!({}), now)?;
            terminals::load(tx, &scope, id)
        })
        .await?;
    app.fleet().shut_out(id).await;
    app.news_of(scope.tenant());
    Ok(web::Json(terminal.into()))
}

/// Asks a terminal for its journal now. If it is not connected it hears of it when it is.
#[utoipa::path(post, path = "/v1/terminals/{terminal}/sync-now", tag = "terminals",
    params(("terminal" = TerminalId, Path)), responses((status = 202)))]
pub async fn sync_now(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    terminal: web::Path<TerminalId>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), terminal.into_inner(), app.now());
    let payload = serde_json::to_string(&PushBody::SyncNow).map_err(|error| Problem::internal(&error))?;
    let asked = app.store().write(move |tx| {
        if terminals::load(tx, &scope, id)?.revoked_at.is_some() {
            return Err(StoreError::Revoked { what: "the terminal" });
        }
        // However often it is asked while a terminal is away, it hears of it once.
        let pending = outbox::pending(tx, &scope, id, Sequence(0), PENDING_MAX)?;
        if pending.iter().any(|waiting| waiting.message.payload == payload) {
            outbox::hurry(tx, &scope, id, now)?;
            return Ok(());
        }
        let message = NewMessage { kind: Kind::Push, terminal: Some(id), payload: payload.clone(), created_at: now };
        outbox::append(tx, &scope, &message)?;
        note(tx, &who, "terminal.sync_asked", &id, &json!({}), now)
    });
    asked.await.map_err(or_revoked)?;
    app.wake_outbox();
    Ok(HttpResponse::Accepted().finish())
}

/// What is over here is the terminal, not the caller's session.
fn or_revoked(error: StoreError) -> Problem {
    match error {
        StoreError::Revoked { .. } => {
            Problem::new(TERMINAL_REVOKED, "It cannot come back; add a new terminal in its place.")
        }
        other => other.into(),
    }
}
