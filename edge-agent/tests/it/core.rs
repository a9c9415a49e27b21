//! A core that keeps the protocol: payments that people settle by hand, a journal that checks its chain, pushes until they
//! are acknowledged. It can be switched off and on again, with everything that it knows.

mod books;
mod catalogue;
mod enrolling;
mod offline;
mod phone;
pub mod quotes;
mod signed;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::{BoxBody, MessageBody},
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, Json, Path},
};
use saoma_protocol::{
    Amount, Currency, GoodsId, Millis, OrderId, PaymentId, RefundId, Sequence, StoreId,
    api::{
        CatalogueGoods, CatalogueRate, CreatePayment, CreateRefund, Failure, OfflineList, Page, PaymentState,
        PaymentView, Presentation, PresentedCard, Problem, Pushes, RefundKind, RefundState, RefundView,
        TerminalProfile,
    },
    cashier::CashierList,
    journal::{Entry, GENESIS, Record},
    message::{Health, JournalAck, JournalBatch, JournalVerdict, Push, PushAck, PushBody, Verdict},
};

pub use self::offline::clock;
use self::quotes::{Quotes, Says};
use crate::secured::Authority;

/// The customer's code that core knows as good; any other is declined.
pub const GOOD_CODE: &str = "281234567890";
/// The amount for which it declines any card.
const DECLINED_CARD_MINOR: i64 = 1_301;

#[derive(Default)]
pub struct Known {
    pub payments: BTreeMap<PaymentId, PaymentView>,
    pub refunds: BTreeMap<RefundId, RefundView>,
    /// `Idempotency-Key` of every request to create a payment, in order.
    pub created: Vec<String>,
    /// Each card that was presented, in order.
    pub cards: Vec<PresentedCard>,
    /// Records of the journal, each taken once.
    pub journal: Vec<Record>,
    pub entries: Vec<Entry>,
    /// By which certificate each of them was signed.
    pub signed_by: Vec<String>,
    /// What the terminal said of itself over HTTPS, in order.
    pub health: Vec<Health>,
    /// Batches with entries that came over HTTPS.
    pub batches: usize,
    pushes: Vec<Push>,
    pushed: u64,
    pub acknowledged: Vec<Sequence>,
    /// It hears what terminals acknowledge, and forgets it.
    pub loses_acks: bool,
    /// Requests to create a payment, and refunds, are taken in and not answered before this ends.
    pub silent: bool,
    /// The channel takes its time over refunds.
    pub refunds_pend: bool,
    /// The channel declines every void, which is told of as reserved before.
    pub voids_fail: bool,
    /// It is of a version before there were discounts and taxes.
    pub knows_no_baskets: bool,
    pub cashiers: CashierList,
    /// Changes of the catalogue: what is sold from then on, or is not any more. The nth made the version n.
    catalogue: Vec<(CatalogueGoods, bool)>,
    tax_rates: Vec<CatalogueRate>,
    /// The versions since which a terminal asked for changes.
    pub goods_asked: Vec<u64>,
    pub weighed: Vec<GoodsId>,
    /// What terminals are told of offline codes, at the moment that they ask; none as a core of before.
    pub offline: Option<OfflineList>,
    /// How far core's clock is ahead of everybody's, in milliseconds.
    pub ahead_ms: i64,
    pub offline_asked: usize,
    /// Numbers that a terminal has called off before there was a payment of them.
    pub called_off: BTreeSet<PaymentId>,
    /// Something else answers in its place, but for the question whether it is there, which gets no answer before this ends.
    pub is_hidden: bool,
    /// It does not let this terminal in any more.
    pub locked: bool,
    /// Its database is of a day before it gave this terminal the certificate.
    pub is_of_before: bool,
    /// It takes this terminal for one that may do nothing, and how often it has said so.
    pub forbids: bool,
    pub forbidden: usize,
    pub quotes: Quotes,
}

pub struct FakeCore {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
    server: Option<ServerHandle>,
    /// With one, everything goes over TLS.
    authority: Option<Arc<Authority>>,
    broker: Arc<AtomicU16>,
}

type Shared = Data<Mutex<Known>>;
type Secured = Data<(Option<Arc<Authority>>, Arc<AtomicU16>)>;

/// A listener on an address that nobody else takes while it is closed for a while: below the ports that the system gives to
/// outgoing connections, and each process asks for its own.
pub fn listener_kept_for_us() -> TcpListener {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (std::process::id() * 211 + step) % 20_000;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap())) {
            return listener;
        }
    }
}

impl FakeCore {
    pub fn open() -> Self {
        Self::open_by(None)
    }

    pub fn open_secured(authority: Authority) -> Self {
        Self::open_by(Some(Arc::new(authority)))
    }

    fn open_by(authority: Option<Arc<Authority>>) -> Self {
        let listener = listener_kept_for_us();
        let address = listener.local_addr().unwrap();
        let mut core = Self { address, known: Arc::default(), server: None, authority, broker: Arc::default() };
        core.serve(listener);
        core
    }

    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_secured() { "https" } else { "http" }, self.address)
    }

    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    pub const fn is_secured(&self) -> bool {
        self.authority.is_some()
    }

    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(self.authority.as_ref().unwrap())
    }

    /// Where terminals that enrol find the broker.
    pub fn set_broker(&self, port: u16) {
        self.broker.store(port, Ordering::SeqCst);
    }

    /// What core knows.
    pub fn look<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap())
    }

    pub fn known(&self) -> Arc<Mutex<Known>> {
        Arc::clone(&self.known)
    }

    pub async fn switch_off(&mut self) {
        self.server.take().unwrap().stop(false).await;
    }

    pub fn switch_on(&mut self) {
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn serve(&mut self, listener: TcpListener) {
        let known: Shared = Data::from(Arc::clone(&self.known));
        let secured = Data::new((self.authority.clone(), Arc::clone(&self.broker)));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::clone(&known))
                .app_data(Data::clone(&secured))
                .wrap(from_fn(lets_in))
                .route("/v1/terminal/enrol", web::post().to(enrolling::enrol))
                .route("/v1/terminal/renew", web::post().to(enrolling::renew))
                .route("/v1/payments", web::post().to(create))
                .route("/v1/quotes", web::post().to(quotes::quote))
                .route("/v1/payments/{id}", web::get().to(fetch))
                .route("/v1/payments/{id}/query", web::post().to(fetch))
                .route("/v1/payments/{id}/cancel", web::post().to(cancel))
                .route("/v1/payments/{id}/void", web::post().to(void))
                .route("/v1/payments/{id}/refunds", web::post().to(refund))
                .route("/v1/payments/{id}/refunds", web::get().to(refunds))
                .route("/v1/terminal/journal", web::post().to(journal))
                .route("/v1/terminal/health", web::put().to(health))
                .route("/v1/terminal/pushes", web::get().to(pushes))
                .route("/v1/terminal/pushes/ack", web::post().to(acknowledge))
                .route("/v1/terminal/profile", web::get().to(profile))
                .route("/v1/terminal/cashiers", web::get().to(cashiers))
                .route("/v1/terminal/books", web::get().to(books::books))
                .route("/v1/terminal/goods", web::get().to(catalogue::changes))
                .route("/v1/terminal/offline-list", web::get().to(offline::list))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0);
        let server = match &self.authority {
            None => server.listen(listener),
            Some(authority) => server.listen_rustls_0_23(listener, authority.door(&authority.https)),
        };
        let server = server.unwrap().run();
        self.server = Some(server.handle());
        tokio::spawn(server);
    }

    /// The channel gives back what pended.
    pub fn refunds_end(&self) {
        self.look(|known| {
            for refund in known.refunds.values_mut() {
                refund.state = RefundState::Succeeded;
                refund.version += 1;
            }
        });
    }

    /// The channel gives back nothing of what pended on that sale.
    pub fn refunds_fail(&self, payment: PaymentId) {
        self.look(|known| {
            let pended = known.refunds.values_mut().filter(|refund| refund.payment == payment);
            for refund in pended {
                refund.state = RefundState::Failed;
                refund.version += 1;
            }
            known.change(payment, |view| (view.state, view.refunded_minor) = (PaymentState::Succeeded, 0));
        });
    }

    /// Somebody at the merchant's office gives back a part of the sale.
    pub fn office_gives_back(&self, payment: PaymentId, minor: i64) {
        self.look(|known| {
            let amount = Amount::new(minor, Currency::CNY).unwrap();
            let sale = known.change(payment, |view| {
                view.refunded_minor += minor;
                view.state = PaymentState::PartlyRefunded;
            });
            let refund = known.give_back(RefundId::from_bytes([0x0f; 16]), payment, RefundKind::Refund, amount);
            known.pushed += 1;
            let body = PushBody::Refund { refund, payment: sale };
            known.pushes.push(Push { id: Sequence(known.pushed), at: Millis(0), body });
        });
    }

    /// The office says what is sold from now on (or is not any more), and core that something is new.
    pub fn office_sells(&self, rates: &[CatalogueRate], changes: impl IntoIterator<Item = (CatalogueGoods, bool)>) {
        self.look(|known| {
            known.tax_rates = rates.to_vec();
            known.catalogue.extend(changes);
            known.pushed += 1;
            known.pushes.push(Push { id: Sequence(known.pushed), at: Millis(0), body: PushBody::GoodsChanged });
        });
    }

    /// The customer pays what is on show.
    pub fn customer_pays(&self, payment: PaymentId) {
        self.look(|known| {
            known.change(payment, |view| view.state = PaymentState::Succeeded);
            known.push(payment);
        });
    }
}

impl Known {
    fn change(&mut self, payment: PaymentId, change: impl FnOnce(&mut PaymentView)) -> PaymentView {
        let view = self.payments.get_mut(&payment).unwrap();
        change(view);
        view.version += 1;
        if view.state != PaymentState::Presenting {
            view.code_url = None;
        }
        view.clone()
    }

    fn push(&mut self, payment: PaymentId) {
        self.tell(PushBody::Payment { payment: self.payments[&payment].clone() });
    }

    /// Its number, by which it is acknowledged.
    pub fn tell(&mut self, body: PushBody) -> Sequence {
        self.tell_late(0, body)
    }

    /// The same, of something that has waited for so long to be heard of.
    pub fn tell_late(&mut self, ago_ms: i64, body: PushBody) -> Sequence {
        self.pushed += 1;
        let id = Sequence(self.pushed);
        self.pushes.push(Push { id, at: offline::clock(self.ahead_ms - ago_ms), body });
        id
    }

    fn give_back(&mut self, id: RefundId, payment: PaymentId, kind: RefundKind, amount: Amount) -> RefundView {
        let view = RefundView {
            id,
            payment,
            version: 1,
            kind,
            state: if self.refunds_pend { RefundState::Pending } else { RefundState::Succeeded },
            amount,
            reason: None,
            channel_reference: None,
            failure: None,
            needs_attention: None,
            created_at: Millis(1),
            updated_at: Millis(1),
        };
        self.refunds.insert(id, view.clone());
        view
    }

    pub fn take_batch(&mut self, batch: &JournalBatch) -> JournalAck {
        let mut verdicts = Vec::new();
        for entry in &batch.entries {
            if let Err(why) = self.take(entry, &batch.certificates) {
                let newer = entry.record().is_ok_and(|record| self.is_unknown(&record));
                verdicts.push(JournalVerdict { sequence: entry.sequence, verdict: Verdict::Rejected, why, newer });
                break;
            }
            verdicts.extend(self.offline_verdict(entry));
        }
        JournalAck { through: Sequence(self.entries.len() as u64), verdicts }
    }

    /// In core's own words (`core/server/src/http/auth.rs`), before all else of a request.
    fn refusal(&mut self) -> Option<HttpResponse> {
        if self.locked {
            return Some(problem(401, "terminal_shut_out"));
        }
        if self.is_of_before {
            return Some(problem(401, "unauthenticated"));
        }
        self.forbidden += usize::from(self.forbids);
        self.forbids.then(|| problem(403, "forbidden"))
    }

    fn is_unknown(&self, record: &Record) -> bool {
        self.knows_no_baskets && record.version() > 2
    }

    pub fn take_ack(&mut self, ack: &PushAck) {
        self.pushes.retain(|push| self.loses_acks || !ack.ids.contains(&push.id));
        self.acknowledged.extend(&ack.ids);
    }

    /// What is not acknowledged about a payment, oldest first.
    pub fn pushes_about(&self, payment: PaymentId) -> Vec<Push> {
        let about = |push: &&Push| matches!(&push.body, PushBody::Payment { payment: view } if view.id == payment);
        self.pushes.iter().filter(about).cloned().collect()
    }

    fn take(&mut self, entry: &Entry, certificates: &[String]) -> Result<(), String> {
        let through = self.entries.len() as u64;
        if let Some(held) = usize::try_from(entry.sequence.0 - 1).ok().and_then(|idx| self.entries.get(idx)) {
            let same = held.hash() == entry.hash();
            return if same { Ok(()) } else { Err("core has another entry under this number".to_owned()) };
        }
        if entry.sequence.0 != through + 1 {
            return Err("a gap".to_owned());
        }
        let prev_hash = self.entries.last().map_or(GENESIS, Entry::hash);
        let record = entry.checked(prev_hash).map_err(|error| error.to_string())?;
        if self.is_unknown(&record) {
            return Err("update core".to_owned());
        }
        self.signed_by.push(signed::by(entry, certificates)?);
        self.entries.push(entry.clone());
        self.journal.push(record);
        Ok(())
    }
}

fn key(request: &HttpRequest) -> String {
    request.headers().get("idempotency-key").unwrap().to_str().unwrap().to_owned()
}

fn problem(status: u16, code: &str) -> HttpResponse {
    HttpResponse::build(status.try_into().unwrap()).content_type("application/problem+json").json(Problem {
        kind: format!("https://saoma.dev/problems/{code}"),
        title: code.to_owned(),
        status,
        code: code.to_owned(),
        detail: format!("core says {code}"),
        pointer: None,
        errors: Vec::new(),
        trace_id: None,
    })
}

async fn lets_in(
    known: Shared,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let refusal = known.lock().unwrap().refusal();
    if let Some(refusal) = refusal {
        return Ok(request.into_response(refusal));
    }
    if known.lock().unwrap().is_hidden && request.path() != "/v1/terminal/profile" {
        return Ok(request.into_response(HttpResponse::BadGateway().body("<html>a proxy's page</html>")));
    }
    while known.lock().unwrap().is_hidden {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn create(known: Shared, request: HttpRequest, body: Json<CreatePayment>) -> HttpResponse {
    let key = key(&request);
    let payment: PaymentId = key.parse().unwrap();
    let view = {
        let mut known = known.lock().unwrap();
        known.created.push(key);
        known.quotes.sold.push(body.quote.clone());
        if let Presentation::Card { card } = &body.presentation {
            known.cards.push(card.clone());
        }
        known.payments.entry(payment).or_insert_with(|| new_payment(payment, &body)).clone()
    };
    offline::silence(&known).await;
    HttpResponse::Created().json(view)
}

fn new_payment(id: PaymentId, body: &CreatePayment) -> PaymentView {
    let (state, method, failure) = match &body.presentation {
        Presentation::Merchant { .. } => (PaymentState::Presenting, "merchant_presented", None),
        Presentation::Customer { code } if code == GOOD_CODE => (PaymentState::Succeeded, "customer_presented", None),
        Presentation::Customer { .. } => {
            let failure = Failure { code: "declined".to_owned(), message: "the wallet declines".to_owned() };
            (PaymentState::Failed, "customer_presented", Some(failure))
        }
        Presentation::Card { .. } if body.amount.minor() == DECLINED_CARD_MINOR => {
            let failure = Failure { code: "declined".to_owned(), message: "the issuer declines".to_owned() };
            (PaymentState::Failed, "card", Some(failure))
        }
        Presentation::Card { .. } => (PaymentState::Succeeded, "card", None),
    };
    let presenting = state == PaymentState::Presenting;
    PaymentView {
        id,
        order: OrderId::from_bytes([9; 16]),
        version: 1,
        state,
        amount: body.amount,
        refunded_minor: 0,
        disputed_minor: 0,
        method: method.to_owned(),
        channel: "sandbox".to_owned(),
        channel_account: None,
        channel_reference: None,
        store: StoreId::from_bytes([3; 16]),
        terminal: None,
        counter: body.counter,
        cashier: body.cashier.clone(),
        reference: body.reference.clone(),
        goods: body.goods.clone(),
        static_code: None,
        code_url: presenting.then(|| format!("https://pay.example/c/{id}")),
        expires_at: presenting.then_some(Millis(4_000_000_000_000)),
        paid_late: false,
        paid_by_hand: false,
        needs_attention: None,
        failure,
        created_at: Millis(1),
        updated_at: Millis(1),
        paid_at: None,
        stored_at: None,
    }
}

async fn fetch(known: Shared, payment: Path<PaymentId>) -> HttpResponse {
    match known.lock().unwrap().payments.get(&payment) {
        Some(view) => HttpResponse::Ok().json(view),
        None => problem(404, "payment_not_found"),
    }
}

async fn cancel(known: Shared, request: HttpRequest, payment: Path<PaymentId>) -> HttpResponse {
    let mut known = known.lock().unwrap();
    match known.payments.get(&payment).map(|view| view.state) {
        None if request.query_string().starts_with("counter=") => {
            known.called_off.insert(*payment);
            problem(409, "sale_called_off")
        }
        None => problem(404, "payment_not_found"),
        Some(PaymentState::Presenting) => {
            HttpResponse::Ok().json(known.change(*payment, |view| view.state = PaymentState::Cancelled))
        }
        Some(_) => problem(409, "payment_not_cancellable"),
    }
}

async fn void(known: Shared, request: HttpRequest, payment: Path<PaymentId>) -> HttpResponse {
    let id: RefundId = key(&request).parse().unwrap();
    let mut known = known.lock().unwrap();
    let sale = known.change(*payment, |view| {
        view.state = PaymentState::Voided;
        view.refunded_minor = view.amount.minor();
    });
    let mut given = known.give_back(id, *payment, RefundKind::Void, sale.amount);
    if known.voids_fail {
        known.push(*payment);
        known.change(*payment, |view| (view.state, view.refunded_minor) = (PaymentState::Succeeded, 0));
        (given.state, given.version) = (RefundState::Failed, 2);
        known.refunds.insert(id, given.clone());
    }
    HttpResponse::Created().json(given)
}

async fn refund(
    known: Shared,
    request: HttpRequest,
    payment: Path<PaymentId>,
    body: Json<CreateRefund>,
) -> HttpResponse {
    let id: RefundId = key(&request).parse().unwrap();
    offline::silence(&known).await;
    let mut known = known.lock().unwrap();
    if let Some(view) = known.refunds.get(&id) {
        return HttpResponse::Ok().json(view);
    }
    let amount = body.amount;
    if let Some(refused) = known.refuses_refund(*payment, amount) {
        return refused;
    }
    known.change(*payment, |view| {
        view.refunded_minor += amount.minor();
        let whole = view.refunded_minor == view.amount.minor();
        view.state = if whole { PaymentState::Refunded } else { PaymentState::PartlyRefunded };
    });
    HttpResponse::Created().json(known.give_back(id, *payment, RefundKind::Refund, amount))
}

async fn refunds(known: Shared, payment: Path<PaymentId>) -> HttpResponse {
    let known = known.lock().unwrap();
    let items = known.refunds.values().filter(|refund| refund.payment == *payment).cloned().collect();
    HttpResponse::Ok().json(Page { items, next_cursor: None })
}

async fn journal(known: Shared, batch: Json<JournalBatch>) -> HttpResponse {
    let mut known = known.lock().unwrap();
    known.batches += usize::from(!batch.entries.is_empty());
    HttpResponse::Ok().json(known.take_batch(&batch))
}

async fn pushes(known: Shared) -> Json<Pushes> {
    Json(Pushes { pushes: known.lock().unwrap().pushes.clone() })
}

async fn health(known: Shared, health: Json<Health>) -> HttpResponse {
    known.lock().unwrap().health.push(health.into_inner());
    HttpResponse::NoContent().finish()
}

async fn acknowledge(known: Shared, ack: Json<PushAck>) -> HttpResponse {
    let mut known = known.lock().unwrap();
    known.take_ack(&ack);
    HttpResponse::NoContent().finish()
}

pub fn shop_profile() -> TerminalProfile {
    TerminalProfile {
        merchant_name: "Saoma Tea".to_owned(),
        store_name: "Zhongshan Road".to_owned(),
        terminal_name: "Till 1".to_owned(),
        currency: Currency::CNY,
        rules: false,
    }
}

async fn profile(known: Shared) -> Json<TerminalProfile> {
    let rules = known.lock().unwrap().quotes.says != Says::NoRules;
    Json(TerminalProfile { terminal_name: "Till 1 renamed".to_owned(), rules, ..shop_profile() })
}

async fn cashiers(known: Shared) -> Json<CashierList> {
    Json(known.lock().unwrap().cashiers.clone())
}
