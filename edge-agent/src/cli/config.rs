//! `saoma-edge config`.

use anyhow::{Context as _, Result};
use clap::Args;

use crate::config::{Config, ConfigError};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Every option with its meaning, default and environment variable, as a file that can be edited.
    #[arg(long)]
    explain: bool,
}

impl Show {
    /// Without `--explain`: the configuration in force.
    pub(super) fn run(self, load: impl FnOnce() -> Result<Config, ConfigError>) -> Result<()> {
        if self.explain {
            print!("{}", Config::explain());
            return Ok(());
        }
        print!("{}", toml::to_string(&load()?).context("write the configuration as TOML")?);
        Ok(())
    }
}
