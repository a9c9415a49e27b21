//! Sorting more than memory holds: runs that fit are sorted and written to a file, which is then read at all their beginnings
//! at once.
//!
//! The file has no name, or loses it before anything is written, and is its owner's alone: whatever ends the process, nothing
//! of the payments in it stays behind. An error of the disk ends the sort; nothing else depends on it.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{File, Permissions},
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write as _},
    ops::Range,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// What is sorted, by the bytes of its key and then of the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub key: Vec<u8>,
    pub rest: Vec<u8>,
}

/// Before each entry stand the lengths of its two parts.
const HEAD_BYTES: usize = 8;
/// Most that is read of one run at a time; less where there are many runs, so that all of them keep to the sort's memory.
const READ_BYTES_MAX: usize = 65_536;
const READ_BYTES_MIN: usize = 4_096;

/// Takes entries in any order.
pub struct Sorter {
    folder: PathBuf,
    memory_bytes: usize,
    /// The run that is being gathered, and where in it each entry begins.
    held: Vec<u8>,
    begins: Vec<u32>,
    spilled: Spilled,
}

#[derive(Default)]
struct Spilled {
    file: Option<File>,
    runs: Vec<Range<u64>>,
}

/// All entries in their order, as often as they are asked for.
pub struct Sorted {
    spilled: Spilled,
    read_bytes: usize,
}

impl Sorter {
    /// Holds up to `memory_bytes` (or one entry, if that is more) at a time; what is more lies in `folder`.
    pub fn new(folder: &Path, memory_bytes: usize) -> Self {
        let memory_bytes = memory_bytes.min(u32::MAX as usize);
        Self {
            folder: folder.to_owned(),
            memory_bytes,
            held: Vec::new(),
            begins: Vec::new(),
            spilled: Spilled::default(),
        }
    }

    /// # Errors
    /// Of the disk; `InvalidInput` for a part of 4 GiB.
    pub fn push(&mut self, Entry { key, rest }: &Entry) -> io::Result<()> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "an entry of 4 GiB");
        let entry_bytes = HEAD_BYTES + key.len() + rest.len();
        let with_it = self.held.len() + entry_bytes + (self.begins.len() + 1) * size_of::<u32>();
        if with_it > self.memory_bytes && !self.begins.is_empty() {
            self.spill()?;
        }
        self.begins.push(u32::try_from(self.held.len()).map_err(too_long)?);
        for part in [key, rest] {
            self.held.extend(u32::try_from(part.len()).map_err(too_long)?.to_le_bytes());
        }
        self.held.extend(key);
        self.held.extend(rest);
        Ok(())
    }

    /// # Errors
    /// Of the disk.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        if !self.begins.is_empty() {
            self.spill()?;
        }
        let share = self.memory_bytes / self.spilled.runs.len().max(1);
        Ok(Sorted { spilled: self.spilled, read_bytes: share.clamp(READ_BYTES_MIN, READ_BYTES_MAX) })
    }

    fn spill(&mut self) -> io::Result<()> {
        let held = &self.held;
        self.begins.sort_unstable_by(|one, other| parts(held, *one).cmp(&parts(held, *other)));
        let file = match &self.spilled.file {
            Some(file) => file,
            None => {
                let file = tempfile::tempfile_in(&self.folder)?;
                // Without a name it is still to be reached through /proc.
                file.set_permissions(Permissions::from_mode(0o600))?;
                self.spilled.file.insert(file)
            }
        };
        let begin = self.spilled.runs.last().map_or(0, |run| run.end);
        let mut writer = BufWriter::with_capacity(READ_BYTES_MAX, file);
        for at in &self.begins {
            let (key, rest) = parts(held, *at);
            let at = *at as usize;
            writer.write_all(&held[at..at + HEAD_BYTES + key.len() + rest.len()])?;
        }
        writer.flush()?;
        // Runs lie one behind the other, each written from where the one before ended.
        self.spilled.runs.push(begin..begin + held.len() as u64);
        self.held.clear();
        self.begins.clear();
        Ok(())
    }
}

/// Key and rest of the entry that begins at `at`, of bytes that [`Sorter::push`] wrote.
fn parts(held: &[u8], at: u32) -> (&[u8], &[u8]) {
    let entry = &held[at as usize..];
    let (head, body) = entry.split_at(HEAD_BYTES);
    let [key_bytes, rest_bytes] = lengths(head);
    (&body[..key_bytes], &body[key_bytes..key_bytes + rest_bytes])
}

fn lengths(head: &[u8]) -> [usize; 2] {
    let length = |at: usize| head[at..at + 4].iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    [length(0), length(4)]
}

impl Sorted {
    /// # Errors
    /// Of the disk.
    pub fn entries(&self) -> io::Result<Entries<'_>> {
        let mut entries = Entries { runs: Vec::new(), next: BinaryHeap::new(), failed: None };
        let Some(file) = &self.spilled.file else { return Ok(entries) };
        for Range { start, end } in self.spilled.runs.clone() {
            let run = Run { file, at: start, end };
            entries.runs.push(BufReader::with_capacity(self.read_bytes, run));
            entries.advance(entries.runs.len() - 1)?;
        }
        Ok(entries)
    }
}

/// The entries, one after another; over after the first error.
pub struct Entries<'a> {
    runs: Vec<BufReader<Run<'a>>>,
    /// The first entry of each run that is not over, and which run that is.
    next: BinaryHeap<Reverse<(Entry, usize)>>,
    failed: Option<io::Error>,
}

impl Entries<'_> {
    fn advance(&mut self, of: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(of) else { return Ok(()) };
        if run.fill_buf()?.is_empty() {
            return Ok(());
        }
        let mut head = [0; HEAD_BYTES];
        run.read_exact(&mut head)?;
        let [mut key, mut rest] = lengths(&head).map(|bytes| vec![0; bytes]);
        run.read_exact(&mut key)?;
        run.read_exact(&mut rest)?;
        self.next.push(Reverse((Entry { key, rest }, of)));
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        if let Some(error) = self.failed.take() {
            self.next.clear();
            return Some(Err(error));
        }
        let Reverse((entry, of)) = self.next.pop()?;
        self.failed = self.advance(of).err();
        Some(Ok(entry))
    }
}

/// A part of a file, whoever else reads it.
struct Run<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Run<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        let n = self.file.read_at(&mut into[..left], self.at)?;
        if n == 0 && left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use proptest::prelude::*;

    use super::*;

    fn sorter(folder: &Path, memory_bytes: usize, entries: &[Entry]) -> Sorter {
        let mut sorter = Sorter::new(folder, memory_bytes);
        for entry in entries {
            sorter.push(entry).unwrap();
        }
        sorter
    }

    fn all(sorted: &Sorted) -> Vec<Entry> {
        sorted.entries().unwrap().map(Result::unwrap).collect()
    }

    fn nine() -> Vec<Entry> {
        vec![Entry { key: b"pay_1".to_vec(), rest: b"12.50".to_vec() }; 9]
    }

    proptest! {
        /// Keys of few letters, so that many are equal and many begin like others, over the borders of runs.
        #[test]
        fn whatever_the_memory_it_is_the_order_that_a_vector_has(
            entries in prop::collection::vec(("[a-c\0]{0,4}", prop::collection::vec(any::<u8>(), 0..6)), 0..200),
            memory_bytes in 0_usize..2_000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut entries: Vec<_> =
                entries.into_iter().map(|(key, rest)| Entry { key: key.into_bytes(), rest }).collect();
            let sorter = sorter(folder.path(), memory_bytes, &entries);
            let in_memory = sorter.held.len() + sorter.begins.len() * 4;
            prop_assert!(in_memory <= memory_bytes.max(HEAD_BYTES + 14));
            let sorted = sorter.sorted().unwrap();
            entries.sort();
            prop_assert_eq!(&all(&sorted), &entries);
            prop_assert_eq!(&all(&sorted), &entries, "and again");
        }
    }

    #[test]
    fn what_is_spilled_has_no_name_and_no_other_reader() {
        let folder = tempfile::tempdir().unwrap();
        let sorter = sorter(folder.path(), 32, &nine());
        assert!(sorter.spilled.runs.len() > 1);
        let file = sorter.spilled.file.as_ref().unwrap().metadata().unwrap();
        assert_eq!((file.permissions().mode() & 0o777, file.nlink()), (0o600, 0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_cut_short_is_an_error_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let sorted = sorter(folder.path(), 32, &nine()).sorted().unwrap();
        sorted.spilled.file.as_ref().unwrap().set_len(60).unwrap();
        let read: Vec<bool> = match sorted.entries() {
            Ok(entries) => entries.map(|entry| entry.is_ok()).collect(),
            Err(_) => vec![false],
        };
        assert_eq!(read.iter().position(|is_ok| !is_ok), Some(read.len() - 1));
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let mut sorter = Sorter::new(Path::new("/nonexistent"), 0);
        let [one, two, ..] = &nine()[..] else { panic!() };
        sorter.push(one).unwrap();
        assert!(sorter.push(two).is_err());
    }
}
