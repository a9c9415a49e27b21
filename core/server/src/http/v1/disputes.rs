//! `/v1/payments/{payment}/disputes` and `/v1/disputes`: customers' disputes of payments (拒付, chargebacks).
//!
//! Persons write down what the channel says, and what they answered there: see [`crate::payments`].

use actix_web::{HttpResponse, web};
use saoma_domain::dispute::Outcome;
use saoma_protocol::{Amount, ChannelAccountId, DisputeId, Millis, PaymentId, api::Page};
use saoma_store::disputes::{self, Cursor, Filter, StoredDispute};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{payments::load, settlements::person};
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{HandleDisputes, ReadBooks},
        },
        idempotency::{IdempotencyKey, fingerprint},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
    payments::{Deed, DisputeState, DisputeStep, DisputeView, Opening, dispute_view, open_dispute, step_dispute},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let step = |path: &str, route: actix_web::Route| {
        web::resource(format!("/disputes/{{dispute}}/{path}")).route(route).default_service(web::to(other_method))
    };
    config
        .service(
            web::resource("/payments/{payment}/disputes")
                .route(web::post().to(open))
                .default_service(web::to(other_method)),
        )
        .service(web::resource("/disputes").route(web::get().to(list)).default_service(web::to(other_method)))
        .service(web::resource("/disputes/{dispute}").route(web::get().to(show)).default_service(web::to(other_method)))
        .service(step("respond-by", web::post().to(respond_by)))
        .service(step("submit", web::post().to(submit)))
        .service(step("accept", web::post().to(accept)))
        .service(step("close", web::post().to(close)));
}

/// A case as the channel has opened it.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenDispute {
    /// What the channel has taken back: all of the payment, a part of it, or more than is left.
    amount: Amount,
    /// The channel's own number of the case: one of an account is written down once.
    case_reference: String,
    /// Why the customer disputes it, as the scheme numbers reasons, such as `10.4`.
    #[serde(default)]
    reason_code: Option<String>,
    /// Until when the channel waits for evidence, if it says so.
    #[serde(default)]
    respond_by: Option<Millis>,
}

/// Until when the channel waits.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskForResponse {
    respond_by: Millis,
}

/// What was handed in at the channel.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitEvidence {
    /// A document a line: what it is, and where it lies. 1 to 20.
    evidence: Vec<String>,
}

/// Why it is not contested.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptDispute {
    reason: String,
}

#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// The merchant has the money back.
    Won,
    /// The customer has it.
    Lost,
}

/// How the channel has decided.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseDispute {
    outcome: DisputeOutcome,
    /// What the channel charged for the case, whoever won.
    #[serde(default)]
    fee: Option<Amount>,
}

/// Most documents of one answer: more than any scheme takes.
const EVIDENCE_LINES_MAX: usize = 20;

/// Writes down that a customer disputes a payment, for people alone. The channel has taken the money back, so that it cannot
/// be refunded as well: a refund of it is refused with `payment_disputed`. More than is left of the payment is written down all
/// the same, and calls a person.
///
/// A payment can have several; an inquiry for which the channel takes no money is none. The `Idempotency-Key` names the
/// dispute. The same request again is answered with it (200 instead of 201); another request with this key is refused.
#[utoipa::path(post, path = "/v1/payments/{payment}/disputes", tag = "disputes", request_body = OpenDispute,
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = DisputeView), (status = 200, body = DisputeView)))]
pub async fn open(
    app: web::Data<App>,
    caller: Caller<HandleDisputes>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<OpenDispute>,
) -> Result<HttpResponse, Problem> {
    let (scope, payment, actor) = (caller.scope()?, payment.into_inner(), person(&caller)?);
    load(&app, caller.principal(), scope, payment).await?;
    let fingerprint = fingerprint(&app, &format!("POST /v1/payments/{payment}/disputes"), caller.principal(), &*body)?;
    let OpenDispute { amount, case_reference, reason_code, respond_by } = body.into_inner();
    let opening = Opening {
        id: DisputeId::for_key(scope.tenant(), payment, &key),
        fingerprint,
        payment,
        amount,
        case_reference: text::name(&case_reference, "/case_reference")?,
        reason_code: text::optional(reason_code, "/reason_code")?,
        respond_by: respond_by.map(moment).transpose()?,
        actor,
    };
    let (dispute, new) = open_dispute(&app, scope, opening).await?;
    let view = dispute_view(&dispute);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// A moment of the years 2000 to 2099: seconds instead of milliseconds would be in 1970.
fn moment(at: Millis) -> Result<Millis, Problem> {
    if (946_684_800_000..4_102_444_800_000).contains(&at.0) {
        return Ok(at);
    }
    Err(Problem::new(INVALID, "This is no moment in milliseconds since 1970.").at("/respond_by"))
}

/// Which disputes to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    state: Option<DisputeState>,
    payment: Option<PaymentId>,
    channel_account: Option<ChannelAccountId>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// The merchant's disputes, newest first.
#[utoipa::path(get, path = "/v1/disputes", tag = "disputes", params(ListQuery),
    responses((status = 200, body = Page<DisputeView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<DisputeView>>, Problem> {
    let (scope, ListQuery { state, payment, channel_account, cursor, limit }) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(limit)?, paging::after(cursor.as_deref())?);
    let filter = Filter { state: state.map(DisputeState::text), payment, channel_account };
    let found = app.store().read(move |tx| disputes::list(tx, &scope, &filter, after, limit + 1)).await?;
    Ok(web::Json(paging::page(found, limit, |last| Cursor { at: last.created_at, id: last.dispute.id })))
}

impl From<StoredDispute> for DisputeView {
    fn from(stored: StoredDispute) -> Self {
        dispute_view(&stored)
    }
}

/// One dispute. What happened to it stands in its payment's timeline.
#[utoipa::path(get, path = "/v1/disputes/{dispute}", tag = "disputes", params(("dispute" = DisputeId, Path)),
    responses((status = 200, body = DisputeView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    dispute: web::Path<DisputeId>,
) -> Result<web::Json<DisputeView>, Problem> {
    let (scope, dispute) = (caller.scope()?, dispute.into_inner());
    Ok(web::Json(app.store().read(move |tx| disputes::load(tx, &scope, dispute)).await?.into()))
}

/// Writes down that the channel asks for evidence: once more (pre-arbitration), or until another moment. For people alone.
#[utoipa::path(post, path = "/v1/disputes/{dispute}/respond-by", tag = "disputes", request_body = AskForResponse,
    params(("dispute" = DisputeId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DisputeView)))]
pub async fn respond_by(
    app: web::Data<App>,
    caller: Caller<HandleDisputes>,
    dispute: web::Path<DisputeId>,
    key: IdempotencyKey,
    body: web::Json<AskForResponse>,
) -> Result<web::Json<DisputeView>, Problem> {
    let deed = Deed::Asked { respond_by: moment(body.respond_by)? };
    take(&app, &caller, dispute.into_inner(), "respond-by", &key, &*body, deed).await
}

/// Writes down that evidence was handed in at the channel, which now decides. For people alone.
#[utoipa::path(post, path = "/v1/disputes/{dispute}/submit", tag = "disputes", request_body = SubmitEvidence,
    params(("dispute" = DisputeId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DisputeView)))]
pub async fn submit(
    app: web::Data<App>,
    caller: Caller<HandleDisputes>,
    dispute: web::Path<DisputeId>,
    key: IdempotencyKey,
    body: web::Json<SubmitEvidence>,
) -> Result<web::Json<DisputeView>, Problem> {
    if !(1..=EVIDENCE_LINES_MAX).contains(&body.evidence.len()) {
        return Err(Problem::new(INVALID, format!("1 to {EVIDENCE_LINES_MAX} lines of evidence.")).at("/evidence"));
    }
    let lines = body.evidence.iter().enumerate().map(|(line, one)| text::name(one, &format!("/evidence/{line}")));
    let deed = Deed::Submit { evidence: lines.collect::<Result<_, _>>()? };
    take(&app, &caller, dispute.into_inner(), "submit", &key, &*body, deed).await
}

/// Writes down that the merchant has told the channel not to contest it. The channel's word still closes it: mostly as lost.
/// For people alone.
#[utoipa::path(post, path = "/v1/disputes/{dispute}/accept", tag = "disputes", request_body = AcceptDispute,
    params(("dispute" = DisputeId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DisputeView)))]
pub async fn accept(
    app: web::Data<App>,
    caller: Caller<HandleDisputes>,
    dispute: web::Path<DisputeId>,
    key: IdempotencyKey,
    body: web::Json<AcceptDispute>,
) -> Result<web::Json<DisputeView>, Problem> {
    let deed = Deed::Accept { reason: text::name(&body.reason, "/reason")? };
    take(&app, &caller, dispute.into_inner(), "accept", &key, &*body, deed).await
}

/// Writes down how the channel has decided, for people alone: what was held comes back, or is a loss, and the channel's fee is
/// booked. That is final; where the scheme takes the money once again, that is another case.
#[utoipa::path(post, path = "/v1/disputes/{dispute}/close", tag = "disputes", request_body = CloseDispute,
    params(("dispute" = DisputeId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DisputeView)))]
pub async fn close(
    app: web::Data<App>,
    caller: Caller<HandleDisputes>,
    dispute: web::Path<DisputeId>,
    key: IdempotencyKey,
    body: web::Json<CloseDispute>,
) -> Result<web::Json<DisputeView>, Problem> {
    let outcome = match body.outcome {
        DisputeOutcome::Won => Outcome::Won,
        DisputeOutcome::Lost => Outcome::Lost,
    };
    let deed = Deed::Close { outcome, fee: body.fee };
    take(&app, &caller, dispute.into_inner(), "close", &key, &*body, deed).await
}

async fn take(
    app: &App,
    caller: &Caller<HandleDisputes>,
    dispute: DisputeId,
    what: &str,
    key: &str,
    body: &impl Serialize,
    deed: Deed,
) -> Result<web::Json<DisputeView>, Problem> {
    let (scope, actor) = (caller.scope()?, person(caller)?);
    let fingerprint = fingerprint(app, &format!("POST /v1/disputes/{dispute}/{what}"), caller.principal(), body)?;
    let step = DisputeStep { dispute, deed, actor, key: key.to_owned(), fingerprint };
    Ok(web::Json(step_dispute(app, scope, step).await?.into()))
}
