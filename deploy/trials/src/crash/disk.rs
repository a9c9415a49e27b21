//! A small disk of our own (tmpfs), which can be filled to its last byte. Needs root; without it nobody's disk gets full.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Mounted on its folder until it is dropped.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts an empty disk on `folder`, which need not be there. `None` if this user may not.
    pub fn mount(folder: &Path, mib: u32) -> Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=700"), "tmpfs"]).arg(folder);
        let mounted = mount.output().context("there is no program `mount`")?;
        Ok(mounted.status.success().then(|| Self { folder: folder.to_owned() }))
    }

    /// Takes away the disk that a run which was killed left mounted there.
    pub fn forget(folder: &Path) -> Result<()> {
        let shown = format!(" {} ", folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display());
        if fs::read_to_string("/proc/mounts")?.lines().any(|line| line.contains(&shown)) {
            unmount(folder)?;
        }
        Ok(())
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no room at all.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let zeros = vec![0; 1024 * 1024];
        for piece in [zeros.len(), 4096, 1] {
            // It ends when the disk is full, which is what is wanted.
            while ballast.write_all(&zeros[..piece]).is_ok() {}
        }
        Ok(())
    }

    pub fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    /// What it holds goes into a folder beside it, which stays when the disk goes.
    pub fn keep(&self) -> Result<()> {
        let beside = self.folder.with_extension("kept");
        let copied = Command::new("cp").arg("--archive").arg(&self.folder).arg(&beside).status()?;
        ensure!(copied.success(), "{} cannot be copied to {}", self.folder.display(), beside.display());
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.folder) {
            eprintln!("    {error:#}");
        }
    }
}

/// Lazily: what still holds a file there ends by itself.
fn unmount(folder: &Path) -> Result<()> {
    let done = Command::new("umount").arg("--lazy").arg(folder).output()?;
    ensure!(done.status.success(), "umount: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
