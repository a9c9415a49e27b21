//! The keys with which offline grants are signed. They are drawn by themselves; a person only revokes one.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{Millis, code::offline::KeyId};
use saoma_store::{
    Tx,
    stored_value::offline::issuers::{self, StoredIssuer},
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageStoredValue, ReadStoredValue},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::{NOT_FOUND, Problem},
        text,
        v1::{audit::note, stored_value::desk::StoredValueReason},
    },
    stored_value::offline::revoke_key,
};

#[derive(Serialize, ToSchema)]
pub struct OfflineKeyView {
    id: String,
    /// Ed25519, lower-case hex.
    public_key: String,
    created_at: Millis,
    /// Until when it signs, and until when what it signed may be good.
    signs_until: Millis,
    not_after: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
}

impl From<StoredIssuer> for OfflineKeyView {
    fn from(stored: StoredIssuer) -> Self {
        let StoredIssuer { id, issuer, secret: _, signs_until, revoked_at, created_at } = stored;
        let (public_key, not_after) = (issuer.public_key, issuer.not_after);
        Self { id: id.to_string(), public_key, created_at, signs_until, not_after, revoked_at }
    }
}

#[derive(Serialize, ToSchema)]
pub struct OfflineKeys {
    items: Vec<OfflineKeyView>,
}

/// The keys of this merchant's grants whose time is not over, oldest first.
#[utoipa::path(get, path = "/v1/stored-value/offline-keys", tag = "stored-value",
    responses((status = 200, body = OfflineKeys)))]
pub async fn list_keys(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
) -> Result<web::Json<OfflineKeys>, Problem> {
    let (scope, now) = (caller.scope()?, app.now());
    let found = app.store().read(move |tx| issuers::list(tx, &scope, now)).await?;
    Ok(web::Json(OfflineKeys { items: found.into_iter().map(Into::into).collect() }))
}

/// Revokes a key that may have leaked. Terminals are told at once and take nothing that it signed; phones need new grants, which a
/// new key signs. A repeat changes nothing.
#[utoipa::path(post, path = "/v1/stored-value/offline-keys/{offline_key}/revoke", tag = "stored-value",
    request_body = StoredValueReason, params(("offline_key" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = OfflineKeyView)))]
pub async fn revoke_offline_key(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    key_id: web::Path<String>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    // What cannot be a name names no key.
    let id: KeyId = key_id.parse().map_err(|_| Problem::new(NOT_FOUND, "the key was not found."))?;
    let wish = Wish::of(&app, &format!("POST /v1/stored-value/offline-keys/{id}/revoke"), &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let detail = json!({ "key": id.to_string(), "reason": reason });
        note(tx, &who, "stored_value.offline_key_revoked", &id, &detail, now)?;
        Ok(OfflineKeyView::from(revoke_key(tx, &scope, id, now)?))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, work).await?;
    app.wake_outbox();
    Ok(answer)
}
