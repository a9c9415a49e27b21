//! The command line: each command a file, errors with their causes on standard error, exit code 1.

mod admin;
mod audit;
mod config;
mod keys;
mod ledger;
mod openapi;
mod plugin;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use saoma_store::Store;

use crate::config::Config;

const EXAMPLES: &str = "Examples:
  saoma serve                                   a core on this machine: SQLite, broker, cache and dashboard inside
  saoma config --explain > saoma.toml           a settings file with everything at its default
  saoma --config saoma.toml serve               with that file
  SAOMA_SERVER__LISTEN=0.0.0.0:80 saoma serve   one setting by the environment

The first start writes the administrator's one-time password into the data folder.";

/// Saoma's core: payments, books and terminals of many merchants.
///
/// Start with `saoma serve`. Everything can be set by a file or by the environment: `saoma config --explain`.
#[derive(Parser)]
#[command(name = "saoma", version, after_help = EXAMPLES)]
struct Arguments {
    /// Settings in TOML; the environment (SAOMA_…) comes before them.
    #[arg(long, global = true, env = "SAOMA_CONFIG_FILE", hide_env = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs core until SIGINT or SIGTERM, then finishes what is in flight.
    Serve,
    /// Shows the settings in force, or explains every one there is.
    Config(config::Arguments),
    /// Prints the OpenAPI document of the HTTP API.
    Openapi,
    /// Looks into the books of all merchants.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// The platform's administrators.
    #[command(subcommand)]
    Admin(admin::Command),
    /// The keys that secrets are sealed under and sessions are signed with.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Proves that the audit log is as it was written.
    #[command(subcommand)]
    Audit(audit::Command),
    /// For authors of channels: a template, its build, a look at a component, and the cases that it has to pass.
    #[command(subcommand)]
    Plugin(plugin::Command),
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match carry_out(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("saoma: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Openapi => openapi::print(),
        Command::Plugin(command) => plugin::run(command),
        Command::Config(explain) if explain.explain => config::explain(),
        command => {
            let config = read_config(arguments.config)?;
            match command {
                Command::Serve => serve::run(config),
                Command::Config(_) => config::show(&config),
                Command::Ledger(command) => ledger::run(&command, &config),
                Command::Admin(command) => admin::run(&command, &config),
                Command::Keys(command) => keys::run(&command, &config),
                Command::Audit(command) => audit::run(&command, &config),
                Command::Openapi => openapi::print(),
                Command::Plugin(command) => plugin::run(command),
            }
        }
    }
}

/// Core's database, which a command only looks into or mends.
fn open_existing(config: &Config) -> Result<Store> {
    if !Store::exists(&config.database.url) {
        bail!("there is no database at {}: set database.url or data_dir to core's", config.database.url);
    }
    Store::open(&config.database.url, 2).context("open the database")
}

fn read_config(file: Option<PathBuf>) -> Result<Config> {
    let text = file
        .map(|file| {
            std::fs::read_to_string(&file).with_context(|| format!("read the settings file {}", file.display()))
        })
        .transpose()?;
    // Not every variable of this name is a setting.
    let others = ["SAOMA_CONFIG_FILE", plugin::core_api::TOKEN_VARIABLE];
    let environment = std::env::vars().filter(|(name, _)| !others.contains(&name.as_str()));
    Ok(Config::read(text.as_deref(), environment)?)
}
