//! The pages: npm builds them, and only when their sources changed since the last build.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::{
    machine,
    stage::{cargo, command, execute, execute_quietly, output, timed},
};

/// Folders with a package.json whose `npm run build` writes `dist`.
const PAGES: &[(&str, &str)] = &[("Dashboard", "core/dashboard"), ("Till pages", "edge-agent/till")];

/// Builds what is out of date.
pub fn build() -> Result<()> {
    machine::node()?;
    for (name, folder) in PAGES {
        let folder = crate::root().join(folder);
        let stamp_file = folder.join("node_modules/.saoma-built");
        let stamp = fingerprint(&folder)?;
        if fs::read_to_string(&stamp_file).is_ok_and(|built| built == stamp) && folder.join("dist").is_dir() {
            continue;
        }
        timed(name, || {
            install(&folder)?;
            execute_quietly(command("npm", &["run", "--silent", "build"]).current_dir(&folder))?;
            Ok(fs::write(&stamp_file, &stamp)?)
        })?;
    }
    Ok(())
}

/// Installs the locked packages of a folder, unless the lock file is the one of the last time.
pub fn install(folder: &Path) -> Result<()> {
    let lock =
        fs::read(folder.join("package-lock.json")).with_context(|| format!("{} has no lock file", folder.display()))?;
    let stamp_file = folder.join("node_modules/.saoma-lock");
    let stamp = hex::encode(Sha256::digest(&lock));
    if fs::read_to_string(&stamp_file).is_ok_and(|installed| installed == stamp) {
        return Ok(());
    }
    execute_quietly(command("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder))?;
    Ok(fs::write(stamp_file, stamp)?)
}

/// What a browser is told to go to: with none of them its stories are played against the stand-in of their folder.
const ELSEWHERE: &[&str] = &["TILL_URL", "DISPLAY_URL", "WALLET_URL", "DASHBOARD_URL"];

/// The unit tests and type checks of the pages, and their stories in a browser against a stand-in: some are told to that alone, since a
/// whole shop has no crash or lost line on demand. The pages are built before.
pub fn test() -> Result<()> {
    machine::packages(&[&machine::CHROMIUM, &machine::CJK_FONT])?;
    for (name, folder) in PAGES {
        let folder = crate::root().join(folder);
        timed(&format!("{name}: types and unit tests"), || {
            install(&folder)?;
            execute(command("npm", &["run", "--silent", "check"]).current_dir(&folder))
        })?;
        timed(&format!("{name}: stories against a stand-in"), || {
            let mut stories = command("npm", &["run", "--silent", "test:stand-in"]);
            for name in ELSEWHERE {
                stories.env_remove(name);
            }
            execute(stories.current_dir(&folder))
        })?;
    }
    Ok(())
}

/// Writes core/server/openapi.json and the dashboard's types from it.
pub fn codegen() -> Result<()> {
    let document =
        output(&mut cargo(&["run", "--quiet", "--package", "saoma-server", "--bin", "saoma", "--", "openapi"]))?;
    fs::write(crate::root().join("core/server/openapi.json"), document)?;
    let mut states = cargo(&["test", "--quiet", "--package", "saoma-domain", "--test", "it", "states::"]);
    execute(states.env("SAOMA_CODEGEN", "1"))?;
    let dashboard = crate::root().join("core/dashboard");
    install(&dashboard)?;
    execute(command("npm", &["run", "--silent", "codegen"]).current_dir(&dashboard))
}

/// A hash of every file of a folder that a build reads.
fn fingerprint(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["node_modules", "dist", "tests"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            let mut inside = fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
            inside.sort();
            left.extend(inside);
        } else {
            hash.update(path.to_string_lossy().as_bytes());
            hash.update(fs::read(&path)?);
        }
    }
    Ok(hex::encode(hash.finalize()))
}
