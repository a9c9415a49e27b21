//! `cargo xtask crash`: real mishaps for real programs. What it does stands in deploy/trials/src/crash.rs.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    demo, machine,
    stage::{execute, timed},
    system::{self, System},
};

/// Rounds of `cargo xtask test` on each database: less than a minute each on two processors.
const ROUNDS: &str = "6";
const SEEDS: [(&str, &str); 2] = [("sqlite", "958"), ("postgres", "552")];

pub fn run(arguments: &[String]) -> Result<()> {
    let status = trial(&built()?).args(arguments).status()?;
    if !status.success() {
        bail!("the crashes ended with {status}");
    }
    Ok(())
}

/// The stage of `cargo xtask test`.
pub fn test() -> Result<()> {
    let system = built()?;
    for (database, seed) in SEEDS {
        timed(&format!("Real crashes on {database}"), || {
            let rounds = ["--rounds", ROUNDS, "--seed", seed, "--every-kind", "--database", database];
            execute(trial(&system).args(rounds))
        })?;
    }
    Ok(())
}

fn built() -> Result<System> {
    machine::packages(&[&machine::C_COMPILER, &machine::POSTGRESQL])?;
    system::build()
}

fn trial(system: &System) -> Command {
    let mut trial = demo::demo(system);
    trial.arg("crash");
    trial
}
