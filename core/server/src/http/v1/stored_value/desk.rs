//! At the desk: cash in, a mistake taken back, a lost phone, cash out, and the code that a holder shows.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_domain::stored_value::Event;
use saoma_protocol::{Millis, StoredValueAccountId, StoredValueMovementId};
use saoma_store::{Principal, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{StoredValueAccountView, StoredValueMovementView, TopUpStoredValue};
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageStoredValue, Needs, ServeStoredValue},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::Problem,
        router::other_method,
        text,
        v1::audit::note,
    },
    stored_value::{self, Deed},
};

/// What a code begins with, by which a channel knows it. With what follows all of it is of QR's alphanumeric letters.
const CODE_PREFIX: &str = "SV1:";
/// Long enough to be held before a scanner, short for one that was photographed.
const CODE_LIFE_MS: i64 = 60_000;

pub fn routes(config: &mut web::ServiceConfig) {
    let account = |leaf: &str| {
        let path = format!("/stored-value/accounts/{{stored_value_account}}/{leaf}");
        web::resource(path).default_service(web::to(other_method))
    };
    config
        .service(account("top-ups").route(web::post().to(top_up)))
        .service(account("freeze").route(web::post().to(freeze)))
        .service(account("unfreeze").route(web::post().to(unfreeze)))
        .service(account("close").route(web::post().to(close)))
        .service(account("codes").route(web::post().to(new_code)))
        .service(
            web::resource("/stored-value/movements/{movement}/reverse")
                .route(web::post().to(reverse))
                .default_service(web::to(other_method)),
        );
}

/// Why it is done; it stays in the audit log.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredValueReason {
    pub(super) reason: String,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStoredValueCode {}

/// A code to be shown once, as text or as a QR code. It is a secret until then.
#[derive(Serialize, ToSchema)]
pub struct StoredValueCode {
    code: String,
    expires_at: Millis,
}

pub(super) fn deed<N: Needs>(app: &App, caller: &Caller<N>) -> Result<Deed, Problem> {
    let id = StoredValueMovementId::from_bytes(app.random_16()?);
    Ok(Deed { id, actor: caller.actor(), at: app.now() })
}

/// Takes cash for the account. It is booked in the safe.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/top-ups", tag = "stored-value",
    request_body = TopUpStoredValue,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = StoredValueMovementView)))]
pub async fn top_up(
    app: web::Data<App>,
    caller: Caller<ServeStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<TopUpStoredValue>,
) -> Result<HttpResponse, Problem> {
    let account = account.into_inner();
    let wish = Wish::of(&app, &format!("POST /v1/stored-value/accounts/{account}/top-ups"), &caller, &key, &*body)?;
    let (scope, who, deed, amount) = (caller.scope()?, caller.principal().clone(), deed(&app, &caller)?, body.amount);
    let work = move |tx: &mut Tx<'_>| {
        let detail = json!({ "amount": amount, "movement": deed.id });
        note(tx, &who, "stored_value.topped_up", &account, &detail, deed.at)?;
        Ok(StoredValueMovementView::from(stored_value::top_up(tx, &scope, &deed, account, amount)?))
    };
    answered(&app, scope, wish, StatusCode::CREATED, work).await
}

/// Takes a top-up back that was a mistake, as long as the account still holds it: the holder gets the cash back.
#[utoipa::path(post, path = "/v1/stored-value/movements/{movement}/reverse", tag = "stored-value",
    request_body = StoredValueReason,
    params(("movement" = StoredValueMovementId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = StoredValueMovementView)))]
pub async fn reverse(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    movement: web::Path<StoredValueMovementId>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    let movement = movement.into_inner();
    let wish = Wish::of(&app, &format!("POST /v1/stored-value/movements/{movement}/reverse"), &caller, &key, &*body)?;
    let (scope, who, deed) = (caller.scope()?, caller.principal().clone(), deed(&app, &caller)?);
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let detail = json!({ "reason": reason, "by": deed.id });
        note(tx, &who, "stored_value.top_up_reversed", &movement, &detail, deed.at)?;
        Ok(StoredValueMovementView::from(stored_value::reverse(tx, &scope, &deed, movement, reason.clone())?))
    };
    answered(&app, scope, wish, StatusCode::CREATED, work).await
}

/// Freezes the account of a holder whose phone is lost: nothing is spent any more, and every code of it is dead.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/freeze", tag = "stored-value",
    request_body = StoredValueReason,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueAccountView)))]
pub async fn freeze(
    app: web::Data<App>,
    caller: Caller<ServeStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked { account: account.into_inner(), verb: "freeze", event: Event::Frozen };
    change_state(&app, &caller, asked, &key, &body).await
}

/// Releases a frozen account. Its holder needs another code.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/unfreeze", tag = "stored-value",
    request_body = StoredValueReason,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueAccountView)))]
pub async fn unfreeze(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked { account: account.into_inner(), verb: "unfreeze", event: Event::Unfrozen };
    change_state(&app, &caller, asked, &key, &body).await
}

struct Asked {
    account: StoredValueAccountId,
    verb: &'static str,
    event: Event,
}

async fn change_state<N: Needs>(
    app: &App,
    caller: &Caller<N>,
    asked: Asked,
    key: &IdempotencyKey,
    body: &StoredValueReason,
) -> Result<HttpResponse, Problem> {
    let Asked { account, verb, event } = asked;
    let wish = Wish::of(app, &format!("POST /v1/stored-value/accounts/{account}/{verb}"), caller, key, body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        note_reason(tx, &who, &format!("stored_value.{verb}"), account, &reason, now)?;
        Ok(StoredValueAccountView::from(stored_value::change_state(tx, &scope, account, event, now)?))
    };
    let answer = answered(app, scope, wish, StatusCode::OK, work).await?;
    // Terminals hear which codes they take no more.
    app.wake_outbox();
    Ok(answer)
}

fn note_reason(
    tx: &mut Tx<'_>,
    who: &Principal,
    action: &str,
    account: StoredValueAccountId,
    reason: &str,
    now: Millis,
) -> Result<(), Problem> {
    Ok(note(tx, who, action, &account, &json!({ "reason": reason }), now)?)
}

/// Pays what is left out in cash, from the safe, and closes the account for good.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/close", tag = "stored-value",
    request_body = StoredValueReason,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueAccountView)))]
pub async fn close(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    let account = account.into_inner();
    let wish = Wish::of(&app, &format!("POST /v1/stored-value/accounts/{account}/close"), &caller, &key, &*body)?;
    let (scope, who, deed) = (caller.scope()?, caller.principal().clone(), deed(&app, &caller)?);
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        note_reason(tx, &who, "stored_value.closed", account, &reason, deed.at)?;
        Ok(StoredValueAccountView::from(stored_value::close(tx, &scope, &deed, account, reason.clone())?))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, work).await?;
    app.wake_outbox();
    Ok(answer)
}

/// Makes the code that the holder shows next: good for a minute and one charge. The one before is dead.
///
/// Whoever may call this may spend what the account holds: it is for the program behind the holders' own app.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/codes", tag = "stored-value",
    request_body = NewStoredValueCode,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = StoredValueCode)))]
pub async fn new_code(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<NewStoredValueCode>,
) -> Result<HttpResponse, Problem> {
    let account = account.into_inner();
    let wish = Wish::of(&app, &format!("POST /v1/stored-value/accounts/{account}/codes"), &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let code = format!("{CODE_PREFIX}{}", data_encoding::BASE32_NOPAD.encode(&app.random_16()?));
    let work = move |tx: &mut Tx<'_>| {
        note(tx, &who, "stored_value.code_made", &account, &json!({}), now)?;
        let expires_at = now.plus(CODE_LIFE_MS);
        stored_value::new_code(tx, &scope, account, &hash(&code), expires_at)?;
        Ok(StoredValueCode { code: code.clone(), expires_at })
    };
    answered(&app, scope, wish, StatusCode::CREATED, work).await
}

/// What is kept of a code.
pub fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}
