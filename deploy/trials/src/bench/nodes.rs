//! Payments per second on one, two and four nodes of core on one PostgreSQL, each beside what pgbench gets out of the same
//! database with the statements of a payment alone.

use anyhow::{Context as _, Result, ensure};

use super::{CASHIERS, LOAD, charges, statements};
use crate::{
    api::Door,
    servers::Postgres,
    shop::{Premises, Shop},
};

/// Payments whose statements are read.
const SHOWN: usize = 40;
/// The last is more than this machine has processors, on purpose.
const NODES: [usize; 3] = [1, 2, 4];

pub async fn run(mut premises: Premises) -> Result<()> {
    Shop::forget(&premises)?;
    std::fs::create_dir_all(&premises.folder)?;
    let folder = premises.folder.canonicalize()?;
    let postgres = Postgres::start(&folder).await?;
    premises.core_settings = vec![
        ("SAOMA_DATABASE__URL".to_owned(), postgres.url()),
        ("SAOMA_SECRETS__MASTER_KEY_FILE".to_owned(), folder.join("shared-master.key").display().to_string()),
    ];
    let shop = Shop::open(premises).await?;
    // Plans and caches are warm before anything is read or measured.
    charges(&shop, &[shop.office()?], "warm", 1, Some(SHOWN)).await?;
    let (script, statements) = one_payment(&shop, &postgres).await?;
    let file = folder.join("payment.pgbench");
    std::fs::write(&file, script)?;
    println!("a payment is {statements} statements on PostgreSQL ({})", file.display());
    let count = || anyhow::Ok(postgres.run("saoma", "SELECT count(*) FROM payments")?.parse::<u64>()?);
    let mut nodes = Vec::new();
    for n in NODES {
        while nodes.len() + 1 < n {
            nodes.push(shop.core_beside(&format!("core-{}", nodes.len() + 2), &[]).start().await?);
        }
        let key = format!("Bearer {}", shop.made()?.api_key);
        let mut offices = vec![shop.office()?];
        for node in &nodes {
            offices.push(Door::new(node.ready_text("api")?)?.with("authorization", key.clone()));
        }
        let before = count()?;
        let alone = postgres.pgbench(&file, CASHIERS, LOAD)?;
        let made = count()? - before;
        ensure!(made > 0 && made.abs_diff(alone.transactions) <= 1, "{alone:?} and {made} payments");
        let measured = charges(&shop, &offices, &format!("nodes-{n}"), CASHIERS, None).await?;
        println!(
            "{n} nodes, {CASHIERS} at once {:>8.0} /s   p50 {:.1} ms  p99 {:.1} ms   pgbench {:.0} /s, of which {:.2}",
            measured.rate,
            measured.p50_ms,
            measured.p99_ms,
            alone.per_s,
            measured.rate / alone.per_s
        );
    }
    for node in nodes {
        node.stop().await?;
    }
    shop.close().await
}

async fn one_payment(shop: &Shop, postgres: &Postgres) -> Result<(String, usize)> {
    let told = |how: &str| -> Result<()> {
        for setting in [format!("log_statement = '{how}'"), format!("log_line_prefix = '{}'", statements::LINE_PREFIX)]
        {
            postgres.run("postgres", &format!("ALTER SYSTEM SET {setting}"))?;
        }
        postgres.run("postgres", "SELECT pg_reload_conf()").map(drop)
    };
    told("all")?;
    // Sessions take the setting up at their next statement.
    charges(shop, &[shop.office()?], "reload", 1, Some(SHOWN)).await?;
    let start = postgres.log()?.len();
    let office = shop.office()?;
    for number in 0..SHOWN {
        postgres.run("postgres", statements::MARK)?;
        charges(shop, std::slice::from_ref(&office), &format!("shown-{number}"), 1, Some(1)).await?;
        // What is done after the answer is part of it.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    postgres.run("postgres", statements::MARK)?;
    told("none")?;
    let log = postgres.log()?;
    statements::script(log.get(start..).context("the log became shorter")?, SHOWN)
}
