//! The daily bill: what a merchant took in and gave back on one UTC day, with the scheme's fee.
//!
//! A payment is a row with a positive amount and fee; a refund gives both back and is negative. An order reversed on the
//! day it was paid is in no bill; one reversed later has a negative row, without a refund number, on the later day.

use serde::Serialize;
use time::{Date, macros::format_description};

use super::{
    amount,
    order::{Order, RefundStatus},
    refusal::Refusal,
};

/// Rows of one page.
pub const PAGE_ROWS: usize = 500;
/// 0.60 % of the amount.
const FEE_BASIS_POINTS: i64 = 60;
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub order_number: String,
    pub refund_number: Option<String>,
    pub reference: String,
    pub amount: String,
    pub fee: String,
    pub currency: &'static str,
    pub at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    pub rows: Vec<Row>,
    pub next_cursor: Option<String>,
}

/// One page of a merchant's bill. `day` is `YYYY-MM-DD`; `cursor` is empty for the first page. By the
/// protocol a page has [`PAGE_ROWS`].
///
/// # Errors
/// `BadRequest` if the day is no day or the cursor not one that a page gave.
pub fn page(orders: &[Order], merchant: &str, day: &str, cursor: &str, page_rows: usize) -> Result<Page, Refusal> {
    let begins_at = day_begin(day)?;
    let start: usize = match cursor {
        "" => 0,
        text => text.parse().map_err(|_| Refusal::BadRequest("cursor is not one that a page gave".into()))?,
    };
    let mut rows: Vec<Row> = orders.iter().filter(|order| order.merchant == merchant).flat_map(rows_of).collect();
    rows.retain(|row| (begins_at..begins_at + DAY_MS).contains(&row.at));
    rows.sort_by(|a, b| (a.at, &a.reference).cmp(&(b.at, &b.reference)));
    let end = start.saturating_add(page_rows);
    let next_cursor = (end < rows.len()).then(|| end.to_string());
    Ok(Page { rows: rows.into_iter().skip(start).take(page_rows).collect(), next_cursor })
}

/// 0.60 % of the amount, half up (away from zero for what is given back).
#[must_use]
pub const fn fee_minor(amount_minor: i64) -> i64 {
    let half = if amount_minor < 0 { -5_000 } else { 5_000 };
    (amount_minor * FEE_BASIS_POINTS + half) / 10_000
}

fn rows_of(order: &Order) -> Vec<Row> {
    let row = |refund_number: Option<&str>, reference: &str, amount_minor: i64, at: i64| Row {
        order_number: order.number.clone(),
        refund_number: refund_number.map(str::to_owned),
        reference: reference.to_owned(),
        amount: amount::format(amount_minor, order.currency),
        fee: amount::format(fee_minor(amount_minor), order.currency),
        currency: order.currency.code(),
        at,
    };
    let mut rows = Vec::new();
    match (order.paid_at, order.reversed_at) {
        (Some(paid_at), Some(reversed_at)) if paid_at.div_euclid(DAY_MS) == reversed_at.div_euclid(DAY_MS) => {}
        (Some(paid_at), reversed_at) => {
            rows.push(row(None, &order.reference, order.amount_minor, paid_at));
            rows.extend(reversed_at.map(|at| row(None, &order.reference, -order.amount_minor, at)));
        }
        (None, _) => {}
    }
    let done = order.refunds.iter().filter(|refund| refund.status == RefundStatus::Done);
    rows.extend(done.map(|refund| row(Some(&refund.number), &refund.reference, -refund.amount_minor, refund.done_at)));
    rows
}

/// Milliseconds since 1970 at which the UTC day begins.
fn day_begin(day: &str) -> Result<i64, Refusal> {
    let date = Date::parse(day, format_description!("[year]-[month]-[day]"))
        .map_err(|_| Refusal::BadRequest("the day must be YYYY-MM-DD".into()))?;
    Ok(date.midnight().assume_utc().unix_timestamp() * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_is_sixty_basis_points_half_up() {
        for (amount_minor, fee) in [
            (1, 0),
            (83, 0),
            (84, 1),
            (250, 2),
            (1_250, 8),
            (100_000, 600),
            (-1_250, -8),
            (999_999_999_999, 6_000_000_000),
        ] {
            assert_eq!(fee_minor(amount_minor), fee, "{amount_minor}");
        }
    }

    #[test]
    fn days() {
        assert_eq!(day_begin("1970-01-01").unwrap(), 0);
        assert_eq!(day_begin("2026-02-28").unwrap() + DAY_MS, day_begin("2026-03-01").unwrap());
        for day in ["2026-02-29", "2026-2-28", "today", "", "2026-13-01"] {
            assert!(day_begin(day).is_err(), "{day}");
        }
    }
}
