//! `saoma-edge enrol`.

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    config::Config,
    link::{
        enrol::{Request, enrol},
        identity::DataDir,
    },
};

#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// Address of core's terminal listener, for example https://pay.example:7643.
    #[arg(long, value_name = "URL")]
    core: String,
    /// The claim code that the dashboard shows for this terminal; it works once.
    #[arg(long, value_name = "CODE")]
    claim_code: String,
    /// SHA-256 of core's CA certificate, shown beside the claim code.
    #[arg(long, value_name = "HEX")]
    ca_fingerprint: String,
    /// This machine is that terminal already and its certificate is over or lost: get another, keep the journal.
    #[arg(long)]
    again: bool,
}

impl Enrol {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let Self { core, claim_code, ca_fingerprint, again } = self;
        let folder = DataDir::open(&config.data_dir)?;
        let _lock = folder.lock()?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let identity = runtime.block_on(enrol(&folder, &Request { core, claim_code, ca_fingerprint, again }))?;
        let profile = &identity.profile;
        eprintln!(
            "This is now {} of {}, {}. Start it with `saoma-edge run`.",
            profile.terminal_name, profile.store_name, profile.merchant_name
        );
        println!("{}", serde_json::json!({"enrolled": true, "terminal": identity.terminal, "tenant": identity.tenant}));
        Ok(())
    }
}
