//! `cargo xtask demo`: builds the system and hands over to `saoma-demo` (deploy/trials), which knows both sides.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    machine,
    stage::{self, timed},
    system, web,
};

/// Becomes the demo: Ctrl-C is for that program alone, and the shell waits until it has stopped everything.
pub fn run(once: bool, only: &[String], fresh: bool) -> Result<()> {
    let mut demo = if once {
        scenes(only)?
    } else {
        let mut demo = demo(&system::build()?);
        demo.arg("run").args(fresh.then_some("--fresh"));
        demo
    };
    Err(demo.exec()).context("cannot start saoma-demo")
}

/// All scenarios, as one stage of the tests.
pub fn scenarios() -> Result<()> {
    stage::execute(&mut scenes(&[])?)
}

fn scenes(only: &[String]) -> Result<Command> {
    let system = system::build()?;
    machine::packages(&[&machine::ZBAR, &machine::RSVG, &machine::PROMETHEUS_PARSER])?;
    let mut demo = demo(&system);
    demo.arg("once");
    for part in only {
        demo.args(["--only", part]);
    }
    Ok(demo)
}

/// Several cores on one PostgreSQL and one Redis, and what can be taken from them.
pub fn nodes() -> Result<()> {
    let system = system::build()?;
    machine::packages(&[&machine::POSTGRESQL, &machine::REDIS])?;
    let status = demo(&system).arg("nodes").status()?;
    if !status.success() {
        bail!("the nodes' scenarios ended with {status}");
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

/// Takes the pictures that README shows, from the demo's own shop.
pub fn pictures() -> Result<()> {
    let system = system::build()?;
    machine::packages(&[&machine::CHROMIUM, &machine::CJK_FONT, &machine::PNGQUANT])?;
    web::install(&crate::root().join("core/dashboard"))?;
    timed("Pictures", || {
        let status = demo(&system).arg("pictures").status()?;
        if !status.success() {
            bail!("taking the pictures ended with {status}");
        }
        Ok(())
    })
}

/// `saoma-demo`, with what was built.
pub fn demo(system: &system::System) -> Command {
    let mut demo = Command::new(&system.demo);
    demo.arg("--programs").arg(&system.programs).arg("--plugins").arg(&system.plugins).current_dir(crate::root());
    demo
}
