//! `/v1/payments/{payment}/attend`: a person has seen to what core called for.

use actix_web::web;
use saoma_protocol::{PaymentId, api::PaymentView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{payments::load, settlements::person};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::SettleByHand},
        idempotency::IdempotencyKey,
        once::Wish,
        problem::Problem,
        router::other_method,
        text,
    },
    payments::{attend as end_call, payment_view},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/payments/{payment}/attend")
            .route(web::post().to(attend))
            .default_service(web::to(other_method)),
    );
}

/// What was done about it.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attend {
    reason: String,
}

/// Ends the call for a person that the payment or its refunds raised: `needs_attention` is then gone, the reason stays in
/// the timeline and the audit log. What is still open or in doubt goes on calling. A repeat changes nothing.
#[utoipa::path(post, path = "/v1/payments/{payment}/attend", tag = "settlements", request_body = Attend,
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = PaymentView)))]
pub async fn attend(
    app: web::Data<App>,
    caller: Caller<SettleByHand>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<Attend>,
) -> Result<web::Json<PaymentView>, Problem> {
    let (scope, payment, actor) = (caller.scope()?, payment.into_inner(), person(&caller)?);
    let known = load(&app, caller.principal(), scope, payment).await?;
    let wish = Wish::of(&app, &format!("POST /v1/payments/{payment}/attend"), &caller, &key, &*body)?;
    let reason = text::name(&body.into_inner().reason, "/reason")?;
    if wish.is_known_already(&app, scope).await? {
        return Ok(web::Json(payment_view(&app, &known)));
    }
    let ended = end_call(&app, scope, payment, reason, &actor).await?;
    wish.keep_afterwards(&app, scope, None).await?;
    Ok(web::Json(payment_view(&app, &ended)))
}
