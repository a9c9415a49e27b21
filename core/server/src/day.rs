//! Days as a merchant counts them: from midnight to midnight where it sells.
//!
//! The rules of time zones (IANA tz database) are inside the program, so that every node of core counts the same days.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use saoma_protocol::Millis;

/// The proper spelling of a time zone's IANA name; `None` if there is no such zone.
#[must_use]
pub fn zone_name(name: &str) -> Option<String> {
    TimeZone::get(name).ok()?.iana_name().map(str::to_owned)
}

/// The day on which the moment falls in this time zone; `None` for a zone or moment (year 9999) that does not exist.
#[must_use]
pub fn day_of(moment: Millis, zone: &str) -> Option<Date> {
    let zone = TimeZone::get(zone).ok()?;
    Some(Timestamp::from_millisecond(moment.0).ok()?.to_zoned(zone).date())
}

/// How many minutes after UTC's the clocks of this time zone are at that moment; `None` as for [`day_of`].
#[must_use]
pub fn utc_offset_minutes(moment: Millis, zone: &str) -> Option<i32> {
    let zone = TimeZone::get(zone).ok()?;
    Some(Timestamp::from_millisecond(moment.0).ok()?.to_zoned(zone).offset().seconds() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_merchants() {
        // 2026-03-08T15:59:59.999Z, and a millisecond later.
        let (before, after) = (Millis(1_772_985_599_999), Millis(1_772_985_600_000));
        for (zone, one_day) in [("Etc/UTC", true), ("Asia/Shanghai", false), ("America/New_York", true)] {
            assert_eq!(day_of(before, zone) == day_of(after, zone), one_day, "{zone}");
        }
        assert_eq!(day_of(before, "Asia/Shanghai").map(|day| day.to_string()), Some("2026-03-08".to_owned()));
        // The clocks of New York were put forward that morning: its day had 23 hours, and ended at 04:00Z.
        let (last, next) = (Millis(1_773_028_799_999), Millis(1_773_028_800_000));
        assert_ne!(day_of(last, "America/New_York"), day_of(next, "America/New_York"));
        let offsets = [("Etc/UTC", 0), ("Asia/Shanghai", 480), ("America/New_York", -240), ("Asia/Kathmandu", 345)];
        for (zone, minutes) in offsets {
            assert_eq!(utc_offset_minutes(last, zone), Some(minutes), "{zone}");
        }
        assert_eq!(utc_offset_minutes(Millis(1_773_028_799_999 - 86_400_000), "America/New_York"), Some(-300));
        assert_eq!(day_of(Millis(i64::MAX), "Etc/UTC"), None);
        assert_eq!(day_of(before, "Mars/Olympus"), None);
    }

    #[test]
    fn names_are_spelt_as_the_database_spells_them() {
        for (given, name) in [
            ("Asia/Shanghai", Some("Asia/Shanghai")),
            ("asia/shanghai", Some("Asia/Shanghai")),
            ("Etc/UTC", Some("Etc/UTC")),
            ("UTC+8", None),
            ("", None),
            ("../etc/passwd", None),
        ] {
            assert_eq!(zone_name(given).as_deref(), name, "{given}");
        }
    }
}
