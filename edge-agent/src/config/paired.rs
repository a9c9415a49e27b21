//! `[paired]`: the door in the shop's network.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Explained};
use crate::paired::{Host, Place};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairedConfig {
    pub listen: String,
    pub host: String,
}

pub(super) const EXPLAINED: &[Explained] = &[
    Explained {
        name: "paired.listen",
        what: "Address and port in the shop's network where paired devices use the till, over TLS alone: 192.168.1.20:7843. \
               Empty: nobody does.",
    },
    Explained {
        name: "paired.host",
        what: "The one name or address, without port, that devices open. Empty: the address of paired.listen; needed if that is \
               0.0.0.0 or [::].",
    },
];

impl PairedConfig {
    /// Where the door is; none if there is none.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn place(&self) -> Result<Option<Place>, ConfigError> {
        let invalid = |name: &'static str| move |why: String| ConfigError::Invalid { name, why };
        if self.listen.is_empty() {
            return Ok(None);
        }
        let why = |_| format!("{:?} is not an address with a port such as 192.168.1.20:7843", self.listen);
        let listen: SocketAddr = self.listen.parse().map_err(why).map_err(invalid("paired.listen"))?;
        let host = match (self.host.as_str(), listen.ip().is_unspecified()) {
            ("", true) => {
                let why = format!("{listen} is every address of this machine: say which one devices open");
                return Err(invalid("paired.host")(why));
            }
            ("", false) => Host::Address(listen.ip()),
            (host, _) => {
                host.parse().map_err(|why: crate::paired::NotAHost| invalid("paired.host")(why.to_string()))?
            }
        };
        Ok(Some(Place { listen, host }))
    }
}
