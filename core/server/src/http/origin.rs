//! Where a request comes from: the address behind it, and the page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::{HttpRequest, http::header};
use url::Url;

use super::problem::{ORIGIN_REFUSED, Problem};
use crate::app::App;

/// The address that asks. What a proxy says of others is believed of the proxies in the settings alone.
pub fn address(app: &App, request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    let forwarded: Vec<&str> =
        request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
    behind(peer, &forwarded, &app.config().server.trusted_proxies)
}

/// Each proxy adds whom it heard: from the nearest backwards, the first who is no proxy of ours is the one who asks.
fn behind(peer: IpAddr, forwarded: &[&str], trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    for heard in forwarded.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.contains(&address) {
            break;
        }
        let heard = heard.trim();
        let read = heard.parse().or_else(|_| heard.parse::<SocketAddr>().map(|socket| socket.ip()));
        match read {
            Ok(read) => address = read.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

/// Refuses what another site's page sends with a person's cookie. Programs send no `Origin` and are let through: they have
/// no cookie but their own.
///
/// # Errors
/// `ORIGIN_REFUSED`.
pub fn check_page(app: &App, request: &HttpRequest) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().unwrap_or_default();
    if is_ours(origin, host, &app.config().server.public_url) {
        return Ok(());
    }
    Err(Problem::new(ORIGIN_REFUSED, "Only core's own pages may do this; check server.public_url if this is one."))
}

fn is_ours(origin: &str, host: Option<&str>, public_url: &str) -> bool {
    let public = Url::parse(public_url).ok().map(|url| url.origin().ascii_serialization());
    let same_host = ["http://", "https://"]
        .into_iter()
        .any(|scheme| host.is_some_and(|host| origin.strip_prefix(scheme).is_some_and(|rest| rest == host)));
    // An address without an origin of its own prints as "null", and so does the origin of a page that hides its own.
    origin != "null" && (public.as_deref() == Some(origin) || same_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_proxies_are_believed() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let trusted = [ip("127.0.0.1"), ip("10.0.0.9")];
        for (peer, forwarded, asks) in [
            ("203.0.113.5", vec![], "203.0.113.5"),
            ("203.0.113.5", vec!["198.51.100.1"], "203.0.113.5"),
            ("127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["192.0.2.66", "198.51.100.1, 10.0.0.9"], "198.51.100.1"),
            ("127.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", vec!["somebody"], "127.0.0.1"),
            ("127.0.0.1", vec![], "127.0.0.1"),
        ] {
            assert_eq!(behind(ip(peer), &forwarded, &trusted), ip(asks), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_page_is_ours_by_the_public_url_or_by_the_host_it_was_served_from() {
        let public = "https://pos.example:8443/desk";
        for (origin, host, ours) in [
            ("https://pos.example:8443", None, true),
            ("https://pos.example", None, false),
            ("http://127.0.0.1:7600", Some("127.0.0.1:7600"), true),
            ("https://shop.lan", Some("shop.lan"), true),
            ("https://evil.example", Some("pos.example:8443"), false),
            ("https://evil.example/127.0.0.1:7600", Some("127.0.0.1:7600"), false),
            ("null", Some("null"), false),
            ("", Some(""), false),
        ] {
            assert_eq!(is_ours(origin, host, public), ours, "{origin} {host:?}");
        }
        assert!(!is_ours("null", None, "data:,"));
    }
}
