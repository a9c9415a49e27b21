//! Times as the scheme writes them (RFC 3339), and its days.

use saoma_channel_sdk::{Error, no_answer, not_sent};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Days are Brasília's, three hours behind UTC all year since 2019. The API has no days of its own: we ask from one moment to
/// another, so should summer time return, only where a day is cut changes.
const DAY_BEGINS_AFTER_UTC_MS: i64 = 3 * 3_600_000;
pub const DAY_MS: i64 = 24 * 3_600_000;

/// Milliseconds since 1970.
///
/// # Errors
/// `no-answer` for what is no time.
pub fn millis(text: &str) -> Result<i64, Error> {
    let unreadable = || no_answer(format!("{:?} is no time", text.chars().take(40).collect::<String>()));
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| unreadable())?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).map_err(|_| unreadable())
}

/// In UTC, so that no `+` stands in a query.
#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&format).unwrap_or_default()
}

/// When a day (`YYYY-MM-DD`) begins in Brasília.
///
/// # Errors
/// `not-sent` for what is no day.
pub fn day_begin(day: &str) -> Result<i64, Error> {
    let date = Date::parse(day, &format_description!("[year]-[month]-[day]"))
        .map_err(|_| not_sent(format!("{day:?} is no day as YYYY-MM-DD")))?;
    Ok(date.midnight().assume_utc().unix_timestamp() * 1_000 + DAY_BEGINS_AFTER_UTC_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, ms) in [
            ("2020-09-09T20:15:00.358Z", 1_599_682_500_358),
            ("2020-09-09T17:15:00.358-03:00", 1_599_682_500_358),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(millis(text), Ok(ms), "{text}");
        }
        for text in ["", "2020-09-09", "2020-09-09T20:15:00", "2020-13-09T20:15:00Z", "yesterday"] {
            assert!(matches!(millis(text), Err(Error::NoAnswer(_))), "{text}");
        }
        assert_eq!(rfc3339(1_599_682_500_358), "2020-09-09T20:15:00.358Z");
        assert_eq!(day_begin("2020-09-09").map(rfc3339), Ok("2020-09-09T03:00:00.000Z".to_owned()));
        assert!(matches!(day_begin("2020-02-30"), Err(Error::NotSent(_))));
    }
}
