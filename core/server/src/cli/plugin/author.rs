//! A new channel to start from, and its build.

mod template;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

pub(super) use template::{Kind, Language};

pub(super) const NEW_EXAMPLE: &str = "Examples:
  saoma plugin new my-wallet --sdk ~/saoma/sdk
  saoma plugin new my-wallet --sdk ~/saoma/sdk --language javascript
  cd my-wallet
  saoma plugin test . --far-side 'saoma-schemes wallet --stage'
  saoma plugin new my-rules --sdk ~/saoma/sdk --kind rules

It is a whole channel that passes: it speaks the Sandbox Wallet's protocol (plugins/schemes/PROTOCOL.md). Make it your scheme's step
by step: `messages` is what is said on the wire, the module above it carries it, `settings.schema.json` draws the settings form.
Rules begin as a canteen's, which pass as well: `src/rules.rs` has them as plain functions.";

pub(super) const BUILD_EXAMPLE: &str = "Example:
  saoma plugin build my-wallet

Calls cargo for wasm32-wasip2, npm (package.json) or python3 (build.py), whichever the folder is for. What they need besides they
install into the folder. Prints the component's path, and nothing else on standard output.";

const TARGET: &str = "wasm32-wasip2";
const RUST_WANTED: &str = "start cargo (install Rust, https://rustup.rs, then `rustup target add wasm32-wasip2`)";
const NPM_WANTED: &str = "start npm (install Node 20.19 or newer, which has it: https://nodejs.org)";
const PYTHON_WANTED: &str = "start python3 (install Python 3.11 or newer with venv, https://www.python.org; Debian: `apt-get install python3-venv`)";
/// As `manifest.id` in sdk/wit.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;

pub(super) fn new(name: &str, kind: Kind, language: Language, sdk: &Path) -> Result<ExitCode> {
    let is_slug = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    ensure!(
        is_slug && begins && NAME_CHARS.contains(&name.len()),
        "{name:?} is no name of a channel: use 2 to 32 lower-case letters, digits and `-`, the first a letter"
    );
    let folder = PathBuf::from(name);
    ensure!(!folder.exists(), "{name} is there already; take another name, or go elsewhere");
    let sdk = sdk
        .canonicalize()
        .ok()
        .filter(|sdk| sdk.join("wit").is_dir())
        .with_context(|| format!("{} is not Saoma's folder sdk: give it with --sdk", sdk.display()))?;
    let files = match kind {
        Kind::Channel => template::files(language, name, &sdk),
        Kind::Rules => {
            ensure!(language == Language::Rust, "rules have a template in Rust alone: leave --language out");
            template::rules(name, &sdk)
        }
    };
    for (path, text) in files {
        write(&folder.join(path), &text)?;
    }
    println!("{name}");
    let far_side = match kind {
        Kind::Channel => "--far-side 'saoma-schemes wallet --stage'",
        Kind::Rules => "--settings settings.example.json",
    };
    eprintln!("It passes as it is: cd {name} && saoma plugin test . {far_side}");
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let within = || format!("write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(within)?;
    }
    fs::write(path, text).with_context(within)
}

pub(super) fn build(folder: &Path) -> Result<ExitCode> {
    println!("{}", built(folder)?);
    Ok(ExitCode::SUCCESS)
}

/// Where the component of a channel's folder is, once it is built.
pub(super) fn built(folder: &Path) -> Result<String> {
    if folder.join("Cargo.toml").is_file() {
        of_cargo(folder)
    } else if folder.join("package.json").is_file() {
        if !folder.join("node_modules").is_dir() {
            run(
                folder,
                "npm",
                &["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
                NPM_WANTED,
            )?;
        }
        run(folder, "npm", &["run", "--silent", "build"], NPM_WANTED)?;
        made(folder)
    } else if folder.join("build.py").is_file() {
        run(folder, "python3", &["build.py"], PYTHON_WANTED)?;
        made(folder)
    } else {
        bail!("{} has no Cargo.toml, package.json or build.py: give the channel's folder", folder.display());
    }
}

/// Runs a tool of the folder's; what it prints goes where errors go.
fn run(folder: &Path, program: &str, arguments: &[&str], missing: &'static str) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdout(std::io::stderr())
        .status()
        .context(missing)?;
    ensure!(status.success(), "the channel does not build: `{program} {}` says why", arguments.join(" "));
    Ok(())
}

/// The one component in the folder's `dist`.
fn made(folder: &Path) -> Result<String> {
    let dist = folder.join("dist");
    let within = || format!("look for the component in {}", dist.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&dist).with_context(within)? {
        let path = entry.with_context(within)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path.canonicalize().with_context(within)?);
        }
    }
    match found.as_slice() {
        [component] => Ok(component.display().to_string()),
        _ => bail!("{} holds {} components: leave the one that is built there", dist.display(), found.len()),
    }
}

fn of_cargo(folder: &Path) -> Result<String> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context(RUST_WANTED)?;
    if !output.status.success() {
        bail!("the channel does not build; if the target is missing: `rustup target add {TARGET}`");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(str::to_owned))
        .rfind(|file| file.ends_with(".wasm"))
        .context("the crate made no component: it needs `crate-type = [\"cdylib\"]` in [lib]")
}
