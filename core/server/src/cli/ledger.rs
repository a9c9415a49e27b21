use std::process::ExitCode;

use anyhow::{Context as _, Result};
use saoma_store::{access, ledger};

use crate::config::Config;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Proves the books of every merchant: postings sum to zero, and tell the same story as the payments. Exit code 1 if not.
    Check,
}

pub(super) fn run(command: &Command, config: &Config) -> Result<ExitCode> {
    let Command::Check = command;
    let store = super::open_existing(config)?;
    let findings = store.read_blocking(|tx| ledger::check_all(tx, &access::process())).context("read the books")?;
    if findings.is_empty() {
        println!("the books hold");
        return Ok(ExitCode::SUCCESS);
    }
    for (tenant, finding) in &findings {
        println!("{tenant} {} {}: {}", finding.subject, finding.code, finding.detail);
    }
    eprintln!("the books do not hold: {} findings", findings.len());
    Ok(ExitCode::FAILURE)
}
