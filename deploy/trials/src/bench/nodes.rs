//! Payments per second on one, two and four nodes of core on one PostgreSQL, each beside what pgbench gets out of the same
//! database with the statements of a payment alone; of one merchant, whose payments stand in each other's way, and of several.

use anyhow::{Context as _, Result, ensure};

use super::{CASHIERS, LOAD, Office, charges, statements};
use crate::{
    api::Door,
    servers::Postgres,
    shop::{Premises, Shop},
};

/// Payments whose statements are read.
const SHOWN: usize = 40;
/// The last is more than this machine has processors, on purpose.
const NODES: [usize; 3] = [1, 2, 4];
const MERCHANTS: [usize; 2] = [1, 4];

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
    let (mut merchants, mut scripts) = (Vec::new(), Vec::new());
    for number in 1..=MERCHANTS.into_iter().max().unwrap_or(1) {
        let merchant = shop.opens_another(number).await?;
        let office = Office::at(shop.core()?, &merchant);
        // Plans and caches are warm before anything is read or measured.
        charges(std::slice::from_ref(&office), "warm", 1, Some(SHOWN)).await?;
        let (script, statements) = one_payment(&office, &postgres).await?;
        let file = folder.join(format!("payment-{number}.pgbench"));
        std::fs::write(&file, script)?;
        println!("a payment is {statements} statements on PostgreSQL ({})", file.display());
        merchants.push(merchant);
        scripts.push(file);
    }
    let count = || anyhow::Ok(postgres.run("saoma", "SELECT count(*) FROM payments")?.parse::<u64>()?);
    let mut nodes = Vec::new();
    for n in NODES {
        while nodes.len() + 1 < n {
            nodes.push(shop.core_beside(&format!("core-{}", nodes.len() + 2), &[]).start().await?);
        }
        let mut doors = vec![shop.core()?];
        for node in &nodes {
            doors.push(Door::new(node.ready_text("api")?)?);
        }
        for m in MERCHANTS {
            let before = count()?;
            let alone = postgres.pgbench(&scripts[..m], CASHIERS, LOAD)?;
            let made = count()? - before;
            ensure!(made > 0 && made.abs_diff(alone.transactions) <= 1, "{alone:?} and {made} payments");
            let of_node =
                |door: &Door| merchants[..m].iter().map(|of| Office::at(door.clone(), of)).collect::<Vec<_>>();
            let offices = doors.iter().flat_map(of_node).collect::<Vec<_>>();
            let measured = charges(&offices, &format!("nodes-{n}-{m}"), CASHIERS, None).await?;
            println!(
                "{n} nodes, {m} merchants, {CASHIERS} at once {:>8.0} /s   p50 {:.1} ms  p99 {:.1} ms   pgbench {:.0} /s, \
                 of which {:.2}",
                measured.rate,
                measured.p50_ms,
                measured.p99_ms,
                alone.per_s,
                measured.rate / alone.per_s
            );
        }
    }
    for node in nodes {
        node.stop().await?;
    }
    shop.close().await
}

async fn one_payment(office: &Office, postgres: &Postgres) -> Result<(String, usize)> {
    let told = |how: &str| -> Result<()> {
        for setting in [format!("log_statement = '{how}'"), format!("log_line_prefix = '{}'", statements::LINE_PREFIX)]
        {
            postgres.run("postgres", &format!("ALTER SYSTEM SET {setting}"))?;
        }
        postgres.run("postgres", "SELECT pg_reload_conf()").map(drop)
    };
    told("all")?;
    // Sessions take the setting up at their next statement.
    let alone = std::slice::from_ref(office);
    charges(alone, "reload", 1, Some(SHOWN)).await?;
    let start = postgres.log()?.len();
    for number in 0..SHOWN {
        postgres.run("postgres", statements::MARK)?;
        charges(alone, &format!("shown-{number}"), 1, Some(1)).await?;
        // What is done after the answer is part of it.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    postgres.run("postgres", statements::MARK)?;
    told("none")?;
    let log = postgres.log()?;
    statements::script(log.get(start..).context("the log became shorter")?, SHOWN)
}
