//! `saoma-edge`: the agent on a terminal.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match saoma_edge::cli::Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            // The chain is printed once, here.
            eprintln!("saoma-edge failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}
