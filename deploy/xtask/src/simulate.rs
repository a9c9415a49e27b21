//! `cargo xtask simulate`: builds the simulator and plays seeds. What it does stands in deploy/trials/src/sim.rs.

use std::process::Command;

use anyhow::{Result, bail};

use crate::stage::{cargo, execute, timed};

/// Seeds of `cargo xtask test`: some minutes on two processors.
const SEEDS: &str = "1000";

pub fn run(arguments: &[String]) -> Result<()> {
    build()?;
    // Not through a shell of ours: the simulator speaks for itself, and its exit code is ours.
    let status = simulator().args(arguments).status()?;
    if !status.success() {
        bail!("the simulator ended with {status}");
    }
    Ok(())
}

/// The stage of `cargo xtask test`.
pub fn test() -> Result<()> {
    build()?;
    timed("Simulated world", || execute(simulator().args(["--seeds", SEEDS])))?;
    timed("Mistakes made on purpose", || execute(simulator().arg("--canaries")))
}

fn build() -> Result<()> {
    timed("Simulator", || {
        execute(&mut cargo(&["build", "--quiet", "--locked", "--workspace", "--bin", "saoma-simulate"]))
    })
}

fn simulator() -> Command {
    let mut command = Command::new(crate::target().join("debug/saoma-simulate"));
    command.current_dir(crate::root());
    command
}
