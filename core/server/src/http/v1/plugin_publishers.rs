//! `/v1/plugin-publishers`: whose signatures of plugins are believed; by the platform for everybody, or by a merchant for itself.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_channels::package::Publisher as PublicKey;
use saoma_protocol::{Millis, api::Page};
use saoma_store::plugin_publishers::{self, Publisher};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plugin_packages::owner;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManagePlugins},
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
    packages,
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/plugin-publishers").route(web::get().to(list)).route(web::post().to(trust)))
        .service(resource("/plugin-publishers/{publisher}/revoke").route(web::post().to(revoke)));
}

/// A trusted publisher of plugins.
#[derive(Serialize, ToSchema)]
pub struct PluginPublisherView {
    /// SHA-256 of its public key, in hex; envelopes name it.
    key_id: String,
    name: String,
    /// Ed25519, in PEM.
    public_key: String,
    trusted_at: Millis,
    trusted_by: String,
    /// From then on nothing that it signed is published or rolled out any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
}

impl From<Publisher> for PluginPublisherView {
    fn from(publisher: Publisher) -> Self {
        let Publisher { key_id, name, public_key, trusted_at, trusted_by, revoked_at } = publisher;
        Self { key_id, name, public_key, trusted_at, trusted_by, revoked_at }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustPublisher {
    /// 1 to 128 characters.
    name: String,
    /// An Ed25519 public key in PEM, as `saoma plugin keygen` shows it.
    public_key: String,
}

/// The publishers that the caller trusts, those that were revoked too; oldest first. A merchant trusts the platform's besides.
#[utoipa::path(get, path = "/v1/plugin-publishers", tag = "plugin-publishers",
    responses((status = 200, body = Page<PluginPublisherView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
) -> Result<web::Json<Page<PluginPublisherView>>, Problem> {
    let owner = owner(&caller)?;
    let found = app.store().read(move |tx| plugin_publishers::list(tx, &owner)).await?;
    Ok(web::Json(Page { items: found.into_iter().map(PluginPublisherView::from).collect(), next_cursor: None }))
}

/// Trusts a publisher's key. The same key again is the same answer; one that was revoked stays so.
#[utoipa::path(post, path = "/v1/plugin-publishers", tag = "plugin-publishers", request_body = TrustPublisher,
    responses((status = 201, body = PluginPublisherView)))]
pub async fn trust(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    body: web::Json<TrustPublisher>,
) -> Result<HttpResponse, Problem> {
    let TrustPublisher { name, public_key } = body.into_inner();
    let key = PublicKey::from_pem(public_key.as_bytes())
        .map_err(|fault| Problem::new(INVALID, format!("The key cannot be used: {fault}.")).at("/public_key"))?;
    let name = text::name(&name, "/name")?;
    let publisher = packages::trust(&app, caller.principal().clone(), key, name).await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(PluginPublisherView::from(publisher)))
}

/// Believes this key no more. What it signed and runs already goes on until it is rolled back: payments hang on it.
#[utoipa::path(post, path = "/v1/plugin-publishers/{publisher}/revoke", tag = "plugin-publishers",
    params(("publisher" = String, Path)), responses((status = 200, body = PluginPublisherView)))]
pub async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    publisher: web::Path<String>,
) -> Result<web::Json<PluginPublisherView>, Problem> {
    let revoked = packages::revoke(&app, caller.principal().clone(), publisher.into_inner()).await?;
    Ok(web::Json(revoked.into()))
}
