//! One message to an acquirer's host, with an error that already says what core must know: may it have been received or not.

use crate::{Error, bindings::saoma::channel::tcp, misconfigured, no_answer, not_sent};

pub use tcp::{Answer, CardValue, Digits, LengthHeader, MacAlgorithm, PinBlock, PinFormat};

/// A message to the scheme.
pub struct Message(tcp::Request);

impl Message {
    /// `url`: `tls://host:port`. `timeout_ms` is 1 to 60,000; leave a few hundred ms of the manifest's call timeout, so that your
    /// answer still counts.
    #[must_use]
    pub fn new(url: impl Into<String>, length: LengthHeader, message: Vec<u8>, timeout_ms: u32) -> Self {
        Self(tcp::Request {
            url: url.into(),
            message,
            length,
            card_fields: Vec::new(),
            mac: None,
            client_certificate: None,
            server_certificates: None,
            timeout_ms,
        })
    }

    /// The host writes this of the card over the bytes from `at` on.
    #[must_use]
    pub fn card(mut self, at: u32, value: CardValue) -> Self {
        self.0.card_fields.push(tcp::CardField { at, value });
        self
    }

    /// The host writes the MAC by the key in this slot over the last 8 bytes. It covers what is before them, from `begins_at` on.
    #[must_use]
    pub fn mac(mut self, key: &str, algorithm: MacAlgorithm, begins_at: u32) -> Self {
        self.0.mac = Some(tcp::MessageMac { key: key.to_owned(), algorithm, begins_at });
        self
    }

    /// As [`crate::Request::client_certificate`].
    #[must_use]
    pub fn client_certificate(mut self, secret: &str) -> Self {
        self.0.client_certificate = Some(secret.to_owned());
        self
    }

    /// As [`crate::Request::server_certificates`].
    #[must_use]
    pub fn server_certificates(mut self, secret: &str) -> Self {
        self.0.server_certificates = Some(secret.to_owned());
        self
    }

    /// `None`: a working key that it names is not there, so sign on and load it; nothing was sent.
    ///
    /// # Errors
    /// `misconfigured` if the account lacks a secret that it names; `not-sent` if no byte of it left this machine, else `no-answer`.
    pub fn exchange(self) -> Result<Option<Answer>, Error> {
        tcp::exchange(&self.0).map(Some).or_else(|error| match error {
            tcp::Error::NoKey(_) => Ok(None),
            tcp::Error::Forbidden(why) | tcp::Error::Invalid(why) | tcp::Error::NoCard(why) => Err(not_sent(why)),
            tcp::Error::NoSecret(why) => Err(misconfigured(why)),
            tcp::Error::Unreachable(why) => Err(not_sent(format!("the scheme cannot be reached: {why}"))),
            tcp::Error::TimedOut => Err(no_answer("the scheme did not answer in time")),
            tcp::Error::Broken(why) => Err(no_answer(format!("the answer was cut off: {why}"))),
        })
    }
}
