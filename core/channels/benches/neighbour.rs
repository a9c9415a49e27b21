//! What a merchant feels while others' plugins rage: calls of the sandbox wallet, alone, and while calls of a hostile plugin loop, hoard,
//! recurse, crash and flood the log, the store and the host's cipher without a pause in all the places that they can have.
//!
//! One line each: `channels/neighbour call alone_p50_ms=… alone_p99_ms=… raging_p50_ms=… raging_p99_ms=… ratio_p50=…`: a fresh call that only
//! runs (a notification that nobody signed), and a charge whose scheme takes [`SCHEME_MS`]. It fails if either is slowed down more than
//! [`RATIO_MAX`] times.

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use saoma_channels::{Account, CallsMax, ChannelCaller as _, Host, HostConfig, HttpMessage, Order, Secrets};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, StoreId, TenantId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

/// What a neighbour's latency (p50) may become, as a multiple of what it is alone.
const RATIO_MAX: f64 = 2.0;
/// A scheme's usual answer.
const SCHEME_MS: u64 = 200;
const CHARGES: usize = 50;
/// Before each charge, since they take next to no time.
const CALLS_PER_CHARGE: usize = 10;
/// As many as the hostile tenant has places in a host of [`CALLS`].
const RAGING: usize = 16;
const CALLS: u32 = 256;
const MODES: [&str; 8] = ["loop", "loop", "memory", "recursion", "trap", "log-flood", "kv-flood", "sign-flood"];

// As core: a thread for each processor, which serve everything but plugins' own code.
#[tokio::main]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let calls_max = CallsMax::of(CALLS);
    let config =
        HostConfig { allow_private_addresses: true, calls_max, ..HostConfig::new(folder.path().join("cache")) };
    let host = Arc::new(Host::new(config).expect("the host starts"));
    let plugins = std::env::var_os("SAOMA_PLUGINS_DIR").map_or_else(|| PathBuf::from("target/plugins"), PathBuf::from);
    for name in ["sandbox", "hostile"] {
        let component =
            std::fs::read(plugins.join(format!("{name}.wasm"))).expect("a component: `cargo xtask plugins`");
        host.install(&component).await.expect("installs");
    }
    let scheme = slow_scheme().await;
    let wallet = account("sandbox", 1, &format!(r#"{{"base_url":"{scheme}","merchant_id":"m-1"}}"#));
    let alone = measured(&host, &wallet).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut raging = JoinSet::new();
    for nth in 0..RAGING {
        let (host, is_over) = (Arc::clone(&host), Arc::clone(&is_over));
        let account = account("hostile", 2, &format!(r#"{{"mode":"{}"}}"#, MODES[nth % MODES.len()]));
        raging.spawn(async move {
            let mut ended = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                // A flood that the host has dammed up is answered; the others end in their failures.
                let _ = host.charge(&account, &order(), "770000000000000000").await;
                ended += 1;
            }
            ended
        });
    }
    let beside = measured(&host, &wallet).await;
    is_over.store(true, Ordering::Relaxed);
    let ended: u32 = raging.join_all().await.into_iter().sum();
    let mut is_slowed = false;
    for ((name, alone), beside) in ["call", "charge"].into_iter().zip(alone).zip(beside) {
        let ratio = beside.0 / alone.0;
        println!(
            "channels/neighbour {name} alone_p50_ms={:.3} alone_p99_ms={:.3} raging_p50_ms={:.3} raging_p99_ms={:.3} ratio_p50={ratio:.2} \
             ratio_p99={:.2} raging={RAGING} ended={ended}",
            alone.0,
            alone.1,
            beside.0,
            beside.1,
            beside.1 / alone.1,
        );
        if ratio > RATIO_MAX {
            eprintln!("channels/neighbour {name}: a neighbour is slowed down {ratio:.2} times; at most {RATIO_MAX}");
            is_slowed = true;
        }
    }
    if is_slowed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// p50 and p99 in milliseconds, of calls that only run and of charges.
async fn measured(host: &Host, account: &Account) -> [(f64, f64); 2] {
    let unsigned = HttpMessage { headers: Vec::new(), body: vec![b'{'; 512] };
    let (order, mut calls, mut charges) = (order(), Vec::new(), Vec::new());
    for _ in 0..CHARGES {
        for _ in 0..CALLS_PER_CHARGE {
            let began = Instant::now();
            host.parse_notification(account, &unsigned).await.expect_err("nobody signed it");
            calls.push(began.elapsed());
        }
        let began = Instant::now();
        host.charge(account, &order, "881234567890123456").await.expect_err("that was no answer");
        charges.push(began.elapsed());
    }
    [calls, charges].map(|mut spans| {
        spans.sort_unstable();
        let at = |percent: usize| spans[spans.len() * percent / 100].as_secs_f64() * 1e3;
        (at(50), at(99))
    })
}

/// Takes its time, and says nothing that anybody believes.
async fn slow_scheme() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                tokio::time::sleep(Duration::from_millis(SCHEME_MS)).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            });
        }
    });
    format!("http://{address}")
}

fn account(channel: &str, tenant: u8, settings: &str) -> Account {
    Account {
        id: ChannelAccountId::from_bytes([tenant; 16]),
        tenant: TenantId::from_bytes([tenant; 16]),
        channel: channel.to_owned(),
        package: None,
        settings_json: settings.to_owned(),
        secrets: Secrets::none()
            .with("merchant-key", b"correct horse battery staple")
            .with("signing-key", include_str!("../tests/keys/merchant-pkcs8.pem")),
        notify_url: String::new(),
    }
}

fn order() -> Order {
    Order {
        number: PaymentId::from_bytes([7; 16]),
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
