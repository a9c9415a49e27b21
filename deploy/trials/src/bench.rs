//! What the whole system does on this machine, each figure beside one it can be compared with in the same run.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::shop::{Premises, Shop};

/// Cashiers that charge at the same time: enough to keep two cores busy, few enough to be a shop.
const CASHIERS: usize = 16;
const LOAD: Duration = Duration::from_secs(10);

pub async fn run(premises: Premises, charges_per_s: Option<f64>) -> Result<()> {
    Shop::forget(&premises)?;
    let programs = premises.programs.clone();
    let started = Instant::now();
    let mut shop = Shop::open(premises).await?;
    println!("shop: nothing to open (cold)         {:>10.0} ms", started.elapsed().as_secs_f64() * 1e3);
    shop.till_is_online().await?;
    start_up_and_memory(&mut shop).await?;
    let rate = payments_per_second(&shop).await?;
    if let Some(charges_per_s) = charges_per_s {
        println!("payments against those commits alone {:>10.2}", rate / charges_per_s);
    }
    let size = std::fs::metadata(programs.join("saoma-edge"))?.len();
    println!("terminal's stripped binary           {:>10.1} MB", size as f64 / 1e6);
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

/// Charges through a channel that answers at once, so that what is measured is ours.
async fn payments_per_second(shop: &Shop) -> Result<f64> {
    let (office, made) = (shop.office()?, shop.made()?.clone());
    let (next, until) = (AtomicU64::new(0), Instant::now() + LOAD);
    let cashiers = (0..CASHIERS).map(|_| async {
        let mut took = Vec::new();
        while Instant::now() < until {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let body = json!({
                "amount": {"minor": 100, "currency": "CNY"},
                "presentation": {"kind": "customer", "code": format!("77{number:016}")},
                "channel_account": made.honest,
                "store": made.store,
            });
            let started = Instant::now();
            let payment = office.post("/v1/payments", &body, &format!("bench-{number}")).await?;
            ensure!(payment["state"] == "succeeded", "{payment}");
            took.push(started.elapsed());
        }
        Ok(took)
    });
    let began = Instant::now();
    let mut took: Vec<Duration> = try_join_all(cashiers).await?.concat();
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).map_or(0.0, |took| took.as_secs_f64() * 1e3);
    println!(
        "payments over HTTP, {CASHIERS} at once       {rate:>10.0} /s   p50 {:.1} ms  p99 {:.1} ms",
        at(0.5),
        at(0.99)
    );
    let (core, _) = shop.process_ids()?;
    println!("core: resident memory, after load    {:>10.1} MB", resident_mb(core)?);
    Ok(rate)
}

fn resident_mb(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
