//! The program `saoma`: core, and the tools of whoever runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    saoma_server::cli::run()
}
