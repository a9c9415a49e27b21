//! Scripts that drive a browser, against a whole running shop: the tests of till and dashboard, and the pictures.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    servers::free_port,
    shop::{DEMO_PASSWORD, OWNER_EMAIL, Premises, Shop},
};

/// Folders whose `npm run test:browser` tests their pages.
pub const SUITES: &[&str] = &["edge-agent/till", "core/dashboard"];

/// Runs the script of that name in each of `folders`.
pub async fn run(mut premises: Premises, script: &str, folders: &[&str]) -> Result<()> {
    // A second browser comes in by it.
    premises.terminal_settings.push(("SAOMA_EDGE_PAIRED__LISTEN".to_owned(), format!("127.0.0.1:{}", free_port()?)));
    Shop::forget(&premises)?;
    let shop = Shop::open(premises).await?;
    shop.till_is_online().await?;
    let till = shop.till()?.base().to_owned();
    let mut failed = Vec::new();
    for folder in folders {
        let status = Command::new("npm")
            .args(["run", "--silent", script])
            .current_dir(Path::new(folder))
            .env("TILL_URL", &till)
            .env("DISPLAY_URL", format!("{till}/display"))
            .env("WALLET_URL", format!("{}/wallet", shop.scheme()?.base()))
            .env("DASHBOARD_URL", shop.core()?.base())
            .env("OWNER_EMAIL", OWNER_EMAIL)
            .env("OWNER_PASSWORD", DEMO_PASSWORD)
            .status()
            .context("npm cannot be started")?;
        if !status.success() {
            failed.push(*folder);
        }
    }
    shop.close().await?;
    if failed.is_empty() { Ok(()) } else { bail!("{script} failed in {}", failed.join(" and ")) }
}
