//! The API over HTTPS. A handler reads the request, the book decides, and [`answer`] spoils what a fault asks for.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stage::{Act, FarSide as _, Fault, leave};

use super::{
    Node, ask,
    book::{Book, NewInvoice},
    macaroons::{self, Action},
    random, sha256,
    status::Status,
};

const MACAROON: &str = "grpc-metadata-macaroon";

type Said = Result<Value, Status>;

pub fn configure(to: &mut web::ServiceConfig) {
    to.route("/v1/invoices", web::post().to(add))
        .route("/v1/invoices", web::get().to(list))
        .route("/v1/invoice/{r_hash_str}", web::get().to(look_up))
        .route("/v2/invoices/cancel", web::post().to(cancel))
        .default_service(web::to(|| async { said_no(&Status::not_found("Not Found")) }));
}

async fn add(node: Data<Node>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&node, &request, &body, (Act::Create, Action::Write), |fault| {
        let asked = ask::new_invoice(&body, random())?;
        let (hash, secret) = (sha256(&asked.preimage), random());
        let now = node.now();
        let text = |asked: &NewInvoice| {
            node.payment_request(asked, &hash, &secret, now).map_err(|error| Status::unknown(error.to_string()))
        };
        let request = text(&asked)?;
        // The wrong amount is well signed.
        let told = match fault {
            Some(Fault::WrongAmount) => text(&NewInvoice { msat: asked.msat + 1_000, ..asked.clone() })?,
            _ => request.clone(),
        };
        let mut book = node.lock();
        let invoice = book.add(asked, hash, secret, request, now)?;
        invoice.is_held = fault == Some(Fault::Pending);
        let add_index = book.view(&hash)?["add_index"].clone();
        Ok(json!({
            "r_hash": STANDARD.encode(hash), "payment_request": told, "add_index": add_index,
            "payment_addr": STANDARD.encode(secret),
        }))
    })
    .await
}

async fn look_up(node: Data<Node>, request: HttpRequest, body: Bytes, hash: Path<String>) -> HttpResponse {
    answer(&node, &request, &body, (Act::Query, Action::Read), |_| {
        let hash = ask::hash_in_path(&hash)?;
        node.lock().view(&hash).map_err(|refused| Status::not_found(refused.words()))
    })
    .await
}

async fn cancel(node: Data<Node>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&node, &request, &body, (Act::Cancel, Action::Write), |_| {
        let hash = ask::cancellation(&body)?;
        node.lock().cancel(&hash)?;
        Ok(json!({}))
    })
    .await
}

async fn list(node: Data<Node>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&node, &request, &body, (Act::Bill, Action::Read), |fault| {
        let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| Status::invalid(error.to_string()))?;
        let selection = ask::selection(&query)?;
        if fault == Some(Fault::ExtraRow) {
            let mut book = node.lock().clone();
            slip_in(&node, &mut book)?;
            return Ok(book.list(&selection));
        }
        Ok(node.lock().list(&selection))
    })
    .await
}

/// Takes a request in, carries it out if its macaroon and its fault allow, and lets the answer go as the fault wants it.
async fn answer(
    node: &Node,
    request: &HttpRequest,
    body: &Bytes,
    (act, action): (Act, Action),
    carry_out: impl FnOnce(Option<Fault>) -> Said,
) -> HttpResponse {
    let fault = node.stage().enter(act, request, body);
    if fault == Some(Fault::Unheard) {
        return leave(fault, HttpResponse::Ok().finish()).await;
    }
    let macaroon = request.headers().get(MACAROON).and_then(|value| value.to_str().ok());
    if let Err(status) = macaroons::check(macaroon, action) {
        return leave(fault, said_no(&status)).await;
    }
    let said = match fault {
        Some(Fault::Declined) => Err(Status::unknown("the node is shutting down")),
        _ => carry_out(fault),
    };
    let honest = match (fault, said) {
        (Some(Fault::Busy), _) => said_no(&Status { code: 14, message: "transport is closing".to_owned() }),
        (Some(Fault::StrangeError), _) => said_no(&Status { code: 77, message: "never seen".to_owned() }),
        (_, Err(status)) => said_no(&status),
        (Some(fault), Ok(said)) => HttpResponse::Ok().json(spoilt(fault, said)),
        (None, Ok(said)) => HttpResponse::Ok().json(said),
    };
    leave(fault, honest).await
}

/// The node's own words, made untrue.
fn spoilt(fault: Fault, mut said: Value) -> Value {
    match fault {
        Fault::WrongAmount => {
            for field in ["/value_msat", "/amt_paid_msat"] {
                one_satoshi_more(said.pointer_mut(field));
            }
        }
        Fault::WrongNumber => {
            if let Some(hash) = said.pointer_mut("/r_hash") {
                *hash = json!(STANDARD.encode([7; 32]));
            }
        }
        Fault::StrangeState => {
            if let Some(state) = said.pointer_mut("/state") {
                *state = json!("MISLAID");
            }
        }
        Fault::MissingRow | Fault::GarbledRow => {
            if let Some(rows) = said.pointer_mut("/invoices").and_then(Value::as_array_mut) {
                spoil_rows(fault, rows);
            }
        }
        _ => {}
    }
    said
}

/// A paid invoice like the last one that was paid, but for the last letter of what it is about: another till's on this node.
fn slip_in(node: &Node, book: &mut Book) -> Result<(), Status> {
    let Some(like) = book.last_settled().cloned() else { return Ok(()) };
    let (preimage, secret) = (random(), random());
    let mut memo = like.asked.memo.clone();
    let last = if memo.pop() == Some('z') { 'y' } else { 'z' };
    memo.push(last);
    let (asked, hash) = (NewInvoice { memo, preimage, ..like.asked }, sha256(&preimage));
    let text = node.payment_request(&asked, &hash, &secret, like.made_at);
    let text = text.map_err(|error| Status::unknown(error.to_string()))?;
    let msat = asked.msat;
    book.add(asked, hash, secret, text, like.made_at)?;
    Ok(book.pay(&hash, msat, like.settled_at)?)
}

fn spoil_rows(fault: Fault, rows: &mut Vec<Value>) {
    let Some(first) = rows.iter().position(|row| row["state"] == "SETTLED") else { return };
    match fault {
        Fault::MissingRow => {
            rows.remove(first);
        }
        Fault::GarbledRow => rows[first] = json!({ "memo": 7 }),
        _ => {}
    }
}

fn one_satoshi_more(msat: Option<&mut Value>) {
    if let Some(msat) = msat
        && let Some(number) = msat.as_str().and_then(|text| text.parse::<i64>().ok())
    {
        *msat = json!((number + 1_000).to_string());
    }
}

fn said_no(status: &Status) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .json(status.body())
}
