//! `/metrics`: the figures of this core, on an address of its own (`telemetry.metrics_listen`).
//!
//! They are for whoever runs the platform and say nothing of single merchants, but they tell how much goes through. So they
//! are not on the address that the internet reaches, where a proxy in front would make everybody look like this machine.

use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::{NOT_FOUND, Problem};
use crate::{app::App, telemetry::metrics::CONTENT_TYPE};

/// The one route of the listener for metrics.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/metrics", web::get().to(read)).default_service(web::to(nothing_else));
}

async fn read(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    // Observed figures are asked for here, and may wait for a lock.
    let read = tokio::task::spawn_blocking(move || app.metrics().text()).await;
    match read {
        Ok(Ok(Some(text))) => Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(text)),
        Ok(Ok(None)) => Err(Problem::new(NOT_FOUND, "Metrics are not served (telemetry.metrics_listen).")),
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn nothing_else() -> Result<HttpResponse, Problem> {
    Err(Problem::new(NOT_FOUND, "Only /metrics is here."))
}

/// On the API's address: not there, and where to look.
///
/// # Errors
/// Always.
pub async fn elsewhere(_: HttpRequest) -> Result<HttpResponse, Problem> {
    let detail = "Metrics are served on an address of their own, if at all: the setting telemetry.metrics_listen.";
    Err(Problem::new(NOT_FOUND, detail))
}
