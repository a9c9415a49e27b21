//! The till's door in the shop's network, over TLS alone, for devices that were paired.
//!
//! It is a server of its own, with connections of its own: whatever happens here, the door on this machine is served. What a device
//! may not do is not behind this door at all, but for a word that says so. A network that is not there yet keeps no till from
//! selling: the door is tried again.

mod crowd;
mod guard;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use actix_http::{HttpService, TlsAcceptorConfig};
use actix_service::{Service as _, apply_fn_factory, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Server, ServerHandle},
    middleware::from_fn,
    rt::net::TcpStream,
    web::{self, Data},
};
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use saoma_protocol::Millis;

use super::{
    REQUEST_HEAD_MAX, Room, SHUTDOWN_SECONDS, cashiers, loopback_only, not_allowed, nothing_here, paired,
    problem::Refused,
};
use crate::{
    app::now,
    paired::{
        Peer, Place,
        certificate::{self, Shown},
        keeper::Paired,
    },
};
use crowd::{Crowd, Seats};

/// Connections at once: each of sixteen devices has two or three; sixteen strangers who take all that an address may have fill it.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection that is closed may take to hear of it.
const DISCONNECT_MAX: Duration = Duration::from_secs(1);
/// How long TLS may take to begin.
const HANDSHAKE_MAX: Duration = Duration::from_secs(3);
/// How often a door that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// How often the certificate and the address of an open door are looked at: a clock that is set right is known of before people compare
/// fingerprints.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A paired device that asks, in a request's extensions.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) peer: Peer,
    pub(super) paired: Arc<Paired>,
}

/// What the guard works with.
struct Gate {
    paired: Arc<Paired>,
    crowd: Crowd,
    /// What `Host` and `Origin` must name.
    authority: String,
}

/// How the door stands.
#[derive(Clone, Debug)]
pub enum Standing {
    Open { authority: String, fingerprint: String, certificate_expires_at: Millis },
    Shut { why: String },
}

/// The door, open or about to be.
pub struct Lan {
    open: Arc<Mutex<Standing>>,
    server: Arc<Mutex<Option<ServerHandle>>>,
    keeping: tokio::task::JoinHandle<()>,
}

/// Why it is not open.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("listen on {address}: {source}; is it an address of this machine, and free?")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Certificate(#[from] certificate::CertificateError),
    #[error("use the certificate: {0}")]
    Key(String),
    #[error("set TLS up")]
    Tls(#[from] rustls::Error),
}

impl Lan {
    /// Opens it, if that can be done now, and keeps it open.
    #[must_use]
    pub fn start(place: Place, data_dir: PathBuf, room: Data<Room>) -> Self {
        let server = Arc::new(Mutex::new(None));
        let mut keeper = Keeper { place, data_dir, room, shows: None, server: Arc::clone(&server), told: None };
        let open = Arc::new(Mutex::new(keeper.look(None, now())));
        let standing = Arc::clone(&open);
        let keeping = tokio::spawn(async move {
            loop {
                let is_open = matches!(*lock(&standing), Standing::Open { .. });
                tokio::time::sleep(if is_open { LOOK_EVERY } else { AGAIN }).await;
                let before = lock(&standing).clone();
                let stands = keeper.look(Some(before), now());
                *lock(&standing) = stands;
            }
        });
        Self { open, server, keeping }
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        lock(&self.open).clone()
    }

    /// Closes it, and waits for nothing.
    pub fn close_now(&self) {
        self.keeping.abort();
        if let Some(server) = lock(&self.server).take() {
            // The order is given by the call.
            drop(server.stop(false));
        }
    }

    /// Finishes what is asked, takes nothing new.
    pub async fn close(&self) {
        self.keeping.abort();
        let server = lock(&self.server).take();
        if let Some(server) = server {
            server.stop(true).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the door, and keeps its certificate good.
struct Keeper {
    place: Place,
    data_dir: PathBuf,
    room: Data<Room>,
    /// Once it is open: what it shows, and the port.
    shows: Option<(Arc<Shows>, u16)>,
    server: Arc<Mutex<Option<ServerHandle>>>,
    /// What the log was told of last.
    told: Option<String>,
}

impl Keeper {
    /// `before`: how it stood. A door that is open goes on with the certificate that it has.
    fn look(&mut self, before: Option<Standing>, now: Millis) -> Standing {
        match self.open(now) {
            Ok((Shown { fingerprint, validity, .. }, port)) => {
                self.told = None;
                let authority = self.place.host.with_port(port);
                Standing::Open { authority, fingerprint, certificate_expires_at: validity.not_after }
            }
            Err(error) => {
                let why = format!("failed to {error}");
                // It is tried again and again.
                let is_news = self.told.as_ref() != Some(&why);
                self.told = Some(why.clone());
                match before {
                    Some(open @ Standing::Open { .. }) if !matches!(error, OpenError::Listen { .. }) => {
                        if is_news {
                            tracing::warn!(why, "the door in the network keeps its certificate");
                        }
                        open
                    }
                    _ => {
                        if is_news {
                            tracing::warn!(why, "the door in the network is shut");
                        }
                        Standing::Shut { why }
                    }
                }
            }
        }
    }

    fn open(&mut self, now: Millis) -> Result<(Shown, u16), OpenError> {
        let shown = certificate::keep(&self.data_dir, &self.place.host, self.room.paired.known(), now)?;
        let certified = Arc::new(shown.certified().map_err(OpenError::Key)?);
        let address = self.place.listen;
        let listen = |source| OpenError::Listen { address, source };
        if let Some((shows, port)) = &self.shows {
            shows.set(certified);
            // An address that went (DHCP) takes nobody in until it is back, whatever the listener says.
            TcpListener::bind((address.ip(), 0)).map_err(listen)?;
            return Ok((shown, *port));
        }
        let listener = TcpListener::bind(address).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let shows = Arc::new(Shows(RwLock::new(certified)));
        let server = self.serve(listener, port, Arc::clone(&shows)).map_err(|error| match error {
            ServeError::Tls(error) => OpenError::Tls(error),
            ServeError::Listen(source) => listen(source),
        })?;
        *lock(&self.server) = Some(server);
        self.shows = Some((shows, port));
        tracing::info!(%address, port, fingerprint = shown.fingerprint, "the door in the network is open");
        Ok((shown, port))
    }

    fn serve(&self, listener: TcpListener, port: u16, shows: Arc<Shows>) -> Result<ServerHandle, ServeError> {
        let gate = Data::new(Gate {
            paired: Arc::clone(&self.room.paired),
            crowd: Crowd::default(),
            authority: self.place.host.with_port(port),
        });
        let (room, seats) = (Data::clone(&self.room), Seats::default());
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shows);
        let service = move || {
            let app = App::new()
                .app_data(Data::clone(&room))
                .app_data(Data::clone(&gate))
                .app_data(web::QueryConfig::default().error_handler(|_, _| Refused::Limit.into()))
                .wrap(from_fn(guard::guard))
                .service(api())
                .default_service(web::to(guard::page));
            let https = HttpService::build()
                .client_request_timeout(REQUEST_HEAD_MAX)
                .client_disconnect_timeout(DISCONNECT_MAX)
                .finish(map_config(app, |_| AppConfig::default()))
                .rustls_0_23_with_config(tls.clone(), TlsAcceptorConfig::default().handshake_timeout(HANDSHAKE_MAX));
            let seats = seats.clone();
            // Of an address that has too many, nothing is read, and no TLS begins.
            apply_fn_factory(https, move |stream: TcpStream, https| {
                let seat = stream.peer_addr().ok().and_then(|address| seats.take(address.ip()));
                let served = seat.map(|seat| (seat, https.call(stream)));
                async move {
                    match served {
                        Some((_seat, serving)) => serving.await,
                        None => Ok(()),
                    }
                }
            })
        };
        let server = Server::build()
            .workers(1)
            .max_concurrent_connections(CONNECTIONS_MAX)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals()
            .listen("the door in the network", listener, service)?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(handle)
    }
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Listen(#[from] io::Error),
}

/// What a device reaches: a cashier's work, and being paired.
fn api() -> actix_web::Scope {
    let of_this_machine = [
        "/peripherals",
        "/peripherals/search",
        "/peripherals/settings",
        "/peripherals/{kind}/restart",
        "/paired",
        "/paired/{rest:.*}",
    ];
    let scope = cashiers(web::scope("/api"))
        .service(web::resource("/pair").route(web::post().to(paired::redeem)).default_service(web::to(not_allowed)));
    of_this_machine
        .into_iter()
        .fold(scope, |scope, path| scope.service(web::resource(path).default_service(web::to(loopback_only))))
        .default_service(web::to(nothing_here))
}

/// The certificate that is shown from now on.
#[derive(Debug)]
struct Shows(RwLock<Arc<CertifiedKey>>);

impl Shows {
    fn set(&self, certified: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
    }
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
