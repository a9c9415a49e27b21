//! A PostgreSQL and a Redis of our own, from Debian's packages: started, and treated badly.

use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait::{PATIENCE, until};

/// Where Debian keeps the programs of each PostgreSQL: a folder of its version, in it `bin`.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";
/// PostgreSQL refuses to be run by root; Debian's package brings a user for it.
const POSTGRES_USER: &str = "postgres";

/// A program that ends with us, however we end.
struct Server {
    name: &'static str,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(&self.command);
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().with_context(|| format!("cannot start {}", self.name))?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.as_ref().with_context(|| format!("{} is not running", self.name))?.id();
        Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
    }

    /// Whether it is not running (any more).
    fn has_ended(&mut self) -> Result<bool> {
        self.child.as_mut().map_or(Ok(true), |child| Ok(child.try_wait()?.is_some()))
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A port that nobody takes while our server restarts: below those that the system gives to outgoing connections, which
/// could even connect to themselves there.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let step = NEXT.fetch_add(1, Ordering::Relaxed);
    // A hundred for each process: those who run beside us must not meet us while our server restarts.
    let first = u16::try_from(std::process::id() % 200 * 100)? + 10_000 + step;
    (first..32_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("no port is free")
}

/// What pgbench got out of a database.
#[derive(Clone, Copy, Debug)]
pub struct Pgbench {
    pub per_s: f64,
    pub transactions: u64,
}

pub struct Postgres {
    server: Server,
    port: u16,
    programs: PathBuf,
}

impl Postgres {
    /// A server with a database `saoma` of a role `saoma`, which is no superuser.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, Vec::new()).await
    }

    /// The same, with more in its environment.
    pub async fn start_with(folder: &Path, environment: Vec<(String, String)>) -> Result<Self> {
        let programs = postgres_programs()?;
        let folder = folder.join("postgres");
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            let given = Command::new("chown").arg(format!("{POSTGRES_USER}:")).arg(&folder).status()?;
            ensure!(given.success(), "{} cannot be given to {POSTGRES_USER}", folder.display());
        }
        let data = folder.join("data").display().to_string();
        let initdb = as_postgres(
            &programs.join("initdb"),
            &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D", &data],
        );
        let made = Command::new(&initdb[0]).args(&initdb[1..]).current_dir("/").output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port()?;
        let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];
        let mut arguments = vec!["-D".to_owned(), data, "-p".to_owned(), port.to_string()];
        for setting in settings {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let command = as_postgres(&programs.join("postgres"), &arguments);
        let mut postgres = Self {
            server: Server { name: "PostgreSQL", command, environment, log: folder.with_extension("log"), child: None },
            port,
            programs,
        };
        postgres.up().await?;
        postgres.run("postgres", "CREATE ROLE saoma LOGIN")?;
        postgres.run("postgres", "CREATE DATABASE saoma OWNER saoma")?;
        Ok(postgres)
    }

    async fn up(&mut self) -> Result<()> {
        self.server.start()?;
        until("PostgreSQL to answer", || async { Ok(self.run("postgres", "SELECT 1").ok()) }).await.map(drop)
    }

    /// Starts it if it has ended, and again while those that its last postmaster left behind keep it from starting.
    pub async fn up_again(&mut self) -> Result<()> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if self.server.has_ended()? {
                self.server.start()?;
            }
            if self.run("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            ensure!(Instant::now() < patience, "PostgreSQL does not come back; see {}", self.server.log.display());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same database, reached under another port.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://saoma@127.0.0.1:{port}/saoma")
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser; the answer is its output, without decoration.
    pub fn run(&self, database: &str, sql: &str) -> Result<String> {
        let out = Command::new(self.programs.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-d", database])
            .args(["-p", &self.port.to_string(), "-c", sql])
            .output()?;
        ensure!(out.status.success(), "{sql}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// What it has logged so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.server.log)?).into_owned())
    }

    /// Runs scripts of pgbench's as core's role, one of them each time by chance, so many at once and for so long.
    pub fn pgbench(&self, scripts: &[PathBuf], clients: usize, time: Duration) -> Result<Pgbench> {
        let out = Command::new(self.programs.join("pgbench"))
            .args(["-n", "-M", "prepared", "-h", "127.0.0.1", "-U", "saoma", "-p", &self.port.to_string()])
            .args(["-c", &clients.to_string(), "-j", "2", "-T", &time.as_secs().to_string()])
            .args(scripts.iter().flat_map(|script| [OsStr::new("-f"), script.as_os_str()]))
            .arg("saoma")
            .output()?;
        let (told, why) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        ensure!(out.status.success() && !why.contains("ERROR"), "pgbench: {told}{why}");
        let after = |words: &str| told.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
        let per_s = after("\ntps = ").and_then(|rate| rate.parse().ok());
        let transactions = after("transactions actually processed: ").and_then(|count| count.parse().ok());
        let (per_s, transactions) = per_s.zip(transactions).with_context(|| format!("pgbench says {told}"))?;
        Ok(Pgbench { per_s, transactions })
    }

    /// kill -9 of the postmaster; its children notice by themselves.
    pub fn kill(&mut self) -> Result<()> {
        self.server.end(Signal::SIGKILL)
    }

    /// Ends all sessions and stops (`fast` shutdown).
    pub fn stop(&mut self) -> Result<()> {
        self.server.end(Signal::SIGINT)
    }

    /// Stops it at once, as in a crash, and starts it again.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        self.server.end(Signal::SIGQUIT)?;
        self.up().await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children must go with it, which a kill would not see to.
        drop(self.server.end(Signal::SIGQUIT));
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

/// Those of the newest version that is installed.
fn postgres_programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|folder| Some((folder.file_name().to_str()?.parse::<u32>().ok()?, folder.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    let (_, programs) = newest.with_context(|| {
        format!("there is no PostgreSQL in {POSTGRES_VERSIONS}: install Debian's package postgresql")
    })?;
    Ok(programs)
}

fn as_postgres(program: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = if is_root() {
        let user = [format!("--reuid={POSTGRES_USER}"), format!("--regid={POSTGRES_USER}")];
        [["setpriv".to_owned(), "--init-groups".to_owned()], user].concat()
    } else {
        vec!["env".to_owned()]
    };
    command.push(program.display().to_string());
    command.extend(arguments.iter().map(|&argument| argument.to_owned()));
    command
}

pub struct Redis {
    server: Server,
    port: u16,
}

impl Redis {
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let folder = folder.join("redis");
        std::fs::create_dir_all(&folder)?;
        let text = folder.display().to_string();
        let command =
            ["redis-server", "--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir", &text];
        let command = command.map(str::to_owned).to_vec();
        let mut redis = Self {
            server: Server {
                name: "Redis",
                command,
                environment: Vec::new(),
                log: folder.with_extension("log"),
                child: None,
            },
            port,
        };
        redis.restart().await?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn restart(&mut self) -> Result<()> {
        self.server.start()?;
        until("Redis to answer", || async { Ok(self.command("PING").ok()) }).await.map(drop)
    }

    /// kill -9: what it held is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.server.end(Signal::SIGKILL)
    }

    /// It keeps its connections and says nothing.
    pub fn freeze(&self) -> Result<()> {
        self.server.signal(Signal::SIGSTOP)
    }

    pub fn thaw(&self) -> Result<()> {
        self.server.signal(Signal::SIGCONT)
    }

    /// One command without arguments that need quoting, in the protocol's inline form.
    pub fn command(&self, line: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "{line}\r\n")?;
        let mut answer = [0; 512];
        let length = stream.read(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        if answer.starts_with('-') {
            bail!("Redis answered {line} with {answer}");
        }
        Ok(answer)
    }
}
