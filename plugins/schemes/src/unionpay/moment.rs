//! Beijing time. A clearing day ends at 23:00.

use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]");
const HOUR_MS: i64 = 3_600_000;

/// `yyyyMMddHHmmss`.
pub fn digits14(ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000))
        .ok()
        .and_then(|at| at.to_offset(beijing()).format(MOMENT).ok())
        .unwrap_or_default()
}

/// Milliseconds since 1970; `None` for what is no moment.
pub fn from_digits14(text: &str) -> Option<i64> {
    let at = PrimitiveDateTime::parse(text, MOMENT).ok()?;
    at.assume_offset(beijing()).unix_timestamp().checked_mul(1_000)
}

/// `yyyyMMdd` of the clearing day.
pub fn clearing_day(ms: i64) -> String {
    digits14(ms.saturating_add(HOUR_MS)).chars().take(8).collect()
}

fn beijing() -> UtcOffset {
    UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)
}
