//! Where one call may go: the manifest's hosts and the account's base URLs, within the operator's grant.

use std::str::FromStr;

use serde_json::{Map, Value};
use url::Url;

use super::raw::Endpoint;
use crate::{
    bindings::http::Error,
    manifest::{HostPattern, Manifest},
};

/// One place: scheme, host in lower case, port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "https" => "https",
            "http" => "http",
            _ => return None,
        };
        Some(Self { scheme, host: url.host_str()?.to_ascii_lowercase(), port: url.port_or_known_default()? })
    }

    fn of_endpoint(endpoint: &Endpoint) -> Self {
        Self { scheme: endpoint.scheme(), host: endpoint.host().to_owned(), port: endpoint.port }
    }

    /// What a setting opens; nothing if it is no address.
    fn named(text: &str) -> Option<Self> {
        match Endpoint::parse(text) {
            Some(endpoint) => Some(Self::of_endpoint(&endpoint)),
            None => Self::of(&Url::parse(text).ok()?),
        }
    }
}

/// The places that a call's manifest and settings name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach(Vec<Place>);

impl Reach {
    pub(crate) fn of(manifest: &Manifest, settings: &Map<String, Value>) -> Self {
        let places = manifest.hosts.iter().flat_map(|pattern| match pattern {
            HostPattern::Fixed { host, port } => {
                ["https", "tls"].map(|scheme| Place { scheme, host: host.clone(), port: *port }).to_vec()
            }
            // A setting that is not filled in, or is no URL, opens nothing.
            HostPattern::Setting(name) => {
                settings.get(name).and_then(Value::as_str).and_then(Place::named).into_iter().collect()
            }
        });
        Self(places.collect())
    }

    /// Whether the manifest and the settings name this place.
    pub(crate) fn allows(&self, url: &Url) -> Result<(), Error> {
        self.allows_place(Place::of(url).ok_or_else(|| Error::Invalid("the URL has no host".to_owned()))?)
    }

    pub(in crate::host) fn allows_endpoint(&self, endpoint: &Endpoint) -> Result<(), Error> {
        self.allows_place(Place::of_endpoint(endpoint))
    }

    fn allows_place(&self, place: Place) -> Result<(), Error> {
        if self.0.contains(&place) {
            return Ok(());
        }
        let Place { scheme, host, port } = place;
        Err(Error::Forbidden(format!(
            "{scheme}://{host}:{port} is not among the hosts of this channel; add fixed(\"{host}:{port}\") to the manifest's \
             hosts, or a setting that holds this base URL"
        )))
    }
}

/// What the operator grants to all plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// Whatever manifests name. Addresses are checked all the same.
    #[default]
    Any,
    /// These alone.
    Only(Vec<GrantedHost>),
}

/// `host:port`, or `*.example.com:port` for every name below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedHost {
    host: String,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form api.example.com:443 or *.example.com:443")]
pub struct GrantError(String);

impl FromStr for GrantedHost {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let error = || GrantError(text.chars().take(80).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse().map_err(|_| error())?;
        let name = host.strip_prefix("*.").unwrap_or(host);
        if name.is_empty() || name.contains(['*', '/', '@', ' ']) {
            return Err(error());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl Grant {
    /// A grant of these hosts alone, each as `host:port` or `*.domain:port`.
    ///
    /// # Errors
    /// The first text that is of neither form.
    pub fn only<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Result<Self, GrantError> {
        hosts.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self::Only)
    }

    pub(super) fn allows(&self, url: &Url) -> Result<(), Error> {
        Place::of(url).map_or(Ok(()), |place| self.allows_place(&place.host, place.port))
    }

    /// The host in lower case.
    pub(super) fn allows_place(&self, host: &str, port: u16) -> Result<(), Error> {
        let Self::Only(granted) = self else { return Ok(()) };
        let fits = |granted: &GrantedHost| {
            let host_fits = match granted.host.strip_prefix('*') {
                Some(suffix) => host.ends_with(suffix) && host.len() > suffix.len(),
                None => granted.host == host,
            };
            host_fits && granted.port == port
        };
        if granted.iter().any(fits) {
            return Ok(());
        }
        Err(Error::Forbidden(format!(
            "the operator has not granted {host}:{port} to plugins; add it to the granted hosts"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn only_named_places_are_in_reach() {
        let manifest = Manifest::check(manifest::tests::good()).expect("sound");
        let Value::Object(settings) = serde_json::json!({"base_url": "http://Pay.Example.com:8080/base"}) else {
            unreachable!()
        };
        let reach = Reach::of(&manifest, &settings);
        for (text, allowed) in [
            ("https://api.example.com/v1", true),
            ("https://API.example.com:443/v1", true),
            ("http://pay.example.com:8080/anything", true),
            ("http://api.example.com:443/", false),
            ("https://api.example.com:444/", false),
            ("https://pay.example.com:8080/", false),
            ("http://pay.example.com/", false),
            ("https://api.example.com.evil.test/", false),
            ("https://evil.test/#api.example.com:443", false),
        ] {
            assert_eq!(reach.allows(&url(text)).is_ok(), allowed, "{text}");
        }
        assert!(Reach::of(&manifest, &Map::new()).allows(&url("http://pay.example.com:8080/")).is_err());
    }

    #[test]
    fn a_grant_narrows() {
        let grant = Grant::only(["api.example.com:443", "*.pay.test:8443"]).expect("valid");
        for (text, allowed) in [
            ("https://api.example.com/", true),
            ("https://eu.pay.test:8443/", true),
            ("https://pay.test:8443/", false),
            ("https://evilpay.test:8443/", false),
            ("https://other.example.com/", false),
        ] {
            assert_eq!(grant.allows(&url(text)).is_ok(), allowed, "{text}");
        }
        assert!(Grant::only(["example.com"]).is_err() && Grant::only(["*:443"]).is_err());
    }
}
