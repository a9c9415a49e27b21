//! Building the programs that the demo and the browser tests start.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    guests, machine,
    stage::{cargo, execute, timed},
    web,
};

/// What was built, by path.
pub struct System {
    /// Starts and drives all the others.
    pub demo: PathBuf,
    /// Holds `saoma`, `saoma-edge`, `saoma-schemes`.
    pub programs: PathBuf,
    pub plugins: PathBuf,
}

/// Builds plugins, pages and programs, each only where something changed.
pub fn build() -> Result<System> {
    machine::packages(&[&machine::C_COMPILER])?;
    guests::build()?;
    web::build()?;
    timed("Programs (the first build takes several minutes)", || {
        // One call for all, so that features are the same as in the tests and nothing is compiled twice.
        execute(&mut cargo(&["build", "--locked", "--workspace", "--bins", "--exclude", "xtask"]))
    })?;
    let programs = crate::target().join("debug");
    Ok(System { demo: programs.join("saoma-demo"), programs, plugins: guests::demo_folder() })
}
