//! One attempt: signed, sent, and its outcome written down with what follows from it.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, USER_AGENT};
use saoma_channels::{Answer, NoChance, NotAnswered, Outgoing};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    webhooks::{self, Attempt, Delivery, Disabled, Job, Next},
};
use tracing::Span;
use zeroize::Zeroizing;

use super::{pace::again_at, signature::sign};
use crate::{app::App, secrets::SecretsError};

/// The specification recommends 15 to 30 s. The shorter, since a receiver should write down and answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// As much of an answer as helps the receiver's owner to find the mistake.
const ANSWER_BYTES_MAX: usize = 2 << 10;

#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error("make a header")]
    Header(#[from] InvalidHeaderValue),
}

/// Sends what was claimed.
///
/// # Errors
/// What keeps core itself from trying, or from writing down what came of it: then the lease ends, and it is tried again.
pub async fn send(app: &App, outgoing: &Outgoing, job: Job) -> Result<(), AttemptError> {
    let Job { scope, delivery, url } = job;
    let (at, began) = (app.now(), Instant::now());
    let outcome = match url.parse() {
        Err(error) => Err(NotAnswered::Forbidden(format!("{error}"))),
        Ok(url) => match headers(app, scope, &delivery).await {
            Ok(headers) => {
                let body = delivery.payload.clone().into_bytes();
                outgoing.post(&url, headers, body, TIMEOUT, ANSWER_BYTES_MAX).await
            }
            Err(AttemptError::Store(error) | AttemptError::Secrets(SecretsError::Store(error))) => {
                return Err(error.into());
            }
            // A delivery that this node cannot sign has had its attempt: another may do it, and it ends as others do.
            Err(error) => {
                tracing::error!(%error, "a webhook could not be signed");
                Err(NotAnswered::Forbidden(
                    "the delivery could not be signed; whoever runs core finds why in its log".to_owned(),
                ))
            }
        },
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let jitter = u32::from_be_bytes(app.random_16()?.first_chunk().copied().unwrap_or_default());
    let now = app.now();
    let again = again_at(delivery.began_at.unwrap_or(at), now, jitter).map_or(Next::GiveUp, Next::Again);
    let (next, attempt) = judged(&delivery, outcome, again, at, duration_ms);
    let span = Span::current();
    span.record("duration_ms", duration_ms);
    span.record("http.response.status_code", attempt.status);
    let outcome = match next {
        Next::Succeeded => "succeeded",
        Next::Again(_) => "failed",
        Next::GiveUp => "given_up",
        Next::Gone => "gone",
    };
    match next {
        Next::Succeeded => tracing::info!("a webhook was delivered"),
        Next::Again(_) => tracing::info!(error = attempt.error, "a webhook is tried again later"),
        Next::GiveUp | Next::Gone => tracing::warn!(error = attempt.error, "a webhook is given up"),
    }
    let endpoint = delivery.endpoint;
    let disabled = app
        .store()
        .write(move |tx| {
            let disabled = webhooks::finish(tx, &scope, &delivery, &attempt, next, now)?;
            if let Some(reason) = disabled {
                note_disabled(tx, &scope, &delivery, reason, now)?;
            }
            Ok::<_, StoreError>(disabled)
        })
        .await?;
    app.metrics().webhook_tried(outcome);
    if let Some(reason) = disabled {
        app.metrics().webhook_endpoint_disabled(reason.text());
        tracing::error!(webhook.endpoint = %endpoint, reason = reason.text(), "a webhook endpoint was disabled");
    }
    Ok(())
}

/// The specification's three headers, and what an HTTP client says.
async fn headers(app: &App, scope: TenantScope, delivery: &Delivery) -> Result<HeaderMap, AttemptError> {
    let (endpoint, now) = (delivery.endpoint, app.now());
    let vault = app.vault().clone();
    let opened = app.store().read(move |tx| {
        let stored = webhooks::secrets(tx, &scope, endpoint)?;
        let previous = stored.previous.filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let sealed = std::iter::once(stored.current).chain(previous);
        sealed.map(|sealed| vault.open(tx, scope, &endpoint, &sealed)).collect::<Result<Vec<_>, _>>()
    });
    let secrets: Vec<Zeroizing<Vec<u8>>> = opened.await?;
    let (id, timestamp) = (delivery.event.to_string(), now.0.div_euclid(1_000));
    let signature = sign(secrets.iter().map(|secret| secret.as_slice()), &id, timestamp, &delivery.payload);
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(concat!("saoma/", env!("CARGO_PKG_VERSION")))),
        (HeaderName::from_static("webhook-id"), HeaderValue::from_str(&id)?),
        (HeaderName::from_static("webhook-timestamp"), HeaderValue::from(timestamp)),
        (HeaderName::from_static("webhook-signature"), HeaderValue::from_str(&signature)?),
    ]))
}

/// Any 2xx is a success; 410 is a wish to hear no more; all else is tried again, a redirect too.
fn judged(
    delivery: &Delivery,
    outcome: Result<Answer, NotAnswered>,
    again: Next,
    at: saoma_protocol::Millis,
    duration_ms: u64,
) -> (Next, Attempt) {
    let (next, status, error, body) = match outcome {
        Ok(Answer { status, body }) => {
            let (next, error) = match status {
                200..=299 => (Next::Succeeded, None),
                410 => (Next::Gone, None),
                300..=399 => (again, Some("redirects are not followed: change the endpoint's URL".to_owned())),
                _ => (again, None),
            };
            // PostgreSQL's texts hold everything but NUL.
            let body = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
            (next, Some(status), error, Some(body).filter(|body| !body.is_empty()))
        }
        Err(error) => (again, None, Some(error.to_string()), None),
    };
    (next, Attempt { number: delivery.attempts, at, duration_ms, status, error, body })
}

fn note_disabled(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    delivery: &Delivery,
    reason: Disabled,
    at: saoma_protocol::Millis,
) -> Result<(), StoreError> {
    let detail = serde_json::json!({ "reason": reason.text(), "delivery": delivery.id });
    let entry = audit::NewEntry::new("core", "webhook_endpoint.disabled", &delivery.endpoint, &detail, at);
    audit::append(tx, scope, &entry).map(drop)
}
