//! What is found only by asking around: printers on the shop's network, and the readers of chips that their service has.
//!
//! Asking costs the others something (each address of the network is called once), so a person has to want it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::{net::TcpStream, time::timeout};

use super::connected::{Bus, Connected};

/// Where printers take raw bytes.
pub const PORT: u16 = 9100;
/// The networks that this machine is in, as the kernel tells them without netlink, which the agent's unit does not let it have.
pub const ROUTES: &str = "/proc/net/route";

/// Addresses of all networks together; a shop's has 254.
const HOSTS_MAX: usize = 1024;
/// In the shop's own network a printer takes a call within milliseconds; one that wakes up, within some hundred.
const ANSWER_MAX: Duration = Duration::from_millis(800);
/// Calls under way at once: cheap routers forget connections beyond some hundred.
const AT_ONCE: usize = 64;

/// The addresses of the private networks that `routes` (`/proc/net/route`) says this machine is in; none of a network of more than
/// [`HOSTS_MAX`], which is no shop's, and is asked by nobody.
#[must_use]
pub fn neighbours(routes: &str) -> Vec<Ipv4Addr> {
    let mut networks: Vec<(u32, u32)> = routes.lines().skip(1).filter_map(network).collect();
    networks.sort_unstable();
    networks.dedup();
    let hosts = networks.into_iter().flat_map(|(base, size)| (1..size.saturating_sub(1)).map(move |host| base + host));
    hosts.take(HOSTS_MAX).map(Ipv4Addr::from_bits).collect()
}

/// First address and size of a network without a gateway. The columns are interface, destination, gateway, flags, three counts and the
/// mask; addresses are numbers of the machine's order in hex (Linux, `net/ipv4/fib_trie.c`, `fib_route_seq_show`).
fn network(line: &str) -> Option<(u32, u32)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    // As a number of the network's order, whatever the machine's.
    let address = |column: usize| Some(u32::from_be(u32::from_str_radix(columns.get(column)?, 16).ok()?));
    let (base, gateway, mask) = (address(1)?, address(2)?, address(7)?);
    let size = (!mask).checked_add(1)?;
    let is_shops = gateway == 0 && Ipv4Addr::from_bits(base).is_private() && usize::try_from(size).ok()? <= HOSTS_MAX;
    is_shops.then_some((base, size))
}

/// Which of `hosts` take a connection at `port`. Nothing is sent: what is no receipt printer would print it.
pub async fn printers(hosts: Vec<Ipv4Addr>, port: u16) -> Vec<Connected> {
    let call = |host: Ipv4Addr| async move {
        let address = SocketAddr::new(IpAddr::V4(host), port);
        matches!(timeout(ANSWER_MAX, TcpStream::connect(address)).await, Ok(Ok(_))).then_some(address)
    };
    let answers: Vec<Option<SocketAddr>> = stream::iter(hosts).map(call).buffer_unordered(AT_ONCE).collect().await;
    let mut found: Vec<SocketAddr> = answers.into_iter().flatten().collect();
    found.sort_unstable();
    found.into_iter().map(|address| Connected::named(Bus::Network, address.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
vpn0\t00000A0A\t0101A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
out\t00007008\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
torn\t0001A8";

    #[test]
    fn the_shops_own_networks_are_asked_and_no_others() {
        let hosts = neighbours(ROUTES);
        assert_eq!((hosts.len(), hosts[0], hosts[253]), (254, [192, 168, 1, 1].into(), [192, 168, 1, 254].into()));
        assert_eq!(neighbours(""), [] as [Ipv4Addr; 0]);
    }

    #[tokio::test]
    async fn what_takes_a_call_is_found_and_hears_nothing() {
        let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = printers((1..=9).map(|host| Ipv4Addr::new(127, 0, 0, host)).collect(), port).await;
        let places: Vec<_> = found.iter().map(|found| (found.bus, found.place.clone())).collect();
        assert_eq!(places, [(Bus::Network, format!("127.0.0.3:{port}"))]);
        let (mut heard, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut heard, &mut bytes).await.unwrap();
        assert_eq!(bytes, [0_u8; 0]);
    }
}
