//! A running core, as the commands that publish and roll out speak to it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{
    Method, Url,
    blocking::{Client, RequestBuilder},
    header::CONTENT_TYPE,
};
use saoma_channels::{Chance as _, SystemChance};
use saoma_protocol::api::Problem;
use serde_json::Value;
use zeroize::Zeroizing;

/// Core compiles what it takes in: half a minute of processor for the largest, on a machine that has other things to do.
const ANSWER_MAX: Duration = Duration::from_secs(300);
/// The variable that holds the token if no file is named.
pub(crate) const TOKEN_VARIABLE: &str = "SAOMA_TOKEN";
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Which core, and as whom.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Core's address, such as https://pay.example.com.
    #[arg(long, value_name = "URL")]
    to: Url,
    /// A file with the API key, or the access token of a session; without it, the environment variable SAOMA_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

pub(super) struct Core {
    base: Url,
    token: Zeroizing<String>,
    client: Client,
}

impl Core {
    /// # Errors
    /// There is no token, or it would go over the network in the clear.
    pub(super) fn new(arguments: Arguments) -> Result<Self> {
        let Arguments { to, token_file } = arguments;
        let is_here = matches!(to.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        ensure!(
            to.scheme() == "https" || (to.scheme() == "http" && is_here),
            "the token would cross the network in the clear: give an address that begins with https://"
        );
        let text = match token_file {
            Some(file) => {
                let bytes = Zeroizing::new(super::package::limited(&file, TOKEN_BYTES_MAX)?);
                let text = std::str::from_utf8(&bytes).ok();
                Zeroizing::new(text.with_context(|| format!("{} holds no token", file.display()))?.to_owned())
            }
            None => Zeroizing::new(std::env::var(TOKEN_VARIABLE).ok().with_context(|| {
                format!("there is no token: give --token-file, or set {TOKEN_VARIABLE} to an API key or access token")
            })?),
        };
        let token = Zeroizing::new(text.trim().to_owned());
        ensure!(!token.is_empty(), "the token is empty");
        // Another provider may have been taken already: then that one.
        drop(rustls::crypto::ring::default_provider().install_default());
        // A token is for the core that was named, and follows no redirect.
        let client = Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("start the HTTP client")?;
        Ok(Self { base: to, token, client })
    }

    pub(super) fn get(&self, path: &[&str]) -> Result<Value> {
        self.answered(self.request(Method::GET, path)?)
    }

    pub(super) fn post(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.answered(self.request(Method::POST, path)?.json(body))
    }

    pub(super) fn post_bytes(&self, path: &[&str], content_type: &'static str, body: Vec<u8>) -> Result<Value> {
        self.answered(self.request(Method::POST, path)?.header(CONTENT_TYPE, content_type).body(body))
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().push("v1").extend(path);
            }
            Err(()) => bail!("{} is no address of a core", self.base),
        };
        let mut key = [0; 16];
        SystemChance.fill(&mut key)?;
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(self.token.as_str())
            .header("Idempotency-Key", hex::encode(key)))
    }

    fn answered(&self, request: RequestBuilder) -> Result<Value> {
        let within = || format!("ask the core at {}", self.base);
        let response = request.send().with_context(within)?;
        let status = response.status();
        let body = response.bytes().with_context(within)?;
        if status.is_success() {
            return serde_json::from_slice(&body).with_context(within);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => bail!("core refuses: {} ({})", problem.detail, problem.code),
            Err(_) => bail!("{} answers {status}, and not as a core does: is the address right?", self.base),
        }
    }
}
