//! Connections without HTTP on them, for `tcp`: the same names, addresses, grant and certificates as requests have.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::{
    address::Policy,
    client::{Network, check_literal, innermost},
    identity::Identity,
};
use crate::bindings::http::Error;

/// `tls://host:port` or `tcp://host:port`.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// The same as a web address, so that addresses are read in all the spellings that they have there.
    url: Url,
    pub(crate) port: u16,
}

impl Endpoint {
    /// `None` if it is neither, or says more than that.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (tls, place) = match text.split_once("://")? {
            ("tls", place) => (true, place),
            ("tcp", place) => (false, place),
            _ => return None,
        };
        let (_, port) = place.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let url = Url::parse(&format!("http://{place}")).ok()?;
        let says_more = !url.username().is_empty()
            || url.password().is_some()
            || url.path() != "/"
            || place.ends_with('/')
            || url.query().is_some()
            || url.fragment().is_some();
        (!says_more && url.has_host()).then_some(Self { tls, url, port })
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.tls { "tls" } else { "tcp" }
    }
}

/// A connection, plain or TLS.
pub(in crate::host) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Network {
    /// A connection of its own. Whatever error: nothing was sent on it.
    pub(in crate::host) async fn connect(
        &self,
        endpoint: &Endpoint,
        identity: Identity,
        within: Duration,
    ) -> Result<Box<dyn Stream>, Error> {
        self.grants(endpoint.host(), endpoint.port)?;
        let policy = self.policy(endpoint.tls)?;
        let connecting = async {
            let stream = self.reach(endpoint, policy).await?;
            // A message of one segment must not wait for an acknowledgement of nothing.
            let _ = stream.set_nodelay(true);
            if !endpoint.tls {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let connector = TlsConnector::from(Arc::new(self.tls_of(identity)?));
            // Addresses in brackets have none in a certificate.
            let name = endpoint.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|error| Error::Invalid(error.to_string()))?;
            let stream = connector.connect(name, stream).await.map_err(|error| unreachable(&error))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        tokio::time::timeout(within, connecting)
            .await
            .unwrap_or_else(|_| Err(Error::Unreachable(format!("no connection within {} ms", within.as_millis()))))
    }

    /// The first address that takes a connection. All are looked at before the first is tried, as for requests.
    async fn reach(&self, endpoint: &Endpoint, policy: Policy) -> Result<TcpStream, Error> {
        check_literal(&endpoint.url, policy)?;
        let addresses = match endpoint.url.host() {
            Some(Host::Ipv4(v4)) => vec![v4.into()],
            Some(Host::Ipv6(v6)) => vec![v6.into()],
            _ => self.addresses_of(endpoint.host()).await.map_err(|error| unreachable(&error))?,
        };
        for address in &addresses {
            let checked = policy.check(endpoint.host(), *address);
            checked.map_err(|refused| Error::Forbidden(refused.to_string()))?;
        }
        let mut last = Error::Unreachable(format!("{} has no address", endpoint.host()));
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, endpoint.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = unreachable(&error),
            }
        }
        Err(last)
    }
}

fn unreachable(error: &std::io::Error) -> Error {
    Error::Unreachable(innermost(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (text, told) in [
            ("tls://Acquirer.example.com:7001", Some((true, "acquirer.example.com", 7001))),
            ("tls://acquirer.example.com:443", Some((true, "acquirer.example.com", 443))),
            ("tcp://127.0.0.1:80", Some((false, "127.0.0.1", 80))),
            // Spellings of addresses are read as what they are.
            ("tcp://0x7f.1:7001", Some((false, "127.0.0.1", 7001))),
            ("tls://[::1]:7001", Some((true, "[::1]", 7001))),
            ("tls://acquirer.example.com", None),
            ("tls://acquirer.example.com:0", None),
            ("tls://acquirer.example.com:65536", None),
            ("tls://acquirer.example.com:7001/", None),
            ("tls://acquirer.example.com/:7001", None),
            ("tls://acquirer.example.com/x:7001", None),
            ("tls://me@acquirer.example.com:7001", None),
            ("tls://acquirer.example.com?:7001", None),
            ("tls://:7001", None),
            ("https://acquirer.example.com:7001", None),
            ("acquirer.example.com:7001", None),
        ] {
            let read = Endpoint::parse(text);
            let read = read.as_ref().map(|endpoint| (endpoint.tls, endpoint.host(), endpoint.port));
            assert_eq!(read, told, "{text}");
        }
    }
}
