//! `tcp`: one framed message to an acquirer's host and its answer, with the card's data and the MAC put in here.
//!
//! A connection serves one exchange. Late and second answers end with it; what an author would have to match by hand, and would
//! match wrongly one day, cannot arrive.

mod fields;
mod frame;

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};
use tracing::{Instrument as _, Span, field::Empty};
use zeroize::Zeroizing;

use self::fields::Mac;
use super::{
    CallState, Given, Ports,
    http::{CONNECT_TIMEOUT, Endpoint, REQUESTS_MAX, identity::Identity},
    waiting::off_the_stack,
};
use crate::{
    bindings::{
        http,
        tcp::{Answer, Error, Host, LengthHeader, Request},
    },
    card::OpenCard,
};

/// Limit of the contract (`sdk/wit`, interface `tcp`).
const TIMEOUT_MS_MAX: u32 = 60_000;

impl Host for CallState {
    async fn exchange(&mut self, request: Request) -> wasmtime::Result<Result<Answer, Error>> {
        let given = self.given_mut()?;
        given.requests += 1;
        if given.requests > REQUESTS_MAX {
            return Ok(Err(Error::Forbidden(format!("more than {REQUESTS_MAX} requests in one call"))));
        }
        let prepared = match Prepared::new(request, given).await {
            Ok(prepared) => Box::new(prepared),
            Err(error) => {
                tracing::warn!(error = %said(&error), "the plugin's message was not sent");
                return Ok(Err(error));
            }
        };
        given.asked = true;
        let (ports, deadline) = (Arc::clone(&given.ports), given.deadline);
        let (card, span) = (given.card.clone(), span_of(&prepared));
        let exchange = move || exchanged(prepared, card, ports, deadline).instrument(span);
        let outcome = off_the_stack(exchange).await?;
        self.given_mut()?.unanswered |= matches!(outcome, Err(Error::TimedOut | Error::Broken(_)));
        Ok(outcome)
    }
}

fn span_of(prepared: &Prepared) -> Span {
    tracing::info_span!(
        "plugin_tcp",
        otel.kind = "client",
        server.address = prepared.endpoint.host(),
        server.port = prepared.endpoint.port,
        outcome = Empty,
        duration_ms = Empty,
    )
}

/// Within the message's span, which hears how it ended.
async fn exchanged(
    prepared: Box<Prepared>,
    card: Option<Arc<OpenCard>>,
    ports: Arc<Ports>,
    deadline: Instant,
) -> Result<Answer, Error> {
    let began = Instant::now();
    let outcome = prepared.send(&ports, card.as_deref(), deadline).await;
    let span = Span::current();
    span.record("duration_ms", u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    span.record("outcome", outcome.as_ref().map_or_else(word, |_| "answered"));
    if let Err(error) = &outcome {
        tracing::warn!(error = %said(error), "no answer to the plugin's message");
    }
    outcome
}

/// A message that is ready to go.
struct Prepared {
    endpoint: Endpoint,
    identity: Identity,
    /// With its length in front.
    frame: Zeroizing<Vec<u8>>,
    length: LengthHeader,
    mac: Option<Mac>,
    timeout: Duration,
}

impl Prepared {
    /// Where it goes is known to be allowed before anything of the card is put into it.
    async fn new(mut request: Request, given: &Given) -> Result<Self, Error> {
        let invalid = |why: &str| Error::Invalid(why.to_owned());
        let endpoint = Endpoint::parse(&request.url)
            .ok_or_else(|| invalid("the address must be tls://host:port or tcp://host:port and nothing more"))?;
        if !(1..=TIMEOUT_MS_MAX).contains(&request.timeout_ms) {
            return Err(invalid("the timeout must be 1 to 60,000 ms"));
        }
        let len_max = frame::message_len_max(request.length);
        if !(1..=len_max).contains(&request.message.len()) {
            return Err(invalid(&format!("the message must have 1 to {len_max} bytes")));
        }
        given.reach.allows_endpoint(&endpoint).map_err(of_http)?;
        let identity = Identity::named(request.client_certificate.take(), request.server_certificates.take(), given)
            .map_err(of_http)?;
        if !endpoint.tls && (identity.client.is_some() || identity.trusted.is_some()) {
            return Err(invalid("certificates are shown and looked at over tls:// alone"));
        }
        let keys = fields::load_keys(&request, given).await?;
        let mut message = Zeroizing::new(std::mem::take(&mut request.message));
        fields::put_in(&mut message, &request.card_fields, given, &keys)?;
        let mac = request.mac.map(|mac| Mac::new(&mac, &keys)).transpose()?;
        if let Some(mac) = &mac {
            mac.seal(&mut message)?;
        }
        Ok(Self {
            endpoint,
            identity,
            frame: frame::framed(request.length, &message),
            length: request.length,
            mac,
            timeout: Duration::from_millis(u64::from(request.timeout_ms)),
        })
    }

    /// `deadline` is the call's.
    async fn send(self, ports: &Ports, card: Option<&OpenCard>, deadline: Instant) -> Result<Answer, Error> {
        let until = deadline.min(Instant::now() + self.timeout);
        let within = CONNECT_TIMEOUT.min(until.saturating_duration_since(Instant::now()));
        let mut stream = ports.network.connect(&self.endpoint, self.identity, within).await.map_err(of_http)?;
        let broken = |why: &dyn std::fmt::Display| Error::Broken(why.to_string());
        // From here on it may have been received.
        let exchange = async {
            stream.write_all(&self.frame).await.map_err(|error| broken(&error))?;
            stream.flush().await.map_err(|error| broken(&error))?;
            let mut header = vec![0; frame::header_len(self.length)];
            stream.read_exact(&mut header).await.map_err(|error| broken(&error))?;
            let len = frame::message_len(self.length, &header)
                .ok_or_else(|| broken(&"the answer begins with no length of a message"))?;
            let mut message = vec![0; len];
            stream.read_exact(&mut message).await.map_err(|error| broken(&error))?;
            Ok(message)
        };
        let mut message = timeout_at(until, exchange).await.unwrap_or(Err(Error::TimedOut))?;
        let mac_fits = self.mac.is_some_and(|mac| mac.fits(&message));
        if let Some(card) = card {
            crate::card::traces::take_out(&mut message, card);
        }
        Ok(Answer { message, mac_fits })
    }
}

impl Given {
    fn card(&self) -> Result<&Arc<OpenCard>, Error> {
        self.card.as_ref().ok_or_else(|| Error::NoCard("this call is about no card".to_owned()))
    }
}

/// What goes wrong before anything is sent reads alike.
fn of_http(error: http::Error) -> Error {
    match error {
        http::Error::Invalid(why) => Error::Invalid(why),
        http::Error::Forbidden(why) => Error::Forbidden(why),
        http::Error::NoSecret(why) => Error::NoSecret(why),
        http::Error::Unreachable(why) => Error::Unreachable(why),
        http::Error::TimedOut => Error::TimedOut,
        http::Error::Broken(why) => Error::Broken(why),
    }
}

/// A stable word for spans.
fn word(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "invalid",
        Error::Forbidden(_) => "forbidden",
        Error::NoSecret(_) => "no_secret",
        Error::NoKey(_) => "no_key",
        Error::NoCard(_) => "no_card",
        Error::Unreachable(_) => "unreachable",
        Error::TimedOut => "timed_out",
        Error::Broken(_) => "broken",
    }
}

fn said(error: &Error) -> String {
    match error {
        Error::Invalid(why)
        | Error::Forbidden(why)
        | Error::NoSecret(why)
        | Error::NoKey(why)
        | Error::NoCard(why)
        | Error::Unreachable(why)
        | Error::Broken(why) => format!("{}: {why}", word(error)),
        Error::TimedOut => word(error).to_owned(),
    }
}

#[cfg(test)]
mod tests;
