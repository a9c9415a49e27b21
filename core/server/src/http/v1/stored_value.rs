//! `/v1/stored-value/accounts`: stored value that this merchant issues. What holders have paid in, and every movement of it.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_domain::stored_value::{Account, Limits, State};
use saoma_protocol::{
    Amount, Currency, Millis, Money, Sequence, StoredValueAccountId, StoredValueMovementId, api::Page,
};
use saoma_store::{
    StoreError, Tx,
    stored_value::{
        self, Cursor, Filter, StoredAccount,
        movements::{self, Movement},
        offline::grants,
    },
    tenants,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    audit::note,
    ledger::{
        export::{Format, whole},
        zone_of,
    },
};
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageStoredValue, ReadStoredValue, ServeStoredValue},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        paging,
        problem::{CHANGED_MEANWHILE, EXPORT_TOO_LARGE, INVALID, Problem},
        router::other_method,
        sheet::Cell,
        text,
    },
    period::local_text,
};

pub mod desk;
pub mod offline;

/// Most movements of one file: ten a day for some five years.
const EXPORT_MOVEMENTS_MAX: usize = 20_000;
const EXPORT_PAGE: u32 = 1_000;

pub fn routes(config: &mut web::ServiceConfig) {
    let account = |leaf: &str| {
        let path = format!("/stored-value/accounts/{{stored_value_account}}{leaf}");
        web::resource(path).default_service(web::to(other_method))
    };
    config
        .service(
            web::resource("/stored-value/accounts")
                .route(web::get().to(list))
                .route(web::post().to(open))
                .default_service(web::to(other_method)),
        )
        .service(account("").route(web::get().to(show)).route(web::patch().to(change)))
        .service(account("/statement").route(web::get().to(statement)))
        .service(account("/statement/export").route(web::get().to(export)))
        .configure(desk::routes)
        .configure(offline::routes);
}

/// An account of stored value.
#[derive(Serialize, ToSchema)]
pub struct StoredValueAccountView {
    id: StoredValueAccountId,
    holder: String,
    /// As the merchant numbers its holders.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// `active`, `frozen` or `closed`.
    state: &'static str,
    balance: Money,
    /// What of the balance is set aside for offline codes; only where one account is shown, and absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Money>,
    limits: StoredValueLimits,
    version: u64,
    created_at: Millis,
    updated_at: Millis,
}

/// In minor units of the account's currency, each from 1; what is absent has no limit.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredValueLimits {
    /// Of one charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charge_minor_max: Option<i64>,
    /// Of all charges of a day, less what was given back of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day_minor_max: Option<i64>,
    /// What the account may hold after a top-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    balance_minor_max: Option<i64>,
}

impl StoredValueLimits {
    fn read(self, pointer: &str) -> Result<Limits, Problem> {
        let Self { charge_minor_max, day_minor_max, balance_minor_max } = self;
        let named = [
            ("charge_minor_max", charge_minor_max),
            ("day_minor_max", day_minor_max),
            ("balance_minor_max", balance_minor_max),
        ];
        match named.iter().find(|(_, limit)| limit.is_some_and(|limit| limit < 1)) {
            Some((name, _)) => {
                Err(Problem::new(INVALID, "A limit is 1 at least; leave it out for none.")
                    .at(format!("{pointer}/{name}")))
            }
            None => Ok(Limits { charge_minor_max, day_minor_max, balance_minor_max }),
        }
    }
}

impl From<StoredAccount> for StoredValueAccountView {
    fn from(stored: StoredAccount) -> Self {
        let Account { currency, state, balance_minor, limits } = stored.account;
        let Limits { charge_minor_max, day_minor_max, balance_minor_max } = limits;
        Self {
            id: stored.id,
            holder: stored.holder,
            reference: stored.reference,
            state: state.text(),
            balance: Money::new(balance_minor, currency),
            reserved: None,
            limits: StoredValueLimits { charge_minor_max, day_minor_max, balance_minor_max },
            version: stored.version,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// One movement of an account.
#[derive(Serialize, ToSchema)]
pub struct StoredValueMovementView {
    id: StoredValueMovementId,
    account: StoredValueAccountId,
    /// From 1, without gaps in an account.
    sequence: Sequence,
    /// `topped_up`, `top_up_reversed`, `charged`, `charge_cancelled`, `refunded`, `recovered` (paid for what the issuer bore) or
    /// `paid_out`.
    kind: &'static str,
    /// Negative where the account has less of it.
    amount: Money,
    /// What the issuer bore of a charge, or has again of what came back; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    borne_minor: Option<i64>,
    /// Of the account, after it.
    balance: Money,
    /// Who accepted it, and the number that they gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// The charge that it gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<String>,
    /// The top-up that it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverses: Option<StoredValueMovementId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    made_by: String,
    at: Millis,
}

impl From<Movement> for StoredValueMovementView {
    fn from(movement: Movement) -> Self {
        let Movement { account, sequence, money, balance_minor, told } = movement;
        let (acceptor, number, charge) = match told.numbered {
            Some(of) => {
                let charge = Some(of.charge_number).filter(|charge| *charge != of.number);
                (Some(of.acceptor), Some(of.number), charge)
            }
            None => (None, None, None),
        };
        Self {
            id: told.id,
            account,
            sequence,
            kind: told.kind.text(),
            amount: money,
            borne_minor: Some(told.borne_minor).filter(|minor| *minor > 0),
            balance: Money::new(balance_minor, money.currency()),
            acceptor,
            number,
            charge,
            reverses: told.reverses,
            reason: told.reason,
            made_by: told.made_by,
            at: told.at,
        }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenStoredValueAccount {
    /// 1 to 128 characters.
    holder: String,
    /// As the merchant numbers its holders; another account's is refused.
    #[serde(default)]
    reference: Option<String>,
    /// The merchant's own if it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "CNY")]
    currency: Option<Currency>,
    #[serde(default)]
    limits: StoredValueLimits,
}

/// What is left out stays as it is; limits are changed together.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStoredValueAccount {
    /// Of the account as it was read: if it has changed since, nothing is.
    version: u64,
    #[serde(default)]
    holder: Option<String>,
    #[serde(default)]
    limits: Option<StoredValueLimits>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StoredValueAccountQuery {
    reference: Option<String>,
    /// `active`, `frozen` or `closed`.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StoredValueStatementQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StoredValueExport {
    #[param(inline)]
    format: Format,
}

/// Accounts, newest first.
#[utoipa::path(get, path = "/v1/stored-value/accounts", tag = "stored-value", params(StoredValueAccountQuery),
    responses((status = 200, body = Page<StoredValueAccountView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    query: web::Query<StoredValueAccountQuery>,
) -> Result<web::Json<Page<StoredValueAccountView>>, Problem> {
    let (scope, StoredValueAccountQuery { reference, state, cursor, limit }) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(limit)?, paging::after::<Cursor>(cursor.as_deref())?);
    let read = |text: String| {
        State::from_text(&text).ok_or_else(|| Problem::new(INVALID, "state must be active, frozen or closed."))
    };
    let filter = Filter { reference, state: state.map(read).transpose()? };
    let found = app.store().read(move |tx| stored_value::list(tx, &scope, &filter, after, limit + 1)).await?;
    Ok(web::Json(paging::page(found, limit, |last| Cursor { at: last.created_at, id: last.id })))
}

/// Opens an account for a holder, with nothing in it.
#[utoipa::path(post, path = "/v1/stored-value/accounts", tag = "stored-value", request_body = OpenStoredValueAccount,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = StoredValueAccountView)))]
pub async fn open(
    app: web::Data<App>,
    caller: Caller<ServeStoredValue>,
    key: IdempotencyKey,
    body: web::Json<OpenStoredValueAccount>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/stored-value/accounts", &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let OpenStoredValueAccount { holder, reference, currency, limits } = body.into_inner();
    let (holder, limits) = (text::name(&holder, "/holder")?, limits.read("/limits")?);
    let reference = reference.map(|reference| text::name(&reference, "/reference")).transpose()?;
    let id = StoredValueAccountId::from_bytes(app.random_16()?);
    let make = move |tx: &mut Tx<'_>| {
        note(tx, &who, "stored_value.opened", &id, &json!({ "limits": limits_json(&limits) }), now)?;
        let currency = match currency {
            Some(currency) => currency,
            None => tenants::load(tx, &scope)?.currency,
        };
        let account = Account { currency, state: State::Active, balance_minor: 0, limits };
        let opened = StoredAccount {
            id,
            holder: holder.clone(),
            reference: reference.clone(),
            account,
            movements: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        stored_value::open(tx, &scope, &opened)?;
        Ok(StoredValueAccountView::from(opened))
    };
    answered(&app, scope, wish, StatusCode::CREATED, make).await
}

fn limits_json(limits: &Limits) -> serde_json::Value {
    json!([limits.charge_minor_max, limits.day_minor_max, limits.balance_minor_max])
}

/// One account.
#[utoipa::path(get, path = "/v1/stored-value/accounts/{stored_value_account}", tag = "stored-value",
    params(("stored_value_account" = StoredValueAccountId, Path)), responses((status = 200, body = StoredValueAccountView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    account: web::Path<StoredValueAccountId>,
) -> Result<web::Json<StoredValueAccountView>, Problem> {
    let (scope, id, now) = (caller.scope()?, account.into_inner(), app.now());
    let show = move |tx: &mut Tx<'_>| {
        let stored = stored_value::load(tx, &scope, id)?;
        let reserved_minor = grants::reserved_minor(tx, &scope, id, now)?;
        let reserved = Some(Money::new(reserved_minor, stored.account.currency)).filter(|_| reserved_minor > 0);
        Ok::<_, StoreError>(StoredValueAccountView { reserved, ..stored.into() })
    };
    Ok(web::Json(app.store().read(show).await?))
}

/// Changes the holder's name or the limits.
#[utoipa::path(patch, path = "/v1/stored-value/accounts/{stored_value_account}", tag = "stored-value",
    request_body = ChangeStoredValueAccount, params(("stored_value_account" = StoredValueAccountId, Path)),
    responses((status = 200, body = StoredValueAccountView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    account: web::Path<StoredValueAccountId>,
    body: web::Json<ChangeStoredValueAccount>,
) -> Result<web::Json<StoredValueAccountView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), account.into_inner(), app.now());
    let ChangeStoredValueAccount { version, holder, limits } = body.into_inner();
    let holder = holder.map(|holder| text::name(&holder, "/holder")).transpose()?;
    let limits = limits.map(|limits| limits.read("/limits")).transpose()?;
    let save = move |tx: &mut Tx<'_>| {
        let detail = json!({ "holder": holder.is_some(), "limits": limits.as_ref().map(limits_json) });
        note(tx, &who, "stored_value.changed", &id, &detail, now)?;
        let mut stored = stored_value::load(tx, &scope, id)?;
        if stored.version != version {
            return Err(Problem::new(CHANGED_MEANWHILE, "The account was changed meanwhile; read it again."));
        }
        stored.holder = holder.clone().unwrap_or(stored.holder);
        stored.account.limits = limits.unwrap_or(stored.account.limits);
        stored.updated_at = now;
        stored_value::save(tx, &scope, &mut stored)?;
        Ok(stored)
    };
    Ok(web::Json(app.store().write(save).await?.into()))
}

/// What moved on the account, the last movement first.
#[utoipa::path(get, path = "/v1/stored-value/accounts/{stored_value_account}/statement", tag = "stored-value",
    params(("stored_value_account" = StoredValueAccountId, Path), StoredValueStatementQuery),
    responses((status = 200, body = Page<StoredValueMovementView>)))]
pub async fn statement(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    account: web::Path<StoredValueAccountId>,
    query: web::Query<StoredValueStatementQuery>,
) -> Result<web::Json<Page<StoredValueMovementView>>, Problem> {
    let (scope, id) = (caller.scope()?, account.into_inner());
    let (limit, before) = (paging::limit(query.limit)?, paging::after::<u64>(query.cursor.as_deref())?);
    let found = app
        .store()
        .read(move |tx| {
            stored_value::load(tx, &scope, id)?;
            movements::statement(tx, &scope, id, before.map(Sequence), limit + 1)
        })
        .await?;
    Ok(web::Json(paging::page(found, limit, |last| last.sequence)))
}

/// The whole statement as a file, the first movement first. At most 20,000 movements.
#[utoipa::path(get, path = "/v1/stored-value/accounts/{stored_value_account}/statement/export", tag = "stored-value",
    params(("stored_value_account" = StoredValueAccountId, Path), StoredValueExport),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn export(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    account: web::Path<StoredValueAccountId>,
    asked: web::Query<StoredValueExport>,
) -> Result<HttpResponse, Problem> {
    let (scope, id) = (caller.scope()?, account.into_inner());
    let zone = zone_of(&app, scope).await?;
    let found = app
        .store()
        .read(move |tx| {
            stored_value::load(tx, &scope, id)?;
            let (mut all, mut before): (Vec<Movement>, _) = (Vec::new(), None);
            while all.len() <= EXPORT_MOVEMENTS_MAX {
                let page = movements::statement(tx, &scope, id, before, EXPORT_PAGE)?;
                let Some(last) = page.last() else { break };
                before = Some(last.sequence);
                all.extend(page);
            }
            Ok::<_, StoreError>(all)
        })
        .await?;
    if found.len() > EXPORT_MOVEMENTS_MAX {
        let detail = format!("More than {EXPORT_MOVEMENTS_MAX} movements: read the statement page by page.");
        return Err(Problem::new(EXPORT_TOO_LARGE, detail));
    }
    let head = [
        "at", "kind", "amount", "balance", "currency", "acceptor", "number", "charge", "reason", "made_by", "movement",
    ];
    let mut rows = vec![head.map(Cell::head).to_vec()];
    rows.extend(found.into_iter().rev().map(|movement| row(movement.into(), &zone)));
    whole(asked.format, "statement", &format!("statement-{id}"), rows).await
}

fn row(movement: StoredValueMovementView, zone: &str) -> Vec<Cell> {
    vec![
        Cell::code(local_text(movement.at, zone)),
        Cell::code(movement.kind),
        Cell::Money(movement.amount),
        Cell::Money(movement.balance),
        Cell::code(movement.amount.currency().code()),
        Cell::Text(movement.acceptor.unwrap_or_default()),
        Cell::Text(movement.number.unwrap_or_default()),
        Cell::Text(movement.charge.unwrap_or_default()),
        Cell::Text(movement.reason.unwrap_or_default()),
        Cell::code(movement.made_by),
        Cell::code(movement.id.to_string()),
    ]
}

/// What a holder pays in, in cash.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopUpStoredValue {
    amount: Amount,
}
