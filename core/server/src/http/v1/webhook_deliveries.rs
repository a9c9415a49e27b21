//! Deliveries of webhooks: what became of them, and sending them once more.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{Millis, Sequence, WebhookDeliveryId, WebhookEndpointId, WebhookEventId, api::Page};
use saoma_store::{
    Tx,
    webhooks::{self, Attempt, Delivery, Filter, State},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{audit::note, webhooks::must_be_enabled};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageWebhooks},
        idempotency::IdempotencyKey,
        no_body::NoBody,
        once::{Wish, answered},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
    },
};

/// Deliveries that one replay of a time range sends: an hour of a busy shop chain.
const REPLAY_MAX: u32 = 10_000;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/webhook-endpoints/{endpoint}/deliveries")
                .route(web::get().to(list))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-endpoints/{endpoint}/replay")
                .route(web::post().to(replay_range))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-deliveries/{delivery}")
                .route(web::get().to(show))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-deliveries/{delivery}/replay")
                .route(web::post().to(replay))
                .default_service(web::to(other_method)),
        );
}

/// Where a delivery stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDeliveryState {
    /// Being sent, or to be sent: `next_at` says when, unless it waits for the one before it or for its endpoint.
    Pending,
    /// The receiver answered 2xx.
    Succeeded,
    /// Given up after three days, or because the receiver answered 410.
    Failed,
}

impl From<State> for WebhookDeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
        }
    }
}

impl From<WebhookDeliveryState> for State {
    fn from(state: WebhookDeliveryState) -> Self {
        match state {
            WebhookDeliveryState::Pending => Self::Pending,
            WebhookDeliveryState::Succeeded => Self::Succeeded,
            WebhookDeliveryState::Failed => Self::Failed,
        }
    }
}

/// One event on its way to one endpoint.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    id: WebhookDeliveryId,
    endpoint: WebhookEndpointId,
    /// The request's `webhook-id`, the same each time.
    event: WebhookEventId,
    event_type: String,
    state: WebhookDeliveryState,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Millis>,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Millis>,
}

impl From<Delivery> for WebhookDeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            endpoint: delivery.endpoint,
            event: delivery.event,
            event_type: delivery.event_type,
            state: delivery.state.into(),
            attempts: delivery.attempts,
            next_at: delivery.next_at,
            created_at: delivery.created_at,
            done_at: delivery.done_at,
        }
    }
}

/// What came of one attempt.
#[derive(Serialize, ToSchema)]
pub struct WebhookAttemptView {
    /// From 1. A gap: core ended before it could write down what came of it.
    number: u32,
    at: Millis,
    duration_ms: u64,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The beginning of the answer, at most 2 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl From<Attempt> for WebhookAttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { number, at, duration_ms, status, error, body } = attempt;
        Self { number, at, duration_ms, status, error, body }
    }
}

/// A delivery with what was sent and what came back.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryDetail {
    delivery: WebhookDeliveryView,
    /// Oldest first.
    attempts: Vec<WebhookAttemptView>,
    /// The request's body; see `WebhookEvent_PaymentView` and its like.
    payload: Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<u64>,
    state: Option<WebhookDeliveryState>,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayWebhooks {
    /// Of events from here on…
    from: Millis,
    /// …to before here.
    to: Millis,
    /// Also those that succeeded. The receiver knows them by their `webhook-id`.
    #[serde(default)]
    succeeded_too: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ReplayedWebhooks {
    count: u32,
}

/// What was and will be sent to an endpoint, newest event first. What is done is kept for 30 days.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}/deliveries", tag = "webhooks",
    operation_id = "list_deliveries",
    params(("endpoint" = WebhookEndpointId, Path), DeliveriesQuery),
    responses((status = 200, body = Page<WebhookDeliveryView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
    query: web::Query<DeliveriesQuery>,
) -> Result<web::Json<Page<WebhookDeliveryView>>, Problem> {
    let (scope, endpoint, query) = (caller.scope()?, endpoint.into_inner(), query.into_inner());
    let limit = paging::limit(query.limit)?;
    let filter = Filter { state: query.state.map(State::from), before: query.cursor.map(Sequence) };
    let deliveries = app
        .store()
        .read(move |tx| {
            webhooks::load(tx, &scope, endpoint)?;
            webhooks::list_deliveries(tx, &scope, endpoint, filter, limit + 1)
        })
        .await?;
    Ok(web::Json(paging::page(deliveries, limit, |last| last.sequence)))
}

/// One delivery, with its attempts.
#[utoipa::path(get, path = "/v1/webhook-deliveries/{delivery}", tag = "webhooks", operation_id = "show_delivery",
    params(("delivery" = WebhookDeliveryId, Path)), responses((status = 200, body = WebhookDeliveryDetail)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    delivery: web::Path<WebhookDeliveryId>,
) -> Result<web::Json<WebhookDeliveryDetail>, Problem> {
    let (scope, id) = (caller.scope()?, delivery.into_inner());
    let (delivery, attempts) = app
        .store()
        .read(move |tx| {
            Ok::<_, saoma_store::StoreError>((
                webhooks::load_delivery(tx, &scope, id)?,
                webhooks::attempts(tx, &scope, id)?,
            ))
        })
        .await?;
    let payload = serde_json::from_str(&delivery.payload).map_err(|error| Problem::internal(&error))?;
    let attempts = attempts.into_iter().map(WebhookAttemptView::from).collect();
    Ok(web::Json(WebhookDeliveryDetail { delivery: delivery.into(), attempts, payload }))
}

/// Sends a delivery once more that succeeded or failed, with three days before it. A pending one is on its way already.
#[utoipa::path(post, path = "/v1/webhook-deliveries/{delivery}/replay", tag = "webhooks",
    operation_id = "replay_delivery",
    params(("delivery" = WebhookDeliveryId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = WebhookDeliveryView)))]
pub async fn replay(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    delivery: web::Path<WebhookDeliveryId>,
    key: IdempotencyKey,
    _body: NoBody,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), delivery.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/webhook-deliveries/{id}/replay"), &caller, &key, &())?;
    let again = move |tx: &mut Tx<'_>| {
        let endpoint = webhooks::load_delivery(tx, &scope, id)?.endpoint;
        must_be_enabled(&webhooks::load(tx, &scope, endpoint)?)?;
        let delivery = webhooks::replay(tx, &scope, id, now)?;
        note(tx, &who, "webhook_delivery.replayed", &id, &json!({ "endpoint": endpoint }), now)?;
        Ok(WebhookDeliveryView::from(delivery))
    };
    let replayed = answered(&app, scope, wish, StatusCode::ACCEPTED, again).await?;
    app.wake_outbox();
    Ok(replayed)
}

/// Sends once more what failed of a time range, at most 10,000 deliveries.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/replay", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path), ("Idempotency-Key" = String, Header)), request_body = ReplayWebhooks,
    responses((status = 202, body = ReplayedWebhooks)))]
pub async fn replay_range(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
    key: IdempotencyKey,
    body: web::Json<ReplayWebhooks>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), endpoint.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/webhook-endpoints/{id}/replay"), &caller, &key, &*body)?;
    let ReplayWebhooks { from, to, succeeded_too } = body.into_inner();
    if from >= to {
        return Err(Problem::new(INVALID, "It must be later than `from`.").at("/to"));
    }
    let again = move |tx: &mut Tx<'_>| {
        must_be_enabled(&webhooks::load(tx, &scope, id)?)?;
        let count = webhooks::replay_range(tx, &scope, id, (from, to), !succeeded_too, REPLAY_MAX, now)?;
        let detail = json!({ "from": from, "to": to, "succeeded_too": succeeded_too, "count": count });
        note(tx, &who, "webhook_endpoint.replayed", &id, &detail, now)?;
        Ok(ReplayedWebhooks { count })
    };
    let replayed = answered(&app, scope, wish, StatusCode::ACCEPTED, again).await?;
    app.wake_outbox();
    Ok(replayed)
}
