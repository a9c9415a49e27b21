//! A power cut: what a killed program had written to its databases and not synced is taken back.
//!
//! kill -9 alone leaves all of it with the operating system. The library keeps for each write what stood there before
//! (`power.c`); a disk may have kept any beginning of those writes, so how many are taken back is drawn.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// Numbers before each record's bytes: offset, length of what stood there, length of the file.
const HEAD: usize = 24;

pub struct Power {
    library: PathBuf,
    /// Where the program keeps its databases.
    data: PathBuf,
    undo: PathBuf,
}

struct Record {
    at: u64,
    length: u64,
    stood: Vec<u8>,
}

impl Power {
    /// For the program whose databases are in `data`.
    pub fn of(library: PathBuf, data: &Path, name: &str) -> Result<Self> {
        let undo = library.with_file_name(format!("{name}.undo"));
        fs::create_dir_all(&undo)?;
        Ok(Self { library, data: data.to_owned(), undo })
    }

    pub fn environment(&self) -> [(String, String); 2] {
        let pair = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        [pair("POWER_DATA", &self.data), pair("POWER_UNDO", &self.undo)]
    }

    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Once the program is dead: takes back the last of what it had not synced. `keeps` says of so many writes of a file how
    /// many had reached the disk. How many were taken back.
    pub fn cut(&self, mut keeps: impl FnMut(usize) -> usize) -> Result<u64> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.data)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with("-shm") {
                // Never on the disk: SQLite makes it anew.
                fs::remove_file(entry.path())?;
            } else {
                files.insert(entry.metadata()?.ino(), entry.path());
            }
        }
        let mut taken_back = 0;
        for entry in fs::read_dir(&self.undo)? {
            let entry = entry?;
            let inode: u64 = entry.file_name().to_string_lossy().parse()?;
            // A file that was removed since is gone.
            if let Some(path) = files.get(&inode) {
                let records = read(&fs::read(entry.path())?)?;
                let kept = keeps(records.len()).min(records.len());
                let file = fs::File::options().write(true).open(path)?;
                for record in records[kept..].iter().rev() {
                    file.write_all_at(&record.stood, record.at)?;
                    file.set_len(record.length)?;
                    taken_back += 1;
                }
            }
            fs::remove_file(entry.path())?;
        }
        Ok(taken_back)
    }
}

/// The last one may have been cut off, before its write.
fn read(mut bytes: &[u8]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(HEAD) {
        let number = |idx: usize| -> Result<u64> {
            let bytes = head.get(idx * 8..idx * 8 + 8).context("a record's head is cut off")?;
            Ok(u64::from_ne_bytes(bytes.try_into()?))
        };
        let (at, n_stood, length) = (number(0)?, usize::try_from(number(1)?)?, number(2)?);
        ensure!(at <= 1 << 40 && length <= 1 << 40, "these are no records of writes");
        let Some((stood, rest)) = rest.split_at_checked(n_stood) else { break };
        records.push(Record { at, length, stood: stood.to_vec() });
        bytes = rest;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::fault::Library;
    use super::*;

    /// Runs a program of Python's in a folder of its own until it kills itself, cuts the power, and shows what a second
    /// program sees.
    fn after_a_cut(before: &str, after: &str) -> (u64, String) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let power = Library::build(folder.path()).unwrap().power(&data, "probe").unwrap();
        let python = |program: &str| {
            let mut command = Command::new("python3");
            command.args(["-c", program]).current_dir(&data);
            command
        };
        let killed = python(before).envs(power.environment()).env("LD_PRELOAD", power.library()).output().unwrap();
        assert!(killed.status.code().is_none(), "{}", String::from_utf8_lossy(&killed.stderr));
        let taken_back = power.cut(|_| 0).unwrap();
        let seen = python(after).output().unwrap();
        assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
        (taken_back, String::from_utf8(seen.stdout).unwrap().trim().to_owned())
    }

    #[test]
    fn what_was_not_synced_is_gone() {
        let writes = "import os\nf=os.open('x.db',os.O_RDWR|os.O_CREAT)\nos.write(f,b'aaaa')\nos.fsync(f)\n\
                      os.pwrite(f,b'bbbb',2)\nos.write(f,b'cc')\nos.ftruncate(f,3)\nos.kill(os.getpid(),9)";
        assert_eq!(after_a_cut(writes, "print(open('x.db').read())"), (3, "aaaa".to_owned()));
    }

    /// The comparison of a round would see a database that answers before its commit is on the disk.
    #[test]
    fn a_commit_is_lost_if_and_only_if_the_database_did_not_wait_for_the_disk() {
        for (synchronous, seen) in [("FULL", "2"), ("OFF", "1")] {
            let sells = format!(
                "import sqlite3,os\nd=sqlite3.connect('shop.db',isolation_level=None)\nd.execute('PRAGMA journal_mode=WAL')\n\
                 d.execute('CREATE TABLE sales(n)')\nd.execute('INSERT INTO sales VALUES(1)')\n\
                 d.execute('PRAGMA wal_checkpoint(TRUNCATE)')\nd.execute('PRAGMA synchronous={synchronous}')\n\
                 d.execute('INSERT INTO sales VALUES(2)')\nos.kill(os.getpid(),9)"
            );
            let counts =
                "import sqlite3\nprint(sqlite3.connect('shop.db').execute('SELECT count(*) FROM sales').fetchone()[0])";
            assert_eq!(after_a_cut(&sells, counts).1, seen, "synchronous={synchronous}");
        }
    }
}
