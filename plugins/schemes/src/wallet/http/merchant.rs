//! The merchant API: reads the request, checks who sent it, hands it to the book, signs the answer.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::answer::{self, Reply};
use crate::stage::{Act, Fault, leave};
use crate::wallet::{
    bill,
    book::Outcome,
    fault::Manner,
    gate::Claims,
    order::{NewOrder, NewRefund},
    refusal::Refusal,
    scheme::State,
    server::{Rim, now_ms, random_hex},
    stage,
};

/// Longest body of a request, in bytes.
pub const BODY_LEN_MAX: usize = 64 * 1024;

/// Of a bill on the stage, so that a short test turns pages.
const STAGE_PAGE_ROWS: usize = 5;

/// A request that has passed the gate, as the calls below see it.
struct Call<'a> {
    state: &'a mut State,
    merchant: &'a str,
    body: &'a [u8],
    traceparent: Option<String>,
    now: i64,
}

impl Call<'_> {
    fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|error| Refusal::BadRequest(format!("the body is not right: {error}")))
    }
}

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/v1/orders", web::post().to(create))
        .route("/v1/charges", web::post().to(charge))
        .route("/v1/orders/{order}", web::get().to(query))
        .route("/v1/orders/{order}/close", web::post().to(close))
        .route("/v1/orders/{order}/refunds", web::post().to(refund))
        .route("/v1/orders/{order}/refunds/{refund}", web::get().to(query_refund))
        .route("/v1/bills/{day}", web::get().to(fetch_bill))
        .route("/v1/ping", web::get().to(ping))
        .route("/v1/{tail:.*}", web::route().to(no_such_call));
}

type Body = Result<web::Bytes, actix_web::Error>;

async fn create(request: HttpRequest, body: Body, rim: web::Data<Rim>) -> HttpResponse {
    serve(&request, Act::Create, body, &rim, |call| {
        let order = call.json::<NewOrder>()?;
        let view = call.state.book.create(call.merchant, order, random_hex(), call.traceparent, call.now)?;
        Ok(Reply::ok(&view, Manner::Plain))
    })
    .await
}

async fn charge(request: HttpRequest, body: Body, rim: web::Data<Rim>) -> HttpResponse {
    serve(&request, Act::Charge, body, &rim, |call| {
        let order = call.json::<NewOrder>()?;
        Ok(match call.state.book.charge(call.merchant, order, call.traceparent, call.now)? {
            Outcome::Answer(view, manner) => Reply::ok(&view, manner),
            Outcome::Silence => Reply::silence(),
        })
    })
    .await
}

async fn query(request: HttpRequest, body: Body, rim: web::Data<Rim>, number: web::Path<String>) -> HttpResponse {
    serve(&request, Act::Query, body, &rim, |call| {
        Ok(Reply::ok(&call.state.book.query(call.merchant, &number, call.now)?, Manner::Plain))
    })
    .await
}

async fn close(request: HttpRequest, body: Body, rim: web::Data<Rim>, number: web::Path<String>) -> HttpResponse {
    serve(&request, Act::Cancel, body, &rim, |call| {
        Ok(Reply::ok(&call.state.book.close(call.merchant, &number, call.now)?, Manner::Plain))
    })
    .await
}

async fn refund(request: HttpRequest, body: Body, rim: web::Data<Rim>, number: web::Path<String>) -> HttpResponse {
    serve(&request, Act::Refund, body, &rim, |call| {
        let refund = call.json::<NewRefund>()?;
        Ok(match call.state.book.refund(call.merchant, &number, refund, call.now)? {
            Outcome::Answer(view, manner) => Reply::ok(&view, manner),
            Outcome::Silence => Reply::silence(),
        })
    })
    .await
}

async fn query_refund(
    request: HttpRequest,
    body: Body,
    rim: web::Data<Rim>,
    numbers: web::Path<(String, String)>,
) -> HttpResponse {
    serve(&request, Act::QueryRefund, body, &rim, |call| {
        let (order, refund) = numbers.into_inner();
        Ok(Reply::ok(&call.state.book.query_refund(call.merchant, &order, &refund, call.now)?, Manner::Plain))
    })
    .await
}

#[derive(Deserialize)]
struct BillQuery {
    #[serde(default)]
    cursor: String,
}

async fn fetch_bill(request: HttpRequest, body: Body, rim: web::Data<Rim>, day: web::Path<String>) -> HttpResponse {
    let is_on_stage = rim.stage.is_some();
    serve(&request, Act::Bill, body, &rim, |call| {
        let page = web::Query::<BillQuery>::from_query(request.query_string())
            .map_err(|error| Refusal::BadRequest(error.to_string()))?;
        let page_rows = if is_on_stage { STAGE_PAGE_ROWS } else { bill::PAGE_ROWS };
        let orders = call.state.book.orders(call.now);
        Ok(Reply::ok(&bill::page(orders, call.merchant, &day, &page.cursor, page_rows)?, Manner::Plain))
    })
    .await
}

async fn ping(request: HttpRequest, body: Body, rim: web::Data<Rim>) -> HttpResponse {
    serve(&request, Act::Other, body, &rim, |call| Ok(Reply::ok(&json!({"merchant_id": call.merchant}), Manner::Plain)))
        .await
}

async fn no_such_call(request: HttpRequest, body: Body, rim: web::Data<Rim>) -> HttpResponse {
    serve(&request, Act::Other, body, &rim, |_| Err(Refusal::CallNotFound)).await
}

/// The way of every call: body, gate, rules under the lock, notices out, answer signed.
async fn serve(
    request: &HttpRequest,
    act: Act,
    body: Body,
    rim: &Rim,
    rules: impl FnOnce(Call<'_>) -> Result<Reply, Refusal>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let claims = Claims {
        merchant: header("x-sandbox-merchant"),
        timestamp: header("x-sandbox-timestamp"),
        nonce: header("x-sandbox-nonce"),
        signature: header("x-sandbox-signature"),
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let (now, fault) = match (&rim.stage, &body) {
        (Some(stage), Ok(body)) => (stage.now_ms(), stage.enter(act, request, body)),
        _ => (now_ms(), None),
    };
    if fault == Some(Fault::Unheard) {
        return leave(fault, HttpResponse::Ok().finish()).await;
    }
    let (reply, key, notices) = {
        let mut state = rim.scheme.lock();
        state.book.set_staged(fault);
        let reply = body
            .map_err(|error| Refusal::BadRequest(format!("the body cannot be read: {error}")))
            .and_then(|body| {
                state.gate.admit(claims, request.method().as_str(), path, &body, now)?;
                let traceparent = super::traceparent(request);
                rules(Call { state: &mut state, merchant: claims.merchant, body: &body, traceparent, now })
            })
            .unwrap_or_else(Reply::from);
        state.book.set_staged(None);
        (stage::spoil(reply, fault), state.gate.key(claims.merchant).cloned(), state.book.take_notices())
    };
    tracing::info!(
        merchant = claims.merchant,
        path,
        status = reply.status,
        manner = ?reply.manner,
        code = reply.body.get("code").and_then(|code| code.as_str()).unwrap_or(""),
        traceparent = super::traceparent(request).unwrap_or_default(),
        "merchant call"
    );
    super::super::notify::dispatch(rim, notices);
    leave(fault, answer::send(rim, key.as_ref(), claims.nonce, reply).await).await
}
