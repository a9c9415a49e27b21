//! Acquirers say month, day and time of Beijing, and no year.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Milliseconds since 1970 of `MMDD` and `hhmmss`, in the year that brings it nearest to now; `None` if it is no moment.
pub fn moment(date: &str, clock: &str, now_ms: i64) -> Option<i64> {
    let pair = |text: &str, at: usize| text.get(at..at + 2)?.parse::<u8>().ok();
    let (month, day) = (Month::try_from(pair(date, 0)?).ok()?, pair(date, 2)?);
    let time = Time::from_hms(pair(clock, 0)?, pair(clock, 2)?, pair(clock, 4)?).ok()?;
    let beijing = UtcOffset::from_hms(8, 0, 0).ok()?;
    let year = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1_000)).ok()?.to_offset(beijing).year();
    let in_year = |year| {
        let date = Date::from_calendar_date(year, month, day).ok()?;
        Some(date.with_time(time).assume_offset(beijing).unix_timestamp() * 1_000)
    };
    [year - 1, year, year + 1].into_iter().filter_map(in_year).min_by_key(|moment| moment.abs_diff(now_ms))
}

/// `MMDDhhmmss` of a moment in milliseconds since 1970; `None` if no calendar has it.
pub fn written(ms: i64) -> Option<String> {
    let at =
        OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok()?.to_offset(UtcOffset::from_hms(8, 0, 0).ok()?);
    let (month, day) = (u8::from(at.month()), at.day());
    Some(format!("{month:02}{day:02}{:02}{:02}{:02}", at.hour(), at.minute(), at.second()))
}

#[cfg(test)]
mod tests {
    use super::{moment, written};

    #[test]
    fn the_nearest_year_is_meant() {
        // 2026-12-31T23:59:50 and 2027-01-01T00:00:10 in Beijing.
        let (before, after) = (1_798_732_790_000, 1_798_732_810_000);
        assert_eq!(moment("1231", "235950", after), Some(before));
        assert_eq!(moment("0101", "000010", before), Some(after));
        assert_eq!(written(before).as_deref(), Some("1231235950"));
        assert_eq!(written(i64::MAX), None);
        for (date, clock) in [("1331", "000000"), ("0230", "000000"), ("0101", "240000"), ("", ""), ("01o1", "000000")]
        {
            assert_eq!(moment(date, clock, before), None, "{date} {clock}");
        }
    }
}
