//! `/v1/payments/{payment}/refunds` and `/void`: giving money back.

use actix_web::{HttpResponse, web};
use saoma_domain::payment::Method;
use saoma_protocol::{
    Amount, PaymentId, RefundId,
    api::{CreateRefund, Page, RefundKind, RefundView},
};
use saoma_store::{Principal, idempotency::Fingerprint, payments::Sale, refunds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payments::{Reach, load_within};
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{GiveRefunds, ReadPayments},
        },
        idempotency::{IdempotencyKey, fingerprint},
        problem::{NOT_IN_STATE, Problem},
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
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVoid {
    #[serde(default)]
    reason: Option<String>,
}

/// Gives back a part or all of a payment.
///
/// A terminal gives back what the terminals of its store took, but no cash of another's.
///
/// The `Idempotency-Key` names the refund. The same request again is answered with the refund as it then stands (200
/// instead of 201); another request with this key is refused.
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
    let payment = payment.into_inner();
    let fingerprint = fingerprint(&app, &format!("POST /v1/payments/{payment}/refunds"), caller.principal(), &*body)?;
    let CreateRefund { amount, reason } = body.into_inner();
    let what = What { payment, kind: RefundKind::Refund, amount: Some(amount), reason, fingerprint };
    carry_out(&app, &caller, &key, what).await
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
    let payment = payment.into_inner();
    let fingerprint = fingerprint(&app, &format!("POST /v1/payments/{payment}/void"), caller.principal(), &*body)?;
    let reason = body.into_inner().reason;
    let what = What { payment, kind: RefundKind::Void, amount: None, reason, fingerprint };
    carry_out(&app, &caller, &key, what).await
}

struct What {
    payment: PaymentId,
    kind: RefundKind,
    amount: Option<Amount>,
    reason: Option<String>,
    fingerprint: Fingerprint,
}

async fn carry_out(app: &App, caller: &Caller<GiveRefunds>, key: &str, what: What) -> Result<HttpResponse, Problem> {
    let What { payment, kind, amount, reason, fingerprint } = what;
    let scope = caller.scope()?;
    // A void is of the batch and the day of whoever sold it.
    let reach = if kind == RefundKind::Refund { Reach::Store } else { Reach::Own };
    let sale = load_within(app, caller.principal(), scope, payment, reach).await?;
    check_cash(caller.principal(), &sale)?;
    let id = match caller.principal() {
        Principal::Terminal { .. } => key.parse().ok(),
        _ => None,
    };
    let id = id.unwrap_or_else(|| RefundId::for_key(scope.tenant(), payment, key));
    let reason = text::optional(reason, "/reason")?;
    let wish = GiveBack { id, fingerprint: Some(fingerprint), payment, kind, amount, reason, actor: caller.actor() };
    let (refund, _, new) = give_back(app, scope, wish).await?;
    let view = refund_view(&refund);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// What is in another terminal's drawer that terminal gives back, perhaps without a network at this moment; or a person, out of the safe.
fn check_cash(principal: &Principal, sale: &Sale) -> Result<(), Problem> {
    let stored = &sale.payment;
    let is_anothers = match principal {
        Principal::Terminal { terminal, .. } => stored.terminal != Some(*terminal),
        Principal::Platform { .. } | Principal::User { .. } | Principal::ApiKey { .. } => false,
    };
    if is_anothers && stored.payment.method == Method::Cash {
        return Err(Problem::new(NOT_IN_STATE, "Cash goes back at the terminal that took it, or by a person."));
    }
    Ok(())
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
    load_within(&app, caller.principal(), scope, payment, Reach::Store).await?;
    let stored = app.store().read(move |tx| refunds::of_payment(tx, &scope, payment)).await?;
    Ok(web::Json(Page { items: stored.iter().map(refund_view).collect(), next_cursor: None }))
}
