//! How often something may be done by one: guesses, so that guessing is slow, and requests, so that one does not take the
//! place of all.
//!
//! Each node counts in its memory, and with Redis all of them count together. Without it, or when it has forgotten, whoever
//! tries gains what each further node lets through, and a restart forgives: no more than that.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use saoma_protocol::{Millis, StaticCodeId};
use saoma_store::Principal;

use crate::{config, peers::Peers};

/// Most counts remembered; beyond it the table is begun anew, which only forgives some.
const COUNTS_MAX: usize = 100_000;

/// So often within a window that begins with the first.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Names what is counted, apart from other limits.
    pub name: &'static str,
    /// 0: as often as one likes.
    pub max: u32,
    pub window_ms: i64,
}

/// Wrong passwords from one address: as many as a shop's people behind one address may mistype in a minute.
const SIGN_IN_ADDRESS: Limit = Limit { name: "sign_in_address", max: 30, window_ms: 60_000 };
/// Wrong passwords for one name, whether or not it exists: 1,440 a day, against at least 12 characters.
const SIGN_IN_LOGIN: Limit = Limit { name: "sign_in_login", max: 10, window_ms: 600_000 };
/// Wrong claim codes from one address.
const CLAIM_ADDRESS: Limit = Limit { name: "claim_address", max: 10, window_ms: 60_000 };
/// Requests to static codes' pages from one address by browsers that nobody knows yet: a whole mobile network or market may be behind
/// one.
const STATIC_CODE_ARRIVAL: Limit = Limit { name: "static_code_arrival", max: 3_000, window_ms: 60_000 };
/// Of one whom the page knows: it looks for their payment every two seconds, and may be open twice.
const STATIC_CODE_VISITOR: Limit = Limit { name: "static_code_visitor", max: 180, window_ms: 60_000 };
/// How often the scheme is asked who somebody is who comes back: browsers on Android ask twice with one code.
const STATIC_CODE_BACK: Limit = Limit { name: "static_code_back", max: 2, window_ms: 600_000 };
const STATIC_CODE_BACK_CODE: Limit = Limit { name: "static_code_back_code", max: 60, window_ms: 60_000 };
/// Payments that are made there; each is a request to a scheme.
const STATIC_CODE_PAY_ADDRESS: Limit = Limit { name: "static_code_pay_address", max: 300, window_ms: 60_000 };
const STATIC_CODE_PAY: Limit = Limit { name: "static_code_pay", max: 60, window_ms: 60_000 };
/// The same of those whom no scheme has named: each may be anybody, so that they are counted together.
const STATIC_CODE_PAY_UNKNOWN: Limit = Limit { name: "static_code_pay_unknown", max: 20, window_ms: 60_000 };
/// Of one payer, in as long as a payment of theirs can be open: no more of them are open at once.
const STATIC_CODE_PAYER: Limit = Limit { name: "static_code_payer", max: 6, window_ms: 300_000 };
/// Requests to pages of codes that phones carried here, from one address: those that wait load themselves every four seconds.
const PHONE_CODE: Limit = Limit { name: "phone_code", max: 3_000, window_ms: 60_000 };
const REQUESTS_WINDOW_MS: i64 = 60_000;

/// One more of something, by somebody.
#[derive(Clone, Debug)]
pub struct Count {
    limit: Limit,
    who: String,
}

/// A try of this login from this address.
#[must_use]
pub fn sign_in(address: IpAddr, login: &str) -> [Count; 2] {
    [Count { limit: SIGN_IN_ADDRESS, who: site(address) }, Count { limit: SIGN_IN_LOGIN, who: login.to_owned() }]
}

/// Whom an address stands for: in IPv6 a household or a shop has the whole of a /64 (RFC 6177).
fn site(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).to_string(),
    }
}

/// A try of a claim code from this address.
#[must_use]
pub fn claim_code(address: IpAddr) -> [Count; 1] {
    [Count { limit: CLAIM_ADDRESS, who: site(address) }]
}

/// A request to the page of a static code, whether there is one or not, by somebody unknown: whoever makes codes up fills no table
/// with them.
#[must_use]
pub fn static_code_arrival(address: IpAddr) -> [Count; 1] {
    [Count { limit: STATIC_CODE_ARRIVAL, who: site(address) }]
}

/// The same by somebody who is in this attempt to pay, wherever they are.
#[must_use]
pub fn static_code_visitor(attempt: [u8; 16]) -> [Count; 1] {
    [Count { limit: STATIC_CODE_VISITOR, who: hex::encode(attempt) }]
}

/// Asking a scheme who comes back with this state.
#[must_use]
pub fn static_code_back(state: &str) -> [Count; 1] {
    [Count { limit: STATIC_CODE_BACK, who: state.to_owned() }]
}

/// The same, of all at this address who come to this code: nobody uses it up for those elsewhere.
#[must_use]
pub fn static_code_backs(address: IpAddr, code: StaticCodeId) -> [Count; 1] {
    [Count { limit: STATIC_CODE_BACK_CODE, who: format!("{code} {}", site(address)) }]
}

/// A payment that is made there. `payer`: what stands for them, if they are known.
#[must_use]
pub fn static_code_paid(address: IpAddr, code: StaticCodeId, payer: Option<String>) -> Vec<Count> {
    let count = |limit, who| Count { limit, who };
    let limit = if payer.is_some() { STATIC_CODE_PAY } else { STATIC_CODE_PAY_UNKNOWN };
    let here = format!("{code} {}", site(address));
    let mut counts = vec![count(STATIC_CODE_PAY_ADDRESS, site(address)), count(limit, here)];
    counts.extend(payer.map(|payer| count(STATIC_CODE_PAYER, payer)));
    counts
}

/// A request to the page of a code that a phone carried here.
#[must_use]
pub fn phone_code(address: IpAddr) -> [Count; 1] {
    [Count { limit: PHONE_CODE, who: site(address) }]
}

/// A request of somebody who was let in: theirs, and their tenant's.
#[must_use]
pub fn request(limits: &config::Limits, principal: &Principal) -> Vec<Count> {
    let count = |name, max, who| Count { limit: Limit { name, max, window_ms: REQUESTS_WINDOW_MS }, who };
    let mut counts = vec![count("requests_caller", limits.requests_per_minute_per_caller, principal.actor())];
    if let Some(scope) = principal.tenant_scope() {
        counts.push(count("requests_tenant", limits.requests_per_minute_per_tenant, scope.tenant().to_string()));
    }
    counts.retain(|count| count.limit.max > 0);
    counts
}

/// It was done too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// How long until it may be done again, in milliseconds; at least 1.
    pub wait_ms: i64,
}

/// What was done lately, and how often.
pub struct Limits {
    table: Mutex<HashMap<String, (Millis, u32)>>,
    peers: Peers,
}

impl Limits {
    #[must_use]
    pub fn new(peers: Peers) -> Self {
        Self { table: Mutex::default(), peers }
    }

    /// Counts, unless one of the limits is reached: then nothing is counted. Counted before its outcome is known, so that a
    /// hundred at once are a hundred; [`Self::forgive`] takes back what was no guess.
    ///
    /// # Errors
    /// [`TooOften`].
    pub async fn begin(&self, counts: &[Count], now: Millis) -> Result<(), TooOften> {
        self.begin_here(counts, now)?;
        let shared: Vec<_> = counts.iter().map(|count| (count.key(), count.limit.max, count.limit.window_ms)).collect();
        match self.peers.count(&shared).await {
            // Redis does not answer: this node's own count stands.
            None | Some(0) => Ok(()),
            Some(wait_ms) => {
                self.forgive_here(counts);
                Err(TooOften { wait_ms })
            }
        }
    }

    /// It was right, or failed of something else.
    pub async fn forgive(&self, counts: &[Count]) {
        self.forgive_here(counts);
        let keys: Vec<String> = counts.iter().map(Count::key).collect();
        self.peers.uncount(&keys).await;
    }

    fn begin_here(&self, counts: &[Count], now: Millis) -> Result<(), TooOften> {
        let mut table = self.table();
        let left = |since: Millis, window_ms: i64| window_ms - now.since(since);
        if table.len() + counts.len() > COUNTS_MAX {
            table.retain(|_, (since, _)| left(*since, SIGN_IN_LOGIN.window_ms) > 0);
            if table.len() + counts.len() > COUNTS_MAX {
                table.clear();
            }
        }
        for count in counts {
            if let Some((since, so_far)) = table.get(&count.key())
                && *so_far >= count.limit.max
                && let wait_ms @ 1.. = left(*since, count.limit.window_ms)
            {
                return Err(TooOften { wait_ms });
            }
        }
        for count in counts {
            let (since, so_far) = table.entry(count.key()).or_insert((now, 0));
            if left(*since, count.limit.window_ms) <= 0 {
                (*since, *so_far) = (now, 0);
            }
            *so_far += 1;
        }
        Ok(())
    }

    fn forgive_here(&self, counts: &[Count]) {
        let mut table = self.table();
        for count in counts {
            if let Some((_, so_far)) = table.get_mut(&count.key()) {
                *so_far = so_far.saturating_sub(1);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, (Millis, u32)>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn key(&self) -> String {
        format!("{}:{}", self.limit.name, self.who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    fn tries(who: &str) -> [Count; 1] {
        [Count { limit: Limit { name: "tries", max: 3, window_ms: 60_000 }, who: who.to_owned() }]
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_per_key() {
        let limits = Limits::new(Peers::none());
        for _ in 0..3 {
            assert_eq!(limits.begin(&tries("guesser"), NOW).await, Ok(()));
        }
        let later = |ms| NOW.plus(ms);
        assert_eq!(limits.begin(&tries("guesser"), later(1)).await, Err(TooOften { wait_ms: 59_999 }));
        assert_eq!(limits.begin(&tries("other"), NOW).await, Ok(()));
        // Those that were refused do not prolong it.
        assert_eq!(limits.begin(&tries("guesser"), later(59_999)).await, Err(TooOften { wait_ms: 1 }));
        assert_eq!(limits.begin(&tries("guesser"), later(60_000)).await, Ok(()));
    }

    #[tokio::test]
    async fn what_was_right_does_not_count() {
        let limits = Limits::new(Peers::none());
        for _ in 0..10 {
            assert_eq!(limits.begin(&tries("person"), NOW).await, Ok(()));
            limits.forgive(&tries("person")).await;
        }
        for _ in 0..3 {
            assert_eq!(limits.begin(&tries("person"), NOW).await, Ok(()));
        }
        assert!(limits.begin(&tries("person"), NOW).await.is_err());
        limits.forgive(&tries("nobody")).await;
    }

    #[tokio::test]
    async fn of_two_limits_the_stricter_holds_and_a_refusal_counts_for_neither() {
        let limits = Limits::new(Peers::none());
        let from = |address: &str| sign_in(address.parse().unwrap(), "mei");
        for n in 0..10 {
            assert_eq!(limits.begin(&from(&format!("192.0.2.{n}")), NOW).await, Ok(()));
        }
        for _ in 0..40 {
            assert!(limits.begin(&from("192.0.2.99"), NOW).await.is_err());
        }
        let other_name = sign_in("192.0.2.99".parse().unwrap(), "li");
        assert_eq!(limits.begin(&other_name, NOW).await, Ok(()));
    }

    #[test]
    fn in_ipv6_a_whole_site_is_one() {
        let who = |address: &str| site(address.parse().unwrap());
        assert_eq!(who("2001:db8:1:2::1"), who("2001:db8:1:2:ffff::9"));
        assert_ne!(who("2001:db8:1:2::1"), who("2001:db8:1:3::1"));
        assert_ne!(who("192.0.2.1"), who("192.0.2.2"));
    }

    #[tokio::test]
    async fn the_table_stays_small() {
        let limits = Limits::new(Peers::none());
        for who in 0..(2 * COUNTS_MAX + 10) {
            assert_eq!(limits.begin(&tries(&who.to_string()), NOW).await, Ok(()));
        }
        assert!(limits.table().len() <= COUNTS_MAX);
    }
}
