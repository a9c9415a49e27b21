//! `saoma-simulate`: plays seeds of the simulated world. `cargo xtask simulate` builds it and calls it.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::Parser;
use saoma_trials::sim::{
    Game, Template,
    canary::Canary,
    run::{self, Wish},
};

/// Plays core, a scheme and terminals in a world where everything goes wrong, and checks that no money was lost.
///
/// A seed is one world: one or two nodes of core on one database, one or two tills, a scheme, customers, an office. What people
/// do (a0, a1, …) and what goes wrong (f0, f1, …) follow from the seed alone, so that a run can be repeated. A seed that breaks
/// a promise is made as short as it can be, told line by line, and ends with the command that plays it again.
#[derive(Parser)]
#[command(
    name = "cargo xtask simulate",
    after_help = "Examples:\n  cargo xtask simulate                              2,000 seeds\n  cargo xtask simulate --seeds 200000 --from 5000   more, and others\n  cargo xtask simulate --seed 193 --without a1,f8   one, told in full, without an action and a mishap\n  cargo xtask simulate --canaries                   does it find mistakes made on purpose?"
)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone, told in full.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: actions and mishaps to leave out, as a failure names them (a0,a3,f2).
    #[arg(long, requires = "seed", default_value = "")]
    without: String,
    /// Goes on after a failure and lists all.
    #[arg(long)]
    all: bool,
    /// Makes each mistake of a list on purpose, and fails if one is not found.
    #[arg(long, conflicts_with_all = ["seed", "all"])]
    canaries: bool,
    /// Worlds at once; without it, as many as there are processors.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.seed {
        Some(seed) => tell(seed, &arguments),
        None if arguments.canaries => canaries(threads(&arguments)),
        None => many(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn threads(arguments: &Arguments) -> usize {
    arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1)
}

fn canaries(threads: usize) -> Result<()> {
    let template = Template::make()?;
    let mut missed = 0;
    for canary in Canary::ALL {
        let within = canary.seeds();
        match run::found(&template, canary, threads)? {
            Some((seed, broken)) => {
                println!("{:<20} seed {seed:>3} of {within:?}: {broken:.110}", format!("{canary:?}"));
            }
            None => {
                missed += 1;
                println!("{:<20} NOT FOUND in seeds {within:?}", format!("{canary:?}"));
            }
        }
    }
    if missed > 0 {
        bail!("{missed} of {} mistakes were not found", Canary::ALL.len());
    }
    Ok(())
}

fn many(arguments: &Arguments) -> Result<()> {
    let template = Template::make()?;
    let threads = threads(arguments);
    let wish = Wish { from: arguments.from, seeds: arguments.seeds, threads, canary: None, all: arguments.all };
    let shown = std::io::stderr().is_terminal();
    let tally = run::many(&template, wish, |runs| {
        if shown && runs.is_multiple_of(50) {
            eprint!("\r{runs} of {}", wish.seeds);
            let _ = std::io::stderr().flush();
        }
    })?;
    if shown {
        eprint!("\r");
    }
    let seconds = tally.took.as_secs_f64();
    println!(
        "{} seeds in {seconds:.1} s on {threads} threads: {:.0} seeds a minute, {} events, {} hours of the world; {} failed",
        tally.runs,
        f64::from(u32::try_from(tally.runs).unwrap_or(u32::MAX)) / seconds * 60.0,
        tally.events,
        tally.virtual_ms / 3_600_000,
        tally.failed.len(),
    );
    for (seed, broken) in &tally.failed {
        println!("seed {seed}: {broken}");
    }
    let Some((seed, _)) = tally.failed.first() else { return Ok(()) };
    let game = Game { seed: *seed, ..Game::default() };
    let (outcome, left_out) = run::shortest(&template, &game)?;
    println!("\nThe shortest run found:\n\n{}", outcome.lines.join("\n"));
    let without = run::words(&left_out);
    println!("\nAgain with:\n  cargo xtask simulate --seed {seed} --without {without:?}");
    bail!("{} of {} seeds failed", tally.failed.len(), tally.runs);
}

fn tell(seed: u64, arguments: &Arguments) -> Result<()> {
    let template = Template::make()?;
    let left_out = run::left_out(&arguments.without)?;
    let outcome = run::one(&template, &Game { seed, canary: None, left_out })?;
    println!("{}", outcome.lines.join("\n"));
    println!("seed {seed}: {} events, hash {:016x}", outcome.events, outcome.hash);
    if outcome.broken.is_empty() {
        return Ok(());
    }
    bail!("{} promises were broken", outcome.broken.len());
}
