//! HTTPS to core: each request of the till, once, and how it ended.
//!
//! A request is repeated by whoever asked, never here: only the caller knows whether asking again makes sense.

use std::{
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response, StatusCode, header::DATE};
use saoma_protocol::{
    Amount, Millis, PaymentId, RefundId, Sequence,
    api::{
        AskQuote, CreatePayment, CreateRefund, GoodsChanges, OfflineList, Page, PaymentView, Presentation, Problem,
        QuoteView, RefundView, Renew, Renewed, TerminalBooks, TerminalProfile,
    },
    cashier::CashierList,
    journal,
    message::{Health, JournalAck, JournalBatch, Push, PushAck},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::clock::Untimely;
use crate::{
    sale::{Ask, Outcome, Sale, Stage},
    telemetry,
};

/// Longest answer that is read, in bytes: pushes and journals are at most a message.
const ANSWER_LEN_MAX: usize = 2 * saoma_protocol::message::MESSAGE_LEN_MAX;
/// How long core may hold a request for pushes open.
const PUSHES_WAIT_MAX: Duration = Duration::from_secs(40);
/// How long a connection may take. Short: "offline" must be said at once.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// Core's word for a rule that could not be asked just now, and without which nothing is sold.
pub const RULE_BUSY: &str = "rule_busy";
/// Core's word for whoever it does not know, or not any more.
const UNAUTHENTICATED: &str = "unauthenticated";
/// Core's word for a terminal that was withdrawn, or the merchant of which is suspended.
const TERMINAL_SHUT_OUT: &str = "terminal_shut_out";

/// One request about a sale.
#[derive(Clone, Debug)]
pub enum Call {
    Create {
        payment: PaymentId,
        body: Box<CreatePayment>,
    },
    Fetch {
        payment: PaymentId,
    },
    Query {
        payment: PaymentId,
        key: String,
    },
    /// `counter`: of a sale that core may not have yet, and shall not get any more then.
    Cancel {
        payment: PaymentId,
        key: String,
        counter: Option<Sequence>,
    },
    ListRefunds {
        payment: PaymentId,
    },
    Void {
        payment: PaymentId,
        refund: RefundId,
    },
    Refund {
        payment: PaymentId,
        refund: RefundId,
        amount: Amount,
    },
}

impl Call {
    /// The request that an ask stands for; none if what it needs is gone (a scanned code after a restart). A code that the
    /// shop shows lives for `code_seconds`. A press is one request: `press_key` names it anew each time, so that core answers
    /// with how things stand now.
    #[must_use]
    pub fn of(sale: &Sale, ask: Ask, code_seconds: u32, press_key: impl FnOnce(&str) -> String) -> Option<Self> {
        let payment = sale.kept.payment;
        Some(match ask {
            Ask::Create => Self::Create { payment, body: Box::new(create_body(sale, code_seconds)?) },
            Ask::Fetch => Self::Fetch { payment },
            Ask::Query => Self::Query { payment, key: press_key("query") },
            Ask::Cancel => {
                let counter = sale.awaits_phone().then_some(sale.kept.counter);
                Self::Cancel { payment, key: press_key("cancel"), counter }
            }
            Ask::ListRefunds => Self::ListRefunds { payment },
            Ask::Refund(refund) => {
                let held = sale.refund(refund)?;
                if held.void {
                    Self::Void { payment, refund }
                } else {
                    Self::Refund { payment, refund, amount: held.amount }
                }
            }
        })
    }
}

fn create_body(sale: &Sale, code_seconds: u32) -> Option<CreatePayment> {
    let kept = &sale.kept;
    let Stage::Sending { method, .. } = kept.stage else { return None };
    let presentation = match method {
        journal::Method::MerchantPresented => Presentation::Merchant { expires_in_seconds: Some(code_seconds) },
        journal::Method::CustomerPresented => {
            Presentation::Customer { code: sale.waits.code.as_ref()?.expose().to_owned() }
        }
        journal::Method::Card => Presentation::Card { card: (**sale.waits.card.as_ref()?).clone() },
    };
    Some(CreatePayment {
        amount: kept.amount,
        presentation,
        order: None,
        channel_account: None,
        store: None,
        goods: kept.goods.clone(),
        // Of a part as of any sale: the customer's bill shows it. What belongs together is in the journal's entries.
        reference: kept.reference.as_ref().map(ToString::to_string),
        cashier: Some(kept.cashier.clone()),
        counter: Some(kept.counter),
        quote: kept.quote.clone(),
    })
}

/// Why there is no answer to a request that is not about a sale.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    #[error("reach core: {0}")]
    Unreachable(String),
    /// Nothing was sent.
    #[error("believe core: {0}")]
    Untimely(Untimely),
    #[error("get an answer from core: {0}")]
    Silent(String),
    #[error("be let in by core: {}", .0.detail)]
    Refused(Box<Problem>),
    #[error("understand core's answer: {0}")]
    Odd(String),
}

/// Core's terminal listener. Clones share the connections, and the certificate that is shown on them.
#[derive(Clone)]
pub struct Core {
    client: Arc<Mutex<reqwest::Client>>,
    base: Arc<str>,
    answer_max: Duration,
}

impl Core {
    /// # Errors
    /// If the TLS configuration cannot be used.
    pub fn new(base: &str, tls: rustls::ClientConfig, answer_max: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .timeout(answer_max)
            .pool_max_idle_per_host(2)
            // Shorter than core's keep-alive, so that a request never meets a connection that is just being closed.
            .pool_idle_timeout(Duration::from_secs(4))
            .user_agent(concat!("saoma-edge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client: Arc::new(Mutex::new(client)), base: Arc::from(base), answer_max })
    }

    /// The same core, asked with another certificate.
    ///
    /// # Errors
    /// If the TLS configuration cannot be used.
    pub fn showing(&self, tls: rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        Self::new(&self.base, tls, self.answer_max)
    }

    /// From now on this and all clones ask as `next` does. What is under way ends on the connection that it began on.
    pub fn switch_to(&self, next: &Self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = next.client();
    }

    fn client(&self) -> reqwest::Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client().request(method, format!("{}{path}", self.base));
        match telemetry::traceparent() {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        }
    }

    fn post(&self, path: &str, key: &str, body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).header("idempotency-key", key).json(body)
    }

    /// One request about a sale.
    pub async fn call(&self, call: &Call) -> Outcome {
        let empty = serde_json::json!({});
        let creates = matches!(call, Call::Create { .. });
        let request = match call {
            Call::Create { payment, body } => self.post("/v1/payments", &payment.to_string(), body),
            Call::Fetch { payment } => self.request(Method::GET, &format!("/v1/payments/{payment}")),
            Call::Query { payment, key } => self.post(&format!("/v1/payments/{payment}/query"), key, &empty),
            Call::Cancel { payment, key, counter } => {
                let named = counter.map(|counter| format!("?counter={counter}")).unwrap_or_default();
                self.post(&format!("/v1/payments/{payment}/cancel{named}"), key, &empty)
            }
            Call::ListRefunds { payment } => self.request(Method::GET, &format!("/v1/payments/{payment}/refunds")),
            Call::Void { payment, refund } => {
                self.post(&format!("/v1/payments/{payment}/void"), &refund.to_string(), &empty)
            }
            Call::Refund { payment, refund, amount } => {
                let body = CreateRefund { amount: *amount, reason: None };
                self.post(&format!("/v1/payments/{payment}/refunds"), &refund.to_string(), &body)
            }
        };
        match exchange(request).await {
            Ok((status, body)) => outcome(creates, status.as_u16(), &body),
            Err(error @ (HttpsError::Unreachable(_) | HttpsError::Untimely(_))) => {
                tracing::debug!(%error, "a request was not sent");
                Outcome::NotSent
            }
            Err(error) => {
                tracing::info!(%error, "nobody knows whether core got a request");
                Outcome::Silent
            }
        }
    }

    /// # Errors
    /// Any.
    pub async fn journal(&self, batch: &JournalBatch) -> Result<JournalAck, HttpsError> {
        // The batch may come again at any time; its last number tells batches apart.
        let last = batch.entries.last().map_or(0, |entry| entry.sequence.0);
        answer(self.post("/v1/terminal/journal", &format!("journal-{last}-{}", batch.entries.len()), batch)).await
    }

    /// What core has for this terminal, unacknowledged, after `after`. Core may wait for news before it answers.
    ///
    /// # Errors
    /// Any.
    pub async fn pushes(&self, after: Sequence) -> Result<Vec<Push>, HttpsError> {
        let path = format!("/v1/terminal/pushes?after={after}");
        let told: Told = answer(self.request(Method::GET, &path).timeout(PUSHES_WAIT_MAX)).await?;
        Ok(told.readable())
    }

    /// # Errors
    /// Any.
    pub async fn acknowledge(&self, ack: &PushAck) -> Result<(), HttpsError> {
        let newest = ack.ids.iter().max().map_or(0, |id| id.0);
        let request = self.post("/v1/terminal/pushes/ack", &format!("ack-{newest}-{}", ack.ids.len()), ack);
        let (status, body) = exchange(request).await?;
        if status.is_success() { Ok(()) } else { Err(refused(status, &body)) }
    }

    /// How this terminal does.
    ///
    /// # Errors
    /// Any.
    pub async fn health(&self, health: &Health) -> Result<(), HttpsError> {
        let (status, body) = exchange(self.request(Method::PUT, "/v1/terminal/health").json(health)).await?;
        if status.is_success() { Ok(()) } else { Err(refused(status, &body)) }
    }

    /// # Errors
    /// Any.
    pub async fn profile(&self) -> Result<TerminalProfile, HttpsError> {
        answer(self.request(Method::GET, "/v1/terminal/profile")).await
    }

    /// Who may sign on at this terminal.
    ///
    /// # Errors
    /// Any.
    pub async fn cashiers(&self) -> Result<CashierList, HttpsError> {
        answer(self.request(Method::GET, "/v1/terminal/cashiers")).await
    }

    /// What this terminal must know to take offline codes.
    ///
    /// # Errors
    /// Any.
    pub async fn offline_list(&self) -> Result<OfflineList, HttpsError> {
        answer(self.request(Method::GET, "/v1/terminal/offline-list")).await
    }

    /// What changed in the catalogue since that version.
    ///
    /// # Errors
    /// Any.
    pub async fn goods(&self, since: Sequence) -> Result<GoodsChanges, HttpsError> {
        answer(self.request(Method::GET, &format!("/v1/terminal/goods?since={since}"))).await
    }

    /// What the merchant's rules make of a sale. Nothing is written for it, so that it may be asked at any time.
    ///
    /// # Errors
    /// Any.
    pub async fn quote(&self, ask: &AskQuote) -> Result<QuoteView, HttpsError> {
        let (status, body) = exchange(self.request(Method::POST, "/v1/quotes").json(ask)).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| HttpsError::Odd(error.to_string()));
        }
        match serde_json::from_slice::<Problem>(&body) {
            // Core is there, and has answered.
            Ok(problem) if problem.code == RULE_BUSY => Err(HttpsError::Refused(Box::new(problem))),
            _ => Err(refused(status, &body)),
        }
    }

    /// Core's clock, if its answer says what time it is (RFC 9110, section 6.6.1: in whole seconds).
    ///
    /// # Errors
    /// Any.
    pub async fn clock(&self) -> Result<Option<Millis>, HttpsError> {
        let response = send(self.request(Method::GET, "/v1/terminal/profile")).await?;
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok());
        let (status, body) = read(response).await?;
        if !status.is_success() {
            return Err(refused(status, &body));
        }
        Ok(date.map(|date| Millis(date.unix_timestamp().saturating_mul(1_000))))
    }

    /// The certificate that follows the one shown.
    ///
    /// # Errors
    /// Any.
    pub async fn renew(&self, csr_pem: String) -> Result<Renewed, HttpsError> {
        let key = hex::encode(Sha256::digest(csr_pem.as_bytes()));
        answer(self.post("/v1/terminal/renew", &key, &Renew { csr_pem })).await
    }

    /// # Errors
    /// Any.
    pub async fn books(&self) -> Result<TerminalBooks, HttpsError> {
        answer(self.request(Method::GET, "/v1/terminal/books")).await
    }
}

/// [`saoma_protocol::api::Pushes`], each read by itself: what a newer core says must not hide what it says besides.
#[derive(Deserialize)]
struct Told {
    pushes: Vec<serde_json::Value>,
}

impl Told {
    /// What cannot be read is not acknowledged, stays in core's outbox, and waits for a newer agent.
    fn readable(self) -> Vec<Push> {
        let read = |push| {
            serde_json::from_value(push)
                .inspect_err(|error| tracing::error!(%error, "a push of core cannot be read"))
                .ok()
        };
        self.pushes.into_iter().filter_map(read).collect()
    }
}

/// Sends it and reads the whole answer.
async fn exchange(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), HttpsError> {
    read(send(request).await?).await
}

async fn send(request: RequestBuilder) -> Result<Response, HttpsError> {
    request.send().await.map_err(|error| match Untimely::of(&error) {
        Some(untimely) => HttpsError::Untimely(untimely),
        None if error.is_connect() || error.is_builder() => HttpsError::Unreachable(chain(&error)),
        None => HttpsError::Silent(chain(&error)),
    })
}

async fn read(mut response: Response) -> Result<(StatusCode, Vec<u8>), HttpsError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| HttpsError::Silent(chain(&error)))? {
        if body.len() + part.len() > ANSWER_LEN_MAX {
            return Err(HttpsError::Odd(format!("it is longer than {ANSWER_LEN_MAX} bytes")));
        }
        body.extend_from_slice(&part);
    }
    Ok((status, body))
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, HttpsError> {
    let (status, body) = exchange(request).await?;
    if !status.is_success() {
        return Err(refused(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| HttpsError::Odd(error.to_string()))
}

fn refused(status: StatusCode, body: &[u8]) -> HttpsError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if status.is_client_error() => HttpsError::Refused(Box::new(problem)),
        Ok(problem) => HttpsError::Silent(format!("{status}: {}", problem.detail)),
        Err(_) => HttpsError::Odd(format!("status {status}")),
    }
}

/// What an answer says about a request. Whatever is not surely core's word counts as silence: a proxy's page decides nothing.
///
/// `creates`: whether it was the request that makes the sale.
#[must_use]
pub fn outcome(creates: bool, status: u16, body: &[u8]) -> Outcome {
    if (200..300).contains(&status) {
        // Each has a field that the other lacks, and that a later version will not drop.
        if let Ok(view) = serde_json::from_slice::<PaymentView>(body) {
            return Outcome::View(Box::new(view));
        }
        if let Ok(page) = serde_json::from_slice::<Page<RefundView>>(body) {
            return Outcome::Refunds(page.items);
        }
        return match serde_json::from_slice::<RefundView>(body) {
            Ok(view) => Outcome::Refund(Box::new(view)),
            Err(error) => {
                tracing::warn!(%error, %status, "core's answer cannot be read");
                Outcome::Silent
            }
        };
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return Outcome::Silent };
    match status {
        401 | 403 => Outcome::Locked(Box::new(problem)),
        404 if !creates => Outcome::NotFound,
        // Try again later: timeout, too early, too many, or somebody else changed the sale at this moment.
        408 | 425 | 429 => Outcome::Silent,
        409 if problem.code == CHANGED_MEANWHILE => Outcome::Silent,
        400..=499 => Outcome::Refused(Box::new(problem)),
        _ => Outcome::Silent,
    }
}

/// Core's code for a request that lost a race. It may have done its part before: a sale may be with its channel already.
const CHANGED_MEANWHILE: &str = "changed_meanwhile";

/// Whether core says that somebody has shut this terminal out: it does nothing for it, whatever is asked.
#[must_use]
pub fn is_locked_out(problem: &Problem) -> bool {
    problem.status == 401 && problem.code == TERMINAL_SHUT_OUT
}

/// Whether core does not take this terminal's certificate, and has not said that anybody wants it so: it has lost the certificate, it is over,
/// or none was shown to it. A core of before says this of a terminal that is shut out, too.
#[must_use]
pub fn is_unknown(problem: &Problem) -> bool {
    problem.status == 401 && problem.code == UNAUTHENTICATED
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_push_that_cannot_be_read_does_not_hide_the_others() {
        let told = json!({"pushes": [
            {"id": 1, "at": 0, "body": {"kind": "of_a_newer_core", "what": 1}},
            {"id": 2, "at": 0, "body": {"kind": "sync_now"}},
        ]});
        let pushes = serde_json::from_value::<Told>(told).unwrap().readable();
        assert_eq!(pushes.iter().map(|push| push.id.0).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_proxy_shuts_no_terminal_out() {
        for (status, code, is_it) in [
            (401, "terminal_shut_out", true),
            (403, "terminal_shut_out", false),
            (401, "unauthenticated", false),
            (403, "unauthenticated", false),
            (401, "proxy_authentication", false),
            (403, "forbidden", false),
            (409, "terminal_revoked", false),
        ] {
            let told = json!({"type": "t", "title": "t", "status": status, "code": code, "detail": "d"});
            assert_eq!(is_locked_out(&serde_json::from_value(told).unwrap()), is_it, "{status} {code}");
        }
    }

    #[test]
    fn what_counts_as_cores_word() {
        let problem = |status: u16, code: &str| {
            json!({"type": "t", "title": "t", "status": status, "code": code, "detail": "d"}).to_string()
        };
        for (creates, status, body, expected) in [
            (true, 200, "{}".to_owned(), "Silent"),
            (true, 200, "<html>".to_owned(), "Silent"),
            (true, 404, problem(404, "channel_account_not_found"), "Refused"),
            (false, 404, problem(404, "payment_not_found"), "NotFound"),
            (false, 404, "<html>not here</html>".to_owned(), "Silent"),
            (true, 422, problem(422, "code_not_recognised"), "Refused"),
            (true, 409, problem(409, "changed_meanwhile"), "Silent"),
            (true, 409, problem(409, "sale_refused"), "Refused"),
            (true, 409, problem(409, "rule_failed"), "Refused"),
            (true, 503, problem(503, "rule_busy"), "Silent"),
            (false, 409, problem(409, "refund_exceeds"), "Refused"),
            (true, 401, problem(401, "unauthenticated"), "Locked"),
            (true, 401, problem(401, "terminal_shut_out"), "Locked"),
            (true, 403, problem(403, "forbidden"), "Locked"),
            (true, 429, problem(429, "too_many_requests"), "Silent"),
            (true, 500, problem(500, "internal"), "Silent"),
            (true, 503, "upstream".to_owned(), "Silent"),
            (true, 302, String::new(), "Silent"),
        ] {
            let told = format!("{:?}", outcome(creates, status, body.as_bytes()));
            assert!(told.starts_with(expected), "{creates} {status} {body}: {told}");
        }
    }
}
