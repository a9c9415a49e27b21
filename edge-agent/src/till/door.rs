//! Who is let in, and the form that a press must have.
//!
//! Whoever reaches the loopback address is on this machine, but a foreign web page in its browser is as well. Four things
//! keep it out: `Host` must be ours (a name that resolves to 127.0.0.1 is not), `Origin` must be ours, all but a link is for our own
//! pages (`Sec-Fetch-Site`: an `<img>` of another page brings no `Origin`, and could use up the connections), and a POST must
//! carry a header that a page of another origin cannot send without being asked for permission, which is never given.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::{Bytes, BytesMut, Data},
};
use futures_util::StreamExt as _;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tracing::{Instrument as _, field::Empty};

use super::{Room, command::Pressed, problem::Refused};
use crate::{
    paired::DeviceName,
    telemetry::{continue_trace, trace_id},
};

/// Longest body: 200 lines of goods at 128 characters of four bytes, twice over for JSON's escapes.
const BODY_LEN_MAX: usize = 256 * 1024;
/// How long a body may take: a page that sends one has it ready.
const BODY_MAX: Duration = Duration::from_secs(10);
const KEY_LEN_MAX: usize = 128;

/// On every answer: nothing of the till is framed, cached, or mixed with what comes from elsewhere.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Every request on this machine passes through here.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let port = request.app_data::<Data<Room>>().map_or(0, |room| room.port).to_string();
    let ours = |host: &str| {
        ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) == Some(&port))
    };
    let refused = refusal(request.method(), request.path(), request.headers(), "http://", ours);
    answer(request, next, refused, Asker::Till).await
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Asker<'a> {
    /// This machine.
    Till,
    Device(&'a DeviceName),
    /// Whoever is in the network: there may be many, and the log is not theirs to fill.
    Stranger,
}

/// Answers, and says so in the log.
pub(super) async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    refused: Option<Refused>,
    asker: Asker<'_>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let device = if let Asker::Device(name) = asker { Some(name) } else { None };
    let is_stranger = matches!(asker, Asker::Stranger);
    let span = tracing::info_span!("till.request", otel.kind = "server", http.request.method = %method,
        http.route = route, device = device.map(display), trace_id = Empty);
    continue_trace(&span, None);
    let mut response = match refused {
        Some(refused) => {
            if is_stranger {
                tracing::debug!(code = refused.code(), route, "a request was turned away");
            } else {
                tracing::info!(code = refused.code(), route, "a request was turned away");
            }
            request.error_response(refused)
        }
        None => next.call(request).instrument(span.clone()).await?.map_into_boxed_body(),
    };
    span.in_scope(|| {
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, trace_id) = (response.status().as_u16(), trace_id(&span));
        // The page looks all the time; what somebody pressed is worth a line.
        if method == Method::GET || is_stranger {
            tracing::debug!(%method, route, status, duration_ms, trace_id, "answered");
        } else {
            tracing::info!(%method, route, status, duration_ms, trace_id, "answered");
        }
    });
    dress(response.headers_mut());
    Ok(response)
}

/// What is on every answer.
pub(super) fn dress(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Why a request is turned away before anybody looks at it. `ours`: whether a host with its port is this door.
pub(super) fn refusal(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    scheme: &str,
    ours: impl Fn(&str) -> bool,
) -> Option<Refused> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !text(header::HOST).is_some_and(&ours) {
        return Some(Refused::ForeignOrigin);
    }
    if headers.contains_key(header::ORIGIN) {
        let origin = text(header::ORIGIN).and_then(|origin| origin.strip_prefix(scheme));
        if !origin.is_some_and(&ours) {
            return Some(Refused::ForeignOrigin);
        }
    }
    // `none` is a person who typed the address. What is no browser does not send it.
    let site = HeaderName::from_static("sec-fetch-site");
    // Of another page, a link is followed and nothing else: `/%61pi` is `/api` as well.
    let is_link = !path.starts_with("/api/") && text(HeaderName::from_static("sec-fetch-dest")) == Some("document");
    if !is_link && headers.contains_key(&site) && !matches!(text(site), Some("same-origin" | "none")) {
        return Some(Refused::ForeignOrigin);
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let from_the_till = headers.get("x-saoma-till").is_some_and(|value| value.as_bytes() == b"1");
    (!reads && !from_the_till).then_some(Refused::NotFromTheTill)
}

/// A press: its key and its body, read and checked.
pub(super) struct Post<T> {
    pub(super) pressed: Pressed,
    pub(super) body: T,
}

/// The body of a press that says nothing.
#[derive(serde::Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned + Serialize + 'static> FromRequest for Post<T> {
    type Error = Refused;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let key = key(request.headers())?;
            let is_json = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let is_json = is_json.and_then(|value| value.split(';').next()).map(str::trim);
            if !is_json.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
                return Err(Refused::NotJson);
            }
            let bytes = read(payload).await?;
            let body: T = serde_json::from_slice(&bytes).map_err(|error| Refused::BodyUnreadable(where_at(&error)))?;
            let fingerprint = fingerprint(request.path(), &body)?;
            Ok(Self { pressed: Pressed { key, fingerprint }, body })
        })
    }
}

fn key(headers: &HeaderMap) -> Result<String, Refused> {
    let key = headers.get("idempotency-key").map(HeaderValue::as_bytes).unwrap_or_default();
    if !(1..=KEY_LEN_MAX).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
        return Err(Refused::KeyMissing);
    }
    String::from_utf8(key.to_vec()).map_err(|_| Refused::KeyMissing)
}

async fn read(mut payload: Payload) -> Result<Bytes, Refused> {
    let mut body = BytesMut::new();
    let until = tokio::time::Instant::now() + BODY_MAX;
    let late = |_| Refused::BodyUnreadable("it did not come in time".to_owned());
    while let Some(part) = tokio::time::timeout_at(until, payload.next()).await.map_err(late)? {
        let part = part.map_err(|error| Refused::BodyUnreadable(error.to_string()))?;
        if body.len() + part.len() > BODY_LEN_MAX {
            return Err(Refused::BodyTooLarge(BODY_LEN_MAX));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// What serde says, without values: a code that was scanned into the wrong field must not be repeated.
fn where_at(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("unknown field") || text.starts_with("missing field") {
        return text;
    }
    format!("line {}, column {}", error.line(), error.column())
}

/// SHA-256 of what is asked, from its meaning and not its bytes: another order of fields is the same question.
fn fingerprint(path: &str, body: &impl Serialize) -> Result<String, Refused> {
    let body = serde_json::to_vec(body).map_err(|error| Refused::BodyUnreadable(error.to_string()))?;
    let mut hash = Sha256::new();
    hash.update(path.as_bytes());
    hash.update(b"\n");
    hash.update(&body);
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_pages_stay_outside() {
        type Headers = &'static [(&'static str, &'static str)];
        const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");
        let cases: [(&str, Headers, &str); 19] = [
            ("GET", &[("host", "127.0.0.1:7800")], "in"),
            ("GET", &[("host", "localhost:7800")], "in"),
            ("GET", &[("host", "[::1]:7800")], "in"),
            ("GET", &[], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:78000")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1.evil.example:7800")], "foreign_origin"),
            ("GET", &[("host", "till.evil.example:7800")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("origin", "http://localhost:7800")], "in"),
            ("GET", &[("host", "127.0.0.1:7800"), ("origin", "https://evil.example")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("origin", "null")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("origin", "http://127.0.0.1:7801")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("sec-fetch-site", "same-origin")], "in"),
            ("GET", &[("host", "127.0.0.1:7800"), ("sec-fetch-site", "none")], "in"),
            ("GET", &[("host", "127.0.0.1:7800"), ("sec-fetch-site", "cross-site")], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("sec-fetch-site", "cross-site"), DOCUMENT], "foreign_origin"),
            ("GET", &[("host", "127.0.0.1:7800"), ("sec-fetch-site", "same-site")], "foreign_origin"),
            ("POST", &[("host", "127.0.0.1:7800")], "not_from_the_till"),
            ("POST", &[("host", "127.0.0.1:7800"), ("x-saoma-till", "1")], "in"),
        ];
        for (method, headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name.parse().unwrap(), value.parse().unwrap());
            }
            let ours = |host: &str| ["127.0.0.1:7800", "localhost:7800", "[::1]:7800"].contains(&host);
            let refused = refusal(&method.parse().unwrap(), "/api/state", &map, "http://", ours);
            assert_eq!(refused.as_ref().map_or("in", Refused::code), expected, "{method} {headers:?}");
            // A link on another page may open the till's page, and nothing else.
            for path in ["/", "/%61pi/events"] {
                let page = refusal(&method.parse().unwrap(), path, &map, "http://", ours);
                assert_eq!(page.is_none(), expected == "in" || headers.contains(&DOCUMENT), "{path} {headers:?}");
            }
        }
    }

    #[test]
    fn a_fingerprint_holds_what_is_asked_and_not_the_code() {
        use crate::till::command::SaleRequest;
        let print =
            |path: &str, json: &str| fingerprint(path, &serde_json::from_str::<SaleRequest>(json).unwrap()).unwrap();
        let one = print("/api/sales", r#"{"amount_minor":1250,"method":"scan","code":"1"}"#);
        assert_eq!(one, print("/api/sales", r#"{ "method":"scan", "amount_minor":1250 }"#));
        assert_ne!(one, print("/api/sales", r#"{"amount_minor":1251,"method":"scan"}"#));
        assert_ne!(one, print("/api/other", r#"{"amount_minor":1250,"method":"scan"}"#));
    }

    #[test]
    fn keys() {
        for (value, good) in
            [("a", true), (&"k".repeat(128), true), (&"k".repeat(129), false), ("", false), ("a b", false)]
        {
            let mut map = HeaderMap::new();
            map.insert("idempotency-key".parse().unwrap(), value.parse().unwrap());
            assert_eq!(key(&map).is_ok(), good, "{value:?}");
        }
        assert!(key(&HeaderMap::new()).is_err());
    }
}
