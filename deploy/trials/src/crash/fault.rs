//! fsync that fails: a small library loaded before a program, and the switch for it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

const SOURCE: &str = include_str!("fsync.c");

/// The library, built.
pub struct Library(PathBuf);

impl Library {
    /// Builds it with the machine's C compiler into `folder`.
    pub fn build(folder: &Path) -> Result<Self> {
        let (source, library) = (folder.join("fsync.c"), folder.join("fsync.so"));
        fs::write(&source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(&source)
            .output()
            .context("there is no C compiler `cc`")?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        Ok(Self(library))
    }

    /// A switch for the program that is started with [`Switch::environment`].
    pub fn switch(&self, name: &str) -> Switch {
        Switch { library: self.0.clone(), file: self.0.with_file_name(format!("{name}.fsync-fails")) }
    }
}

pub struct Switch {
    library: PathBuf,
    file: PathBuf,
}

impl Switch {
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.library.display().to_string()),
            ("FAULT_SWITCH".to_owned(), self.file.display().to_string()),
        ]
    }

    pub fn on(&self) -> Result<()> {
        // Whole before it has its name: PostgreSQL, which is another user, counts in it as well.
        let made = self.file.with_extension("new");
        fs::write(&made, [])?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o666))?;
        Ok(fs::rename(&made, &self.file)?)
    }

    /// How often it struck since it was switched on.
    pub fn off(&self) -> Result<u64> {
        let struck = fs::metadata(&self.file)?.len();
        fs::remove_file(&self.file)?;
        Ok(struck)
    }
}
