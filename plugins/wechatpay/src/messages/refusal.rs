//! The scheme's error codes.
//!
//! API v3 writes them with underscores where v2 wrote none (`AUTH_CODE_INVALID`, `AUTHCODEEXPIRE`), and the pages of the newer API
//! still show some of the older names: they are compared without.

use saoma_channel_sdk::{Error, no_answer, not_sent};
use serde::Deserialize;

#[derive(Deserialize)]
struct RefusalMessage {
    code: String,
    #[serde(default)]
    message: String,
}

/// A refusal, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// In capitals, without underscores.
    pub(super) code: String,
    /// The scheme's own code and words.
    pub(super) words: String,
}

/// What stands in place of an answer.
///
/// # Errors
/// `no-answer` for what is no refusal of the scheme's.
pub(super) fn refusal(status: u16, body: &[u8]) -> Result<Refusal, Error> {
    let read: RefusalMessage = serde_json::from_slice(body)
        .map_err(|_| no_answer(format!("status {status} with a body that cannot be read")))?;
    let code = read.code.replace('_', "").to_ascii_uppercase();
    Ok(Refusal { status, code, words: format!("{}: {}", read.code, read.message) })
}

impl Refusal {
    /// The error that it is, unless the call knows better.
    pub(super) fn into_error(self) -> Error {
        if self.is_before_effect() { not_sent(self.words) } else { no_answer(self.words) }
    }

    /// Whether the request itself was refused, before it could do anything: wrong parameters or signature, no permission, too many
    /// requests. What the scheme calls `INVALID_REQUEST` is not among them: it stands for a broken business rule as well, also for
    /// one that the first of two equal requests has brought about.
    pub(super) fn is_before_effect(&self) -> bool {
        matches!(
            (self.status, self.code.as_str()),
            (400, "PARAMERROR" | "APPIDMCHIDNOTMATCH")
                | (400 | 404, "MCHNOTEXISTS")
                | (401, "SIGNERROR")
                | (403, "NOAUTH")
                | (429, "FREQUENCYLIMITED" | "RATELIMITEXCEEDED" | "FREQUENCYLIMITEXCEED")
        )
    }

    /// Whether the scheme has no such order.
    pub(super) fn is_no_order(&self) -> bool {
        self.status == 404 && matches!(self.code.as_str(), "ORDERNOTEXIST" | "RESOURCENOTEXISTS")
    }

    /// The contract's word for why a charge is refused for good, if this is why.
    pub(super) fn failure_code(&self) -> Option<&'static str> {
        if !(400..500).contains(&self.status) {
            return None;
        }
        Some(match self.code.as_str() {
            "AUTHCODEINVALID" | "AUTHCODEERROR" => "code-invalid",
            "AUTHCODEEXPIRE" | "AUTHCODEEXPIRED" => "code-expired",
            "NOTENOUGH" => "insufficient-funds",
            "RULELIMIT" => "limit-exceeded",
            "TRADEERROR" | "ACCOUNTERROR" | "USERACCOUNTABNORMAL" | "NOTSUPORTCARD" => "declined",
            _ => return None,
        })
    }
}

#[cfg(test)]
pub(super) mod samples {
    use saoma_channel_sdk::Error;

    pub(in super::super) fn refused(code: &str) -> Vec<u8> {
        format!(r#"{{"code":"{code}","message":"no"}}"#).into_bytes()
    }

    pub(in super::super) fn kind(error: &Error) -> &'static str {
        match error {
            Error::NoAnswer(_) => "no-answer",
            Error::NotSent(_) => "not-sent",
            Error::Misconfigured(_) => "misconfigured",
            Error::Unsupported => "unsupported",
        }
    }
}
