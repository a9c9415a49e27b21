//! A core without doors whose one channel says what a story tells it to say, when the story tells it; and whose clock the
//! story moves.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use ring::rand::SystemRandom;
use saoma_channels::{
    Account, BillLine, BillPage, BillTerms, Cadence, Capability, ChannelCaller, Claim, Clock, Created, Failure,
    HttpMessage, KnownOrder, Manifest, NotificationFailure, NotificationOutcome, Order, Outgoing, PaymentAnswer,
    PaymentStatus, RefundAnswer, RefundOrder, RefundStatus, SettingsSchema, SystemChance,
    settlement::{Batch, Row, SettlementTerms},
};
use saoma_domain::{
    claim::ScannedCode,
    fee::{BasisPoints, FeePlan},
    payment::State,
    settlement::Settled,
};
use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, Money, OrderId, PaymentId, RefundId, StoreId, TenantId, api::RefundKind,
};
use saoma_server::{
    app::{App, Parts},
    config::Config,
    fleet::{Fleet, ca::Ca},
    own_keys,
    payments::{Collect, GiveBack, How, PaymentError, answer_came, collect},
    peers::Peers,
    telemetry::metrics::Metrics,
    workers::Workers,
};
use saoma_store::{
    Store, StoreError, TenantScope, access,
    channel_accounts::{self, ChannelAccount},
    events, ledger,
    payments::{self, Sale},
    refunds::{self, StoredRefund},
    stores::{self, Shop},
    tenants::{self, LatePolicy, Tenant},
};
use tokio::sync::Notify;

use crate::{fleet_world::eventually, settlement::Settling, town::postgresql_instead};

pub const AMOUNT_MINOR: i64 = 1_250;
/// A moment at noon, so that a void of the same story is on the same day.
const NOON: Millis = Millis(1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000);

pub fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

struct Hand(Mutex<Millis>);

impl Clock for Hand {
    fn now(&self) -> Millis {
        *self.0.lock().unwrap()
    }
}

/// The clock of another node, so many milliseconds ahead.
struct Ahead(Arc<Hand>, i64);

impl Clock for Ahead {
    fn now(&self) -> Millis {
        self.0.now().plus(self.1)
    }
}

/// What the channel says to one call.
#[derive(Clone)]
pub enum Say {
    Status(PaymentStatus),
    /// Without naming an amount.
    Bare(PaymentStatus),
    Refund(RefundStatus),
    Fails(Failure),
    /// The same once the bell rings.
    Held(Arc<Notify>, Box<Say>),
}

pub fn no_answer() -> Say {
    Say::Fails(Failure::NoAnswer { why: "a cut line".to_owned() })
}

pub fn not_sent() -> Say {
    Say::Fails(Failure::NotSent { why: "no route".to_owned() })
}

/// The channel: what it says next to each function, and else; and what it was asked.
#[derive(Default)]
pub struct Scheme {
    manifest: Mutex<Option<Arc<Manifest>>>,
    next: Mutex<BTreeMap<&'static str, VecDeque<Say>>>,
    /// What it says once `next` is empty.
    always: Mutex<BTreeMap<&'static str, Say>>,
    calls: Mutex<Vec<(&'static str, PaymentId)>>,
    /// By day; a day that is not here has no bill yet.
    bills: Mutex<BTreeMap<String, Vec<BillLine>>>,
    /// What everything costs, if not [`AMOUNT_MINOR`] in yuan.
    pub price: Mutex<Option<Amount>>,
    pub settling: Settling,
    /// The account whose queries never come to an end.
    pub stuck: Mutex<Option<ChannelAccountId>>,
}

impl Scheme {
    pub fn next(&self, function: &'static str, say: Say) {
        self.next.lock().unwrap().entry(function).or_default().push_back(say);
    }

    pub fn always(&self, function: &'static str, say: Say) {
        self.always.lock().unwrap().insert(function, say);
    }

    /// Whether all that it was to say next to this function is said, or being said.
    pub fn is_said(&self, function: &str) -> bool {
        self.next.lock().unwrap().get(function).is_none_or(VecDeque::is_empty)
    }

    pub fn calls(&self, function: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(called, _)| *called == function).count()
    }

    /// Takes the plugin away, or brings it (back).
    pub fn install(&self, capabilities: Option<&[Capability]>) {
        *self.manifest.lock().unwrap() = capabilities.map(|capabilities| Arc::new(manifest(capabilities)));
    }

    /// From now on it settles batches.
    pub fn settles(&self, terms: SettlementTerms) {
        *self.manifest.lock().unwrap() = Some(Arc::new(Manifest { settlement: Some(terms), ..manifest(ALL) }));
    }

    /// The same, without what all others can.
    pub fn settles_without(&self, terms: SettlementTerms, missing: Capability) {
        let capabilities: Vec<Capability> = ALL.iter().copied().filter(|one| *one != missing).collect();
        *self.manifest.lock().unwrap() =
            Some(Arc::new(Manifest { settlement: Some(terms), ..manifest(&capabilities) }));
    }

    /// The same, and it takes cards: rows are uploaded one by one.
    pub fn settles_cards(&self, terms: SettlementTerms) {
        let capabilities: Vec<Capability> = ALL.iter().copied().chain([Capability::Card]).collect();
        *self.manifest.lock().unwrap() =
            Some(Arc::new(Manifest { settlement: Some(terms), ..manifest(&capabilities) }));
    }

    /// From now on its days begin so many minutes after midnight.
    pub fn begins_days(&self, minutes: i32) {
        let mut manifest = manifest(ALL);
        manifest.bills.iter_mut().for_each(|terms| terms.day_begins_minutes = minutes);
        *self.manifest.lock().unwrap() = Some(Arc::new(manifest));
    }

    /// From now on this is the day's bill.
    pub fn lists(&self, day: &str, lines: Vec<BillLine>) {
        self.bills.lock().unwrap().insert(day.to_owned(), lines);
    }

    async fn said(&self, function: &'static str, payment: PaymentId) -> Say {
        self.calls.lock().unwrap().push((function, payment));
        let say = self.next.lock().unwrap().get_mut(function).and_then(VecDeque::pop_front);
        let say = say.or_else(|| self.always.lock().unwrap().get(function).cloned());
        match say.unwrap_or_else(no_answer) {
            Say::Held(bell, say) => {
                bell.notified().await;
                *say
            }
            say => say,
        }
    }

    fn price(&self) -> Amount {
        self.price.lock().unwrap().unwrap_or(cny(AMOUNT_MINOR))
    }

    async fn answer(&self, function: &'static str, payment: PaymentId) -> Result<PaymentAnswer, Failure> {
        match self.said(function, payment).await {
            Say::Status(status) => Ok(PaymentAnswer { amount: Some(self.price().money()), ..answer(payment, status) }),
            Say::Bare(status) => Ok(PaymentAnswer { amount: None, ..answer(payment, status) }),
            Say::Fails(failure) => Err(failure),
            Say::Refund(_) | Say::Held(..) => panic!("no answer to {function}"),
        }
    }

    async fn refund_answer(&self, function: &'static str, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        match self.said(function, refund.number).await {
            Say::Refund(status) => Ok(RefundAnswer {
                status,
                refund_number: refund.refund_number.to_string(),
                amount: Some(refund.amount.money()),
                reference: String::new(),
            }),
            Say::Fails(failure) => Err(failure),
            Say::Status(_) | Say::Bare(_) | Say::Held(..) => panic!("no answer to {function}"),
        }
    }
}

pub fn answer(payment: PaymentId, status: PaymentStatus) -> PaymentAnswer {
    PaymentAnswer {
        status,
        number: payment.to_string(),
        amount: Some(cny(AMOUNT_MINOR).money()),
        reference: String::new(),
        paid_at: None,
        payer_hint: String::new(),
    }
}

pub const ALL: &[Capability] = &[
    Capability::MerchantPresented,
    Capability::CustomerPresented,
    Capability::Cancel,
    Capability::Refund,
    Capability::PartialRefund,
    Capability::Notifications,
    Capability::Bills,
];

/// Lines of a page: few, so that most bills have several.
const BILL_PAGE: usize = 2;

fn manifest(capabilities: &[Capability]) -> Manifest {
    Manifest {
        id: "wallet".to_owned(),
        version: "1.0.0".to_owned(),
        name: "Wallet".to_owned(),
        currencies: ["CNY", "JPY", "KWD"].map(|code| code.parse().unwrap()).to_vec(),
        capabilities: capabilities.iter().copied().collect::<BTreeSet<_>>(),
        claims: vec![Claim::TextPrefix("W".to_owned())],
        settings_schema: SettingsSchema::parse(r#"{"type":"object","properties":{}}"#).unwrap(),
        secrets: Vec::new(),
        hosts: Vec::new(),
        cadence: Cadence { call_timeout_ms: 1_000, query_interval_ms: 3_000, reverse_after_ms: 60_000 },
        bills: capabilities.contains(&Capability::Bills).then(|| BillTerms {
            time_zone: "Asia/Shanghai".to_owned(),
            day_begins_minutes: 0,
            ready_after_minutes: 60,
        }),
        settlement: None,
        apps: Vec::new(),
        forwards: false,
    }
}

#[async_trait]
impl ChannelCaller for Scheme {
    fn manifest(&self, _: &str) -> Option<Arc<Manifest>> {
        self.manifest.lock().unwrap().clone()
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.manifest("").into_iter().collect()
    }

    async fn create(&self, _: &Account, order: &Order) -> Result<Created, Failure> {
        self.calls.lock().unwrap().push(("create", order.number));
        Ok(Created { code: format!("https://wallet.example/{}", order.number) })
    }

    async fn charge(&self, _: &Account, order: &Order, _: &str) -> Result<PaymentAnswer, Failure> {
        self.answer("charge", order.number).await
    }

    async fn query(&self, account: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        if *self.stuck.lock().unwrap() == Some(account.id) {
            self.calls.lock().unwrap().push(("stuck", order.number));
            std::future::pending::<()>().await;
        }
        self.answer("query", order.number).await
    }

    async fn cancel(&self, _: &Account, order: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        self.answer("cancel", order.number).await
    }

    async fn refund(&self, _: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        self.refund_answer("refund", refund).await
    }

    async fn query_refund(&self, _: &Account, refund: &RefundOrder) -> Result<RefundAnswer, Failure> {
        self.refund_answer("query_refund", refund).await
    }

    async fn parse_notification(
        &self,
        _: &Account,
        _: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        Err(NotificationFailure::Malformed("stories hand answers over themselves".to_owned()))
    }

    async fn fetch_bill(&self, _: &Account, day: &str, cursor: Option<&str>) -> Result<BillPage, Failure> {
        let say = self.next.lock().unwrap().get_mut("fetch_bill").and_then(VecDeque::pop_front);
        match say {
            Some(Say::Fails(failure)) => return Err(failure),
            Some(Say::Held(bell, _)) => bell.notified().await,
            _ => {}
        }
        let bill = self.bills.lock().unwrap().get(day).cloned();
        let lines = bill.ok_or_else(|| Failure::NotSent { why: "there is no such bill yet".to_owned() })?;
        let first: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let next = first + BILL_PAGE;
        let next_cursor = (next < lines.len()).then(|| next.to_string());
        Ok(BillPage { lines: lines.into_iter().skip(first).take(BILL_PAGE).collect(), next_cursor })
    }

    async fn settle(&self, _: &Account, batch: &Batch) -> Result<Settled, Failure> {
        let said = self.settling.settle(batch);
        self.settling.takes_time().await;
        said
    }

    async fn upload(&self, _: &Account, batch: &Batch, rows: &[Row]) -> Result<(), Failure> {
        let said = self.settling.upload(batch, rows);
        self.settling.takes_time().await;
        said
    }

    async fn finish(&self, _: &Account, batch: &Batch) -> Result<Settled, Failure> {
        self.settling.finish(batch)
    }

    async fn self_test(&self, _: &Account) -> Result<String, Failure> {
        Err(Failure::Unsupported)
    }
}

/// The code that a customer shows.
pub fn scanned() -> How {
    How::Charge { code: ScannedCode::read("W1234567890123456").unwrap() }
}

/// What a cashier wants to give back.
pub fn giving_back(number: u8, payment: PaymentId, kind: RefundKind, amount: Option<Amount>) -> GiveBack {
    let id = RefundId::from_bytes([number; 16]);
    let actor = "usr_cashier".to_owned();
    GiveBack { id, fingerprint: None, payment, kind, amount, reason: None, actor }
}

/// A core, its channel, and one merchant with a store and two accounts at the channel.
pub struct Counter {
    pub app: App,
    pub scheme: Arc<Scheme>,
    pub scope: TenantScope,
    store: StoreId,
    pub accounts: [ChannelAccountId; 2],
    clock: Arc<Hand>,
    folder: tempfile::TempDir,
}

fn random_16() -> [u8; 16] {
    ring::rand::generate(&SystemRandom::new()).unwrap().expose()
}

impl Counter {
    pub async fn open(policy: LatePolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match postgresql_instead().await {
            Some(url) => url,
            None => folder.path().join("core.db").display().to_string(),
        };
        Self::open_on(&database, folder, policy).await
    }

    pub async fn open_on(database: &str, folder: tempfile::TempDir, policy: LatePolicy) -> Self {
        let environment = [("SAOMA_DATA_DIR".to_owned(), folder.path().display().to_string())];
        let config = Config::read(None, environment).unwrap();
        let url = database.to_owned();
        let key = folder.path().join("master.key");
        let opening = tokio::task::spawn_blocking(move || {
            let store = Store::open(&url, 8).unwrap();
            let vault = own_keys::open(&store, &key, NOON).unwrap();
            (store, vault)
        });
        let (store, vault) = opening.await.unwrap();
        let (clock, scheme) = (Arc::new(Hand(Mutex::new(NOON))), Arc::new(Scheme::default()));
        scheme.install(Some(ALL));
        let metrics = Metrics::open(&config.telemetry).unwrap();
        let (certificate, key) = Ca::draw(NOON).unwrap();
        let app = App::new(Parts {
            config,
            store,
            channels: scheme.clone(),
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
            vault,
            fleet: Fleet::new(Ca::open(folder.path(), &certificate, &key).unwrap(), "counter".to_owned()),
            metrics,
            peers: Peers::none(),
        });
        let accounts = [ChannelAccountId::from_bytes(random_16()), ChannelAccountId::from_bytes(random_16())];
        let shop =
            Shop { id: StoreId::from_bytes(random_16()), name: "Quay".to_owned(), active: true, created_at: NOON };
        let tenant = Tenant {
            id: TenantId::from_bytes(random_16()),
            name: "Lantern Tea".to_owned(),
            currency: Currency::CNY,
            late_policy: policy,
            time_zone: "Asia/Shanghai".to_owned(),
            active: true,
            created_at: NOON,
        };
        let of_store = shop.id;
        let scope = app
            .store()
            .write(move |tx| {
                let scope = tenants::create(tx, &access::process(), &tenant)?;
                stores::create(tx, &scope, &shop)?;
                for id in accounts {
                    let account = ChannelAccount {
                        id,
                        plugin: "wallet".to_owned(),
                        name: "Wallet".to_owned(),
                        enabled: true,
                        settings_json: "{}".to_owned(),
                        fee: FeePlan::flat(BasisPoints::new(60).unwrap()),
                        fee_version: 1,
                        priority: 1,
                        version: 1,
                        created_at: NOON,
                        updated_at: NOON,
                    };
                    channel_accounts::create(tx, &scope, &account)?;
                }
                Ok::<_, StoreError>(scope)
            })
            .await
            .unwrap();
        Self { app, scheme, scope, store: of_store, accounts, clock, folder }
    }

    /// Another node on the same database, whose clock is `ahead_ms` ahead.
    pub fn neighbour(&self, ahead_ms: i64) -> App {
        let (certificate, key) = Ca::draw(NOON).unwrap();
        App::new(Parts {
            config: self.app.config().clone(),
            store: self.app.store().clone(),
            channels: self.scheme.clone(),
            clock: Arc::new(Ahead(self.clock.clone(), ahead_ms)),
            chance: Arc::new(SystemChance),
            vault: self.app.vault().clone(),
            fleet: Fleet::new(Ca::open(self.folder.path(), &certificate, &key).unwrap(), "neighbour".to_owned()),
            metrics: Metrics::open(&self.app.config().telemetry).unwrap(),
            peers: Peers::none(),
        })
    }

    pub fn later(&self, ms: i64) {
        self.hand()(ms);
    }

    /// What moves the clock, for whom a story gives it to.
    pub fn hand(&self) -> impl Fn(i64) + Send + Sync + use<> {
        let clock = self.clock.clone();
        move |ms| {
            let mut now = clock.0.lock().unwrap();
            *now = now.plus(ms);
        }
    }

    pub fn workers(&self) -> Workers {
        Workers::start(&self.app, Outgoing::new(true).unwrap())
    }

    pub async fn try_collect(&self, how: How, account: usize, order: Option<OrderId>) -> Result<Sale, PaymentError> {
        self.collects(how, Some(self.accounts[account]), order).await
    }

    /// Without an account core chooses one.
    pub async fn collects(
        &self,
        how: How,
        account: Option<ChannelAccountId>,
        order: Option<OrderId>,
    ) -> Result<Sale, PaymentError> {
        let id = PaymentId::from_bytes(random_16());
        self.collects_once(id, how, account, order).await.map(|(sale, _)| sale)
    }

    /// The same under a number of the story's; and whether it is new.
    pub async fn collects_once(
        &self,
        id: PaymentId,
        how: How,
        account: Option<ChannelAccountId>,
        order: Option<OrderId>,
    ) -> Result<(Sale, bool), PaymentError> {
        let wish = Collect {
            id,
            fingerprint: [0; 32],
            amount: self.scheme.price(),
            how,
            account,
            order,
            store: self.store,
            terminal: None,
            counter: None,
            cashier: None,
            reference: None,
            goods: Vec::new(),
            quote: None,
            origin: None,
            actor: "usr_cashier".to_owned(),
        };
        collect(&self.app, self.scope, wish).await
    }

    /// A code on show for two minutes.
    pub async fn shows(&self, account: usize, order: Option<OrderId>) -> Sale {
        let how = How::Present { lives: Duration::from_secs(120) };
        self.try_collect(how, account, order).await.unwrap()
    }

    /// A charge of the customer's code.
    pub async fn charges(&self) -> Sale {
        self.try_collect(scanned(), 0, None).await.unwrap()
    }

    pub async fn sale(&self, payment: PaymentId) -> Sale {
        let scope = self.scope;
        self.app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await.unwrap()
    }

    pub async fn state(&self, payment: PaymentId) -> State {
        self.sale(payment).await.payment.payment.state
    }

    pub async fn refunds(&self, payment: PaymentId) -> Vec<StoredRefund> {
        let scope = self.scope;
        self.app.store().read(move |tx| refunds::of_payment(tx, &scope, payment)).await.unwrap()
    }

    pub async fn events(&self, payment: PaymentId) -> Vec<String> {
        let scope = self.scope;
        let events = self.app.store().read(move |tx| events::timeline(tx, &scope, payment)).await.unwrap();
        events.into_iter().map(|stored| stored.event.kind).collect()
    }

    /// The same, and when it was paid.
    pub async fn notified_paid(&self, sale: &Sale, paid_at: Option<Millis>) {
        let (payment, account) = (sale.payment.payment.id, sale.payment.channel_account.unwrap());
        let said = PaymentAnswer { paid_at, ..answer(payment, PaymentStatus::Succeeded) };
        answer_came(&self.app, self.scope, payment, account, said).await.unwrap();
    }

    /// The channel says this of the payment on its own.
    pub async fn notified(&self, sale: &Sale, status: PaymentStatus) {
        let (payment, account) = (sale.payment.payment.id, sale.payment.channel_account.unwrap());
        answer_came(&self.app, self.scope, payment, account, answer(payment, status)).await.unwrap();
    }

    /// The channel says on its own that another sum was paid for it.
    pub async fn notified_of(&self, sale: &Sale, amount: Money) {
        let (payment, account) = (sale.payment.payment.id, sale.payment.channel_account.unwrap());
        let said = PaymentAnswer { amount: Some(amount), ..answer(payment, PaymentStatus::Succeeded) };
        answer_came(&self.app, self.scope, payment, account, said).await.unwrap();
    }

    /// Waits for a state, and moves the clock on meanwhile so that what is due comes due.
    pub async fn comes_to(&self, payment: PaymentId, what: &str, holds: impl Fn(&Sale) -> bool) {
        eventually(what, async || {
            self.later(500);
            holds(&self.sale(payment).await)
        })
        .await;
    }

    /// Waits until something holds while time goes on.
    pub async fn in_time(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        eventually(what, async || {
            self.later(500);
            holds().await
        })
        .await;
    }

    pub async fn books_hold(&self) {
        let broken = self.app.store().read(|tx| ledger::check_all(tx, &access::process())).await.unwrap();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
