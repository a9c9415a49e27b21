//! What a person must look at, newest last. A cause that goes on rings once, and pushes out no other: the program goes by some of them.

use saoma_protocol::Millis;

use crate::till::view::AlarmView;

/// Alarms of one cause that are kept; an older one has been seen or is in the log.
const OF_ONE_MAX: usize = 10;
/// The same alarm rings again after this long.
const AGAIN_MS: i64 = 10 * 60 * 1000;

/// All that there are. The till's page has words for each in both languages, and its tests read this list.
const CODES: [&str; 23] = [
    "basket_lost",
    "cashier_locked",
    "certificate_ends",
    "clock_lost",
    "clock_shuts_out",
    "clock_wrong",
    "core_answered_oddly",
    "core_forgot_sale",
    "core_time_unkept",
    "disk_full",
    "disk_unwritable",
    "journal_failed",
    "journal_held",
    "journal_newer",
    "journal_rejected",
    "journal_set_back",
    "paid_after_all",
    "split_not_given_back",
    "split_overpaid",
    "stored_declined",
    "stored_not_booked",
    "terminal_locked",
    "terminal_unknown",
];

#[derive(Debug, Default)]
pub(super) struct Alarms {
    rung: Vec<AlarmView>,
}

impl Alarms {
    /// The alarm, if it is news.
    pub(super) fn ring(&mut self, code: &str, message: String, now: Millis) -> Option<AlarmView> {
        debug_assert!(CODES.contains(&code), "{code} is in no list, and no page has words for it");
        let same = |held: &AlarmView| held.code == code && held.message == message;
        if self.rung.iter().any(|held| same(held) && (0..AGAIN_MS).contains(&now.since(held.at))) {
            return None;
        }
        self.rung.retain(|held| !same(held));
        if self.rung.iter().filter(|held| held.code == code).count() == OF_ONE_MAX
            && let Some(oldest) = self.rung.iter().position(|held| held.code == code)
        {
            self.rung.remove(oldest);
        }
        let alarm = AlarmView { code: code.to_owned(), message, at: now };
        self.rung.push(alarm.clone());
        Some(alarm)
    }

    /// The alarm, if it is news, and the only one of its cause: what it said before is not so any more.
    pub(super) fn ring_instead(&mut self, code: &str, message: String, now: Millis) -> Option<AlarmView> {
        self.rung.retain(|held| held.code != code || held.message == message);
        self.ring(code, message, now)
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
        assert!(alarms.ring("clock_wrong", "x".to_owned(), Millis(0)).is_some());
        assert!(alarms.ring("clock_wrong", "x".to_owned(), Millis(1)).is_none());
        assert!(alarms.ring("clock_wrong", "y".to_owned(), Millis(2)).is_some());
        assert!(alarms.ring("clock_wrong", "x".to_owned(), Millis(AGAIN_MS)).is_some());
        assert_eq!(alarms.all().len(), 2);
        alarms.silence("clock_wrong");
        assert!(alarms.all().is_empty());
    }

    #[test]
    fn what_is_not_so_any_more_is_not_said_beside_what_is() {
        let mut alarms = Alarms::default();
        assert!(alarms.ring_instead("clock_shuts_out", "it is Monday".to_owned(), Millis(0)).is_some());
        assert!(alarms.ring_instead("clock_shuts_out", "it is Monday".to_owned(), Millis(1)).is_none());
        assert!(alarms.ring_instead("clock_shuts_out", "it is Tuesday".to_owned(), Millis(2)).is_some());
        assert_eq!(alarms.all().iter().map(|alarm| alarm.message.as_str()).collect::<Vec<_>>(), ["it is Tuesday"]);
    }

    #[test]
    fn a_cause_that_rings_often_pushes_out_no_other() {
        let mut alarms = Alarms::default();
        alarms.ring("terminal_locked", "locked".to_owned(), Millis(0));
        for number in 0..50 {
            alarms.ring("stored_declined", number.to_string(), Millis(number));
        }
        assert!(alarms.rings("terminal_locked"));
        let told = alarms.all();
        assert_eq!((told.len(), told.last().unwrap().message.as_str()), (1 + OF_ONE_MAX, "49"));
    }
}
