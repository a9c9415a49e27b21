//! Sending one checked request, and saying exactly how far it got.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect, retry,
};
use rustls::{
    client::danger::ServerCertVerifier,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::{
    Checked, Grant, HEADER_BYTES_MAX, HEADERS_MAX,
    address::{AddressRefused, Policy},
    identity::{Clients, Identity},
    names::Names,
};
use crate::{
    bindings::http::{Error, Response},
    failure::HostError,
    host::HostConfig,
};

/// A scheme that takes longer to accept a connection is not there. Shorter than most calls, so that the plugin can still say
/// `not-sent` instead of running into its deadline.
pub(in crate::host) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Idle connections are kept for the next call, but not long: one that the far side closes just as we write on it would make
/// a payment unknown for nothing. Servers keep theirs for 5 s or more.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE_PER_HOST_MAX: usize = 32;

/// The clients and rules shared by all calls.
pub(crate) struct Network {
    grant: Grant,
    tls: (Client, Policy),
    /// `None` unless the operator allows private addresses.
    plain: Option<(Client, Policy)>,
    clients: Clients,
    names: Arc<Names>,
    /// Who vouches for servers by default; `None` on a machine without roots.
    public: Option<Arc<dyn ServerCertVerifier>>,
}

impl Network {
    pub(crate) fn new(config: &HostConfig) -> Result<Self, HostError> {
        // One TLS provider in the whole process, on `ring`. An error means that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = match &config.extra_roots_pem {
            Some(pem) => extra_roots(pem)?,
            None => Vec::new(),
        };
        let names = Arc::new(Names::default());
        let client = |policy| client(policy, &names, &roots).map(|client| (client, policy));
        let (tls, plain) = match config.allow_private_addresses {
            true => (client(Policy::Any)?, Some(client(Policy::PrivateOnly)?)),
            false => (client(Policy::PublicOnly)?, None),
        };
        let public = public_authorities(config.extra_roots_pem.as_deref());
        Ok(Self { grant: config.grant.clone(), tls, plain, clients: Clients::default(), names, public })
    }

    /// What the policy is for connections with TLS, or without.
    pub(super) fn policy(&self, tls: bool) -> Result<Policy, Error> {
        match (tls, &self.plain) {
            (true, _) => Ok(self.tls.1),
            (false, Some((_, policy))) => Ok(*policy),
            (false, None) => Err(Error::Forbidden("only TLS is allowed".to_owned())),
        }
    }

    pub(super) fn grants(&self, host: &str, port: u16) -> Result<(), Error> {
        self.grant.allows_place(host, port)
    }

    pub(super) async fn addresses_of(&self, name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        self.names.addresses_of(name).await
    }

    /// How TLS is spoken by whom that is.
    pub(super) fn tls_of(&self, identity: Identity) -> Result<rustls::ClientConfig, Error> {
        identity.config(self.public.as_ref())
    }

    pub(super) async fn send(
        &self,
        request: Box<Checked>,
        trace_parent: Option<String>,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let until = deadline.min(Instant::now() + request.timeout);
        let answer_bytes_max = request.answer_bytes_max;
        let (begun, sent) = {
            // Its box is gone with this block, and not kept for as long as the scheme takes.
            let mut request = request;
            let sent = std::mem::take(&mut request.sent);
            (self.begin(*request, trace_parent)?, sent)
        };
        timeout_at(until, async { read(begun.await?, answer_bytes_max).await })
            .await
            .unwrap_or(Err(Error::TimedOut))
            .and_then(|response| sent.not_repeated_in(response))
    }

    /// Sends the request when it is waited for; the answer's body is still to be read. The caller watches the time.
    pub(super) fn begin(
        &self,
        request: Checked,
        trace_parent: Option<String>,
    ) -> Result<impl Future<Output = Result<reqwest::Response, Error>> + use<>, Error> {
        self.grant.allows(&request.url)?;
        let client = self.client_for(&request.url, request.identity)?;
        let mut builder = client.request(request.method, request.url).headers(request.headers).body(request.body);
        if let Some(trace_parent) = trace_parent {
            builder = builder.header("traceparent", trace_parent);
        }
        let sent = builder.send();
        Ok(async move { sent.await.map_err(|error| not_answered(&error)) })
    }

    /// The client for this URL's scheme. An address written into the URL never reaches the resolver, so it is checked here.
    fn client_for(&self, url: &Url, identity: Option<Identity>) -> Result<Client, Error> {
        let (client, policy) = match (url.scheme(), &self.plain) {
            ("https", _) => &self.tls,
            (_, Some(plain)) => plain,
            (_, None) => return Err(Error::Forbidden("only https is allowed".to_owned())),
        };
        check_literal(url, *policy)?;
        let Some(identity) = identity else { return Ok(client.clone()) };
        self.clients.of(identity, self.public.as_ref(), |tls| {
            let built = builder(*policy, &self.names).tls_backend_preconfigured(tls).build();
            built.map_err(|error| Error::Unreachable(innermost(&error)))
        })
    }
}

/// What the policy says of an address that is written into the URL.
pub(super) fn check_literal(url: &Url, policy: Policy) -> Result<(), Error> {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => v4.into(),
        Some(Host::Ipv6(v6)) => v6.into(),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    let host = url.host_str().unwrap_or_default();
    policy.check(host, address).map_err(|refused| Error::Forbidden(refused.to_string()))
}

fn extra_roots(pem: &str) -> Result<Vec<Certificate>, HostError> {
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(HostError::Http("extra_roots_pem holds no certificate in PEM".to_owned())),
    }
}

fn client(policy: Policy, names: &Arc<Names>, roots: &[Certificate]) -> Result<Client, HostError> {
    let builder = || builder(policy, names);
    builder().tls_certs_merge(roots.iter().cloned()).build().or_else(|error| {
        tracing::warn!(
            error = %innermost(&error),
            "no TLS roots on this machine: plugins will reach no scheme over https; install the package ca-certificates"
        );
        builder().tls_certs_only([]).build().map_err(|error| HostError::Http(innermost(&error)))
    })
}

/// What all clients have in common.
fn builder(policy: Policy, names: &Arc<Names>) -> ClientBuilder {
    ClientBuilder::new()
        .dns_resolver(CheckedResolver { policy, names: Arc::clone(names) })
        .redirect(redirect::Policy::none())
        // A retry inside here could send a charge twice without anyone knowing.
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
}

/// The machine's authorities and those that the operator adds, as the common clients trust them.
fn public_authorities(extra_roots_pem: Option<&str>) -> Option<Arc<dyn ServerCertVerifier>> {
    let roots: Vec<_> =
        CertificateDer::pem_slice_iter(extra_roots_pem.unwrap_or_default().as_bytes()).flatten().collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, provider).ok()?;
    Some(Arc::new(verifier))
}

/// Resolves names by the system and lets through only what the policy allows. The connection goes to one of these very
/// addresses. One closed address among several closes the name: an honest scheme has none.
struct CheckedResolver {
    policy: Policy,
    names: Arc<Names>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, names) = (self.policy, Arc::clone(&self.names));
        Box::pin(async move {
            let host = name.as_str();
            let found = names.addresses_of(host).await?;
            for address in &found {
                policy.check(host, *address)?;
            }
            // The port is the URL's.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// How far a request got that brought no answer.
fn not_answered(error: &reqwest::Error) -> Error {
    if let Some(refused) = source_of::<AddressRefused>(error) {
        Error::Forbidden(refused.to_string())
    } else if error.is_connect() {
        // Names, TCP and TLS: not a byte of the request has left.
        Error::Unreachable(innermost(error))
    } else if error.is_builder() {
        Error::Invalid(innermost(error))
    } else if error.is_timeout() {
        Error::TimedOut
    } else {
        Error::Broken(innermost(error))
    }
}

async fn read(mut response: reqwest::Response, answer_bytes_max: usize) -> Result<Response, Error> {
    let header_bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if response.headers().len() > HEADERS_MAX || header_bytes > HEADER_BYTES_MAX {
        return Err(Error::Broken("the answer has more than 32 headers, or more than 8 KiB of them".to_owned()));
    }
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Error::Broken(innermost(&error)))? {
        if body.len() + chunk.len() > answer_bytes_max {
            return Err(Error::Broken(format!("the answer is larger than {answer_bytes_max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body })
}

/// The last cause, which says what happened; those above it repeat the URL.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string().chars().take(200).collect()
}

fn source_of<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    /// DNS rebinding: that a name led outside is forgotten with its lookup, and each connection goes to an address that was
    /// checked for it.
    #[tokio::test]
    async fn a_name_that_turns_inside_is_refused_from_then_on() {
        let names = Arc::new(Names::default());
        let resolver = CheckedResolver { policy: Policy::PublicOnly, names: Arc::clone(&names) };
        let outside = IpAddr::from([198, 41, 0, 4]);
        let inside = IpAddr::from([10, 0, 0, 1]);
        for (found, goes_to) in [
            (vec![outside], Some(outside)),
            (vec![inside], None),
            (vec![outside, inside], None),
            (vec![IpAddr::from([127, 0, 0, 1])], None),
            (vec![outside], Some(outside)),
        ] {
            let answer = found.clone();
            names.begun("rebind.example", async move { Ok(answer) }).expect("room");
            let resolved = resolver.resolve("rebind.example".parse().expect("a name")).await;
            let addresses: Option<Vec<_>> = resolved.ok().map(|found| found.map(|address| address.ip()).collect());
            assert_eq!(addresses, goes_to.map(|address| vec![address]), "{found:?}");
        }
    }
}
