//! `/v1/api-keys`: keys for the merchant's own programs.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{ApiKeyId, Millis, api::Page};
use saoma_store::{
    Tx,
    api_keys::{self, ApiKey},
    users,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{Caller, api_key_text, rights::ManagePeople},
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::Problem,
        role::Role,
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api-keys")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/api-keys/{key}").route(web::delete().to(revoke)).default_service(web::to(other_method)),
        );
}

/// A key, without its secret: that was shown once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// What it may do is what this role may. Absent for a role that is no more: such a key may do nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
    /// To the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Millis>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        let role = key.scopes.first().and_then(|role| users::Role::from_text(role)).map(Role::from);
        let ApiKey { id, name, scopes: _, created_at, expires_at, revoked_at, last_used_at } = key;
        Self { id, name, role, created_at, expires_at, revoked_at, last_used_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// 1 to 128 characters.
    name: String,
    role: Role,
}

/// A new key. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    id: ApiKeyId,
    name: String,
    role: Role,
    /// For the header `Authorization: Bearer …`.
    secret: String,
    created_at: Millis,
}

/// The merchant's keys, newest first, those that were revoked too.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys", responses((status = 200, body = Page<ApiKeyView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<ManagePeople>) -> Result<web::Json<Page<ApiKeyView>>, Problem> {
    let scope = caller.scope()?;
    let keys = app.store().read(move |tx| api_keys::list(tx, &scope)).await?;
    Ok(web::Json(Page { items: keys.into_iter().map(ApiKeyView::from).collect(), next_cursor: None }))
}

/// Makes a key that may do what the role may.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys", request_body = CreateApiKey,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = CreatedApiKey)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    key: IdempotencyKey,
    body: web::Json<CreateApiKey>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/api-keys", &caller, &key, &*body)?;
    let (scope, who, body) = (caller.scope()?, caller.principal().clone(), body.into_inner());
    let role = body.role.given_by(&who)?;
    let secret = app.random_32()?;
    let secret_hash: [u8; 32] = Sha256::digest(secret).into();
    let key = ApiKey {
        id: ApiKeyId::from_bytes(app.random_16()?),
        name: text::name(&body.name, "/name")?,
        scopes: vec![role.text().to_owned()],
        created_at: app.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let make = move |tx: &mut Tx<'_>| {
        let detail = json!({ "name": key.name, "role": role.text() });
        note(tx, &who, "api_key.created", &key.id, &detail, key.created_at)?;
        api_keys::create(tx, &scope, &key, &secret_hash)?;
        Ok(CreatedApiKey {
            id: key.id,
            name: key.name.clone(),
            role: body.role,
            secret: api_key_text(key.id, &secret),
            created_at: key.created_at,
        })
    };
    answered(&app, scope, wish, StatusCode::CREATED, make).await
}

/// Revokes a key: from now on it is not let in.
#[utoipa::path(delete, path = "/v1/api-keys/{key}", tag = "api-keys", params(("key" = ApiKeyId, Path)),
    responses((status = 204)))]
pub async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManagePeople>,
    key: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, key, now) = (caller.scope()?, caller.principal().clone(), key.into_inner(), app.now());
    app.store()
        .write(move |tx| {
            note(tx, &who, "api_key.revoked", &key, &json!({}), now)?;
            api_keys::revoke(tx, &scope, key, now)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
