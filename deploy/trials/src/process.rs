//! A program of ours as a child process: started, waited for until it says that it is ready, killed, stopped.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a program may take to say that it is ready: a debug build that compiles plugins takes some 10 s here.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long a program may take to stop after being asked.
const STOP_MAX: Duration = Duration::from_secs(40);

/// What to start.
#[derive(Clone)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Its standard error goes here, and what it prints beside it ([`Program::printed`]).
    pub log: PathBuf,
}

/// A running program. Dropping it kills it.
pub struct Process {
    child: Child,
    program: Program,
    /// The line of JSON it printed when it was ready.
    pub ready: Value,
}

impl Program {
    /// The file with what it wrote to standard output.
    pub fn printed(&self) -> PathBuf {
        self.log.with_extension("out")
    }

    /// Starts it and waits for its first line of JSON on standard output.
    pub async fn start(&self) -> Result<Process> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            // Its last words are for a person: the reason, not where in the program it stood.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            // A group of its own: Ctrl-C reaches us alone, and we stop things in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.path.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut printed = std::fs::OpenOptions::new().create(true).append(true).open(self.printed())?;
        let ready = timeout(READY_MAX, async {
            while let Some(line) = lines.next_line().await? {
                writeln!(printed, "{line}")?;
                if let Ok(ready @ Value::Object(_)) = serde_json::from_str(&line) {
                    return Ok(ready);
                }
            }
            bail!("{} ended before it was ready; its last words:\n{}", self.name, last_lines(&self.log))
        })
        .await
        .with_context(|| format!("{} was not ready after {READY_MAX:?}; see {}", self.name, self.log.display()))??;
        // What it prints from now on must not block it.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if writeln!(printed, "{line}").is_err() {
                    return;
                }
            }
        });
        Ok(Process { child, program: self.clone(), ready })
    }
}

impl Process {
    /// A text of the ready line.
    pub fn ready_text(&self, field: &str) -> Result<String> {
        let text = self.ready[field].as_str();
        text.map(str::to_owned).with_context(|| format!("{} did not say {field}: {}", self.program.name, self.ready))
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(mut self) -> Result<Program> {
        self.child.kill().await?;
        Ok(self.program.clone())
    }

    /// Asks it to stop (SIGTERM) and waits; an error if it does not stop in time or not with success.
    pub async fn stop(mut self) -> Result<Program> {
        let id = self.child.id().with_context(|| format!("{} had ended by itself", self.program.name))?;
        kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        let status = timeout(STOP_MAX, self.child.wait())
            .await
            .with_context(|| format!("{} did not stop within {STOP_MAX:?}", self.program.name))??;
        if !status.success() {
            bail!("{} stopped with {status}; its last words:\n{}", self.program.name, last_lines(&self.program.log));
        }
        Ok(self.program.clone())
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
