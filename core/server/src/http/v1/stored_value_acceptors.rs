//! `/v1/stored-value/acceptors/{acceptor}`: for those who accept this merchant's stored value, most often a channel plugin of some
//! merchant's with a key of the role `acceptor`.
//!
//! `acceptor` is the name under which numbers are told apart and a bill is drawn up: 1 to 64 of `a-z`, `0-9`, `-` and `_`. The
//! `Idempotency-Key` of a charge or refund is its number.

use actix_web::web;
use saoma_domain::stored_value::Charge;
use saoma_protocol::{Amount, Currency, Millis, StoredValueMovementId};
use saoma_store::{
    StoreError, Tx,
    stored_value::{
        charges::StoredCharge,
        movements::{self, BillCursor, Movement},
    },
    tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::stored_value::desk::hash;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::AcceptStoredValue},
        idempotency::IdempotencyKey,
        paging,
        problem::{INVALID, KEY_INVALID, Problem},
        router::other_method,
        text,
    },
    period::Period,
    stored_value::{self, Acceptance, Deed, StoredValueError},
};

/// Longest name of an acceptor, and longest number.
const NAME_LEN_MAX: usize = 64;
/// The days of bills.
const BILL_ZONE: &str = "Etc/UTC";

pub fn routes(config: &mut web::ServiceConfig) {
    let acceptor = |leaf: &str| {
        let path = format!("/stored-value/acceptors/{{acceptor}}{leaf}");
        web::resource(path).default_service(web::to(other_method))
    };
    config
        .service(acceptor("").route(web::get().to(introduce)))
        .service(acceptor("/charges").route(web::post().to(charge)))
        .service(acceptor("/charges/{number}").route(web::get().to(show_charge)))
        .service(acceptor("/charges/{number}/cancel").route(web::post().to(cancel)))
        .service(acceptor("/charges/{number}/refunds").route(web::post().to(refund)))
        .service(acceptor("/refunds/{number}").route(web::get().to(show_refund)))
        .service(acceptor("/bills/{day}").route(web::get().to(bill)));
}

/// Whose stored value this is.
#[derive(Serialize, ToSchema)]
pub struct StoredValueIssuer {
    acceptor: String,
    issuer: String,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargeStoredValue {
    amount: Amount,
    /// As the holder showed it.
    code: String,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelStoredValueCharge {}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundStoredValue {
    amount: Amount,
    #[serde(default)]
    reason: Option<String>,
}

/// What became of a charge's number, for good but for what is given back.
#[derive(Serialize, ToSchema)]
pub struct StoredValueChargeView {
    number: String,
    /// `charged`; `refused`: nothing was taken; `cancelled`: all was given back; `barred`: it was cancelled before it came, and never
    /// charges.
    state: &'static str,
    /// Absent for what never came.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    /// Given back so far.
    returned_minor: i64,
    /// `code`, `code_expired`, `insufficient`, `charge_limit`, `day_limit`, `frozen`, `closed` or `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// The issuer's own number of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<StoredValueMovementId>,
    at: Millis,
}

impl From<StoredCharge> for StoredValueChargeView {
    fn from(stored: StoredCharge) -> Self {
        let state = stored.charge.text();
        let (amount, returned_minor, refusal) = match stored.charge {
            Charge::Barred => (None, 0, None),
            Charge::Refused { amount, reason } => (Some(amount), 0, Some(reason)),
            // Who paid is between the issuer and its holder.
            Charge::Charged { amount, returned_minor, borne_minor: _ } => (Some(amount), returned_minor, None),
            Charge::Cancelled { amount } => (Some(amount), amount.minor(), None),
        };
        let (number, movement, at) = (stored.number, stored.movement, stored.created_at);
        Self { number, state, amount, returned_minor, refusal, movement, at }
    }
}

/// One movement of an acceptor's.
#[derive(Serialize, ToSchema)]
pub struct StoredValueBillLine {
    /// `charged`, `charge_cancelled` or `refunded`.
    kind: &'static str,
    /// The charge's number, or the refund's.
    number: String,
    charge: String,
    amount: Amount,
    /// The issuer's own number of it.
    movement: StoredValueMovementId,
    at: Millis,
}

#[derive(Serialize, ToSchema)]
pub struct StoredValueBill {
    items: Vec<StoredValueBillLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StoredValueBillQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

fn line(movement: Movement) -> Result<StoredValueBillLine, StoreError> {
    let amount = movement.amount()?;
    let told = movement.told;
    let (number, charge) = told.numbered.map(|of| (of.number, of.charge_number)).unwrap_or_default();
    Ok(StoredValueBillLine { kind: told.kind.text(), number, charge, amount, movement: told.id, at: told.at })
}

pub(super) fn acceptor_of(name: &str) -> Result<String, Problem> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    if (1..=NAME_LEN_MAX).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name.to_owned());
    }
    Err(Problem::new(INVALID, format!("An acceptor's name has 1 to {NAME_LEN_MAX} of a-z, 0-9, - and _.")))
}

/// A number is its request's key.
fn number_of(key: &IdempotencyKey) -> Result<String, Problem> {
    if key.len() <= NAME_LEN_MAX && !key.contains('/') {
        return Ok(key.to_string());
    }
    Err(Problem::new(
        KEY_INVALID,
        format!("The Idempotency-Key is the number here: 1 to {NAME_LEN_MAX} characters, no /."),
    ))
}

fn deed(app: &App, caller: &Caller<AcceptStoredValue>) -> Result<Deed, Problem> {
    let id = StoredValueMovementId::from_bytes(app.random_16()?);
    Ok(Deed { id, actor: caller.actor(), at: app.now() })
}

/// Says whose stored value this is: for a self-test.
#[utoipa::path(get, path = "/v1/stored-value/acceptors/{acceptor}", tag = "stored-value-acceptors",
    params(("acceptor" = String, Path)), responses((status = 200, body = StoredValueIssuer)))]
pub async fn introduce(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    acceptor: web::Path<String>,
) -> Result<web::Json<StoredValueIssuer>, Problem> {
    let (scope, acceptor) = (caller.scope()?, acceptor_of(&acceptor)?);
    let tenant = app.store().read(move |tx| tenants::load(tx, &scope)).await?;
    Ok(web::Json(StoredValueIssuer { acceptor, issuer: tenant.name, currency: tenant.currency }))
}

/// Charges the account whose code was shown. The same number again, whatever the code: what became of the first.
#[utoipa::path(post, path = "/v1/stored-value/acceptors/{acceptor}/charges", tag = "stored-value-acceptors",
    request_body = ChargeStoredValue, params(("acceptor" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueChargeView)))]
pub async fn charge(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    acceptor: web::Path<String>,
    key: IdempotencyKey,
    body: web::Json<ChargeStoredValue>,
) -> Result<web::Json<StoredValueChargeView>, Problem> {
    let (scope, deed) = (caller.scope()?, deed(&app, &caller)?);
    let asked = Acceptance {
        acceptor: acceptor_of(&acceptor)?,
        number: number_of(&key)?,
        amount: body.amount,
        code_hash: hash(body.code.trim()),
    };
    let stored = app.store().write(move |tx| stored_value::charge(tx, &scope, &deed, &asked)).await?;
    Ok(web::Json(stored.into()))
}

/// What has become of a charge.
#[utoipa::path(get, path = "/v1/stored-value/acceptors/{acceptor}/charges/{number}", tag = "stored-value-acceptors",
    params(("acceptor" = String, Path), ("number" = String, Path)), responses((status = 200, body = StoredValueChargeView)))]
pub async fn show_charge(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<StoredValueChargeView>, Problem> {
    let (scope, (acceptor, number)) = (caller.scope()?, path.into_inner());
    let stored = app.store().read(move |tx| stored_value::charge_of(tx, &scope, &acceptor, &number)).await?;
    Ok(web::Json(stored.into()))
}

/// Undoes a charge whole. One that has not come yet never charges after this. A repeat changes nothing.
#[utoipa::path(post, path = "/v1/stored-value/acceptors/{acceptor}/charges/{number}/cancel", tag = "stored-value-acceptors",
    request_body = CancelStoredValueCharge,
    params(("acceptor" = String, Path), ("number" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueChargeView)))]
pub async fn cancel(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    path: web::Path<(String, String)>,
    _key: IdempotencyKey,
    _body: web::Json<CancelStoredValueCharge>,
) -> Result<web::Json<StoredValueChargeView>, Problem> {
    let (scope, deed, (acceptor, number)) = (caller.scope()?, deed(&app, &caller)?, path.into_inner());
    let (acceptor, number) = (acceptor_of(&acceptor)?, checked_number(number)?);
    let stored = app.store().write(move |tx| stored_value::cancel(tx, &scope, &deed, &acceptor, &number)).await?;
    Ok(web::Json(stored.into()))
}

fn checked_number(number: String) -> Result<String, Problem> {
    if (1..=NAME_LEN_MAX).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(number);
    }
    Err(Problem::new(INVALID, format!("A number has 1 to {NAME_LEN_MAX} visible ASCII characters.")))
}

/// Gives part or all of a charge back to its holder. The same number again: the first refund.
#[utoipa::path(post, path = "/v1/stored-value/acceptors/{acceptor}/charges/{number}/refunds", tag = "stored-value-acceptors",
    request_body = RefundStoredValue,
    params(("acceptor" = String, Path), ("number" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredValueBillLine)))]
pub async fn refund(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    path: web::Path<(String, String)>,
    key: IdempotencyKey,
    body: web::Json<RefundStoredValue>,
) -> Result<web::Json<StoredValueBillLine>, Problem> {
    let (scope, deed, (acceptor, number)) = (caller.scope()?, deed(&app, &caller)?, path.into_inner());
    let (refund, RefundStoredValue { amount, reason }) = (number_of(&key)?, body.into_inner());
    let reason = text::optional(reason, "/reason")?.filter(|reason| !reason.is_empty());
    let give_back = move |tx: &mut Tx<'_>| {
        let of = (acceptor.as_str(), number.as_str());
        let moved = stored_value::give_back(tx, &scope, &deed, of, &refund, amount, reason.clone())?;
        Ok::<_, StoredValueError>(line(moved)?)
    };
    Ok(web::Json(app.store().write(give_back).await?))
}

/// A refund that was given back.
#[utoipa::path(get, path = "/v1/stored-value/acceptors/{acceptor}/refunds/{number}", tag = "stored-value-acceptors",
    params(("acceptor" = String, Path), ("number" = String, Path)), responses((status = 200, body = StoredValueBillLine)))]
pub async fn show_refund(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<StoredValueBillLine>, Problem> {
    let (scope, (acceptor, number)) = (caller.scope()?, path.into_inner());
    let found = app
        .store()
        .read(move |tx| Ok::<_, StoredValueError>(line(stored_value::refund_of(tx, &scope, &acceptor, &number)?)?));
    Ok(web::Json(found.await?))
}

/// What moved for the acceptor on a day of UTC (`2026-01-31`), the first movement first.
#[utoipa::path(get, path = "/v1/stored-value/acceptors/{acceptor}/bills/{day}", tag = "stored-value-acceptors",
    params(("acceptor" = String, Path), ("day" = String, Path), StoredValueBillQuery),
    responses((status = 200, body = StoredValueBill)))]
pub async fn bill(
    app: web::Data<App>,
    caller: Caller<AcceptStoredValue>,
    path: web::Path<(String, String)>,
    query: web::Query<StoredValueBillQuery>,
) -> Result<web::Json<StoredValueBill>, Problem> {
    let (scope, (acceptor, day)) = (caller.scope()?, path.into_inner());
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<BillCursor>(query.cursor.as_deref())?);
    let period = Period::of_days(&day, &day, BILL_ZONE)?;
    let mut found = app
        .store()
        .read(move |tx| movements::bill(tx, &scope, &acceptor, period.from, period.to, after, limit + 1))
        .await?;
    let is_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let cursor = |last: &Movement| BillCursor { at: last.told.at, id: last.told.id }.to_string();
    let next_cursor = found.last().filter(|_| is_more).map(cursor);
    let items = found.into_iter().map(line).collect::<Result<_, _>>()?;
    Ok(web::Json(StoredValueBill { items, next_cursor }))
}
