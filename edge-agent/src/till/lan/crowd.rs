//! How much one address may ask of the door in the network before it is known, and how many connections it may have.

use std::{
    any::Any,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{dev::Extensions, rt};

/// Requests of somebody who is not paired, in a minute: to pair takes five, and to mistype it a few more.
const REQUESTS_MAX: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that are told apart; beyond them all others are one.
const ADDRESSES_MAX: usize = 256;
/// Connections of one address: a browser has six, and two may stand behind one address.
const SEATS_MAX: u32 = 16;

/// Whose connections are counted together: an address, or a network of IPv6, of which one machine has as many as it likes.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !(u128::MAX >> 64);
            Ipv6Addr::from_bits(network).into()
        }
        address => address,
    }
}

/// Counts what strangers ask.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Crowd {
    /// Counts a request, and whether it may go on.
    pub(super) fn may(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let others = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let mut peer = address.map_or(others, peer_of);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.contains_key(&peer) && counts.len() >= ADDRESSES_MAX {
            counts.retain(|_, (since, _)| now.duration_since(*since) < MINUTE);
            if counts.len() >= ADDRESSES_MAX {
                peer = others;
            }
        }
        let (since, count) = counts.entry(peer).or_insert((now, 0));
        if now.duration_since(*since) >= MINUTE {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= REQUESTS_MAX
    }
}

/// Counts connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<IpAddr, u32>>>);

/// A connection that is counted for as long as it lives.
struct Seat {
    seats: Seats,
    peer: IpAddr,
}

impl Seats {
    /// For `HttpServer::on_connect`: one too many is cut off.
    pub(super) fn take(&self, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TlsStream<rt::net::TcpStream>>() else { return };
        let (stream, _) = stream.get_ref();
        let Ok(address) = stream.peer_addr() else { return };
        let peer = peer_of(address.ip());
        let count = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(peer).or_insert(0);
            *count += 1;
            *count
        };
        data.insert(Seat { seats: self.clone(), peer });
        if count > SEATS_MAX {
            // By a second handle to the same socket: the first one is the server's. If there is none, the head's deadline ends it.
            let cut = stream
                .as_fd()
                .try_clone_to_owned()
                .map(TcpStream::from)
                .and_then(|stream| stream.shutdown(Shutdown::Both));
            tracing::debug!(%peer, cut = cut.is_ok(), "an address has too many connections");
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
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
        // As many addresses as one likes, of one network.
        let mine = |number: u16| address(&format!("fd00::{number:x}"));
        assert!((0..=60).map(|number| crowd.may(mine(number), now)).filter(|may| *may).count() == 60);
        // More addresses than are told apart.
        let may =
            (0..2_000_u32).filter(|number| crowd.may(Some(IpAddr::V4((0x0a00_0000 + number).into())), now)).count();
        assert!((ADDRESSES_MAX - 10..ADDRESSES_MAX + 70).contains(&may), "{may}");
    }
}
