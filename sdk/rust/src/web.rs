//! One HTTP request, with an error that already says what core must know: may the scheme have heard it or not.

use crate::{Error, bindings::saoma::channel::http, misconfigured, no_answer, not_sent};

/// The longest answer that is taken unless a request says otherwise: the contract's bound outside of `fetch-bill`.
const ANSWER_BYTES_MAX: u32 = 1 << 20;

/// A request to the scheme.
pub struct Request(http::Request, Vec<http::QuerySecret>);

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
        let request = http::Request {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            credentials: Vec::new(),
            client_certificate: None,
            server_certificates: None,
            timeout_ms,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        Self(request, Vec::new())
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

    /// A header whose value ends in a secret (`text`), which the host puts in: `("authorization", "Bearer ", "api-token")`.
    #[must_use]
    pub fn secret_header(self, name: &str, prefix: &str, secret: &str) -> Self {
        let header = http::SecretHeader { name: name.to_owned(), prefix: prefix.to_owned() };
        self.credential(secret, http::CredentialPlace::Header(header))
    }

    /// Basic authentication (RFC 7617) with a secret (`text`) as the password.
    #[must_use]
    pub fn basic(self, user: &str, secret: &str) -> Self {
        self.credential(secret, http::CredentialPlace::Basic(user.to_owned()))
    }

    /// A last field of a form body, with a secret (`text`) as its value.
    #[must_use]
    pub fn secret_field(self, name: &str, secret: &str) -> Self {
        self.credential(secret, http::CredentialPlace::FormField(name.to_owned()))
    }

    /// A last parameter of the URL's query, with a secret (`text`) as its value: for schemes that take it nowhere else.
    #[must_use]
    pub fn secret_parameter(mut self, name: &str, secret: &str) -> Self {
        self.1.push(http::QuerySecret { name: name.to_owned(), secret: secret.to_owned() });
        self
    }

    fn credential(mut self, secret: &str, place: http::CredentialPlace) -> Self {
        self.0.credentials.push(http::Credential { secret: secret.to_owned(), place });
        self
    }

    /// Shows this certificate (`client-certificate`) in TLS.
    #[must_use]
    pub fn client_certificate(mut self, secret: &str) -> Self {
        self.0.client_certificate = Some(secret.to_owned());
        self
    }

    /// Trusts these certificates (`certificates`) alone to say who the other side is.
    #[must_use]
    pub fn server_certificates(mut self, secret: &str) -> Self {
        self.0.server_certificates = Some(secret.to_owned());
        self
    }

    /// Takes an answer of up to so many bytes, in `fetch-bill` 8 MiB.
    #[must_use]
    pub fn answer_bytes_max(mut self, bytes: u32) -> Self {
        self.0.answer_bytes_max = bytes;
        self
    }

    /// # Errors
    /// `misconfigured` if the account lacks a secret that the request names; `not-sent` if no byte of it left this machine, else `no-answer`. About this request alone: if an earlier one of the same
    /// call went unanswered, core takes the call as unanswered whatever you say.
    pub fn send(self) -> Result<Reply, Error> {
        // A host that is older than such parameters does not have the function: it is called where there are some.
        let sent = if self.1.is_empty() { http::send(&self.0) } else { http::send_with_query(&self.0, &self.1) };
        let response = sent.map_err(|error| match error {
            http::Error::Forbidden(why) | http::Error::Invalid(why) => not_sent(why),
            http::Error::NoSecret(why) => misconfigured(why),
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
