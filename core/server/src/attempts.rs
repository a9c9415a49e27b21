//! How often somebody has tried lately, so that guessing is slow.
//!
//! Kept in memory: a restart forgives, and each node counts for itself. Whoever guesses gains a few attempts by that.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use saoma_protocol::Millis;

/// Most keys remembered; beyond it the table is begun anew, which only forgives some attempts.
const KEYS_MAX: usize = 10_000;

/// Attempts per key: an address, a name.
pub struct Attempts<K> {
    max: u32,
    window_ms: i64,
    table: Mutex<HashMap<K, (Millis, u32)>>,
}

impl<K: Eq + Hash> Attempts<K> {
    /// At most `max` within `window_ms`.
    #[must_use]
    pub fn new(max: u32, window_ms: i64) -> Self {
        Self { max, window_ms, table: Mutex::default() }
    }

    /// Counts an attempt, and says whether it may be made. Counted before its outcome is known, so that a hundred at once
    /// are a hundred; [`Self::forgive`] takes back one that was no guess.
    #[must_use]
    pub fn begin(&self, key: K, now: Millis) -> bool {
        let mut table = self.table();
        let over = |since: Millis| now.since(since) >= self.window_ms;
        if table.len() >= KEYS_MAX && !table.contains_key(&key) {
            table.retain(|_, (since, _)| !over(*since));
            if table.len() >= KEYS_MAX {
                table.clear();
            }
        }
        let (since, count) = table.entry(key).or_insert((now, 0));
        if over(*since) {
            (*since, *count) = (now, 0);
        }
        let may = *count < self.max;
        *count += u32::from(may);
        may
    }

    /// The attempt was right, or failed of something else.
    pub fn forgive(&self, key: &K) {
        if let Some((_, count)) = self.table().get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<K, (Millis, u32)>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wrong passwords from one address: as many as a shop's people behind one address may mistype in a minute.
const SIGN_INS_PER_ADDRESS: (u32, i64) = (30, 60_000);
/// Wrong passwords for one name, whether or not it exists: 1,440 a day, against at least 12 characters.
const SIGN_INS_PER_LOGIN: (u32, i64) = (10, 600_000);

/// Who has tried to sign in lately, from where and as whom.
pub struct SignIns {
    addresses: Attempts<IpAddr>,
    logins: Attempts<String>,
}

impl Default for SignIns {
    fn default() -> Self {
        let ((address_max, address_ms), (login_max, login_ms)) = (SIGN_INS_PER_ADDRESS, SIGN_INS_PER_LOGIN);
        Self { addresses: Attempts::new(address_max, address_ms), logins: Attempts::new(login_max, login_ms) }
    }
}

impl SignIns {
    /// See [`Attempts::begin`].
    #[must_use]
    pub fn begin(&self, address: IpAddr, login: &str, now: Millis) -> bool {
        self.addresses.begin(address, now) && self.logins.begin(login.to_owned(), now)
    }

    /// See [`Attempts::forgive`].
    pub fn forgive(&self, address: IpAddr, login: &str) {
        self.addresses.forgive(&address);
        self.logins.forgive(&login.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    #[test]
    fn guessing_is_slowed_down_per_key() {
        let attempts = Attempts::new(3, 60_000);
        for _ in 0..3 {
            assert!(attempts.begin("guesser", NOW));
        }
        assert!(!attempts.begin("guesser", NOW));
        assert!(attempts.begin("other", NOW));
        // Those that were refused do not prolong it.
        assert!(!attempts.begin("guesser", NOW.plus(59_999)));
        assert!(attempts.begin("guesser", NOW.plus(60_000)));
    }

    #[test]
    fn what_was_right_does_not_count() {
        let attempts = Attempts::new(2, 60_000);
        for _ in 0..10 {
            assert!(attempts.begin("person", NOW));
            attempts.forgive(&"person");
        }
        assert!(attempts.begin("person", NOW) && attempts.begin("person", NOW));
        assert!(!attempts.begin("person", NOW));
        attempts.forgive(&"nobody");
    }

    #[test]
    fn the_table_stays_small() {
        let attempts = Attempts::new(1, 60_000);
        for key in 0..(3 * KEYS_MAX) {
            assert!(attempts.begin(key, NOW));
        }
        assert!(attempts.table().len() <= KEYS_MAX);
    }
}
