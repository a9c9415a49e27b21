//! What a self-test looks at, so that it is green only where the next sale goes through.

use saoma_channel_sdk::{Error, no_answer};
use serde_json::Value;

use super::{
    Settings, bolt11, build,
    invoice::{self, Invoice, Message},
    refusal,
};

/// How many of the node's last invoices are looked at: a till that was in use under another key is among them.
pub const ROWS: usize = 10;

/// Whether the node's last invoice, of anyone, is of the network that the settings name; if there is none, nobody knows.
///
/// # Errors
/// Of which network it is.
pub fn of_network(invoices: &[Value], settings: &Settings) -> Result<(), String> {
    let text = invoices.last().and_then(|invoice| invoice["payment_request"].as_str()).unwrap_or_default();
    bolt11::read(text).map_or(Ok(()), |request| invoice::has_network(&request, settings))
}

/// This account's among them, as far as one of them may still be open by itself: those of the last day.
#[must_use]
pub fn of_the_last_day(invoices: Vec<Value>, settings: &Settings, now_ms: i64) -> Vec<Invoice> {
    let since = u64::try_from(now_ms / 1_000 - build::EXPIRY_SECONDS_MAX).unwrap_or_default();
    let ours =
        invoices.into_iter().filter_map(|invoice| serde_json::from_value::<Message>(invoice).ok()?.read(settings).ok());
    ours.filter(|invoice| invoice.terms.amount.currency == settings.currency && invoice.made_at() >= since).collect()
}

/// The answer to the cancellation of an invoice that nobody has: the node looks at the macaroon before it finds that out.
///
/// # Errors
/// `misconfigured` if the node does not take the macaroon; `no-answer` for any other words than that there is no such invoice: a node
/// that is starting or shutting down sells nothing.
pub fn read_nobodys(status: u16, body: &[u8]) -> Result<(), Error> {
    if status == 200 {
        return Ok(());
    }
    let refused = refusal::read(status, body)?;
    if refused.is_of_no_invoice() { Ok(()) } else { Err(no_answer(refused.words)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        samples::{MEMO, NOW_MS, hash, invoice, kind, payment_request_of, settings},
        settings::Network,
    };

    #[test]
    fn the_last_invoice_tells_the_network() {
        let networks = [Network::Mainnet, Network::Testnet, Network::Signet, Network::Regtest];
        for (named, made) in networks.into_iter().flat_map(|named| networks.map(|made| (named, made))) {
            let settings = Settings { network: named, ..settings() };
            let last = |network| {
                let text = payment_request_of(network, &hash(), 1_000, NOW_MS / 1_000, 120, "anyone's");
                serde_json::json!({ "payment_request": text })
            };
            assert_eq!(
                of_network(&[last(named), last(made)], &settings).is_ok(),
                named == made,
                "{made:?} at {named:?}"
            );
        }
        for unknown in [vec![], vec![serde_json::json!({})], vec![serde_json::json!({ "payment_request": "x" })]] {
            assert_eq!(of_network(&unknown, &settings()), Ok(()));
        }
    }

    #[test]
    fn invoices_of_the_account_and_the_day() {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let ours = invoice("SETTLED", 25_253_000);
        let all = vec![parsed(&ours), parsed(&ours.replace(MEMO, "a cup of coffee")), parsed("7")];
        let found = |settings: &Settings, now_ms| -> Vec<_> {
            of_the_last_day(all.clone(), settings, now_ms).into_iter().map(|invoice| invoice.hash).collect()
        };
        assert_eq!(found(&settings(), NOW_MS + 86_400_000), [hash()]);
        assert!(found(&settings(), NOW_MS + 86_401_000).is_empty(), "nobody can pay it any more");
        assert!(found(&Settings { currency: "EUR".to_owned(), ..settings() }, NOW_MS).is_empty(), "another account's");
    }

    #[test]
    fn only_a_node_that_works_knows_that_there_is_no_such_invoice() {
        let read = |status, message: &str| {
            let body = format!(r#"{{"code":2,"message":"{message}","details":[]}}"#);
            read_nobodys(status, body.as_bytes()).map_err(|error| kind(&error))
        };
        assert_eq!(read_nobodys(200, b"{}"), Ok(()));
        assert_eq!(read(500, "unable to locate invoice"), Ok(()));
        assert_eq!(read(500, "there are no existing invoices"), Ok(()));
        assert_eq!(read(500, "permission denied"), Err("misconfigured"));
        for other in ["the RPC server is in the process of starting up", "transport is closing", ""] {
            assert_eq!(read(500, other), Err("no-answer"), "{other}");
        }
        assert_eq!(read_nobodys(502, b"<html>").map_err(|error| kind(&error)), Err("no-answer"));
    }
}
