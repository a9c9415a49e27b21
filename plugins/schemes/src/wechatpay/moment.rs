//! Times as the scheme writes them: of Beijing.

use time::{
    Date, OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::{format_description, offset},
};

pub(super) const DAY_MS: i64 = 86_400_000;

const IN_BILLS: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

fn in_beijing(millis: i64) -> OffsetDateTime {
    // Beyond the year 9999 nobody pays.
    OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset!(+8))
}

pub(super) fn rfc3339(millis: i64) -> String {
    in_beijing(millis).format(&Rfc3339).unwrap_or_default()
}

pub(super) fn in_bills(millis: i64) -> String {
    in_beijing(millis).format(IN_BILLS).unwrap_or_default()
}

pub(super) fn from_rfc3339(text: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp().saturating_mul(1_000))
}

/// The first millisecond of a day in Beijing.
pub(super) fn day(text: &str) -> Option<i64> {
    let begin = Date::parse(text, DAY).ok()?.midnight().assume_offset(offset!(+8));
    Some(begin.unix_timestamp().saturating_mul(1_000))
}
