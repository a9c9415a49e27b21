//! HTTP as somebody at core's door uses it: what they show to be let in, what they ask, what they are answered.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
};

use reqwest::{
    Client, Method, RequestBuilder,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{fleet_client::Identity, fleet_world::install_tls};

/// Somebody at a door.
#[derive(Clone)]
pub struct Door {
    http: Client,
    root: String,
    bearer: Option<String>,
}

/// Core closes a connection that rests for some seconds; on a busy machine a story must not send on one at that moment.
fn patient() -> reqwest::ClientBuilder {
    Client::builder().no_proxy().pool_max_idle_per_host(0)
}

impl Door {
    /// Without anything to show.
    pub fn at(root: &str) -> Self {
        install_tls();
        let http = patient().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, root: root.to_owned(), bearer: None }
    }

    /// With a terminal's certificate.
    pub fn with_identity(root: &str, identity: &Identity) -> Self {
        let http = patient().tls_backend_preconfigured(identity.tls(true)).build().unwrap();
        Self { http, root: root.to_owned(), bearer: None }
    }

    /// The same door for the holder of this token or key.
    pub fn with(&self, bearer: &str) -> Self {
        Self { bearer: Some(bearer.to_owned()), ..self.clone() }
    }

    /// What its holder shows.
    pub fn bearer(&self) -> String {
        self.bearer.clone().unwrap()
    }

    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let mut request = self.http.request(method.parse::<Method>().unwrap(), format!("{}{path}", self.root));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let key = (method == "POST").then(|| format!("wish-{}", WISHES.fetch_add(1, Ordering::Relaxed)));
        Ask { request, key }
    }

    pub fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    pub fn post(&self, path: &str) -> Ask {
        self.ask("POST", path)
    }
}

/// How many things have been asked for.
static WISHES: AtomicU64 = AtomicU64::new(0);

/// A request in the making; awaited, it is sent. A POST is a wish of its own unless it is said which.
pub struct Ask {
    request: RequestBuilder,
    key: Option<String>,
}

impl Ask {
    pub fn key(self, key: &str) -> Self {
        self.without_key().header("idempotency-key", key.as_bytes())
    }

    pub fn without_key(self) -> Self {
        Self { key: None, ..self }
    }

    pub fn header(self, name: &str, value: &[u8]) -> Self {
        let value = HeaderValue::from_bytes(value).unwrap();
        Self { request: self.request.header(name.parse::<HeaderName>().unwrap(), value), ..self }
    }

    pub fn json(self, body: &impl Serialize) -> Self {
        self.bytes(serde_json::to_vec(body).unwrap())
    }

    /// Bytes that say they are JSON.
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", b"application/json").raw(body)
    }

    pub fn raw(self, body: impl Into<Vec<u8>>) -> Self {
        Self { request: self.request.body(body.into()), ..self }
    }

    /// The answer's beginning; its body goes on.
    pub async fn open(self) -> reqwest::Response {
        match self.key {
            Some(key) => self.request.header("idempotency-key", key).send().await.unwrap(),
            None => self.request.send().await.unwrap(),
        }
    }
}

impl IntoFuture for Ask {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let response = self.open().await;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            // A live view never ends: that it began is the answer.
            let is_live = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
            let text = if is_live { String::new() } else { response.text().await.unwrap() };
            Answer { status, headers, text }
        })
    }
}

/// What core answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The problem but for what is another in each answer. Whatever is refused must be one.
    #[track_caller]
    pub fn problem(&self) -> Value {
        assert!(self.status >= 400, "it was let through: {} {}", self.status, self.text);
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        assert_eq!(kind, Some("application/problem+json"), "{} {}", self.status, self.text);
        let mut problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], self.status);
        problem.as_object_mut().unwrap().remove("trace_id");
        problem
    }

    /// The problem's status and code.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.problem()["code"].as_str().unwrap().to_owned())
    }

    /// The refresh cookie that the answer sets: its name and value, as a browser sends it back.
    pub fn cookie(&self) -> Option<String> {
        let set = self.headers.get("set-cookie")?.to_str().ok()?;
        set.split(';').next().map(str::to_owned)
    }
}
