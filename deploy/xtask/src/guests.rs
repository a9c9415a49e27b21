//! The channel plugins, built for wasm32-wasip2 by cargo's own cache and laid side by side in target/plugins.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    machine,
    stage::{cargo, execute, timed},
};

/// Crates of `plugins/` that are guests, and the name their component has in the registry.
const GUESTS: &[(&str, &str)] =
    &[("saoma-sandbox", "sandbox"), ("saoma-hostile", "hostile"), ("saoma-frozen", "frozen")];

/// Builds the guests; the answer is the folder that holds `<name>.wasm` for each.
pub fn build() -> Result<PathBuf> {
    timed("Channel plugins", || {
        machine::wasm_target()?;
        let mut build = cargo(&["build", "--quiet", "--locked", "--target", "wasm32-wasip2", "--profile", "guest"]);
        for (package, _) in GUESTS {
            build.args(["--package", package]);
        }
        execute(&mut build)?;
        let folder = crate::target().join("plugins");
        fs::create_dir_all(&folder)?;
        for (package, name) in GUESTS {
            let built = crate::target().join("wasm32-wasip2/guest").join(format!("{}.wasm", package.replace('-', "_")));
            fs::copy(&built, folder.join(format!("{name}.wasm")))
                .with_context(|| format!("cannot copy {}", built.display()))?;
        }
        Ok(folder)
    })
}
