//! Which addresses a plugin may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges that are not the public internet (IANA IPv4 Special-Purpose Address Registry, RFC 6890), and multicast.
const V4_CLOSED: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared address space of carriers (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, where clouds keep their metadata service.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Ranges inside 2000::/3 that are not plain public addresses: protocol assignments with Teredo and ORCHID, documentation,
/// and 6to4, which carries an IPv4 address that could be private. All beyond 2000::/3 is closed as a whole.
const V6_CLOSED: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether the address is on the public internet, as far as its number tells.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !V4_CLOSED.iter().any(|(net, bits)| (v4.to_bits() ^ net.to_bits()).leading_zeros() >= *bits),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let within = |net: Ipv6Addr, bits: u32| (v6.to_bits() ^ net.to_bits()).leading_zeros() >= bits;
                within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                    && !V6_CLOSED.iter().any(|(net, bits)| within(*net, *bits))
            }
        },
    }
}

/// Which addresses a connection may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    PublicOnly,
    /// The operator allows private ones too.
    Any,
    /// Without TLS nothing may cross the public internet.
    PrivateOnly,
}

/// An address that the policy closes, in words for the plugin's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressRefused {
    #[error("{host} leads to {address}, which is not a public address; the operator can allow private addresses")]
    Private { host: String, address: IpAddr },
    #[error("{host} leads to {address}, a public address, and nothing goes there without TLS; use https")]
    PlainText { host: String, address: IpAddr },
}

impl Policy {
    pub(super) fn check(self, host: &str, address: IpAddr) -> Result<(), AddressRefused> {
        let host = || host.chars().take(100).collect();
        match (self, is_public(address)) {
            (Self::PublicOnly, false) => Err(AddressRefused::Private { host: host(), address }),
            (Self::PrivateOnly, true) => Err(AddressRefused::PlainText { host: host(), address }),
            (Self::Any, _) | (Self::PublicOnly, true) | (Self::PrivateOnly, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_private() {
        for (text, public) in [
            ("8.8.8.8", true),
            ("1.1.1.1", true),
            ("223.5.5.5", true),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.15.0.1", true),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700:4700::1111", true),
            ("2400:3200::1", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("ff02::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2001:4860:4860::8888", true),
        ] {
            assert_eq!(is_public(text.parse().expect("an address")), public, "{text}");
        }
    }

    #[test]
    fn policies() {
        let (public, private) = (IpAddr::from([8, 8, 8, 8]), IpAddr::from([10, 0, 0, 1]));
        for (policy, to_public, to_private) in
            [(Policy::PublicOnly, true, false), (Policy::Any, true, true), (Policy::PrivateOnly, false, true)]
        {
            assert_eq!(policy.check("h", public).is_ok(), to_public);
            assert_eq!(policy.check("h", private).is_ok(), to_private);
        }
    }
}
