//! The stage door (`STAGE.md`): plain HTTP on a port of its own, so that the scheme's wire stays as published.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    web,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Act, Fault, Stage,
    dispute::{self, DisputeNews, DisputeSeen},
};

/// A simulator shares its machine with everything it is simulated for.
const WORKERS: usize = 1;
const SHUTDOWN_SECONDS: u64 = 1;
/// The longest request that a far side takes.
const BODY_LEN_MAX: usize = 1 << 20;

/// What a scheme shows of itself at the stage door.
pub trait FarSide: Send + Sync + 'static {
    fn stage(&self) -> &Stage;

    /// How a channel reaches it. `base_url`: where its wire listens.
    fn script(&self, base_url: &str) -> Script;

    /// Whether it plays the fault at this kind of request; asked for those that its script lists. An answer without an amount, for
    /// example, cannot say a wrong one.
    fn plays(&self, _act: Act, _fault: Fault) -> bool {
        true
    }

    fn order(&self, number: &str) -> Option<OrderSeen>;

    /// How often customers' money was taken, for whichever orders.
    fn taken(&self) -> u32;

    /// The batches that are over, oldest first; none where the scheme has none.
    fn batches(&self) -> Vec<BatchSeen> {
        Vec::new()
    }

    /// The customer pays what waits for them; a refund that is worked on is paid out.
    ///
    /// # Errors
    /// If nothing of that number waits.
    fn pay(&self, number: &str) -> Result<(), Unplayable>;

    /// The customer, or their bank, says no for good.
    ///
    /// # Errors
    /// If nothing of that number waits.
    fn decline(&self, number: &str) -> Result<(), Unplayable>;

    /// The notification about an order, or about one of its refunds, as the scheme would send it now.
    ///
    /// # Errors
    /// If there is nothing to tell, or the scheme does not play the fault.
    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable>;

    /// The scheme takes a step in a dispute about a paid order.
    ///
    /// # Errors
    /// If the scheme has no such step, or not now.
    fn dispute(&self, _number: &str, _news: DisputeNews) -> Result<(), Unplayable> {
        Err(no_disputes())
    }

    /// The dispute about the order in the scheme's books.
    fn disputed(&self, _number: &str) -> Option<DisputeSeen> {
        None
    }

    /// The notification about a dispute's last step, as the scheme would send it now.
    ///
    /// # Errors
    /// If there is none, or the scheme does not play the fault.
    fn dispute_notification(&self, _number: &str, _fault: Option<Fault>) -> Result<Notification, Unplayable> {
        Err(no_disputes())
    }
}

fn no_disputes() -> Unplayable {
    Unplayable("the scheme tells of no disputes".to_owned())
}

/// What a channel's account needs to reach a far side, and what that can play.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    /// The account's settings.
    pub settings: Value,
    /// The account's secrets by name, made for tests.
    pub secrets: Value,
    /// A code as a customer of the scheme would show it; none if customers show none.
    pub code: Option<String>,
    /// A card of a customer's, as `STAGE.md` says it; none if the scheme takes no cards.
    pub card: Option<Value>,
    /// Settings, each of which no schema refuses and no channel can use.
    pub unusable: Value,
    /// What can go wrong here, beside the plain thing.
    pub faults: Vec<Fault>,
}

/// An order in the scheme's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSeen {
    pub number: String,
    pub amount_minor: i64,
    pub currency: String,
    /// The scheme's own word for how it stands.
    pub state: String,
    /// How often the customer's money was taken: 0 or 1, or the scheme is broken.
    pub times_taken: u32,
    /// What was given back, by refunds or by undoing it.
    pub given_back_minor: i64,
    /// What a customer scans to pay it, or the part of it that leads here; none if there is no such code.
    pub code: Option<String>,
    /// What it is for, as the scheme has it; none if it keeps no such text.
    pub subject: Option<String>,
}

/// A batch that is over in the scheme's books, as the scheme counted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSeen {
    /// The scheme's own number.
    pub number: String,
    /// Whether the merchant's totals were the same.
    pub balanced: bool,
    pub debit_count: u32,
    pub debit_minor: i64,
    pub credit_count: u32,
    pub credit_minor: i64,
    /// Rows that the merchant sent.
    pub uploaded: u32,
    /// Of the scheme's rows, those that were not among them.
    pub missing: u32,
}

/// A notification as it arrives at the merchant's door.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body_base64: String,
}

/// What the far side cannot do, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplayable(pub String);

/// A far side at play.
pub struct Running {
    pub address: SocketAddr,
    pub base_url: String,
    /// Where the stage door is, `http://127.0.0.1:PORT`.
    pub door: String,
    servers: Vec<ServerHandle>,
}

impl Running {
    /// What `saoma-schemes` prints when it is ready.
    #[must_use]
    pub fn ready_line(&self) -> Value {
        json!({ "listening": self.base_url, "door": self.door })
    }

    /// One more server that ends with it.
    #[must_use]
    pub fn with(mut self, server: ServerHandle) -> Self {
        self.servers.push(server);
        self
    }

    pub async fn stop(self) {
        for server in self.servers {
            server.stop(false).await;
        }
    }
}

/// Starts the wire at `listen` (over TLS if `tls` says so) and the stage door on a free port beside it; must be called on a
/// tokio runtime. `wire` sets up the scheme's own routes, which get the far side as `web::Data<F>`.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start<F: FarSide>(
    far_side: &Arc<F>,
    listen: SocketAddr,
    tls: Option<rustls::ServerConfig>,
    wire: fn(&mut web::ServiceConfig),
) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base_url = format!("{scheme}://{address}");
    let shared = web::Data::from(far_side.clone());
    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).app_data(web::PayloadConfig::new(BODY_LEN_MAX)).configure(wire)
    })
    .workers(WORKERS)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    }
    .run();
    let (door, stage_door) = open_door(far_side, address, &base_url)?;
    Ok(Running { address, base_url, door, servers: vec![spawn(server, "far side"), stage_door] })
}

/// Opens the stage door alone, on a free port beside `address`, for a far side that serves its wire itself.
///
/// # Errors
/// If there is no free port.
pub fn open_door<F: FarSide>(
    far_side: &Arc<F>,
    address: SocketAddr,
    base_url: &str,
) -> anyhow::Result<(String, ServerHandle)> {
    let listener = TcpListener::bind((address.ip(), 0)).context("cannot open the stage door")?;
    let door = format!("http://{}", listener.local_addr()?);
    let (shared, at) = (web::Data::from(far_side.clone()), web::Data::new(base_url.to_owned()));
    let server =
        HttpServer::new(move || App::new().app_data(shared.clone()).app_data(at.clone()).configure(routes::<F>))
            .workers(WORKERS)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals()
            .listen(listener)?
            .run();
    Ok((door, spawn(server, "stage door")))
}

/// Lets a server run beside what goes on; what stops it.
pub(crate) fn spawn(server: Server, what: &'static str) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, what, "a server ended");
        }
    });
    handle
}

fn routes<F: FarSide>(to: &mut web::ServiceConfig) {
    to.route("/script", web::get().to(script::<F>))
        .route("/next", web::post().to(next::<F>))
        .route("/clock", web::put().to(clock::<F>))
        .route("/heard", web::get().to(heard::<F>))
        .route("/heard", web::delete().to(forget::<F>))
        .route("/notification", web::post().to(notification::<F>))
        .route("/batches", web::get().to(batches::<F>))
        .route("/taken", web::get().to(taken::<F>))
        .route("/orders/{number}", web::get().to(order::<F>))
        .route("/orders/{number}/pay", web::post().to(pay::<F>))
        .route("/orders/{number}/decline", web::post().to(decline::<F>))
        .configure(dispute::routes::<F>);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    act: Act,
    fault: Fault,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    ahead_ms: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    number: String,
    refund_number: Option<String>,
    fault: Option<Fault>,
}

async fn script<F: FarSide>(far_side: web::Data<F>, base_url: web::Data<String>) -> HttpResponse {
    HttpResponse::Ok().json(far_side.script(&base_url))
}

async fn next<F: FarSide>(far_side: web::Data<F>, next: web::Json<Next>, base_url: web::Data<String>) -> HttpResponse {
    let is_listed = far_side.script(&base_url).faults.contains(&next.fault);
    if !is_listed || !far_side.plays(next.act, next.fault) {
        return refused(&Unplayable(format!("this scheme does not play {:?} at {:?}", next.fault, next.act)));
    }
    far_side.stage().arm(next.act, next.fault);
    HttpResponse::NoContent().finish()
}

async fn clock<F: FarSide>(far_side: web::Data<F>, clock: web::Json<Clock>) -> HttpResponse {
    far_side.stage().set_clock(clock.ahead_ms);
    HttpResponse::NoContent().finish()
}

async fn heard<F: FarSide>(far_side: web::Data<F>) -> HttpResponse {
    HttpResponse::Ok().json(far_side.stage().heard())
}

async fn forget<F: FarSide>(far_side: web::Data<F>) -> HttpResponse {
    far_side.stage().forget_heard();
    HttpResponse::NoContent().finish()
}

async fn notification<F: FarSide>(far_side: web::Data<F>, about: web::Json<About>) -> HttpResponse {
    match far_side.notification(&about.number, about.refund_number.as_deref(), about.fault) {
        Ok(message) => HttpResponse::Ok().json(message),
        Err(why) => refused(&why),
    }
}

async fn batches<F: FarSide>(far_side: web::Data<F>) -> HttpResponse {
    HttpResponse::Ok().json(far_side.batches())
}

async fn taken<F: FarSide>(far_side: web::Data<F>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "times": far_side.taken() }))
}

async fn order<F: FarSide>(far_side: web::Data<F>, number: web::Path<String>) -> HttpResponse {
    match far_side.order(&number) {
        Some(order) => HttpResponse::Ok().json(order),
        None => HttpResponse::NotFound().json(json!({ "why": format!("there is no order {number}") })),
    }
}

async fn pay<F: FarSide>(far_side: web::Data<F>, number: web::Path<String>) -> HttpResponse {
    played(far_side.pay(&number))
}

async fn decline<F: FarSide>(far_side: web::Data<F>, number: web::Path<String>) -> HttpResponse {
    played(far_side.decline(&number))
}

pub(super) fn played(done: Result<(), Unplayable>) -> HttpResponse {
    match done {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(why) => refused(&why),
    }
}

pub(super) fn refused(why: &Unplayable) -> HttpResponse {
    HttpResponse::Conflict().json(json!({ "why": why.0 }))
}
