//! Days as a scheme counts and calls them: those of its time zone, which need not begin at midnight.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use saoma_channels::BillTerms;
use saoma_protocol::Millis;

use crate::{
    day::day_of,
    period::{Period, PeriodError},
};

#[derive(Clone, Debug)]
pub struct Days {
    zone: String,
    begin_minutes: i32,
}

impl From<&BillTerms> for Days {
    fn from(terms: &BillTerms) -> Self {
        Self { zone: terms.time_zone.clone(), begin_minutes: terms.day_begins_minutes }
    }
}

impl Days {
    /// # Errors
    /// `NoDay`, `NoZone`.
    pub fn period(&self, day: &str) -> Result<Period, PeriodError> {
        let midnights = Period::of_days(day, day, &self.zone)?;
        let begin = |midnight| {
            self.moved(midnight, self.begin_minutes).ok_or_else(|| PeriodError::NoDay(day.chars().take(32).collect()))
        };
        Ok(Period { from: begin(midnights.from)?, to: begin(midnights.to)? })
    }

    /// The day of a moment; `None` for one that no calendar has.
    #[must_use]
    pub fn day_of(&self, moment: Millis) -> Option<Date> {
        day_of(self.moved(moment, -self.begin_minutes)?, &self.zone)
    }

    /// So many minutes later on the clock there, which on two days of the year is not as much in time.
    fn moved(&self, moment: Millis, minutes: i32) -> Option<Millis> {
        if minutes == 0 {
            return Some(moment);
        }
        let tz = TimeZone::get(&self.zone).ok()?;
        let clock = Timestamp::from_millisecond(moment.0).ok()?.to_zoned(tz.clone()).datetime();
        let moved = clock.checked_add(minutes.minutes()).ok()?.to_zoned(tz).ok()?;
        Some(Millis(moved.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::local_text;

    #[test]
    fn a_day_begins_where_the_scheme_says() {
        for (zone, begin_minutes, day, from, to) in [
            ("Asia/Shanghai", 0, "2026-01-31", "2026-01-31 00:00:00", "2026-02-01 00:00:00"),
            ("Asia/Shanghai", -30, "2026-01-31", "2026-01-30 23:30:00", "2026-01-31 23:30:00"),
            ("Asia/Shanghai", 180, "2026-01-31", "2026-01-31 03:00:00", "2026-02-01 03:00:00"),
            // The clock of New York is put forward at two in the morning of 8 March.
            ("America/New_York", 240, "2026-03-07", "2026-03-07 04:00:00", "2026-03-08 04:00:00"),
            ("America/New_York", -1_439, "2026-03-08", "2026-03-07 00:01:00", "2026-03-08 00:01:00"),
        ] {
            let days = Days { zone: zone.to_owned(), begin_minutes };
            let period = days.period(day).unwrap();
            assert_eq!([period.from, period.to].map(|moment| local_text(moment, zone)), [from, to], "{day}");
            for (moment, is_in) in
                [(period.from, true), (period.from.plus(-1), false), (period.to.plus(-1), true), (period.to, false)]
            {
                assert_eq!(days.day_of(moment).map(|of| of.to_string() == day), Some(is_in), "{day} {moment:?}");
            }
        }
        let days = Days { zone: "Asia/Shanghai".to_owned(), begin_minutes: -30 };
        assert!(days.period("2026-02-30").is_err() && days.day_of(Millis(i64::MAX)).is_none());
    }
}
