//! Looking for an order by its number, where core never learned its payment hash and the account's key makes one that no invoice has.
//!
//! "Not found" makes core believe that nobody paid. After another preimage key was entered, invoices that were made before are found
//! by their memo alone, and what they say counts.

use saoma_channel_sdk::{Error, no_answer};
use serde_json::Value;

use super::{
    Settings, build,
    build::Call,
    invoice::{Invoice, Message},
    list, memo,
};

/// At up to 10 KiB each (routes, and the parts of a payment) they fit the answer of 1 MiB with room to spare.
const ROWS: usize = 50;
/// 400 invoices, one for each ten seconds of the time below; the calls before and after it fit the 16 of a call.
pub const PAGES_MAX: usize = 8;
/// An invoice is made after its order; the node's clock is not ours, and what went unanswered is announced again.
const BEFORE_SECONDS: i64 = 600;
const AFTER_SECONDS: i64 = 3_600;

#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Nothing,
    Here(Box<Invoice>),
    /// Ask on, behind the invoice of this index.
    NotYet(u64),
}

/// Invoices made about then, in milliseconds since 1970.
#[must_use]
pub fn page(created_at: i64, behind: u64) -> Call {
    let at = created_at / 1_000;
    build::list(at - BEFORE_SECONDS, at + AFTER_SECONDS, ROWS, behind)
}

/// The page behind that invoice.
///
/// # Errors
/// `no-answer` for what is no page, and for an invoice of that number that does not fit together or is not the only one;
/// `misconfigured` if the node does not take the macaroon.
pub fn read(status: u16, body: &[u8], number: &str, behind: u64, settings: &Settings) -> Result<Found, Error> {
    let page = list::read(status, body, ROWS, behind)?;
    let is_of = |invoice: &Value| invoice["memo"].as_str().is_some_and(|memo| memo::is_of(memo, number));
    let mut ours = page.invoices.into_iter().filter(is_of);
    let Some(invoice) = ours.next() else { return Ok(page.next.map_or(Found::Nothing, Found::NotYet)) };
    if ours.next().is_some() {
        return Err(no_answer("the node has more than one invoice of this order"));
    }
    let message: Message =
        serde_json::from_value(invoice).map_err(|_| no_answer("what the node lists is no invoice"))?;
    let invoice = message.read(settings).map_err(|why| no_answer(format!("the node's invoice: {why}")))?;
    Ok(Found::Here(Box::new(invoice)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{MEMO, NUMBER, hash, invoice, kind, settings};

    fn told(invoices: &[String], behind: u64) -> String {
        let body = format!(r#"{{"invoices":[{}],"last_index_offset":"107"}}"#, invoices.join(","));
        match read(200, body.as_bytes(), NUMBER, behind, &settings()) {
            Ok(Found::Nothing) => "nothing".to_owned(),
            Ok(Found::NotYet(next)) => format!("behind {next}"),
            Ok(Found::Here(invoice)) => {
                assert_eq!((invoice.hash, invoice.terms.number.as_str()), (hash(), NUMBER));
                format!("{:?} {}", invoice.told().status, invoice.is_payable()).replace("PaymentStatus::", "")
            }
            Err(error) => kind(&error).to_owned(),
        }
    }

    #[test]
    fn an_order_under_another_key_tells_what_became_of_it() {
        let coffee = r#"{"memo":"coffee"}"#.to_owned();
        for (state, paid_msat, outcome) in [
            ("OPEN", 0, "Pending true"),
            ("ACCEPTED", 25_253_000, "Pending true"),
            ("SETTLED", 25_253_000, "Succeeded false"),
            ("CANCELED", 0, "Closed false"),
            ("SETTLED", 1, "no-answer"),
            ("LOST", 0, "no-answer"),
        ] {
            assert_eq!(told(&[coffee.clone(), invoice(state, paid_msat)], 0), outcome, "{state}");
        }
        assert_eq!(told(&[invoice("OPEN", 0), invoice("SETTLED", 25_253_000)], 0), "no-answer", "which of them?");
        assert_eq!(told(&[format!(r#"{{"memo":"{MEMO}"}}"#)], 0), "no-answer", "no invoice");
    }

    #[test]
    fn pages() {
        let memo = |memo: &str| format!(r#"{{"memo":"{memo}"}}"#);
        assert_eq!(told(&[], 0), "nothing");
        assert_eq!(told(&[memo("coffee"), memo(&format!("{MEMO} ")), "7".to_owned()], 0), "nothing");
        let full = vec![memo("coffee"); ROWS];
        assert_eq!(told(&full, 0), "behind 107");
        for behind in [107, 108] {
            assert_eq!(told(&full, behind), "no-answer", "it does not go on");
        }
        assert_eq!(read(200, b"{}", NUMBER, 0, &settings()).map_err(|error| kind(&error)), Err("no-answer"));
        assert_eq!(
            page(1_700_000_000_000, 7).path.split_once('?').map(|(_, query)| query),
            Some("creation_date_start=1699999400&creation_date_end=1700003600&num_max_invoices=50&index_offset=7")
        );
    }
}
