//! Times as Alipay writes them: `yyyy-MM-dd HH:mm:ss` of Beijing (UTC+8).

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::BorrowedFormatItem,
    macros::{format_description, offset},
};

const BEIJING: UtcOffset = offset!(+8);
const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// Empty for a year that cannot be written.
#[must_use]
pub fn second(at_ms: i64) -> String {
    beijing(at_ms).and_then(|at| at.format(SECOND).ok()).unwrap_or_default()
}

/// `yyyy-MM-dd`.
#[must_use]
pub fn day(at_ms: i64) -> String {
    beijing(at_ms).and_then(|at| at.format(DAY).ok()).unwrap_or_default()
}

#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    PrimitiveDateTime::parse(text, SECOND).ok()?.assume_offset(BEIJING).unix_timestamp().checked_mul(1_000)
}

#[must_use]
pub fn is_day(text: &str) -> bool {
    Date::parse(text, DAY).is_ok()
}

fn beijing(at_ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1_000)).ok()?.checked_to_offset(BEIJING)
}
