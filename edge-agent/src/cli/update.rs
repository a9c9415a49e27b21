//! `saoma-edge update`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::Exit;
use crate::{
    app::{Parts, now},
    config::Config,
    journal,
    update::{
        built,
        disk::Slots,
        fetch::{Repository, choose, time, trusted},
    },
};

/// How long the till may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

#[derive(Debug, Subcommand)]
pub(super) enum Update {
    /// How it stands: what runs, what lies in the slots, what the next release waits for, what was gone back from. Changes nothing.
    Status,
    /// Look into the repository now, and say what the agent would fetch. Fetches and changes nothing.
    ///
    /// Exit code: 0 the repository is believed, 1 it is not, or cannot be reached.
    Check,
}

impl Update {
    pub(super) fn run(self, config: &Config) -> Result<Exit> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let told = runtime.block_on(async {
            match self {
                Self::Status => status(config).await,
                Self::Check => check(config).await,
            }
        })?;
        println!("{}", serde_json::to_string_pretty(&told).context("write the result as JSON")?);
        Ok(Exit::Done)
    }
}

async fn status(config: &Config) -> Result<Value> {
    let state = Slots::of(&config.data_dir).state()?;
    let till: Option<Value> = async {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build().ok()?;
        let answer = client.get(format!("http://{}/api/state", config.till.listen)).send().await.ok()?;
        answer.json::<Value>().await.ok()?.get_mut("update").map(Value::take)
    }
    .await;
    Ok(json!({"repository": config.update.repository, "slots": state, "till": till}))
}

async fn check(config: &Config) -> Result<Value> {
    let slots = Slots::of(&config.data_dir);
    let mut trusted = trusted(&slots, &config.update.root)?;
    let now = match Parts::from_config(config.clone()) {
        Ok(parts) => time(&parts.core).await,
        Err(_) => now(),
    };
    Repository::new(&config.update.repository)?.refresh(&mut trusted, now, |_| Ok(())).await?;
    let state = slots.state()?;
    let running = state.program(state.at).map_or_else(built, |program| program.version);
    let targets = trusted.targets.as_ref().context("find a list of releases")?;
    let next = choose(targets, running, &state, (std::env::consts::ARCH, &journal::version()), true)?;
    Ok(json!({
        "running": running,
        "next": next,
        "root_version": trusted.root.version,
        "targets_version": targets.version,
        "releases": targets.releases,
    }))
}
