//! Files that hold what nobody else may see: readable by the agent's user alone, and written as a whole. What others may see is
//! replaced in the same way.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

/// Bits of a mode that let the file's group and all others at it.
pub const GROUP_AND_OTHERS: u32 = 0o077;
/// For who looks at a file without trusting it.
pub const NOBODY: u32 = 0;

/// Why such a file is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    #[error("read or write {path}: check that the agent's user owns the data directory and that the disk has room")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "trust {path}: users other than its owner get at it (mode {mode:04o}). Run `chmod 0600 {path}`; if somebody may have \
         read it, replace what is in it as well"
    )]
    Shared { path: PathBuf, mode: u32 },
}

/// What the file holds; `None` if there is no such file.
///
/// # Errors
/// `File`; `Shared` if its mode has one of the bits of `shut_out` ([`GROUP_AND_OTHERS`]).
pub fn read(path: &Path, shut_out: u32) -> Result<Option<Vec<u8>>, PrivateFileError> {
    let failed = |source| PrivateFileError::File { path: path.to_owned(), source };
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    // Of the file that is open: another may take its name at any moment.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & shut_out != 0 {
        return Err(PrivateFileError::Shared { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Replaces the file as a whole, readable by the agent's user alone; it is on the disk when this returns.
///
/// # Errors
/// `File`: what was there before is still whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let failed = |source| PrivateFileError::File { path: path.to_owned(), source };
    put(path, &path.with_extension("new"), bytes, |_| Ok(())).map_err(failed)
}

/// Replaces a file that is there as a whole, for the same users as before; it is on the disk when this returns. Beside it, its name
/// with `.new` is made and goes.
///
/// # Errors
/// The system's: what was there before is still whole.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let about = fs::metadata(path)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    put(path, Path::new(&beside), bytes, |file| {
        // Only the superuser gives files away. For another user the file is this one's from now on; its group has to stay, or
        // others could read it than before.
        fchown(file, Some(about.uid()), Some(about.gid())).or_else(|_| fchown(file, None, Some(about.gid())))?;
        file.set_permissions(fs::Permissions::from_mode(about.mode() & 0o7777))
    })
}

fn put(path: &Path, beside: &Path, bytes: &[u8], dress: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    let replaced = dress(&file)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(beside, path));
    if let Err(error) = replaced {
        // On a full disk even half a file is in the way; that it could not be written is what is told.
        let _ = fs::remove_file(beside);
        return Err(error);
    }
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::File::open(folder).and_then(|folder| folder.sync_all())
}

/// Makes what was renamed or removed beside `path` outlast a power cut.
///
/// # Errors
/// `File`.
pub fn settle_names(path: &Path) -> Result<(), PrivateFileError> {
    sync_folder(path).map_err(|source| PrivateFileError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_for_its_owner_alone_and_read_only_while_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        assert!(read(&path, GROUP_AND_OTHERS).unwrap().is_none());
        for bytes in [&b"one"[..], b"two"] {
            write(&path, bytes).unwrap();
            assert_eq!(read(&path, GROUP_AND_OTHERS).unwrap().unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for (mode, shut_out, is_shared) in [
            (0o600, GROUP_AND_OTHERS, false),
            (0o400, GROUP_AND_OTHERS, false),
            (0o640, GROUP_AND_OTHERS, true),
            (0o620, GROUP_AND_OTHERS, true),
            (0o604, GROUP_AND_OTHERS, true),
            (0o440, 0o007, false),
            (0o444, 0o007, true),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read(&path, shut_out) {
                Ok(bytes) => assert!(!is_shared && bytes.is_some(), "{mode:o}"),
                Err(error) => {
                    let told = error.to_string();
                    assert!(
                        is_shared && told.contains("chmod 0600") && told.contains(&format!("{mode:04o}")),
                        "{told}"
                    );
                }
            }
        }
    }
}
