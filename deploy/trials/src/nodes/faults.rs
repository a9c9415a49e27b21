//! What is taken away while people pay, and that it costs time and nothing else.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Street, charged_once, shared::cancelled_on_b};
use crate::{
    api::{Door, text},
    scenarios::people::{Customer, Office, scheme_record},
    shop::Shop,
    wait::{PATIENCE, until},
};

/// Cashiers on each node.
const CASHIERS: usize = 2;

pub async fn pushed_without_redis(street: &mut Street) -> Result<()> {
    street.redis.kill()?;
    street.redis_is("down").await?;
    let pushed = cancelled_on_b(street).await;
    street.redis.restart().await?;
    street.redis_is("up").await?;
    pushed.map(drop)
}

/// 93: the scheme carries it out and never answers, so B sits between "sent" and "answered" when it dies.
pub async fn node_killed(street: &mut Street) -> Result<()> {
    let customer = Customer::of(&street.shop)?;
    let [_, b] = street.offices()?;
    let body = Office::of(&street.shop)?.charge_body(&street.shop, 2293, &customer.shows_code().await?)?;
    let sent = tokio::spawn({
        let body = body.clone();
        async move { b.post("/v1/payments", &body, "killed-on-b").await }
    });
    let scheme = street.shop.scheme()?;
    let payment = until("the scheme to have charged", || async {
        let orders = scheme.get("/admin/orders").await?;
        let mut ours = orders.as_array().into_iter().flatten().map(scheme_record);
        let order = ours.find(|order| order["amount_minor"] == 2293 && order["charged"] == 1);
        Ok(order.and_then(|order| order["order_number"].as_str().map(str::to_owned)))
    })
    .await?;
    street.b.take().context("core B is not running")?.kill().await?;
    ensure!(sent.await?.is_err(), "B answered before it was killed: the moment was missed");
    // A finds it, alone.
    Office::of(&street.shop)?.sees(&payment, "succeeded").await?;
    let again = street.shop.office()?.post("/v1/payments", &body, "killed-on-b").await?;
    ensure!(again["id"] == payment.as_str(), "the same key is another payment: {again}");
    charged_once(&street.shop, &payment).await?;
    street.start_b().await?;
    street.redis_is("up").await
}

/// Cashiers who charge on both nodes until told to stop, each wish until it is answered with success.
struct Load<'a> {
    shop: &'a Shop,
    offices: [Door; 2],
    /// Whether the nodes may say that they cannot (503), and be asked again.
    patient: bool,
    stop: AtomicBool,
    number: AtomicU64,
    paid: AtomicU64,
}

struct Done {
    /// With each, whether a node could not say what became of it: it may then have stopped before it asked the scheme.
    payments: Vec<(String, bool)>,
    slowest: Duration,
    refused: usize,
}

impl<'a> Load<'a> {
    async fn run(&self, name: &str) -> Result<Done> {
        let cashiers = (0..2 * CASHIERS).map(|cashier| self.cashier(name, cashier));
        let mut done = Done { payments: Vec::new(), slowest: Duration::ZERO, refused: 0 };
        for each in try_join_all(cashiers).await? {
            done.payments.extend(each.payments);
            done.slowest = done.slowest.max(each.slowest);
            done.refused += each.refused;
        }
        Ok(done)
    }

    async fn cashier(&self, name: &str, cashier: usize) -> Result<Done> {
        let (customer, office) = (Customer::of(self.shop)?, Office::of(self.shop)?);
        let mut done = Done { payments: Vec::new(), slowest: Duration::ZERO, refused: 0 };
        while !self.stop.load(Ordering::Relaxed) {
            let key = format!("{name}-{}", self.number.fetch_add(1, Ordering::Relaxed));
            let body = office.charge_body(self.shop, 1700, &customer.shows_code().await?)?;
            let (started, mut at, mut doubted) = (Instant::now(), cashier, false);
            let payment = loop {
                let reply = self.offices[at % 2].call(Method::POST, "/v1/payments", Some(&body), Some(&key)).await?;
                if reply.status.is_success() {
                    break text(&reply.body, "/id")?;
                }
                let clear = reply.status == StatusCode::SERVICE_UNAVAILABLE
                    && ["unavailable", "outcome_unknown"].contains(&reply.problem()?);
                ensure!(self.patient && clear, "{key}: {reply:?}");
                ensure!(started.elapsed() < PATIENCE, "{key} was refused for {PATIENCE:?}");
                // The other node, with the same key.
                (at, done.refused, doubted) = (at + 1, done.refused + 1, true);
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            done.slowest = done.slowest.max(started.elapsed());
            done.payments.push((payment, doubted));
            self.paid.fetch_add(1, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// Waits until every cashier has begun and ended a sale from now on.
    async fn goes_on(&self) -> Result<()> {
        let before = self.paid.load(Ordering::Relaxed);
        // As many as there are cashiers had begun already.
        let enough = before + 4 * CASHIERS as u64;
        until("payments to go on", || async { Ok((self.paid.load(Ordering::Relaxed) >= enough).then_some(())) }).await
    }

    /// Each was charged once, is paid on core, and none is there twice.
    async fn check(&self, done: &Done) -> Result<()> {
        ensure!(!done.payments.is_empty(), "nobody paid");
        let mut once = done.payments.clone();
        once.sort();
        once.dedup_by(|a, b| a.0 == b.0);
        ensure!(once.len() == done.payments.len(), "two wishes are one payment");
        for (payment, doubted) in &once {
            if *doubted {
                self.ends(payment).await?;
            } else {
                Office::of(self.shop)?.sees(payment, "succeeded").await?;
                charged_once(self.shop, payment).await?;
            }
        }
        Ok(())
    }

    /// Paid and charged once; or, if the node's database was gone before the scheme heard of it, reversed and not charged.
    async fn ends(&self, payment: &str) -> Result<()> {
        let office = Office::of(self.shop)?;
        let state = until(&format!("core to come to an end with {payment}"), || async {
            let state = text(&office.payment(payment).await?, "/state")?;
            Ok(["succeeded", "reversed"].contains(&state.as_str()).then_some(state))
        })
        .await?;
        if state == "succeeded" {
            return charged_once(self.shop, payment).await;
        }
        let order = Customer::of(self.shop)?.scheme_order(payment).await?.unwrap_or_default();
        let times = |what: &str| order[what].as_u64().unwrap_or(0);
        ensure!(times("charged") == times("reversed"), "reversed here, and the scheme keeps the money: {order}");
        Ok(())
    }
}

/// Plays `trouble` while cashiers charge, lets them go on for a moment after it, and looks at what they did.
async fn under_load(
    (shop, offices): (&Shop, [Door; 2]),
    name: &str,
    patient: bool,
    trouble: impl AsyncFnOnce(&Load<'_>) -> Result<()>,
) -> Result<Done> {
    let (stop, number, paid) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let load = Load { shop, offices, patient, stop, number, paid };
    let troubled = async {
        let happened = trouble(&load).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        load.stop.store(true, Ordering::Relaxed);
        happened
    };
    let (done, happened) = tokio::join!(load.run(name), troubled);
    happened?;
    let done = done?;
    load.check(&done).await?;
    eprintln!("      {name}: {} payments, slowest {:?}, refused {}", done.payments.len(), done.slowest, done.refused);
    Ok(done)
}

pub async fn redis(street: &mut Street) -> Result<()> {
    let offices = || street.offices();
    under_load((&street.shop, offices()?), "redis-emptied", false, async |_| {
        for _ in 0..5 {
            street.redis.command("FLUSHALL")?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    })
    .await?;
    under_load((&street.shop, offices()?), "redis-paused", false, async |_| {
        street.redis.command("CLIENT PAUSE 3000 ALL")?;
        street.redis_is("down").await?;
        street.redis_is("up").await
    })
    .await?;
    under_load((&street.shop, offices()?), "redis-frozen", false, async |load| {
        street.redis.freeze()?;
        street.redis_is("down").await?;
        // Nobody waits for it.
        let went_on = load.goes_on().await;
        street.redis.thaw()?;
        went_on?;
        street.redis_is("up").await
    })
    .await?;
    street.redis.kill()?;
    let without =
        under_load((&street.shop, street.offices()?), "redis-gone", false, async |_| street.redis_is("down").await)
            .await;
    street.redis.restart().await?;
    without?;
    street.redis_is("up").await
}

pub async fn postgres(street: &mut Street) -> Result<()> {
    let offices = street.offices()?;
    let Street { shop, postgres, .. } = street;
    let done = under_load((shop, offices), "postgres", true, async |_| {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            postgres.crash_and_restart().await?;
        }
        Ok(())
    })
    .await?;
    ensure!(done.refused > 0 || done.slowest > Duration::from_millis(100), "nobody noticed");
    street.redis_is("up").await
}

pub async fn books(street: &mut Street) -> Result<()> {
    let checked = std::process::Command::new(street.shop.premises.programs.join("saoma"))
        .args(["ledger", "check"])
        .env("SAOMA_DATA_DIR", street.shop.premises.folder.join("core"))
        .env("SAOMA_DATABASE__URL", street.postgres.url())
        .output()?;
    if !checked.status.success() {
        bail!("saoma ledger check: {}", String::from_utf8_lossy(&checked.stderr));
    }
    let scheme = street.shop.scheme()?.get("/admin/orders").await?;
    for order in scheme.as_array().context("no orders")?.iter().map(scheme_record) {
        ensure!(order["charged"].as_i64() <= Some(1), "charged twice: {order}");
    }
    let unpaid = json!([]);
    let open = street.shop.office()?.get("/v1/payments?state=unknown&limit=10").await?;
    ensure!(open["items"] == unpaid, "still unknown: {open}");
    Ok(())
}
