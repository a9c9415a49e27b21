//! `/v1/webhook-endpoints`: where the merchant hears of events.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_channels::url_is_allowed;
use saoma_protocol::{Millis, WebhookDeliveryId, WebhookEndpointId, WebhookEventId, api::Page};
use saoma_store::{
    StoreError, Tx,
    webhooks::{self, Disabled, Endpoint},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageWebhooks},
        idempotency::IdempotencyKey,
        no_body::NoBody,
        once::{Wish, answered},
        problem::{INVALID, Problem, WEBHOOK_DISABLED, WEBHOOK_URL_REFUSED},
        router::other_method,
        text,
    },
    webhooks::{EventType, signature::secret_text, tell_trial},
};

/// Each event is sent to each of them.
const ENDPOINTS_MAX: u32 = 16;
const URL_LEN_MAX: usize = 2_048;
/// How long the old secret signs beside the new one.
const OVERLAP_SECONDS_DEFAULT: u32 = 24 * 3_600;
const OVERLAP_SECONDS_MAX: u32 = 7 * 24 * 3_600;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/webhook-endpoints")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-endpoints/{endpoint}")
                .route(web::get().to(show))
                .route(web::patch().to(change))
                .route(web::delete().to(delete))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-endpoints/{endpoint}/rotate-secret")
                .route(web::post().to(rotate_secret))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/webhook-endpoints/{endpoint}/test")
                .route(web::post().to(send_test))
                .default_service(web::to(other_method)),
        );
}

/// Why nothing is sent to an endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    ByPerson,
    /// A delivery failed for three days, and none succeeded meanwhile (or the endpoint is ordered).
    Failing,
    /// The receiver answered 410.
    Gone,
}

/// An endpoint, without its secret: that was shown once.
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointView {
    id: WebhookEndpointId,
    url: String,
    description: String,
    /// Empty: all. As text, since there may be types that are no more.
    event_types: Vec<String>,
    /// One at a time, in the order of the events; the next only after a success.
    ordered: bool,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<Millis>,
    /// Until then the secret before the present one signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Millis>,
    created_at: Millis,
    updated_at: Millis,
}

fn view(endpoint: Endpoint, now: Millis) -> WebhookEndpointView {
    let reason = endpoint.disabled.map(|(reason, _)| match reason {
        Disabled::ByPerson => DisabledReason::ByPerson,
        Disabled::Failing => DisabledReason::Failing,
        Disabled::Gone => DisabledReason::Gone,
    });
    WebhookEndpointView {
        id: endpoint.id,
        url: endpoint.url,
        description: endpoint.description,
        event_types: endpoint.event_types,
        ordered: endpoint.ordered,
        enabled: endpoint.disabled.is_none(),
        disabled_reason: reason,
        disabled_at: endpoint.disabled.map(|(_, at)| at),
        last_success_at: endpoint.last_success_at,
        previous_secret_until: endpoint.previous_until.filter(|until| *until > now),
        created_at: endpoint.created_at,
        updated_at: endpoint.updated_at,
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookEndpoint {
    /// `https://…`, at most 2,048 characters, at a public address.
    url: String,
    /// Without it, or empty: all.
    #[serde(default)]
    event_types: Vec<EventType>,
    /// One at a time, in the order of the events; the next only after a success. Cannot be changed later.
    #[serde(default)]
    ordered: bool,
    /// At most 128 characters.
    #[serde(default)]
    description: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWebhookEndpoint {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    event_types: Option<Vec<EventType>>,
    #[serde(default)]
    description: Option<String>,
    /// A disabled one hears of nothing that happens meanwhile; what was queued before waits, and has three days again once
    /// it is enabled. What was given up before is sent once more only by a replay.
    #[serde(default)]
    enabled: Option<bool>,
}

/// A new endpoint. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedWebhookEndpoint {
    endpoint: WebhookEndpointView,
    /// `whsec_` and base64, as libraries for Standard Webhooks take it.
    secret: String,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhookSecret {
    /// How long the old secret signs too, 0 to 604,800 (7 days); 86,400 without it. 0 for one that got out.
    #[serde(default)]
    overlap_seconds: Option<u32>,
}

/// Where to look for the trial's outcome once it was sent.
#[derive(Serialize, ToSchema)]
pub struct WebhookTest {
    event: WebhookEventId,
    delivery: WebhookDeliveryId,
}

/// The merchant's endpoints, oldest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    responses((status = 200, body = Page<WebhookEndpointView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
) -> Result<web::Json<Page<WebhookEndpointView>>, Problem> {
    let (scope, now) = (caller.scope()?, app.now());
    let endpoints = app.store().read(move |tx| webhooks::list(tx, &scope)).await?;
    let items = endpoints.into_iter().map(|endpoint| view(endpoint, now)).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// Adds an endpoint. It hears of what happens from now on.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", request_body = CreateWebhookEndpoint,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = CreatedWebhookEndpoint)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    key: IdempotencyKey,
    body: web::Json<CreateWebhookEndpoint>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/webhook-endpoints", &caller, &key, &*body)?;
    let (scope, who, body, now) = (caller.scope()?, caller.principal().clone(), body.into_inner(), app.now());
    let endpoint = Endpoint {
        id: WebhookEndpointId::from_bytes(app.random_16()?),
        url: checked_url(&app, &body.url)?,
        description: text::optional(Some(body.description), "/description")?.unwrap_or_default(),
        event_types: types(&body.event_types)?,
        ordered: body.ordered,
        previous_until: None,
        disabled: None,
        last_success_at: None,
        created_at: now,
        updated_at: now,
    };
    let secret = app.random_32()?;
    let vault = app.vault().clone();
    let add = move |tx: &mut Tx<'_>| {
        let sealed = vault.seal(tx, scope, &endpoint.id, &secret, now)?;
        webhooks::create(tx, &scope, &endpoint, &sealed, ENDPOINTS_MAX)?;
        let detail = json!({ "host": host(&endpoint.url), "ordered": endpoint.ordered });
        note(tx, &who, "webhook_endpoint.created", &endpoint.id, &detail, now)?;
        Ok(CreatedWebhookEndpoint { endpoint: view(endpoint.clone(), now), secret: secret_text(&secret) })
    };
    answered(&app, scope, wish, StatusCode::CREATED, add).await
}

/// One endpoint.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path)), responses((status = 200, body = WebhookEndpointView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
) -> Result<web::Json<WebhookEndpointView>, Problem> {
    let (scope, endpoint) = (caller.scope()?, endpoint.into_inner());
    let endpoint = app.store().read(move |tx| webhooks::load(tx, &scope, endpoint)).await?;
    Ok(web::Json(view(endpoint, app.now())))
}

/// Changes what is named, and disables or enables.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path)), request_body = ChangeWebhookEndpoint,
    responses((status = 200, body = WebhookEndpointView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
    body: web::Json<ChangeWebhookEndpoint>,
) -> Result<web::Json<WebhookEndpointView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), endpoint.into_inner(), app.now());
    let body = body.into_inner();
    let url = body.url.map(|url| checked_url(&app, &url)).transpose()?;
    let event_types = body.event_types.map(|given| types(&given)).transpose()?;
    let description = text::optional(body.description, "/description")?;
    let changed = app
        .store()
        .write(move |tx| {
            match body.enabled {
                Some(true) => webhooks::enable(tx, &scope, id, now)?,
                Some(false) => webhooks::disable(tx, &scope, id, Disabled::ByPerson, now)?,
                None => {}
            }
            let mut endpoint = webhooks::load(tx, &scope, id)?;
            endpoint.url = url.clone().unwrap_or(endpoint.url);
            endpoint.event_types = event_types.clone().unwrap_or(endpoint.event_types);
            endpoint.description = description.clone().unwrap_or(endpoint.description);
            endpoint.updated_at = now;
            webhooks::update(tx, &scope, &endpoint)?;
            let detail = json!({ "host": host(&endpoint.url), "enabled": endpoint.disabled.is_none() });
            note(tx, &who, "webhook_endpoint.changed", &id, &detail, now)?;
            Ok::<_, StoreError>(endpoint)
        })
        .await?;
    app.wake_outbox();
    Ok(web::Json(view(changed, now)))
}

/// Ends an endpoint, with all that was and would be sent to it.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path)), responses((status = 204)))]
pub async fn delete(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), endpoint.into_inner(), app.now());
    app.store()
        .write(move |tx| {
            webhooks::delete(tx, &scope, id)?;
            note(tx, &who, "webhook_endpoint.deleted", &id, &json!({}), now)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a new secret. For the time of the overlap each request carries a signature of both, so that the receiver can change
/// over at any moment.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/rotate-secret", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path), ("Idempotency-Key" = String, Header)), request_body = RotateWebhookSecret,
    responses((status = 200, body = CreatedWebhookEndpoint)))]
pub async fn rotate_secret(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
    key: IdempotencyKey,
    body: web::Json<RotateWebhookSecret>,
) -> Result<HttpResponse, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), endpoint.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/webhook-endpoints/{id}/rotate-secret"), &caller, &key, &*body)?;
    let seconds = body.overlap_seconds.unwrap_or(OVERLAP_SECONDS_DEFAULT);
    if seconds > OVERLAP_SECONDS_MAX {
        return Err(Problem::new(INVALID, "The old secret signs for at most 7 days.").at("/overlap_seconds"));
    }
    let until = now.plus(i64::from(seconds) * 1_000);
    let secret = app.random_32()?;
    let vault = app.vault().clone();
    let rotate = move |tx: &mut Tx<'_>| {
        let sealed = vault.seal(tx, scope, &id, &secret, now)?;
        webhooks::add_secret(tx, &scope, id, &sealed, until, now)?;
        note(tx, &who, "webhook_endpoint.secret_rotated", &id, &json!({ "overlap_seconds": seconds }), now)?;
        let endpoint = view(webhooks::load(tx, &scope, id)?, now);
        Ok(CreatedWebhookEndpoint { endpoint, secret: secret_text(&secret) })
    };
    answered(&app, scope, wish, StatusCode::OK, rotate).await
}

/// Sends a `webhook.test` to this endpoint, whatever types it wants. To an ordered one it comes in its turn.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/test", tag = "webhooks",
    params(("endpoint" = WebhookEndpointId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 202, body = WebhookTest)))]
pub async fn send_test(
    app: web::Data<App>,
    caller: Caller<ManageWebhooks>,
    endpoint: web::Path<WebhookEndpointId>,
    key: IdempotencyKey,
    _body: NoBody,
) -> Result<HttpResponse, Problem> {
    let (scope, id, now) = (caller.scope()?, endpoint.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/webhook-endpoints/{id}/test"), &caller, &key, &())?;
    let send = move |tx: &mut Tx<'_>| {
        must_be_enabled(&webhooks::load(tx, &scope, id)?)?;
        let event = tell_trial(tx, &scope, id, now)?;
        Ok(WebhookTest { event, delivery: WebhookDeliveryId::of(id, event) })
    };
    let sent = answered(&app, scope, wish, StatusCode::ACCEPTED, send).await?;
    app.wake_outbox();
    Ok(sent)
}

/// # Errors
/// `WEBHOOK_DISABLED`.
pub(super) fn must_be_enabled(endpoint: &Endpoint) -> Result<(), Problem> {
    match endpoint.disabled {
        None => Ok(()),
        Some(_) => Err(Problem::new(WEBHOOK_DISABLED, "Enable the endpoint first; nothing is sent to it now.")),
    }
}

fn checked_url(app: &App, given: &str) -> Result<String, Problem> {
    let refused = |why: &str| Problem::new(WEBHOOK_URL_REFUSED, format!("This URL cannot be used: {why}.")).at("/url");
    if given.len() > URL_LEN_MAX {
        return Err(refused("it is longer than 2,048 characters"));
    }
    let url: Url = given.trim().parse().map_err(|error| refused(&format!("{error}")))?;
    url_is_allowed(&url, app.config().webhooks.allow_private_addresses).map_err(|why| refused(&why))?;
    Ok(url.into())
}

fn types(given: &[EventType]) -> Result<Vec<String>, Problem> {
    let mut texts = given.iter().map(|one| one.text()).collect::<Result<Vec<_>, _>>()?;
    texts.sort();
    texts.dedup();
    Ok(texts)
}

/// For the audit log: a path may hold the receiver's own secret.
fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}
