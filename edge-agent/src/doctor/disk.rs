//! The data directory's disk: its room, and whether it keeps what is written.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use super::Finding;
use crate::config::Config;

/// A commit waits for one of these at least; a cashier notices more than this.
const SYNC_MAX: Duration = Duration::from_millis(500);
const MEBIBYTE: u64 = 1024 * 1024;

pub(super) fn look(config: &Config) -> [Finding; 2] {
    [room(&config.data_dir, config.journal.free_bytes_min), written(&config.data_dir)]
}

fn room(folder: &Path, free_bytes_min: u64) -> Finding {
    match nix::sys::statvfs::statvfs(folder) {
        Ok(disk) => {
            // Block counts are 32 bits on some machines.
            #[allow(clippy::useless_conversion)]
            let free = u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()));
            judge(free, free_bytes_min)
        }
        Err(error) => {
            Finding::fault("disk_room", format!("the disk cannot be asked: {}", error.desc()), "see the system's log")
        }
    }
}

fn judge(free_bytes: u64, free_bytes_min: u64) -> Finding {
    let (free, min) = (free_bytes / MEBIBYTE, free_bytes_min / MEBIBYTE);
    let fix = "make room on the data directory's disk";
    if free_bytes < free_bytes_min {
        let found = format!("{free} MiB are free, fewer than journal.free_bytes_min ({min} MiB): no new sale is taken");
        return Finding::fault("disk_room", found, fix);
    }
    // By then somebody must have come.
    if free_bytes < free_bytes_min.saturating_mul(4) {
        return Finding::warning("disk_room", format!("{free} MiB are free; sales stop at {min} MiB"), fix);
    }
    Finding::ok("disk_room", format!("{free} MiB are free; sales stop at {min} MiB"))
}

fn written(folder: &Path) -> Finding {
    match write(&folder.join(format!("doctor-{}.tmp", std::process::id()))) {
        Ok(took) if took <= SYNC_MAX => {
            Finding::ok("disk_write", format!("what is written is on the disk in {} ms", took.as_millis()))
        }
        Ok(took) => {
            let found =
                format!("the disk needs {} ms to keep what is written: every sale waits for that", took.as_millis());
            Finding::warning(
                "disk_write",
                found,
                "see what else writes to this disk; an old flash card wants to be replaced",
            )
        }
        Err(error) => {
            let found = format!("nothing can be written to {}: {error}; nothing can be sold", folder.display());
            Finding::fault("disk_write", found, "see that it is mounted for writing, its owner, and the system's log")
        }
    }
}

fn write(path: &Path) -> io::Result<Duration> {
    let began = Instant::now();
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(&[0; 4096])?;
        file.sync_all()
    });
    let took = began.elapsed();
    match fs::remove_file(path) {
        Err(error) if written.is_ok() => Err(error),
        _ => written.map(|()| took),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn room_by_what_is_kept_free() {
        for (free_bytes, verdict) in
            [(9, Verdict::Fault), (10, Verdict::Warning), (39, Verdict::Warning), (40, Verdict::Ok)]
        {
            assert_eq!(judge(free_bytes, 10).verdict, verdict, "{free_bytes}");
        }
    }

    #[test]
    fn a_folder_that_is_written_to_is_left_as_it_was_and_one_that_is_not_there_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        assert_ne!(written(folder.path()).verdict, Verdict::Fault);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(written(&folder.path().join("none")).verdict, Verdict::Fault);
    }
}
