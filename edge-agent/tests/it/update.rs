//! Releases on a terminal with real processes: a system that starts what ends, a repository, and releases that are good or not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use saoma_edge::{
    journal,
    link::{enrol::enrol, identity::DataDir, tls},
    update::{
        disk::Slots,
        slots::{Place, State},
    },
};
use serde_json::{Value, json};

use crate::{
    core::{FakeCore, listener_kept_for_us},
    releases::with_journal,
    secured::{Authority, LONG},
    shop::{Till, fresh_key, number, request, until},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_saoma-edge");
const CONFIG: &str = "edge.toml";

/// Those who make releases, and the server that shows them.
pub struct Repository {
    pub folder: tempfile::TempDir,
    keys: tempfile::TempDir,
    address: String,
    server: ServerHandle,
    /// Programs are cut off in their middle, as a line does that breaks, unless one is asked for the rest.
    is_torn: Arc<AtomicBool>,
}

impl Drop for Repository {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn serve(folder: PathBuf, is_torn: Arc<AtomicBool>) -> (String, ServerHandle) {
    let show = move |request: HttpRequest| {
        let name = request.match_info().get("name").unwrap().to_owned();
        let file = fs::read(folder.join(&name));
        let from = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
        let is_torn = is_torn.load(Ordering::SeqCst) && name.ends_with(".saoma-edge");
        async move {
            let Ok(bytes) = file else { return HttpResponse::NotFound().finish() };
            match from.and_then(|from| from.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) {
                Some(from) => HttpResponse::PartialContent().body(bytes[from..].to_vec()),
                None if is_torn => HttpResponse::Ok().body(bytes[..bytes.len() / 2].to_vec()),
                None => HttpResponse::Ok().body(bytes),
            }
        }
    };
    let server = HttpServer::new(move || App::new().route("/edge/{name}", web::get().to(show.clone())))
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = format!("http://{}/edge/", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}

impl Repository {
    pub fn open() -> Self {
        let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let is_torn = Arc::new(AtomicBool::new(false));
        let (address, server) = serve(folder.path().to_owned(), Arc::clone(&is_torn));
        let repository = Self { folder, keys, address, server, is_torn };
        for key in ["root", "second", "targets", "timestamp", "stranger"] {
            repository.release(&["keygen", &repository.key(key)]);
        }
        repository.root(&["root", "second"]);
        repository
    }

    fn key(&self, name: &str) -> String {
        self.keys.path().join(format!("{name}.pem")).to_str().unwrap().to_owned()
    }

    fn public(&self, name: &str) -> String {
        let copy = self.keys.path().join("again.pem");
        // `keygen` alone prints it, once; a signature names it as well.
        fs::write(&copy, json!({"payload": "", "payloadType": "", "signatures": []}).to_string()).unwrap();
        self.release(&["sign", copy.to_str().unwrap(), "--key", &self.key(name)]);
        let signed: Value = serde_json::from_slice(&fs::read(&copy).unwrap()).unwrap();
        signed["signatures"][0]["keyid"].as_str().unwrap().to_owned()
    }

    fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn release(&self, arguments: &[&str]) -> String {
        let made = Command::new(PROGRAM).arg("release").args(arguments).output().unwrap();
        assert!(made.status.success(), "{arguments:?}: {}", told(&made));
        String::from_utf8(made.stdout).unwrap()
    }

    /// The next root: two of two for itself, one for each of the others. Each of them signs by itself.
    fn root(&self, signers: &[&str]) {
        let [root, second, targets, timestamp] = ["root", "second", "targets", "timestamp"].map(|key| self.public(key));
        let (root, targets, timestamp) =
            (format!("2:{root},{second}"), format!("1:{targets}"), format!("1:{timestamp}"));
        let [first, others @ ..] = signers else { panic!("nobody signs") };
        let file = self.release(&[
            "root",
            self.folder(),
            "--root",
            &root,
            "--targets",
            &targets,
            "--timestamp",
            &timestamp,
            "--key",
            &self.key(first),
        ]);
        for other in others {
            self.release(&["sign", file.trim(), "--key", &self.key(other)]);
        }
    }

    /// A program that does this, as the release of that version. `$0` is itself, and `"$@"` what it is started with.
    pub fn publish(&self, version: &str, script: &str) {
        self.publish_for(version, script, &journal::version());
    }

    /// One that says that it makes that of the journal.
    fn publish_for(&self, version: &str, script: &str, journal: &str) {
        let program = self.keys.path().join(version);
        fs::write(&program, format!("#!/bin/sh\n# {version}\n{script}\n")).unwrap();
        let program = program.to_str().unwrap();
        self.release(&[
            "add",
            self.folder(),
            "--program",
            program,
            "--as",
            version,
            "--journal",
            journal,
            "--key",
            &self.key("targets"),
        ]);
        self.stamp("timestamp");
    }

    fn stamp(&self, key: &str) {
        self.release(&["timestamp", self.folder(), "--key", &self.key(key)]);
    }
}

fn told(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

/// The release that works: this build, under another name.
fn good() -> String {
    format!("exec {PROGRAM} \"$@\"")
}

/// A terminal whose system starts the boot program again whenever what it started has ended.
struct Machine {
    folder: tempfile::TempDir,
    core: FakeCore,
    till: Till,
    running: Option<System>,
}

struct System {
    stopping: Arc<AtomicBool>,
    process: Arc<AtomicI32>,
    /// The versions that said they were ready, in order.
    ready: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Machine {
    async fn with(repository: &Repository, trial_seconds: u32) -> Self {
        tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let core = FakeCore::open_secured(Authority::new(LONG));
        // Nobody listens there: everything goes over HTTPS.
        core.set_broker(1);
        enrol(&DataDir::open(folder.path()).unwrap(), &request(&core, "CLAIM", false)).await.unwrap();
        let port = listener_kept_for_us().local_addr().unwrap().port();
        let root = folder.path().join("update-root.json");
        fs::copy(repository.folder.path().join("1.root.json"), &root).unwrap();
        let config = format!(
            "data_dir = {:?}\n[till]\nlisten = \"127.0.0.1:{port}\"\n[link]\npoll_ms = 500\n[update]\nrepository = {:?}\nroot = {root:?}\n\
             check_seconds = 1\nquiet_seconds = 1\ntrial_seconds = {trial_seconds}\n",
            folder.path(),
            repository.address
        );
        fs::write(folder.path().join(CONFIG), config).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut machine = Self { folder, core, till: Till::at(format!("http://127.0.0.1:{port}")), running: None };
        machine.switch_on();
        machine.runs("0.1.0").await;
        machine
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.data().join(CONFIG)
    }

    fn state(&self) -> State {
        Slots::of(self.data()).state().unwrap()
    }

    fn switch_on(&mut self) {
        let (stopping, process, ready) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (data, config) = (self.data().to_owned(), self.config());
        let seen = (Arc::clone(&stopping), Arc::clone(&process), Arc::clone(&ready));
        let thread = thread::spawn(move || {
            while !seen.0.load(Ordering::SeqCst) {
                let log = fs::OpenOptions::new().create(true).append(true).open(data.join("log")).unwrap();
                let mut command = Command::new(PROGRAM);
                command.args(["boot", "--data-dir"]).arg(&data).args(["--", "--config"]).arg(&config).arg("run");
                let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
                seen.1.store(i32::try_from(child.id()).unwrap(), Ordering::SeqCst);
                for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
                    let line: Value = serde_json::from_str(&line).unwrap_or_default();
                    seen.2.lock().unwrap().push(line["version"].as_str().unwrap_or_default().to_owned());
                }
                child.wait().unwrap();
            }
        });
        self.running = Some(System { stopping, process, ready, thread });
    }

    fn signal(&self, signal: Signal) {
        let process = self.running.as_ref().unwrap().process.load(Ordering::SeqCst);
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(process), signal);
    }

    /// Pulls the plug.
    fn switch_off(&mut self) {
        let Some(system) = self.running.take() else { return };
        system.stopping.store(true, Ordering::SeqCst);
        while !system.thread.is_finished() {
            let _ = kill(Pid::from_raw(system.process.load(Ordering::SeqCst)), Signal::SIGKILL);
            thread::yield_now();
        }
        system.thread.join().unwrap();
    }

    fn started(&self) -> Vec<String> {
        self.running.as_ref().unwrap().ready.lock().unwrap().clone()
    }

    /// How the till says that updates stand; nothing while it does not answer.
    async fn update(&self) -> Value {
        let answer = reqwest::get(format!("{}/api/state", self.till.base)).await;
        let Ok(answer) = answer else { return Value::Null };
        answer.json::<Value>().await.map(|mut state| state["update"].take()).unwrap_or_default()
    }

    /// Waits until that release runs and has proven itself.
    async fn runs(&self, version: &str) {
        patiently(&format!("release {version}"), async || {
            let update = self.update().await;
            (update["running"] == version && update["on_trial"] == false && self.state().trial.is_none()).then_some(())
        })
        .await;
    }

    async fn waits_for(&self, what: &str) {
        patiently(what, async || {
            let update = self.update().await;
            let waits = update["waits_for"].as_array().cloned().unwrap_or_default();
            (update["next"] != Value::Null && waits.contains(&json!(what))).then_some(())
        })
        .await;
        let version = self.started();
        assert_eq!(version.len(), 1, "{version:?}");
    }

    async fn failed(&self, version: &str, why: &str) {
        patiently(&format!("{version} to be gone back from"), async || {
            self.state().failed.iter().any(|failed| failed.version.to_string() == version).then_some(())
        })
        .await;
        let state = self.state();
        let failed = state.failed.last().unwrap();
        assert!(failed.version.to_string() == version && failed.why.contains(why), "{state:?}");
    }

    async fn sells(&self) {
        let sold = self.till.post("/api/sales", &json!({"amount_minor": 100, "method": "cash"}), &fresh_key()).await;
        assert_eq!(sold.status, 201, "{}", sold.body);
    }

    async fn beside(&self, arguments: &[&str]) -> Output {
        let (config, arguments): (_, Vec<String>) =
            (self.config(), arguments.iter().map(|&one| one.to_owned()).collect());
        tokio::task::spawn_blocking(move || {
            Command::new(PROGRAM).arg("--config").arg(config).args(arguments).output().unwrap()
        })
        .await
        .unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.switch_off();
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.data().join("log")).unwrap_or_default());
        }
    }
}

/// A hung release is waited for as long as an orderly stop may take: several of `until`'s spans.
async fn patiently(what: &str, mut look: impl AsyncFnMut() -> Option<()>) {
    let by = std::time::Instant::now() + std::time::Duration::from_secs(150);
    while look().await.is_none() {
        assert!(std::time::Instant::now() < by, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_a_till_at_rest_is_tried_and_kept_and_the_next_one_takes_the_other_slot() {
    let repository = Repository::open();
    let mut machine = Machine::with(&repository, 20).await;
    until("a link", async || (machine.till.get("/api/state").await["link"]["online"] == true).then_some(())).await;
    let till = &machine.till;
    let shown = number(&till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    repository.is_torn.store(true, Ordering::SeqCst);
    repository.publish("1.0.0", &good());
    machine.waits_for("payment").await;
    let press = json!({"revision": 0, "press": {"other": {"price_minor": 100, "quantity": 1, "name": "Tea"}}});
    let basket = till.post("/api/basket", &press, &fresh_key()).await;
    assert_eq!(basket.status, 200, "{}", basket.body);
    till.press(shown, "cancel", json!({})).await;
    machine.waits_for("basket").await;
    machine.core.switch_off().await;
    until("no link", async || (till.get("/api/state").await["link"]["online"] == false).then_some(())).await;
    let basket = till.get("/api/state").await["basket"]["revision"].clone();
    till.sell(json!({"amount_minor": 100, "method": "cash", "basket": basket})).await;
    machine.waits_for("unsent").await;
    machine.waits_for("core").await;
    machine.core.switch_on();
    machine.runs("1.0.0").await;
    assert_eq!(machine.state().at, Place::A);
    machine.sells().await;

    // A key of the timestamp changes hands, and the chain of roots leads there.
    repository.root(&["root", "second"]);
    repository.publish("1.1.0", &good());
    machine.runs("1.1.0").await;
    assert_eq!(
        (machine.state().at, machine.started()),
        (Place::B, ["0.1.0", "1.0.0", "1.1.0"].map(str::to_owned).to_vec())
    );
    machine.sells().await;
    let status: Value = serde_json::from_slice(&machine.beside(&["update", "status"]).await.stdout).unwrap();
    assert_eq!((&status["till"]["running"], &status["slots"]["at"]), (&json!("1.1.0"), &json!("b")), "{status}");
    let checked = machine.beside(&["update", "check"]).await;
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap_or_else(|_| panic!("{}", told(&checked)));
    assert_eq!((&checked["next"], &checked["root_version"]), (&Value::Null, &json!(2)), "{checked}");
    // Cash, twice, and nothing that was sold is lost or doubled.
    until("core to have it", async || machine.core.look(|known| known.journal.len() >= 4).then_some(())).await;
    machine.switch_off();
    let doctor = machine.beside(&["doctor"]).await;
    assert!(told(&doctor).contains("release 1.1.0 is in force (slot b)"), "{}", told(&doctor));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_ends_at_its_start_is_gone_back_from_whatever_the_configuration_has_by_then() {
    let repository = Repository::open();
    let machine = Machine::with(&repository, 20).await;
    // Made for the release to come, which is no good.
    let config = fs::read_to_string(machine.config()).unwrap();
    fs::write(machine.config(), format!("{config}brand_new = 1\n[of_the_future]\nrings = true\n")).unwrap();
    repository.publish("1.0.0", "exit 1");
    machine.failed("1.0.0", "ended 3 times").await;
    machine.runs("0.1.0").await;
    machine.sells().await;
    let doctor = machine.beside(&["doctor"]).await;
    assert!(told(&doctor).contains("of_the_future"), "by hand it is strict: {}", told(&doctor));
    fs::write(machine.config(), config).unwrap();
    let doctor = machine.beside(&["doctor"]).await;
    assert!(told(&doctor).contains("1.0.0 was gone back from"), "{}", told(&doctor));
    // It is not tried again, and a better one is.
    repository.publish("1.0.1", &good());
    machine.runs("1.0.1").await;
    assert_eq!(machine.started(), ["0.1.0", "0.1.0", "1.0.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_hangs_is_ended_and_gone_back_from() {
    let repository = Repository::open();
    let machine = Machine::with(&repository, 4).await;
    // It does not even hear that it should stop.
    repository.publish("1.0.0", "kill -STOP $$");
    machine.failed("1.0.0", "had not proven itself after 4 seconds").await;
    machine.runs("0.1.0").await;
    machine.sells().await;
}

/// Its till opens and answers, and it never reaches core, as the one before it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_never_reaches_core_is_gone_back_from() {
    let repository = Repository::open();
    let machine = Machine::with(&repository, 8).await;
    until("a link", async || (machine.till.get("/api/state").await["link"]["online"] == true).then_some(())).await;
    let inside = format!("ip link set lo up && exec {PROGRAM} \"$@\"");
    repository.publish("1.0.0", &format!("exec unshare --user --map-root-user --net sh -c '{inside}' release \"$@\""));
    machine.failed("1.0.0", "core be reached").await;
    machine.runs("0.1.0").await;
    assert_eq!(machine.started(), ["0.1.0", "1.0.0", "0.1.0"]);
    machine.sells().await;
}

/// One that changes the journal keeps the way back until it opens its till, and opens none before it has reached core.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_changes_the_journal_is_gone_back_from_until_it_sells() {
    const JOURNAL: &str = "29990101000000";
    let repository = Repository::open();
    let mut machine = Machine::with(&repository, 8).await;
    until("a link", async || (machine.till.get("/api/state").await["link"]["online"] == true).then_some(())).await;
    machine.sells().await;
    let copy = machine.data().join("slots/journal-before.db");
    // What it does before it ends: its copy of the journal is there.
    repository.publish_for("1.0.0", &format!("test -f {} || sleep 600; exit 1", copy.display()), JOURNAL);
    machine.failed("1.0.0", "ended 3 times").await;
    machine.runs("0.1.0").await;
    machine.sells().await;
    let inside = format!("ip link set lo up && exec {PROGRAM} \"$@\"");
    let cut_off = format!("exec unshare --user --map-root-user --net sh -c '{inside}' release \"$@\"");
    repository.publish_for("1.0.1", &cut_off, JOURNAL);
    machine.failed("1.0.1", "core be reached").await;
    machine.runs("0.1.0").await;
    assert!(!copy.exists());
    machine.sells().await;
    repository.publish_for("1.0.2", &good(), JOURNAL);
    machine.runs("1.0.2").await;
    assert_eq!(machine.started(), ["0.1.0", "0.1.0", "0.1.0", "1.0.2"], "no other opened its till");
    machine.sells().await;
    until("core to have it all", async || machine.core.look(|known| (known.journal.len() == 4).then_some(()))).await;
    machine.switch_off();
    let verified = machine.beside(&["journal", "verify"]).await;
    assert!(told(&verified).contains("\"whole\":true"), "{}", told(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plug_that_is_pulled_in_the_switch_leaves_one_release_or_the_other() {
    let repository = Repository::open();
    let machine = Machine::with(&repository, 20).await;
    repository.publish("1.0.0", &good());
    for starts in 0..=1 {
        patiently("the switch", async || {
            machine.state().trial.is_some_and(|trial| trial.starts >= starts).then_some(())
        })
        .await;
        machine.signal(Signal::SIGKILL);
    }
    machine.runs("1.0.0").await;
    machine.sells().await;
}

/// The leave to switch is for a till at rest, and is looked at again when it is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_switch_does_not_come_over_money_that_is_unsent() {
    let repository = Repository::open();
    let mut machine = Machine::with(&repository, 20).await;
    machine.core.switch_off().await;
    until("no link", async || (machine.till.get("/api/state").await["link"]["online"] == false).then_some(())).await;
    machine.sells().await;
    repository.publish("1.0.0", &good());
    machine.waits_for("unsent").await;
    machine.switch_off();
    let slots = Slots::of(machine.data());
    let fetched = machine.state().a.unwrap();
    assert!(slots.change(|state| state.switch(&fetched.sha256, 20, false, false)).unwrap());
    machine.switch_on();
    machine.runs("0.1.0").await;
    assert_eq!((machine.started(), machine.state().failed.len()), (vec!["0.1.0".to_owned()], 0));
    machine.core.switch_on();
    machine.runs("1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_lies_is_named_and_sales_go_on() {
    let repository = Repository::open();
    let machine = Machine::with(&repository, 20).await;
    let trouble = async |words: &str| {
        patiently(words, async || {
            machine.update().await["trouble"].as_str().is_some_and(|told| told.contains(words)).then_some(())
        })
        .await;
    };
    trouble("timestamp.json").await;
    repository.publish("1.0.0", "exit 1");
    machine.failed("1.0.0", "").await;
    machine.runs("0.1.0").await;
    let old = fs::read(repository.folder.path().join("timestamp.json")).unwrap();
    repository.publish("0.0.9", &good());
    patiently("a downgrade to be passed over", async || {
        let believed = fs::read_to_string(machine.data().join("slots/trusted.json")).unwrap();
        believed.contains("0.0.9").then_some(())
    })
    .await;
    fs::write(repository.folder.path().join("timestamp.json"), old).unwrap();
    trouble("rollback").await;
    repository.stamp("stranger");
    trouble("0 of the 1 signatures").await;
    let check = machine.beside(&["update", "check"]).await;
    assert!(!check.status.success() && told(&check).contains("0 of the 1 signatures"), "{}", told(&check));
    // What was signed is not what comes.
    repository.stamp("timestamp");
    repository.stamp("timestamp");
    repository.publish("1.0.1", &good());
    for file in fs::read_dir(repository.folder.path()).unwrap().flatten() {
        if file.file_name().to_string_lossy().ends_with(".saoma-edge") {
            let len = usize::try_from(file.metadata().unwrap().len()).unwrap();
            fs::write(file.path(), vec![b'#'; len]).unwrap();
        }
    }
    trouble("hash differs").await;
    assert_eq!(machine.started(), ["0.1.0", "0.1.0"]);
    machine.sells().await;
    let kept: Vec<String> = ["root", "targets"].map(|key| fs::read_to_string(repository.key(key)).unwrap()).to_vec();
    let mode = fs::metadata(repository.key("root")).unwrap().permissions().mode();
    assert!(mode & 0o077 == 0 && kept.iter().all(|key| key.starts_with("-----BEGIN PRIVATE KEY")));
    let again = Command::new(PROGRAM).args(["release", "keygen", &repository.key("root")]).output().unwrap();
    assert!(!again.status.success() && told(&again).contains("there is one already"), "{}", told(&again));
    assert_eq!(fs::read_to_string(repository.key("root")).unwrap(), kept[0]);
}

/// What a newer release did to the journal, an older one neither opens nor leaves under a key that is gone.
#[test]
fn a_journal_that_a_newer_release_has_changed_is_opened_by_no_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_journal(folder.path());
    let mut journal = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    journal
        .batch_execute(
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000'); CREATE TABLE of_the_future (sealed BLOB);",
        )
        .unwrap();
    drop(journal);
    let key = || fs::read(folder.path().join("journal.key")).unwrap();
    let before = key();
    let commands: [&[&str]; 6] = [
        &["journal", "rekey"],
        &["run"],
        &["journal", "verify"],
        &["journal", "export"],
        &["journal", "replay"],
        &["doctor"],
    ];
    for command in commands {
        let mut program = Command::new(PROGRAM);
        program.env("SAOMA_EDGE_DATA_DIR", folder.path()).env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0");
        let refused = program.args(command).output().unwrap();
        let told = told(&refused);
        assert!(!refused.status.success() && told.contains("a newer saoma-edge has changed it"), "{command:?}: {told}");
        assert_eq!(key(), before, "{command:?}");
    }
}
