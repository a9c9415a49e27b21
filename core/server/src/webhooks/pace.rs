//! When a delivery that failed is tried again.

use saoma_protocol::Millis;

/// How long a delivery is tried, from its first attempt.
const LAST_MS: i64 = 3 * 24 * 3_600_000;
/// The first pause. Each is as long as all that went before, so that the time passed doubles.
const PAUSE_MS_MIN: i64 = 5_000;
const PAUSE_MS_MAX: i64 = 12 * 3_600_000;

/// The next attempt: `None` once the three days are over, and one at their very end before that. Up to a quarter is added by
/// `jitter` (all of whose values are as likely), so that what failed together does not come back together.
pub fn again_at(began_at: Millis, now: Millis, jitter: u32) -> Option<Millis> {
    let began_at = began_at.min(now);
    let age = now.since(began_at);
    if age >= LAST_MS {
        return None;
    }
    let pause = age.clamp(PAUSE_MS_MIN, PAUSE_MS_MAX);
    let extra = pause / 4 * i64::from(jitter >> 16) / i64::from(u16::MAX);
    Some(began_at.plus((age + pause + extra).min(LAST_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(jitter: u32) -> Vec<i64> {
        let began_at = Millis(1_000_000);
        let mut now = began_at;
        let mut ages = vec![];
        while let Some(next) = again_at(began_at, now, jitter) {
            assert!(next > now, "it always goes on");
            now = next;
            ages.push(now.since(began_at) / 1_000);
        }
        ages
    }

    #[test]
    fn three_days_and_not_a_moment_more() {
        let (seconds, hours) = (ages(0), |ages: &[i64]| ages.iter().map(|age| age / 3_600).collect::<Vec<_>>());
        assert_eq!(seconds[..6], [5, 10, 20, 40, 80, 160]);
        assert_eq!(hours(&seconds[11..]), [2, 5, 11, 22, 34, 46, 58, 70, 72]);
        assert_eq!(ages(u32::MAX).last(), Some(&(72 * 3_600)));
        assert!(ages(u32::MAX).len() >= 12);
    }

    #[test]
    fn jitter_only_adds_and_at_most_a_quarter() {
        for age in [0, 5_000, 60_000, 3_600_000, 100_000_000] {
            let at = |jitter| again_at(Millis(0), Millis(age), jitter).unwrap().0 - age;
            assert!(at(0) <= at(u32::MAX / 2) && at(u32::MAX / 2) <= at(u32::MAX));
            assert!(at(u32::MAX) <= at(0) * 5 / 4, "{age}");
        }
    }

    #[test]
    fn a_clock_that_went_back_is_no_harm() {
        assert_eq!(again_at(Millis(9_000), Millis(0), 0), Some(Millis(5_000)));
    }
}
