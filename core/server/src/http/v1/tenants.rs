//! `/v1/tenants`: the merchants of this platform. For its administrators alone.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{Currency, Millis, TenantId, UserId, api::Page};
use saoma_store::{
    StoreError, Tx, access,
    tenants::{self, LatePolicy, Tenant},
    terminals,
    users::{self, Role},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{audit::note_of_tenant, people::new_person};
use crate::{
    app::App,
    day,
    http::{
        auth::{Caller, rights::ManageTenants},
        idempotency::IdempotencyKey,
        once::{Wish, bytes, carry_out, response},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/tenants")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/tenants/{tenant}")
                .route(web::get().to(show))
                .route(web::patch().to(change))
                .default_service(web::to(other_method)),
        );
}

/// The time zone of a merchant of whom nobody said another.
const DEFAULT_ZONE: &str = "Etc/UTC";

fn zone(name: &str) -> Result<String, Problem> {
    day::zone_name(name).ok_or_else(|| {
        Problem::new(INVALID, "This needs the IANA name of a time zone, such as Asia/Shanghai.").at("/time_zone")
    })
}

/// What happens to money that arrives after its payment was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LateMoney {
    /// It is given back.
    Refund,
    /// It is kept as a sale.
    Accept,
}

impl From<LatePolicy> for LateMoney {
    fn from(policy: LatePolicy) -> Self {
        match policy {
            LatePolicy::Refund => Self::Refund,
            LatePolicy::Accept => Self::Accept,
        }
    }
}

impl From<LateMoney> for LatePolicy {
    fn from(policy: LateMoney) -> Self {
        match policy {
            LateMoney::Refund => Self::Refund,
            LateMoney::Accept => Self::Accept,
        }
    }
}

/// A merchant.
#[derive(Serialize, ToSchema)]
pub struct TenantView {
    id: TenantId,
    name: String,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    late_policy: LateMoney,
    /// Where its days begin and end: an IANA name.
    #[schema(example = "Asia/Shanghai")]
    time_zone: String,
    active: bool,
    created_at: Millis,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, name, currency, late_policy, time_zone, active, created_at } = tenant;
        Self { id, name, currency, late_policy: late_policy.into(), time_zone, active, created_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// 1 to 128 characters; stands on receipts.
    name: String,
    /// What its terminals sell in (ISO 4217).
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Where its days begin and end: an IANA name, `Etc/UTC` without it.
    #[serde(default)]
    #[schema(example = "Asia/Shanghai")]
    time_zone: Option<String>,
    owner_name: String,
    /// What its owner signs in with.
    owner_email: String,
}

/// A merchant, and how its owner gets in: shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedTenant {
    id: TenantId,
    name: String,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    late_policy: LateMoney,
    time_zone: String,
    active: bool,
    created_at: Millis,
    owner: UserId,
    owner_one_time_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTenant {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    late_policy: Option<LateMoney>,
    /// An IANA name.
    #[serde(default)]
    #[schema(example = "Asia/Shanghai")]
    time_zone: Option<String>,
    /// `false` shuts its people, keys and terminals out.
    #[serde(default)]
    active: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The merchants, in the order of their ids.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(ListQuery),
    responses((status = 200, body = Page<TenantView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<TenantView>>, Problem> {
    let platform = caller.platform()?;
    let limit = paging::limit(query.limit)?;
    let after = paging::after(query.cursor.as_deref())?;
    let found = app.store().read(move |tx| tenants::list(tx, &platform, after, limit + 1)).await?;
    Ok(web::Json(paging::page(found, limit, |tenant| tenant.id)))
}

/// Opens a merchant, with an owner who signs in with the one-time password and must change it.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = CreateTenant,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = CreatedTenant)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    key: IdempotencyKey,
    body: web::Json<CreateTenant>,
) -> Result<HttpResponse, Problem> {
    let platform = caller.platform()?;
    let wish = Wish::of(&app, "POST /v1/tenants", &caller, &key, &*body)?;
    let (who, body) = (caller.principal().clone(), body.into_inner());
    let tenant = Tenant {
        id: TenantId::for_key(&key),
        name: text::name(&body.name, "/name")?,
        currency: body.currency,
        late_policy: LatePolicy::Refund,
        time_zone: body.time_zone.map_or_else(|| Ok(DEFAULT_ZONE.to_owned()), |name| zone(&name))?,
        active: true,
        created_at: app.now(),
    };
    let (login, name) = (text::email(&body.owner_email, "/owner_email")?, text::name(&body.owner_name, "/owner_name")?);
    let (owner, owner_one_time_password) = new_person(&app, login, name, Role::Owner).await?;
    let work = move |tx: &mut Tx<'_>| {
        // The key names the merchant, and lies among its own: the platform has none.
        match access::enter_tenant(tx, &platform, tenant.id) {
            Ok(scope) => {
                return wish.answer(tx, &scope)?.ok_or_else(|| StoreError::Conflict { what: "the tenant's id" }.into());
            }
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let scope = tenants::create(tx, &platform, &tenant)?;
        let detail = json!({ "name": tenant.name, "currency": tenant.currency, "owner": owner.id });
        note_of_tenant(tx, &who, &scope, "tenant.created", &detail, tenant.created_at)?;
        users::create(tx, &scope, &owner)?;
        let answer = bytes(&created(&tenant, owner.id, &owner_one_time_password))?;
        wish.keep_answer(tx, &scope, &answer)?;
        Ok(answer)
    };
    Ok(response(StatusCode::CREATED, carry_out(&app, work).await?))
}

fn created(tenant: &Tenant, owner: UserId, owner_one_time_password: &str) -> CreatedTenant {
    let TenantView { id, name, currency, late_policy, time_zone, active, created_at } = tenant.clone().into();
    let owner_one_time_password = owner_one_time_password.to_owned();
    CreatedTenant { id, name, currency, late_policy, time_zone, active, created_at, owner, owner_one_time_password }
}

/// One merchant.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = TenantId, Path)),
    responses((status = 200, body = TenantView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    tenant: web::Path<TenantId>,
) -> Result<web::Json<TenantView>, Problem> {
    let (platform, tenant) = (caller.platform()?, tenant.into_inner());
    let loaded = app.store().read(move |tx| {
        let scope = access::enter_tenant(tx, &platform, tenant)?;
        tenants::load(tx, &scope)
    });
    Ok(web::Json(loaded.await?.into()))
}

/// Renames a merchant, says what it wants done with late money and in which time zone it sells, or shuts it out.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}", tag = "tenants", request_body = ChangeTenant,
    params(("tenant" = TenantId, Path)), responses((status = 200, body = TenantView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    tenant: web::Path<TenantId>,
    body: web::Json<ChangeTenant>,
) -> Result<web::Json<TenantView>, Problem> {
    let (platform, who, id, body) =
        (caller.platform()?, caller.principal().clone(), tenant.into_inner(), body.into_inner());
    let name = body.name.as_deref().map(|name| text::name(name, "/name")).transpose()?;
    let (late_policy, active) = (body.late_policy.map(LatePolicy::from), body.active);
    let time_zone = body.time_zone.as_deref().map(zone).transpose()?;
    if (&name, late_policy, &time_zone, active) == (&None, None, &None, None) {
        return Err(Problem::new(INVALID, "Say what to change: name, late_policy, time_zone or active."));
    }
    let now = app.now();
    let (tenant, shut_out) = app
        .store()
        .write(move |tx| {
            let scope = access::enter_tenant(tx, &platform, id)?;
            let detail = json!({
                "name": name,
                "late_policy": late_policy.map(LatePolicy::text),
                "time_zone": time_zone,
                "active": active,
            });
            note_of_tenant(tx, &who, &scope, "tenant.changed", &detail, now)?;
            let mut tenant = tenants::load(tx, &scope)?;
            tenant.name = name.clone().unwrap_or(tenant.name);
            tenant.late_policy = late_policy.unwrap_or(tenant.late_policy);
            tenant.time_zone = time_zone.clone().unwrap_or(tenant.time_zone);
            tenant.active = active.unwrap_or(tenant.active);
            tenants::update(tx, &platform, &tenant)?;
            let shut_out = if tenant.active { Vec::new() } else { terminals::list(tx, &scope, None)? };
            Ok::<_, StoreError>((tenant, shut_out))
        })
        .await?;
    // Requests ask the database each time; connections to the broker were let in when they were made.
    for terminal in shut_out {
        app.fleet().shut_out(terminal.id).await;
    }
    Ok(web::Json(tenant.into()))
}
