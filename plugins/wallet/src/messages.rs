//! The wire of `/v1/stored-value/acceptors` (core's OpenAPI document), pure: what is sent, and what an answer means.

pub mod build;
pub mod read;
mod settings;

pub use settings::Settings;

/// One call of the issuer's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// With its query.
    pub path: String,
    /// Of a `POST`, which has a body too.
    pub key: Option<String>,
    pub body: String,
}
