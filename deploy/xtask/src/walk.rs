//! What a newcomer does first, in each language: `saoma plugin new`, `build`, `test`, in a folder outside of this repository, which knows of it
//! what `new` wrote and nothing else. It is how the channels in JavaScript and Python are played, too.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    time::Instant,
};

use anyhow::{Context as _, Result};

use crate::{
    machine,
    stage::{command, execute, output, timed},
    system::{self, System},
};

const CHANNEL: &[&str] = &["--far-side", "saoma-schemes wallet --stage", "--jobs", "8"];
const RULES: &[&str] = &["--settings", "settings.example.json"];
/// Name, what `new` is told, what `test` is told.
const WALKS: [(&str, &[&str], &[&str]); 4] = [
    ("new-rust", &["--language", "rust"], CHANNEL),
    ("new-rules", &["--kind", "rules"], RULES),
    ("new-javascript", &["--language", "javascript"], CHANNEL),
    ("new-python", &["--language", "python"], CHANNEL),
];

/// What a walk that fails has made stays, to be looked at.
pub fn test() -> Result<()> {
    let system = system::build()?;
    machine::wasm_target()?;
    machine::node()?;
    machine::packages(&[&machine::PYTHON_VENV])?;
    let elsewhere = env::temp_dir().join(format!("saoma-walk-{}", process::id()));
    fs::create_dir_all(&elsewhere)?;
    for (name, new, test) in WALKS {
        let folder = elsewhere.join(name);
        timed(&format!("{name}: new, build, test"), || walk(&system, &folder, name, new, test))?;
        fs::remove_dir_all(&folder)?;
    }
    Ok(fs::remove_dir(&elsewhere)?)
}

fn walk(system: &System, folder: &Path, name: &str, new: &[&str], test: &[&str]) -> Result<()> {
    // As the walk has them: both programs are on the path.
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([system.programs.clone()].into_iter().chain(env::split_paths(&others)))?;
    let saoma = |within: &Path, words: &[&str]| -> Command {
        let mut saoma = command("saoma", words);
        // Both crates in Rust have the same dependencies, from one run to the next.
        saoma.current_dir(within).env("PATH", &path).env("CARGO_TARGET_DIR", crate::target().join("walk"));
        saoma
    };
    let sdk: PathBuf = crate::root().join("sdk").canonicalize()?;
    let sdk = sdk.to_str().context("the repository's path is no text")?;
    let elsewhere = folder.parent().context("a folder in another")?;
    execute(&mut saoma(elsewhere, &[&["plugin", "new", name, "--sdk", sdk], new].concat()))?;
    if folder.join("Cargo.toml").is_file() {
        // The versions that this repository has, so that a stranger's release of today fails no test of ours.
        fs::copy(crate::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    }
    if folder.join("build.py").is_file() {
        execute(command("python3", &["build.py", "check"]).current_dir(folder))?;
    }
    let began = Instant::now();
    let component = output(&mut saoma(folder, &["plugin", "build"]))?;
    eprintln!("    {name}: built in {:.1} s", began.elapsed().as_secs_f64());
    execute(&mut saoma(folder, &[&["plugin", "test", component.trim()], test].concat()))
}
