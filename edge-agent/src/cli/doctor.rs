//! `saoma-edge doctor`.

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::Exit;
use crate::{
    config::{Config, ConfigError},
    doctor::{Finding, Verdict, examine, worst},
};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print a test slip as well. Without it nothing is printed.
    #[arg(long)]
    print: bool,
    /// One JSON object with all findings, for programs.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(&self, config: Result<Config, ConfigError>) -> Result<Exit> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let findings = match config {
            Ok(config) => runtime.block_on(examine(&config, self.print)),
            Err(error) => vec![Finding::fault(
                "configuration",
                format!("the agent cannot start: {error}"),
                "saoma-edge config --explain tells what can stand there",
            )],
        };
        let worst = worst(&findings);
        if self.json {
            println!("{}", json!({"worst": worst, "findings": findings}));
        } else {
            findings.iter().for_each(show);
        }
        Ok(match worst {
            Verdict::Ok => Exit::Done,
            Verdict::Warning => Exit::Warnings,
            Verdict::Fault => Exit::Faults,
        })
    }
}

fn show(finding: &Finding) {
    let Finding { check, verdict, found, fix } = finding;
    let verdict = match verdict {
        Verdict::Ok => "ok     ",
        Verdict::Warning => "warning",
        Verdict::Fault => "fault  ",
    };
    let fix = if fix.is_empty() { String::new() } else { format!(" → {fix}") };
    println!("{verdict} {check}: {found}{fix}");
}
