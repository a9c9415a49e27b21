//! Each request is a span of one trace: the caller's if it sent one (W3C Trace Context).

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use tracing::Instrument as _;

use crate::telemetry::continue_trace;

/// # Errors
/// What the handler says.
pub async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let span = tracing::info_span!("request", http.request.method = %request.method(), url.path = request.path(),
        http.response.status_code = tracing::field::Empty, actor = tracing::field::Empty, tenant = tracing::field::Empty);
    continue_trace(&span, request.headers().get("traceparent").and_then(|value| value.to_str().ok()));
    let response = next.call(request).instrument(span.clone()).await;
    match &response {
        Ok(response) => drop(span.record("http.response.status_code", response.status().as_u16())),
        Err(error) => drop(span.record("http.response.status_code", error.as_response_error().status_code().as_u16())),
    }
    response
}
