//! The page as a document: one script and one style, both known by their hash, and nothing from elsewhere.

use std::sync::LazyLock;

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode, http::header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_protocol::Currency;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::words::Words;
use crate::{http::pay_page::escaped, static_codes::Shown};

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// The script's and the style's own hashes (CSP Level 3, section 2.3.1): what anybody puts into the page else does not run.
///
/// The apps' bridges send what they are called with by a hidden frame at an address of the app's own scheme: without it in
/// `frame-src` nothing reaches the app and no payment begins. Such an address loads nothing, and no other frame is let in.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; frame-src weixin: alipaybridge:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// Whose page it is.
pub struct Shop<'a> {
    pub merchant: &'a str,
    pub store: &'a str,
    pub currency: Currency,
    /// The path of the code.
    pub base: &'a str,
}

/// The keypad, and whatever else comes of it.
pub fn keypad(words: &Words, shop: &Shop<'_>, shown: &Shown) -> HttpResponse {
    let told = json!({
        "pay": words.pay, "waiting": words.waiting, "paid": words.paid, "failed": words.failed, "over": words.over,
        "closing": words.closing, "part_given_back": words.part_given_back, "going_back": words.going_back,
        "given_back": words.given_back,
        "unreachable": words.unreachable,
    });
    let mut keys = String::new();
    for key in ["1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "0"] {
        keys.push_str(&format!("<button type=\"button\" data-key=\"{key}\">{key}</button>"));
    }
    let digits = shop.currency.minor_digits();
    let state = serde_json::to_string(shown).unwrap_or_default();
    let body = format!(
        "<main data-words=\"{}\" data-digits=\"{digits}\" data-base=\"{}\" data-state=\"{}\">{}\
         <p class=\"label\">{} ({})</p><p class=\"amount\" id=\"amount\" aria-live=\"polite\">0</p>\
         <p class=\"label\" id=\"told\" role=\"status\"></p>\
         <div id=\"keypad\"><div class=\"keys\">{keys}<button type=\"button\" data-key=\"back\" aria-label=\"{}\">⌫</button></div>\
         <button type=\"button\" class=\"pay\" id=\"pay\" disabled>{}</button></div><div id=\"step\" hidden></div>\
         <button type=\"button\" class=\"pay\" id=\"pay-again\" hidden>{}</button>\
         <button type=\"button\" class=\"plain\" id=\"cancel\" hidden>{}</button>\
         <button type=\"button\" class=\"pay\" id=\"again\" hidden>{}</button></main><script>{SCRIPT}</script>",
        escaped(&told.to_string()),
        escaped(shop.base),
        escaped(&state),
        heading(shop),
        words.amount,
        shop.currency.code(),
        words.back,
        words.pay,
        words.pay_again,
        words.cancel,
        words.again,
    );
    document(StatusCode::OK, words, &body)
}

/// A sentence, without anything to do.
pub fn notice(status: StatusCode, words: &Words, shop: Option<&Shop<'_>>, sentence: &str) -> HttpResponse {
    let heading = shop.map(heading).unwrap_or_default();
    let body = format!("<main>{heading}<p class=\"notice\" id=\"notice\">{}</p></main>", escaped(sentence));
    document(status, words, &body)
}

fn heading(shop: &Shop<'_>) -> String {
    format!("<h1>{}</h1><p class=\"store\">{}</p>", escaped(shop.merchant), escaped(shop.store))
}

fn document(status: StatusCode, words: &Words, body: &str) -> HttpResponse {
    let html = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><style>{STYLE}</style></head><body>{body}</body></html>",
        words.language, words.title
    );
    let mut response = HttpResponse::build(status);
    private(&mut response);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((header::VARY, "accept-language, user-agent, cookie"))
        .body(html)
}

/// What every answer of the page has: nobody on the way keeps it, and no address of it is told elsewhere.
pub fn private(response: &mut HttpResponseBuilder) {
    response
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
}
