//! What holders' phones are granted to spend without a network.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    Amount, Millis, Money, StoredValueAccountId,
    api::Page,
    code::offline::{Token, strict},
};
use saoma_store::{
    Tx,
    stored_value::offline::grants::{self, StoredGrant},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::OfflinePageQuery;
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
        problem::{INVALID, NOT_FOUND, Problem},
        text,
        v1::{audit::note, stored_value::desk::StoredValueReason},
    },
    stored_value::offline::{GRANT_HOURS_MAX, Wanted, grant, revoke},
};

/// A day: a phone that is online in the morning pays offline until the next.
const VALID_HOURS: u16 = 24;
const CODE_SECONDS: u8 = 60;
/// A code must reach the scanner, and must not be worth copying.
const CODE_SECONDS_RANGE: std::ops::RangeInclusive<u8> = 10..=120;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOfflineGrant {
    /// Of the holder's phone, which keeps the other half: Ed25519, 64 lower-case hex digits.
    device_key: String,
    /// What may be spent with it in all. So much of the account is set aside until every terminal has told
    /// what it took before its end, a week after that at most.
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
    /// Until then at most what is left of the cap is set aside; it is free once every terminal has told what it took.
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
    let answer = answered(&app, scope, wish, StatusCode::CREATED, work).await?;
    // Terminals may have to hear of a new key.
    app.wake_outbox();
    Ok(answer)
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

/// Revokes a grant: a phone was lost or sold. Terminals are told at once; what they took before they heard is booked all the same, so
/// what is left of the cap stays set aside until every terminal has told what it took before the grant's end. A repeat changes nothing.
#[utoipa::path(post, path = "/v1/stored-value/accounts/{stored_value_account}/offline-grants/{offline_grant}/revoke",
    tag = "stored-value", request_body = StoredValueReason,
    params(("stored_value_account" = StoredValueAccountId, Path), ("offline_grant" = String, Path),
        ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = OfflineGrantView)))]
pub async fn revoke_grant(
    app: web::Data<App>,
    caller: Caller<ServeStoredValue>,
    path: web::Path<(StoredValueAccountId, String)>,
    key: IdempotencyKey,
    body: web::Json<StoredValueReason>,
) -> Result<HttpResponse, Problem> {
    let (account, token) = path.into_inner();
    // What cannot be a token names no grant.
    let token: Token = token.parse().map_err(|_| Problem::new(NOT_FOUND, "the grant was not found."))?;
    let asked = format!("POST /v1/stored-value/accounts/{account}/offline-grants/{token}/revoke");
    let wish = Wish::of(&app, &asked, &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let detail = json!({ "grant": token.to_string(), "reason": reason });
        note(tx, &who, "stored_value.offline_revoked", &account, &detail, now)?;
        Ok(OfflineGrantView::from(revoke(tx, &scope, account, token, now)?))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, work).await?;
    app.wake_outbox();
    Ok(answer)
}
