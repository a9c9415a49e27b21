//! Looking for an order by its number, where no invoice has its payment hash.
//!
//! "Not found" makes core believe that nobody paid. The hash comes from the account's preimage key: after another one was
//! entered, invoices that are still open are found by their memo alone, and core must not hear that there are none.

use saoma_channel_sdk::{Error, no_answer};
use serde_json::Value;

use super::{build, build::Call, list, memo};

/// At up to 10 KiB each (routes, and the parts of a payment) they fit the answer of 1 MiB.
const ROWS: usize = 100;
/// With the look-up before it, what a call may ask of the host; 1,000 invoices within the time below.
pub const PAGES_MAX: usize = 10;
/// An invoice is made within moments of its order, by a clock that is not ours.
const AROUND_SECONDS: i64 = 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// Ask on, behind the invoice of this index.
    NotYet(u64),
}

/// Invoices made about then, in milliseconds since 1970.
#[must_use]
pub fn page(created_at: i64, behind: u64) -> Call {
    let at = created_at / 1_000;
    build::list(at - AROUND_SECONDS, at + AROUND_SECONDS, ROWS, behind)
}

/// # Errors
/// `no-answer` if there is an invoice of that number, as for all that leaves it open; `misconfigured` if the node does not take the
/// macaroon.
pub fn read(status: u16, body: &[u8], number: &str) -> Result<Found, Error> {
    let page = list::read(status, body, ROWS)?;
    let is_of = |invoice: &Value| invoice["memo"].as_str().is_some_and(|memo| memo::is_of(memo, number));
    if page.invoices.iter().any(is_of) {
        return Err(no_answer(
            "the node has an invoice of this order that was made with another preimage-key: enter that one again, until all \
             payments of then are settled",
        ));
    }
    Ok(page.next.map_or(Found::Nothing, Found::NotYet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{MEMO, NUMBER, kind};

    #[test]
    fn an_order_under_another_key_is_not_unknown() {
        let read = |memos: &[&str]| {
            let invoices: Vec<String> = memos.iter().map(|memo| format!(r#"{{"memo":"{memo}"}}"#)).collect();
            let body = format!(r#"{{"invoices":[{}],"last_index_offset":"107"}}"#, invoices.join(","));
            read(200, body.as_bytes(), NUMBER).map_err(|error| kind(&error))
        };
        assert_eq!(read(&[]), Ok(Found::Nothing));
        assert_eq!(read(&["coffee", &format!("{MEMO} "), "7"]), Ok(Found::Nothing));
        assert_eq!(read(&vec!["coffee"; ROWS]), Ok(Found::NotYet(107)));
        assert_eq!(read(&["coffee", MEMO]), Err("no-answer"));
        assert_eq!(super::read(200, b"{}", NUMBER).map_err(|error| kind(&error)), Err("no-answer"));
        assert_eq!(
            page(1_700_000_000_000, 7).path.split_once('?').map(|(_, query)| query),
            Some("creation_date_start=1699996400&creation_date_end=1700003600&num_max_invoices=100&index_offset=7")
        );
    }
}
