//! `saoma-edge journal`.

use anyhow::Result;
use clap::Subcommand;

use crate::{config::Config, journal::verify, link::identity::DataDir};

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Check every entry against the chain of hashes. Changes nothing; may run beside the agent.
    Verify,
}

impl Journal {
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        match self {
            Self::Verify => {
                let verified = verify(&DataDir::open(&config.data_dir)?.journal())?;
                println!(
                    "{}",
                    serde_json::json!({
                        "whole": true,
                        "entries": verified.entries,
                        "synced_through": verified.synced_through,
                    })
                );
                Ok(())
            }
        }
    }
}
