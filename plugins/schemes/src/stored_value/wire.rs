//! The API over HTTP. A handler reads the request, the book decides, and [`answer`] spoils what a fault asks for.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use serde_json::{Value, json};
use time::{Date, macros::format_description};

use crate::stage::{Act, FarSide as _, Fault, leave};

use super::{ACCEPTOR, API_KEY, Issuer, book::Refused};

const PAGE_ROWS_MAX: usize = 200;
const PAGE_ROWS_DEFAULT: usize = 50;

pub fn configure(to: &mut web::ServiceConfig) {
    to.service(
        web::scope("/v1/stored-value/acceptors/{acceptor}")
            .route("", web::get().to(introduce))
            .route("/charges", web::post().to(charge))
            .route("/charges/{number}", web::get().to(show_charge))
            .route("/charges/{number}/cancel", web::post().to(cancel))
            .route("/charges/{number}/refunds", web::post().to(refund))
            .route("/refunds/{number}", web::get().to(show_refund))
            .route("/bills/{day}", web::get().to(bill)),
    )
    .default_service(web::to(|| async { said_no((404, "not_found")) }));
}

type Said = Result<Value, Refused>;

async fn introduce(issuer: Data<Issuer>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Other, |_| {
        Ok(json!({ "acceptor": ACCEPTOR, "issuer": "The canteen", "currency": "CNY" }))
    })
    .await
}

async fn charge(issuer: Data<Issuer>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Charge, |fault| {
        let (number, asked) = (key(&request)?, fields(&body, &["amount", "code"])?);
        let (amount, code) = (amount(&asked)?, asked["code"].as_str().ok_or((422, "invalid"))?);
        let refusal = match fault {
            Some(Fault::InsufficientFunds) => Some("insufficient"),
            Some(Fault::CodeExpired) => Some("code_expired"),
            Some(Fault::CodeInvalid) => Some("code"),
            Some(Fault::LimitExceeded) => Some("day_limit"),
            _ => None,
        };
        issuer.lock().take(&number, (amount.0, &amount.1), code.trim(), refusal, issuer.stage().now_ms())
    })
    .await
}

async fn show_charge(
    issuer: Data<Issuer>,
    request: HttpRequest,
    body: Bytes,
    path: Path<(String, String)>,
) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Query, |_| {
        issuer.lock().charge(&path.1).map(super::book::Charge::view).ok_or((404, "charge_unknown"))
    })
    .await
}

async fn cancel(issuer: Data<Issuer>, request: HttpRequest, body: Bytes, path: Path<(String, String)>) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Cancel, |_| {
        key(&request)?;
        fields(&body, &[])?;
        issuer.lock().cancel(&path.1, issuer.stage().now_ms())
    })
    .await
}

async fn refund(issuer: Data<Issuer>, request: HttpRequest, body: Bytes, path: Path<(String, String)>) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Refund, |fault| {
        let (number, asked) = (key(&request)?, fields(&body, &["amount", "reason"])?);
        let amount = amount(&asked)?;
        if fault == Some(Fault::Declined) {
            return Err((409, "account_closed"));
        }
        issuer.lock().give_back(&path.1, &number, (amount.0, &amount.1), issuer.stage().now_ms())
    })
    .await
}

async fn show_refund(
    issuer: Data<Issuer>,
    request: HttpRequest,
    body: Bytes,
    path: Path<(String, String)>,
) -> HttpResponse {
    answer(&issuer, &request, &body, Act::QueryRefund, |_| issuer.lock().refund(&path.1)).await
}

async fn bill(issuer: Data<Issuer>, request: HttpRequest, body: Bytes, path: Path<(String, String)>) -> HttpResponse {
    answer(&issuer, &request, &body, Act::Bill, |_| {
        let day = Date::parse(&path.1, format_description!("[year]-[month]-[day]")).map_err(|_| (422, "invalid"))?;
        let midnight_ms = day.midnight().assume_utc().unix_timestamp() * 1_000;
        let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let query = query.map(web::Query::into_inner).unwrap_or_default();
        let number = |name: &str, default| {
            let given = query.iter().find(|(given, _)| given == name);
            given.map_or(Some(default), |(_, value)| value.parse::<usize>().ok()).ok_or((422, "invalid"))
        };
        let (from, rows) = (number("cursor", 0)?, number("limit", PAGE_ROWS_DEFAULT)?);
        if !(1..=PAGE_ROWS_MAX).contains(&rows) {
            return Err((422, "invalid"));
        }
        let all = issuer.lock().bill(midnight_ms);
        let mut page = json!({ "items": all.iter().skip(from).take(rows).collect::<Vec<_>>() });
        if all.len() > from.saturating_add(rows) {
            page["next_cursor"] = json!((from + rows).to_string());
        }
        Ok(page)
    })
    .await
}

/// Takes a request in, carries it out if its key and its fault allow, and lets the answer go as the fault wants it.
async fn answer(
    issuer: &Issuer,
    request: &HttpRequest,
    body: &Bytes,
    act: Act,
    carry_out: impl FnOnce(Option<Fault>) -> Said,
) -> HttpResponse {
    let fault = issuer.stage().enter(act, request, body);
    if fault == Some(Fault::Unheard) {
        return leave(fault, HttpResponse::Ok().finish()).await;
    }
    let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if shown != Some(&format!("Bearer {API_KEY}")) {
        return leave(fault, said_no((401, "unauthenticated"))).await;
    }
    let said =
        if request.match_info().get("acceptor") == Some(ACCEPTOR) { carry_out(fault) } else { Err((422, "invalid")) };
    let honest = match (fault, said) {
        (Some(Fault::Busy), _) => said_no((503, "outcome_unknown")),
        (Some(Fault::StrangeError), _) => said_no((409, "never_seen")),
        (_, Err(refused)) => said_no(refused),
        (Some(fault), Ok(said)) => HttpResponse::Ok().json(spoilt(fault, said)),
        (None, Ok(said)) => HttpResponse::Ok().json(said),
    };
    leave(fault, honest).await
}

/// The issuer's own words, made untrue.
fn spoilt(fault: Fault, mut said: Value) -> Value {
    match fault {
        Fault::WrongAmount => {
            if let Some(minor) = said.pointer_mut("/amount/minor") {
                *minor = json!(minor.as_i64().unwrap_or_default() + 1);
            }
        }
        Fault::WrongNumber => said["number"] = json!("pay_zzzzzzzzzzzzzzzzzzzzzzzzzz"),
        Fault::StrangeState => {
            for field in ["state", "kind"] {
                if said.get(field).is_some() {
                    said[field] = json!("mislaid");
                }
            }
        }
        Fault::MissingRow | Fault::ExtraRow | Fault::GarbledRow => {
            if let Some(rows) = said.pointer_mut("/items").and_then(Value::as_array_mut) {
                spoil_rows(fault, rows);
            }
        }
        _ => {}
    }
    said
}

fn spoil_rows(fault: Fault, rows: &mut Vec<Value>) {
    match fault {
        Fault::MissingRow if !rows.is_empty() => {
            rows.remove(0);
        }
        Fault::GarbledRow if !rows.is_empty() => rows[0] = json!({ "kind": 7 }),
        Fault::ExtraRow => {
            // At the moment of another row, so that it is of the same day.
            let at = rows.first().map_or(json!(0), |row| row["at"].clone());
            rows.push(json!({
                "kind": "charged", "number": "someone-elses", "charge": "someone-elses", "movement": "svm_other", "at": at,
                "amount": { "minor": 777, "currency": "CNY" },
            }));
        }
        _ => {}
    }
}

fn key(request: &HttpRequest) -> Result<String, Refused> {
    let key = request.headers().get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits = (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if fits { Ok(key.to_owned()) } else { Err((400, "idempotency_key_invalid")) }
}

/// The body, which has these fields and no others.
fn fields(body: &Bytes, known: &[&str]) -> Result<Value, Refused> {
    let body: Value = serde_json::from_slice(body).map_err(|_| (400, "body_unreadable"))?;
    let is_known = body.as_object().is_some_and(|fields| fields.keys().all(|field| known.contains(&field.as_str())));
    if is_known { Ok(body) } else { Err((422, "invalid")) }
}

fn amount(asked: &Value) -> Result<(i64, String), Refused> {
    let minor = asked["amount"]["minor"].as_i64().filter(|minor| (1..=999_999_999_999).contains(minor));
    let currency = asked["amount"]["currency"].as_str().filter(|code| code.len() == 3);
    minor.zip(currency.map(str::to_owned)).ok_or((422, "invalid"))
}

fn said_no((status, code): Refused) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .content_type("application/problem+json")
        .body(
            json!({ "type": "about:blank", "title": code, "status": status, "code": code, "detail": code }).to_string(),
        )
}
