//! Stored value that is spent without a network: the merchant's policy, and codes that were too much.

pub mod grants;
pub mod keys;

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    ChannelAccountId, Currency, Millis, PaymentId,
    api::{OfflineLimits, Page},
    money::AMOUNT_MINOR_MAX,
};
use saoma_store::{
    StoreError, TenantScope, Tx, channel_accounts,
    stored_value::offline::{Policy, policy as policy_of, set_policy, spends},
    tenants,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::desk::deed;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageStoredValue, ReadStoredValue},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
        v1::{audit::note, stored_value_acceptors::acceptor_of},
    },
    stored_value::offline::{GRACE_MS, acceptor_named, announce, resolve},
    webhooks::DoubleSpendView,
};

/// What is set aside for late journals must outlast what terminals may hold.
const HOURS_MAX: u32 = (GRACE_MS / 3_600_000) as u32;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(
            resource("/stored-value/accounts/{stored_value_account}/offline-grants")
                .route(web::get().to(grants::list_grants))
                .route(web::post().to(grants::make_grant)),
        )
        .service(
            resource("/stored-value/accounts/{stored_value_account}/offline-grants/{offline_grant}/revoke")
                .route(web::post().to(grants::revoke_grant)),
        )
        .service(
            resource("/stored-value/offline-policy").route(web::get().to(show_policy)).route(web::put().to(put_policy)),
        )
        .service(resource("/stored-value/offline-keys").route(web::get().to(keys::list_keys)))
        .service(
            resource("/stored-value/offline-keys/{offline_key}/revoke").route(web::post().to(keys::revoke_offline_key)),
        )
        .service(resource("/stored-value/double-spends").route(web::get().to(double_spends)))
        .service(resource("/stored-value/double-spends/{payment}/resolve").route(web::post().to(resolve_double_spend)));
}

/// What terminals may take offline.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOfflinePolicy {
    /// Whether grants are made and terminals take codes. What was taken before is booked all the same.
    enabled: bool,
    /// Whose payments these sales are: an account at this merchant's own stored value, which is enabled.
    channel_account: ChannelAccountId,
    /// The acceptor's name in that account's settings, by which its refunds and bills find them. Needed only where they name none;
    /// else it must be the same.
    #[serde(default)]
    acceptor: Option<String>,
    /// Those that are suggested if it is left out.
    #[serde(default)]
    limits: Option<OfflineLimits>,
}

/// The policy. As long as nobody has set one, it is off, and its limits are those that are suggested.
#[derive(Serialize, ToSchema)]
pub struct OfflinePolicyView {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptor: Option<String>,
    limits: OfflineLimits,
    /// 0 as long as nobody has set one; each change adds one.
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Millis>,
}

impl From<Policy> for OfflinePolicyView {
    fn from(policy: Policy) -> Self {
        let Policy { enabled, channel_account, acceptor, limits, version, updated_at } = policy;
        let (channel_account, acceptor) = (Some(channel_account), Some(acceptor));
        Self { enabled, channel_account, acceptor, limits, version, updated_at: Some(updated_at) }
    }
}

/// What a merchant begins with: 200 a sale, three sales of a grant a day, and at a terminal 50,000, 200 sales or a day that core does
/// not know of; in the major unit of its currency.
fn suggested(currency: Currency) -> OfflineLimits {
    let unit = 10_i64.pow(currency.minor_digits().into());
    OfflineLimits {
        sale_minor_max: 200 * unit,
        grant_day_count_max: 3,
        unsent_minor_max: 50_000 * unit,
        unsent_count_max: 200,
        unsent_hours_max: 24,
        list_hours_max: 24,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfflinePageQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DoubleSpendQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
    /// Only those about which nobody has decided.
    #[serde(default)]
    open: bool,
}

/// A person's decision about a double spend.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveDoubleSpend {
    /// 1 to 128 characters.
    reason: String,
    /// Whether the holder's account pays for what the issuer bears, as far as it holds that beside what is set aside; else it stays
    /// the issuer's.
    recover: bool,
}

/// The policy for offline codes.
#[utoipa::path(get, path = "/v1/stored-value/offline-policy", tag = "stored-value",
    responses((status = 200, body = OfflinePolicyView)))]
pub async fn show_policy(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
) -> Result<web::Json<OfflinePolicyView>, Problem> {
    let scope = caller.scope()?;
    let show = move |tx: &mut Tx<'_>| {
        if let Some(policy) = policy_of(tx, &scope)? {
            return Ok(policy.into());
        }
        let limits = suggested(tenants::load(tx, &scope)?.currency);
        let (channel_account, acceptor, updated_at) = (None, None, None);
        Ok::<_, StoreError>(OfflinePolicyView {
            enabled: false,
            channel_account,
            acceptor,
            limits,
            version: 0,
            updated_at,
        })
    };
    Ok(web::Json(app.store().read(show).await?))
}

/// Sets the policy for offline codes. Terminals are told to fetch it.
#[utoipa::path(put, path = "/v1/stored-value/offline-policy", tag = "stored-value", request_body = SetOfflinePolicy,
    responses((status = 200, body = OfflinePolicyView)))]
pub async fn put_policy(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    body: web::Json<SetOfflinePolicy>,
) -> Result<web::Json<OfflinePolicyView>, Problem> {
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let asked = body.into_inner();
    let save = move |tx: &mut Tx<'_>| {
        let SetOfflinePolicy { enabled, channel_account, .. } = asked;
        let acceptor = acceptor_at(tx, &scope, &asked)?;
        let limits = match asked.limits {
            Some(limits) => limits,
            None => suggested(tenants::load(tx, &scope)?.currency),
        };
        check_limits(&limits)?;
        let detail = json!({ "enabled": enabled, "acceptor": acceptor, "limits": limits });
        note(tx, &who, "stored_value.offline_policy_set", &channel_account, &detail, now)?;
        let version = policy_of(tx, &scope)?.map_or(0, |known| known.version);
        let mut policy = Policy { enabled, channel_account, acceptor, limits, version, updated_at: now };
        set_policy(tx, &scope, &mut policy)?;
        announce(tx, &scope, now)?;
        Ok::<_, Problem>(policy)
    };
    let policy = app.store().write(save).await?;
    app.wake_outbox();
    Ok(web::Json(policy.into()))
}

/// The name under which the issuer counts what goes through the account: that of its settings, where they have one, since by that
/// its refunds and bills ask. With another one they would not find these sales.
fn acceptor_at(tx: &mut Tx<'_>, scope: &TenantScope, asked: &SetOfflinePolicy) -> Result<String, Problem> {
    let account = channel_accounts::load(tx, scope, asked.channel_account)?;
    if asked.enabled && !account.enabled {
        let why = "This channel account is disabled: enable it, or name another.";
        return Err(Problem::new(INVALID, why).at("/channel_account"));
    }
    let (named, wished) = (acceptor_named(&account), asked.acceptor.as_deref());
    let acceptor = match (named.as_deref(), wished) {
        (Some(named), Some(wished)) if named != wished => {
            let why =
                format!("The channel account's settings call the acceptor {named:?}: leave it out, or say the same.");
            return Err(Problem::new(INVALID, why).at("/acceptor"));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => {
            let why =
                "The channel account's settings name no acceptor: say under which name the issuer counts its charges.";
            return Err(Problem::new(INVALID, why).at("/acceptor"));
        }
    };
    acceptor_of(acceptor).map_err(|problem| problem.at("/acceptor"))
}

fn check_limits(limits: &OfflineLimits) -> Result<(), Problem> {
    let OfflineLimits {
        sale_minor_max,
        grant_day_count_max,
        unsent_minor_max,
        unsent_count_max,
        unsent_hours_max,
        list_hours_max,
    } = *limits;
    for (name, limit, max) in [
        ("sale_minor_max", sale_minor_max, u32::MAX.into()),
        ("grant_day_count_max", grant_day_count_max.into(), 1_000),
        ("unsent_minor_max", unsent_minor_max, AMOUNT_MINOR_MAX),
        ("unsent_count_max", unsent_count_max.into(), 100_000),
        ("unsent_hours_max", unsent_hours_max.into(), HOURS_MAX.into()),
        ("list_hours_max", list_hours_max.into(), HOURS_MAX.into()),
    ] {
        if !(1..=max).contains(&limit) {
            return Err(Problem::new(INVALID, format!("This limit must be 1 to {max}.")).at(format!("/limits/{name}")));
        }
    }
    if sale_minor_max > unsent_minor_max {
        let why = "One sale may not be more than a terminal may hold in all (unsent_minor_max).";
        return Err(Problem::new(INVALID, why).at("/limits/sale_minor_max"));
    }
    Ok(())
}

/// Offline codes that were spent twice, beyond what was granted, or too late; newest first.
#[utoipa::path(get, path = "/v1/stored-value/double-spends", tag = "stored-value", params(DoubleSpendQuery),
    responses((status = 200, body = Page<DoubleSpendView>)))]
pub async fn double_spends(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    query: web::Query<DoubleSpendQuery>,
) -> Result<web::Json<Page<DoubleSpendView>>, Problem> {
    let scope = caller.scope()?;
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<spends::Cursor>(query.cursor.as_deref())?);
    let open = query.open;
    let found = app.store().read(move |tx| spends::list_over(tx, &scope, open, after, limit + 1)).await?;
    let cursor = |(last, _): &spends::Excess| spends::Cursor { at: last.at, id: last.payment };
    Ok(web::Json(paging::page(found, limit, cursor)))
}

/// Ends a double spend: a person has looked at it, and says who pays.
#[utoipa::path(post, path = "/v1/stored-value/double-spends/{payment}/resolve", tag = "stored-value",
    request_body = ResolveDoubleSpend, params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DoubleSpendView)))]
pub async fn resolve_double_spend(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<ResolveDoubleSpend>,
) -> Result<HttpResponse, Problem> {
    let (payment, recover) = (payment.into_inner(), body.recover);
    let asked = format!("POST /v1/stored-value/double-spends/{payment}/resolve");
    let wish = Wish::of(&app, &asked, &caller, &key, &*body)?;
    let (scope, who, deed) = (caller.scope()?, caller.principal().clone(), deed(&app, &caller)?);
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let (spend, resolution) = resolve(tx, &scope, &deed, payment, recover, &reason)?;
        let recovered_minor = resolution.as_ref().map_or(0, |resolution| resolution.recovered_minor);
        let detail = json!({ "payment": payment, "reason": reason, "recovered_minor": recovered_minor });
        note(tx, &who, "stored_value.double_spend_resolved", &spend.account, &detail, deed.at)?;
        Ok(DoubleSpendView::from((spend, resolution)))
    };
    answered(&app, scope, wish, StatusCode::OK, work).await
}
