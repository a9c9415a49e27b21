//! UnionPay's clock: Beijing, eight hours ahead of UTC all year, written in digits.

use saoma_channel_sdk::{Error, not_sent};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const MS_PER_SECOND: i64 = 1_000;

fn beijing() -> UtcOffset {
    UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)
}

/// `yyyyMMddHHmmss`, parts of a second cut off.
///
/// # Errors
/// `not-sent` for a moment outside of the years 1 to 9999.
pub fn digits14(millis: i64) -> Result<String, Error> {
    let at = OffsetDateTime::from_unix_timestamp(millis.div_euclid(MS_PER_SECOND))
        .map_err(|_| not_sent(format!("{millis} ms is no moment that UnionPay could read")))?
        .to_offset(beijing());
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    Ok(format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", at.hour(), at.minute(), at.second()))
}

/// Milliseconds since 1970 of `MMDDhhmmss`, which leaves the year out: the year that puts it nearest to `year`-`month`, so that a
/// December's end and a January's beginning meet.
pub fn near(mmddhhmmss: &str, year: i32, month: u8) -> Option<i64> {
    let [month_of_it, day, hour, minute, second] = pairs(mmddhhmmss)?;
    let year = match (month, month_of_it) {
        (12, 1) => year + 1,
        (1, 12) => year - 1,
        _ => year,
    };
    let date = Date::from_calendar_date(year, Month::try_from(month_of_it).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    PrimitiveDateTime::new(date, time).assume_offset(beijing()).unix_timestamp().checked_mul(MS_PER_SECOND)
}

/// Year and month of `yyyyMMdd…` or `yyyy-MM-dd`.
pub fn year_and_month(text: &str) -> Option<(i32, u8)> {
    let year = text.get(..4).filter(|year| is_digits(year))?.parse().ok()?;
    let rest = text.get(4..)?;
    let month = rest.strip_prefix('-').unwrap_or(rest).get(..2).filter(|month| is_digits(month))?.parse().ok()?;
    (1..=12).contains(&month).then_some((year, month))
}

fn pairs<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !is_digits(text) {
        return None;
    }
    let mut pairs = [0; N];
    for (pair, digits) in pairs.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *pair = std::str::from_utf8(digits).ok()?.parse().ok()?;
    }
    Some(pairs)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        // 2023-11-15 06:13:20 in Beijing.
        assert_eq!(digits14(1_700_000_000_999).unwrap(), "20231115061320");
        assert_eq!(near("1115061320", 2023, 11), Some(1_700_000_000_000));
        assert!(digits14(i64::MAX).is_err() && digits14(i64::MIN).is_err());
        // The turn of the year, from both sides.
        assert_eq!(near("0101000001", 2023, 12), near("0101000001", 2024, 1));
        assert_eq!(near("1231235959", 2024, 1).unwrap() + 1_000, near("0101000000", 2024, 1).unwrap());
        for unread in
            ["", "1315061320", "1131061320", "1115241320", "111506132", "11150613200", "+1+5061320", "é115061320"]
        {
            assert_eq!(near(unread, 2023, 11), None, "{unread}");
        }
        assert_eq!(year_and_month("20231115061320"), Some((2023, 11)));
        assert_eq!(year_and_month("2023-11-15"), Some((2023, 11)));
        for unread in ["", "2023", "2023131", "+2023-1", "é", "2023é1"] {
            assert_eq!(year_and_month(unread), None, "{unread}");
        }
    }
}
