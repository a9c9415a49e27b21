//! What a person must look at, newest last. A cause that goes on rings once.

use saoma_protocol::Millis;

use crate::till::view::AlarmView;

/// Alarms that are kept; an older one has been seen or is in the log.
const ALARMS_MAX: usize = 20;
/// The same alarm rings again after this long.
const AGAIN_MS: i64 = 10 * 60 * 1000;

#[derive(Debug, Default)]
pub(super) struct Alarms {
    rung: Vec<AlarmView>,
}

impl Alarms {
    /// The alarm, if it is news.
    pub(super) fn ring(&mut self, code: &str, message: String, now: Millis) -> Option<AlarmView> {
        let same = |held: &AlarmView| held.code == code && held.message == message;
        if self.rung.iter().any(|held| same(held) && (0..AGAIN_MS).contains(&now.since(held.at))) {
            return None;
        }
        self.rung.retain(|held| !same(held));
        if self.rung.len() == ALARMS_MAX {
            self.rung.remove(0);
        }
        let alarm = AlarmView { code: code.to_owned(), message, at: now };
        self.rung.push(alarm.clone());
        Some(alarm)
    }

    /// Whether its cause goes on, as far as is known.
    pub(super) fn rings(&self, code: &str) -> bool {
        self.rung.iter().any(|held| held.code == code)
    }

    /// Its cause is gone.
    pub(super) fn silence(&mut self, code: &str) {
        self.rung.retain(|held| held.code != code);
    }

    pub(super) fn all(&self) -> Vec<AlarmView> {
        self.rung.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_goes_on_rings_once() {
        let mut alarms = Alarms::default();
        assert!(alarms.ring("a", "x".to_owned(), Millis(0)).is_some());
        assert!(alarms.ring("a", "x".to_owned(), Millis(1)).is_none());
        assert!(alarms.ring("a", "y".to_owned(), Millis(2)).is_some());
        assert!(alarms.ring("a", "x".to_owned(), Millis(AGAIN_MS)).is_some());
        assert_eq!(alarms.all().len(), 2);
        alarms.silence("a");
        assert!(alarms.all().is_empty());
        for number in 0..50 {
            alarms.ring("b", number.to_string(), Millis(number));
        }
        assert_eq!(alarms.all().len(), ALARMS_MAX);
    }
}
