//! The slots' folder: every step is whole or not there, and on the disk when it is done.
//!
//! `state.json` (one rename switches it), `a`, `b` (programs), `<sha256>.part` (what is being fetched), `trusted.json` (what is
//! believed of releases), `journal-before.db` (while a release is on trial), `lock`.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    sys::statvfs::{FsFlags, statvfs},
};
use ring::digest::{Context, SHA256};

use super::slots::{OnJournal, Place, Program, Since, State};
use crate::{journal, private_file};

/// Read at once when a program is hashed.
const CHUNK: usize = 64 << 10;
/// Bits of a mode that let others than its owner change a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a step was not done; what was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("read or write {path} among the slots ({source}); the release that runs goes on")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Private(#[from] private_file::PrivateFileError),
    #[error("understand {path}: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("start {path}: {why}")]
    Unfit { path: PathBuf, why: &'static str },
    #[error("keep a release of {wanted} bytes: {free} are free, and the journal needs its room; make room on the disk")]
    NoRoom { wanted: u64, free: u64 },
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
}

/// What changes the disk, so that a test can cut each one off.
pub trait Disk {
    /// Replaces a file as a whole, for its owner alone; on the disk when this returns.
    ///
    /// # Errors
    /// What was there before is still whole.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError>;
    /// # Errors
    /// Both names are as they were.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// A file that is not there is removed.
    ///
    /// # Errors
    /// It may still be there.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// A copy of the journal that a program can open.
    ///
    /// # Errors
    /// There may be half of one.
    fn copy_journal(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
}

/// The disk as it is.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    |source| DiskError::File { path, source }
}

impl Disk for RealDisk {
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        Ok(private_file::write(path, bytes)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::File::open(from)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(from, to))
            .map_err(failed(from))?;
        Ok(private_file::settle_names(to)?)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(path)(error)),
            Ok(()) => Ok(private_file::settle_names(path)?),
        }
    }

    fn copy_journal(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        Ok(journal::copy(from, to)?)
    }
}

/// The slots of one terminal.
#[derive(Clone, Debug)]
pub struct Slots<D = RealDisk> {
    folder: PathBuf,
    data: PathBuf,
    pub(super) disk: D,
}

impl Slots {
    /// Of the terminal whose data directory this is.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self::on(data, RealDisk)
    }
}

impl<D: Disk> Slots<D> {
    pub(super) fn on(data: &Path, disk: D) -> Self {
        Self { folder: data.join("slots"), data: data.to_owned(), disk }
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    #[must_use]
    pub fn path(&self, slot: Place) -> PathBuf {
        self.folder.join(slot.name())
    }

    #[must_use]
    pub fn part(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.part"))
    }

    #[must_use]
    pub fn trusted_path(&self) -> PathBuf {
        self.folder.join("trusted.json")
    }

    fn journal(&self) -> PathBuf {
        self.data.join("journal.db")
    }

    fn journal_before(&self) -> PathBuf {
        self.folder.join("journal-before.db")
    }

    /// Whether a copy of the journal waits for a way back.
    #[must_use]
    pub fn keeps_journal(&self) -> bool {
        self.journal_before().exists()
    }

    /// Makes the folder, for the agent's user alone.
    ///
    /// # Errors
    /// `File`.
    pub fn make(&self) -> Result<(), DiskError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed(&self.folder))
    }

    /// How it stands; the image alone, if nothing was ever fetched.
    ///
    /// # Errors
    /// `Private`, `Damaged`.
    pub fn state(&self) -> Result<State, DiskError> {
        let path = self.folder.join("state.json");
        // Its mode is not asked: whoever else writes here could put a program into a slot.
        let Some(bytes) = private_file::read(&path, private_file::NOBODY)? else { return Ok(State::default()) };
        serde_json::from_slice(&bytes).map_err(|error| DiskError::Damaged { path, why: error.to_string() })
    }

    /// Changes the state, one program at a time; on the disk when this returns.
    ///
    /// # Errors
    /// `File`, `Private`, `Damaged`: it is as it was.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, DiskError> {
        let path = self.folder.join("lock");
        let lock = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed(&path))?;
        lock.lock().map_err(failed(&path))?;
        let before = self.state()?;
        let mut state = before.clone();
        let changed = change(&mut state);
        if state != before {
            self.write(&state)?;
        }
        Ok(changed)
    }

    fn write(&self, state: &State) -> Result<(), DiskError> {
        let path = self.folder.join("state.json");
        let text = serde_json::to_vec_pretty(state)
            .map_err(|error| DiskError::Damaged { path: path.clone(), why: error.to_string() })?;
        self.disk.put(&path, &text)
    }

    /// Whether the slot holds the program that it says, and nobody else may have changed it.
    ///
    /// # Errors
    /// `Unfit`, `File`.
    pub fn check(&self, slot: Place, program: &Program) -> Result<(), DiskError> {
        let path = self.path(slot);
        check_program(&path, program)
    }

    /// Room for a release beside what the journal keeps free, and for a copy of the journal. What its part holds already is not
    /// asked for again.
    ///
    /// # Errors
    /// As [`Self::check_room`].
    pub fn room_for(&self, program: &Program, free_bytes_min: u64) -> Result<(), DiskError> {
        let held = fs::metadata(self.part(&program.sha256)).map_or(0, |about| about.len());
        self.check_room(program.length.saturating_sub(held), free_bytes_min)
    }

    /// Room for so many bytes beside what the journal keeps free, and for a copy of the journal.
    ///
    /// # Errors
    /// `NoRoom`, `Unfit` if nothing on that disk may be started, `File`.
    pub fn check_room(&self, length: u64, free_bytes_min: u64) -> Result<(), DiskError> {
        let disk = statvfs(&self.folder).map_err(|error| failed(&self.folder)(error.into()))?;
        if disk.flags().contains(FsFlags::ST_NOEXEC) {
            let why = "its disk is mounted noexec; mount it without, or set update.repository to nothing";
            return Err(DiskError::Unfit { path: self.folder.clone(), why });
        }
        // Block counts are 32 bits on some machines.
        #[allow(clippy::useless_conversion)]
        let free = u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()));
        let journal = fs::metadata(self.journal()).map_or(0, |about| about.len());
        let wanted = length.saturating_add(journal).saturating_add(free_bytes_min.saturating_mul(2));
        if free < wanted { Err(DiskError::NoRoom { wanted, free }) } else { Ok(()) }
    }

    /// Makes what was fetched the program of the free slot.
    ///
    /// # Errors
    /// `Unfit` if it is not that program (it is removed then), `File`.
    pub fn install(&self, program: &Program) -> Result<(), DiskError> {
        let part = self.part(&program.sha256);
        fs::set_permissions(&part, fs::Permissions::from_mode(0o700)).map_err(failed(&part))?;
        if let Err(error) = check_program(&part, program) {
            self.disk.remove(&part)?;
            return Err(error);
        }
        let slot = self.change(|state| {
            let slot = state.free();
            // A slot on trial is in use as well.
            let is_free = state.is_open_to_another();
            state.program_mut(slot).filter(|_| is_free).map(|held| *held = None).map(|()| slot)
        })?;
        let Some(slot) = slot else { return Ok(()) };
        self.disk.rename(&part, &self.path(slot))?;
        self.change(|state| state.program_mut(slot).map(|held| *held = Some(program.clone())))?;
        Ok(())
    }

    /// Removes parts of other programs than this.
    pub fn forget_parts(&self, sha256: &str) {
        for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.ends_with(".part") && !name.starts_with(sha256) {
                // It is tried again with the next release.
                let _ = self.disk.remove(&file.path());
            }
        }
    }

    /// Does to the journal what the start of a release asks for.
    ///
    /// # Errors
    /// `File`, `Journal`: the same start may be tried again.
    pub(super) fn on_journal(&self, what: OnJournal) -> Result<(), DiskError> {
        let (journal, before) = (self.journal(), self.journal_before());
        match what {
            OnJournal::Nothing => Ok(()),
            OnJournal::Forget => {
                if self.keeps_journal() {
                    self.disk.remove(&before)
                } else {
                    Ok(())
                }
            }
            OnJournal::Copy => {
                if !journal.exists() {
                    return Ok(());
                }
                let half = self.folder.join("journal-before.new");
                self.disk.remove(&half)?;
                self.disk.copy_journal(&journal, &half)?;
                // Put back, it is the journal: for its owner alone.
                fs::set_permissions(&half, fs::Permissions::from_mode(0o600)).map_err(failed(&half))?;
                self.disk.rename(&half, &before)
            }
            OnJournal::Restore => {
                if !self.keeps_journal() {
                    return Ok(());
                }
                // SQLite would take what is in these for the copy's.
                for side in ["journal.db-wal", "journal.db-shm"] {
                    self.disk.remove(&self.data.join(side))?;
                }
                self.disk.rename(&before, &journal)
            }
        }
    }

    /// What the journal is by now against the copy for the way back. `opened`: a till may have been open on it.
    #[must_use]
    pub fn since(&self, opened: bool) -> Since {
        let (journal, before) = (self.journal(), self.journal_before());
        if !self.keeps_journal() {
            return Since::Same;
        }
        // Over what is not understood, nothing is put back, nor is the copy forgotten.
        let Ok(now) = journal::version_of(&journal) else { return Since::Unknown };
        let Ok(copied) = journal::version_of(&before) else {
            return if now <= journal::version() { Since::Same } else { Since::Written };
        };
        if now == copied {
            return Since::Same;
        }
        match (journal::last_written(&before), journal::last_written(&journal)) {
            (Ok(copied), Ok(now)) if copied == now => Since::Migrated,
            // Tables of another shape are a migration's work; what was sold since cannot be told apart from it.
            (Ok(_), Err(_)) if !opened => Since::Migrated,
            _ => Since::Written,
        }
    }

    /// Whether the journal says that nothing is under way and nothing is unsent. One that cannot be read rests not.
    #[must_use]
    pub fn journal_rests(&self) -> bool {
        !self.journal().exists() || journal::rests(&self.journal()).unwrap_or(false)
    }
}

/// # Errors
/// `Unfit`, `File`.
fn check_program(path: &Path, program: &Program) -> Result<(), DiskError> {
    let unfit = |why| Err(DiskError::Unfit { path: path.to_owned(), why });
    // Nor is a pipe waited for.
    let opened =
        fs::OpenOptions::new().read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path);
    let mut file = match opened {
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => return unfit("it is a symbolic link"),
        opened => opened.map_err(failed(path))?,
    };
    let about = file.metadata().map_err(failed(path))?;
    if !about.is_file() {
        return unfit("it is no file");
    }
    let folder = path.parent().unwrap_or(path).metadata().map_err(failed(path))?;
    if about.uid() != folder.uid() && about.uid() != 0 {
        return unfit("it belongs to another user");
    }
    if about.mode() & WRITABLE_BY_OTHERS != 0 {
        return unfit("others than its owner may change it");
    }
    if about.len() != program.length {
        return unfit("it is not as long as its release");
    }
    let mut digest = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    loop {
        let len = file.read(&mut chunk).map_err(failed(path))?;
        let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else { break };
        digest.update(read);
    }
    if hex::encode(digest.finish()) != program.sha256 {
        return unfit("it is not what was signed (its hash differs)");
    }
    Ok(())
}
