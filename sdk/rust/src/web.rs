//! One HTTP request, with an error that already says what core must know: may the scheme have heard it or not.

use crate::{Error, bindings::saoma::channel::http, no_answer, not_sent};

/// A request to the scheme.
pub struct Request(http::Request);

/// What the scheme answered, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// `timeout_ms` is 1 to 60,000. Leave a few hundred ms of the manifest's call timeout, so that your answer still counts.
    #[must_use]
    pub fn new(method: &str, url: impl Into<String>, timeout_ms: u32) -> Self {
        let (method, url) = (method.to_owned(), url.into());
        Self(http::Request { method, url, headers: Vec::new(), body: Vec::new(), timeout_ms })
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self.header("content-type", content_type)
    }

    /// # Errors
    /// `not-sent` if no byte of it left this machine, else `no-answer`. About this request alone: if an earlier one of the same
    /// call went unanswered, core takes the call as unanswered whatever you say.
    pub fn send(self) -> Result<Reply, Error> {
        let response = http::send(&self.0).map_err(|error| match error {
            http::Error::Forbidden(why) | http::Error::Invalid(why) => not_sent(why),
            http::Error::Unreachable(why) => not_sent(format!("the scheme cannot be reached: {why}")),
            http::Error::TimedOut => no_answer("the scheme did not answer in time"),
            http::Error::Broken(why) => no_answer(format!("the answer was cut off: {why}")),
        })?;
        Ok(Reply { status: response.status, headers: response.headers, body: response.body })
    }
}

impl Reply {
    /// The first header of that name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}
