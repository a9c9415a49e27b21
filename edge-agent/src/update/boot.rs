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
    slots::{Found, OnJournal, Place, Since, Start, State, Trial},
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
    let (mut start, state) = choose(&slots).unwrap_or_else(|error| {
        let (start, state) = in_need(&slots);
        eprintln!("saoma-edge boot: failed to {error}; the program of {} is started", start.place.name());
        (start, state)
    });
    if let Some(trial) = state.trial.as_ref().filter(|_| start.guarded)
        && let Err(error) = spawn_guard(&own, data, trial)
    {
        // Without it, nobody would end one that hangs. The next start tries again, and counts.
        start = in_need(&slots).0;
        eprintln!(
            "saoma-edge boot: nobody can guard the release on trial ({error}); the program of {} is started",
            start.place.name()
        );
    }
    let path = if start.place == Place::Image { own.clone() } else { slots.path(start.place) };
    let mut command = Command::new(&path);
    command.args(arguments).env(FOLDER, data).env(SLOT, start.place.name());
    let version = state.program(start.place).map_or_else(built, |program| program.version);
    if state.went_back_to(version) {
        command.env(WENT_BACK, "1");
    }
    Err(BootError::Exec { source: command.exec(), path })
}

/// The guard is of this program, and of a process of its own.
fn spawn_guard(own: &Path, data: &Path, trial: &Trial) -> io::Result<()> {
    Command::new(own)
        .args(["boot", "--data-dir"])
        .arg(data)
        .args(["--guard", &std::process::id().to_string()])
        .args(["--guard-seconds", &trial.seconds.to_string(), "--guard-program", &trial.sha256])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map(drop)
}

/// What is started now. It is on the disk when this returns.
pub(super) fn choose<D: Disk>(slots: &Slots<D>) -> Result<(Start, State), DiskError> {
    if !slots.folder().exists() {
        return Ok((Start { journal: OnJournal::Nothing, place: Place::Image, guarded: false }, State::default()));
    }
    let state = slots.state()?;
    let fit = fit(slots, &state);
    let found = found_with(slots, &state, &fit);
    let start = state.clone().start(found);
    slots.on_journal(start.journal)?;
    slots.change(|state| {
        let start = state.start(found);
        (start, state.clone())
    })
}

/// What is started if that failed, as on a full disk. The image comes last: it may not know the journal.
pub(super) fn in_need<D: Disk>(slots: &Slots<D>) -> (Start, State) {
    let state = slots.state().unwrap_or_default();
    let fit = fit(slots, &state);
    (state.start_in_need(found_with(slots, &state, &fit)), state)
}

fn found_with<'a, D: Disk>(slots: &Slots<D>, state: &State, fit: &'a [Place]) -> Found<'a> {
    let since = state.trial.as_ref().map_or(Since::Same, |trial| slots.since(trial.opened));
    Found { fit, image: built(), journal_rests: slots.journal_rests(), since }
}

/// The places whose program is whole.
fn fit<D: Disk>(slots: &Slots<D>, state: &State) -> Vec<Place> {
    let mut fit = vec![Place::Image];
    for slot in [Place::A, Place::B] {
        match state.program(slot).map(|program| slots.check(slot, program)) {
            Some(Ok(())) => fit.push(slot),
            Some(Err(error)) => eprintln!("saoma-edge boot: failed to {error}"),
            None => {}
        }
    }
    fit
}

/// Ends `process`, which started this one, unless its release `sha256` proves itself within `seconds`. A disk that is full or
/// broken does not hold it back: the release may be why, and the next start counts.
pub fn guard(data: &Path, process: i32, seconds: u64, sha256: &str) {
    let slots = Slots::of(data);
    let guarded = Pid::from_raw(process);
    // Once it has ended, another process is the parent of this one: its number, given anew, is nobody else's to us.
    let lives = || getppid() == guarded;
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let is_over = slots.state().is_ok_and(|mut state| state.trial_of(sha256).is_none());
        if !lives() || is_over {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    let why = format!("it had not proven itself after {seconds} seconds: its till must answer and core be reached");
    if !lives() {
        return;
    }
    match slots.change(|state| state.give_up(sha256, &why)) {
        Ok(false) => return,
        Ok(true) => {}
        Err(error) => {
            eprintln!("saoma-edge boot: that the release on trial is given up is not kept: failed to {error}")
        }
    }
    eprintln!("saoma-edge boot: the release on trial is ended: {why}");
    end(guarded, lives);
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
