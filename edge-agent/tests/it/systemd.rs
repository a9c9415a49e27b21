//! The agent as systemd starts it: what it tells systemd, and the unit in `deploy/edge`.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use saoma_edge::{app::STOPPED_WITHIN, link::tls, telemetry};
use serde_json::json;

use crate::{
    core::listener_kept_for_us,
    enrolled::enrolled,
    shop::{Till, fresh_key},
};

/// How long systemd waits for a word.
const PATIENCE: Duration = Duration::from_secs(20);
/// Three words in this span are wanted. Less than SQLite waits for a file that another program has locked (5 s).
const WATCHDOG: Duration = Duration::from_millis(1_500);

/// What the agent is started by.
struct Systemd {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Systemd {
    fn new() -> Self {
        tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        enrolled(&folder.path().join("data"));
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { folder, socket }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn starts(&self, till: &str) -> Agent {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
        command
            .env("SAOMA_EDGE_DATA_DIR", self.data())
            .env("SAOMA_EDGE_TILL__LISTEN", till)
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Agent(command.spawn().unwrap())
    }

    /// The next word, if one comes in that time.
    fn hears(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut word = [0; 512];
        let len = self.socket.recv(&mut word).ok()?;
        Some(String::from_utf8(word[..len].to_vec()).unwrap())
    }

    /// Waits for a word other than that the agent is alive.
    fn hears_news(&self) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let word = self.hears(PATIENCE).expect("a word");
            if word != "WATCHDOG=1" {
                return word;
            }
            assert!(Instant::now() < until, "nothing but that it is alive");
        }
    }
}

/// Ends with the test, also with one that fails.
struct Agent(Child);

impl Agent {
    fn is_asked_to_stop(&self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_the_till_is_open_once_it_answers_and_that_it_stops() {
    let systemd = Systemd::new();
    // A start that takes its time: the journal's key is not there yet. Whoever opens the other end of it knows that the agent
    // has come to read it.
    let key = systemd.data().join("journal.key");
    mkfifo(&key, Mode::from_bits_truncate(0o600)).unwrap();
    let port = listener_kept_for_us().local_addr().unwrap().port();
    let till = Till::at(format!("http://127.0.0.1:{port}"));
    let mut agent = systemd.starts(&format!("127.0.0.1:{port}"));
    let mut key = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(key).unwrap()).await.unwrap();
    assert_eq!(systemd.hears(Duration::from_millis(1)), None, "it has not opened its journal");
    assert!(reqwest::get(format!("{}/api/state", till.base)).await.is_err());
    key.write_all("a".repeat(64).as_bytes()).unwrap();
    drop(key);

    let ready = systemd.hears_news();
    assert_eq!(till.get("/api/state").await["disk"]["ok"], true, "it answers at once");
    assert_eq!(ready, format!("READY=1\nSTATUS=The till is open at http://127.0.0.1:{port}/"));
    assert_eq!(systemd.hears(PATIENCE).as_deref(), Some("WATCHDOG=1"));

    agent.is_asked_to_stop();
    let stopping = systemd.hears_news();
    assert!(stopping.starts_with("STOPPING=1\nSTATUS="), "{stopping}");
    assert!(agent.0.wait().unwrap().success());
}

#[test]
fn systemd_does_not_hear_that_a_till_is_open_which_is_not() {
    let systemd = Systemd::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut agent = systemd.starts(&taken.local_addr().unwrap().to_string());
    assert!(!agent.0.wait().unwrap().success());
    assert_eq!(systemd.hears(Duration::from_millis(1)), None);
}

/// The journal's file does not let the agent write, as a disk that hangs does not: until it does, the agent answers nobody.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stands_still_is_not_vouched_for() {
    let systemd = Systemd::new();
    let mut agent = systemd.starts("127.0.0.1:0");
    let mut ready = String::new();
    BufReader::new(agent.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    let till = Till::at(ready["till"].as_str().unwrap().trim_end_matches('/').to_owned());
    assert!((0..5).all(|_| systemd.hears(PATIENCE).is_some()));

    let mut other = SqliteConnection::establish(systemd.data().join("journal.db").to_str().unwrap()).unwrap();
    other.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
    let locked_at = Instant::now();
    let stuck = async {
        let body = json!({"amount_minor": 100, "method": "cash"});
        till.post("/api/sales", &body, &fresh_key()).await
    };
    let watch = tokio::task::spawn_blocking(move || {
        while systemd.hears(WATCHDOG).is_some() {
            assert!(locked_at.elapsed() < PATIENCE, "a stuck agent is vouched for");
        }
        other.batch_execute("ROLLBACK").unwrap();
        (0..5).all(|_| systemd.hears(PATIENCE).is_some())
    });
    let (sold, watched) = tokio::join!(stuck, watch);
    assert!(watched.unwrap(), "it goes on, and is vouched for again");
    assert_eq!(sold.status, 201, "{}", sold.body);
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/edge")
}

/// The unit and its drop-in, with the program of this build.
fn unit_here(folder: &Path) -> PathBuf {
    let unit = fs::read_to_string(deploy().join("saoma-edge.service")).unwrap();
    let here = unit.replace("/usr/bin/saoma-edge", env!("CARGO_BIN_EXE_saoma-edge"));
    assert_ne!(unit, here, "the unit names the program");
    let path = folder.join("saoma-edge.service");
    fs::write(&path, here).unwrap();
    let drop_in = folder.join("saoma-edge.service.d");
    fs::create_dir(&drop_in).unwrap();
    fs::copy(deploy().join("journal-key.conf"), drop_in.join("journal-key.conf")).unwrap();
    path
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("Debian's package systemd")
}

fn told(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn systemd_reads_the_unit_and_finds_it_shut() {
    /// Tenths. What is left open, the agent needs: the network, local sockets, the host's folders (to read), devices, their
    /// groups. Everything of a unit that shuts nothing is 96.
    const EXPOSURE_MAX: &str = "--threshold=14";
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_here(folder.path());
    let verified = analyze(&["verify", "--man=no"], &unit);
    // What it does not understand it names, and goes on.
    let mentioned: Vec<String> =
        told(&verified).lines().filter(|line| line.contains("saoma-edge")).map(str::to_owned).collect();
    assert!(verified.status.success() && mentioned.is_empty(), "{}", told(&verified));
    let secured = analyze(&["security", "--offline=yes", "--no-pager", EXPOSURE_MAX], &unit);
    assert!(secured.status.success(), "{}", told(&secured));

    let unit_text = fs::read_to_string(&unit).unwrap();
    let open = unit_text.replace("CapabilityBoundingSet=\n", "").replace("NoNewPrivileges=yes\n", "");
    fs::write(&unit, open).unwrap();
    assert!(!analyze(&["security", "--offline=yes", "--no-pager", EXPOSURE_MAX], &unit).status.success());
    fs::write(&unit, unit_text.replace("ProtectHome=yes", "ProtectHom=yes")).unwrap();
    assert!(told(&analyze(&["verify", "--man=no"], &unit)).contains("ProtectHom"), "a mistake is seen");
}

/// `NAME=` of the unit, once.
fn setting(unit: &str, name: &str) -> String {
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(values.next().is_none(), "{name} once");
    value.to_owned()
}

#[test]
fn the_unit_gives_a_stop_the_time_that_it_takes() {
    let unit = fs::read_to_string(deploy().join("saoma-edge.service")).unwrap();
    let seconds = |name| Duration::from_secs(setting(&unit, name).parse().unwrap());
    let stop = seconds("TimeoutStopSec");
    assert!(stop > STOPPED_WITHIN + telemetry::SHUTDOWN_MAX, "payments under way end first");
    // An agent that stops answers no longer at the end.
    assert!(seconds("WatchdogSec") > stop);
}

#[test]
fn the_unit_starts_the_boot_program_on_the_folder_that_it_lets_it_write_to() {
    let unit = fs::read_to_string(deploy().join("saoma-edge.service")).unwrap();
    let start = setting(&unit, "ExecStart");
    let folder = format!("/var/lib/{}", setting(&unit, "StateDirectory"));
    assert!(start.starts_with(&format!("/usr/bin/saoma-edge boot --data-dir {folder} -- ")), "{start}");
    let shown = Command::new(env!("CARGO_BIN_EXE_saoma-edge")).arg("config").output().unwrap();
    assert!(told(&shown).contains(&format!("data_dir = {folder:?}")), "the configuration has the same");
}

/// Names of people and groups that the files give each other.
#[test]
fn systemd_makes_the_user_the_groups_and_the_folder_that_the_unit_names() {
    let root = tempfile::tempdir().unwrap();
    // It writes its lists here, as in the root of a machine.
    fs::create_dir(root.path().join("etc")).unwrap();
    let made = Command::new("systemd-sysusers")
        .arg(format!("--root={}", root.path().display()))
        .arg(deploy().join("sysusers.conf"))
        .output()
        .expect("Debian's package systemd");
    assert!(made.status.success(), "{}", told(&made));
    let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
    let (users, groups) = (read("etc/passwd"), read("etc/group"));
    let has = |list: &str, name: &str| list.lines().any(|line| line.split(':').next() == Some(name));
    let unit = fs::read_to_string(deploy().join("saoma-edge.service")).unwrap();
    assert!(has(&users, &setting(&unit, "User")), "{users}");
    assert!(has(&groups, &setting(&unit, "Group")), "{groups}");
    for group in setting(&unit, "SupplementaryGroups").split_whitespace() {
        assert!(has(&groups, group), "{group}: {groups}");
    }
    let rules = fs::read_to_string(deploy().join("udev.rules")).unwrap();
    for group in rules.split("GROUP=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(has(&groups, group), "{group}: {groups}");
    }
    let folders = fs::read_to_string(deploy().join("tmpfiles.conf")).unwrap();
    let folder = folders.lines().find(|line| line.starts_with("d ")).unwrap();
    let state = format!("/var/lib/{}", setting(&unit, "StateDirectory"));
    let wanted =
        ["d", &state, &setting(&unit, "StateDirectoryMode"), &setting(&unit, "User"), &setting(&unit, "Group")];
    assert_eq!(folder.split_whitespace().take(5).collect::<Vec<_>>(), wanted);
}

#[test]
fn the_configuration_that_is_installed_with_the_unit_can_be_used() {
    let shown = Command::new(env!("CARGO_BIN_EXE_saoma-edge"))
        .arg("--config")
        .arg(deploy().join("edge.toml"))
        .arg("config")
        .output()
        .unwrap();
    assert!(shown.status.success() && told(&shown).contains("/dev/saoma/printer"), "{}", told(&shown));
}
