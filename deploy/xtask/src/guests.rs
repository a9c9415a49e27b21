//! The channel plugins, built for wasm32-wasip2 by cargo's own cache and laid side by side in target/plugins.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    machine,
    stage::{cargo, execute, timed},
};

/// Native, and a folder of `plugins/` all the same: the far sides.
const SCHEMES: &str = "schemes";

/// The folders of `plugins/` that are guests; the folder's name is the component's, and `saoma-<name>` its crate.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(crate::root().join("plugins"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.retain(|name| name != SCHEMES);
    names.sort();
    Ok(names)
}

/// What core's tests and the demo start with. Each core compiles all that lies in its folder, and a test run starts hundreds.
const FOR_CORE: [&str; 3] = ["sandbox", "hostile", "frozen"];

/// What the demo's shop has besides: its own rules, and cards.
const FOR_DEMO: [&str; 2] = ["canteen-rules", "card"];

/// Where a guest's component is, once it is built.
pub fn component(name: &str) -> PathBuf {
    let folder = if FOR_CORE.contains(&name) { "plugins" } else { "channels" };
    crate::target().join(folder).join(format!("{name}.wasm"))
}

/// Builds the guests; the answer is the folder of those that core's tests and the demo start with.
pub fn build() -> Result<PathBuf> {
    timed("Channel plugins", || {
        machine::wasm_target()?;
        let mut build = cargo(&["build", "--quiet", "--locked", "--target", "wasm32-wasip2", "--profile", "guest"]);
        let names = names()?;
        for name in &names {
            build.args(["--package", &format!("saoma-{name}")]);
        }
        execute(&mut build)?;
        for folder in ["plugins", "channels"] {
            fs::create_dir_all(crate::target().join(folder))?;
        }
        for name in &names {
            let built =
                crate::target().join("wasm32-wasip2/guest").join(format!("saoma_{}.wasm", name.replace('-', "_")));
            fs::copy(&built, component(name)).with_context(|| format!("cannot copy {}", built.display()))?;
        }
        let demo = demo_folder();
        fs::create_dir_all(&demo)?;
        for name in FOR_CORE.iter().chain(&FOR_DEMO) {
            fs::copy(component(name), demo.join(format!("{name}.wasm")))?;
        }
        Ok(crate::target().join("plugins"))
    })
}

/// A folder with all of them, and with `others`: what benches measure. Build them first.
pub fn bench_folder(others: &[(&str, PathBuf)]) -> Result<PathBuf> {
    let folder = crate::target().join("bench-plugins");
    fs::create_dir_all(&folder)?;
    let ours = names()?.into_iter().map(|name| (component(&name), name));
    for (built, name) in ours.chain(others.iter().map(|(name, built)| (built.clone(), (*name).to_owned()))) {
        fs::copy(&built, folder.join(format!("{name}.wasm")))
            .with_context(|| format!("cannot copy {}", built.display()))?;
    }
    Ok(folder)
}

/// The folder of the plugins that the demo's core has.
pub fn demo_folder() -> PathBuf {
    crate::target().join("demo-plugins")
}
