//! `/v1/stores`: a merchant's shops.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{Millis, StoreId, api::Page};
use saoma_store::{
    StoreError, Tx,
    stores::{self, Shop},
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
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/stores")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/stores/{store}")
                .route(web::get().to(show))
                .route(web::patch().to(change))
                .default_service(web::to(other_method)),
        );
}

/// A shop.
#[derive(Serialize, ToSchema)]
pub struct StoreView {
    id: StoreId,
    name: String,
    active: bool,
    created_at: Millis,
}

impl From<Shop> for StoreView {
    fn from(shop: Shop) -> Self {
        Self { id: shop.id, name: shop.name, active: shop.active, created_at: shop.created_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateStore {
    /// 1 to 128 characters; stands on receipts.
    name: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStore {
    #[serde(default)]
    name: Option<String>,
    /// A closed one takes no new payments.
    #[serde(default)]
    active: Option<bool>,
}

/// The merchant's stores, oldest first.
#[utoipa::path(get, path = "/v1/stores", tag = "stores", responses((status = 200, body = Page<StoreView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<ReadPayments>) -> Result<web::Json<Page<StoreView>>, Problem> {
    let scope = caller.scope()?;
    let shops = app.store().read(move |tx| stores::list(tx, &scope)).await?;
    Ok(web::Json(Page { items: shops.into_iter().map(StoreView::from).collect(), next_cursor: None }))
}

/// Opens a store.
#[utoipa::path(post, path = "/v1/stores", tag = "stores", request_body = CreateStore,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = StoreView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageStores>,
    key: IdempotencyKey,
    body: web::Json<CreateStore>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/stores", &caller, &key, &*body)?;
    let (scope, who) = (caller.scope()?, caller.principal().clone());
    let shop = Shop {
        id: StoreId::from_bytes(app.random_16()?),
        name: text::name(&body.name, "/name")?,
        active: true,
        created_at: app.now(),
    };
    let open = move |tx: &mut Tx<'_>| {
        note(tx, &who, "store.created", &shop.id, &json!({ "name": shop.name }), shop.created_at)?;
        stores::create(tx, &scope, &shop)?;
        Ok(StoreView::from(shop.clone()))
    };
    answered(&app, scope, wish, StatusCode::CREATED, open).await
}

/// One store.
#[utoipa::path(get, path = "/v1/stores/{store}", tag = "stores", params(("store" = StoreId, Path)),
    responses((status = 200, body = StoreView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    store: web::Path<StoreId>,
) -> Result<web::Json<StoreView>, Problem> {
    let (scope, store) = (caller.scope()?, store.into_inner());
    Ok(web::Json(app.store().read(move |tx| stores::load(tx, &scope, store)).await?.into()))
}

/// Renames, closes or opens a store.
#[utoipa::path(patch, path = "/v1/stores/{store}", tag = "stores", request_body = ChangeStore,
    params(("store" = StoreId, Path)), responses((status = 200, body = StoreView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageStores>,
    store: web::Path<StoreId>,
    body: web::Json<ChangeStore>,
) -> Result<web::Json<StoreView>, Problem> {
    let (scope, who, store, body) =
        (caller.scope()?, caller.principal().clone(), store.into_inner(), body.into_inner());
    let name = body.name.as_deref().map(|name| text::name(name, "/name")).transpose()?;
    if (&name, body.active) == (&None, None) {
        return Err(Problem::new(INVALID, "Say what to change: name or active."));
    }
    let now = app.now();
    let shop = app
        .store()
        .write(move |tx| {
            note(tx, &who, "store.changed", &store, &json!({ "name": name, "active": body.active }), now)?;
            let mut shop = stores::load(tx, &scope, store)?;
            shop.name = name.clone().unwrap_or(shop.name);
            shop.active = body.active.unwrap_or(shop.active);
            stores::update(tx, &scope, &shop)?;
            Ok::<_, StoreError>(shop)
        })
        .await?;
    Ok(web::Json(shop.into()))
}
