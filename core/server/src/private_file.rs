//! Files for core's user alone, whole or not there at all, whenever the power goes.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

/// Makes or replaces the file; it is on the disk when this returns.
///
/// # Errors
/// What the disk says; the file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |beside| fs::rename(beside, path))
}

/// Makes the file if there is none: of several nodes that start at once in one folder, one makes it and all read it.
///
/// # Errors
/// What the disk says.
pub fn draw(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |beside| match fs::hard_link(beside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::remove_file(beside),
    })
}

fn put(path: &Path, bytes: &[u8], place: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let placed = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| place(&beside));
    if let Err(error) = placed {
        // On a full disk even half a file is in the way; that it could not be written is what is told.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    // Without this the name may be gone after a power cut, and a key with it.
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()
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
}
