//! `saoma-demo crash`: real programs under load, and real mishaps: kill -9, full disks, fsync that fails, lines that are cut
//! or swallow what is sent, a database that dies, power that is cut. After each, the books of scheme, core and terminal are compared with each
//! other and with what people were told.
//!
//! What happens is drawn from a seed; when exactly it strikes is up to the machine, so a seed tells what to try again, and
//! does not promise that it happens again. (The world that replays to the last bit is [`crate::sim`].)

mod books;
mod compare;
mod disk;
mod fault;
mod load;
mod mishap;
mod power;
mod site;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::json;

use crate::{secrecy, shop::Premises};
use books::Books;
use load::{People, Told};
pub use mishap::Database;
use mishap::{Mishap, Round};
use site::Site;

/// People go on for this long once everything is right again.
const AFTERWARDS: Duration = Duration::from_millis(700);
/// The scheme repeats a notification after 1, 2, 4, 8, 16 and 32 s.
const NOTIFIED_MAX: Duration = Duration::from_secs(60);
/// Rounds in one shop: all its books are read after each, so they must not grow for ever.
const ROUNDS_PER_SHOP: usize = 25;

/// What is to be played.
#[derive(clap::Args)]
pub struct Plan {
    /// How many mishaps.
    #[arg(long, default_value_t = 25)]
    rounds: u32,
    /// What is drawn from this number; without it, from the clock. It is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed from that one on with programs, power, disks, fsync and lines among its mishaps.
    #[arg(long)]
    every_kind: bool,
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// Only mishaps whose name holds this text.
    #[arg(long)]
    only: Vec<String>,
}

/// What came of all rounds.
#[derive(Default)]
struct Tally {
    rounds: BTreeMap<String, u32>,
    told: u64,
    refused: u64,
    unheard: u64,
    longest: Duration,
    mistakes: BTreeMap<&'static str, u32>,
}

/// `premises` for a seed; each shop has a folder of its own in it.
pub async fn run(plan: &Plan, premises: impl Fn(&str) -> Premises) -> Result<()> {
    let drawn = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_secs());
    let (mut seed, database) = (plan.seed.unwrap_or_else(drawn), plan.database);
    let disks = Site::has_disks()?;
    if plan.every_kind {
        seed = mishap::seed_of_every_kind(seed, plan.rounds, database, disks, &plan.only)
            .context("there is no such seed: ask for more rounds")?;
    }
    let rounds = mishap::rounds(seed, plan.rounds, database, disks, &plan.only);
    ensure!(!rounds.is_empty(), "no mishap has such a name");
    println!("seed {seed}, {} rounds on {database}", rounds.len());
    if !disks {
        println!("no disk gets full: that needs a mount, and this user may not");
    }
    let (began, mut tally) = (Instant::now(), Tally::default());
    for (number, rounds) in rounds.chunks(ROUNDS_PER_SHOP).enumerate() {
        let premises = premises(&format!("target/demo-crash/{database}-{seed}-{number}"));
        Site::forget(&premises)?;
        let folder = premises.folder.clone();
        let mut site = Site::open(premises.clone(), database).await?;
        let played = play(&mut site, seed, rounds, &mut tally).await;
        let closed = site.close(played.is_err()).await;
        let played = played.and_then(|()| secrecy::search(&folder, &["core", "terminal"]));
        let how = format!("seed {seed} failed; everything it wrote is in {}", folder.display());
        played.and(closed).with_context(|| {
            let again = format!("cargo xtask crash --seed {seed} --rounds {} --database {database}", plan.rounds);
            format!("{how}; to try it again: {again}")
        })?;
        Site::forget(&premises)?;
    }
    tally.print(began.elapsed());
    Ok(())
}

async fn play(site: &mut Site, seed: u64, rounds: &[Round], tally: &mut Tally) -> Result<()> {
    site.shop()?.till_is_online().await?;
    a_refused_sale_stays_refused(site).await?;
    let mut told = Vec::new();
    for round in rounds {
        let began = Instant::now();
        let came = play_one(site, seed, round, &mut told, tally).await.with_context(|| round.to_string())?;
        let took = began.elapsed();
        println!("  ok {:>6.1} s  {round}: {came}", took.as_secs_f64());
        *tally.rounds.entry(round.mishap.to_string()).or_default() += 1;
        tally.longest = tally.longest.max(took);
    }
    Ok(())
}

/// A commit whose fsync failed stands in the log. The till has refused the sale, so a start after a kill must not find it.
async fn a_refused_sale_stays_refused(site: &mut Site) -> Result<()> {
    let till = site.shop()?.till()?;
    let sale = json!({"amount_minor": 100, "method": "cash", "cashier": "refused"});
    let mishap = Mishap::TerminalFsyncFails;
    site.strike(mishap).await?;
    let reply = till.call(Method::POST, "/api/sales", Some(&sale), Some("refused")).await?;
    site.kill_what_is_struck(mishap).await?;
    site.heal(mishap).await?;
    site.start_what_is_down().await?;
    ensure!(reply.problem()? == "journal_failed", "{reply:?}");
    let sales = till.get("/api/sales").await?;
    ensure!(sales["items"] == json!([]), "a sale that was refused is there: {sales}");
    site.shop()?.till_is_online().await.map(drop)
}

async fn play_one(
    site: &mut Site,
    seed: u64,
    round: &Round,
    told: &mut Vec<Told>,
    tally: &mut Tally,
) -> Result<String> {
    let shop = site.shop()?;
    let people = People::of(shop, &site.core_by_line())?;
    let trouble = async {
        tokio::time::sleep(Duration::from_millis(round.after_ms)).await;
        let befell = site.befalls(round).await;
        tokio::time::sleep(AFTERWARDS).await;
        people.go_home();
        befell
    };
    let name = format!("round-{}", round.number);
    let (struck, load) = tokio::join!(trouble, people.sell(seed, &name));
    let struck = struck?;
    let heard = load.told.len();
    told.extend(load.told);
    let books = agreeing(site, told).await?;
    let unseen = compare::unseen_mistakes(&books, &mut tally.mistakes);
    ensure!(unseen.is_empty(), "the comparison is blind to: {}", unseen.join(", "));
    tally.told += heard as u64;
    tally.refused += load.refused;
    tally.unheard += load.unheard;
    let fsync = struck.map_or(String::new(), |struck| format!(", fsync failed {struck} times"));
    Ok(format!(
        "{} payments, {heard} things told, {} refused, {} unheard{fsync}",
        books.core.len(),
        load.refused,
        load.unheard
    ))
}

/// The books at rest, once they agree: the scheme repeats a notification that was lost, and until then core may lack a payment
/// that came after its code was over.
async fn agreeing(site: &Site, told: &[Told]) -> Result<Books> {
    let patience = Instant::now() + NOTIFIED_MAX;
    loop {
        let books = books::at_rest(site, told).await?;
        let found = compare::check(&books, told);
        if found.is_empty() {
            return Ok(books);
        }
        if Instant::now() > patience {
            bail!("the books do not agree:\n  {}", found.join("\n  "));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Tally {
    fn print(&self, took: Duration) {
        println!();
        for (mishap, count) in &self.rounds {
            println!("{mishap:<24} {count:>5} rounds");
        }
        let Self { told, refused, unheard, longest, mistakes, .. } = self;
        let rounds: u32 = self.rounds.values().sum();
        println!(
            "{rounds} rounds, none failed, {:.0} s (longest {:.0} s); {told} things told and true, {refused} requests refused, \
             {unheard} without an answer",
            took.as_secs_f64(),
            longest.as_secs_f64()
        );
        println!("mistakes made on purpose in copies of the books, all seen:");
        for (what, count) in mistakes {
            println!("  {what:<40} {count:>5}");
        }
    }
}
