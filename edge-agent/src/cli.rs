//! The command line. Results on standard output, everything else on standard error; errors end in what to do.

mod boot;
mod config;
mod doctor;
mod enrol;
mod journal;
mod may_stop;
mod release;
mod run;
mod simulate;
mod update;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{config::source::Source, link::tls};

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
    /// Start the program whose turn it is: the image's, or a release in a slot. What the system starts.
    ///
    /// Reads the slots beside the journal and no configuration. A release on trial that has not proven itself in its time is
    /// ended, and the one before started again.
    ///
    /// Example: saoma-edge boot --data-dir /var/lib/saoma-edge -- --config /etc/saoma-edge/edge.toml run
    Boot(boot::Boot),
    /// See how releases of this program stand on this terminal. May run beside the agent.
    #[command(subcommand)]
    Update(update::Update),
    /// Make and sign releases. For those who make them, not for terminals.
    #[command(subcommand)]
    Release(release::Release),
    /// Make this machine a terminal, once, with a claim code from the dashboard.
    Enrol(enrol::Enrol),
    /// Look at the configuration.
    Config(config::Show),
    /// Check link, clock, certificates, disk, devices, the door for paired ones and the journal, and say what to do. May run beside the agent.
    ///
    /// One line for each check: ok, warning (it sells, and somebody should see to it) or fault (a part of its work cannot be
    /// done), what was found, and after the arrow what to do. Nothing is changed, and nothing is printed without --print.
    ///
    /// Exit code: 0 all is well, 1 warnings, 2 faults.
    ///
    /// Example: saoma-edge doctor --json | jq '.findings[] | select(.verdict != "ok")'
    Doctor(doctor::Doctor),
    /// Say whether the agent may be stopped or replaced now. For scripts and for who stands before the terminal. Changes nothing.
    ///
    /// One line of JSON with what it waits for: payment (money may be moving, or nobody knows how it ended), unsent (sales are on this
    /// disk alone), basket, scan, printing, training. A stop loses none of these, but a machine that is wiped or switched off for long
    /// would. Where no agent runs, the journal is looked at.
    ///
    /// Exit code: 0 now, 2 not now, 1 it cannot be told.
    ///
    /// Example: until saoma-edge may-stop; do sleep 5; done; systemctl stop saoma-edge
    MayStop,
    /// Look after the journal.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Live a day of a busy shop at the running till, faster than it is, for demos and load.
    ///
    /// Signs on, sells for cash and by codes with a lunch peak, cancels, voids, gives back, reprints, brings change, and closes the
    /// batch with the drawer as it was counted here. Codes on show are paid by whoever looks at the display; where nobody does, the
    /// customer goes away. Progress on standard error, a summary with rates and times on standard output. Ctrl-C closes the
    /// batch early.
    ///
    /// Exit code: 0 all went well, 1 the till refused something or did not answer, 2 its drawer or its sales are wrong.
    ///
    /// Example: saoma-edge simulate --sell-on "Trial till" --sales 200 --speed 240
    Simulate(simulate::Simulate),
}

/// How a command ended that did what it was asked. One that could not ends in 1 with a message on standard error, and a
/// command line that cannot be read in 2 (clap's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done,
    /// Something should be seen to.
    Warnings,
    /// Something is wrong.
    Faults,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Warnings => 1,
            Exit::Faults => 2,
        })
    }
}

impl Cli {
    /// # Errors
    /// What the command could not do, as a fragment that fits "failed to …", and what to do about it.
    pub fn run(self) -> Result<Exit> {
        let Self { config, command } = self;
        tls::install_provider();
        // Variables that are not text are not ours.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let source = Source::new(config, environment);
        let load = || source.load();
        match command {
            Command::Run => run::run(run::config(&source)?, source)?,
            Command::Boot(boot) => boot.run()?,
            Command::Update(update) => return update.run(&load()?),
            Command::Release(release) => release.run()?,
            Command::Enrol(enrol) => enrol.run(&load()?)?,
            Command::Config(show) => show.run(load)?,
            Command::Doctor(doctor) => return doctor.run(load()),
            Command::MayStop => return may_stop::run(&load()?),
            Command::Journal(journal) => return journal.run(&load()?),
            Command::Simulate(simulate) => return simulate.run(&load()?),
        }
        Ok(Exit::Done)
    }
}
