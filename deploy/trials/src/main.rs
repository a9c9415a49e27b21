//! `saoma-demo`: a whole shop on this machine. `cargo xtask demo` builds everything and calls it.

use std::{future::Future, path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use nix::unistd::{getpgrp, tcgetpgrp};
use saoma_trials::{
    api::Door,
    bench, browser,
    collector::Collector,
    crash, nodes, report, scenarios,
    shop::{ADMIN_EMAIL, DEMO_PASSWORD, OWNER_EMAIL, Premises, Shop},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// Starts core, a scheme simulator and one terminal with a demo shop.
#[derive(Parser)]
#[command(name = "saoma-demo")]
struct Arguments {
    /// Folder that holds the programs `saoma`, `saoma-edge` and `saoma-schemes`.
    #[arg(long)]
    programs: PathBuf,
    /// Folder of the channel plugins, `<name>.wasm`.
    #[arg(long)]
    plugins: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs until Ctrl-C; the shop is kept in ./demo for the next time.
    Run {
        /// Forgets the shop of the last time.
        #[arg(long)]
        fresh: bool,
    },
    /// Plays the scenarios in a new shop, prints a table and one receipt.
    Once {
        /// Only scenarios whose name holds this text.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Runs the browser tests in a new shop.
    Browser,
    /// Plays what several cores on one PostgreSQL and Redis must get right.
    Nodes {
        /// Only scenarios whose name holds this text.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Kills programs, fills disks, cuts lines under load, and compares the books afterwards.
    Crash(crash::Plan),
    /// Takes the pictures of the README in a new shop.
    Pictures,
    /// Measures payments per second on one, two and four nodes on one PostgreSQL, beside pgbench with the same statements.
    BenchNodes,
    /// Measures: payments per second, memory, start-up times, size.
    Bench {
        /// How often a second the database alone commits what a payment writes; the payments are set against it.
        #[arg(long)]
        charges_per_s: Option<f64>,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // Already installed means the same provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = Arguments::parse();
    let premises = |folder: &str| Premises {
        programs: arguments.programs.clone(),
        plugins: arguments.plugins.clone(),
        folder: PathBuf::from(folder),
        core_settings: Vec::new(),
        terminal_settings: Vec::new(),
        wires: None,
        collector: None,
    };
    let work = async {
        let mut stop = Stop::listen()?;
        match &arguments.command {
            Command::Run { fresh } => run(premises("demo"), *fresh, &mut stop).await,
            Command::Once { only } => stop.before(once(premises("target/demo-once"), only)).await,
            Command::Nodes { only } => stop.before(nodes::run(premises("target/demo-nodes"), only)).await,
            Command::Crash(plan) => stop.before(crash::run(plan, &premises)).await,
            Command::Browser => stop.before(browser::test(premises("target/demo-browser"))).await,
            Command::Pictures => stop.before(browser::pictures(premises("target/demo-pictures"))).await,
            Command::BenchNodes => stop.before(bench::nodes::run(premises("target/demo-bench-nodes"))).await,
            Command::Bench { charges_per_s } => {
                stop.before(bench::run(premises("target/demo-bench"), *charges_per_s)).await
            }
        }
    };
    match work.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("saoma-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, or a polite kill. The programs we start are in groups of their own, so nobody but us stops them.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does `work`, unless asked to stop before it is through: then all that it has started is killed.
    async fn before<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.asked() => bail!("stopped half-way; everything that was started is gone"),
        }
    }
}

async fn run(premises: Premises, fresh: bool, stop: &mut Stop) -> Result<()> {
    if fresh {
        Shop::forget(&premises)?;
    }
    let started = Instant::now();
    let mut shop = stop.before(Shop::open(premises)).await?;
    println!(
        "
  Saoma is running ({:.1} s). Everything it writes is in {}

    Dashboard         {}/
    API, browsable    {}/docs
    Till              {}/
    Customer display  {}/display
    Metrics           {}/metrics
    Customer's wallet {}/wallet

    Sign in as {OWNER_EMAIL} (shop owner) or {ADMIN_EMAIL} (platform), password {DEMO_PASSWORD}

  Enter cuts the till off from core, Enter again joins them; Ctrl-C stops everything.",
        started.elapsed().as_secs_f64(),
        shop.premises.folder.display(),
        shop.core()?.base(),
        shop.core()?.base(),
        shop.till()?.base(),
        shop.till()?.base(),
        shop.metrics()?.base(),
        shop.scheme()?.base(),
    );
    until_asked_to_stop(&mut shop, stop).await?;
    eprintln!("\n  Stopping: terminal, core, scheme. Once more kills them.");
    stop.before(shop.close()).await
}

/// Enter stops and starts core, so that a person can sell offline and see it synced.
async fn until_asked_to_stop(shop: &mut Shop, stop: &mut Stop) -> Result<()> {
    let mut enters = enters();
    let mut is_cut = false;
    loop {
        tokio::select! {
            () = stop.asked() => return Ok(()),
            Some(()) = enters.recv() => {}
        }
        if is_cut {
            stop.before(shop.start_core()).await?;
            println!("  Core is back: the till sends what it holds.");
        } else {
            stop.before(shop.stop_core()).await?;
            println!("  Core is gone: the till goes on selling for cash. Enter brings core back.");
        }
        is_cut = !is_cut;
    }
}

/// A message for each line typed; none where no person types: a job in the background that reads would be halted.
fn enters() -> mpsc::UnboundedReceiver<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    if tcgetpgrp(std::io::stdin()).is_ok_and(|foreground| foreground == getpgrp()) {
        // A thread, since nobody can take a started read back when it is time to stop.
        std::thread::spawn(move || {
            for _ in std::io::stdin().lines().map_while(Result::ok) {
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

async fn once(premises: Premises, only: &[String]) -> Result<()> {
    Shop::forget(&premises)?;
    let collector = Some(Collector::open().await?);
    let mut shop = Shop::open(Premises { collector, ..premises }).await?;
    let outcomes = scenarios::play(&mut shop, only).await;
    if outcomes.is_empty() {
        bail!("no scenario has such a name");
    }
    let receipt = Door::bytes(&shop.till()?, "/api/receipts/last.txt").await?;
    let logs = shop.premises.folder.clone();
    let closed = shop.close().await;
    println!();
    let failed = report::print(&outcomes);
    if receipt.0.is_success() {
        println!("\nThe last receipt:\n\n{}", String::from_utf8_lossy(&receipt.1));
    }
    closed?;
    if failed > 0 {
        bail!("{failed} of {} scenarios failed; the programs' logs are in {}", outcomes.len(), logs.display());
    }
    Ok(())
}
