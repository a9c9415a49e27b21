//! Devices in the shop's network that were let into the till: a waiter's tablet, a phone, a second screen.
//!
//! A person at the till makes a one-time code ([`book`]); whoever redeems it gets a token, of which a hash alone is kept
//! ([`keeper`]), sealed under the journal's key. What each may do there is the door's matter ([`crate::till`]). The door's
//! certificate is made here ([`certificate`]). The journal's tables know nothing of it: pairs outlast a release that is gone back from, and
//! so does what was revoked meanwhile.

pub mod book;
pub mod certificate;
pub mod keeper;
pub mod secret;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use saoma_protocol::{Millis, api::stands_in_text};
use serde::{Deserialize, Serialize};

pub use secret::{Token, TokenHash};

/// Longest name of a device, in characters (Unicode scalar values).
pub const NAME_LEN_MAX: usize = 32;

/// What a device may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything that a cashier does.
    Till,
    /// The customer display: looks, and does nothing.
    Display,
}

/// What people call it: 1 to [`NAME_LEN_MAX`] characters on one line. It stands in logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceName(String);

/// It is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device's name must have 1 to 32 characters on one line")]
pub struct NotAName;

impl FromStr for DeviceName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let text = text.trim();
        let is_name = (1..=NAME_LEN_MAX).contains(&text.chars().count()) && text.chars().all(stands_in_text);
        if is_name { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl TryFrom<String> for DeviceName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a device for good; random, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub String);

/// A device that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: DeviceId,
    pub name: DeviceName,
    pub role: Role,
    pub token: TokenHash,
    pub paired_at: Millis,
    /// By core's clock; none if it was here when nobody knew the time.
    pub seen_at: Option<Millis>,
}

/// Who asks at the door in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: DeviceId,
    pub name: DeviceName,
    pub role: Role,
}

/// The one name or address by which devices know the till. Whoever comes by another one was led there by somebody else's
/// name for this address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Address(IpAddr),
    /// Lower case.
    Name(String),
}

/// It is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be an address such as 192.168.1.20, or a name such as till-1.local")]
pub struct NotAHost;

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return if address.is_unspecified() { Err(NotAHost) } else { Ok(Self::Address(address)) };
        }
        // RFC 1123, section 2.1. A browser takes what ends in a number for an address (WHATWG URL, host parsing).
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let ends_in_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        let is_name = text.len() <= 253 && text.split('.').all(is_label) && !ends_in_number;
        if is_name { Ok(Self::Name(text.to_ascii_lowercase())) } else { Err(NotAHost) }
    }
}

impl Host {
    /// As `Host` and `Origin` name it with this port; that of https is left out there.
    #[must_use]
    pub fn with_port(&self, port: u16) -> String {
        let host = match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Self::Address(IpAddr::V4(address)) => address.to_string(),
            Self::Name(name) => name.clone(),
        };
        if port == 443 { host } else { format!("{host}:{port}") }
    }
}

/// Where the door in the network is, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub listen: SocketAddr,
    pub host: Host,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        for (text, port, authority) in [
            ("192.168.1.20", 7843, Some("192.168.1.20:7843")),
            ("fd00::20", 7843, Some("[fd00::20]:7843")),
            ("Till-1.local", 443, Some("till-1.local")),
            ("0.0.0.0", 1, None),
            ("::", 1, None),
            ("", 1, None),
            ("till_1", 1, None),
            ("-till", 1, None),
            ("till..local", 1, None),
            ("192.168.1.256", 1, None),
            ("till:7843", 1, None),
            ("till/x", 1, None),
        ] {
            let host = text.parse::<Host>().ok().map(|host| host.with_port(port));
            assert_eq!(host.as_deref(), authority, "{text}");
        }
    }

    #[test]
    fn names_are_one_line() {
        for (text, good) in [("Tablet 1", true), (" 服务员 平板 ", true), ("", false), ("  ", false), ("a\nb", false)]
        {
            assert_eq!(text.parse::<DeviceName>().is_ok(), good, "{text:?}");
        }
        assert!("桌".repeat(32).parse::<DeviceName>().is_ok() && "桌".repeat(33).parse::<DeviceName>().is_err());
    }
}
