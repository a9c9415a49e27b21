//! `cargo xtask terminal`: the agent as it is shipped, one static program that any Linux of this processor starts.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{
    machine,
    stage::{cargo, command, execute, output, timed},
    web,
};

/// Builds it; the answer is where it lies.
pub fn build() -> Result<PathBuf> {
    // glibc's resolver opens shared objects even from a static program; musl's does not.
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    machine::rust_target(&target, "a terminal's static program")?;
    machine::packages(&[&machine::C_COMPILER, &machine::MUSL])?;
    // The till's page is inside.
    web::build()?;
    timed("The terminal's program", || {
        let shipped = ["build", "--quiet", "--locked", "--profile", "small", "--package", "saoma-edge"];
        execute(cargo(&shipped).args(["--target", &target]))
    })?;
    let program = crate::target().join(&target).join("small/saoma-edge");
    check_static(&program)?;
    Ok(program)
}

/// Errors unless the kernel alone starts it: no loader is named, and no library.
fn check_static(program: &Path) -> Result<()> {
    let told = output(command("readelf", &["--wide", "--program-headers", "--dynamic"]).arg(program))?;
    for asked in ["INTERP", "(NEEDED)"] {
        ensure!(!told.contains(asked), "{} is not static: readelf finds {asked} in it", program.display());
    }
    Ok(())
}
