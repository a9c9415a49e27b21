//! The customer's side: the wallet's pages and the few calls they make.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::json;
use crate::wallet::{
    notify, pages,
    refusal::Refusal,
    server::{Rim, now_ms, random_digits},
};

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/", web::get().to(to_wallet))
        .route("/wallet", web::get().to(wallet_page))
        .route("/pay/{token}", web::get().to(pay_page))
        .route("/wallet/assets/{name}", web::get().to(asset))
        .route("/wallet/api/accounts", web::get().to(accounts))
        .route("/wallet/api/accounts/{id}/code", web::post().to(show_code))
        .route("/wallet/api/accounts/{id}/history", web::get().to(history))
        .route("/wallet/api/orders/{token}", web::get().to(order))
        .route("/wallet/api/orders/{token}/pay", web::post().to(pay));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    account: String,
}

#[derive(Serialize)]
struct Code {
    code: String,
    expires_at: i64,
    /// The same digits as a QR, an SVG document.
    qr_svg: String,
}

#[derive(Deserialize)]
struct Lang {
    lang: Option<String>,
}

async fn to_wallet() -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", "/wallet")).finish()
}

async fn wallet_page(request: HttpRequest, query: web::Query<Lang>) -> HttpResponse {
    page(&request, query.lang.as_deref(), pages::WALLET)
}

/// The page is the same for every token: an unknown one is told so by its first call, in the customer's language.
async fn pay_page(request: HttpRequest, query: web::Query<Lang>) -> HttpResponse {
    page(&request, query.lang.as_deref(), pages::PAY)
}

fn page(request: &HttpRequest, lang: Option<&str>, html: &str) -> HttpResponse {
    let accepted = request.headers().get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or("");
    let lang = pages::language(lang, accepted);
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("vary", "accept-language"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header((
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ))
        .body(html.replace("{{lang}}", lang))
}

async fn asset(name: web::Path<String>) -> HttpResponse {
    match pages::asset(&name) {
        Some((content_type, text)) => {
            HttpResponse::Ok().content_type(content_type).insert_header(("cache-control", "no-cache")).body(text)
        }
        None => super::not_found().await,
    }
}

async fn accounts(rim: web::Data<Rim>) -> HttpResponse {
    json(Ok(rim.scheme.lock().book.accounts.views()))
}

async fn history(rim: web::Data<Rim>, id: web::Path<String>) -> HttpResponse {
    json(rim.scheme.lock().book.accounts.history(&id))
}

async fn show_code(rim: web::Data<Rim>, id: web::Path<String>) -> HttpResponse {
    let code = format!("88{}", random_digits(16));
    let shown = rim.scheme.lock().book.accounts.show_code(&id, code.clone(), now_ms());
    json(shown.and_then(|expires_at| {
        let qr_svg = pages::qr_svg(&code).map_err(|error| Refusal::BadRequest(error.to_string()))?;
        Ok(Code { code, expires_at, qr_svg })
    }))
}

async fn order(rim: web::Data<Rim>, token: web::Path<String>) -> HttpResponse {
    json(rim.scheme.lock().book.show(&token, now_ms()))
}

async fn pay(request: HttpRequest, rim: web::Data<Rim>, token: web::Path<String>, pay: web::Json<Pay>) -> HttpResponse {
    let (paid, notices) = {
        let mut state = rim.scheme.lock();
        let paid = state.book.pay(&token, &pay.account, super::traceparent(&request), now_ms());
        (paid, state.book.take_notices())
    };
    tracing::info!(
        account = pay.account,
        code = paid.as_ref().err().map_or("", Refusal::code),
        traceparent = super::traceparent(&request).unwrap_or_default(),
        "customer pays"
    );
    notify::dispatch(&rim, notices);
    json(paid)
}
