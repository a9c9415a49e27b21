//! For machines that watch: `/health` (it lives), `/ready` (it can work).

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::{app::App, peers::Standing};

/// The process answers.
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "alive": true, "version": env!("CARGO_PKG_VERSION") }))
}

/// The database answers, the broker listens, every key in force can be read here, and nobody has asked core to stop.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let database = app.store().ping().await.is_ok();
    let broker = app.fleet().broker().is_some_and(crate::fleet::broker::Broker::is_open);
    let (stopping, keys) = (app.is_stopping(), app.vault().is_whole());
    // Core works without it, so it does not make a node unready.
    let redis = match app.peers().standing() {
        Standing::Off => "off",
        Standing::Up => "up",
        Standing::Down => "down",
    };
    // A node that could not load a package goes on with what it had: all others do as well as before.
    let plugins = if app.serving().behind().is_empty() { "whole" } else { "behind" };
    let body = json!({
        "database": database, "broker": broker, "keys": keys, "stopping": stopping, "redis": redis, "plugins": plugins,
    });
    if database && broker && keys && !stopping {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}
