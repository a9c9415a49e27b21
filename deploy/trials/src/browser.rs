//! The browser tests of till and dashboard, against a whole running shop.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::shop::{DEMO_PASSWORD, OWNER_EMAIL, Premises, Shop};

/// Folders whose `npm test` drives a browser.
const SUITES: &[&str] = &["edge-agent/till", "core/dashboard"];

pub async fn run(premises: Premises) -> Result<()> {
    if premises.folder.exists() {
        std::fs::remove_dir_all(&premises.folder)?;
    }
    let shop = Shop::open(premises).await?;
    shop.till_is_online().await?;
    let till = shop.till()?.base().to_owned();
    let mut failed = Vec::new();
    for suite in SUITES {
        let status = Command::new("npm")
            .args(["run", "--silent", "test:browser"])
            .current_dir(Path::new(suite))
            .env("TILL_URL", &till)
            .env("DISPLAY_URL", format!("{till}/display"))
            .env("WALLET_URL", format!("{}/wallet", shop.scheme()?.base()))
            .env("DASHBOARD_URL", shop.core()?.base())
            .env("OWNER_EMAIL", OWNER_EMAIL)
            .env("OWNER_PASSWORD", DEMO_PASSWORD)
            .status()
            .context("npm cannot be started")?;
        if !status.success() {
            failed.push(*suite);
        }
    }
    shop.close().await?;
    if failed.is_empty() { Ok(()) } else { bail!("browser tests failed in {}", failed.join(" and ")) }
}
