//! The till's door: the local API of `TILL-API.md` and the pages, on the loopback address, and in the network for paired devices.
//!
//! It checks who asks and in what form, and hands every question to the owner of the state ([`crate::app`]); it decides nothing
//! about sales. A page that goes away leaves nothing half-done: what was asked goes on.

pub mod basket;
pub mod command;
mod door;
mod events;
pub mod held;
pub mod lan;
mod pages;
mod paired;
pub mod peripherals;
pub mod printed;
pub mod problem;
pub mod quote;
pub mod received;
mod sales;
pub mod shift;
pub mod split;
mod state;
mod training;
pub mod view;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use actix_web::{
    App, HttpServer, Resource, Scope,
    dev::ServerHandle,
    middleware::from_fn,
    web::{self, Data},
};

use crate::{
    config::source::Source,
    counter::LastReceipt,
    journal::Journal,
    link::https::Core,
    paired::{Place, keeper::Paired},
    peripherals::connected::Connected,
};
use command::Commands;
use lan::Lan;
use problem::Refused;

/// Connections at once: a till has two screens and a person who looks.
const CONNECTIONS_MAX: usize = 64;
/// How long open requests may take when the agent stops.
pub const SHUTDOWN_SECONDS: u64 = 2;
/// How long a client may take for the head of a request.
const REQUEST_HEAD_MAX: Duration = Duration::from_secs(5);

/// What the handlers work with.
pub struct Room {
    pub commands: Commands,
    pub journal: Journal,
    pub core: Core,
    pub last_receipt: LastReceipt,
    pub source: Arc<Source>,
    /// Devices that were found by asking around.
    pub found: Mutex<Vec<Connected>>,
    /// The port that `Host` and `Origin` must name: the door's own, once it is open.
    pub port: u16,
    /// The devices in the network, whether or not there is a door for them.
    pub paired: Arc<Paired>,
    /// The door in the network, if there is to be one.
    pub lan: OnceLock<Lan>,
}

/// The open door. Dropping it closes it at once.
pub struct Till {
    address: SocketAddr,
    server: ServerHandle,
    room: Data<Room>,
}

impl Till {
    /// Listens and answers from now on. Port 0 takes any that is free.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn open(address: SocketAddr, room: Room) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let room = Data::new(Room { port: address.port(), ..room });
        let kept = Data::clone(&room);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::clone(&room))
                .app_data(web::QueryConfig::default().error_handler(|_, _| Refused::Limit.into()))
                .wrap(from_fn(door::guard))
                .service(api())
                .default_service(web::to(pages::page))
        })
        // One thread serves a shop; the state has one owner anyway.
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .client_request_timeout(REQUEST_HEAD_MAX)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        // The agent decides when it stops.
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, server: handle, room: kept })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the door in the network too.
    pub fn open_in_network(&self, place: Place, data_dir: PathBuf) {
        let lan = Lan::start(place, data_dir, Data::clone(&self.room));
        // It is opened once.
        drop(self.room.lan.set(lan));
    }

    /// Finishes what is asked, takes nothing new.
    pub async fn close(&self) {
        let lan = async {
            if let Some(lan) = self.room.lan.get() {
                lan.close().await;
            }
        };
        tokio::join!(lan, self.server.stop(true));
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        if let Some(lan) = self.room.lan.get() {
            lan.close_now();
        }
        // The order is given by the call; nobody waits for it here.
        drop(self.server.stop(false));
    }
}

fn api() -> Scope {
    cashiers(web::scope("/api"))
        .service(only("/peripherals").route(web::get().to(peripherals::list)))
        .service(only("/peripherals/search").route(web::post().to(peripherals::search)))
        .service(only("/peripherals/settings").route(web::post().to(peripherals::set)))
        .service(only("/peripherals/{kind}/restart").route(web::post().to(peripherals::restart)))
        .service(only("/paired").route(web::get().to(paired::show)))
        .service(only("/paired/code").route(web::post().to(paired::offer)))
        .service(only("/paired/code/cancel").route(web::post().to(paired::withdraw)))
        .service(only("/paired/{id}/revoke").route(web::post().to(paired::revoke)))
        .default_service(web::to(nothing_here))
}

fn only(path: &str) -> Resource {
    web::resource(path).default_service(web::to(not_allowed))
}

/// A cashier's work. All else is done at the till itself.
fn cashiers(scope: Scope) -> Scope {
    scope
        .service(only("/sales").route(web::post().to(sales::sell)).route(web::get().to(sales::list)))
        .service(only("/quotes").route(web::post().to(quote::ask)))
        .service(only("/sales/{payment}").route(web::get().to(sales::one)))
        .service(only("/sales/{payment}/query").route(web::post().to(sales::query)))
        .service(only("/sales/{payment}/cancel").route(web::post().to(sales::cancel)))
        .service(only("/sales/{payment}/void").route(web::post().to(sales::void)))
        .service(only("/sales/{payment}/refund").route(web::post().to(sales::refund)))
        .service(only("/sales/{payment}/reprint").route(web::post().to(sales::reprint)))
        .service(only("/sales/{payment}/acknowledge").route(web::post().to(sales::acknowledge)))
        .service(only("/sales/{payment}/confirm").route(web::post().to(sales::confirm)))
        .service(only("/held").route(web::get().to(held::list)).route(web::post().to(held::hold)))
        .service(only("/basket").route(web::get().to(basket::show)).route(web::post().to(basket::press)))
        .service(only("/held/{number}/drop").route(web::post().to(held::drop)))
        .service(only("/training/enter").route(web::post().to(training::enter)))
        .service(only("/training/leave").route(web::post().to(training::leave)))
        .service(only("/training/sales").route(web::post().to(training::sell)).route(web::get().to(training::list)))
        .service(only("/training/sales/{number}/{press}").route(web::post().to(training::press)))
        .service(only("/scan").route(web::post().to(sales::scan)))
        .service(only("/scan/cancel").route(web::post().to(sales::stop_scan)))
        .service(only("/card/cancel").route(web::post().to(sales::stop_card)))
        .service(only("/splits/{number}").route(web::get().to(split::one)))
        .service(only("/splits/{number}/give-back").route(web::post().to(split::give_back)))
        .service(only("/splits/{number}/reprint").route(web::post().to(split::reprint)))
        .service(only("/shift").route(web::get().to(shift::show)))
        .service(only("/shift/open").route(web::post().to(shift::open)))
        .service(only("/shift/paid-in").route(web::post().to(shift::paid_in)))
        .service(only("/shift/paid-out").route(web::post().to(shift::paid_out)))
        .service(only("/shift/close").route(web::post().to(shift::close)))
        .service(only("/shift/reprint").route(web::post().to(shift::reprint)))
        .service(only("/state").route(web::get().to(state::state)))
        .service(only("/books").route(web::get().to(state::books)))
        .service(only("/display").route(web::get().to(state::display)))
        .service(only("/display/code.svg").route(web::get().to(state::code)))
        .service(only("/receipts/last.png").route(web::get().to(state::receipt_picture)))
        .service(only("/receipts/last.txt").route(web::get().to(state::receipt_text)))
        .service(only("/peripherals/{kind}/self-test").route(web::post().to(state::self_test)))
        .service(only("/scale").route(web::get().to(state::weigh)))
        .service(only("/drawer/open").route(web::post().to(state::open_drawer)))
        .service(only("/sync-now").route(web::post().to(state::sync_now)))
        .service(only("/events").route(web::get().to(events::events)))
}

async fn loopback_only() -> Result<&'static str, Refused> {
    Err(Refused::LoopbackOnly)
}

async fn not_allowed() -> Result<&'static str, Refused> {
    Err(Refused::MethodNotAllowed)
}

async fn nothing_here() -> Result<&'static str, Refused> {
    Err(Refused::NotFound)
}
