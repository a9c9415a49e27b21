//! `/v1/fleet`: the broker inside core, switched off and on for drills. Where that is not allowed it does not exist.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::audit::note;
use crate::{
    app::App,
    fleet::broker::Broker,
    http::{
        auth::{Caller, rights::ManageTenants},
        problem::{NOT_FOUND, Problem, UNAVAILABLE},
        router::other_method,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/fleet/broker/stop").route(web::post().to(stop)))
        .service(resource("/fleet/broker/start").route(web::post().to(start)));
}

/// Stops the broker: every terminal loses its connection, none may come back. Nothing is lost by it, only later.
#[utoipa::path(post, path = "/v1/fleet/broker/stop", tag = "fleet", responses((status = 204)))]
pub async fn stop(app: web::Data<App>, caller: Caller<ManageTenants>) -> Result<HttpResponse, Problem> {
    let broker = broker(&app)?;
    write_down(&app, &caller, "fleet.broker_stopped").await?;
    broker.stop().await;
    Ok(HttpResponse::NoContent().finish())
}

/// Starts the broker again, at the same address.
#[utoipa::path(post, path = "/v1/fleet/broker/start", tag = "fleet", responses((status = 204)))]
pub async fn start(app: web::Data<App>, caller: Caller<ManageTenants>) -> Result<HttpResponse, Problem> {
    let broker = broker(&app)?;
    write_down(&app, &caller, "fleet.broker_started").await?;
    broker.start().await.map_err(|error| {
        tracing::error!(%error, "the broker was not started");
        Problem::new(UNAVAILABLE, "The broker cannot listen; the log says why. Try again.")
    })?;
    Ok(HttpResponse::NoContent().finish())
}

fn broker(app: &App) -> Result<&Broker, Problem> {
    if !app.config().terminals.allow_broker_switch {
        return Err(Problem::new(NOT_FOUND, "The broker is not switched through the API here."));
    }
    app.fleet().broker().ok_or_else(|| Problem::new(UNAVAILABLE, "The broker is being started. Try again."))
}

async fn write_down(app: &App, caller: &Caller<ManageTenants>, action: &'static str) -> Result<(), Problem> {
    let (who, now) = (caller.principal().clone(), app.now());
    Ok(app.store().write(move |tx| note(tx, &who, action, &"broker", &json!({}), now)).await?)
}
