//! `http`: the only way out to the network.
//!
//! A request leaves if three lists allow it: the manifest's hosts, the base URLs in the account's settings, the operator's
//! grant; and if the address that its host name leads to is a public one. The name is resolved here and the connection is
//! made to the very address that was checked, so that a name which changes its mind between the two gains nothing.
//!
//! A plugin must know whether the scheme may have heard it. No connection, no request: `unreachable`. Anything after
//! that: `timed-out` or `broken`.

mod address;
mod client;
mod credentials;
pub(super) mod identity;
mod names;
mod outgoing;
mod raw;
mod reach;

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::TraceContextExt as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use url::Url;

use super::{CallState, Known, Ports, waiting::off_the_stack};
use crate::bindings::http::{Error, Host, QuerySecret, Request, Response};

pub(super) use self::client::CONNECT_TIMEOUT;
pub(crate) use self::{address::is_public, client::Network, raw::Endpoint, reach::Reach};
use self::{
    credentials::{Named, Sent},
    identity::Identity,
};
pub use self::{
    outgoing::{Answer, NotAnswered, Outgoing, url_is_allowed},
    reach::{Grant, GrantError},
};

/// Limits of the contract (`sdk/wit`, interface `http`).
pub(crate) const BODY_BYTES_MAX: u32 = 1 << 20;
/// Answers within `fetch-bill`: a day of 100,000 payments as compressed CSV. All places of one plugin at once make 512 MiB of it.
pub(crate) const BILL_BYTES_MAX: u32 = 8 << 20;
const HEADERS_MAX: usize = 32;
const HEADER_BYTES_MAX: usize = 8 << 10;
const TIMEOUT_MS_MAX: u32 = 60_000;
const URL_BYTES_MAX: usize = 4 << 10;

/// Requests in one call. A channel sends one, or a few for a token; a loop of them would be an attack on the scheme.
pub(super) const REQUESTS_MAX: u32 = 16;

/// Headers that belong to the connection, to the host's own tracing, or that could smuggle a second request.
const HEADERS_REFUSED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
];

impl Host for CallState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.exchange(request, Vec::new()).await
    }

    async fn send_with_query(
        &mut self,
        request: Request,
        secrets: Vec<QuerySecret>,
    ) -> wasmtime::Result<Result<Response, Error>> {
        self.exchange(request, secrets).await
    }
}

impl CallState {
    async fn exchange(
        &mut self,
        request: Request,
        query: Vec<QuerySecret>,
    ) -> wasmtime::Result<Result<Response, Error>> {
        let given = self.given_mut()?;
        given.requests += 1;
        if given.requests > REQUESTS_MAX {
            return Ok(Err(Error::Forbidden(format!("more than {REQUESTS_MAX} requests in one call"))));
        }
        // Until it is said that it was not.
        let had_asked = std::mem::replace(&mut given.asked, true);
        // Boxed, since it is handed on more than once.
        let (asked, known) = (Box::new((request, query)), Arc::clone(&given.known));
        // The call's, which is not the current one where the exchange is made.
        let span = Span::current();
        let exchange = move || exchanged(asked, known).instrument(span);
        let outcome = off_the_stack(exchange).await?;
        let given = self.given_mut()?;
        given.asked = had_asked || outcome.is_ok();
        given.unanswered |= matches!(outcome, Ok(Err(Error::TimedOut | Error::Broken(_))));
        Ok(outcome.unwrap_or_else(Err))
    }
}

/// What is asked, checked and sent: an error outside says that it was not sent. All of it runs beside the call's stack; parsing a
/// URL takes more of that than all else does.
async fn exchanged(
    asked: Box<(Request, Vec<QuerySecret>)>,
    known: Arc<Known>,
) -> Result<Result<Response, Error>, Error> {
    let sending = {
        let (request, query) = *asked;
        let checked = checked(request, query, &known).inspect_err(|error| {
            tracing::warn!(error = %said(error), "the plugin's request was not sent");
        })?;
        let span = span_of(&checked);
        send(checked, Arc::clone(&known.ports), known.deadline).instrument(span)
    };
    Ok(sending.await)
}

/// The request with its secrets. Where it goes is known to be allowed before one is put into it.
fn checked(mut request: Request, query: Vec<QuerySecret>, known: &Known) -> Result<Box<Checked>, Error> {
    let named = Named {
        credentials: std::mem::take(&mut request.credentials),
        query,
        client_certificate: request.client_certificate.take(),
        server_certificates: request.server_certificates.take(),
    };
    let mut checked = Box::new(Checked::new(request, known.answer_bytes_max)?);
    known.reach.allows(&checked.url)?;
    named.put_into(&mut checked, known)?;
    Ok(checked)
}

fn span_of(checked: &Checked) -> Span {
    tracing::info_span!(
        "plugin_http",
        otel.kind = "client",
        http.request.method = %checked.method,
        server.address = checked.url.host_str().unwrap_or_default(),
        server.port = checked.url.port_or_known_default(),
        http.response.status_code = Empty,
        outcome = Empty,
        duration_ms = Empty,
    )
}

/// Within the request's span, which hears how it ended.
async fn send(checked: Box<Checked>, ports: Arc<Ports>, deadline: Instant) -> Result<Response, Error> {
    let began = Instant::now();
    let outcome = ports.network.send(checked, trace_parent(), deadline).await;
    let span = Span::current();
    span.record("duration_ms", u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    match &outcome {
        Ok(response) => {
            span.record("http.response.status_code", response.status);
            span.record("outcome", "answered");
        }
        Err(error) => {
            span.record("outcome", word(error));
            tracing::warn!(error = %said(error), "no answer to the plugin's request");
        }
    }
    outcome
}

/// A request that is valid in itself; where it may go is another question.
struct Checked {
    method: reqwest::Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    timeout: Duration,
    answer_bytes_max: usize,
    /// The secrets that are in it.
    sent: Sent,
    identity: Option<Identity>,
}

impl Checked {
    /// `answer_bytes_max`: what this call may ask for at most.
    fn new(request: Request, answer_bytes_max: u32) -> Result<Self, Error> {
        let method = match request.method.as_str() {
            "GET" => reqwest::Method::GET,
            "POST" => reqwest::Method::POST,
            "PUT" => reqwest::Method::PUT,
            "PATCH" => reqwest::Method::PATCH,
            "DELETE" => reqwest::Method::DELETE,
            _ => return Err(invalid("the method must be GET, POST, PUT, PATCH or DELETE")),
        };
        if request.url.len() > URL_BYTES_MAX {
            return Err(invalid("the URL is longer than 4 KiB"));
        }
        let url = Url::parse(&request.url).map_err(|error| invalid(&format!("the URL cannot be read: {error}")))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(invalid("the URL must begin with https://host or http://host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("the URL must not hold a user name or password"));
        }
        if request.body.len() > BODY_BYTES_MAX as usize {
            return Err(invalid("the body is larger than 1 MiB"));
        }
        if !(1..=TIMEOUT_MS_MAX).contains(&request.timeout_ms) {
            return Err(invalid("the timeout must be 1 to 60,000 ms"));
        }
        if !(1..=answer_bytes_max).contains(&request.answer_bytes_max) {
            return Err(invalid(&format!("the answer's limit must be 1 to {answer_bytes_max} bytes in this call")));
        }
        Ok(Self {
            method,
            url,
            headers: checked_headers(&request.headers)?,
            body: request.body,
            timeout: Duration::from_millis(u64::from(request.timeout_ms)),
            answer_bytes_max: request.answer_bytes_max as usize,
            sent: Sent::default(),
            identity: None,
        })
    }
}

fn checked_headers(given: &[(String, String)]) -> Result<HeaderMap, Error> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(invalid("more than 32 headers, or more than 8 KiB of them"));
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("a header's name is not valid"))?;
        if HEADERS_REFUSED.contains(&name.as_str()) {
            return Err(invalid(&format!("the header `{name}` is the host's")));
        }
        let value = HeaderValue::from_str(value).map_err(|_| invalid("a header's value is not valid"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The W3C `traceparent` of the current span (Trace Context, section 3.2), if a trace is being recorded.
fn trace_parent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

fn invalid(why: &str) -> Error {
    Error::Invalid(why.to_owned())
}

/// A stable word for spans.
fn word(error: &Error) -> &'static str {
    match error {
        Error::Forbidden(_) => "forbidden",
        Error::NoSecret(_) => "no_secret",
        Error::Unreachable(_) => "unreachable",
        Error::TimedOut => "timed_out",
        Error::Broken(_) => "broken",
        Error::Invalid(_) => "invalid",
    }
}

fn said(error: &Error) -> String {
    match error {
        Error::Forbidden(why)
        | Error::NoSecret(why)
        | Error::Unreachable(why)
        | Error::Broken(why)
        | Error::Invalid(why) => format!("{}: {why}", word(error)),
        Error::TimedOut => "timed_out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::tests::call_of,
        manifest::{self, Manifest},
        secret::Secrets,
    };

    /// It lies on the stack of the plugin's call, and in the heap for as long as the scheme takes: what does the work must be neither
    /// in it nor in what hands it on.
    #[test]
    fn what_waits_leaves_little_with_the_call() {
        let manifest = Manifest::check(manifest::tests::good()).expect("sound");
        let mut call = call_of(manifest, Secrets::none(), None);
        let bytes = size_of_val(&call.exchange(request(), Vec::new()));
        assert!(bytes <= 1_536, "{bytes} bytes");
    }

    fn request() -> Request {
        Request {
            method: "POST".to_owned(),
            url: "https://api.example.com/v1/orders?x=1".to_owned(),
            headers: vec![("X-Sign".to_owned(), "abc".to_owned())],
            body: b"{}".to_vec(),
            credentials: Vec::new(),
            client_certificate: None,
            server_certificates: None,
            timeout_ms: 1_000,
            answer_bytes_max: BODY_BYTES_MAX,
        }
    }

    #[test]
    fn invalid_requests_are_never_sent() {
        type Spoil = fn(&mut Request);
        let rows: &[(Spoil, &str)] = &[
            (|r| r.method = "CONNECT".to_owned(), "method"),
            (|r| r.method = "get".to_owned(), "method"),
            (|r| r.url = "api.example.com".to_owned(), "URL"),
            (|r| r.url = "file:///etc/passwd".to_owned(), "must begin with"),
            (|r| r.url = "https://user:pass@api.example.com/".to_owned(), "user name"),
            (|r| r.url = format!("https://api.example.com/{}", "x".repeat(5_000)), "4 KiB"),
            (|r| r.body = vec![0; (1 << 20) + 1], "1 MiB"),
            (|r| r.timeout_ms = 0, "timeout"),
            (|r| r.timeout_ms = 60_001, "timeout"),
            (|r| r.answer_bytes_max = 0, "1 to 1048576 bytes"),
            (|r| r.answer_bytes_max = BODY_BYTES_MAX + 1, "1 to 1048576 bytes"),
            (|r| r.headers = vec![("a".to_owned(), "b".to_owned()); 33], "32 headers"),
            (|r| r.headers = vec![("a".to_owned(), "b".repeat(9_000))], "32 headers"),
            (|r| r.headers = vec![("a b".to_owned(), "c".to_owned())], "name"),
            (|r| r.headers = vec![("a".to_owned(), "b\r\nHost: evil".to_owned())], "value"),
            (|r| r.headers = vec![("Host".to_owned(), "evil".to_owned())], "`host` is the host's"),
            (|r| r.headers = vec![("Transfer-Encoding".to_owned(), "chunked".to_owned())], "the host's"),
            (|r| r.headers = vec![("traceparent".to_owned(), "00-".to_owned())], "the host's"),
        ];
        assert!(Checked::new(request(), BODY_BYTES_MAX).is_ok());
        for (idx, (spoil, why)) in rows.iter().enumerate() {
            let mut request = request();
            spoil(&mut request);
            match Checked::new(request, BODY_BYTES_MAX).map(|checked| checked.url) {
                Err(Error::Invalid(text)) => assert!(text.contains(why), "row {idx}: {text}"),
                other => panic!("row {idx}: {other:?}"),
            }
        }
    }
}
