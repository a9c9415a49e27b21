//! Each request is a span of one trace (the caller's if it sent one: W3C Trace Context), a line in the log, and a figure.
//!
//! The route's pattern stands for the path everywhere: paths hold pay codes, and whatever strangers write into them.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};
use tracing::{Instrument as _, field::Empty};

use crate::{
    app::App,
    telemetry::{continue_trace, trace_id},
};

/// The route of what is no route: pages, assets, mistakes.
const NO_ROUTE: &str = "none";

/// # Errors
/// What the handler says.
pub async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let app = request.app_data::<web::Data<App>>().cloned();
    let method = known(request.method());
    let route = request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned());
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        trace_id = Empty,
        actor = Empty,
        tenant = Empty
    );
    continue_trace(&span, request.headers().get("traceparent").and_then(|value| value.to_str().ok()));
    let answered = async {
        let response = next.call(request).await;
        let status = match &response {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        };
        let took = began.elapsed();
        tracing::Span::current().record("http.response.status_code", status);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method, route, status, duration_ms, trace_id = trace_id(), "answered");
        if let Some(app) = app {
            app.metrics().request(method, &route, status, took);
        }
        response
    };
    answered.instrument(span).await
}

/// Strangers may call with any method: those that nobody answers count as one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
