//! How many charges a second this database can write down when nothing else is in the way: the very statements of a charge
//! through a channel that answers at once, by one thread, whose every transaction is a commit of its own, and by as many at
//! once as `cargo xtask bench` has cashiers, who are written in groups. It prints the latter beside what the whole of core does
//! over HTTP, so that the two are read as a ratio.
//!
//! A charge is two transactions: the wish (order, payment, two events), then the answer (payment, event, postings).
//! `store/commits alone_per_s=… charges_per_s=… commits_per_s=… raw_commits_per_s=…`; the last two are the limits of this
//! machine: a transaction with one row in it, through the store, and by a bare connection with the same settings.

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_query};
use saoma_domain::{
    fee::{BasisPoints, FeePlan},
    ledger::{Kind, rules},
    payment::{Capture, Method, Payment, State},
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, OrderId, PaymentId, StoreId, TenantId};
use saoma_store::{
    Store, StoreError, TenantScope, Tx, access,
    channel_accounts::{self, ChannelAccount},
    events::{self, NewEvent},
    fee_plans,
    ledger::{self, Booking, Subject},
    meta,
    orders::{self, Order},
    payments::{self, StoredPayment},
    stores::{self, Shop},
    tenants::{self, LatePolicy, Tenant},
};
use tokio::task::JoinSet;

const LOAD: Duration = Duration::from_secs(5);
/// As many as the cashiers of `cargo xtask bench`.
const WRITERS: usize = 16;
const NOW: Millis = Millis(1_769_817_600_000);

#[derive(Clone, Copy)]
struct House {
    scope: TenantScope,
    store: StoreId,
    account: ChannelAccountId,
}

fn main() -> Result<(), StoreError> {
    let folder = match std::env::var_os("SAOMA_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let base = Store::open(&folder.path().join("core.db").display().to_string(), 2)?;
    let house = settle_in(&base)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let number = Arc::new(AtomicU64::new(0));
    let next = move || number.fetch_add(1, Ordering::Relaxed);
    let charged = || charge(base.clone(), house, next());
    let alone = runtime.block_on(rate(1, charged))?;
    let charges = runtime.block_on(rate(WRITERS, charged))?;
    let commits = runtime.block_on(rate(1, || {
        let (base, text) = (base.clone(), next().to_string());
        async move { base.write(move |tx| meta::set(tx, &access::process(), "bench", &text)).await }
    }))?;
    let raw = raw_commits(&folder.path().join("raw.db").display().to_string());
    println!(
        "store/commits alone_per_s={alone:.0} charges_per_s={charges:.0} commits_per_s={commits:.0} \
         raw_commits_per_s={raw:.0}"
    );
    Ok(())
}

/// How often a second `work` is done by so many at once, over [`LOAD`].
async fn rate<F>(writers: usize, work: impl Fn() -> F) -> Result<f64, StoreError>
where
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (began, mut done, mut under_way) = (Instant::now(), 0_u64, JoinSet::new());
    for _ in 0..writers {
        under_way.spawn(work());
    }
    while let Some(written) = under_way.join_next().await {
        written.expect("a writer")?;
        done += 1;
        if began.elapsed() < LOAD {
            under_way.spawn(work());
        }
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// What SQLite does without anything of ours, with the settings of the store.
fn raw_commits(path: &str) -> f64 {
    let mut raw = SqliteConnection::establish(path).expect("a database");
    raw.batch_execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)",
    )
    .expect("a table");
    let (began, mut done) = (Instant::now(), 0_u64);
    while began.elapsed() < LOAD {
        let row = sql_query("INSERT OR REPLACE INTO t VALUES ('bench', ?)");
        row.bind::<diesel::sql_types::Text, _>(done.to_string()).execute(&mut raw).expect("a row");
        done += 1;
    }
    done as f64 / began.elapsed().as_secs_f64()
}

fn settle_in(base: &Store) -> Result<House, StoreError> {
    base.write_blocking(|tx| {
        let tenant = Tenant {
            id: TenantId::from_bytes([1; 16]),
            name: "Tea".to_owned(),
            currency: Currency::CNY,
            late_policy: LatePolicy::Refund,
            time_zone: "Asia/Shanghai".to_owned(),
            active: true,
            created_at: NOW,
        };
        let scope = tenants::create(tx, &access::process(), &tenant)?;
        let store = StoreId::from_bytes([1; 16]);
        stores::create(tx, &scope, &Shop { id: store, name: "Corner".to_owned(), active: true, created_at: NOW })?;
        let account = ChannelAccountId::from_bytes([1; 16]);
        let contract = ChannelAccount {
            id: account,
            plugin: "honest".to_owned(),
            name: "Wallet".to_owned(),
            enabled: true,
            settings_json: "{}".to_owned(),
            fee: FeePlan::flat(BasisPoints::new(60).expect("a fee")),
            fee_version: 1,
            priority: 10,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        channel_accounts::create(tx, &scope, &contract)?;
        Ok(House { scope, store, account })
    })
}

async fn charge(base: Store, house: House, number: u64) -> Result<(), StoreError> {
    let House { scope, store, account } = house;
    let payment = PaymentId::for_key(scope.tenant(), &number.to_string());
    let amount = Amount::new(100, Currency::CNY).expect("an amount");
    let order = Order {
        id: OrderId::from_bytes(*payment.as_bytes()),
        amount,
        store,
        terminal: None,
        counter: None,
        cashier: None,
        reference: None,
        goods: Vec::new(),
        created_at: NOW,
        paid_by: None,
    };
    let wish = StoredPayment {
        payment: Payment {
            id: payment,
            amount,
            method: Method::CustomerPresented,
            state: State::Submitting { since: NOW },
        },
        version: 1,
        order: order.id,
        store,
        terminal: None,
        channel: "honest".to_owned(),
        channel_account: Some(account),
        channel_reference: None,
        payer_hint: None,
        fee_plan: Some(1),
        close_asked_at: None,
        next_attempt_at: Some(NOW),
        attempts: 0,
        watch: payments::Watch::default(),
        created_at: NOW,
        updated_at: NOW,
    };
    let event = move |version, kind: &str| NewEvent {
        payment,
        refund: None,
        dispute: None,
        version,
        kind: kind.to_owned(),
        data_json: "{}".to_owned(),
        actor: "api_key:bench".to_owned(),
        store,
        terminal: None,
        at: NOW,
    };
    let asked = move |tx: &mut Tx<'_>| {
        orders::insert_new(tx, &scope, &order)?;
        payments::insert_new(tx, &scope, &wish)?;
        events::append(tx, &scope, &event(1, "created"))?;
        events::append(tx, &scope, &event(1, "submitting"))?;
        payments::load_sale(tx, &scope, payment).map(drop)
    };
    base.write(asked).await?;
    let answered = move |tx: &mut Tx<'_>| {
        let mut stored = payments::load(tx, &scope, payment)?;
        stored.payment.state = State::Captured(Capture {
            at: NOW,
            late: false,
            by_hand: false,
            refunded_minor: 0,
            reserved_minor: 0,
            disputed_minor: 0,
        });
        stored.channel_reference = Some(format!("H-{number}"));
        stored.next_attempt_at = None;
        payments::save(tx, &scope, &mut stored)?;
        events::append(tx, &scope, &event(stored.version, "succeeded"))?;
        let subject = Subject::Payment(payment);
        let booking =
            Booking { subject, kind: Kind::Captured, channel_account: Some(account), at: NOW, booked_at: NOW };
        let sets = rules::captured(stored.payment.method, amount, fee_plans::load(tx, &scope, account, 1)?.fee(amount));
        ledger::post(tx, &scope, &booking, &sets)?;
        payments::load_sale(tx, &scope, payment).map(drop)
    };
    base.write(answered).await
}
