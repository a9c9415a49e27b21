//! Where a test or a script stands in for what people do before a device that is not there.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixDatagram,
    },
};

/// For this user alone, in the place of a socket that an earlier run left.
pub(super) fn bind(path: &str) -> io::Result<UnixDatagram> {
    if fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(socket)
}
