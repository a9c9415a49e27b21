//! The rate source: `GET /api/v2/ticker/{pair}/` as Bitstamp's HTTP API v2 has it, with one rate that never moves.

use std::{
    net::{IpAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data, Path},
};
use anyhow::Context as _;
use serde_json::json;

use crate::stage::{Act, FarSide as _, Fault, leave, spawn};

use super::Node;

/// What a bitcoin costs, in whole units of whatever currency is asked for.
pub const BID: i64 = 50_000;
const SHUTDOWN_SECONDS: u64 = 1;

/// Starts it on a free port. Its address, and what stops it.
pub fn start(node: &Arc<Node>, at: IpAddr) -> anyhow::Result<(String, ServerHandle)> {
    let listener = TcpListener::bind((at, 0)).context("cannot open the rate source")?;
    let url = format!("http://{}", listener.local_addr()?);
    let shared = Data::from(node.clone());
    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).route("/api/v2/ticker/{pair}/", web::get().to(ticker))
    })
    .workers(1)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((url, spawn(server, "rate source")))
}

async fn ticker(node: Data<Node>, request: HttpRequest, pair: Path<String>) -> HttpResponse {
    let fault = node.stage().enter(Act::Other, &request, &Bytes::new());
    let currency =
        pair.strip_prefix("btc").filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase()));
    let price = |price: i64| format!("{price}.00");
    let honest = match (fault, currency) {
        (Some(Fault::Busy | Fault::StrangeError), _) => HttpResponse::ServiceUnavailable().finish(),
        (_, None) => HttpResponse::NotFound().json(json!({ "code": "404.002", "reason": "Currency pair not found." })),
        (_, Some(_)) => HttpResponse::Ok().json(json!({
            "timestamp": node.now().to_string(), "open": price(BID - 500), "high": price(BID + 900), "low": price(BID - 900),
            "last": price(BID), "volume": "213.26801100", "vwap": price(BID - 100), "bid": price(BID), "ask": price(BID + 1),
            "side": "0", "open_24": price(BID - 500), "percent_change_24": "1.01", "market_type": "SPOT",
        })),
    };
    leave(fault, honest).await
}
