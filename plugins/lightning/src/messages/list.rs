//! One page of the node's list of invoices (`lnrpc.ListInvoiceResponse`).

use saoma_channel_sdk::{Error, no_answer};
use serde::Deserialize;
use serde_json::Value;

use super::refusal;

#[derive(Deserialize)]
struct Listed {
    invoices: Vec<Value>,
    last_index_offset: String,
}

/// In the order in which they were made.
pub struct Page {
    /// Each as it came: one that cannot be read costs itself alone.
    pub invoices: Vec<Value>,
    /// Behind which invoice the next page begins; none after the last.
    pub next: Option<u64>,
}

/// A page that was asked for with so many `rows` behind that invoice.
///
/// # Errors
/// `misconfigured` if the node does not take the macaroon, else `no-answer`: a part of a list is no list, and one that does not go on
/// has no end.
pub fn read(status: u16, body: &[u8], rows: usize, behind: u64) -> Result<Page, Error> {
    if status != 200 {
        return Err(no_answer(refusal::read(status, body)?.words));
    }
    let unreadable = || no_answer("the node's answer is no list of invoices");
    let listed: Listed = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let last: u64 = listed.last_index_offset.parse().map_err(|_| unreadable())?;
    let next = (listed.invoices.len() >= rows).then_some(last);
    if next.is_some_and(|next| next <= behind) {
        return Err(no_answer("the node's list of invoices does not go on"));
    }
    Ok(Page { invoices: listed.invoices, next })
}
