//! What goes wrong on the way of an answer, whatever the scheme.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody, to_bytes_limited},
    web::Bytes,
};

use super::Fault;

/// What stands in front of a scheme that is down.
const HTML: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>";
/// Over the longest answer that the contract lets a channel take (8 MiB, of a bill).
const HUGE_LEN: usize = 9 << 20;
/// Of what a far side itself answers.
const ANSWER_LEN_MAX: usize = 64 << 20;

/// Lets an answer out as `fault` wants it. Faults of the scheme's own words have happened by now and change nothing here.
pub async fn leave(fault: Option<Fault>, honest: HttpResponse) -> HttpResponse {
    match fault {
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::Unheard) => unanswered(),
        Some(Fault::Cut) => {
            let (head, body) = honest.into_parts();
            let Ok(Ok(whole)) = to_bytes_limited(body, ANSWER_LEN_MAX).await else {
                return HttpResponse::InternalServerError().finish();
            };
            let promised = u64::try_from(whole.len()).unwrap_or(u64::MAX).max(2);
            let cut = Cut { first: Some(whole.slice(..whole.len() / 2)), promised };
            head.set_body(cut).map_into_boxed_body()
        }
        Some(Fault::Html) => HttpResponse::BadGateway().content_type("text/html").body(HTML),
        Some(Fault::Empty) => HttpResponse::Ok().finish(),
        Some(Fault::Huge) => HttpResponse::Ok().content_type("application/json").body(vec![b' '; HUGE_LEN]),
        _ => honest,
    }
}

/// A connection that is closed without an answer: the body fails before its first byte, and actix-web drops the connection with
/// the head still unsent.
pub(crate) fn unanswered() -> HttpResponse {
    HttpResponse::Ok().body(Cut { first: None, promised: 1 })
}

/// A body that fails before it is whole: the connection is closed, without any answer if nothing of the body was sent.
struct Cut {
    first: Option<Bytes>,
    promised: u64,
}

impl MessageBody for Cut {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.promised)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let aborted = || Err(std::io::ErrorKind::ConnectionAborted.into());
        Poll::Ready(Some(self.first.take().filter(|bytes| !bytes.is_empty()).map_or_else(aborted, Ok)))
    }
}
