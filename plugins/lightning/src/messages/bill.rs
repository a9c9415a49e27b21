//! A day's bill: the invoices that were settled on it (UTC), told in the currency that they were made for.
//!
//! The node lists invoices by when they were made. None of ours lives longer than a day, and what was paid into one is settled at
//! once; a second day is for payments that were held.

use saoma_channel_sdk::{BillKind, BillLine, BillPage, BillRow, Error, not_sent, to_hex};
use serde_json::Value;
use time::{Date, macros::format_description};

use super::{
    Settings, build,
    build::Call,
    invoice::{Message, State},
    list, memo,
};

/// At up to 10 KiB each they fit the 8 MiB that may be answered.
const ROWS: usize = 500;
const DAY_SECONDS: i64 = 86_400;
const LOOK_BACK_SECONDS: i64 = build::EXPIRY_SECONDS_MAX + DAY_SECONDS;

/// A page of one day.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Seconds since 1970.
    begin: i64,
    behind: u64,
}

impl Page {
    /// # Errors
    /// `not-sent` for what is no day or no cursor of ours.
    pub fn new(day: &str, cursor: Option<&str>) -> Result<Self, Error> {
        let date = Date::parse(day, &format_description!("[year]-[month]-[day]"))
            .map_err(|_| not_sent(format!("{day:?} is no day as YYYY-MM-DD")))?;
        let behind = cursor.unwrap_or("0").parse().map_err(|_| not_sent("the cursor is not of this channel"))?;
        Ok(Self { begin: date.midnight().assume_utc().unix_timestamp(), behind })
    }

    #[must_use]
    pub fn call(&self) -> Call {
        build::list((self.begin - LOOK_BACK_SECONDS).max(1), self.begin + DAY_SECONDS - 1, ROWS, self.behind)
    }

    /// # Errors
    /// `no-answer` for what is no whole list; `misconfigured` if the node does not take the macaroon.
    pub fn read(&self, status: u16, body: &[u8], settings: &Settings) -> Result<BillPage, Error> {
        let page = list::read(status, body, ROWS, self.behind)?;
        let lines = page.invoices.into_iter().filter_map(|invoice| self.line(invoice, settings)).collect();
        Ok(BillPage { lines, next_cursor: page.next.map(|next| next.to_string()) })
    }

    /// `None`: not of this day, or of an account that sells in another currency.
    fn line(&self, invoice: Value, settings: &Settings) -> Option<BillLine> {
        let Ok(message) = serde_json::from_value::<Message>(invoice) else {
            return Some(BillLine::Unreadable("what stands there is no invoice".to_owned()));
        };
        match (message.state(), message.paid_at_seconds()) {
            (Some(State::Open | State::Accepted | State::Canceled), _) => return None,
            (Some(State::Settled), Some(at)) if !(self.begin..self.begin + DAY_SECONDS).contains(&at) => return None,
            _ => {}
        }
        if memo::read(message.memo()).is_some_and(|terms| terms.amount.currency != settings.currency) {
            return None;
        }
        let memo: String = message.memo().chars().take(100).collect();
        Some(match message.read(settings) {
            Ok(invoice) => BillLine::Row(BillRow {
                kind: BillKind::Payment,
                number: invoice.terms.number,
                refund_number: String::new(),
                case_number: String::new(),
                reference: to_hex(&invoice.hash),
                amount_minor: invoice.terms.amount.minor,
                fee_minor: 0,
                currency: invoice.terms.amount.currency,
                at: invoice.paid_at.unwrap_or_default(),
            }),
            Err(why) => BillLine::Unreadable(format!("{why}; its memo is {memo:?}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{MEMO, NUMBER, invoice, kind, settings};

    /// The day of [`crate::messages::samples::NOW_MS`].
    const DAY: &str = "2023-11-14";

    fn told(day: &str, invoices: &[String]) -> Vec<String> {
        let body =
            format!(r#"{{"invoices":[{}],"last_index_offset":"9","first_index_offset":"1"}}"#, invoices.join(","));
        let page = Page::new(day, None).and_then(|page| page.read(200, body.as_bytes(), &settings())).expect("a page");
        assert_eq!(page.next_cursor, None);
        let told = |line| match line {
            BillLine::Row(row) => format!("{} {} {} {}", row.number, row.amount_minor, row.currency, row.at),
            BillLine::Unreadable(why) => why,
        };
        page.lines.into_iter().map(told).collect()
    }

    #[test]
    fn a_day_is_what_was_settled_on_it() {
        let paid = invoice("SETTLED", 25_253_000);
        let row = format!("{NUMBER} 1250 USD 1700000060000");
        assert_eq!(told(DAY, &[invoice("OPEN", 0), paid.clone(), invoice("CANCELED", 0)]), [row]);
        for other in ["2023-11-13", "2023-11-15"] {
            assert!(told(other, std::slice::from_ref(&paid)).is_empty(), "{other}");
        }
        let euros = paid.replace("12.50 USD", "12.50 EUR");
        assert!(told(DAY, &[euros]).is_empty(), "another account's");
        let strange = [
            paid.replace(MEMO, "a cup of coffee"),
            r#"{"memo":7}"#.to_owned(),
            paid.replace("SETTLED", "LOST"),
            paid.replace("1700000060", "never"),
            paid.replace("12.50", "12.49"),
        ];
        insta::assert_snapshot!(told(DAY, &strange).join("\n"));
    }

    #[test]
    fn pages() {
        let first = Page::new(DAY, None).expect("a day");
        assert_eq!(
            first.call().path,
            "/v1/invoices?creation_date_start=1699747200&creation_date_end=1700006399&num_max_invoices=500&index_offset=0"
        );
        let body = format!(r#"{{"invoices":[{}],"last_index_offset":"731"}}"#, vec!["{}"; ROWS].join(","));
        let read = |page: Page| page.read(200, body.as_bytes(), &settings());
        assert_eq!(read(first).map(|page| page.next_cursor), Ok(Some("731".to_owned())));
        assert!(Page::new(DAY, Some("731")).is_ok_and(|page| page.call().path.ends_with("index_offset=731")));
        assert_eq!(Page::new(DAY, Some("731")).and_then(read).map_err(|error| kind(&error)), Err("no-answer"));
        for (day, cursor) in [("2023-02-30", None), ("yesterday", None), (DAY, Some("x")), (DAY, Some("-1"))] {
            assert_eq!(Page::new(day, cursor).map(|page| page.begin).map_err(|error| kind(&error)), Err("not-sent"));
        }
    }
}
