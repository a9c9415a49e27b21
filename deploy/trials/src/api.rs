//! HTTP as the people of the scenarios use it: JSON in, JSON or a problem out.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::secrecy;

/// Somebody at a door: an address, and what they show to be let in.
#[derive(Clone)]
pub struct Door {
    client: Client,
    base: String,
    headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

impl Door {
    pub fn new(base: impl Into<String>) -> Result<Self> {
        // Longer than any call may take inside, so that what is judged is the program's own deadline.
        Self::for_at_most(Duration::from_secs(70), base)
    }

    /// Of somebody who waits for an answer that long and no longer.
    pub fn for_at_most(patience: Duration, base: impl Into<String>) -> Result<Self> {
        let client = Client::builder().timeout(patience).no_proxy().build()?;
        Ok(Self { client, base: base.into(), headers: Vec::new() })
    }

    /// The same door with one more header on every request.
    #[must_use]
    pub fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut door = self.clone();
        door.headers.push((name, value.into()));
        door
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Reply> {
        for (_, value) in &self.headers {
            secrecy::note_header(value);
        }
        body.into_iter().for_each(secrecy::note_fields);
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {}{path}", self.base))?;
        let status = response.status();
        for cookie in response.headers().get_all("set-cookie") {
            cookie.to_str().into_iter().for_each(secrecy::note_cookie);
        }
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        secrecy::note_fields(&body);
        Ok(Reply { status, body })
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None, None).await?.success(path)
    }

    pub async fn post(&self, path: &str, body: &Value, key: &str) -> Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key)).await?.success(path)
    }

    /// A page or an image as it is.
    pub async fn bytes(&self, path: &str) -> Result<(StatusCode, Vec<u8>)> {
        let response = self.client.get(format!("{}{path}", self.base)).send().await?;
        Ok((response.status(), response.bytes().await?.to_vec()))
    }
}

impl Reply {
    pub fn success(self, path: &str) -> Result<Value> {
        if self.status.is_success() { Ok(self.body) } else { bail!("{path} answered {}: {}", self.status, self.body) }
    }

    /// The stable code of a problem, which it must be.
    pub fn problem(&self) -> Result<&str> {
        if self.status.is_success() {
            bail!("it was let through: {}", self.body);
        }
        self.body["code"].as_str().with_context(|| format!("not a problem with a code: {}", self.body))
    }
}

/// A text inside a JSON value, by pointer.
pub fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no text at {pointer} in {value}"))
}
