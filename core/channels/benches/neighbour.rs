//! What a merchant feels while others' plugins rage: calls of the sandbox wallet, alone, and while calls of a hostile plugin loop, hoard,
//! recurse and crash without a pause in all the places that they can have.
//!
//! One line each: `channels/neighbour call alone_p50_ms=… alone_p99_ms=… raging_p50_ms=… raging_p99_ms=… ratio_p50=…`: a fresh call that only
//! runs (a signed notification), and a charge whose scheme takes [`SCHEME_MS`].

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use saoma_channels::{Account, ChannelCaller as _, Host, HostConfig, HttpMessage, Order, Secrets};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, StoreId, TenantId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

/// A scheme's usual answer.
const SCHEME_MS: u64 = 200;
const CALLS: usize = 50;
/// As many as the hostile tenant has places.
const RAGING: usize = 16;
const MODES: [&str; 5] = ["loop", "loop", "memory", "recursion", "trap"];

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = HostConfig { allow_private_addresses: true, ..HostConfig::new(folder.path().join("cache")) };
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
        let mode = MODES[nth % MODES.len()];
        let account = account("hostile", 2, &format!(r#"{{"mode":"{mode}"}}"#));
        raging.spawn(async move {
            let mut ended = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                host.charge(&account, &order(), "770000000000000000").await.expect_err("it ends in its failure");
                ended += 1;
            }
            ended
        });
    }
    let beside = measured(&host, &wallet).await;
    is_over.store(true, Ordering::Relaxed);
    let ended: u32 = raging.join_all().await.into_iter().sum();
    for ((name, alone), beside) in ["call", "charge"].into_iter().zip(alone).zip(beside) {
        println!(
            "channels/neighbour {name} alone_p50_ms={:.2} alone_p99_ms={:.2} raging_p50_ms={:.2} raging_p99_ms={:.2} ratio_p50={:.2} \
             ratio_p99={:.2} of={CALLS} raging={RAGING} ended={ended}",
            alone.0,
            alone.1,
            beside.0,
            beside.1,
            beside.0 / alone.0,
            beside.1 / alone.1,
        );
    }
}

/// p50 and p99 in milliseconds, of calls that only run and of charges.
async fn measured(host: &Host, account: &Account) -> [(f64, f64); 2] {
    let unsigned = HttpMessage { headers: Vec::new(), body: vec![b'{'; 512] };
    let (order, mut calls, mut charges) = (order(), Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let began = Instant::now();
        host.parse_notification(account, &unsigned).await.expect_err("nobody signed it");
        calls.push(began.elapsed());
        let began = Instant::now();
        host.charge(account, &order, "881234567890123456").await.expect_err("that was no answer");
        charges.push(began.elapsed());
    }
    [calls, charges].map(|mut spans| {
        spans.sort_unstable();
        let at = |percent: usize| spans[CALLS * percent / 100].as_secs_f64() * 1e3;
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
        secrets: Secrets::none().with("merchant-key", b"correct horse battery staple"),
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
