//! The power goes before, in the middle of, or after every file operation, from a release that was fetched to the one that is kept
//! or gone back from; then the machine starts again.

use std::{
    cell::Cell,
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use nix::{sys::stat::Mode, unistd::mkfifo};
use saoma_protocol::{Millis, TerminalId};

use super::program;
use crate::{
    journal::{Settings, Store, version, version_of},
    update::{
        boot::{choose, in_need},
        disk::{Disk, DiskError, RealDisk, Slots},
        slots::{Place, Program, STARTS_MAX, Since, State},
    },
};

const NEW: &[u8] = b"#!/bin/sh\n# the new release\n";
/// A migration of a release after this one.
const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version, run_on) VALUES ('29990101000000', '2999-01-01'); \
                     CREATE TABLE of_the_future (id INTEGER);";

/// How a step is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Before,
    Half,
    After,
}

/// After so many steps the power goes, and nothing more happens.
struct Failing {
    left: Cell<u32>,
    cut: Cut,
}

impl Failing {
    fn step(&self, whole: impl FnOnce() -> Result<(), DiskError>, half: impl FnOnce()) -> Result<(), DiskError> {
        let off = || Err(DiskError::File { path: "/".into(), source: io::Error::other("the power went") });
        match self.left.get() {
            0 => return off(),
            1 => {}
            left => {
                self.left.set(left - 1);
                return whole();
            }
        }
        self.left.set(0);
        match self.cut {
            Cut::Before => {}
            Cut::Half => half(),
            Cut::After => whole()?,
        }
        off()
    }
}

impl Disk for Failing {
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        // Half a file beside it.
        let half = || fs::write(path.with_extension("new"), &bytes[..bytes.len() / 2]).unwrap();
        self.step(|| RealDisk.put(path, bytes), half)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step(|| RealDisk.rename(from, to), || {})
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.step(|| RealDisk.remove(path), || {})
    }

    fn copy_journal(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step(|| RealDisk.copy_journal(from, to), || fs::write(to, b"SQLite form").unwrap())
    }
}

fn new(journal: &str) -> Program {
    program("2.0.0", NEW, journal)
}

/// A terminal with a journal, and a release that was fetched.
fn terminal() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let settings = Settings { path: data.join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    drop(Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap());
    let slots = Slots::of(data);
    slots.make().unwrap();
    fs::write(slots.part(&new("").sha256), NEW).unwrap();
    folder
}

/// What the new release does to the journal, if it changes it.
fn migrate(data: &Path) {
    let mut journal = SqliteConnection::establish(data.join("journal.db").to_str().unwrap()).unwrap();
    if version_of(&data.join("journal.db")).unwrap() == version() {
        journal.batch_execute(NEWER).unwrap();
    }
}

/// Everything, until the release is kept or gone back from. What is cut off is left as it is.
fn story<D: Disk>(data: &Path, slots: &Slots<D>, journal: &str, proves: bool) -> Result<(), DiskError> {
    let program = new(journal);
    slots.install(&program)?;
    let migrates = journal != version();
    slots.change(|state| state.switch(&program.sha256, 60, true, migrates))?;
    for _ in 0..=STARTS_MAX {
        let (start, _) = choose(slots)?;
        if start.place == Place::A {
            if migrates {
                migrate(data);
            }
            if proves {
                slots.change(|state| state.trial_of(&program.sha256).map(|trial| trial.opened = true))?;
                slots.change(|state| state.prove(&program.sha256))?;
            }
        }
    }
    Ok(())
}

/// A machine that starts finds a program that is whole, and a journal that this program opens.
fn starts(data: &Path, journal: &str, what: &str) -> State {
    let slots = Slots::of(data);
    let (start, state) = choose(&slots).unwrap_or_else(|error| panic!("{what}: {error}"));
    let made = version_of(&data.join("journal.db")).unwrap();
    if start.place == Place::A {
        slots.check(Place::A, &new(journal)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(made.as_str() <= journal, "{what}: {made}");
        if journal != version() {
            migrate(data);
        }
    } else {
        assert_eq!(start.place, Place::Image, "{what}");
        assert_eq!(made, version(), "{what}: the image's program opens it");
    }
    state
}

#[test]
fn the_power_may_go_at_every_step() {
    let mut cuts = 0;
    for journal in [version(), "29990101000000".to_owned()] {
        for (cut, proves) in
            [Cut::Before, Cut::Half, Cut::After].into_iter().flat_map(|cut| [(cut, true), (cut, false)])
        {
            for step in 1.. {
                let folder = terminal();
                let data = folder.path();
                let what = format!("{cut:?} step {step}, journal {journal}, proves {proves}");
                let cut_slots = Slots::on(data, Failing { left: Cell::new(step), cut });
                let ended = story(data, &cut_slots, &journal, proves);
                for _ in 0..=STARTS_MAX {
                    starts(data, &journal, &what);
                }
                // And what was begun can be ended.
                let slots = Slots::of(data);
                if slots.state().unwrap().a.is_none() {
                    fs::write(slots.part(&new("").sha256), NEW).unwrap();
                    slots.install(&new(&journal)).unwrap();
                    slots.check(Place::A, &new(&journal)).unwrap();
                }
                let state = slots.state().unwrap();
                assert!(state.trial.is_none(), "{what}: {state:?}");
                if ended.is_ok() {
                    let kept = (state.at == Place::A, state.failed.len());
                    assert_eq!(kept, if proves { (true, 0) } else { (false, 1) }, "{what}: {state:?}");
                    break;
                }
                cuts += 1;
            }
        }
    }
    assert!(cuts > 60, "{cuts} steps were cut");
}

#[test]
fn what_the_journal_needs_is_left_free() {
    let folder = terminal();
    let slots = Slots::of(folder.path());
    slots.check_room(1, 1).unwrap();
    for (length, kept_free) in [(u64::MAX, 0), (1, u64::MAX)] {
        let told = slots.check_room(length, kept_free).unwrap_err().to_string();
        assert!(told.contains("make room"), "{told}");
    }
}

#[test]
fn what_was_written_since_is_not_given_up_for_a_way_back() {
    let folder = terminal();
    let (data, slots) = (folder.path(), Slots::of(folder.path()));
    let journal = "29990101000000";
    slots.install(&new(journal)).unwrap();
    slots.change(|state| state.switch(&new(journal).sha256, 60, true, true)).unwrap();
    assert_eq!(choose(&slots).unwrap().0.place, Place::A);
    migrate(data);
    // Somebody started it by hand, past the boot program.
    let mut held = SqliteConnection::establish(data.join("journal.db").to_str().unwrap()).unwrap();
    held.batch_execute("INSERT INTO pushes_seen (id) VALUES (7)").unwrap();
    slots.change(|state| state.give_up(&new(journal).sha256, "it hung")).unwrap();
    assert_eq!(choose(&slots).unwrap().0.place, Place::A, "it alone reads what is there");
    assert_eq!(version_of(&data.join("journal.db")).unwrap(), journal);
}

/// The settled release is gone on with, not the image, which may not know the journal.
#[test]
fn on_a_disk_that_takes_nothing_the_settled_release_is_started() {
    let folder = terminal();
    let (data, slots) = (folder.path(), Slots::of(folder.path()));
    let settled = new(&version());
    slots.install(&settled).unwrap();
    slots.change(|state| state.at = Place::A).unwrap();
    let next = program("2.1.0", b"#!/bin/sh\n", &version());
    fs::write(slots.part(&next.sha256), b"#!/bin/sh\n").unwrap();
    slots.install(&next).unwrap();
    assert!(slots.change(|state| state.switch(&next.sha256, 60, true, false)).unwrap());
    for step in 1.. {
        let full = Slots::on(data, Failing { left: Cell::new(step), cut: Cut::Before });
        if choose(&full).is_ok() {
            assert!(step > 2, "a copy is made of every journal");
            break;
        }
        assert_eq!(in_need(&full).0.place, Place::A, "step {step}");
    }
    // It has changed the journal by now: it alone opens it.
    migrate(data);
    let full = Slots::on(data, Failing { left: Cell::new(1), cut: Cut::Before });
    assert!(choose(&full).is_err());
    let start = in_need(&full).0;
    assert_eq!((start.place, start.guarded), (Place::B, true));
}

/// Whatever the release said of itself when it was signed.
#[test]
fn a_release_that_changes_the_journal_unsaid_is_gone_back_from() {
    let folder = terminal();
    let (data, slots) = (folder.path(), Slots::of(folder.path()));
    let said = new(&version());
    slots.install(&said).unwrap();
    slots.change(|state| state.switch(&said.sha256, 60, true, false)).unwrap();
    assert_eq!(choose(&slots).unwrap().0.place, Place::A);
    let mode = fs::metadata(data.join("slots/journal-before.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    migrate(data);
    // Its till was open, and nobody bought anything.
    slots.change(|state| state.trial_of(&said.sha256).map(|trial| trial.opened = true)).unwrap();
    slots.change(|state| state.give_up(&said.sha256, "it hung")).unwrap();
    assert_eq!(choose(&slots).unwrap().0.place, Place::Image);
    assert_eq!(version_of(&data.join("journal.db")).unwrap(), version());
}

/// What counts as written since the copy was made.
#[test]
fn a_copy_that_lacks_something_is_not_put_back() {
    let lacking = [
        "INSERT INTO pushes_seen (id) VALUES (7)",
        "UPDATE meta SET value = 'another' WHERE name = 'key'",
        "INSERT INTO meta (name, value) VALUES ('synced_through', '9') ON CONFLICT DO UPDATE SET value = '9'",
    ];
    for (what, since) in [("SELECT 1", Since::Migrated)].into_iter().chain(lacking.map(|what| (what, Since::Written))) {
        let folder = terminal();
        let (data, slots) = (folder.path(), Slots::of(folder.path()));
        fs::copy(data.join("journal.db"), data.join("slots/journal-before.db")).unwrap();
        assert_eq!(slots.since(true), Since::Same, "{what}");
        migrate(data);
        let mut journal = SqliteConnection::establish(data.join("journal.db").to_str().unwrap()).unwrap();
        journal.batch_execute(what).unwrap();
        assert_eq!(slots.since(true), since, "{what}");
        // A table of another shape is a migration's, until a till was open on it.
        journal.batch_execute("ALTER TABLE pushes_seen RENAME TO pushes").unwrap();
        assert_eq!((slots.since(false), slots.since(true)), (Since::Migrated, Since::Written), "{what}");
        fs::write(data.join("slots/journal-before.db"), b"torn").unwrap();
        assert_eq!(slots.since(false), Since::Written, "{what}");
    }
}

/// A line that breaks on a disk that is nearly full.
#[test]
fn room_is_asked_for_what_is_still_missing() {
    let folder = terminal();
    let slots = Slots::of(folder.path());
    let program = Program { length: u64::MAX / 4, ..new("") };
    assert!(matches!(slots.room_for(&program, 0), Err(DiskError::NoRoom { .. })));
    fs::File::options().write(true).open(slots.part(&program.sha256)).unwrap().set_len(1 << 40).unwrap();
    slots.room_for(&Program { length: 1 << 40, ..program }, 0).unwrap();
}

#[test]
fn what_is_no_program_of_a_release_is_not_started() {
    type Spoil = fn(&Path);
    let spoilers: [(&str, Spoil); 7] = [
        ("no file", |path| {
            fs::remove_file(path).unwrap();
            mkfifo(path, Mode::S_IRWXU).unwrap();
        }),
        ("its hash", |path| fs::write(path, [NEW, b" "].concat().split_first().unwrap().1).unwrap()),
        ("as long", |path| fs::write(path, b"short").unwrap()),
        ("symbolic link", |path| {
            fs::rename(path, path.with_extension("real")).unwrap();
            symlink(path.with_extension("real"), path).unwrap();
        }),
        ("may change it", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o722)).unwrap()),
        ("no file", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("No such file", |path| fs::remove_file(path).unwrap()),
    ];
    for (words, spoil) in spoilers {
        let folder = terminal();
        let slots = Slots::of(folder.path());
        let program = new(&version());
        slots.install(&program).unwrap();
        slots.check(Place::A, &program).unwrap();
        let mode = fs::metadata(slots.path(Place::A)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        slots.change(|state| state.at = Place::A).unwrap();
        spoil(&slots.path(Place::A));
        let told = slots.check(Place::A, &program).unwrap_err().to_string();
        assert!(told.contains(words), "{words}: {told}");
        assert_eq!(choose(&slots).unwrap().0.place, Place::Image, "{words}");
    }
    // What was fetched wrong is nothing, and gone.
    let folder = terminal();
    let slots = Slots::of(folder.path());
    fs::write(slots.part(&new("").sha256), b"#!/bin/sh\n# another release").unwrap();
    assert!(matches!(slots.install(&new(&version())), Err(DiskError::Unfit { .. })));
    assert!(!slots.part(&new("").sha256).exists() && slots.state().unwrap() == State::default());
}
