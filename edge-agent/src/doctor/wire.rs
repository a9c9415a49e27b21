//! The way to a door of core, step by step, so that the one that fails is named.

use std::{
    io::{self, ErrorKind, Read as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, Stream, pki_types::ServerName};

use crate::link::clock::Untimely;

/// How long each step may take.
const STEP_MAX: Duration = Duration::from_secs(5);
/// With TLS 1.3 a certificate is refused only after the handshake (RFC 8446, section 4.4.2.4): so long we listen for it, at
/// the least; a slow line gets more.
const REFUSAL_MIN: Duration = Duration::from_secs(1);

/// How long each step took, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) dns: u128,
    pub(super) tcp: u128,
    pub(super) tls: u128,
}

/// The step that failed, and why.
#[derive(Debug)]
pub(super) enum Stuck {
    Name(String),
    Connection(String),
    Tls(String),
    /// It is core's, and not good by this machine's clock.
    Untimely(Untimely),
    /// Connected, and nothing more came.
    Silent,
}

/// Finds the host, connects, and shows this terminal's certificate. Blocks for a few seconds at most, apart from the
/// system's own wait for a name.
pub(super) fn reach(host: &str, port: u16, tls: &ClientConfig) -> Result<Took, Stuck> {
    let began = Instant::now();
    // An IPv6 address stands in brackets in a URL alone.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(|error| Stuck::Name(error.to_string()))?.collect();
    let dns = began.elapsed();
    let began = Instant::now();
    let mut failure = "the name has no address".to_owned();
    let connected = addresses.iter().find_map(|address| {
        TcpStream::connect_timeout(address, STEP_MAX).inspect_err(|error| failure = error.to_string()).ok()
    });
    let mut socket = connected.ok_or(Stuck::Connection(failure))?;
    let tcp = began.elapsed();
    let began = Instant::now();
    let tls_failed = |why: String| Stuck::Tls(why);
    let io_failed = |error: io::Error| match Untimely::of(&error) {
        Some(untimely) => Stuck::Untimely(untimely),
        None if is_timeout(&error) => Stuck::Silent,
        None => Stuck::Tls(error.to_string()),
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| tls_failed(error.to_string()))?;
    let mut connection =
        ClientConnection::new(Arc::new(tls.clone()), name).map_err(|error| tls_failed(error.to_string()))?;
    let limits = socket.set_read_timeout(Some(STEP_MAX)).and_then(|()| socket.set_write_timeout(Some(STEP_MAX)));
    limits.map_err(|error| tls_failed(error.to_string()))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(io_failed)?;
    }
    let took = began.elapsed();
    let listen = socket.set_read_timeout(Some((took * 3).clamp(REFUSAL_MIN, STEP_MAX)));
    listen.map_err(|error| tls_failed(error.to_string()))?;
    match Stream::new(&mut connection, &mut socket).read(&mut [0; 1]) {
        Err(error) if !is_timeout(&error) => Err(tls_failed(error.to_string())),
        Ok(0) => Err(tls_failed("the other side hung up at once".to_owned())),
        _ => Ok(Took { dns: dns.as_millis(), tcp: tcp.as_millis(), tls: took.as_millis() }),
    }
}

/// Unix calls a read that took too long one that would block.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
