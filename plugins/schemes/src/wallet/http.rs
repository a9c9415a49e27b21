//! The scheme's HTTP doors: merchants ([`merchant`]), customers ([`customer`]) and testers ([`admin`]). No rules here.

pub(super) mod admin;
pub(super) mod answer;
pub(super) mod customer;
pub(super) mod merchant;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};

use super::refusal::Refusal;

/// Longest `traceparent` that is believed; version 00 of the W3C format has 55 characters.
const TRACEPARENT_LEN_MAX: usize = 64;

/// The trace that a request belongs to, put into its extensions by [`trace`].
#[derive(Clone)]
struct Traceparent(String);

/// Logs each request with its trace, and lets the handlers pass the trace on to notifications.
pub(super) async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.len() <= TRACEPARENT_LEN_MAX && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'))
        .map(str::to_owned);
    if let Some(traceparent) = &traceparent {
        request.extensions_mut().insert(Traceparent(traceparent.clone()));
    }
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let started = std::time::Instant::now();
    let response = next.call(request).await?;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    let traceparent = traceparent.unwrap_or_default();
    tracing::info!(%method, path, status, duration_ms, traceparent, "answered");
    Ok(response)
}

fn traceparent(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Traceparent>().map(|traceparent| traceparent.0.clone())
}

/// An unsigned JSON answer, for customers and testers.
fn json<T: serde::Serialize>(result: Result<T, Refusal>) -> HttpResponse {
    match result {
        Ok(body) => HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(body),
        Err(refusal) => {
            let status = actix_web::http::StatusCode::from_u16(refusal.status()).unwrap_or_default();
            HttpResponse::build(status).json(answer::error_body(&refusal))
        }
    }
}

pub(super) async fn not_found() -> HttpResponse {
    json::<()>(Err(Refusal::CallNotFound))
}

/// JSON that cannot be read gets the same error shape as everything else.
pub(super) fn json_config() -> web::JsonConfig {
    web::JsonConfig::default().limit(merchant::BODY_LEN_MAX).error_handler(|error, _| {
        let refusal = Refusal::BadRequest(error.to_string());
        actix_web::error::InternalError::from_response(error, json::<()>(Err(refusal))).into()
    })
}
