//! A day of a million payments against a bill of a million lines, on SQLite and on PostgreSQL: how many rows a second, and how
//! much memory the process takes at its peak. `cargo xtask bench` prints it; `SAOMA_BENCH_ROWS` says how many rows else.
//!
//! `server/reconcile database=… rows=… rows_per_s=… again_per_s=… fetched_per_s=… peak_mb=…`: rows of both sides a second from
//! the first page of the bill to the end of the comparison; the same when the bill is fetched again and brings nothing new;
//! lines that come in a second until the last page is sorted away; the peak of resident memory above what it was before.

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use diesel::{Connection as _, PgConnection, SqliteConnection, connection::SimpleConnection as _};
use saoma_channels::{
    Account, BillLine, BillPage, BillRow, BillTerms, Cadence, Capability, ChannelCaller, Created, Failure, HttpMessage,
    KnownOrder, Manifest, NotificationFailure, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder,
    SettingsSchema, SystemChance, SystemClock,
};
use saoma_domain::{
    fee::{BasisPoints, FeePlan},
    recon::{Key, Movement, Side},
};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, TenantId};
use saoma_server::{
    app::{App, Parts},
    config::Config,
    fleet::{Fleet, ca::Ca},
    own_keys,
    peers::Peers,
    reconcile,
    telemetry::metrics::Metrics,
};
use saoma_store::{
    Store, StoreError, TenantScope, access,
    channel_accounts::{self, ChannelAccount},
    reconciliations::{self, State},
    tenants::{self, LatePolicy, Tenant},
};

#[path = "../../store/tests/it/postgres.rs"]
#[allow(dead_code, reason = "tests make databases in other ways as well")]
mod postgres;

const ROWS: u64 = 1_000_000;
/// Lines of a page: as many as the contract allows.
const PAGE: u64 = 5_000;
/// Coprime to the number of rows: the bill comes in another order than that of its numbers.
const STRIDE: u64 = 7_919;
/// 2026-01-31 00:00:00 UTC.
const DAY_START: Millis = Millis(1_769_817_600_000);
const DAY: &str = "2026-01-31";

fn number(nth: u64, rows: u64) -> String {
    format!("pay_{:026}", nth * STRIDE % rows)
}

/// A channel that does nothing but list.
struct Lister {
    rows: u64,
    last_page_at: Mutex<Option<Instant>>,
}

#[async_trait]
impl ChannelCaller for Lister {
    fn manifest(&self, _: &str) -> Option<Arc<Manifest>> {
        Some(Arc::new(Manifest {
            id: "lister".to_owned(),
            version: "1.0.0".to_owned(),
            name: "Lister".to_owned(),
            currencies: vec![Currency::CNY],
            capabilities: [Capability::MerchantPresented, Capability::Cancel, Capability::Refund, Capability::Bills]
                .into(),
            claims: Vec::new(),
            settings_schema: SettingsSchema::parse(r#"{"type":"object","properties":{}}"#).expect("a schema"),
            secrets: Vec::new(),
            hosts: Vec::new(),
            cadence: Cadence { call_timeout_ms: 1_000, query_interval_ms: 3_000, reverse_after_ms: 60_000 },
            bills: Some(BillTerms { time_zone: "Etc/UTC".to_owned(), day_begins_minutes: 0, ready_after_minutes: 0 }),
            settlement: None,
            apps: Vec::new(),
            forwards: false,
        }))
    }

    fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.manifest("").into_iter().collect()
    }

    async fn fetch_bill(&self, _: &Account, _: &str, cursor: Option<&str>) -> Result<BillPage, Failure> {
        let first: u64 = cursor.map_or(0, |cursor| cursor.parse().expect("our own cursor"));
        let end = (first + PAGE).min(self.rows);
        let money = |minor| Money::new(minor, Currency::CNY);
        let line = |nth| {
            BillLine::Row(BillRow {
                key: Key { number: number(nth, self.rows), movement: Movement::Payment },
                order_number: number(nth, self.rows),
                reference: format!("W{nth}"),
                side: Side { money: money(1_250), fee: money(8), at: DAY_START },
            })
        };
        *self.last_page_at.lock().expect("no panic before") = Some(Instant::now());
        Ok(BillPage {
            lines: (first..end).map(line).collect(),
            next_cursor: (end < self.rows).then(|| end.to_string()),
        })
    }

    async fn create(&self, _: &Account, _: &Order) -> Result<Created, Failure> {
        Err(Failure::Unsupported)
    }

    async fn charge(&self, _: &Account, _: &Order, _: &str) -> Result<PaymentAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    async fn query(&self, _: &Account, _: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    async fn cancel(&self, _: &Account, _: &KnownOrder) -> Result<PaymentAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    async fn refund(&self, _: &Account, _: &RefundOrder) -> Result<RefundAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    async fn query_refund(&self, _: &Account, _: &RefundOrder) -> Result<RefundAnswer, Failure> {
        Err(Failure::Unsupported)
    }

    async fn parse_notification(
        &self,
        _: &Account,
        _: &HttpMessage,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        Err(NotificationFailure::Malformed("it does nothing but list".to_owned()))
    }

    async fn self_test(&self, _: &Account) -> Result<String, Failure> {
        Err(Failure::Unsupported)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rows = std::env::var("SAOMA_BENCH_ROWS").map_or(ROWS, |rows| rows.parse().expect("a number of rows"));
    let folder = match std::env::var_os("SAOMA_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let database = folder.path().join("core.db").display().to_string();
    runtime.block_on(measure("sqlite", rows, &folder.path().join("sqlite"), &database));
    runtime.block_on(measure("postgres", rows, &folder.path().join("postgres"), &postgres::migrated()));
}

async fn measure(name: &str, rows: u64, folder: &Path, database: &str) {
    std::fs::create_dir(folder).expect("a folder");
    let lister = Arc::new(Lister { rows, last_page_at: Mutex::default() });
    let app = open(folder, database, lister.clone()).await;
    let (scope, account) = settle_in(&app).await;
    fill(database, rows, scope.tenant(), account);
    let before_mb = resident_mb("VmRSS:");
    // The peak is counted from here (proc(5), clear_refs).
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let (began, first) = (Instant::now(), compared(&app, scope, account, rows).await);
    let fetched = lister.last_page_at.lock().expect("no panic before").map_or(first, |at| at.duration_since(began));
    let again = compared(&app, scope, account, rows).await;
    println!(
        "server/reconcile database={name} rows={rows} rows_per_s={:.0} again_per_s={:.0} fetched_per_s={:.0} peak_mb={:.0}",
        2.0 * rows as f64 / first.as_secs_f64(),
        2.0 * rows as f64 / again.as_secs_f64(),
        rows as f64 / fetched.as_secs_f64(),
        resident_mb("VmHWM:") - before_mb
    );
}

/// How long a run takes.
async fn compared(app: &App, scope: TenantScope, account: ChannelAccountId, rows: u64) -> Duration {
    let began = Instant::now();
    let id = reconcile::start(app, scope, account, DAY, "core").await.expect("a run").id;
    let ended = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let run = app.store().read(move |tx| reconciliations::load(tx, &scope, id)).await.expect("the run");
        if run.state != State::Running {
            break run;
        }
    };
    let result = ended.result.unwrap_or_else(|| panic!("it failed: {:?}", ended.words));
    assert_eq!((result.revision, result.ours, result.theirs, result.agreed), (1, rows, rows, rows), "{result:?}");
    began.elapsed()
}

async fn open(folder: &Path, database: &str, channels: Arc<Lister>) -> App {
    let environment = [("SAOMA_DATA_DIR".to_owned(), folder.display().to_string())];
    let config = Config::read(None, environment).expect("a configuration");
    let url = database.to_owned();
    let key = folder.join("master.key");
    let opening = tokio::task::spawn_blocking(move || {
        let store = Store::open(&url, 4).expect("a database");
        let vault = own_keys::open(&store, &key, DAY_START).expect("a vault");
        (store, vault)
    });
    let (store, vault) = opening.await.expect("a thread");
    let metrics = Metrics::open(&config.telemetry).expect("metrics");
    let (certificate, key) = Ca::draw(DAY_START).expect("a certificate");
    App::new(Parts {
        config,
        store,
        channels,
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        vault,
        fleet: Fleet::new(Ca::open(folder, &certificate, &key).expect("a CA"), "bench".to_owned()),
        metrics,
        peers: Peers::none(),
    })
}

async fn settle_in(app: &App) -> (TenantScope, ChannelAccountId) {
    let id = ChannelAccountId::from_bytes([1; 16]);
    let tenant = Tenant {
        id: TenantId::from_bytes([1; 16]),
        name: "Tea".to_owned(),
        currency: Currency::CNY,
        late_policy: LatePolicy::Refund,
        time_zone: "Etc/UTC".to_owned(),
        active: true,
        created_at: DAY_START,
    };
    let account = ChannelAccount {
        id,
        plugin: "lister".to_owned(),
        name: "Wallet".to_owned(),
        enabled: true,
        settings_json: "{}".to_owned(),
        fee: FeePlan::flat(BasisPoints::new(60).expect("a fee")),
        fee_version: 1,
        priority: 1,
        version: 1,
        created_at: DAY_START,
        updated_at: DAY_START,
    };
    let made = app.store().write(move |tx| {
        let scope = tenants::create(tx, &access::process(), &tenant)?;
        channel_accounts::create(tx, &scope, &account)?;
        Ok::<_, StoreError>(scope)
    });
    (made.await.expect("a merchant"), id)
}

/// The day's books, written past the store, since it is not what is measured: a capture and its fee for each payment.
fn fill(database: &str, rows: u64, tenant: TenantId, account: ChannelAccountId) {
    let (mut sqlite, mut postgres) = if database.starts_with("postgres:") {
        let conn = PgConnection::establish(&postgres::as_superuser(database)).expect("the database");
        (None, Some(conn))
    } else {
        (Some(SqliteConnection::establish(database).expect("the database")), None)
    };
    let mut execute = |on_sqlite: &str, on_postgres: &str| match (&mut sqlite, &mut postgres) {
        (Some(conn), _) => conn.batch_execute(on_sqlite).expect("a million rows"),
        (None, Some(conn)) => conn.batch_execute(on_postgres).expect("a million rows"),
        (None, None) => {}
    };
    // The payments themselves are not written: the books are what is compared.
    let in_memory = "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000";
    execute(in_memory, "SET session_replication_role = replica");
    let numbers =
        format!("WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {rows} - 1)");
    let number = "'pay_' || substr('00000000000000000000000000' || i, length('' || i) + 1)";
    let sets = |part: u8| {
        format!(
            "INSERT INTO posting_sets (id, tenant_id, subject, payment_id, kind, part, channel_account_id, at, booked_at) {numbers} \
             SELECT 1 + 2 * i + {part}, '{tenant}', {number}, {number}, 'captured', {part}, \
             '{account}', {0} + i * {STRIDE} % {rows} * 86400000 / {rows}, {0} FROM n;",
            DAY_START.0
        )
    };
    let posting = |part: u8, idx: u8, name: &str, minor: i64| {
        format!(
            "INSERT INTO postings {numbers} SELECT '{tenant}', 1 + 2 * i + {part}, {idx}, '{name}', '{account}', 'CNY', {minor} FROM n;"
        )
    };
    // Sold in another order than that of their numbers; the index of that order is made at once, since that is quicker.
    let index = "posting_sets_by_channel";
    for statement in [
        format!("DROP INDEX {index}"),
        sets(0),
        sets(1),
        format!("CREATE INDEX {index} ON posting_sets (tenant_id, channel_account_id, at, subject) WHERE part = 0"),
        posting(0, 0, "channel_clearing", 1_250),
        posting(0, 1, "merchant_payable", -1_250),
        posting(1, 0, "fees", 8),
        posting(1, 1, "channel_clearing", -8),
    ] {
        execute(&statement, &statement);
    }
    // As PostgreSQL does by itself within a minute.
    execute("", "ANALYZE posting_sets; ANALYZE postings");
}

fn resident_mb(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a figure");
    kib * 1024.0 / 1e6
}
