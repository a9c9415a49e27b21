//! How the node says no: a gRPC status as JSON, its HTTP status following from the code (grpc-gateway).
//!
//! Nearly all of LND's refusals have the code 2 ("unknown"), so they say little by themselves: what the node has of an order is
//! asked for after one.

use saoma_channel_sdk::{Error, misconfigured, no_answer};
use serde::Deserialize;

/// google.rpc.Code.
const UNKNOWN: u32 = 2;
const NOT_FOUND: u32 = 5;

/// What LND says of a payment hash that no invoice has (invoices/errors.go). A node whose wallet is locked has none of these calls,
/// and says "Not Found" of the call under the same code: that tells nothing of an invoice.
const OF_NO_INVOICE: [&str; 2] = ["unable to locate invoice", "there are no existing invoices"];

/// What LND says of a macaroon that it does not take (macaroons/service.go, and the macaroon bakery that it uses).
const OF_MACAROONS: [&str; 6] = [
    "permission denied",
    "expected 1 macaroon",
    "verification failed",
    "cannot get macaroon",
    "encoding/hex",
    "cannot determine data format of binary-encoded macaroon",
];

#[derive(Deserialize)]
struct Status {
    code: u32,
    message: String,
}

/// A refusal in the node's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: u32,
    is_of_no_invoice: bool,
    /// All that was said of it, for the operator.
    pub words: String,
}

/// What an answer that is no success says.
///
/// # Errors
/// `misconfigured` if the node does not take the macaroon; `no-answer` for what is not the node's, as a gateway's page.
pub fn read(status: u16, body: &[u8]) -> Result<Refusal, Error> {
    let said: Status = serde_json::from_slice(body)
        .map_err(|_| no_answer(format!("status {status} with a body that is not the node's")))?;
    if said.code == UNKNOWN && OF_MACAROONS.iter().any(|words| said.message.contains(words)) {
        return Err(misconfigured(format!("the node does not take node-macaroon: {}", said.message)));
    }
    let is_of_no_invoice = OF_NO_INVOICE.iter().any(|words| said.message.contains(words));
    Ok(Refusal { code: said.code, is_of_no_invoice, words: format!("{status}, code {}: {}", said.code, said.message) })
}

impl Refusal {
    /// Whether the node may have refused what was asked for good; if not, nothing is known.
    #[must_use]
    pub const fn is_foreseen(&self) -> bool {
        self.code == UNKNOWN
    }

    /// Whether the node says so, by whatever code, of an invoice that it does not have.
    #[must_use]
    pub const fn is_of_no_invoice(&self) -> bool {
        self.is_of_no_invoice
    }

    /// Whether the node says that it has no such invoice. Only the look-up says so by a code.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        self.code == NOT_FOUND && self.is_of_no_invoice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::kind;

    #[test]
    fn refusals() {
        let told = |status, code: u32, message: &str| {
            read(status, format!(r#"{{"code":{code},"message":"{message}","details":[]}}"#).as_bytes())
                .map(|refusal| (refusal.is_foreseen(), refusal.is_not_found()))
                .map_err(|error| kind(&error))
        };
        for (status, code, message, outcome) in [
            (404, 5, "unable to locate invoice", Ok((false, true))),
            (404, 5, "there are no existing invoices", Ok((false, true))),
            (404, 5, "Not Found", Ok((false, false))),
            (500, 2, "unable to locate invoice", Ok((true, false))),
            (500, 2, "invoice with payment hash already exists", Ok((true, false))),
            (500, 2, "permission denied", Err("misconfigured")),
            (500, 2, "verification failed: signature mismatch after caveat verification", Err("misconfigured")),
            (500, 2, "expected 1 macaroon, got 0", Err("misconfigured")),
            (503, 14, "transport is closing", Ok((false, false))),
            (500, 99, "never seen", Ok((false, false))),
        ] {
            assert_eq!(told(status, code, message), outcome, "{message}");
        }
        for body in ["", "<html>", "{}", r#"{"code":"5","message":"x"}"#] {
            assert_eq!(read(404, body.as_bytes()).map_err(|error| kind(&error)).err(), Some("no-answer"), "{body}");
        }
    }
}
