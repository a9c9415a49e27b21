//! `cargo xtask demo`: builds the system and hands over to `saoma-demo` (deploy/trials), which knows both sides.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{machine, stage::timed, system};

pub fn run(once: bool, only: &[String], fresh: bool) -> Result<()> {
    let system = system::build()?;
    if once {
        machine::packages(&[&machine::ZBAR, &machine::RSVG])?;
    }
    let mut demo = demo(&system);
    if once {
        demo.arg("once");
        for part in only {
            demo.args(["--only", part]);
        }
    } else {
        demo.arg("run");
        if fresh {
            demo.arg("--fresh");
        }
    }
    // Ctrl-C reaches the demo as well, which stops everything in order; we only wait for it.
    let status = demo.status()?;
    if !status.success() {
        bail!("the demo ended with {status}");
    }
    Ok(())
}

/// The browser tests, against the very system of the demo.
pub fn browser() -> Result<()> {
    let system = system::build()?;
    machine::packages(&[&machine::CHROMIUM, &machine::CJK_FONT, &machine::ZBAR])?;
    timed("Browser tests", || {
        let status = demo(&system).arg("browser").status()?;
        if !status.success() {
            bail!("the browser tests ended with {status}");
        }
        Ok(())
    })
}

fn demo(system: &system::System) -> Command {
    let mut demo = Command::new(&system.demo);
    demo.arg("--programs").arg(&system.programs).arg("--plugins").arg(&system.plugins).current_dir(crate::root());
    demo
}
