//! `saoma-edge simulate`.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use tokio::sync::watch;

use super::Exit;
use crate::{
    app,
    config::Config,
    simulate::{
        day::{Terms, play},
        door::{Door, StateSeen, TillSeen},
        plan::{Pay, Wishes, draw},
    },
};

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The terminal's number or name: these sales are made on it, and stand in its merchant's books. Without it, it is told.
    #[arg(long, value_name = "TERMINAL")]
    sell_on: Option<String>,
    /// The till's address; without it till.listen of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    till: Option<SocketAddr>,
    /// How many sales.
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sales: u32,
    /// How many times as fast as a day of twelve hours; 60 is twelve minutes.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// As fast as the till takes it: nobody waits for the time of the day.
    #[arg(long, conflicts_with = "speed")]
    flat_out: bool,
    /// How many people press at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    at_once: u8,
    /// What is drawn from this number; without it, from the clock. The summary tells it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Customers' payment codes, one a line, scanned in turn (a sandbox gives some out). Without it nobody shows one.
    #[arg(long, value_name = "FILE")]
    codes: Option<PathBuf>,
    /// Cash alone: what a till sells while core is away.
    #[arg(long, conflicts_with = "codes")]
    cash_only: bool,
    /// The summary as one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(super) fn run(self, config: &Config) -> Result<Exit> {
        let codes = match &self.codes {
            Some(path) => read_codes(path)?,
            None => Vec::new(),
        };
        let pay = match (self.cash_only, codes.is_empty()) {
            (true, _) => Pay::Cash,
            (false, true) => Pay::CashAndCodes,
            (false, false) => Pay::All,
        };
        let began_at = app::now().0;
        let seed = self.seed.unwrap_or_else(|| began_at.unsigned_abs());
        let speed = (!self.flat_out).then_some(self.speed);
        let terms = Terms { seed, speed, cashiers: usize::from(self.at_once), codes };
        let plan = draw(Wishes { seed, sales: self.sales, pay });
        let till = self.till.unwrap_or(config.till.listen);
        // The same seed on another day makes other sales.
        let door = Door::of(till, format!("simulated-{seed}-{began_at}"))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let summary = runtime.block_on(async {
            let state: StateSeen = door.look("/api/state").await?;
            self.check_leave(&state.till)?;
            let (stop, stopped) = watch::channel(false);
            let stopping = async {
                // Without it, Ctrl-C ends the program at once, which leaves the shift open.
                if tokio::signal::ctrl_c().await.is_ok() {
                    eprintln!("stopping: what is under way ends, and the batch is closed");
                    stop.send_replace(true);
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                summary = play(&door, &plan, &terms, stopped, |line| eprintln!("{line}")) => Ok(summary?),
                () = stopping => bail!("go on"),
            }
        })?;
        if self.json {
            println!("{}", serde_json::to_string(&summary).context("write the summary as JSON")?);
        } else {
            print!("{summary}");
        }
        Ok(if !summary.faults.is_empty() {
            Exit::Faults
        } else if summary.refused.is_empty() && summary.unheard.is_empty() {
            Exit::Done
        } else {
            Exit::Warnings
        })
    }

    /// Every terminal is a merchant's: there is none on which this is not for real.
    fn check_leave(&self, till: &TillSeen) -> Result<()> {
        let TillSeen { merchant_name, store_name, terminal_name, terminal } = till;
        let is_meant = |meant: &String| *meant == terminal.to_string() || meant == terminal_name;
        ensure!(
            self.sell_on.as_ref().is_some_and(is_meant),
            "simulate a day at {terminal_name} in {store_name} of {merchant_name} ({terminal}): its sales would be real, on this \
             terminal and in that merchant's books, with receipts and an open drawer. If that is what it is there for, name it: \
             --sell-on {terminal}"
        );
        Ok(())
    }
}

fn read_codes(path: &PathBuf) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("read the customers' codes in {}", path.display()))?;
    let codes: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    ensure!(
        !codes.is_empty(),
        "read the customers' codes in {}: there is none, one a line is expected",
        path.display()
    );
    Ok(codes)
}
