//! A disk that is really full: the program on a file system of a few megabytes, in a mount namespace of its own.
//!
//! Needs `unshare` and `nsenter` (util-linux) and a kernel that gives user namespaces, as Debian's does.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::sys::statvfs::statvfs;
use saoma_edge::link::{enrol::enrol, identity::DataDir, tls};
use saoma_protocol::journal::Record;
use serde_json::{Value, json};

use crate::{
    broker::Broker,
    core::{FakeCore, GOOD_CODE},
    secured::{Authority, LONG},
    shop::{Till, fresh_key, number, request, until},
};

const MEBIBYTE: u64 = 1024 * 1024;

/// Ends with the test, also with one that fails.
pub struct Process(Child);

impl Process {
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub struct SmallDisk {
    holder: Process,
    mount: tempfile::TempDir,
}

impl SmallDisk {
    fn of(mebibytes: u64) -> Self {
        let mount = tempfile::tempdir().unwrap();
        let script =
            format!("mount -t tmpfs -o size={mebibytes}m,mode=700 tmpfs \"$0\" && echo ready && exec sleep 600");
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .arg(mount.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux");
        let mut ready = [0; 6];
        let told = holder.stdout.as_mut().unwrap().read_exact(&mut ready);
        let holder = Process(holder);
        told.expect("a user namespace in which a tmpfs can be mounted (sysctl kernel.unprivileged_userns_clone=1)");
        Self { holder, mount }
    }

    /// The file system as it is seen from outside.
    fn path(&self) -> PathBuf {
        let inside = self.mount.path().strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.0.id())).join(inside)
    }

    /// Takes up all room but `left` bytes.
    fn fill(&self, left: u64) {
        let disk = statvfs(&self.path()).unwrap();
        let free = disk.blocks_available() * disk.fragment_size();
        let mut ballast = File::create(self.path().join("ballast")).unwrap();
        match ballast.write_all(&vec![1; usize::try_from(free - left).unwrap()]) {
            // The terminal wrote something meanwhile.
            Err(error) if error.kind() == ErrorKind::StorageFull => {}
            written => written.unwrap(),
        }
    }

    fn clear(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }

    /// A program that sees the disk where its own namespace has it.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.holder.0.id().to_string(), "--user", "--mount", "--preserve-credentials"])
            .arg(program);
        command
    }

    /// Mounts it anew, with or without leave to write.
    pub fn remount(&self, how: &str) {
        let status = self.inside("mount").args(["-o", &format!("remount,{how}")]).arg(self.mount.path()).status();
        assert!(status.unwrap().success(), "remount,{how}");
    }

    /// Leaves nothing else to write to.
    pub fn shut_all_others(&self) {
        let script = "findmnt --raw --noheadings --output TARGET | while read -r mount; do \
                      [ \"$mount\" = \"$0\" ] || mount -o remount,bind,ro \"$mount\" || exit 1; done; ! touch /tmp/open";
        let shut = self.inside("sh").args(["-c", script]).arg(self.mount.path()).stderr(Stdio::null()).status();
        assert!(shut.unwrap().success(), "everything else is read-only");
    }

    pub fn program(&self, free_bytes_min: u64) -> Command {
        let mut command = self.inside(env!("CARGO_BIN_EXE_saoma-edge"));
        command
            .env("SAOMA_EDGE_DATA_DIR", self.mount.path())
            .env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0")
            .env("SAOMA_EDGE_LINK__POLL_MS", "500")
            .env("SAOMA_EDGE_JOURNAL__FREE_BYTES_MIN", free_bytes_min.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

pub struct Terminal {
    pub core: FakeCore,
    _broker: Broker,
    pub disk: SmallDisk,
    free_bytes_min: u64,
    /// What else the program is started with.
    pub environment: Vec<(&'static str, PathBuf)>,
    pub running: Option<Process>,
    pub till: Till,
}

impl Terminal {
    pub async fn open(mebibytes: u64, free_bytes_min: u64) -> Self {
        let mut terminal = Self::enrolled(mebibytes, free_bytes_min).await;
        terminal.start().await;
        terminal
    }

    pub async fn enrolled(mebibytes: u64, free_bytes_min: u64) -> Self {
        tls::install_provider();
        let core = FakeCore::open_secured(Authority::new(LONG));
        let broker = Broker::open(&core).await;
        let disk = SmallDisk::of(mebibytes);
        enrol(&DataDir::open(&disk.path()).unwrap(), &request(&core, "CLAIM", false)).await.unwrap();
        Self {
            core,
            _broker: broker,
            disk,
            free_bytes_min,
            environment: Vec::new(),
            running: None,
            till: Till::at(String::new()),
        }
    }

    pub async fn start(&mut self) {
        let mut program = self.disk.program(self.free_bytes_min);
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = Process(program.arg("run").spawn().unwrap());
        let mut ready = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).expect("the agent starts");
        self.till = Till::at(ready["till"].as_str().unwrap().trim_end_matches('/').to_owned());
        self.running = Some(child);
        until("the link", async || (self.till.get("/api/state").await["link"]["online"] == true).then_some(())).await;
    }

    async fn refuses(&self, method: &str, goods: &Value) {
        let body = json!({"amount_minor": 100, "method": method, "goods": goods});
        let reply = self.till.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (507, &json!("disk_full")), "{}", reply.body);
    }

    pub async fn in_core(&self, cash_sales: usize) {
        until("core to have the journal", async || {
            (self.till.get("/api/state").await["unsent"]["count"] == 0).then_some(())
        })
        .await;
        let booked = self
            .core
            .look(|known| known.journal.iter().filter(|record| matches!(record, Record::CashSale { .. })).count());
        assert_eq!(booked, cash_sales);
        let books = self.till.get("/api/books").await;
        assert_eq!(books["agree"], true, "{books}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_free_is_for_what_was_sold_before() {
    let terminal = Terminal::open(8, 2 * MEBIBYTE).await;
    let till = &terminal.till;
    let sold = number(&till.sell(json!({"amount_minor": 100, "method": "cash"})).await);
    terminal.disk.fill(MEBIBYTE);
    for method in ["cash", "code", "scan"] {
        terminal.refuses(method, &json!([])).await;
    }
    assert!(terminal.core.look(|known| known.created.is_empty()), "nothing was sent");
    let state = till.get("/api/state").await;
    assert_eq!((&state["disk"]["ok"], &state["alarms"][0]["code"]), (&json!(false), &json!("disk_full")));
    let refunded = till.press(sold, "refund", json!({"amount_minor": 40})).await;
    assert_eq!((refunded.status.as_u16(), &refunded.body["refunded_minor"]), (200, &json!(40)), "{}", refunded.body);
    terminal.in_core(1).await;

    terminal.disk.clear();
    let payment = number(&till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    till.sees(payment, "state", "presenting").await;
    until("the alarm to end", async || (till.get("/api/state").await["disk"]["ok"] == true).then_some(())).await;
    terminal.in_core(1).await;
}

/// Nothing is kept free: the file system itself says no, in the middle of a commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_finds_no_room_has_not_happened() {
    let mut terminal = Terminal::open(4, 0).await;
    let goods = json!(vec![json!({"name": "x".repeat(128), "quantity": 1, "price_minor": 100}); 100]);
    let mut sold = 0;
    for round in 0..3 {
        terminal.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
        sold += 1;
        terminal.disk.fill(0);
        let body = json!({"amount_minor": 100, "method": "cash", "goods": goods});
        loop {
            assert!(sold < 1_000, "the disk is never full");
            let reply = terminal.till.post("/api/sales", &body, &fresh_key()).await;
            if reply.status != 201 {
                assert_eq!((reply.status.as_u16(), &reply.body["code"]), (507, &json!("disk_full")), "{}", reply.body);
                break;
            }
            sold += 1;
        }
        terminal.refuses("code", &goods).await;
        assert!(terminal.core.look(|known| known.created.is_empty()), "nothing was sent");
        if round == 1 {
            // The power goes and comes back while the disk is full.
            terminal.running.take().unwrap().kill();
            terminal.start().await;
            terminal.refuses("code", &goods).await;
        }
        terminal.disk.clear();
    }
    let payment = number(&terminal.till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    terminal.till.sees(payment, "state", "presenting").await;
    terminal.in_core(sold).await;
    terminal.running.take().unwrap().kill();
    let verified = terminal.disk.program(0).args(["journal", "verify"]).output().unwrap();
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&verified["whole"], &verified["entries"]), (&json!(true), &json!(sold + 1)));
}

/// Core has the sale, and the till knows only that it could not write down what core said.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_finds_no_room_leaves_the_sale_in_doubt() {
    let mut terminal = Terminal::open(4, 0).await;
    let goods = json!(vec![json!({"name": "x".repeat(128), "quantity": 1, "price_minor": 100}); 100]);
    terminal.core.look(|known| known.silent = true);
    let sale = terminal.till.sell(json!({"amount_minor": 100, "method": "code", "goods": goods})).await;
    let payment = number(&sale);
    until("core to have heard", async || terminal.core.look(|known| (!known.created.is_empty()).then_some(()))).await;
    terminal.disk.fill(0);
    let mut sold = 0;
    while terminal
        .till
        .post("/api/sales", &json!({"amount_minor": 1, "method": "cash", "goods": goods}), &fresh_key())
        .await
        .status
        == 201
    {
        sold += 1;
        assert!(sold < 1_000, "the disk is never full");
    }
    terminal.core.look(|known| known.silent = false);
    until("the answer to find no room", async || {
        let state = terminal.till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "journal_failed").then_some(())
    })
    .await;
    terminal.core.switch_off().await;
    terminal.disk.clear();
    let asked = terminal.till.press(payment, "query", json!({})).await;
    assert_eq!((asked.status.as_u16(), &asked.body["state"]), (200, &json!("sending")), "{}", asked.body);
    terminal.core.switch_on();
    terminal.till.sees(payment, "state", "presenting").await;
    terminal.in_core(sold).await;
}

/// Nothing is printed for what is not on the disk, and nobody hears that it is paid.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_down_is_neither_printed_nor_announced() {
    let mut terminal = Terminal::enrolled(4, 0).await;
    let said = tempfile::NamedTempFile::new().unwrap();
    terminal.environment.push(("SAOMA_EDGE_PERIPHERALS__SPEAKER", "simulated".into()));
    terminal.environment.push(("SAOMA_EDGE_PERIPHERALS__SPEAKER_DEVICE", said.path().to_owned()));
    terminal.start().await;
    let till = &terminal.till;
    let goods = json!(vec![json!({"name": "x".repeat(128), "quantity": 1, "price_minor": 100}); 100]);
    terminal.core.look(|known| known.silent = true);
    let body = json!({"amount_minor": 777, "method": "scan", "code": GOOD_CODE, "goods": goods});
    let payment = number(&till.sell(body).await);
    until("core to have heard", async || terminal.core.look(|known| (!known.created.is_empty()).then_some(()))).await;
    terminal.disk.fill(0);
    let mut sold = Vec::new();
    let body = json!({"amount_minor": 1, "method": "cash", "goods": goods});
    let refused = loop {
        let reply = till.post("/api/sales", &body, &fresh_key()).await;
        if reply.status != 201 {
            break reply;
        }
        sold.push(number(&reply.body));
        assert!(sold.len() < 1_000, "the disk is never full");
    };
    assert_eq!(refused.body["code"], "disk_full", "{}", refused.body);
    terminal.core.look(|known| known.silent = false);
    until("the answer to find no room", async || {
        let state = till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "journal_failed").then_some(())
    })
    .await;
    let has_it = || terminal.core.look(|known| known.payments.contains_key(&payment).then_some(()));
    until("core to have the sale", async || has_it()).await;
    // Each device has done what it had before it answers this.
    for kind in ["printer", "speaker"] {
        let path = format!("/api/peripherals/{kind}/self-test");
        assert_eq!(till.post(&path, &json!({}), &fresh_key()).await.status, 200, "{kind}");
    }
    assert_eq!(till.sale(payment).await["receipt"], "none");
    let before = fs::read_to_string(said.path()).unwrap();
    let items = till.get("/api/sales?limit=100").await["items"].clone();
    let printed = items.as_array().unwrap().iter().filter(|sale| sale["receipt"] != "none").count();
    assert_eq!(
        (printed, items.as_array().unwrap().len()),
        (sold.len(), sold.len() + 1),
        "a slip for each that was sold"
    );
    terminal.disk.clear();
    till.sees(payment, "receipt", "printed").await;
    let received = until("the sale to be heard", async || {
        let after = fs::read_to_string(said.path()).unwrap();
        after.strip_prefix(&before).filter(|news| !news.is_empty()).map(str::to_owned)
    })
    .await;
    assert_eq!((received.lines().count(), before.contains(&received)), (1, false), "{before} then {received}");
    terminal.in_core(sold.len()).await;
}
