//! What terminal and core do together: how fast a journal syncs that has grown while core was away, and how long it takes from
//! the customer's "pay" until the till says received. (What a terminal does alone is `edge-agent/benches/terminal.rs`.)

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use saoma_edge::simulate::figures::percentile;
use serde_json::{Value, json};

use crate::{
    api::text,
    scenarios::people::{Cashier, Customer},
    shop::Shop,
};

/// Sales while core is away: enough that the rate is not that of the first batches.
const OFFLINE: usize = 2_000;
const PAID: usize = 50;
/// How long the journal may take to be with core, and a payment to be seen.
const PATIENCE: Duration = Duration::from_secs(300);
/// How close the till is looked at: what is measured is some tens of milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub async fn run(shop: &mut Shop) -> Result<()> {
    sync_rate(shop).await?;
    pay_to_received(shop).await
}

async fn sync_rate(shop: &mut Shop) -> Result<()> {
    let till = shop.till()?;
    shop.stop_core().await?;
    for number in 0..OFFLINE {
        let body = json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000});
        till.post("/api/sales", &body, &format!("bench-offline-{number}")).await?;
    }
    let through = |state: &Value| state["sync"]["through"].as_u64().context("no sync.through");
    let before = through(&till.get("/api/state").await?)?;
    shop.start_core().await?;
    // From the first entry that core takes: until then the terminal waits between two attempts to reach it.
    let mut began = None;
    let waited = Instant::now();
    loop {
        ensure!(waited.elapsed() < PATIENCE, "the journal was not synced within {PATIENCE:?}");
        let state = till.get("/api/state").await?;
        let came = through(&state)? - before;
        if came > 0 && began.is_none() {
            began = Some((Instant::now(), came));
        }
        if let Some((first_at, first)) = began.filter(|_| state["unsent"]["count"] == 0) {
            let rate = (came - first) as f64 / first_at.elapsed().as_secs_f64();
            println!("terminal: journal synced to core     {rate:>10.0} entries/s, of {came}");
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Over MQTT, which must be there: over HTTPS the till asks every other second.
async fn pay_to_received(shop: &Shop) -> Result<()> {
    let (till, cashier, customer) = (shop.till()?, Cashier::of(shop)?, Customer::of(shop)?);
    crate::wait::until("the till to be at the broker", || async {
        Ok((till.get("/api/state").await?["link"]["mqtt"] == true).then_some(()))
    })
    .await?;
    let mut took = Vec::new();
    for _ in 0..PAID {
        let payment = cashier.sell_by_code(1250).await?;
        let shown = cashier.sees(&payment, "presenting").await?;
        let (_, page) = customer.opens(&text(&shown, "/code_url")?).await?;
        let token = Customer::wallet_token(&page)?;
        let began = Instant::now();
        let paid = customer.pays(&token).await?;
        ensure!(paid.status.is_success(), "the wallet says {}", paid.body);
        let path = format!("/api/sales/{payment}");
        while till.get(&path).await?["paid"] != true {
            ensure!(began.elapsed() < PATIENCE, "{payment} was paid, and the till never said so");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let [half, most] = [50, 99].map(|percent| percentile(&took, percent).as_secs_f64() * 1e3);
    println!("customer's pay to the till's received   p50 {half:.1} ms  p99 {most:.1} ms, of {PAID} over MQTT");
    Ok(())
}
