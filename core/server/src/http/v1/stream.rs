//! `/v1/stream`: the merchant's payments as they move, as server-sent events.
//!
//! What is sent is read from the database by its sequence; the bell in memory only says when to look. A client that comes
//! back with `Last-Event-ID` misses nothing.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use saoma_protocol::{Millis, Sequence, api::PaymentView};
use saoma_store::{Principal, StoreError, TenantScope, access, events, payments};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{
            Caller, may,
            rights::{Needs as _, ReadPayments},
        },
        problem::{INVALID, Problem},
        router::other_method,
    },
    payments::payment_view,
};

/// Most events read at once.
const BATCH_MAX: u32 = 100;
/// A comment this often keeps proxies from closing the line, and shows us that the client is gone. Where other nodes cannot
/// ring a bell here, their news is found by looking more often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/stream").route(web::get().to(follow)).default_service(web::to(other_method)));
}

/// The data of a `payment` event. Its id is the event's sequence.
#[derive(Serialize, ToSchema)]
pub struct PaymentNews {
    kind: String,
    at: Millis,
    /// The payment as it now stands, which may be newer than the event.
    payment: PaymentView,
}

/// Live payments. Each event is named `payment` and carries a `PaymentNews`; its id goes into `Last-Event-ID` to resume.
#[utoipa::path(get, path = "/v1/stream", tag = "payments",
    params(("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = PaymentNews)))]
pub async fn follow(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let scope = caller.scope()?;
    let resumed = request.headers().get("last-event-id").map(|id| {
        let number = id.to_str().ok().and_then(|id| id.parse().ok()).map(Sequence);
        // Whoever resumes from nowhere would miss what happened meanwhile, and not know.
        number.ok_or_else(|| Problem::new(INVALID, "Last-Event-ID must be the id of an event of this stream."))
    });
    let resumed = resumed.transpose()?;
    // The bell is held before the place is read, so that nothing falls between.
    let bell = app.news();
    let after = match resumed {
        Some(after) => after,
        None => app.store().read(move |tx| events::newest(tx, &scope)).await?,
    };
    let live = Live {
        checked_at: app.now(),
        app: app.get_ref().clone(),
        scope,
        principal: caller.principal().clone(),
        after,
        bell,
        first: true,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(live, |mut live| async move {
            let chunk = live.next().await?;
            Some((Ok::<_, std::convert::Infallible>(chunk), live))
        })))
}

struct Live {
    app: App,
    scope: TenantScope,
    principal: Principal,
    after: Sequence,
    bell: broadcast::Receiver<saoma_protocol::TenantId>,
    first: bool,
    /// When the caller's right was last looked at.
    checked_at: Millis,
}

impl Live {
    /// The next piece of the stream; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::take(&mut self.first) {
            return Some(Bytes::from_static(b"retry: 2000\n: welcome\n\n"));
        }
        loop {
            if self.app.is_stopping() {
                return None;
            }
            // Whoever was shut out meanwhile hears nothing more, however busy the line is.
            self.still_allowed().await?;
            match self.batch().await {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Some(Bytes::from(text)),
                Err(error) => {
                    // The client comes back with the last id it saw.
                    tracing::warn!(%error, "a live view ends");
                    return None;
                }
            }
            if tokio::time::timeout(self.app.look_after(LOOK_EVERY), self.rung()).await.is_err() {
                self.still_allowed().await?;
                let text = self.batch().await.ok()?;
                return Some(if text.is_empty() { Bytes::from_static(b": still here\n\n") } else { text.into() });
            }
        }
    }

    async fn rung(&mut self) {
        loop {
            match self.bell.recv().await {
                Ok(tenant) if tenant == self.scope.tenant() => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Asks the database at most once in [`LOOK_EVERY`]; nothing once the caller was shut out or has lost the right to look.
    async fn still_allowed(&mut self) -> Option<()> {
        let now = self.app.now();
        if now.since(self.checked_at) < i64::try_from(LOOK_EVERY.as_millis()).unwrap_or(i64::MAX)
            && now >= self.checked_at
        {
            return Some(());
        }
        self.checked_at = now;
        let principal = self.principal.clone();
        let held = self.app.store().read(move |tx| access::again(tx, &principal, now)).await.ok()?;
        may(&held, ReadPayments::RIGHT).ok()
    }

    async fn batch(&mut self) -> Result<String, StoreError> {
        let (scope, after) = (self.scope, self.after);
        let found = self
            .app
            .store()
            .read(move |tx| {
                let mut found = Vec::new();
                for stored in events::after(tx, &scope, after, BATCH_MAX)? {
                    let sale = payments::load_sale(tx, &scope, stored.event.payment)?;
                    found.push((stored, sale));
                }
                Ok::<_, StoreError>(found)
            })
            .await?;
        let own = match &self.principal {
            Principal::Terminal { terminal, .. } => Some(*terminal),
            _ => None,
        };
        let mut text = String::new();
        for (stored, sale) in found {
            self.after = stored.sequence;
            if own.is_some() && sale.payment.terminal != own {
                continue;
            }
            let news =
                PaymentNews { kind: stored.event.kind, at: stored.event.at, payment: payment_view(&self.app, &sale) };
            let data = serde_json::to_string(&news).map_err(|error| StoreError::Internal { why: error.to_string() })?;
            text.push_str(&format!("id: {}\nevent: payment\ndata: {data}\n\n", stored.sequence));
        }
        Ok(text)
    }
}
