//! Answers kept in Redis for sales that come again, in front of the database, which stays the truth. Refunds and all else are
//! repeated too seldom to need it: they are read.
//!
//! What is kept counts only for the same request of the same caller, and only while the database has the payment in the
//! version that was answered: the database is asked for a number instead of for the whole. An answer that is old, lost
//! or never kept only means that all of it is read.

use std::time::Duration;

use actix_web::{HttpResponse, http::header::ContentType};
use saoma_store::{StoreError, TenantScope, idempotency::Fingerprint};
use serde::Serialize;

use crate::app::App;

/// Long enough for a terminal that repeats itself over a bad line; a later repeat reads the database.
const LIVES: Duration = Duration::from_secs(600);
/// An answer of another version of this program may have another shape.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// A request as one can tell it from others.
pub struct Wish {
    name: String,
    fingerprint: String,
}

impl Wish {
    /// `number`: what the request is about, for example a payment's id. `fingerprint`: the keyed hash of all of it.
    pub fn of(scope: TenantScope, number: &str, fingerprint: &Fingerprint) -> Self {
        let name = format!("{}:{number}", scope.tenant());
        Self { name, fingerprint: format!("{PROGRAM}-{}", hex::encode(fingerprint)) }
    }

    /// The answer kept for it, if `version` (asked of the database) is still the one that was answered.
    ///
    /// # Errors
    /// What `version` says.
    pub async fn replay(
        &self,
        app: &App,
        version: impl AsyncFnOnce() -> Result<Option<u64>, StoreError>,
    ) -> Result<Option<HttpResponse>, StoreError> {
        let Some(kept) = app.peers().recall(&self.name).await else { return Ok(None) };
        let Some((fingerprint, answered, body)) = read(&kept) else { return Ok(None) };
        if fingerprint != self.fingerprint || version().await? != Some(answered) {
            return Ok(None);
        }
        Ok(Some(HttpResponse::Ok().content_type(ContentType::json()).body(body.to_owned())))
    }

    /// Keeps what was answered, in the background.
    pub fn keep(&self, app: &App, version: u64, answer: &impl Serialize) {
        if let Ok(body) = serde_json::to_string(answer) {
            app.peers().keep_text(&self.name, format!("{} {version}\n{body}", self.fingerprint), LIVES);
        }
    }
}

fn read(kept: &str) -> Option<(&str, u64, &str)> {
    let (head, body) = kept.split_once('\n')?;
    let (fingerprint, version) = head.split_once(' ')?;
    Some((fingerprint, version.parse().ok()?, body))
}
