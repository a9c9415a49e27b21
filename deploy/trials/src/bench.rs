//! What the whole system does on this machine, each figure beside one it can be compared with in the same run.

pub mod nodes;
mod statements;
mod terminal;

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{
    api::Door,
    shop::{Merchant, Premises, Shop},
};

/// Cashiers that charge at the same time: enough to keep two cores busy, few enough to be a shop.
const CASHIERS: usize = 16;
const LOAD: Duration = Duration::from_secs(10);
static FIRST: AtomicU64 = AtomicU64::new(0);

pub async fn run(premises: Premises, charges_per_s: Option<f64>) -> Result<()> {
    Shop::forget(&premises)?;
    let started = Instant::now();
    let mut shop = Shop::open(premises).await?;
    println!("shop: nothing to open (cold)         {:>10.0} ms", started.elapsed().as_secs_f64() * 1e3);
    shop.till_is_online().await?;
    start_up_and_memory(&mut shop).await?;
    let rate = payments_per_second(&shop).await?;
    if let Some(charges_per_s) = charges_per_s {
        println!("payments against those commits alone {:>10.2}", rate / charges_per_s);
    }
    terminal::run(&mut shop).await?;
    shop.close().await
}

async fn start_up_and_memory(shop: &mut Shop) -> Result<()> {
    shop.stop_core().await?;
    let started = Instant::now();
    shop.start_core().await?;
    println!("core: start to ready (warm)          {:>10.0} ms", started.elapsed().as_secs_f64() * 1e3);
    shop.kill_terminal().await?;
    let started = Instant::now();
    shop.start_terminal().await?;
    println!("terminal: start to ready             {:>10.0} ms", started.elapsed().as_secs_f64() * 1e3);
    shop.till_is_online().await?;
    let (core, terminal) = shop.process_ids()?;
    println!("core: resident memory, idle          {:>10.1} MB", resident_mb(core)?);
    println!("terminal: resident memory, till open {:>10.1} MB", resident_mb(terminal)?);
    Ok(())
}

async fn payments_per_second(shop: &Shop) -> Result<f64> {
    let offices = [Office::at(shop.core()?, &shop.opens_another(1).await?)];
    let measured = charges(&offices, "bench", CASHIERS, None).await?;
    println!(
        "payments over HTTP, {CASHIERS} at once       {:>10.0} /s   p50 {:.1} ms  p99 {:.1} ms (a merchant without rules)",
        measured.rate, measured.p50_ms, measured.p99_ms
    );
    Ok(measured.rate)
}

struct Measured {
    /// Payments in a second.
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A merchant's own back office at one node.
#[derive(Clone)]
struct Office {
    door: Door,
    of: Merchant,
}

impl Office {
    fn at(node: Door, of: &Merchant) -> Self {
        Self { door: node.with("authorization", format!("Bearer {}", of.api_key)), of: of.clone() }
    }
}

/// Charges through a channel that answers at once, so that what is measured is ours: `cashiers` at once, each in one of the
/// offices in turn, for [`LOAD`] or until there are so many.
async fn charges(offices: &[Office], run: &str, cashiers: usize, most: Option<usize>) -> Result<Measured> {
    let (next, until) = (AtomicU64::new(0), Instant::now() + LOAD);
    let most = most.map_or(u64::MAX, |most| most as u64);
    // Codes of this run that no other run has.
    let first = FIRST.fetch_add(1_000_000, Ordering::Relaxed);
    let cashiers = (0..cashiers).map(|cashier| {
        let (next, office) = (&next, &offices[cashier % offices.len()]);
        async move {
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most || Instant::now() >= until {
                    return anyhow::Ok(took);
                }
                let body = json!({
                    "amount": {"minor": 100, "currency": "CNY"},
                    "presentation": {"kind": "customer", "code": format!("77{:016}", first + number)},
                    "channel_account": office.of.honest,
                    "store": office.of.store,
                });
                let started = Instant::now();
                let payment = office.door.post("/v1/payments", &body, &format!("{run}-{number}")).await?;
                ensure!(payment["state"] == "succeeded", "{payment}");
                took.push(started.elapsed());
            }
        }
    });
    let began = Instant::now();
    let mut took: Vec<Duration> = try_join_all(cashiers).await?.concat();
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).map_or(0.0, |took| took.as_secs_f64() * 1e3);
    Ok(Measured { rate, p50_ms: at(0.5), p99_ms: at(0.99) })
}

fn resident_mb(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
