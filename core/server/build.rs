//! Builds the crate again when the pages that it embeds have changed.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    // A folder that is missing would count as changed for ever. It is empty until the pages are built.
    let pages = Path::new("../dashboard/dist");
    if !pages.exists() {
        fs::create_dir_all(pages)?;
    }
    println!("cargo::rerun-if-changed=../dashboard/dist");
    Ok(())
}
