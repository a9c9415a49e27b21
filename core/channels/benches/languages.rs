//! What the language of a channel costs: the same channel as every component of it in `SAOMA_PLUGINS_DIR`.
//!
//! One line each: the component's size, compiling it, loading it precompiled, a call of a fresh instance (one signed notification
//! of about 512 bytes: sign-text, HMAC by the host, JSON) against the same code called natively, and what one call holds of memory while
//! its scheme does not answer.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::{
    fs,
    hint::black_box,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use measure::{SAMPLES, SAMPLES_SLOW, component, natively, notification, percentiles};
use saoma_channels::{Account, CallsMax, ChannelCaller as _, Host, HostConfig, MemoryMax, Order, Origin};
use saoma_protocol::{Amount, Currency, Millis, PaymentId, StoreId};
use tokio::{runtime::Runtime, task::JoinSet};

/// The components of one and the same channel.
const COMPONENTS: [&str; 3] = ["sandbox", "sandbox-js", "sandbox-python"];

/// Calls that wait at once, so that the memory of one stands out from the host's own; `SAOMA_BENCH_HELD` says otherwise, and whoever
/// asks for thousands raises the limit on open files to twice as many first.
const HELD: u32 = 32;

/// For all of them to have sent their request, and well within the call's own time.
const SENT_WITHIN: Duration = Duration::from_secs(4);

fn main() {
    COMPONENTS.iter().for_each(|name| measure(name, &component(name)));
}

fn measure(name: &str, component: &[u8]) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let held_max = std::env::var("SAOMA_BENCH_HELD").map_or(HELD, |text| text.parse().expect("a number of calls"));
    let defaults = HostConfig::new(folder.path().join("cache"));
    let config = HostConfig {
        allow_private_addresses: true,
        calls_max: CallsMax {
            in_all: held_max,
            per_plugin: held_max,
            per_tenant: held_max,
            per_tenant_of_plugin: held_max,
        },
        // Eight times as much, since a tenant has an eighth.
        memory_max: MemoryMax::of(defaults.memory_bytes_max.saturating_mul(held_max as usize).saturating_mul(8)),
        ..defaults
    };
    let installed = |origin: Origin| {
        let host = Host::new(config.clone()).expect("the host starts");
        let began = Instant::now();
        let plugin = runtime.block_on(host.install(component)).expect("installs");
        assert_eq!(plugin.origin(), origin);
        (host, plugin.manifest().id.clone(), began.elapsed())
    };
    let (_, _, compiled) = installed(Origin::Compiled);
    let (host, channel, loaded) = installed(Origin::Cache);
    let (account, message) = (account(channel, "https://wallet.example"), notification());
    let read = || drop(black_box(runtime.block_on(host.parse_notification(&account, &message)).expect("genuine")));
    let (p50, p99) = percentiles(SAMPLES_SLOW, read);
    let (native_p50, native_p99) = percentiles(SAMPLES, || drop(black_box(natively(&message))));
    let held_mib = held(&runtime, Arc::new(host), &account, held_max);
    println!(
        "channels/languages {name} bytes={} compile_ms={} load_us={} call_p50_us={p50:.0} call_p99_us={p99:.0} native_p50_us={native_p50:.2} \
         native_p99_us={native_p99:.2} held_mib={held_mib:.2} of={held_max}",
        component.len(),
        compiled.as_millis(),
        loaded.as_micros(),
    );
}

/// What one of `calls` holds while their scheme does not answer, in MiB of memory (proportional set size).
fn held(runtime: &Runtime, host: Arc<Host>, account: &Account, calls: u32) -> f64 {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let account = self::account(account.channel.clone(), &format!("http://{}", silent.local_addr().expect("a port")));
    let taken = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&taken);
    thread::spawn(move || {
        let count = |_: &TcpStream| _ = counter.fetch_add(1, Ordering::Relaxed);
        // Kept, or the calls would be over.
        silent.incoming().map_while(Result::ok).inspect(count).collect::<Vec<_>>()
    });
    let before = proportional_mib();
    runtime.block_on(async {
        let mut waiting = JoinSet::new();
        for n in 0..calls {
            let (host, account, order) = (Arc::clone(&host), account.clone(), order(n));
            waiting.spawn(async move { host.charge(&account, &order, "881234567890123456").await });
        }
        let deadline = Instant::now() + SENT_WITHIN;
        while taken.load(Ordering::Relaxed) < calls && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let held_mib = proportional_mib() - before;
        let taken = taken.load(Ordering::Relaxed);
        if taken < calls {
            let why = waiting.try_join_next().map(|over| over.expect("no panic").err());
            eprintln!("{taken} of {calls} calls reached their scheme; the first that is over: {why:?}");
        }
        held_mib / f64::from(taken.max(1))
    })
}

/// Pages of a component's image that all calls share count once for each in the resident size, and once in this one.
fn proportional_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a proportional size");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1_024.0
}

fn account(channel: String, base_url: &str) -> Account {
    measure::account(channel, format!(r#"{{"base_url":"{base_url}","merchant_id":"m-1"}}"#))
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
