//! What systemd starts: the choice of the program, and somebody who looks at the clock while a release is on trial.
//!
//! It reads the slots' state and no configuration: an option that only another release knows does not stop the way back.
//! The chosen program takes this process over, so that systemd talks with it alone. A guard stays beside one on trial, made of
//! this program and not of that: it ends one that has not proven itself in time, whether it crashes, hangs or goes on without core.

use std::{
    convert::Infallible,
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getppid},
};

use super::{
    built,
    disk::{Disk, DiskError, Slots},
    slots::{Found, OnJournal, Place, Start, State},
    trial::{FOLDER, SLOT, WENT_BACK},
};
use crate::app::STOPPED_WITHIN;

/// How often the guard looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much longer than it may take a release gets for an orderly stop before it is killed.
const STOP_SLACK: Duration = Duration::from_secs(3);

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("start {path}")]
    Exec { path: PathBuf, source: io::Error },
    #[error("find this program on the disk")]
    Own(#[source] io::Error),
}

/// Starts the program of the slot that is its turn, in this process.
///
/// # Errors
/// `Own`, `Exec`; whatever is wrong with the slots, the image's program is started.
pub fn boot(data: &Path, arguments: &[OsString]) -> Result<Infallible, BootError> {
    let slots = Slots::of(data);
    let own = std::env::current_exe().map_err(BootError::Own)?;
    let (start, state) = choose(&slots).unwrap_or_else(|error| {
        eprintln!("saoma-edge boot: failed to {error}; the image's program is started");
        (Start { journal: OnJournal::Nothing, place: Place::Image, guarded: false }, State::default())
    });
    let path = if start.place == Place::Image { own.clone() } else { slots.path(start.place) };
    if let Some(trial) = state.trial.as_ref().filter(|_| start.guarded) {
        let guard = Command::new(&own)
            .args(["boot", "--data-dir"])
            .arg(data)
            .args(["--guard", &std::process::id().to_string()])
            .args(["--guard-seconds", &trial.seconds.to_string(), "--guard-program", &trial.sha256])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        if let Err(error) = guard {
            // Its starts are counted all the same, and systemd's watchdog ends one that hangs.
            eprintln!("saoma-edge boot: nobody guards the release on trial: {error}");
        }
    }
    let mut command = Command::new(&path);
    command.args(arguments).env(FOLDER, data).env(SLOT, start.place.name());
    if !state.failed.is_empty() {
        command.env(WENT_BACK, "1");
    }
    Err(BootError::Exec { source: command.exec(), path })
}

/// What is started now. It is on the disk when this returns.
pub(super) fn choose<D: Disk>(slots: &Slots<D>) -> Result<(Start, State), DiskError> {
    if !slots.folder().exists() {
        return Ok((Start { journal: OnJournal::Nothing, place: Place::Image, guarded: false }, State::default()));
    }
    if slots.copy_lacks_something()? {
        // Somebody started the release by hand: what it wrote is not given up for a way back.
        slots.change(|state| state.trial.as_mut().map(|trial| trial.opened = true))?;
    }
    let state = slots.state()?;
    let mut fit = vec![Place::Image];
    for slot in [Place::A, Place::B] {
        match state.program(slot).map(|program| slots.check(slot, program)) {
            Some(Ok(())) => fit.push(slot),
            Some(Err(error)) => eprintln!("saoma-edge boot: failed to {error}"),
            None => {}
        }
    }
    let found = Found { fit: &fit, image: built(), journal_rests: slots.journal_rests() };
    let start = state.clone().start(found);
    slots.on_journal(start.journal)?;
    slots.change(|state| {
        let start = state.start(found);
        (start, state.clone())
    })
}

/// Ends `process`, which started this one, unless its release `sha256` proves itself within `seconds`.
///
/// # Errors
/// The slots cannot be read or written.
pub fn guard(data: &Path, process: i32, seconds: u64, sha256: &str) -> Result<(), DiskError> {
    let slots = Slots::of(data);
    let guarded = Pid::from_raw(process);
    // Once it has ended, another process is the parent of this one: its number, given anew, is nobody else's to us.
    let lives = || getppid() == guarded;
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if !lives() || slots.state()?.trial_of(sha256).is_none() {
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    let why = format!("it had not proven itself after {seconds} seconds: its till must answer and core be reached");
    if !lives() || !slots.change(|state| state.give_up(sha256, &why))? {
        return Ok(());
    }
    eprintln!("saoma-edge boot: the release on trial is ended: {why}");
    end(guarded, lives);
    Ok(())
}

/// A sale under way on it ends first, as at every stop.
fn end(process: Pid, lives: impl Fn() -> bool) {
    // It may have ended meanwhile.
    let _ = kill(process, Signal::SIGTERM);
    let until = Instant::now() + STOPPED_WITHIN + STOP_SLACK;
    while lives() && Instant::now() < until {
        thread::sleep(LOOK_EVERY);
    }
    if lives() {
        let _ = kill(process, Signal::SIGKILL);
    }
}
