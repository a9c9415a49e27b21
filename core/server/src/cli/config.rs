use std::process::ExitCode;

use anyhow::Result;

use crate::config::{Config, OPTIONS, variable};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Every option with its default, its variable and its meaning, as a TOML file to start from.
    #[arg(long)]
    pub explain: bool,
}

pub(super) fn explain() -> Result<ExitCode> {
    let mut section = "";
    println!("# Saoma core: every option with its default. Set it in this file, or by the variable named.");
    for option in OPTIONS {
        let (of, name) = option.name.split_once('.').unwrap_or(("", option.name));
        if of != section {
            section = of;
            println!("\n[{of}]");
        }
        println!("\n# {}\n# {}", option.meaning, variable(option.name));
        let bare = option.default.parse::<i64>().is_ok() || matches!(option.default, "true" | "false");
        println!("{name} = {}", if bare { option.default.to_owned() } else { format!("{:?}", option.default) });
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(config: &Config) -> Result<ExitCode> {
    println!("{config:#?}");
    Ok(ExitCode::SUCCESS)
}
