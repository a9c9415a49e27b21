//! Programs that make sound: found by name, given a time, and ended with all that they started when it is over.
//!
//! No shell is involved: what is said is one argument, whatever stands in it.

use std::{
    env, io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// How often a program is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a program may take to end that was told to.
const ENDING_MAX: Duration = Duration::from_millis(500);

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("the program {name} is not installed; install Debian's package {package}")]
    Missing { name: String, package: &'static str },
    #[error("{name} cannot be started ({source})")]
    Start { name: String, source: io::Error },
    #[error("{name} did not end within {seconds} seconds")]
    Hung { name: String, seconds: u64 },
    #[error("{name} failed ({status})")]
    Failed { name: String, status: ExitStatus },
    #[error("{name} is lost ({source})")]
    Lost { name: String, source: io::Error },
}

/// A program by its name, looked for where a shell would, or by its path.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub package: &'static str,
}

impl Program {
    pub(super) fn found(&self) -> Option<PathBuf> {
        let is_program =
            |path: &Path| path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
        let folders = env::var_os("PATH").unwrap_or_default();
        // A name with a slash is taken as it is: joining an absolute path gives that path.
        env::split_paths(&folders).map(|folder| folder.join(&self.name)).find(|path| is_program(path))
    }

    /// The command, in a group of its own, with nothing to read and nowhere to write.
    pub(super) fn command(&self) -> Result<Command, ProgramError> {
        let path = self.found().ok_or_else(|| self.missing())?;
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(command)
    }

    pub(super) fn missing(&self) -> ProgramError {
        ProgramError::Missing { name: self.name.clone(), package: self.package }
    }

    pub(super) fn start(&self, command: &mut Command) -> Result<Running, ProgramError> {
        let child = command.spawn().map_err(|source| ProgramError::Start { name: self.name.clone(), source })?;
        Ok(Running { name: self.name.clone(), child, ended: false })
    }
}

/// A program that was started. It does not outlive this.
pub(super) struct Running {
    name: String,
    pub(super) child: Child,
    ended: bool,
}

impl Running {
    /// Waits until it has ended well.
    pub(super) fn wait(&mut self, began: Instant, longest: Duration) -> Result<(), ProgramError> {
        let name = || self.name.clone();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.ended = true;
                    return if status.success() { Ok(()) } else { Err(ProgramError::Failed { name: name(), status }) };
                }
                Ok(None) if began.elapsed() >= longest => {
                    return Err(ProgramError::Hung { name: name(), seconds: longest.as_secs() });
                }
                Ok(None) => thread::sleep(LOOK_EVERY),
                Err(source) => return Err(ProgramError::Lost { name: name(), source }),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // It may have ended by itself, and a program in a system call that hangs ends when that does.
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        // Until it has ended it cannot be forgotten; one that does not even end then is left behind.
        let until = Instant::now() + ENDING_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(LOOK_EVERY);
        }
    }
}
