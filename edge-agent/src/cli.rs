//! The command line. Results on standard output, everything else on standard error; errors end in what to do.

mod config;
mod enrol;
mod journal;
mod run;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{config::Config, link::tls};

/// The agent on a payment terminal: it sells with or without a network, drives printer, scanner, display and drawer, and
/// tells core everything once.
///
/// A new terminal: `saoma-edge enrol`, then `saoma-edge run`, then open the address that it prints.
#[derive(Debug, Parser)]
#[command(name = "saoma-edge", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file (TOML). Without it: defaults and SAOMA_EDGE_… variables.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until it is stopped (SIGINT, SIGTERM). Prints one line of JSON when the till is open.
    Run,
    /// Make this machine a terminal, once, with a claim code from the dashboard.
    Enrol(enrol::Enrol),
    /// Look at the configuration.
    Config(config::Show),
    /// Look after the journal.
    #[command(subcommand)]
    Journal(journal::Journal),
}

impl Cli {
    /// # Errors
    /// What the command could not do, as a fragment that fits "failed to …", and what to do about it.
    pub fn run(self) -> Result<()> {
        let Self { config, command } = self;
        tls::install_provider();
        let load = || {
            // Variables that are not text are not ours.
            let environment = std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            Config::load(config.as_deref(), environment)
        };
        match command {
            Command::Run => run::run(load()?),
            Command::Enrol(enrol) => enrol.run(&load()?),
            Command::Config(show) => show.run(load),
            Command::Journal(journal) => journal.run(&load()?),
        }
    }
}
