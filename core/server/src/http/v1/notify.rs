//! `/v1/notify/{channel account}`: what schemes send us on their own. Nothing is believed before the plugin has checked the
//! signature, and nothing is acknowledged before it is in the database.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use saoma_channels::{Account, HttpMessage, HttpReply, NOTIFICATION_BYTES_MAX, NotificationFailure};
use saoma_domain::payment::Source;
use saoma_protocol::{ChannelAccountId, PaymentId};
use saoma_store::{StoreError, access};

use crate::{
    app::App,
    http::{
        problem::{
            BODY_TOO_LARGE, BODY_UNREADABLE, NOT_FOUND, NOTIFICATION_FORGED, NOTIFICATION_REFUSED, Problem, UNAVAILABLE,
        },
        router::other_method,
    },
    payments::{PaymentError, answer_came},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/notify/{account}").route(web::post().to(receive)).default_service(web::to(other_method)),
    );
}

/// A scheme's notification, as the scheme writes it. The answer is the scheme's too.
#[utoipa::path(post, path = "/v1/notify/{account}", tag = "notifications", params(("account" = ChannelAccountId, Path)),
    responses((status = 200, description = "Booked")))]
pub async fn receive(
    app: web::Data<App>,
    account: web::Path<ChannelAccountId>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let id = account.into_inner();
    let body = read_whole(body).await?;
    let (scope, stored) = app.store().read(move |tx| access::by_channel_account(tx, id)).await?;
    let account = Account {
        id,
        tenant: scope.tenant(),
        channel: stored.plugin,
        settings_json: stored.settings_json,
        secrets: app.secrets_of(scope, id).await?,
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
        Err(NotificationFailure::Call(failure)) => {
            tracing::warn!(channel_account = %id, error = %failure, "a notification was not looked at");
            return Err(Problem::new(UNAVAILABLE, "Send it again."));
        }
    };
    let unknown = || Problem::new(NOT_FOUND, "No payment of this account has that number.");
    let payment: PaymentId = outcome.answer.number.parse().map_err(|_| unknown())?;
    match answer_came(&app, scope, payment, id, outcome.answer, Source::Notification).await {
        Ok(()) => Ok(reply(&outcome.acknowledgement)),
        Err(PaymentError::Store(StoreError::NotFound { .. })) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

async fn read_whole(body: web::Payload) -> Result<Vec<u8>, Problem> {
    match body.to_bytes_limited(NOTIFICATION_BYTES_MAX).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => Err(Problem::new(BODY_UNREADABLE, "The body did not arrive whole.")),
        Err(_) => Err(Problem::new(BODY_TOO_LARGE, format!("At most {NOTIFICATION_BYTES_MAX} bytes."))),
    }
}

fn reply(answer: &HttpReply) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type(answer.content_type.as_str()).body(answer.body.clone())
}
