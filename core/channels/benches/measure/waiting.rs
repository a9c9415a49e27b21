//! Calls that wait for a scheme which does not answer, and what they hold of memory meanwhile.
//!
//! The scheme is another process, so that its ends of the connections take neither memory nor open files of the one that is measured.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use saoma_channels::{CallsMax, ChannelCaller as _, Host, HostConfig, MemoryMax, Order};
use saoma_protocol::{Amount, Currency, Millis, PaymentId, StoreId};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpSocket,
    runtime::{self, Runtime},
    task::JoinSet,
};

/// With this argument the bench is the scheme.
const SCHEME: &str = "silent-scheme";

/// For all of them to have sent their request, and within the call's own time.
const SENT_WITHIN: Duration = Duration::from_secs(4);

/// What the calls that wait hold, all together.
pub struct Waiting {
    pub calls: u32,
    /// Proportional set size, in MiB: what this process has more than before them.
    pub held_mib: f64,
    /// What the kernel maps it with, which no set size has in it.
    pub page_tables_mib: f64,
    /// Until the last of them had sent its request.
    pub sent_within: Duration,
}

/// With places for so many calls of one merchant.
pub fn config(cache: &std::path::Path, calls: u32) -> HostConfig {
    let defaults = HostConfig::new(cache);
    HostConfig {
        allow_private_addresses: true,
        calls_max: CallsMax { in_all: calls, per_plugin: calls, per_tenant: calls, per_tenant_of_plugin: calls },
        // Eight times as much, since a tenant has an eighth.
        memory_max: MemoryMax::of(defaults.memory_bytes_max.saturating_mul(calls as usize).saturating_mul(8)),
        ..defaults
    }
}

/// Has so many charges wait at once.
pub fn measure(runtime: &Runtime, host: &Arc<Host>, channel: &str, calls: u32) -> Waiting {
    let scheme = Scheme::start();
    let settings = format!(r#"{{"base_url":"http://{}","merchant_id":"m-1"}}"#, scheme.address);
    let account = super::account(channel.to_owned(), settings);
    let (pss, tables) = (kib("smaps_rollup", "Pss:"), kib("status", "VmPTE:"));
    runtime.block_on(async {
        let (mut waiting, began) = (JoinSet::new(), Instant::now());
        for n in 0..calls {
            let (host, account, order) = (Arc::clone(host), account.clone(), order(n));
            waiting.spawn(async move { host.charge(&account, &order, "881234567890123456").await });
        }
        while scheme.asked.load(Ordering::Relaxed) < calls && began.elapsed() < SENT_WITHIN {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (sent_within, asked) = (began.elapsed(), scheme.asked.load(Ordering::Relaxed));
        let mib = |now: f64, before: f64| (now - before) / 1_024.0;
        let held_mib = mib(kib("smaps_rollup", "Pss:"), pss);
        let page_tables_mib = mib(kib("status", "VmPTE:"), tables);
        let over = waiting.try_join_next().map(|over| over.expect("no panic").err());
        if asked < calls || over.is_some() {
            eprintln!("{asked} of {calls} calls reached their scheme; the first that is over: {over:?}");
        }
        Waiting { calls: asked, held_mib, page_tables_mib, sent_within }
    })
}

/// For the beginning of a bench's `main`: whether it is the scheme, and was that until it was killed.
pub fn was_scheme() -> bool {
    let is_scheme = std::env::args().any(|argument| argument == SCHEME);
    if is_scheme {
        let runtime = runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(keep_silent());
    }
    is_scheme
}

/// Takes requests, and writes a dot for each.
async fn keep_silent() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(4_096).expect("it listens");
    println!("{}", listener.local_addr().expect("an address"));
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            let mut out = std::io::stdout();
            let _ = out.write_all(b".").and_then(|()| out.flush());
            // Kept, or the call would be over.
            while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {}
        });
    }
}

struct Scheme {
    child: Child,
    address: String,
    asked: Arc<AtomicU32>,
}

impl Scheme {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a program");
        let mut child = Command::new(program).arg(SCHEME).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut address = String::new();
        out.read_line(&mut address).expect("an address");
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            out.bytes().map_while(Result::ok).for_each(|_| _ = counter.fetch_add(1, Ordering::Relaxed))
        });
        Self { child, address: address.trim().to_owned(), asked }
    }
}

impl Drop for Scheme {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many files this process may have open at once.
pub fn open_files_max() -> u32 {
    let limits = fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the kernel tells it");
    line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(u32::MAX)
}

/// Of a file of `/proc/self`. Pages that several map count in the resident size once for each of them, and in the proportional
/// one once.
fn kib(file: &str, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn order(n: u32) -> Order {
    Order {
        number: PaymentId::from_bytes(u128::from(n).to_be_bytes()),
        amount: Amount::new(1_250, Currency::CNY).expect("an amount"),
        subject: "Coffee".to_owned(),
        merchant_name: "Corner Shop".to_owned(),
        store_name: "Main Street".to_owned(),
        store: StoreId::from_bytes([6; 16]),
        terminal: None,
        terminal_name: String::new(),
        created_at: Millis(1_700_000_000_000),
        expires_at: Millis(1_700_000_120_000),
    }
}
