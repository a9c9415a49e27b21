//! `/v1/notify/{channel account}`: what schemes send us on their own. Nothing is believed before the plugin has checked the
//! signature, and nothing is acknowledged before it is in the database.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use saoma_channels::{HttpMessage, HttpReply, NOTIFICATION_BYTES_MAX, NotificationFailure};
use saoma_protocol::ChannelAccountId;
use saoma_store::access;
use serde::Deserialize;

use crate::{
    app::App,
    http::{
        problem::{
            BODY_TOO_LARGE, BODY_UNREADABLE, NOT_FOUND, NOTIFICATION_FORGED, NOTIFICATION_REFUSED, Problem, UNAVAILABLE,
        },
        router::other_method,
    },
    payments::{PaymentError, channel_of_account, told},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        // Some schemes add a segment of their own to the address that they are given.
        web::resource(["/notify/{account}", "/notify/{account}/{added}"])
            .route(web::post().to(receive))
            .default_service(web::to(other_method)),
    );
}

/// Whose scheme it is that tells.
#[derive(Deserialize)]
pub struct Addressee {
    account: ChannelAccountId,
}

/// A scheme's notification, as the scheme writes it. The answer is the scheme's too.
#[utoipa::path(post, path = "/v1/notify/{account}", security(()), tag = "notifications", params(("account" = ChannelAccountId, Path)),
    responses((status = 200, description = "Booked")))]
pub async fn receive(
    app: web::Data<App>,
    addressee: web::Path<Addressee>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let id = addressee.account;
    let body = read_whole(body).await?;
    let (scope, stored) = app.store().read(move |tx| access::by_channel_account(tx, id)).await?;
    // It does not say yet which payment it is about, so it is read by what the account goes through now. What that takes for a
    // forgery is not acknowledged, and the scheme sends it again; what it calls irrelevant is lost, if another version would have
    // read it. Either costs time alone, since the payment's own package is asked about the payment in any case; a second reader
    // would only double what is believed.
    let account = match channel_of_account(&app, scope, &stored).await {
        Ok(channel) => channel.account,
        Err(PaymentError::NoChannel(why)) => {
            tracing::warn!(channel_account = %id, why, "a notification was not looked at");
            return Err(Problem::new(UNAVAILABLE, "Send it again."));
        }
        Err(error) => return Err(error.into()),
    };
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let message = HttpMessage { headers, body };
    let outcome = match app.channels().parse_notification(&account, &message).await {
        Ok(outcome) => outcome,
        Err(NotificationFailure::Irrelevant(answer)) => return Ok(reply(&answer)),
        Err(NotificationFailure::Forged(why)) => {
            tracing::warn!(channel_account = %id, why, "a notification was not signed by the scheme");
            return Err(Problem::new(NOTIFICATION_FORGED, "Its signature is not the scheme's."));
        }
        Err(NotificationFailure::Malformed(why)) => {
            tracing::warn!(channel_account = %id, why, "a notification cannot be read");
            return Err(Problem::new(NOTIFICATION_REFUSED, "It cannot be read."));
        }
        Err(NotificationFailure::NotNow(why)) => {
            tracing::warn!(channel_account = %id, why, "a notification cannot be checked now");
            return Err(Problem::new(UNAVAILABLE, "Send it again."));
        }
        Err(NotificationFailure::Call(failure)) => {
            tracing::warn!(channel_account = %id, error = %failure, "a notification was not looked at");
            return Err(Problem::new(UNAVAILABLE, "Send it again."));
        }
    };
    let told = told(&app, scope, id, outcome.events).await?;
    if told.known == 0 {
        return Err(Problem::new(NOT_FOUND, "No payment, refund or dispute of this account has that number."));
    }
    if told.unknown > 0 {
        tracing::warn!(channel_account = %id, n_unknown = told.unknown, "a notification told of what is not known here as well");
    }
    Ok(reply(&outcome.acknowledgement))
}

async fn read_whole(body: web::Payload) -> Result<Vec<u8>, Problem> {
    match body.to_bytes_limited(NOTIFICATION_BYTES_MAX).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => Err(Problem::new(BODY_UNREADABLE, "The body did not arrive whole.")),
        Err(_) => Err(Problem::new(BODY_TOO_LARGE, format!("At most {NOTIFICATION_BYTES_MAX} bytes."))),
    }
}

/// What schemes are answered in. Anything else would be a page on core's own origin, written by a plugin: a browser that is
/// posted here from elsewhere would run its script beside the dashboard's session.
const REPLY_TYPES: [&str; 4] = ["text/plain", "application/json", "application/xml", "text/xml"];

fn reply(answer: &HttpReply) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let essence = answer.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content_type = if REPLY_TYPES.contains(&essence.as_str()) {
        answer.content_type.as_str()
    } else {
        "text/plain; charset=utf-8"
    };
    HttpResponse::build(status)
        .content_type(content_type)
        // XML can carry script as well: whatever it is, a browser does nothing with it.
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(answer.body.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_s_acknowledgement_is_never_a_page() {
        for (given, sent) in [
            ("text/plain", "text/plain"),
            ("application/json; charset=utf-8", "application/json; charset=utf-8"),
            ("Text/XML", "Text/XML"),
            ("text/html", "text/plain; charset=utf-8"),
            ("TEXT/HTML;charset=utf-8", "text/plain; charset=utf-8"),
            ("application/xhtml+xml", "text/plain; charset=utf-8"),
            ("image/svg+xml", "text/plain; charset=utf-8"),
            ("", "text/plain; charset=utf-8"),
        ] {
            let body = b"<script>alert(1)</script>".to_vec();
            let response = reply(&HttpReply { status: 200, content_type: given.to_owned(), body });
            let header =
                |name: header::HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(header(header::CONTENT_TYPE).as_deref(), Some(sent), "{given}");
            assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS).as_deref(), Some("nosniff"));
            assert!(header(header::CONTENT_SECURITY_POLICY).is_some_and(|policy| policy.contains("sandbox")));
        }
    }
}
