//! `/v1/payments/{payment}/settlements` and `/v1/settlements/{settlement}`: two persons say how a stuck payment or refund
//! ended. See [`crate::payments`] for what stands against it.

use actix_web::{HttpResponse, web};
use saoma_protocol::{HandSettlementId, Millis, PaymentId, RefundId, api::Page};
use saoma_store::{
    Principal,
    hand_settlements::{self, HandSettlement},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payments::load;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ConfirmSettlements, Needs, ReadPayments, SettleByHand},
        },
        idempotency::{IdempotencyKey, fingerprint},
        no_body::NoBody,
        problem::{FORBIDDEN, INVALID, Problem},
        router::other_method,
        text,
    },
    payments::{PaymentError, Proposal, confirm as confirm_settlement, propose, withdraw as withdraw_settlement},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/payments/{payment}/settlements")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/settlements/{settlement}/confirm")
                .route(web::post().to(confirm))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/settlements/{settlement}/withdraw")
                .route(web::post().to(withdraw))
                .default_service(web::to(other_method)),
        );
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandOutcome {
    Paid,
    NotPaid,
}

/// How a person says that it ended.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSettlement {
    outcome: HandOutcome,
    /// The refund that is stuck; without it the payment itself.
    #[serde(default)]
    refund: Option<RefundId>,
    /// The channel's own number of the movement. Needed for what was paid.
    #[serde(default)]
    reference: Option<String>,
    /// Where this was seen.
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct SettlementView {
    id: HandSettlementId,
    payment: PaymentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundId>,
    outcome: HandOutcome,
    reference: String,
    reason: String,
    /// `proposed`, `carried_out`, `refused` (the channel says otherwise) or `withdrawn`.
    state: String,
    proposed_by: String,
    proposed_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Millis>,
    /// What the channel said against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<HandSettlement> for SettlementView {
    fn from(stored: HandSettlement) -> Self {
        Self {
            id: stored.id,
            payment: stored.payment,
            refund: stored.refund,
            outcome: if stored.paid { HandOutcome::Paid } else { HandOutcome::NotPaid },
            reference: stored.reference,
            reason: stored.reason,
            state: stored.state.text().to_owned(),
            proposed_by: stored.proposed_by,
            proposed_at: stored.proposed_at,
            decided_by: stored.decided_by,
            decided_at: stored.decided_at,
            why: stored.outcome.filter(|why| !why.is_empty()),
        }
    }
}

/// Machines do not settle by hand.
pub(super) fn person<N: Needs>(caller: &Caller<N>) -> Result<String, Problem> {
    match caller.principal() {
        Principal::User { .. } => Ok(caller.actor()),
        _ => Err(Problem::new(FORBIDDEN, "This is for people who sign in.")),
    }
}

/// Proposes how a stuck payment or refund ended. Nothing is settled before a second person confirms it. What was called paid by hand can be
/// called not paid in the same way as long as the channel has not said that it is paid and nothing of it was given back: it is then taken
/// out of the books.
///
/// The `Idempotency-Key` names the proposal. The same request again is answered with it as it then stands (200 instead of
/// 201); another request with this key is refused.
#[utoipa::path(post, path = "/v1/payments/{payment}/settlements", tag = "settlements", request_body = CreateSettlement,
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = SettlementView), (status = 200, body = SettlementView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<SettleByHand>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<CreateSettlement>,
) -> Result<HttpResponse, Problem> {
    let (scope, payment, actor) = (caller.scope()?, payment.into_inner(), person(&caller)?);
    load(&app, caller.principal(), scope, payment).await?;
    let asked = format!("POST /v1/payments/{payment}/settlements");
    let fingerprint = fingerprint(&app, &asked, caller.principal(), &*body)?;
    let CreateSettlement { outcome, refund, reference, reason } = body.into_inner();
    let reference = text::optional(reference, "/reference")?.unwrap_or_default();
    let paid = outcome == HandOutcome::Paid;
    if paid && reference.is_empty() {
        return Err(Problem::new(INVALID, "What was paid has a number at the channel.").at("/reference"));
    }
    let reason = text::name(&reason, "/reason")?;
    let id = HandSettlementId::for_key(scope.tenant(), payment, &key);
    let wish = Proposal { id, payment, refund, paid, reference, reason, actor, fingerprint };
    let (proposed, new) = propose(&app, scope, wish).await?;
    let view = SettlementView::from(proposed);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// The settlements by hand of a payment and its refunds, oldest first.
#[utoipa::path(get, path = "/v1/payments/{payment}/settlements", tag = "settlements",
    params(("payment" = PaymentId, Path)), responses((status = 200, body = Page<SettlementView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
) -> Result<web::Json<Page<SettlementView>>, Problem> {
    let (scope, payment) = (caller.scope()?, payment.into_inner());
    load(&app, caller.principal(), scope, payment).await?;
    let stored = app.store().read(move |tx| hand_settlements::of_payment(tx, &scope, payment)).await?;
    Ok(web::Json(Page { items: stored.into_iter().map(SettlementView::from).collect(), next_cursor: None }))
}

/// Carries a settlement out, as a second person. The channel is asked once more before, and what it says goes first.
/// The same person may ask again, with any key, and hears how it stands.
#[utoipa::path(post, path = "/v1/settlements/{settlement}/confirm", tag = "settlements",
    params(("settlement" = HandSettlementId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = SettlementView)))]
pub async fn confirm(
    app: web::Data<App>,
    caller: Caller<ConfirmSettlements>,
    settlement: web::Path<HandSettlementId>,
    _key: IdempotencyKey,
    _body: NoBody,
) -> Result<web::Json<SettlementView>, Problem> {
    let (scope, id, actor) = (caller.scope()?, settlement.into_inner(), person(&caller)?);
    let task_app = app.get_ref().clone();
    let work = async move { confirm_settlement(&task_app, scope, id, &actor).await };
    let done = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))?;
    let done = done.map_err(PaymentError::once_begun)?;
    Ok(web::Json(done.into()))
}

/// Takes a settlement back before it is confirmed. The same person may ask again, with any key, and hears how it stands.
#[utoipa::path(post, path = "/v1/settlements/{settlement}/withdraw", tag = "settlements",
    params(("settlement" = HandSettlementId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = SettlementView)))]
pub async fn withdraw(
    app: web::Data<App>,
    caller: Caller<ConfirmSettlements>,
    settlement: web::Path<HandSettlementId>,
    _key: IdempotencyKey,
    _body: NoBody,
) -> Result<web::Json<SettlementView>, Problem> {
    let (scope, id, actor) = (caller.scope()?, settlement.into_inner(), person(&caller)?);
    Ok(web::Json(withdraw_settlement(&app, scope, id, &actor).await?.into()))
}
