//! How much one address may ask of the door in the network before it is known, and how many connections it may have.
//!
//! In a shop's network all devices share one network of IPv6, and one machine has as many of its addresses as it likes: what all of
//! them do together is limited too, at the share of several.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Requests of somebody who is not paired, in a minute: to pair takes five, and to mistype it a few more.
const REQUESTS_MAX: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that are told apart; beyond them all others are one.
const ADDRESSES_MAX: usize = 256;
/// Connections of one address: a browser has six, and two may stand behind one address.
const SEATS_MAX: u32 = 16;
/// What the addresses of one network of IPv6 have together, in shares of one address: half of the door.
const NETWORK_SHARES: u32 = 8;

/// Whose requests and connections are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Crew {
    Address(IpAddr),
    /// The first 64 bits.
    Network(u64),
    Others,
}

impl Crew {
    /// Those that `address` belongs to, the smaller one first.
    fn of(address: IpAddr) -> impl Iterator<Item = Self> {
        let address = address.to_canonical();
        let network = match address {
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).ok().map(Self::Network),
            IpAddr::V4(_) => None,
        };
        std::iter::once(Self::Address(address)).chain(network)
    }

    const fn shares(self) -> u32 {
        match self {
            Self::Address(_) | Self::Others => 1,
            Self::Network(_) => NETWORK_SHARES,
        }
    }
}

/// Counts what strangers ask.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<HashMap<Crew, (Instant, u32)>>);

impl Crowd {
    /// Counts a request, and whether it may go on.
    pub(super) fn may(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted = |mut crew: Crew| {
            if !counts.contains_key(&crew) && counts.len() >= ADDRESSES_MAX {
                counts.retain(|_, (since, _)| now.duration_since(*since) < MINUTE);
                if counts.len() >= ADDRESSES_MAX {
                    crew = Crew::Others;
                }
            }
            let (since, count) = counts.entry(crew).or_insert((now, 0));
            if now.duration_since(*since) >= MINUTE {
                (*since, *count) = (now, 0);
            }
            *count = count.saturating_add(1);
            *count <= REQUESTS_MAX * crew.shares()
        };
        // One address alone uses up no more than its own share of its network's.
        match address {
            Some(address) => Crew::of(address).all(counted),
            None => counted(Crew::Others),
        }
    }
}

/// Counts connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Crew, u32>>>);

/// A connection that is counted for as long as it lives.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    fn counts(&self) -> MutexGuard<'_, HashMap<Crew, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for one more connection from there; none if that is one too many.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let mut counts = self.counts();
        let has_room = |crew: Crew| counts.get(&crew).is_none_or(|count| *count < SEATS_MAX * crew.shares());
        if !Crew::of(address).all(has_room) {
            tracing::debug!(%address, "an address has too many connections");
            return None;
        }
        for crew in Crew::of(address) {
            *counts.entry(crew).or_insert(0) += 1;
        }
        Some(Seat { seats: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.seats.counts();
        for crew in Crew::of(self.address) {
            if let Some(count) = counts.get_mut(&crew) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&crew);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_by_address_and_by_minute() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        let address = |text: &str| Some(text.parse().unwrap());
        for _ in 0..REQUESTS_MAX {
            assert!(crowd.may(address("192.168.1.7"), now));
        }
        assert!(!crowd.may(address("192.168.1.7"), now) && !crowd.may(address("::ffff:192.168.1.7"), now));
        assert!(crowd.may(address("192.168.1.8"), now));
        assert!(crowd.may(address("192.168.1.7"), now + MINUTE));
        // More addresses than are told apart.
        let may =
            (0..2_000_u32).filter(|number| crowd.may(Some(IpAddr::V4((0x0a00_0000 + number).into())), now)).count();
        assert!((ADDRESSES_MAX - 10..ADDRESSES_MAX + 70).contains(&may), "{may}");
    }

    #[test]
    fn on_one_network_of_ipv6_nobody_takes_what_is_everybodys() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        let mine = |number: u16| format!("fe80::{number:x}").parse::<IpAddr>().unwrap();
        for _ in 0..1_000 {
            crowd.may(Some(mine(1)), now);
        }
        assert!(!crowd.may(Some(mine(1)), now) && crowd.may(Some(mine(2)), now));
        // As many addresses as one likes.
        let may =
            (3..=200).flat_map(|number| [number; 10]).filter(|number| crowd.may(Some(mine(*number)), now)).count();
        assert_eq!(may, 419, "sixty of the first, one of the second, and what is left of eight shares");

        let seats = Seats::default();
        let take =
            |number: u16, count: usize| -> Vec<Seat> { (0..count).filter_map(|_| seats.take(mine(number))).collect() };
        let first = take(1, 40);
        let tablet = take(2, 3);
        assert_eq!((first.len(), tablet.len()), (16, 3));
        let others: Vec<Seat> = (3..100).flat_map(|number| take(number, 16)).collect();
        assert_eq!(others.len(), 128 - 16 - 3);
        assert!(seats.take("192.168.1.7".parse().unwrap()).is_some() && seats.take(mine(500)).is_none());
        drop(others);
        assert!(seats.take(mine(500)).is_some());
        drop((first, tablet));
        assert!(seats.counts().is_empty(), "nobody is left");
    }
}
