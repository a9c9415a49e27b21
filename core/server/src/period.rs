//! Periods of whole days, from midnight to midnight where the merchant sells.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use saoma_protocol::Millis;

/// From the first moment of one day to before the first moment of the day after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Millis,
    /// No longer part of it.
    pub to: Millis,
}

/// Why days are no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error("{0:?} is no day; write it as 2026-01-31")]
    NoDay(String),
    #[error("the period ends before it begins")]
    Backwards,
    #[error("the period has more than {0} days")]
    TooLong(usize),
    #[error("there is no time zone {0:?}")]
    NoZone(String),
}

impl Period {
    /// The days `first` to `last`, both part of it, in an IANA time zone.
    ///
    /// # Errors
    /// `NoZone`, `NoDay`, `Backwards`.
    pub fn of_days(first: &str, last: &str, zone: &str) -> Result<Self, PeriodError> {
        let tz = TimeZone::get(zone).map_err(|_| PeriodError::NoZone(zone.to_owned()))?;
        let no_day = |text: &str| PeriodError::NoDay(text.chars().take(32).collect());
        let day = |text: &str| {
            let whole = text.len() == "2026-01-31".len();
            text.parse::<Date>().ok().filter(|_| whole).ok_or_else(|| no_day(text))
        };
        let (first_day, last_day) = (day(first)?, day(last)?);
        if last_day < first_day {
            return Err(PeriodError::Backwards);
        }
        let start = |day: Date| day.to_zoned(tz.clone()).ok().map(|start| Millis(start.timestamp().as_millisecond()));
        let after = last_day.tomorrow().ok().and_then(start).ok_or_else(|| no_day(last))?;
        Ok(Self { from: start(first_day).ok_or_else(|| no_day(first))?, to: after })
    }
}

/// A moment as clocks there show it, `2026-01-31 18:00:00`; empty for one that no calendar has.
#[must_use]
pub fn local_text(moment: Millis, zone: &str) -> String {
    let zoned = TimeZone::get(zone).ok().zip(Timestamp::from_millisecond(moment.0).ok());
    zoned.map(|(tz, moment)| moment.to_zoned(tz).strftime("%F %T").to_string()).unwrap_or_default()
}

/// The day of a moment there, `2026-01-31`.
#[must_use]
pub fn local_day(moment: Millis, zone: &str) -> String {
    local_text(moment, zone).chars().take("2026-01-31".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn days_are_those_of_the_zone() {
        let day = |zone| Period::of_days("2026-01-31", "2026-01-31", zone).unwrap();
        let utc = day("Etc/UTC");
        assert_eq!((utc.from, utc.to), (Millis(1_769_817_600_000), Millis(1_769_904_000_000)));
        assert_eq!(day("Asia/Shanghai").from, utc.from.plus(-8 * HOUR_MS));
        assert_eq!(local_text(day("Asia/Shanghai").from, "Asia/Shanghai"), "2026-01-31 00:00:00");
        // The clocks of New York are put forward that morning, and back on the other.
        for (text, hours) in [("2026-03-08", 23), ("2026-11-01", 25)] {
            let period = Period::of_days(text, text, "America/New_York").unwrap();
            assert_eq!(period.to.since(period.from), hours * HOUR_MS, "{text}");
        }
        let month = Period::of_days("2026-02-01", "2026-02-28", "Etc/UTC").unwrap();
        assert_eq!(month.to.since(month.from), 28 * 24 * HOUR_MS);
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let no_day = |text: &str| Err(PeriodError::NoDay(text.to_owned()));
        for (first, last, expected) in [
            ("2026-02-29", "2026-03-01", no_day("2026-02-29")),
            ("2026-02-01", "tomorrow", no_day("tomorrow")),
            ("", "2026-03-01", no_day("")),
            ("20260201", "2026-03-01", no_day("20260201")),
            ("2026-02-01T00:00", "2026-03-01", no_day("2026-02-01T00:00")),
            ("9999-12-31", "9999-12-31", no_day("9999-12-31")),
            ("2026-02-02", "2026-02-01", Err(PeriodError::Backwards)),
        ] {
            assert_eq!(Period::of_days(first, last, "Etc/UTC"), expected, "{first} to {last}");
        }
        assert!(matches!(Period::of_days("2026-02-01", "2026-02-01", "Mars/Olympus"), Err(PeriodError::NoZone(_))));
        assert_eq!(local_text(Millis(i64::MAX), "Etc/UTC"), "");
    }
}
