//! `/v1/payouts`: what channels paid out, against what the bills of its days come to.

use actix_web::{HttpResponse, web};
use saoma_protocol::{Amount, ChannelAccountId, Millis, Money, PayoutId, api::Page};
use saoma_store::payouts::{self, Cursor, Payout, Reversed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::settlements::person;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ReadBooks, Reconcile},
        },
        idempotency::{IdempotencyKey, fingerprint},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
    reconcile::{
        payout::{Seen, enter as enter_payout, reverse as reverse_payout},
        resolve::Keyed,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/payouts")
                .route(web::get().to(list))
                .route(web::post().to(enter))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/payouts/{payout}/reverse")
                .route(web::post().to(reverse))
                .default_service(web::to(other_method)),
        );
}

/// A payout as it was seen at the bank.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterPayout {
    channel_account: ChannelAccountId,
    /// The first and the last day that it is for, as the scheme counts days, `2026-01-31`; at most 31 days.
    from_day: String,
    to_day: String,
    amount: Amount,
    /// The bank's or the scheme's number of it: one of an account is booked once.
    reference: String,
    received_at: Millis,
    /// Needed where a payout that stands is for some of these days: this one brought more of the same.
    #[serde(default)]
    further: bool,
}

/// Why it is taken back.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversePayout {
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct PayoutView {
    id: PayoutId,
    channel_account: ChannelAccountId,
    from_day: String,
    to_day: String,
    amount: Amount,
    /// What the bills of these days come to, fees taken off, and what earlier payouts brought of it.
    expected: Money,
    /// What arrived more than that, or less if it is negative.
    difference: Money,
    reference: String,
    received_at: Millis,
    entered_by: String,
    entered_at: Millis,
    /// It was booked by mistake, and taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed: Option<ReversedView>,
}

#[derive(Serialize, ToSchema)]
pub struct ReversedView {
    by: String,
    at: Millis,
    reason: String,
}

impl From<Payout> for PayoutView {
    fn from(stored: Payout) -> Self {
        let expected = Money::new(stored.expected_minor, stored.amount.currency());
        Self {
            id: stored.id,
            channel_account: stored.account,
            from_day: stored.from_day,
            to_day: stored.to_day,
            amount: stored.amount,
            expected,
            difference: Money::new(stored.amount.minor().saturating_sub(stored.expected_minor), expected.currency()),
            reference: stored.reference,
            received_at: stored.received_at,
            entered_by: stored.entered_by,
            entered_at: stored.entered_at,
            reversed: stored.reversed.map(|Reversed { by, at, reason }| ReversedView { by, at, reason }),
        }
    }
}

/// Books what arrived, from the channel's clearing account to the bank, for people alone. Each of its days must have been
/// compared with its bill before; if it is not what those come to, a discrepancy is opened.
///
/// The `Idempotency-Key` names the payout. The same request again is answered with it (200 instead of 201); another request
/// with this key is refused.
#[utoipa::path(post, path = "/v1/payouts", tag = "payouts", request_body = EnterPayout,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = PayoutView), (status = 200, body = PayoutView)))]
pub async fn enter(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    key: IdempotencyKey,
    body: web::Json<EnterPayout>,
) -> Result<HttpResponse, Problem> {
    let (scope, actor) = (caller.scope()?, person(&caller)?);
    let fingerprint = fingerprint(&app, "POST /v1/payouts", caller.principal(), &*body)?;
    let body = body.into_inner();
    // The same years as a scheme's own moments: seconds instead of milliseconds would be in 1970.
    if !(946_684_800_000..4_102_444_800_000).contains(&body.received_at.0) {
        return Err(Problem::new(INVALID, "This is no moment in milliseconds since 1970.").at("/received_at"));
    }
    let seen = Seen {
        account: body.channel_account,
        from_day: body.from_day,
        to_day: body.to_day,
        amount: body.amount,
        reference: text::name(&body.reference, "/reference")?,
        is_further: body.further,
        received_at: body.received_at,
        actor,
    };
    let (entered, new) = enter_payout(&app, scope, seen, Keyed { key: key.to_string(), fingerprint }).await?;
    let view = PayoutView::from(entered);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// Takes a payout back that was entered by mistake, for people alone: what it booked is booked back, and so is what was decided
/// about its difference. Its reference is free again.
#[utoipa::path(post, path = "/v1/payouts/{payout}/reverse", tag = "payouts", request_body = ReversePayout,
    params(("payout" = PayoutId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = PayoutView)))]
pub async fn reverse(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    payout: web::Path<PayoutId>,
    key: IdempotencyKey,
    body: web::Json<ReversePayout>,
) -> Result<web::Json<PayoutView>, Problem> {
    let (scope, actor, payout) = (caller.scope()?, person(&caller)?, payout.into_inner());
    let asked = format!("POST /v1/payouts/{payout}/reverse");
    let fingerprint = fingerprint(&app, &asked, caller.principal(), &*body)?;
    let reason = text::name(&body.reason, "/reason")?;
    let keyed = Keyed { key: key.to_string(), fingerprint };
    Ok(web::Json(reverse_payout(&app, scope, payout, reason, &actor, keyed).await?.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    channel_account: Option<ChannelAccountId>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// Payouts, the last one first.
#[utoipa::path(get, path = "/v1/payouts", tag = "payouts", params(ListQuery),
    responses((status = 200, body = Page<PayoutView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<PayoutView>>, Problem> {
    let (scope, ListQuery { channel_account, cursor, limit }) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(limit)?, paging::after(cursor.as_deref())?);
    let stored = app.store().read(move |tx| payouts::list(tx, &scope, channel_account, after, limit + 1)).await?;
    Ok(web::Json(paging::page(stored, limit, |last| Cursor { at: last.entered_at, id: last.id })))
}
