//! Times as WeChat Pay writes them: RFC 3339 in JSON, `2026-01-31 12:00:00` of Beijing in bills.

use time::{
    OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::{format_description, offset},
};

/// China has one time zone, and no summer time since 1991.
const BEIJING: UtcOffset = offset!(+8);

const IN_BILLS: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Milliseconds since 1970 as RFC 3339 with `+08:00`, whole seconds. `None` beyond the year 9999.
pub(super) fn to_rfc3339(millis: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1_000)).ok()?;
    at.to_offset(BEIJING).format(&Rfc3339).ok()
}

/// Milliseconds since 1970.
pub(super) fn from_rfc3339(text: &str) -> Option<i64> {
    millis(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

/// Milliseconds since 1970, of a time in a bill.
pub(super) fn from_bill(text: &str) -> Option<i64> {
    millis(PrimitiveDateTime::parse(text, IN_BILLS).ok()?.assume_offset(BEIJING))
}

fn millis(at: OffsetDateTime) -> Option<i64> {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(to_rfc3339(1_700_000_120_999).as_deref(), Some("2023-11-15T06:15:20+08:00"));
        assert_eq!(from_rfc3339("2023-11-15T06:15:20+08:00"), Some(1_700_000_120_000));
        assert_eq!(from_rfc3339("2023-11-14T22:15:20.5Z"), Some(1_700_000_120_500));
        assert_eq!(from_bill("2023-11-15 06:15:20"), Some(1_700_000_120_000));
        for text in ["", "2023-11-15", "2023-11-15 06:15:20", "2023-02-30T00:00:00+08:00"] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        for text in ["", "2023-11-15T06:15:20", "2014-11-10 16：33：45", "2023-11-15 24:00:00"] {
            assert_eq!(from_bill(text), None, "{text}");
        }
        assert_eq!(to_rfc3339(i64::MAX), None);
    }
}
