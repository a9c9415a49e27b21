//! `saoma-demo nodes`: two cores on one PostgreSQL and one Redis, with one terminal, and all that can be taken from them.

mod faults;
mod shared;

use std::{future::Future, pin::Pin, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::{
    api::{Door, text},
    process::Process,
    report::{self, Outcome},
    secrecy,
    servers::{Postgres, Redis},
    shop::{DEMO_PASSWORD, OWNER_EMAIL, Premises, Shop},
    wait::until,
};

/// The shop with its core A, and beside it core B and what both stand on.
pub struct Street {
    pub shop: Shop,
    pub b: Option<Process>,
    pub postgres: Postgres,
    pub redis: Redis,
}

type Play<'street> = Pin<Box<dyn Future<Output = Result<()>> + 'street>>;
type Scenario = (&'static str, for<'street> fn(&'street mut Street) -> Play<'street>);

const SCENARIOS: &[Scenario] = &[
    ("a node with another master key or CA is refused", |street| Box::pin(shared::strangers(street))),
    ("requests alternate between the nodes", |street| Box::pin(shared::alternate(street))),
    ("sessions, refresh and sign-out hold on both nodes", |street| Box::pin(shared::sessions(street))),
    ("refunds and voids at once on both nodes give back what is left", |street| Box::pin(shared::back_at_once(street))),
    ("the same key at once on both nodes charges once", |street| Box::pin(shared::same_key(street))),
    ("a repeat is answered from Redis, and from the database once it is emptied", |street| {
        Box::pin(shared::repeated(street))
    }),
    ("guesses are counted on all nodes together", |street| Box::pin(shared::guesses(street))),
    ("requests are counted on all nodes together", |street| Box::pin(shared::too_many(street))),
    ("news of one node on the live view of the other", |street| Box::pin(shared::news(street))),
    ("a push made on B reaches the terminal on A", |street| Box::pin(shared::pushed(street))),
    ("the same without Redis", |street| Box::pin(faults::pushed_without_redis(street))),
    ("a node killed with a payment in flight", |street| Box::pin(faults::node_killed(street))),
    ("Redis killed, restarted, emptied, paused, frozen under load", |street| Box::pin(faults::redis(street))),
    ("PostgreSQL crashes and comes back under load", |street| Box::pin(faults::postgres(street))),
    ("a terminal shut out on B is disconnected from A", |street| Box::pin(shared::shut_out(street))),
    ("the books hold", |street| Box::pin(faults::books(street))),
];

pub async fn run(premises: Premises, only: &[String]) -> Result<()> {
    Shop::forget(&premises)?;
    let mut street = Street::open(premises).await?;
    let mut outcomes = Vec::new();
    for (name, scenario) in SCENARIOS {
        if only.is_empty() || only.iter().any(|part| name.contains(part.as_str())) {
            eprintln!("    {name}");
            let started = Instant::now();
            let failed = scenario(&mut street).await.err();
            outcomes.push(Outcome { name, took: started.elapsed(), failed });
        }
    }
    let logs = street.shop.premises.folder.clone();
    let closed = street.close().await;
    println!();
    let failed = report::print(&outcomes);
    closed?;
    secrecy::search(&logs, &["core", "core-b", "terminal"])?;
    if failed > 0 {
        bail!("{failed} of {} scenarios failed; the programs' logs are in {}", outcomes.len(), logs.display());
    }
    Ok(())
}

impl Street {
    async fn open(mut premises: Premises) -> Result<Self> {
        std::fs::create_dir_all(&premises.folder)?;
        let folder = premises.folder.canonicalize()?;
        let (postgres, redis) = (Postgres::start(&folder).await?, Redis::start(&folder).await?);
        premises.core_settings = vec![
            ("SAOMA_DATABASE__URL".to_owned(), postgres.url()),
            ("SAOMA_REDIS__URL".to_owned(), redis.url()),
            ("SAOMA_SECRETS__MASTER_KEY_FILE".to_owned(), folder.join("shared-master.key").display().to_string()),
        ];
        let mut street = Self { shop: Shop::open(premises).await?, b: None, postgres, redis };
        street.start_b().await?;
        street.both_hear_each_other().await?;
        street.shop.till_is_online().await?;
        Ok(street)
    }

    pub async fn start_b(&mut self) -> Result<()> {
        self.b = Some(self.shop.core_beside("core-b", &[]).start().await?);
        Ok(())
    }

    /// B's API with nothing to show.
    pub fn b(&self) -> Result<Door> {
        Door::new(self.b.as_ref().context("core B is not running")?.ready_text("api")?)
    }

    /// Both nodes' APIs as the tenant's own back office, A first.
    pub fn offices(&self) -> Result<[Door; 2]> {
        let key = format!("Bearer {}", self.shop.made()?.api_key);
        Ok([self.shop.office()?, self.b()?.with("authorization", key)])
    }

    pub async fn redis_is(&self, standing: &str) -> Result<()> {
        for door in [self.shop.core()?, self.b()?] {
            until(&format!("a node to say that redis is {standing}"), || async {
                Ok((door.get("/ready").await?["redis"] == standing).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    pub async fn both_hear_each_other(&self) -> Result<()> {
        self.redis_is("up").await
    }

    /// A person's access token from one node.
    pub async fn sign_in(door: &Door) -> Result<String> {
        let session =
            door.post("/v1/auth/sign-in", &json!({"email": OWNER_EMAIL, "password": DEMO_PASSWORD}), "-").await?;
        text(&session, "/access_token")
    }

    async fn close(mut self) -> Result<()> {
        let b = self.b.take();
        let closed = self.shop.close().await;
        if let Some(b) = b {
            b.stop().await?;
        }
        closed
    }
}

/// Whether the scheme took the money of this payment exactly once.
pub async fn charged_once(shop: &Shop, payment: &str) -> Result<()> {
    let order = crate::scenarios::people::Customer::of(shop)?.scheme_order(payment).await?.unwrap_or_default();
    ensure!(order["charged"] == 1, "charged otherwise than once: {order}");
    Ok(())
}
