//! Stored value that is spent without a network: the merchant's policy, what phones are granted, and codes that were too much.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, Money, StoredValueAccountId,
    api::{OfflineLimits, Page},
    code::offline::{Token, strict},
};
use saoma_store::{
    Tx, channel_accounts,
    stored_value::offline::{
        Policy,
        grants::{self, StoredGrant},
        policy as policy_of, set_policy, spends,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

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
        problem::{INVALID, OFFLINE_OFF, Problem},
        router::other_method,
        text,
        v1::audit::note,
    },
    stored_value::offline::{GRACE_MS, GRANT_HOURS_MAX, Wanted, grant},
    webhooks::DoubleSpendView,
};

/// A day: a phone that is online in the morning pays offline until the next.
const VALID_HOURS: u16 = 24;
const CODE_SECONDS: u8 = 60;
/// A code must reach the scanner, and must not be worth copying.
const CODE_SECONDS_RANGE: std::ops::RangeInclusive<u8> = 10..=120;
/// What is set aside for late journals must outlast what terminals may hold.
const HOURS_MAX: u32 = (GRACE_MS / 3_600_000) as u32;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(
            resource("/stored-value/accounts/{stored_value_account}/offline-grants")
                .route(web::get().to(list_grants))
                .route(web::post().to(make_grant)),
        )
        .service(
            resource("/stored-value/offline-policy").route(web::get().to(show_policy)).route(web::put().to(put_policy)),
        )
        .service(resource("/stored-value/double-spends").route(web::get().to(double_spends)));
}

/// What terminals may take offline.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetOfflinePolicy {
    /// Whether grants are made and terminals take codes. What was taken before is booked all the same.
    enabled: bool,
    /// Whose payments these sales are: an account at this merchant's own stored value.
    channel_account: ChannelAccountId,
    /// The acceptor's name in that account's settings, so that its refunds and bills find them.
    acceptor: String,
    limits: OfflineLimits,
}

#[derive(Serialize, ToSchema)]
pub struct OfflinePolicyView {
    enabled: bool,
    channel_account: ChannelAccountId,
    acceptor: String,
    limits: OfflineLimits,
    version: u64,
    updated_at: Millis,
}

impl From<Policy> for OfflinePolicyView {
    fn from(policy: Policy) -> Self {
        let Policy { enabled, channel_account, acceptor, limits, version, updated_at } = policy;
        Self { enabled, channel_account, acceptor, limits, version, updated_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOfflineGrant {
    /// Of the holder's phone, which keeps the other half: Ed25519, 64 lower-case hex digits.
    device_key: String,
    /// What may be spent with it in all. So much of the account is set aside until a week after its end.
    cap: Amount,
    /// Of one sale; the cap if it is left out.
    #[serde(default)]
    cap_single_minor: Option<i64>,
    /// 1 to 72; 24 without it.
    #[serde(default)]
    valid_hours: Option<u16>,
    /// How long a code is good, 10 to 120; 60 without it.
    #[serde(default)]
    code_seconds: Option<u8>,
}

/// What a phone may spend offline.
#[derive(Serialize, ToSchema)]
pub struct OfflineGrantView {
    token: String,
    account: StoredValueAccountId,
    cap: Amount,
    cap_single_minor: i64,
    /// Paid by the account so far.
    spent: Money,
    device_key: String,
    code_seconds: u8,
    not_before: Millis,
    not_after: Millis,
    /// Until then what is left of the cap is set aside.
    reserved_until: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
    created_at: Millis,
}

impl From<StoredGrant> for OfflineGrantView {
    fn from(grant: StoredGrant) -> Self {
        Self {
            token: grant.token.to_string(),
            account: grant.account,
            cap: grant.cap,
            cap_single_minor: grant.cap_single_minor,
            spent: Money::new(grant.spent_minor, grant.cap.currency()),
            device_key: grant.device_key,
            code_seconds: grant.code_seconds,
            not_before: grant.not_before,
            not_after: grant.not_after,
            reserved_until: grant.reserved_until,
            revoked_at: grant.revoked_at,
            created_at: grant.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct MadeOfflineGrant {
    grant: OfflineGrantView,
    /// For the phone: the grant (63 bytes) and the issuer's signature (64) as hex, which begin each of its codes. No secret.
    signed: String,
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

/// The policy for offline codes.
#[utoipa::path(get, path = "/v1/stored-value/offline-policy", tag = "stored-value",
    responses((status = 200, body = OfflinePolicyView)))]
pub async fn show_policy(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
) -> Result<web::Json<OfflinePolicyView>, Problem> {
    let scope = caller.scope()?;
    let policy = app.store().read(move |tx| policy_of(tx, &scope)).await?;
    let none = || Problem::new(OFFLINE_OFF, "There is no policy; an owner sets it.");
    Ok(web::Json(policy.ok_or_else(none)?.into()))
}

/// Sets the policy for offline codes. Terminals hear of it the next time they ask.
#[utoipa::path(put, path = "/v1/stored-value/offline-policy", tag = "stored-value", request_body = SetOfflinePolicy,
    responses((status = 200, body = OfflinePolicyView)))]
pub async fn put_policy(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    body: web::Json<SetOfflinePolicy>,
) -> Result<web::Json<OfflinePolicyView>, Problem> {
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let SetOfflinePolicy { enabled, channel_account, acceptor, limits } = body.into_inner();
    check_limits(&limits)?;
    let acceptor = text::name(&acceptor, "/acceptor")?;
    let save = move |tx: &mut Tx<'_>| {
        let detail = json!({ "enabled": enabled, "acceptor": acceptor, "limits": limits });
        note(tx, &who, "stored_value.offline_policy_set", &channel_account, &detail, now)?;
        channel_accounts::load(tx, &scope, channel_account)?;
        let version = policy_of(tx, &scope)?.map_or(0, |known| known.version);
        let mut policy =
            Policy { enabled, channel_account, acceptor: acceptor.clone(), limits, version, updated_at: now };
        set_policy(tx, &scope, &mut policy)?;
        Ok::<_, Problem>(policy)
    };
    Ok(web::Json(app.store().write(save).await?.into()))
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
        ("unsent_minor_max", unsent_minor_max, saoma_protocol::money::AMOUNT_MINOR_MAX),
        ("unsent_count_max", unsent_count_max.into(), 100_000),
        ("unsent_hours_max", unsent_hours_max.into(), HOURS_MAX.into()),
        ("list_hours_max", list_hours_max.into(), HOURS_MAX.into()),
    ] {
        if !(1..=max).contains(&limit) {
            return Err(Problem::new(INVALID, format!("This limit must be 1 to {max}.")).at(format!("/limits/{name}")));
        }
    }
    Ok(())
}

/// Lets a holder's phone spend offline: sets the cap aside and signs it for the phone's key.
///
/// As with codes, whoever may call this may spend what the account holds: it is for the program behind the holders' own app.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/offline-grants", tag = "stored-value",
    request_body = NewOfflineGrant,
    params(("stored_value_account" = StoredValueAccountId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = MadeOfflineGrant)))]
pub async fn make_grant(
    app: web::Data<App>,
    caller: Caller<ManageStoredValue>,
    account: web::Path<StoredValueAccountId>,
    key: IdempotencyKey,
    body: web::Json<NewOfflineGrant>,
) -> Result<HttpResponse, Problem> {
    let account = account.into_inner();
    let asked = format!("POST /v1/stored-value/accounts/{account}/offline-grants");
    let wish = Wish::of(&app, &asked, &caller, &key, &*body)?;
    let (scope, who, actor, now) = (caller.scope()?, caller.principal().clone(), caller.actor(), app.now());
    let [a, b, c, d, e, f, g, h, ..] = app.random_16()?;
    let wanted = read(account, Token([a, b, c, d, e, f, g, h]), &body)?;
    let vault = app.vault().clone();
    let work = move |tx: &mut Tx<'_>| {
        let detail = json!({ "grant": wanted.token.to_string(), "cap": wanted.cap, "hours": wanted.valid_hours });
        note(tx, &who, "stored_value.offline_granted", &account, &detail, now)?;
        let (stored, signed) = grant(tx, &scope, &vault, &wanted, &actor, now)?;
        Ok(MadeOfflineGrant { grant: stored.into(), signed: hex::encode(signed.bytes()) })
    };
    answered(&app, scope, wish, StatusCode::CREATED, work).await
}

fn read(account: StoredValueAccountId, token: Token, body: &NewOfflineGrant) -> Result<Wanted, Problem> {
    let invalid = |why: &str, pointer: &str| Problem::new(INVALID, why.to_owned()).at(pointer);
    let lower = body.device_key.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let device_key = hex::decode(&body.device_key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let device_key = device_key
        .filter(|key| lower && strict::is_sound(key))
        .ok_or_else(|| invalid("The public key of Ed25519 is 64 lower-case hex digits.", "/device_key"))?;
    let cap_minor = u32::try_from(body.cap.minor())
        .map_err(|_| invalid("A grant holds 4294967295 minor units at most.", "/cap/minor"))?;
    let cap_single_minor = match body.cap_single_minor {
        None => cap_minor,
        Some(minor) => u32::try_from(minor)
            .ok()
            .filter(|minor| (1..=cap_minor).contains(minor))
            .ok_or_else(|| invalid("It must be 1 to the cap.", "/cap_single_minor"))?,
    };
    let valid_hours = body.valid_hours.unwrap_or(VALID_HOURS);
    if !(1..=GRANT_HOURS_MAX).contains(&valid_hours) {
        return Err(invalid("It must be 1 to 72.", "/valid_hours"));
    }
    let code_seconds = body.code_seconds.unwrap_or(CODE_SECONDS);
    if !CODE_SECONDS_RANGE.contains(&code_seconds) {
        return Err(invalid("It must be 10 to 120.", "/code_seconds"));
    }
    Ok(Wanted { account, token, device_key, cap: body.cap, cap_minor, cap_single_minor, valid_hours, code_seconds })
}

/// What an account's phones were granted, newest first.
#[utoipa::path(get, path = "/v1/stored-value/accounts/{stored_value_account}/offline-grants", tag = "stored-value",
    params(("stored_value_account" = StoredValueAccountId, Path), OfflinePageQuery),
    responses((status = 200, body = Page<OfflineGrantView>)))]
pub async fn list_grants(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    account: web::Path<StoredValueAccountId>,
    query: web::Query<OfflinePageQuery>,
) -> Result<web::Json<Page<OfflineGrantView>>, Problem> {
    let (scope, account) = (caller.scope()?, account.into_inner());
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<grants::Cursor>(query.cursor.as_deref())?);
    let found = app
        .store()
        .read(move |tx| {
            saoma_store::stored_value::load(tx, &scope, account)?;
            grants::list(tx, &scope, account, after, limit + 1)
        })
        .await?;
    Ok(web::Json(paging::page(found, limit, |last| grants::Cursor { at: last.created_at, id: last.token })))
}

/// Offline codes that were spent twice, beyond what was granted, or too late; newest first.
#[utoipa::path(get, path = "/v1/stored-value/double-spends", tag = "stored-value", params(OfflinePageQuery),
    responses((status = 200, body = Page<DoubleSpendView>)))]
pub async fn double_spends(
    app: web::Data<App>,
    caller: Caller<ReadStoredValue>,
    query: web::Query<OfflinePageQuery>,
) -> Result<web::Json<Page<DoubleSpendView>>, Problem> {
    let scope = caller.scope()?;
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<spends::Cursor>(query.cursor.as_deref())?);
    let found = app.store().read(move |tx| spends::list_over(tx, &scope, after, limit + 1)).await?;
    Ok(web::Json(paging::page(found, limit, |last| spends::Cursor { at: last.at, id: last.payment })))
}
