use std::process::ExitCode;

use anyhow::Result;

use crate::http::openapi;

pub(super) fn print() -> Result<ExitCode> {
    println!("{}", openapi::document()?);
    Ok(ExitCode::SUCCESS)
}
