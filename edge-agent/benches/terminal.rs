//! The figures that a terminal is held to, on this machine and this disk: size, start-up, memory, and how long a sale takes from
//! the key press until it is in the journal, beside what SQLite alone takes for a commit in the same minute.
//!
//! `cargo xtask bench` runs it on the program as it is shipped (`SAOMA_BENCH_EDGE`), in a folder on the disk that is measured
//! (`SAOMA_BENCH_DIR`). Core is away, so what is measured is the terminal's own. Fails past a limit, once all is printed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

#[path = "../tests/it/enrolled.rs"]
mod enrolled;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_types::Binary,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::blocking::{Client, Response};
use saoma_edge::{
    journal::{Commit, Settings, Store},
    link::{
        identity::{DataDir, Identity},
        tls,
    },
    signer::Signer,
    simulate::figures::percentile,
};
use saoma_protocol::{Amount, Currency, Millis, PaymentId, Sequence, TerminalId, journal::Record};
use serde_json::{Value, json};

/// DESIGN section 6: bytes of the stripped program, bytes resident with the till open, time until the till answers.
const SIZE_MAX: u64 = 25_000_000;
const RESIDENT_MAX: u64 = 40_000_000;
const READY_MAX: Duration = Duration::from_secs(2);
/// For how long it sells; a slow disk makes fewer sales, and not a longer bench.
const LOAD: Duration = Duration::from_secs(20);
/// Sales and commits take turns of so many, so that both meet the same disk.
const TURN: usize = 25;
/// About what a cash sale writes: its entry, its row, its key.
const ROW_LEN: usize = 1_200;
/// People who press at the same time, for the rate.
const CASHIERS: usize = 4;
const STARTS: usize = 5;
/// A shop's weeks without a line.
const UNSENT: u64 = 50_000;
/// Of its entries so many are written in one commit.
const ENTRIES_AT_ONCE: usize = 1_000;
/// Sales that are keyed on top of them.
const LATE: usize = 500;
/// What a key press may take with all that unsent, against one with little. The two meet the disk minutes apart.
const LATE_FACTOR_MAX: f64 = 2.0;

struct Terminal {
    child: Child,
    till: String,
    client: Client,
    ready_in: Duration,
}

impl Terminal {
    fn start(program: &Path, folder: &Path) -> Self {
        let began = Instant::now();
        let mut child = Command::new(program)
            .env("SAOMA_EDGE_DATA_DIR", folder)
            .env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0")
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready_in = began.elapsed();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child, till: ready["till"].as_str().unwrap().to_owned(), client, ready_in }
    }

    fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.till)).send().unwrap()
    }

    /// Until it is in the journal, and answered.
    fn sell(&self, key: &str) -> Duration {
        let goods = json!([{"name": "珍珠奶茶 Bubble tea", "quantity": 1, "price_minor": 1250}]);
        let body = json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000, "goods": goods});
        let request = self.client.post(format!("{}api/sales", self.till)).header("x-saoma-till", "1").json(&body);
        let began = Instant::now();
        let answer = request.header("idempotency-key", key).send().unwrap();
        let took = began.elapsed();
        assert_eq!(answer.status(), 201, "{}", answer.text().unwrap());
        took
    }

    /// Resident now, and the most that ever was.
    fn resident(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1_024
        };
        (bytes("VmRSS:"), bytes("VmHWM:"))
    }

    fn stop(mut self) -> Duration {
        let began = Instant::now();
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        began.elapsed()
    }
}

/// SQLite as the journal uses it, and nothing around it.
struct Bare(SqliteConnection, Vec<u8>);

impl Bare {
    fn open(path: &Path) -> Self {
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let begin = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, row BLOB)";
        connection.batch_execute(begin).unwrap();
        Self(connection, vec![7; ROW_LEN])
    }

    fn commit(&mut self) -> Duration {
        let began = Instant::now();
        let insert = diesel::sql_query("INSERT INTO rows (row) VALUES (?)").bind::<Binary, _>(&self.1);
        assert_eq!(insert.execute(&mut self.0).unwrap(), 1);
        began.elapsed()
    }
}

fn main() {
    tls::install_provider();
    let shipped = std::env::var_os("SAOMA_BENCH_EDGE").map(PathBuf::from);
    let program = shipped.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_saoma-edge").into());
    let folder = match std::env::var_os("SAOMA_BENCH_DIR") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let data = folder.path().join("data");
    enrolled::enrolled(&data);
    let size = fs::metadata(&program).unwrap().len();
    println!("terminal: program                       {:>9.1} MB  (limit {})", mb(size), mb(SIZE_MAX));

    let first = Terminal::start(&program, &data).stopped_ready_in();
    println!("terminal: first start to ready          {:>9.0} ms", ms(first));
    let mut starts: Vec<Duration> = (0..STARTS).map(|_| Terminal::start(&program, &data).stopped_ready_in()).collect();
    starts.sort_unstable();
    println!(
        "terminal: start to ready, the median    {:>9.0} ms  (limit {:.0})",
        ms(starts[STARTS / 2]),
        ms(READY_MAX)
    );
    let slowest_start = starts[STARTS - 1].max(first);

    let terminal = Terminal::start(&program, &data);
    // The till's page as a browser has it open: loaded, and listening.
    let page = terminal.get("").text().unwrap();
    assert!(page.contains("<html"), "the till's pages are built in");
    let _listening = terminal.get("api/events");
    let (resident, _) = terminal.resident();
    println!("terminal: resident, till open           {:>9.1} MB  (limit {})", mb(resident), mb(RESIDENT_MAX));

    let mut bare = Bare::open(&folder.path().join("bare.db"));
    let (mut sales, mut commits) = (Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed() < LOAD {
        let sold = sales.len();
        sales.extend((sold..sold + TURN).map(|number| terminal.sell(&format!("bench-{number}"))));
        commits.extend((0..TURN).map(|_| bare.commit()));
    }
    let [sale_50, sale_99] = told("terminal: key press to journaled", &mut sales);
    let [commit_50, commit_99] = told("SQLite: a commit alone, FULL", &mut commits);
    println!(
        "a sale against that commit              {:>9.2}     p99 {:.2}",
        sale_50.as_secs_f64() / commit_50.as_secs_f64(),
        sale_99.as_secs_f64() / commit_99.as_secs_f64()
    );
    let alone = sales.len() as f64 / sales.iter().sum::<Duration>().as_secs_f64();
    println!("terminal: offline sales, one after another {:>6.0} /s", alone);
    let (at_once, began) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..CASHIERS {
            scope.spawn(|| {
                while began.elapsed() < LOAD {
                    terminal.sell(&format!("bench-at-once-{}", at_once.fetch_add(1, Ordering::Relaxed)));
                }
            });
        }
    });
    let at_once = at_once.into_inner();
    let together = at_once as f64 / began.elapsed().as_secs_f64();
    println!("terminal: offline sales, {CASHIERS} at once        {together:>9.0} /s");
    let (resident_after, peak) = terminal.resident();
    println!(
        "terminal: resident after {} sales     {:>9.1} MB  (peak {:.1})",
        sales.len() + at_once,
        mb(resident_after),
        mb(peak)
    );
    println!("terminal: asked to stop until ended     {:>9.0} ms", ms(terminal.stop()));
    // All that core does not have is checked before the till opens.
    let full = Terminal::start(&program, &data).stopped_ready_in();
    println!("terminal: start with all that unsent    {:>9.0} ms", ms(full));

    let long = folder.path().join("long");
    enrolled::enrolled(&long);
    sold_without_a_line(&long);
    let terminal = Terminal::start(&program, &long);
    let long_start = terminal.ready_in;
    println!("terminal: start with {UNSENT} unsent      {:>9.0} ms  (limit {:.0})", ms(long_start), ms(READY_MAX));
    let mut late: Vec<Duration> = (0..LATE).map(|number| terminal.sell(&format!("bench-late-{number}"))).collect();
    let [late_50, late_99] = told(&format!("terminal: key press, {UNSENT} unsent"), &mut late);
    let factor = late_50.as_secs_f64() / sale_50.as_secs_f64();
    println!(
        "that against one with few unsent        {factor:>9.2}     p99 {:.2}  (limit of the median {LATE_FACTOR_MAX})",
        late_99.as_secs_f64() / sale_99.as_secs_f64()
    );
    let (resident_long, peak_long) = terminal.resident();
    println!("terminal: resident with those          {:>9.1} MB  (peak {:.1})", mb(resident_long), mb(peak_long));
    terminal.stop();

    // A program of this build is neither stripped nor small.
    let mut broken = Vec::new();
    if shipped.is_some() && size >= SIZE_MAX {
        broken.push("the program is too large");
    }
    if shipped.is_some() && resident.max(resident_after).max(resident_long) >= RESIDENT_MAX {
        broken.push("it takes too much memory");
    }
    if slowest_start.max(full).max(long_start) >= READY_MAX {
        broken.push("it takes too long to be ready");
    }
    if factor >= LATE_FACTOR_MAX {
        broken.push("a key press takes the longer the more is unsent");
    }
    assert!(broken.is_empty(), "{}", broken.join(", "));
}

/// The entries of [`UNSENT`] cash sales, as the agent wrote them; without the sales' own rows, which neither a start nor a press reads.
fn sold_without_a_line(data: &Path) {
    let settings = Settings { path: data.join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(1)).unwrap();
    let folder = DataDir::open(data).unwrap();
    let Identity { tenant, terminal, ref certificate_chain_pem, .. } = folder.identity().unwrap();
    let key = folder.key_pem(&folder.identity().unwrap(), 0).unwrap();
    store.sign_by(Signer::new(tenant, terminal, certificate_chain_pem, &key).unwrap());
    let sold = |counter: u64| {
        let mut id = [9; 16];
        id[..8].copy_from_slice(&counter.to_be_bytes());
        Record::CashSale {
            payment: PaymentId::from_bytes(id),
            counter: Sequence(1_000_000 + counter),
            amount: Amount::new(1250, Currency::CNY).unwrap(),
            tendered_minor: 2000,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        }
    };
    let numbers: Vec<u64> = (1..=UNSENT).collect();
    for part in numbers.chunks(ENTRIES_AT_ONCE) {
        let records = part.iter().copied().map(sold).collect();
        store.commit(&Commit { records, ..Commit::default() }, Millis(1)).unwrap();
    }
}

impl Terminal {
    fn stopped_ready_in(self) -> Duration {
        let ready_in = self.ready_in;
        self.stop();
        ready_in
    }
}

fn told(what: &str, took: &mut [Duration]) -> [Duration; 2] {
    took.sort_unstable();
    let [half, most] = [50, 99].map(|percent| percentile(took, percent));
    println!("{what:<38}p50 {:>8.2} ms  p99 {:>8.2} ms", ms(half), ms(most));
    [half, most]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
