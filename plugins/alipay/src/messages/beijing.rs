//! Alipay's times: `yyyy-MM-dd HH:mm:ss` of Beijing (UTC+8, no summer time), wherever the merchant is.

use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::BorrowedFormatItem,
    macros::{format_description, offset},
};

const BEIJING: UtcOffset = offset!(+8);
const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A moment (milliseconds since 1970) as Alipay writes it, cut to the second. `None` outside of the years that can be written.
#[must_use]
pub fn text(at_ms: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1_000)).ok()?;
    at.checked_to_offset(BEIJING)?.format(SECOND).ok()
}

/// The moment that Alipay wrote, in milliseconds since 1970.
#[must_use]
pub fn moment(text: &str) -> Option<i64> {
    let at = PrimitiveDateTime::parse(text.trim(), SECOND).ok()?;
    at.assume_offset(BEIJING).unix_timestamp().checked_mul(1_000)
}

/// When a day (`YYYY-MM-DD`) is over in Beijing, in milliseconds since 1970.
#[must_use]
pub fn end_of(day: &str) -> Option<i64> {
    let next = Date::parse(day, DAY).ok()?.checked_add(Duration::DAY)?;
    next.midnight().assume_offset(BEIJING).unix_timestamp().checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (at, written) in [
            (1_700_000_000_000, "2023-11-15 06:13:20"),
            (0, "1970-01-01 08:00:00"),
            // 16:00 UTC is midnight in Beijing, of a leap day here.
            (1_709_136_000_000, "2024-02-29 00:00:00"),
        ] {
            assert_eq!(text(at).as_deref(), Some(written));
            assert_eq!(moment(written), Some(at));
        }
        assert_eq!(text(1_700_000_000_999).as_deref(), Some("2023-11-15 06:13:20"));
        assert_eq!(text(-1).as_deref(), Some("1970-01-01 07:59:59"));
        assert_eq!(text(i64::MAX), None);
        for wrong in ["", "2023-11-15", "2023-02-30 00:00:00", "2023-11-15T06:13:20", "2023-11-15 24:00:00"] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
        assert_eq!(end_of("2024-02-28"), Some(1_709_136_000_000));
        assert_eq!(end_of("2024-02-30"), None);
    }
}
