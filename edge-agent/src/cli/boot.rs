//! `saoma-edge boot`.

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::Args;

use crate::update::boot::{boot, guard};

#[derive(Debug, Args)]
pub(super) struct Boot {
    /// The data directory of the terminal, as `data_dir` of its configuration has it.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// What the chosen program is started with.
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
    /// The process that this one guards, which is how boot calls itself.
    #[arg(long, hide = true, requires_all = ["guard_seconds", "guard_program"])]
    guard: Option<i32>,
    #[arg(long, hide = true)]
    guard_seconds: Option<u64>,
    #[arg(long, hide = true)]
    guard_program: Option<String>,
}

impl Boot {
    pub(super) fn run(&self) -> Result<()> {
        if let (Some(process), Some(seconds), Some(program)) = (self.guard, self.guard_seconds, &self.guard_program) {
            guard(&self.data_dir, process, seconds, program);
            return Ok(());
        }
        match boot(&self.data_dir, &self.arguments)? {}
    }
}
