//! The rules of the house, checked. ARCHITECTURE.md names each of them; a rule that only stands there is a wish.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::stage::{cargo, output, timed};

/// Who may import whom, of our own crates. Test-only imports are not arrows.
const ARROWS: &[(&str, &[&str])] = &[
    ("saoma-protocol", &[]),
    ("saoma-domain", &["saoma-protocol"]),
    ("saoma-store", &["saoma-domain", "saoma-protocol"]),
    ("saoma-channels", &["saoma-domain", "saoma-protocol"]),
    ("saoma-server", &["saoma-channels", "saoma-domain", "saoma-protocol", "saoma-store"]),
    ("saoma-edge", &["saoma-protocol"]),
    ("saoma-channel-sdk", &["saoma-protocol"]),
    ("saoma-sandbox", &["saoma-channel-sdk"]),
    ("saoma-alipay", &["saoma-channel-sdk"]),
    ("saoma-card", &["saoma-channel-sdk"]),
    ("saoma-pix", &["saoma-channel-sdk"]),
    ("saoma-lightning", &["saoma-channel-sdk"]),
    ("saoma-unionpay", &["saoma-channel-sdk"]),
    ("saoma-wechatpay", &["saoma-channel-sdk"]),
    ("saoma-wallet", &["saoma-channel-sdk"]),
    ("saoma-hostile", &["saoma-channel-sdk"]),
    ("saoma-canteen-rules", &["saoma-channel-sdk"]),
    ("saoma-hostile-rules", &["saoma-channel-sdk"]),
    ("saoma-frozen", &[]),
    ("saoma-schemes", &[]),
    (
        "saoma-trials",
        &["saoma-channels", "saoma-domain", "saoma-edge", "saoma-protocol", "saoma-server", "saoma-store"],
    ),
    ("xtask", &[]),
];

/// Packages that only these crates may name among their dependencies.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("diesel", &["saoma-store", "saoma-edge"]),
    ("wasmtime", &["saoma-channels"]),
    ("rmqtt", &["saoma-server"]),
    ("tokio", &["saoma-store", "saoma-channels", "saoma-server", "saoma-edge", "saoma-schemes", "saoma-trials"]),
];

/// Lines past which a room is too large, unless it stands in deploy/xtask/large-rooms.txt, which may only shrink.
const ROOM_LINES_MAX: usize = 600;

/// Names of channels that core must not know: a channel is found by its manifest.
const CHANNEL_NAMES: &[&str] = &["sandbox", "alipay", "wechatpay", "unionpay", "pix", "lightning", "wallet"];

pub fn run() -> Result<()> {
    timed("Rules of the house", || {
        let mut broken = arrows()?;
        broken.extend(rooms()?);
        broken.extend(channels_in_core()?);
        if broken.is_empty() {
            return Ok(());
        }
        bail!("\n  {}", broken.join("\n  "));
    })
}

fn arrows() -> Result<Vec<String>> {
    let metadata: Value =
        serde_json::from_str(&output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?)?;
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(allowed) = allowed.get(name) else {
            broken.push(format!("{name} has no row in the table of arrows (deploy/xtask/src/tidy.rs)"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] == "dev" {
                continue;
            }
            if on.starts_with("saoma-") && !allowed.contains(&on) {
                broken.push(format!("{name} must not import {on}"));
            }
            if let Some((_, crates)) = ONLY_IN.iter().find(|(package, _)| *package == on)
                && !crates.contains(&name)
            {
                broken.push(format!("{name} must not use {on}; only {} may", crates.join(", ")));
            }
        }
    }
    Ok(broken)
}

fn rooms() -> Result<Vec<String>> {
    let list = crate::root().join("deploy/xtask/large-rooms.txt");
    let known: BTreeMap<String, usize> = fs::read_to_string(&list)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(lines, file)| Some((file.to_owned(), lines.parse().ok()?)))
        .collect();
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for file in tracked(&[".rs", ".ts", ".tsx", ".wit", ".css"])? {
        // Generated: nobody reads or writes it by hand.
        if file.ends_with(".d.ts") {
            continue;
        }
        let lines = fs::read_to_string(crate::root().join(&file))?.lines().count();
        let limit = known.get(&file).copied().unwrap_or(ROOM_LINES_MAX);
        if lines > limit {
            broken
                .push(format!("{file} has {lines} lines; at most {limit}: give one of its subjects a room of its own"));
        }
        if lines > ROOM_LINES_MAX {
            seen.insert(file);
        }
    }
    broken.extend(
        known
            .keys()
            .filter(|file| !seen.contains(*file))
            .map(|file| format!("{file} is small now: take its line out of deploy/xtask/large-rooms.txt")),
    );
    Ok(broken)
}

fn channels_in_core() -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for file in tracked(&[".rs", ".sql"])? {
        if !file.starts_with("core/") || file.contains("/tests/") || file.contains("/benches/") {
            continue;
        }
        let text = fs::read_to_string(crate::root().join(&file))?;
        for (idx, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let before_tests = !text.lines().take(idx).any(|line| line.trim() == "#[cfg(test)]");
            if before_tests && CHANNEL_NAMES.iter().any(|name| code.contains(&format!("\"{name}\""))) {
                broken.push(format!("{file}:{} names a channel; core finds channels by their manifests", idx + 1));
            }
        }
    }
    Ok(broken)
}

/// Files that git tracks (or would), by their ending.
fn tracked(endings: &[&str]) -> Result<Vec<String>> {
    let root: PathBuf = crate::root();
    let listed = output(&mut crate::stage::command(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    ))?;
    Ok(listed
        .lines()
        .filter(|file| endings.iter().any(|ending| file.ends_with(ending)) && Path::new(&root).join(file).is_file())
        .map(str::to_owned)
        .collect())
}
