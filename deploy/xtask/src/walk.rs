//! What a newcomer does first, in each language: `saoma plugin new`, `build`, `test`, by the words of sdk/README.md. It is how the channels in
//! JavaScript and Python are played, too.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
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
const INSTALLED: [(&str, &str); 2] = [("node_modules", LOCK), (".venv", "requirements.txt")];
/// What they build in JavaScript and Python, under stamps of all that it is built from.
const BUILT: [&str; 2] = ["build", "dist"];
const LOCK: &str = "package-lock.json";

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
    // The versions that this repository has: a stranger's release of today fails no test of ours.
    if folder.join("Cargo.toml").is_file() {
        fs::copy(crate::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    }
    if folder.join("package.json").is_file() {
        fs::write(folder.join(LOCK), locked(name, &folder, sdk)?)?;
    }
    // So that a second run neither needs the network nor tests the registries, and builds what has changed.
    for (installed, wanted) in INSTALLED {
        let is_same = fs::read(last.join(wanted)).ok() == fs::read(folder.join(wanted)).ok();
        if is_same && last.join(installed).exists() {
            fs::rename(last.join(installed), folder.join(installed))?;
        }
    }
    for built in BUILT {
        if last.join(built).is_dir() {
            fs::rename(last.join(built), folder.join(built))?;
        }
    }
    timed(&format!("{name}: build"), || execute(saoma(&folder, &["plugin", "build"]).stdout(Stdio::null())))?;
    timed(&format!("{name}: test"), || execute(&mut saoma(&folder, &[&["plugin", "test", "."], test].concat())))
}

/// The example's lock, as npm writes it for the new channel: the SDK's place stands in it as the dependency says it, and from the folder.
fn locked(name: &str, folder: &Path, sdk: &str) -> Result<String> {
    let js = Path::new(sdk).join("js");
    let from_folder = relative(&js, &folder.canonicalize()?);
    Ok(fs::read_to_string(crate::root().join("sdk/examples/js").join(LOCK))?
        .replace("saoma-channel-sandbox-js", name)
        .replace("file:../../js", &format!("file:{}", js.display()))
        .replace("\"../../js\"", &format!("\"{}\"", from_folder.display())))
}

fn relative(to: &Path, from: &Path) -> PathBuf {
    let shared = to.components().zip(from.components()).take_while(|(one, other)| one == other).count();
    from.components().skip(shared).map(|_| Component::ParentDir).chain(to.components().skip(shared)).collect()
}
