//! Files for core's user alone, whole or not there at all, whenever the power goes.

use std::{fs, io, io::Write as _, path::Path};

use tempfile::{NamedTempFile, PersistError};

/// Makes or replaces the file; it is on the disk when this returns.
///
/// # Errors
/// What the disk says; the file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |beside| match beside.persist(path) {
        Err(PersistError { error, .. }) => Err(error),
        Ok(_) => Ok(()),
    })
}

/// Makes the file if there is none: of several that start at once in one folder, one makes it and all read it.
///
/// # Errors
/// What the disk says.
pub fn draw(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |beside| match beside.persist_noclobber(path) {
        Err(PersistError { error, .. }) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    })
}

/// The file beside is open to its user alone (mode 0600), and has a name of its own: two threads may be here at once.
/// If it cannot be written or placed, it is removed.
fn put(path: &Path, bytes: &[u8], place: impl FnOnce(NamedTempFile) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut beside = NamedTempFile::new_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    place(beside)?;
    // Without this the name may be gone after a power cut, and a key with it.
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_drawn_once_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.key");
        draw(&path, b"first").unwrap();
        draw(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/own.key"), b"x").is_err());
    }

    #[test]
    fn of_many_that_draw_at_once_all_read_what_one_made() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = folder.path().join(format!("{round}.key"));
            let read: Vec<_> = std::thread::scope(|scope| {
                let drawers: Vec<_> = (0..4u8)
                    .map(|who| {
                        let path = &path;
                        scope.spawn(move || {
                            draw(path, &[who; 32]).unwrap();
                            fs::read(path).unwrap()
                        })
                    })
                    .collect();
                drawers.into_iter().map(|drawer| drawer.join().unwrap()).collect()
            });
            assert!(read.iter().all(|bytes| *bytes == read[0] && bytes.len() == 32), "{read:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 50);
    }
}
