//! What a newcomer does first, in each language: `saoma plugin new`, `build`, `test`, by the words of sdk/README.md. It is how the channels in
//! JavaScript and Python are played, too.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{
    machine,
    stage::{command, execute, timed},
    system::{self, System},
};

const CHANNEL: &[&str] = &["--far-side", "saoma-schemes wallet --stage"];
const RULES: &[&str] = &["--settings", "settings.example.json"];
/// Name, what `new` is told, what `test` is told.
const WALKS: [(&str, &[&str], &[&str]); 4] = [
    ("new-rust", &["--language", "rust"], CHANNEL),
    ("new-rules", &["--kind", "rules"], RULES),
    ("new-javascript", &["--language", "javascript"], CHANNEL),
    ("new-python", &["--language", "python"], CHANNEL),
];
/// What the languages' tools install; and the file whose change makes them install anew.
const INSTALLED: [(&str, &str); 2] = [("node_modules", "package.json"), (".venv", "requirements.txt")];

pub fn test() -> Result<()> {
    let system = system::build()?;
    machine::wasm_target()?;
    machine::node()?;
    machine::packages(&[&machine::PYTHON_VENV])?;
    let here = crate::target().join("walk");
    fs::create_dir_all(&here)?;
    WALKS.iter().try_for_each(|(name, new, test)| walk(&system, &here, name, new, test))
}

fn walk(system: &System, here: &Path, name: &str, new: &[&str], test: &[&str]) -> Result<()> {
    // As the walk has them: both programs are on the path.
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([system.programs.clone()].into_iter().chain(env::split_paths(&others)))?;
    let saoma = |within: &Path, words: &[&str]| -> Command {
        let mut saoma = command("saoma", words);
        // Both crates in Rust have the same dependencies.
        saoma.current_dir(within).env("PATH", &path).env("CARGO_TARGET_DIR", here.join("target"));
        saoma
    };
    let (folder, last) = (here.join(name), here.join(format!("{name}.last")));
    if last.exists() {
        fs::remove_dir_all(&last)?;
    }
    if folder.exists() {
        fs::rename(&folder, &last)?;
    }
    let sdk = crate::root().join("sdk").canonicalize()?;
    let sdk = sdk.to_str().context("the repository's path is no text")?;
    timed(&format!("{name}: new"), || {
        execute(&mut saoma(here, &[&["plugin", "new", name, "--sdk", sdk], new].concat()))
    })?;
    // So that a second run neither needs the network nor tests the registries.
    for (installed, wanted) in INSTALLED {
        let is_same = fs::read(last.join(wanted)).ok() == fs::read(folder.join(wanted)).ok();
        if is_same && last.join(installed).exists() {
            fs::rename(last.join(installed), folder.join(installed))?;
        }
    }
    if folder.join("Cargo.toml").is_file() {
        // The versions that this repository has: a stranger's release of today fails no test of ours.
        fs::copy(crate::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    }
    timed(&format!("{name}: build"), || execute(saoma(&folder, &["plugin", "build"]).stdout(Stdio::null())))?;
    timed(&format!("{name}: test"), || execute(&mut saoma(&folder, &[&["plugin", "test", "."], test].concat())))
}
