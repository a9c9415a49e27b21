//! What is on the disk of a terminal tells nothing to whoever takes it, and the terminal says so when it cannot read it itself.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use saoma_edge::{app::StartError, link::identity::IdentityError};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    secured::LONG,
    shop::{Shop, fresh_key, number, until},
};

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
    command.env("SAOMA_EDGE_DATA_DIR", folder).env("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:0").stdin(Stdio::null());
    command
}

fn told(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

fn finding(examined: &Output, check: &str) -> Value {
    let told = told(examined);
    let findings = told["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check).cloned().unwrap_or_else(|| panic!("no {check}: {told:#}"))
}

/// Ends with the test, also with one that fails.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the agent and waits for its till; what it says on standard error if it does not open.
fn runs(mut command: Command) -> Result<Agent, String> {
    let mut agent = Agent(command.arg("run").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(agent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.is_empty() {
        let mut error = String::new();
        agent.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        return Err(error);
    }
    // Nobody reads it: it must not stop the agent.
    let mut log = agent.0.stderr.take().unwrap();
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Ok(agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_taken_away_tells_nothing_of_money_or_people() {
    let shop = Shop::open().await;
    let open = json!({"float_minor": 98765, "cashier": "Zhang-Wei", "cashier_number": "no-77"});
    assert!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status.is_success());
    let goods = json!([{"name": "osmanthus-cake", "quantity": 1, "price_minor": 43210}]);
    let cash = json!({"amount_minor": 43210, "method": "cash", "goods": goods});
    let sold = number(&shop.till.sell(cash).await);
    shop.till.press(sold, "refund", json!({"amount_minor": 12345})).await;
    let code = number(&shop.till.sell(json!({"amount_minor": 43211, "method": "code"})).await);
    let shown = shop.till.sees(code, "state", "presenting").await;
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    let aside = json!({"amount_minor": 54321, "reference": "garden-table"});
    assert_eq!(shop.till.post("/api/held", &aside, &fresh_key()).await.status, 201);
    let secrets = [
        "garden-table",
        "54321",
        "Zhang-Wei",
        "no-77",
        "98765",
        "osmanthus-cake",
        "43210",
        "12345",
        "43211",
        GOOD_CODE,
        "tendered_minor",
        "cash_sale",
    ];
    let secrets = secrets.into_iter().chain(shown["code_url"].as_str());
    let files = ["journal.db", "journal.db-wal", "journal.db-shm"];
    let bytes: Vec<u8> = files.iter().flat_map(|name| fs::read(shop.folder.path().join(name)).unwrap()).collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    for secret in secrets {
        assert!(!holds(secret), "{secret}");
    }
    assert!(holds(&sold.to_string()), "the search finds what is plain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_without_its_journals_key_opens_no_till_and_says_what_to_do() {
    let (mut shop, _broker) = Shop::open_secured_by(LONG, |_| {}).await;
    let sold = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await);
    shop.nothing_unsent().await;
    shop.stop_till().await;
    let folder = shop.folder.path().to_owned();
    until("the journal to be closed", async || (!folder.join("journal.db-wal").exists()).then_some(())).await;
    let journal = fs::read(folder.join("journal.db")).unwrap();
    let (key, away) = (folder.join("journal.key"), folder.join("away"));
    fs::rename(&key, &away).unwrap();
    let told = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || runs(program(&folder)).err().unwrap()
    });
    let told = told.await.unwrap();
    for words in ["there is no key here", "Put that key back", "do not delete the journal"] {
        assert!(told.contains(words), "{told}");
    }
    let examined = program(&folder).args(["doctor", "--json"]).output().unwrap();
    let found = finding(&examined, "journal_key");
    assert!(found["verdict"] == "fault" && found["fix"].as_str().unwrap().contains("do not delete"), "{found}");
    assert!(!key.exists() && fs::read(folder.join("journal.db")).unwrap() == journal, "nothing was changed");
    fs::rename(&away, &key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let examined = program(&folder).args(["doctor", "--json"]).output().unwrap();
    assert!(finding(&examined, "journal_key")["found"].as_str().unwrap().contains("chmod 0600"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    shop.start_till().await;
    assert_eq!(shop.till.sale(sold).await["amount_minor"], 1250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_systemd_hands_over_is_used_and_followed_by_the_next() {
    let (mut shop, _broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    shop.stop_till().await;
    let folder = shop.folder.path().to_owned();
    let credentials = tempfile::tempdir().unwrap();
    let hand_over = |name: &str, digit: &str| {
        let path = credentials.path().join(name);
        // A credential is not writable; another one is another file.
        let _ = fs::remove_file(&path);
        fs::write(&path, digit.repeat(64)).unwrap();
        // As systemd lays it, with an access list for the unit's user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    };
    let with = || {
        let mut command = program(&folder);
        command.env("CREDENTIALS_DIRECTORY", credentials.path());
        command
    };
    hand_over("journal-key", "a");
    // The journal is under the key in the file yet, which goes on.
    let verified = with().args(["journal", "verify"]).output().unwrap();
    assert_eq!(told(&verified)["whole"], true);
    let examined = with().args(["doctor", "--json"]).output().unwrap();
    assert_eq!(finding(&examined, "journal_key")["verdict"], "warning");
    let rekeyed = told(&with().args(["journal", "rekey"]).output().unwrap());
    assert_eq!((&rekeyed["wiped"], &rekeyed["source"]), (&json!(true), &json!("systemd's credential")), "{rekeyed}");
    assert!(!folder.join("journal.key").exists(), "the old key is gone");
    assert_eq!(told(&with().args(["journal", "verify"]).output().unwrap())["whole"], true);
    let without = program(&folder).args(["journal", "verify"]).output().unwrap();
    assert!(!without.status.success() && String::from_utf8_lossy(&without.stderr).contains("there is no key here"));
    // systemd's own key is followed by the one that it hands over next.
    let refused = with().args(["journal", "rekey"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("journal-key-before"));
    hand_over("journal-key", "b");
    hand_over("journal-key-before", "a");
    assert_eq!(told(&with().args(["journal", "rekey"]).output().unwrap())["wiped"], true);
    fs::remove_file(credentials.path().join("journal-key-before")).unwrap();
    let replayed = told(&with().args(["journal", "replay"]).output().unwrap());
    assert_eq!((&replayed["sales"], &replayed["differences"]), (&json!(1), &json!([])));
    let agent = tokio::task::spawn_blocking({
        let command = with();
        move || runs(command).unwrap()
    });
    drop(agent.await.unwrap());
    fs::set_permissions(credentials.path().join("journal-key"), fs::Permissions::from_mode(0o444)).unwrap();
    let refused = with().args(["journal", "verify"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("mode 0444"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_not_drawn_under_a_running_agent() {
    let mut shop = Shop::open().await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    let folder = shop.folder.path().to_owned();
    let key = || fs::read(folder.join("journal.key")).unwrap();
    let old = key();
    let refused = program(&folder).args(["journal", "rekey"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another saoma-edge"));
    shop.stop_till().await;
    let rekeyed = until("the journal to be free", async || {
        let rekeyed = program(&folder).args(["journal", "rekey"]).output().unwrap();
        rekeyed.status.success().then_some(rekeyed)
    });
    assert!(told(&rekeyed.await)["values"].as_u64().unwrap() >= 4);
    assert_ne!(key(), old);
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

/// A key that others may have read is no proof of who this terminal is.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_keys_others_may_read_does_not_start() {
    let (mut shop, _broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.stop_till().await;
    let is_secret = |name: &str| name == "identity.json" || name.ends_with(".key");
    let files: Vec<_> = fs::read_dir(shop.folder.path())
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.file_name().is_some_and(|name| is_secret(&name.to_string_lossy())))
        .collect();
    assert_eq!(files.len(), 3, "identity, its key, the journal's key: {files:?}");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in &files {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        mode(path, 0o640);
        let refused = until("the agent to look at its files", async || match shop.try_start().await {
            // The agent before holds the lock yet.
            Err(StartError::Identity(IdentityError::File { .. })) => None,
            Err(error) => Some(error.to_string()),
            Ok(()) => panic!("it starts with {path:?} open to others"),
        });
        let (refused, name) = (refused.await, path.display().to_string());
        assert!(refused.contains(&format!("chmod 0600 {name}")), "{refused}");
        mode(path, 0o600);
    }
    mode(&shop.folder.path().join("identity.json"), 0o604);
    let examined = program(shop.folder.path()).args(["doctor", "--json"]).output().unwrap();
    assert!(finding(&examined, "identity")["found"].as_str().unwrap().contains("chmod 0600"));
    mode(&shop.folder.path().join("identity.json"), 0o600);
    shop.start_till().await;
}
