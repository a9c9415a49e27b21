//! `cargo xtask`: everything a person does with this repository, in one place.
//!
//! It imports none of the house's crates and nothing heavy, so that the first `cargo xtask` on a fresh machine answers
//! within seconds; the heavy work is done by the programs it builds and starts.

mod bench;
mod channels;
mod crash;
mod demo;
mod guests;
mod machine;
mod simulate;
mod stage;
mod system;
mod terminal;
mod test;
mod tidy;
mod walk;
mod web;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Set up, run, test and measure Saoma.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "The first two commands of a newcomer:\n  cargo xtask demo     a shop with one till, on this machine\n  cargo xtask test     every test there is"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds what is missing, then starts core, a scheme simulator and one terminal with a demo shop, until Ctrl-C.
    Demo {
        /// Runs the scenarios unattended, prints a table and one receipt, and fails if any of them fails.
        #[arg(long)]
        once: bool,
        /// Only these scenarios of `--once`, by a part of their name.
        #[arg(long, requires = "once")]
        only: Vec<String>,
        /// Starts with an empty shop instead of the one of the last start.
        #[arg(long)]
        fresh: bool,
    },
    /// Formatting, lints, unit, property, integration and browser tests, and the scenarios of `demo --once`.
    Test {
        /// Only the stages whose name holds this text; `cargo xtask test --only list` names them.
        #[arg(long)]
        only: Option<String>,
    },
    /// Plays seeds of a simulated world in which everything goes wrong, and checks that no money was lost.
    #[command(disable_help_flag = true)]
    Simulate {
        /// For the simulator, whose own --help tells more: --seeds N --from S, --seed X --without a0,f2, --all, --canaries.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kills the real programs, fills disks, fails fsyncs and cuts lines under load, and compares all books afterwards.
    #[command(disable_help_flag = true)]
    Crash {
        /// For `saoma-demo crash`, whose own --help tells more: --rounds N --seed S --database sqlite|postgres --only NAME.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The figures the project is held to, as ratios within one run.
    Bench,
    /// The rules of the house: who may import whom, how large a room may grow, what core must not know.
    Tidy,
    /// Builds the channel plugins for wasm32-wasip2 into target/plugins.
    Plugins,
    /// Builds the dashboard's and the till's pages.
    Web,
    /// Builds the terminal's program as it is shipped: small, stripped, and static.
    Terminal,
    /// Takes the pictures that README.md shows, from a shop of their own.
    Pictures,
    /// Writes what is generated and committed: openapi.json, the dashboard's types, the diagrams of the state machines.
    Codegen,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Demo { once, only, fresh } => demo::run(once, &only, fresh),
        Command::Test { only } => test::run(only.as_deref()),
        Command::Simulate { arguments } => simulate::run(&arguments),
        Command::Crash { arguments } => crash::run(&arguments),
        Command::Bench => bench::run(),
        Command::Tidy => tidy::run(),
        Command::Plugins => guests::build().map(drop),
        Command::Web => web::build(),
        Command::Terminal => terminal::build().map(|program| println!("{}", program.display())),
        Command::Pictures => demo::pictures(),
        Command::Codegen => web::codegen(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    // A relative one is relative to where we run cargo: the root.
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
