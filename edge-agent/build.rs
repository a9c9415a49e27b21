//! Builds the crate again when what it embeds has changed: the till's pages and the journal's migrations.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    // A folder that is missing would count as changed for ever. It is empty until the pages are built.
    let pages = Path::new("till/dist");
    if !pages.exists() {
        fs::create_dir_all(pages)?;
    }
    println!("cargo::rerun-if-changed=till/dist");
    println!("cargo::rerun-if-changed=migrations");
    Ok(())
}
