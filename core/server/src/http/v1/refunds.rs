//! `/v1/payments/{payment}/refunds` and `/void`: giving money back.

use actix_web::{HttpResponse, web};
use saoma_protocol::{
    Amount, PaymentId, RefundId,
    api::{CreateRefund, Page, RefundKind, RefundView},
};
use saoma_store::refunds;
use serde::Deserialize;
use utoipa::ToSchema;

use super::payments::load;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{GiveRefunds, ReadPayments},
        },
        idempotency::IdempotencyKey,
        problem::Problem,
        router::other_method,
        text,
    },
    payments::{GiveBack, give_back, refund_view},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/payments/{payment}/refunds")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/payments/{payment}/void")
                .route(web::post().to(void))
                .default_service(web::to(other_method)),
        );
}

/// Why the whole sale is undone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVoid {
    #[serde(default)]
    reason: Option<String>,
}

/// Gives back a part or all of a payment.
///
/// The `Idempotency-Key` names the refund. Sent again it answers with the refund as it then stands (200 instead of 201).
#[utoipa::path(post, path = "/v1/payments/{payment}/refunds", tag = "refunds", request_body = CreateRefund,
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RefundView), (status = 200, body = RefundView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<GiveRefunds>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<CreateRefund>,
) -> Result<HttpResponse, Problem> {
    let CreateRefund { amount, reason } = body.into_inner();
    carry_out(&app, &caller, payment.into_inner(), &key, RefundKind::Refund, Some(amount), reason).await
}

/// Undoes a whole payment on its day.
#[utoipa::path(post, path = "/v1/payments/{payment}/void", tag = "refunds", request_body = CreateVoid,
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RefundView), (status = 200, body = RefundView)))]
pub async fn void(
    app: web::Data<App>,
    caller: Caller<GiveRefunds>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<CreateVoid>,
) -> Result<HttpResponse, Problem> {
    carry_out(&app, &caller, payment.into_inner(), &key, RefundKind::Void, None, body.into_inner().reason).await
}

async fn carry_out(
    app: &App,
    caller: &Caller<GiveRefunds>,
    payment: PaymentId,
    key: &str,
    kind: RefundKind,
    amount: Option<Amount>,
    reason: Option<String>,
) -> Result<HttpResponse, Problem> {
    let scope = caller.scope()?;
    load(app, caller.principal(), scope, payment).await?;
    let id = key.parse().unwrap_or_else(|_| RefundId::for_key(scope.tenant(), payment, key));
    let reason = text::optional(reason, "/reason")?;
    let wish = GiveBack { id, payment, kind, amount, reason, actor: caller.actor() };
    let (refund, _, new) = give_back(app, scope, wish).await?;
    let view = refund_view(&refund);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// The refunds and voids of a payment, oldest first.
#[utoipa::path(get, path = "/v1/payments/{payment}/refunds", tag = "refunds", params(("payment" = PaymentId, Path)),
    responses((status = 200, body = Page<RefundView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
) -> Result<web::Json<Page<RefundView>>, Problem> {
    let (scope, payment) = (caller.scope()?, payment.into_inner());
    load(&app, caller.principal(), scope, payment).await?;
    let stored = app.store().read(move |tx| refunds::of_payment(tx, &scope, payment)).await?;
    Ok(web::Json(Page { items: stored.iter().map(refund_view).collect(), next_cursor: None }))
}
