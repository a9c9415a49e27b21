//! fsync that fails: a small library loaded before a program, and the switch for it. Built here too: the library for power
//! cuts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::power::Power;

/// Each by its name.
const SOURCES: [(&str, &str); 2] = [("fsync", include_str!("fsync.c")), ("power", include_str!("power.c"))];

/// The folder of the libraries, built.
pub struct Library(PathBuf);

impl Library {
    /// Builds them with the machine's C compiler into `folder`.
    pub fn build(folder: &Path) -> Result<Self> {
        for (name, text) in SOURCES {
            let source = folder.join(format!("{name}.c"));
            fs::write(&source, text)?;
            let built = Command::new("cc")
                .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
                .arg(folder.join(format!("{name}.so")))
                .arg(&source)
                .output()
                .context("there is no C compiler `cc`")?;
            ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        }
        Ok(Self(folder.to_owned()))
    }

    /// The power of the program whose databases are in `data`.
    pub fn power(&self, data: &Path, name: &str) -> Result<Power> {
        Power::of(self.0.join("power.so"), data, name)
    }

    /// A switch for the program that is started with [`Switch::environment`].
    pub fn switch(&self, name: &str) -> Switch {
        Switch { library: self.0.join("fsync.so"), file: self.0.join(format!("{name}.fsync-fails")) }
    }
}

pub struct Switch {
    library: PathBuf,
    file: PathBuf,
}

impl Switch {
    /// For a program, whose power can be cut too if it is given.
    pub fn environment(&self, power: Option<&Power>) -> Vec<(String, String)> {
        let mut libraries = self.library.display().to_string();
        if let Some(power) = power {
            // First whether the sync fails, then whether it has to be remembered.
            libraries = format!("{libraries}:{}", power.library().display());
        }
        let mut environment =
            vec![("LD_PRELOAD".to_owned(), libraries), ("FAULT_SWITCH".to_owned(), self.file.display().to_string())];
        environment.extend(power.map(Power::environment).into_iter().flatten());
        environment
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
