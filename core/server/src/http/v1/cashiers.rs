//! `/v1/cashiers`: who signs on at the merchant's tills, by a staff code and a PIN.
//!
//! A PIN goes in and never comes out: not in an answer, not in the audit log, not in a log line. Each change tells the tills
//! that it is about to fetch their list, in its own transaction.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    CashierId, Millis, StoreId,
    api::Page,
    cashier::{CashierCard, CashierList, Pin, StaffCode, SupervisorFor, TillRole, Verifier},
    message::PushBody,
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    cashiers::{self, Cashier},
    outbox::{self, Kind, NewMessage},
    stores, terminals,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{Caller, pins, rights::ManageCashiers},
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::{CHANGED_MEANWHILE, CONFLICT, INVALID, LIMIT_EXCEEDED, Problem},
        router::other_method,
        text,
    },
    secrets::{SecretsError, Vault},
};

/// Most cashiers of a merchant, those who have left too: a terminal holds all of its store's in memory, at 300 bytes each.
const CASHIERS_MAX: usize = 1_000;
/// Most stores that a cashier is limited to by name; whoever has more may sign on everywhere.
const STORES_MAX: usize = 50;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/cashiers").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/cashiers/{cashier}").route(web::get().to(show)).route(web::patch().to(change)))
        .service(resource("/cashiers/{cashier}/pin").route(web::post().to(set_pin)))
        .service(resource("/cashier-rules").route(web::get().to(rules)).route(web::put().to(change_rules)));
}

/// A person who signs on at tills.
#[derive(Serialize, ToSchema)]
pub struct CashierView {
    id: CashierId,
    /// Stands on receipts.
    name: String,
    /// What is typed at the till before the PIN.
    #[schema(value_type = String, example = "07")]
    staff_code: StaffCode,
    role: TillRole,
    /// Where they may sign on; everywhere if it is empty.
    stores: Vec<StoreId>,
    /// Someone who is not active cannot sign on.
    active: bool,
    /// To be sent with a change.
    version: u64,
    pin_set_at: Millis,
    created_at: Millis,
}

impl From<Cashier> for CashierView {
    fn from(cashier: Cashier) -> Self {
        let Cashier { id, staff_code, name, role, stores, active, version, pin_set_at, created_at, changed_at: _ } =
            cashier;
        Self { id, name, staff_code, role, stores, active, version, pin_set_at, created_at }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCashier {
    /// 1 to 128 characters; stands on receipts.
    name: String,
    /// 1 to 8 digits, noughts in front count; of nobody else of the merchant's.
    staff_code: String,
    role: TillRole,
    /// Where they may sign on, 50 at most; everywhere without any.
    #[serde(default)]
    stores: Vec<StoreId>,
    /// 4 to 8 digits, not such as 1111, 1212 or 1234.
    #[schema(value_type = String)]
    pin: Pin,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCashier {
    /// The version that was seen. If the cashier has another by now, nothing is changed.
    version: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    staff_code: Option<String>,
    #[serde(default)]
    role: Option<TillRole>,
    /// All of them; empty for everywhere.
    #[serde(default)]
    stores: Option<Vec<StoreId>>,
    /// `false` takes them off the tills.
    #[serde(default)]
    active: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPin {
    /// 4 to 8 digits, not such as 1111, 1212 or 1234.
    #[schema(value_type = String)]
    pin: Pin,
}

/// What holds for all of the merchant's cashiers.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CashierRules {
    /// What a cashier may not do at a till without a supervisor's PIN.
    supervisor_for: SupervisorFor,
}

/// The merchant's cashiers, by staff code, those who have left too.
#[utoipa::path(get, path = "/v1/cashiers", tag = "cashiers", responses((status = 200, body = Page<CashierView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
) -> Result<web::Json<Page<CashierView>>, Problem> {
    let scope = caller.scope()?;
    let all = app.store().read(move |tx| cashiers::list(tx, &scope)).await?;
    Ok(web::Json(Page { items: all.into_iter().map(CashierView::from).collect(), next_cursor: None }))
}

/// Adds a cashier. The tills of their stores hear of it when they are reached.
#[utoipa::path(post, path = "/v1/cashiers", tag = "cashiers", request_body = CreateCashier,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = CashierView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
    key: IdempotencyKey,
    body: web::Json<CreateCashier>,
) -> Result<HttpResponse, Problem> {
    let body = body.into_inner();
    // A keyed hash of it is kept, whose key is sealed outside of the database.
    let asked = (&body.name, &body.staff_code, body.role, &body.stores, body.pin.expose());
    let wish = Wish::of(&app, "POST /v1/cashiers", &caller, &key, &asked)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let cashier = Cashier {
        id: CashierId::from_bytes(app.random_16()?),
        staff_code: staff_code(&body.staff_code)?,
        name: text::name(&body.name, "/name")?,
        role: body.role,
        stores: distinct(body.stores)?,
        active: true,
        version: 1,
        pin_set_at: now,
        created_at: now,
        changed_at: now,
    };
    let verifier = pins::verifier(body.pin, &cashier.staff_code.to_string(), app.random_16()?).await?;
    let vault = app.vault().clone();
    let add = move |tx: &mut Tx<'_>| {
        cashiers::changes(tx, &scope, now)?;
        if cashiers::list(tx, &scope)?.len() >= CASHIERS_MAX {
            return Err(Problem::new(LIMIT_EXCEEDED, format!("A merchant has {CASHIERS_MAX} cashiers at most.")));
        }
        check_stores(tx, &scope, &cashier.stores)?;
        let pin = vault.seal(tx, scope, &cashier.id, verifier.0.as_bytes(), now)?;
        let (had_pins, about) = (has_pins(tx, &scope)?, [&cashier]);
        cashiers::create(tx, &scope, &cashier, &pin).map_err(taken)?;
        tell_tills(tx, &scope, if had_pins { Tills::Of(&about) } else { Tills::All }, now)?;
        note(tx, &who, "cashier.created", &cashier.id, &told(&cashier), now)?;
        Ok(CashierView::from(cashier.clone()))
    };
    let answer = answered(&app, scope, wish, StatusCode::CREATED, add).await?;
    app.wake_outbox();
    Ok(answer)
}

/// One cashier.
#[utoipa::path(get, path = "/v1/cashiers/{cashier}", tag = "cashiers", params(("cashier" = CashierId, Path)),
    responses((status = 200, body = CashierView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
    cashier: web::Path<CashierId>,
) -> Result<web::Json<CashierView>, Problem> {
    let (scope, id) = (caller.scope()?, cashier.into_inner());
    Ok(web::Json(app.store().read(move |tx| cashiers::load(tx, &scope, id)).await?.into()))
}

/// Changes a cashier, or takes them off the tills (`active`).
#[utoipa::path(patch, path = "/v1/cashiers/{cashier}", tag = "cashiers", request_body = ChangeCashier,
    params(("cashier" = CashierId, Path)), responses((status = 200, body = CashierView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
    cashier: web::Path<CashierId>,
    body: web::Json<ChangeCashier>,
) -> Result<web::Json<CashierView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), cashier.into_inner(), app.now());
    let ChangeCashier { version, name, staff_code: code, role, stores, active } = body.into_inner();
    if (&name, &code, role, &stores, active) == (&None, &None, None, &None, None) {
        return Err(Problem::new(INVALID, "Say what to change: name, staff_code, role, stores or active."));
    }
    let name = name.as_deref().map(|name| text::name(name, "/name")).transpose()?;
    let code = code.as_deref().map(staff_code).transpose()?;
    let stores = stores.map(distinct).transpose()?;
    let changed = app.store().write(move |tx| {
        cashiers::changes(tx, &scope, now)?;
        let before = cashiers::load(tx, &scope, id)?;
        if before.version != version {
            let detail = format!("This cashier has version {} by now; load it and look again.", before.version);
            return Err(Problem::new(CHANGED_MEANWHILE, detail).at("/version"));
        }
        let had_pins = has_pins(tx, &scope)?;
        let after = Cashier {
            name: name.clone().unwrap_or_else(|| before.name.clone()),
            staff_code: code.clone().unwrap_or_else(|| before.staff_code.clone()),
            role: role.unwrap_or(before.role),
            stores: stores.clone().unwrap_or_else(|| before.stores.clone()),
            active: active.unwrap_or(before.active),
            changed_at: now,
            ..before.clone()
        };
        // Those that were named before may have closed; none is taken away.
        check_stores(tx, &scope, &after.stores)?;
        cashiers::update(tx, &scope, &after).map_err(taken)?;
        let (has_pins, about) = (has_pins(tx, &scope)?, [&before, &after]);
        tell_tills(tx, &scope, if has_pins == had_pins { Tills::Of(&about) } else { Tills::All }, now)?;
        note(tx, &who, "cashier.changed", &id, &told(&after), now)?;
        Ok::<_, Problem>(Cashier { version: version + 1, ..after })
    });
    let changed = changed.await?;
    app.wake_outbox();
    Ok(web::Json(changed.into()))
}

/// Gives a cashier another PIN, and on the tills a fresh count of tries.
#[utoipa::path(post, path = "/v1/cashiers/{cashier}/pin", tag = "cashiers", request_body = SetPin,
    params(("cashier" = CashierId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = CashierView)))]
pub async fn set_pin(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
    cashier: web::Path<CashierId>,
    key: IdempotencyKey,
    body: web::Json<SetPin>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), cashier.into_inner(), app.now());
    let pin = body.into_inner().pin;
    let wish = Wish::of(&app, &format!("POST /v1/cashiers/{id}/pin"), &caller, &key, &pin.expose())?;
    // Nobody is asked to hash for someone who does not exist.
    let whose = app.store().read(move |tx| cashiers::load(tx, &scope, id)).await?;
    let verifier = pins::verifier(pin, &whose.staff_code.to_string(), app.random_16()?).await?;
    let vault = app.vault().clone();
    let set = move |tx: &mut Tx<'_>| {
        cashiers::changes(tx, &scope, now)?;
        let pin = vault.seal(tx, scope, &id, verifier.0.as_bytes(), now)?;
        cashiers::set_pin(tx, &scope, id, &pin, now)?;
        let cashier = cashiers::load(tx, &scope, id)?;
        tell_tills(tx, &scope, Tills::Of(&[&cashier]), now)?;
        note(tx, &who, "cashier.pin_set", &id, &json!({}), now)?;
        Ok(CashierView::from(cashier))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, set).await?;
    app.wake_outbox();
    Ok(answer)
}

/// What a cashier may not do alone.
#[utoipa::path(get, path = "/v1/cashier-rules", tag = "cashiers", responses((status = 200, body = CashierRules)))]
pub async fn rules(app: web::Data<App>, caller: Caller<ManageCashiers>) -> Result<web::Json<CashierRules>, Problem> {
    let scope = caller.scope()?;
    let settings = app.store().read(move |tx| cashiers::settings(tx, &scope)).await?;
    Ok(web::Json(CashierRules { supervisor_for: settings.supervisor_for }))
}

/// Says what a cashier may not do alone. It holds at tills with cashiers of their own.
#[utoipa::path(put, path = "/v1/cashier-rules", tag = "cashiers", request_body = CashierRules,
    responses((status = 200, body = CashierRules)))]
pub async fn change_rules(
    app: web::Data<App>,
    caller: Caller<ManageCashiers>,
    body: web::Json<CashierRules>,
) -> Result<web::Json<CashierRules>, Problem> {
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let supervisor_for = body.supervisor_for;
    let set = move |tx: &mut Tx<'_>| {
        cashiers::set_supervisor_for(tx, &scope, supervisor_for, now)?;
        let detail = json!({ "supervisor_for": supervisor_for });
        tell_tills(tx, &scope, Tills::All, now)?;
        note(tx, &who, "cashier_rules.changed", &scope.tenant(), &detail, now)
    };
    app.store().write(set).await?;
    app.wake_outbox();
    Ok(body)
}

/// What a store's tills check those by who sign on at them. Verifiers leave core by this alone.
///
/// # Errors
/// As [`Vault::open`].
pub(super) fn of_store(
    tx: &mut Tx<'_>,
    vault: &Vault,
    scope: TenantScope,
    store: StoreId,
) -> Result<CashierList, SecretsError> {
    let settings = cashiers::settings(tx, &scope)?;
    let mut cards = Vec::new();
    for (cashier, pin) in cashiers::of_store(tx, &scope, store)? {
        // One that cannot be read keeps nobody else from signing on.
        let opened = match vault.open(tx, scope, &cashier.id, &pin) {
            Err(SecretsError::Store(error)) => return Err(error.into()),
            opened => {
                opened.and_then(|plain| Ok(std::str::from_utf8(&plain).map_err(|_| SecretsError::Sealed)?.to_owned()))
            }
        };
        let verifier = match opened {
            Ok(verifier) => verifier,
            Err(error) => {
                tracing::error!(cashier = %cashier.id, %error, "a cashier's PIN cannot be read: set it anew");
                continue;
            }
        };
        let Cashier { id, name, staff_code, role, .. } = cashier;
        cards.push(CashierCard { id, name, staff_code, role, verifier: Verifier(verifier) });
    }
    let pins = has_pins(tx, &scope)?;
    let cashiers::Settings { version, supervisor_for } = settings;
    Ok(CashierList { version, pins, supervisor_for, cashiers: cards })
}

/// Whether who signs on at the merchant's tills shows a PIN. The last of a store who leaves does not open its tills to everybody.
fn has_pins(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<bool, StoreError> {
    Ok(cashiers::list(tx, scope)?.iter().any(|cashier| cashier.active))
}

/// Which tills are to hear of a change.
enum Tills<'a> {
    /// What changed holds at all of them.
    All,
    /// Those on which one of these may sign on.
    Of(&'a [&'a Cashier]),
}

/// These tills are to fetch their list. A push for each change, however many wait: a till may have
/// taken the one that waits, fetched what was before, and not said so yet.
fn tell_tills(tx: &mut Tx<'_>, scope: &TenantScope, tills: Tills<'_>, now: Millis) -> Result<(), StoreError> {
    let payload = serde_json::to_string(&PushBody::CashiersChanged)
        .map_err(|error| StoreError::Internal { why: error.to_string() })?;
    for terminal in terminals::list(tx, scope, None)? {
        let is_in_use = terminal.enrolled_at.is_some() && terminal.revoked_at.is_none();
        let is_meant = match tills {
            Tills::All => true,
            Tills::Of(about) => about.iter().any(|cashier| cashier.is_of(terminal.store)),
        };
        if is_in_use && is_meant {
            let (terminal, payload) = (Some(terminal.id), payload.clone());
            outbox::append(tx, scope, &NewMessage { kind: Kind::Push, terminal, payload, created_at: now })?;
        }
    }
    Ok(())
}

fn told(cashier: &Cashier) -> serde_json::Value {
    let Cashier { staff_code, name, role, stores, active, .. } = cashier;
    json!({ "staff_code": staff_code, "name": name, "role": role, "stores": stores, "active": active })
}

fn staff_code(text: &str) -> Result<StaffCode, Problem> {
    text.trim().parse().map_err(|_| Problem::new(INVALID, "A staff code has 1 to 8 digits.").at("/staff_code"))
}

fn distinct(mut stores: Vec<StoreId>) -> Result<Vec<StoreId>, Problem> {
    if stores.len() > STORES_MAX {
        let detail = format!("Name {STORES_MAX} stores at most, or none for all of them.");
        return Err(Problem::new(INVALID, detail).at("/stores"));
    }
    stores.sort_unstable();
    stores.dedup();
    Ok(stores)
}

/// # Errors
/// `INVALID` for a store that is not the merchant's.
fn check_stores(tx: &mut Tx<'_>, scope: &TenantScope, named: &[StoreId]) -> Result<(), Problem> {
    for store in named {
        match stores::load(tx, scope, *store) {
            Ok(_) => {}
            Err(StoreError::NotFound { .. }) => {
                let detail = format!("There is no store {store}; GET /v1/stores lists those there are.");
                return Err(Problem::new(INVALID, detail).at("/stores"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict { .. } => {
            let detail = "Another cashier has this staff code, or had it: give one of the two another one.";
            Problem::new(CONFLICT, detail).at("/staff_code")
        }
        other => other.into(),
    }
}
