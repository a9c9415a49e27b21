//! A new channel to start from, and its build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

pub(super) const NEW_EXAMPLE: &str = "Example:
  saoma plugin new my-wallet --sdk ~/saoma/sdk/rust
  cd my-wallet
  saoma plugin test $(saoma plugin build) --far-side 'saoma-schemes wallet --stage'

It is a whole channel that passes: it speaks the Sandbox Wallet's protocol (plugins/schemes/PROTOCOL.md). Make it your scheme's step
by step: `src/messages/` is what is said on the wire, `src/lib.rs` carries it, `settings.schema.json` draws the settings form.";

pub(super) const BUILD_EXAMPLE: &str = "Example:
  saoma plugin build my-wallet

Calls cargo for wasm32-wasip2 and prints the component's path, and nothing else on standard output.";

const TARGET: &str = "wasm32-wasip2";
/// As `manifest.id` in sdk/wit.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;

/// Where each file goes, and what is in it. The channel that the kit's own tests play is the template: so it always passes.
const FILES: &[(&str, &str)] = &[
    ("src/lib.rs", include_str!("../../../../../plugins/sandbox/src/lib.rs")),
    ("src/messages.rs", include_str!("../../../../../plugins/sandbox/src/messages.rs")),
    ("src/messages/build.rs", include_str!("../../../../../plugins/sandbox/src/messages/build.rs")),
    ("src/messages/page.rs", include_str!("../../../../../plugins/sandbox/src/messages/page.rs")),
    ("src/messages/read.rs", include_str!("../../../../../plugins/sandbox/src/messages/read.rs")),
    ("settings.schema.json", include_str!("../../../../../plugins/sandbox/settings.schema.json")),
];

const CARGO: &str = r#"[package]
name = "@name@"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"]
doctest = false

[dependencies]
saoma-channel-sdk = { path = "@sdk@" }
serde = { version = "1", features = ["derive"] }
serde_json = "1"

[dev-dependencies]
insta = "1"

# The component is downloaded, hashed, compiled and kept by every node.
[profile.release]
opt-level = "s"
lto = "fat"
codegen-units = 1
panic = "abort"

# It is nobody's member, wherever it lies.
[workspace]
"#;

pub(super) fn new(name: &str, sdk: &Path) -> Result<ExitCode> {
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
        .filter(|sdk| sdk.join("Cargo.toml").is_file())
        .with_context(|| format!("{} is not Saoma's sdk/rust: give it with --sdk", sdk.display()))?;
    let cargo = CARGO.replace("@name@", name).replace("@sdk@", &sdk.display().to_string());
    write(&folder.join("Cargo.toml"), &cargo)?;
    for (path, text) in FILES {
        let text = if *path == "src/lib.rs" { renamed(text, name) } else { (*text).to_owned() };
        write(&folder.join(path), &text)?;
    }
    println!("{}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// The template under its own name: the manifest's id and name, and the type.
fn renamed(text: &str, name: &str) -> String {
    let mut lines: Vec<String> = text.lines().skip_while(|line| line.starts_with("//!")).map(str::to_owned).collect();
    for (field, value) in [("id: ", name), ("name: ", name)] {
        if let Some(line) = lines.iter_mut().find(|line| line.trim_start().starts_with(field)) {
            let indent = line.len() - line.trim_start().len();
            *line = format!("{}{field}{value:?}.to_owned(),", &line[..indent]);
        }
    }
    let head = format!("//! The `{name}` channel: carries the scheme's messages (`messages`) over the host's HTTP.\n");
    let body = lines.join("\n");
    let body = body.replace("struct Sandbox;", "struct Channel;").replace("for Sandbox {", "for Channel {");
    format!("{head}{}\n", body.replace("export!(Sandbox)", "export!(Channel)"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let within = || format!("write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(within)?;
    }
    fs::write(path, text).with_context(within)
}

pub(super) fn build(folder: &Path) -> Result<ExitCode> {
    ensure!(folder.join("Cargo.toml").is_file(), "{} has no Cargo.toml: give the channel's folder", folder.display());
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo; is Rust installed? https://rustup.rs")?;
    if !output.status.success() {
        bail!("the channel does not build; if the target is missing: `rustup target add {TARGET}`");
    }
    let component = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(str::to_owned))
        .rfind(|file| file.ends_with(".wasm"))
        .context("the crate made no component: it needs `crate-type = [\"cdylib\"]` in [lib]")?;
    println!("{component}");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_the_names_of_its_own() {
        let text = renamed(FILES[0].1, "my-wallet");
        assert!(text.starts_with("//! The `my-wallet` channel"));
        for line in ["            id: \"my-wallet\".to_owned(),", "            name: \"my-wallet\".to_owned(),"] {
            assert!(text.lines().any(|given| given == line), "{line}");
        }
        assert!(!text.contains("Sandbox") && text.contains("export!(Channel);"), "{text}");
    }
}
