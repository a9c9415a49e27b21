//! Scripts that drive a browser, against a whole running shop: the tests of till and dashboard, and the pictures.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    servers::free_port,
    shop::{DEMO_PASSWORD, OWNER_EMAIL, Premises, Shop},
};

/// Folders whose `npm run test:browser` tests their pages.
const SUITES: &[&str] = &["edge-agent/till", "core/dashboard"];
/// Where the pictures are taken from.
const CAMERA: &[&str] = &["core/dashboard"];

/// Tests the pages.
pub async fn test(premises: Premises) -> Result<()> {
    let shop = opened(premises).await?;
    let played = play(&shop, "test:browser", SUITES);
    shop.close().await?;
    played
}

/// Takes the README's pictures: of a shop, and then of its till without core.
pub async fn pictures(premises: Premises) -> Result<()> {
    let mut shop = opened(premises).await?;
    let mut taken = play(&shop, "pictures", CAMERA);
    if taken.is_ok() {
        shop.stop_core().await?;
        taken = play(&shop, "pictures:offline", CAMERA);
    }
    shop.close().await?;
    taken
}

async fn opened(mut premises: Premises) -> Result<Shop> {
    // A second browser comes in by it.
    premises.terminal_settings.push(("SAOMA_EDGE_PAIRED__LISTEN".to_owned(), format!("127.0.0.1:{}", free_port()?)));
    Shop::forget(&premises)?;
    let shop = Shop::open(premises).await?;
    shop.till_is_online().await?;
    Ok(shop)
}

/// Runs the script of that name in each of `folders`.
fn play(shop: &Shop, script: &str, folders: &[&str]) -> Result<()> {
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
    if failed.is_empty() { Ok(()) } else { bail!("{script} failed in {}", failed.join(" and ")) }
}
