//! `/v1/plugin-packages`: signed versions of plugins. A package serves nobody until it is rolled out.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use saoma_channels::{
    ContentHash, PLUGIN_BYTES_MAX,
    package::{ENVELOPE_BYTES_MAX, Kind},
};
use saoma_domain::package::Choice;
use saoma_protocol::{Millis, api::Page};
use saoma_store::{
    Owner, access,
    plugin_packages::{self, Package},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManagePlugins, Needs, PublishPlugins},
        },
        problem::{BODY_TOO_LARGE, BODY_UNREADABLE, FORBIDDEN, INVALID, NOT_FOUND, Problem, UNAVAILABLE},
        router::other_method,
    },
    packages,
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/plugin-packages").route(web::get().to(list)).route(web::post().to(publish)))
        .service(resource("/plugin-packages/{package}").route(web::get().to(show)))
        .service(resource("/plugin-packages/{package}/retire").route(web::post().to(retire)));
}

/// What a package is sent as: its envelope (JSON, in one line), a line feed, and the component's bytes.
pub const CONTENT_TYPE: &str = "application/vnd.saoma.plugin-package";

/// Longest that a package may be on its way in: 64 MiB at 2 Mbit/s. Whoever is slower holds a place that others wait for.
const UPLOAD_MAX: Duration = Duration::from_secs(300);

/// Both and the line feed between them.
const BODY_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + 1 + PLUGIN_BYTES_MAX;

/// A signed version of a plugin.
#[derive(Serialize, ToSchema)]
pub struct PluginPackageView {
    /// `channel`; `rules`: a merchant's own for its sales; `unknown`: only another release can read its envelope.
    kind: &'static str,
    /// SHA-256 of the component, in hex: the package's name.
    hash: String,
    plugin: String,
    version: String,
    /// The version of `saoma:channel` that it was built for.
    contract: String,
    /// The id of the key that signed it.
    publisher: String,
    component_bytes: u64,
    /// Published by the platform, for every merchant; else it is the merchant's own.
    of_platform: bool,
    published_at: Millis,
    published_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<Millis>,
    /// Of a retired one, what its payments go through: a package's hash, or `built_in`.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<String>,
}

impl PluginPackageView {
    fn new(package: Package, of_platform: bool) -> Self {
        Self {
            kind: packages::kind_of(&package).map_or("unknown", Kind::text),
            hash: package.hash.to_string(),
            plugin: package.plugin,
            version: package.version,
            contract: package.contract,
            publisher: package.publisher,
            component_bytes: package.component_bytes,
            of_platform,
            published_at: package.published_at,
            published_by: package.published_by,
            retired_at: package.retired_at,
            successor: package.successor.map(|successor| successor.to_string()),
        }
    }
}

/// A package with what was signed.
#[derive(Serialize, ToSchema)]
pub struct PluginPackageDetail {
    package: PluginPackageView,
    /// The signed statement (DSSE), as it was published.
    #[schema(value_type = Object)]
    envelope: Value,
    /// How many of the caller's payments were begun with it; of the platform, everybody's.
    payments: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetirePackage {
    /// The hash of another package of the same plugin, or `built_in`.
    successor: String,
}

/// Whose packages the caller manages.
pub(super) fn owner<N: Needs>(caller: &Caller<N>) -> Result<Owner, Problem> {
    packages::owner_of(caller.principal()).ok_or_else(|| Problem::new(FORBIDDEN, "Nobody's packages are yours."))
}

/// The packages that the caller may use: its own, and the platform's; newest first.
#[utoipa::path(get, path = "/v1/plugin-packages", tag = "plugin-packages",
    responses((status = 200, body = Page<PluginPackageView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<PublishPlugins>,
) -> Result<web::Json<Page<PluginPackageView>>, Problem> {
    let owner = owner(&caller)?;
    let (own, of_platform) = app
        .store()
        .read(move |tx| {
            let own = plugin_packages::list(tx, &owner)?;
            let of_platform = match owner {
                Owner::Platform(_) => Vec::new(),
                Owner::Tenant(_) => plugin_packages::list(tx, &Owner::Platform(access::process()))?,
            };
            Ok::<_, saoma_store::StoreError>((own, of_platform))
        })
        .await?;
    let is_platform = owner.tenant().is_none();
    let own = own.into_iter().map(|package| PluginPackageView::new(package, is_platform));
    let others = of_platform.into_iter().map(|package| PluginPackageView::new(package, true));
    Ok(web::Json(Page { items: own.chain(others).collect(), next_cursor: None }))
}

/// Publishes a package. The body is its envelope as JSON in one line (what `saoma plugin sign` wrote), a line feed, and the
/// component's bytes, as `application/vnd.saoma.plugin-package`. It is refused unless a trusted publisher signed it and the
/// conformance kit's verdict is whole. The same package again is answered the same with 200.
#[utoipa::path(post, path = "/v1/plugin-packages", tag = "plugin-packages",
    request_body(content = String, content_type = "application/vnd.saoma.plugin-package"),
    responses((status = 201, body = PluginPackageView), (status = 200, body = PluginPackageView)))]
pub async fn publish(
    app: web::Data<App>,
    caller: Caller<PublishPlugins>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type != CONTENT_TYPE {
        return Err(Problem::new(
            BODY_UNREADABLE,
            format!("Send a package, with the header Content-Type: {CONTENT_TYPE}."),
        ));
    }
    let of = owner(&caller)?.tenant();
    // Each is held in memory whole.
    let Some(_place) = app.serving().upload(of) else {
        let why = "Another package of yours is being taken in, or as many of others as may be at a time. Try again.";
        return Err(Problem::new(UNAVAILABLE, why));
    };
    let slow = || Problem::new(BODY_UNREADABLE, "The body took too long to arrive.");
    let body = tokio::time::timeout(UPLOAD_MAX, whole(body)).await.map_err(|_| slow())??;
    let (envelope, component) = split(&body)?;
    let who = caller.principal().clone();
    let (package, is_new) = packages::publish(&app, who, component, envelope).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).json(PluginPackageView::new(package, of.is_none())))
}

async fn whole(body: web::Payload) -> Result<web::Bytes, Problem> {
    match body.to_bytes_limited(BODY_BYTES_MAX).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::new(BODY_UNREADABLE, "The body did not arrive whole.")),
        Err(_) => Err(Problem::new(BODY_TOO_LARGE, format!("A component has at most {PLUGIN_BYTES_MAX} bytes."))),
    }
}

/// Envelope and component.
fn split(body: &[u8]) -> Result<(String, Vec<u8>), Problem> {
    let unreadable = |detail: &str| Problem::new(BODY_UNREADABLE, detail);
    let head = &body[..body.len().min(ENVELOPE_BYTES_MAX + 1)];
    let end = head.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| unreadable("The envelope comes first, in one line, and a line feed after it."))?;
    let envelope = std::str::from_utf8(&body[..end]).map_err(|_| unreadable("The envelope is no text."))?;
    Ok((envelope.to_owned(), body[end + 1..].to_vec()))
}

/// One package, with what its publisher signed.
#[utoipa::path(get, path = "/v1/plugin-packages/{package}", tag = "plugin-packages", params(("package" = String, Path)),
    responses((status = 200, body = PluginPackageDetail)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<PublishPlugins>,
    package: web::Path<String>,
) -> Result<web::Json<PluginPackageDetail>, Problem> {
    let (owner, hash) = (owner(&caller)?, named(&package)?);
    let (package, own, payments) = app
        .store()
        .read(move |tx| {
            let package = plugin_packages::usable(tx, &owner, hash)?;
            let own = plugin_packages::load(tx, &owner, hash).is_ok();
            Ok::<_, saoma_store::StoreError>((package, own, plugin_packages::payments_of(tx, &owner, hash)?))
        })
        .await?;
    let envelope = serde_json::from_str(&package.envelope).map_err(|error| Problem::internal(&error))?;
    let package = PluginPackageView::new(package, owner.tenant().is_none() || !own);
    Ok(web::Json(PluginPackageDetail { package, envelope, payments }))
}

/// Takes a package out of use for good: what is still to be asked or given back of its payments goes through the successor.
/// Roll it back first; this is for a version that must not be called again at all.
#[utoipa::path(post, path = "/v1/plugin-packages/{package}/retire", tag = "plugin-packages", request_body = RetirePackage,
    params(("package" = String, Path)), responses((status = 200, body = PluginPackageView)))]
pub async fn retire(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    package: web::Path<String>,
    body: web::Json<RetirePackage>,
) -> Result<web::Json<PluginPackageView>, Problem> {
    let hash = named(&package)?;
    let successor: Choice = body
        .successor
        .parse()
        .map_err(|_| Problem::new(INVALID, "The successor is the hash of a package, or built_in.").at("/successor"))?;
    let retired = packages::retire(&app, caller.principal().clone(), hash, successor).await?;
    Ok(web::Json(PluginPackageView::new(retired, owner(&caller)?.tenant().is_none())))
}

/// A package's name; another text names none.
pub(super) fn named(text: &str) -> Result<ContentHash, Problem> {
    text.parse().map_err(|_| Problem::new(NOT_FOUND, "the package was not found."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_an_envelope_a_line_feed_and_a_component() {
        assert_eq!(split(b"{}\n\0asm\n\x01").unwrap(), ("{}".to_owned(), b"\0asm\n\x01".to_vec()));
        assert_eq!(split(b"{}\n").unwrap(), ("{}".to_owned(), Vec::new()));
        let mut long = vec![b' '; ENVELOPE_BYTES_MAX + 1];
        long.push(b'\n');
        for wrong in [b"".as_slice(), b"{}", b"\xff\n\0asm", &long] {
            assert_eq!(split(wrong).unwrap_err().code(), BODY_UNREADABLE);
        }
    }
}
