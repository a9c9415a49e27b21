//! The pages, built from `till/` and embedded.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
};
use rust_embed::RustEmbed;

use super::problem::Refused;

/// An agent without pages still has its API; the crate must not need a web toolchain to build.
#[derive(RustEmbed)]
#[folder = "till/dist"]
#[allow_missing = true]
struct Pages;

const UNBUILT: &str = "The till's pages are not built into this program. Build them with `npm ci && npm run build` in \
                       edge-agent/till, then build saoma-edge again. The API under /api works.\n";

/// Whether `path` is a file that the page names: its scripts, its styles, its icon.
pub(super) fn belongs_to(page: &str, path: &str) -> bool {
    let named = |html: &str| html.split('"').any(|part| part == path);
    path.starts_with('/') && Pages::get(page).is_some_and(|file| std::str::from_utf8(&file.data).is_ok_and(named))
}

pub(super) async fn page(request: HttpRequest) -> Result<HttpResponse, Refused> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refused::MethodNotAllowed);
    }
    let path = match request.path() {
        "/" => "index.html",
        "/display" | "/display/" => "display.html",
        "/pair" => "pair.html",
        other => other.trim_start_matches('/'),
    };
    let Some(file) = Pages::get(path) else {
        let is_page = matches!(path, "index.html" | "display.html" | "pair.html");
        if is_page && Pages::get("index.html").is_none() {
            return Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(UNBUILT));
        }
        return Err(Refused::NotFound);
    };
    let mut response = HttpResponse::Ok();
    response.content_type(file.metadata.mimetype());
    // Assets have their hash in their name, pages have not.
    if path.starts_with("assets/") {
        response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    }
    Ok(response.body(file.data.into_owned()))
}
