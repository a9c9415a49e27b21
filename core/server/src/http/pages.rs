//! The dashboard, built from `core/dashboard` and embedded.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
};
use rust_embed::RustEmbed;

use super::problem::{METHOD_NOT_ALLOWED, NOT_FOUND, Problem};

/// Core without pages still has its API; the crate must not need a web toolchain to build.
#[derive(RustEmbed)]
#[folder = "../dashboard/dist"]
#[allow_missing = true]
struct Pages;

const UNBUILT: &str = "The dashboard is not built into this program. Build it with `npm ci && npm run build` in \
                       core/dashboard, then build saoma again. The API under /v1 works.\n";
/// The component kit writes its sizes as inline styles; scripts come from here alone.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
                      base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// Any path that is nothing else: an asset, or a room of the dashboard, which finds its own way.
///
/// # Errors
/// `NOT_FOUND` for an asset that does not exist, `METHOD_NOT_ALLOWED`.
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(METHOD_NOT_ALLOWED, format!("{} cannot be done here.", request.method())));
    }
    let path = request.path().trim_start_matches('/');
    if Pages::get("index.html").is_none() {
        return Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(UNBUILT));
    }
    let is_asset = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let name = if is_asset { path } else { "index.html" };
    let Some(file) = Pages::get(name) else {
        return Err(Problem::new(NOT_FOUND, format!("There is no {}.", request.path())));
    };
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.metadata.mimetype())
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    // Assets have their hash in their name, the page has not.
    let caching = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(response.insert_header((header::CACHE_CONTROL, caching)).body(file.data.into_owned()))
}
