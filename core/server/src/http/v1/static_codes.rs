//! `/v1/static-codes`: printed codes for small stalls (聚合码). Customers who scan one come to `/s/{…}` (`http/static_page.rs`).

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{Currency, Millis, StaticCodeId, StoreId, TerminalId, api::Page, money::AMOUNT_MINOR_MAX};
use saoma_store::{
    StoreError, TenantScope, Tx,
    static_codes::{self, StaticCode},
    stores, tenants, terminals,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageStores, ReadPayments},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        picture::PictureQuery,
        problem::{INVALID, LIMIT_EXCEEDED, Problem},
        router::other_method,
        static_page, text,
    },
};

/// Most codes of a merchant, those that were revoked too: a list is one page.
const CODES_MAX: usize = 500;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/static-codes").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/static-codes/{static_code}").route(web::get().to(show)).route(web::patch().to(change)))
        .service(resource("/static-codes/{static_code}/picture").route(web::get().to(picture)))
        .service(resource("/static-codes/{static_code}/revoke").route(web::post().to(revoke)));
}

/// A printed code, the same for every customer and every app.
#[derive(Serialize, ToSchema)]
pub struct StaticCodeView {
    id: StaticCodeId,
    store: StoreId,
    /// A terminal beside it, if one is named: a note.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<TerminalId>,
    /// The terminal that says and shows what is paid through it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    announce_at: Option<TerminalId>,
    /// For the shop's own people.
    label: String,
    /// Of one payment, in minor units of `currency`.
    min_minor: i64,
    max_minor: i64,
    /// The merchant's.
    #[schema(value_type = String)]
    currency: Currency,
    /// What the code holds.
    url: String,
    created_at: Millis,
    /// Since then it leads to no payment any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateStaticCode {
    store: StoreId,
    /// One of the store's, beside it: a note.
    #[serde(default)]
    terminal: Option<TerminalId>,
    /// One of the store's, which is to say and show what is paid through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announce_at: Option<TerminalId>,
    /// 1 to 128 characters, for the shop's own people: where it lies.
    label: String,
    /// Least amount of one payment, in minor units; 1 without it.
    #[serde(default)]
    min_minor: Option<i64>,
    /// Largest amount of one payment, in minor units.
    max_minor: i64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStaticCode {
    /// One of the store's terminals, which is to say and show what is paid through the code from now on; `null` for none. What was paid
    /// before and is on its way goes where it was sent.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    announce_at: Option<TerminalId>,
}

/// The merchant's static codes, oldest first, those that were revoked too.
#[utoipa::path(get, path = "/v1/static-codes", tag = "static-codes",
    responses((status = 200, body = Page<StaticCodeView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
) -> Result<web::Json<Page<StaticCodeView>>, Problem> {
    let scope = caller.scope()?;
    let found =
        app.store().read(move |tx| Ok::<_, StoreError>((static_codes::list(tx, &scope)?, currency(tx, &scope)?)));
    let (codes, currency) = found.await?;
    let items = codes.into_iter().map(|code| view(&app, code, currency)).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// Makes a code for a store. Its picture is to be printed; it works until it is revoked.
#[utoipa::path(post, path = "/v1/static-codes", tag = "static-codes", request_body = CreateStaticCode,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = StaticCodeView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageStores>,
    key: IdempotencyKey,
    body: web::Json<CreateStaticCode>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/static-codes", &caller, &key, &*body)?;
    let (scope, who) = (caller.scope()?, caller.principal().clone());
    let code = StaticCode {
        id: StaticCodeId::from_bytes(app.random_16()?),
        store: body.store,
        terminal: body.terminal,
        announce_at: body.announce_at,
        label: text::name(&body.label, "/label")?,
        min_minor: minor(body.min_minor.unwrap_or(1), "/min_minor")?,
        max_minor: minor(body.max_minor, "/max_minor")?,
        created_at: app.now(),
        revoked_at: None,
    };
    if code.min_minor > code.max_minor {
        return Err(Problem::new(INVALID, "The least amount is more than the largest.").at("/min_minor"));
    }
    let app_in = app.get_ref().clone();
    let make = move |tx: &mut Tx<'_>| {
        check_place(tx, &scope, &code)?;
        let in_force = static_codes::list(tx, &scope)?.iter().filter(|code| code.revoked_at.is_none()).count();
        if in_force >= CODES_MAX {
            let why = format!("A merchant has {CODES_MAX} static codes in force at most; revoke one that is not used.");
            return Err(Problem::new(LIMIT_EXCEEDED, why));
        }
        let detail = json!({
            "store": code.store, "terminal": code.terminal, "announce_at": code.announce_at, "label": code.label,
            "min_minor": code.min_minor, "max_minor": code.max_minor,
        });
        note(tx, &who, "static_code.created", &code.id, &detail, code.created_at)?;
        static_codes::create(tx, &scope, &code)?;
        let currency = currency(tx, &scope)?;
        Ok(view(&app_in, code.clone(), currency))
    };
    answered(&app, scope, wish, StatusCode::CREATED, make).await
}

/// One static code.
#[utoipa::path(get, path = "/v1/static-codes/{static_code}", tag = "static-codes",
    params(("static_code" = StaticCodeId, Path)), responses((status = 200, body = StaticCodeView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    static_code: web::Path<StaticCodeId>,
) -> Result<web::Json<StaticCodeView>, Problem> {
    let (code, currency) = load(&app, caller.scope()?, static_code.into_inner()).await?;
    Ok(web::Json(view(&app, code, currency)))
}

/// Changes where payments through the code are announced.
#[utoipa::path(patch, path = "/v1/static-codes/{static_code}", tag = "static-codes", request_body = ChangeStaticCode,
    params(("static_code" = StaticCodeId, Path)), responses((status = 200, body = StaticCodeView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageStores>,
    static_code: web::Path<StaticCodeId>,
    body: web::Json<ChangeStaticCode>,
) -> Result<web::Json<StaticCodeView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), static_code.into_inner(), app.now());
    let ChangeStaticCode { announce_at } = body.into_inner();
    let changed = app.store().write(move |tx| {
        let code = static_codes::load(tx, &scope, id)?;
        if code.announce_at != announce_at {
            check_terminal(tx, &scope, code.store, announce_at, "/announce_at")?;
            note(tx, &who, "static_code.changed", &id, &json!({ "announce_at": announce_at }), now)?;
            static_codes::announce_at(tx, &scope, id, announce_at)?;
        }
        Ok::<_, Problem>((static_codes::load(tx, &scope, id)?, currency(tx, &scope)?))
    });
    let (code, currency) = changed.await?;
    Ok(web::Json(view(&app, code, currency)))
}

/// The code as a picture: for printing, or for a terminal.
#[utoipa::path(get, path = "/v1/static-codes/{static_code}/picture", tag = "static-codes",
    params(("static_code" = StaticCodeId, Path), PictureQuery),
    responses((status = 200, description = "SVG, PNG or characters", content_type = "image/svg+xml", body = String)))]
pub async fn picture(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    static_code: web::Path<StaticCodeId>,
    query: web::Query<PictureQuery>,
) -> Result<HttpResponse, Problem> {
    let (code, _) = load(&app, caller.scope()?, static_code.into_inner()).await?;
    query.answer(&url(&app, code.id))
}

/// Ends a code: whoever scans it from then on reads that it is no longer in use. What is being paid through it goes on.
#[utoipa::path(post, path = "/v1/static-codes/{static_code}/revoke", tag = "static-codes",
    params(("static_code" = StaticCodeId, Path)), responses((status = 200, body = StaticCodeView)))]
pub async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManageStores>,
    static_code: web::Path<StaticCodeId>,
) -> Result<web::Json<StaticCodeView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), static_code.into_inner(), app.now());
    let revoked = app.store().write(move |tx| {
        let code = static_codes::load(tx, &scope, id)?;
        if code.revoked_at.is_none() {
            note(tx, &who, "static_code.revoked", &id, &json!({}), now)?;
            static_codes::revoke(tx, &scope, id, now)?;
        }
        Ok::<_, StoreError>((static_codes::load(tx, &scope, id)?, currency(tx, &scope)?))
    });
    let (code, currency) = revoked.await?;
    Ok(web::Json(view(&app, code, currency)))
}

async fn load(app: &App, scope: TenantScope, id: StaticCodeId) -> Result<(StaticCode, Currency), Problem> {
    let found =
        app.store().read(move |tx| Ok::<_, StoreError>((static_codes::load(tx, &scope, id)?, currency(tx, &scope)?)));
    Ok(found.await?)
}

fn currency(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Currency, StoreError> {
    Ok(tenants::load(tx, scope)?.currency)
}

fn minor(minor: i64, pointer: &str) -> Result<i64, Problem> {
    if (1..=AMOUNT_MINOR_MAX).contains(&minor) {
        return Ok(minor);
    }
    Err(Problem::new(INVALID, format!("An amount is from 1 to {AMOUNT_MINOR_MAX} minor units.")).at(pointer))
}

/// # Errors
/// `INVALID` for a store or terminal that is not there, or not of the store.
fn check_place(tx: &mut Tx<'_>, scope: &TenantScope, code: &StaticCode) -> Result<(), Problem> {
    match stores::load(tx, scope, code.store) {
        Ok(shop) if shop.active => {}
        Ok(_) | Err(StoreError::NotFound { .. }) => {
            return Err(Problem::new(INVALID, "This merchant has no such open store.").at("/store"));
        }
        Err(error) => return Err(error.into()),
    }
    check_terminal(tx, scope, code.store, code.terminal, "/terminal")?;
    check_terminal(tx, scope, code.store, code.announce_at, "/announce_at")
}

/// # Errors
/// `INVALID` for a terminal that is not there, not of the store, or revoked.
fn check_terminal(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    store: StoreId,
    terminal: Option<TerminalId>,
    pointer: &str,
) -> Result<(), Problem> {
    let Some(terminal) = terminal else { return Ok(()) };
    match terminals::load(tx, scope, terminal) {
        Ok(till) if till.store == store && till.revoked_at.is_none() => Ok(()),
        Ok(_) | Err(StoreError::NotFound { .. }) => {
            Err(Problem::new(INVALID, "The store has no such terminal.").at(pointer))
        }
        Err(error) => Err(error.into()),
    }
}

fn url(app: &App, code: StaticCodeId) -> String {
    format!("{}{}", app.config().server.public_url, static_page::path(code))
}

fn view(app: &App, code: StaticCode, currency: Currency) -> StaticCodeView {
    StaticCodeView {
        url: url(app, code.id),
        id: code.id,
        store: code.store,
        terminal: code.terminal,
        announce_at: code.announce_at,
        label: code.label,
        min_minor: code.min_minor,
        max_minor: code.max_minor,
        currency,
        created_at: code.created_at,
        revoked_at: code.revoked_at,
    }
}
