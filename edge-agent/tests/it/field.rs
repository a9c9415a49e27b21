//! What a person who stands before a terminal can find out: `doctor`, and the journal's export and replay.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use saoma_edge::{
    journal::{Commit, Settings, Store},
    sale::Sale,
};
use saoma_protocol::{Currency, Millis, Money, TerminalId};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    secured::{LONG, Life},
    shop::{Shop, fresh_key, number, until},
};

/// The program, as a person starts it beside the agent of `shop`.
pub async fn beside(shop: &Shop, arguments: &[&str]) -> Output {
    let (folder, till) = (shop.folder.path().to_owned(), shop.till.base.trim_start_matches("http://").to_owned());
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    // The doors of the test run on this runtime.
    tokio::task::spawn_blocking(move || program(&folder, &till, &arguments)).await.unwrap()
}

fn program(folder: &Path, till: &str, arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saoma-edge"));
    command.env("SAOMA_EDGE_DATA_DIR", folder).env("SAOMA_EDGE_TILL__LISTEN", till);
    command.env("SAOMA_EDGE_JOURNAL__FREE_BYTES_MIN", "4096");
    command.args(arguments).output().unwrap()
}

pub fn json_of(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

pub fn finding<'a>(told: &'a Value, check: &str) -> &'a Value {
    let findings = told["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check} in {told}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_beside_a_well_terminal_finds_it_well_and_takes_nothing_from_it() {
    let (shop, broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    shop.nothing_unsent().await;
    fs::set_permissions(shop.folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let sessions = || shop.core.authority().mqtt.last().unwrap();
    let before = sessions();
    let examined = beside(&shop, &["doctor", "--json"]).await;
    let told = json_of(&examined);
    // A disk under other tests may be slow, and that is said.
    let is_slow = finding(&told, "disk_write")["verdict"] == "warning";
    let well = if is_slow { (Some(1), "warning") } else { (Some(0), "ok") };
    assert_eq!((examined.status.code(), told["worst"].as_str().unwrap()), well, "{told:#}");
    let held = finding(&told, "journal_key");
    assert!(held["verdict"] == "ok" && held["found"].as_str().unwrap().contains("journal.key"), "{held}");
    for check in ["disk_room", "certificate", "data_dir_mode", "key_mode", "core", "core_answer", "clock", "broker"] {
        assert_eq!(finding(&told, check)["verdict"], "ok");
    }
    assert!(finding(&told, "journal")["found"].as_str().unwrap().contains("all 1 entries are whole"), "{told:#}");
    let devices = told["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == "device");
    let mut devices = devices.map(|finding| finding["found"].as_str().unwrap());
    assert!(devices.any(|found| found.starts_with("printer (simulated)")), "as the agent says: {told:#}");
    assert_eq!(before, sessions(), "it shows the same certificate");
    shop.online(true).await;
    drop(broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_names_each_thing_that_is_wrong_and_what_to_do() {
    let (mut shop, mut broker) = Shop::open_secured_by(LONG, |_| {}).await;
    shop.core.switch_off().await;
    broker.switch_off().await;
    shop.online(false).await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    for file in fs::read_dir(shop.folder.path()).unwrap().flatten() {
        let name = file.file_name();
        if name.to_string_lossy().starts_with("terminal") && name.to_string_lossy().ends_with(".key") {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
    fs::set_permissions(shop.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let examined = beside(&shop, &["doctor", "--json"]).await;
    let told = json_of(&examined);
    assert_eq!(examined.status.code(), Some(2), "{told:#}");
    for (check, verdict, words) in [
        ("core", "fault", "cannot be reached"),
        ("broker", "warning", "cannot be reached"),
        ("data_dir_mode", "warning", "mode 0755"),
        ("key_mode", "fault", "mode 0644"),
        ("unsent", "ok", "1 entries with cash of 12.50 CNY"),
        ("certificate", "ok", "fits its key"),
    ] {
        let found = finding(&told, check);
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["found"].as_str().unwrap().contains(words), "{found}");
        assert_eq!(found["fix"].is_string(), verdict != "ok", "{found}");
    }
    let lines = beside(&shop, &["doctor", "--print"]).await;
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.lines().any(|line| line.starts_with("fault   key_mode: ") && line.contains(" → ")), "{lines}");
    assert!(lines.contains("nothing was printed: the agent has the printer"), "{lines}");
}

/// Core's door takes a terminal's certificate by its own clock, and says no only after the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_hears_a_door_that_does_not_believe_the_certificate() {
    let (shop, _broker) = Shop::open_secured_by(Life { past: 60, left: 86_400 }, |_| {}).await;
    shop.core.authority().put_clocks_on(90_000);
    let told = json_of(&beside(&shop, &["doctor", "--json"]).await);
    for (check, verdict) in [("core", "fault"), ("broker", "warning")] {
        let found = finding(&told, check);
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["found"].as_str().unwrap().contains("do not believe each other"), "{found}");
    }
}

#[test]
fn a_doctor_of_a_machine_that_is_no_terminal_leaves_it_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let examine = |path: &Path| program(path, "127.0.0.1:0", &["doctor".to_owned(), "--json".to_owned()]);
    let examined = examine(folder.path());
    let told = json_of(&examined);
    assert_eq!(
        (examined.status.code(), &finding(&told, "identity")["verdict"]),
        (Some(2), &json!("fault")),
        "{told:#}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let examined = examine(&folder.path().join("none"));
    assert_eq!((examined.status.code(), &json_of(&examined)["findings"][0]["check"]), (Some(2), &json!("data_dir")));
    assert!(!folder.path().join("none").exists());
}

/// For the script of whoever updates the machine, and for who stands before it with a screwdriver.
#[tokio::test(flavor = "multi_thread")]
async fn whether_the_agent_may_stop_is_told_while_money_moves_or_is_here_alone() {
    let mut shop = Shop::open().await;
    let may_stop = async |shop: &Shop| {
        let output = beside(shop, &["may-stop"]).await;
        (output.status.code(), json_of(&output)["waits_for"].clone())
    };
    let sold = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await);
    shop.till.sees(sold, "receipt", "printed").await;
    shop.nothing_unsent().await;
    assert_eq!(may_stop(&shop).await, (Some(0), json!([])));
    shop.core.look(|known| known.silent = true);
    let paying = number(&shop.till.sell(json!({"amount_minor": 500, "method": "scan", "code": GOOD_CODE})).await);
    let (code, waits_for) = may_stop(&shop).await;
    assert!(code == Some(2) && waits_for.as_array().unwrap().contains(&json!("payment")), "{waits_for}");
    shop.core.look(|known| known.silent = false);
    shop.till.sees(paying, "receipt", "printed").await;
    shop.nothing_unsent().await;
    assert_eq!(may_stop(&shop).await, (Some(0), json!([])));
    shop.core.switch_off().await;
    let sold = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await);
    shop.till.sees(sold, "receipt", "printed").await;
    assert_eq!(may_stop(&shop).await, (Some(2), json!(["unsent"])));
    let till = std::mem::replace(&mut shop.till.base, "http://127.0.0.1:1".to_owned());
    let unknown = beside(&shop, &["may-stop"]).await;
    assert_eq!(unknown.status.code(), Some(1), "an agent that does not answer is not asked in vain");
    shop.till.base = till;
    shop.stop_till().await;
    assert_eq!(may_stop(&shop).await, (Some(2), json!(["unsent"])), "nobody runs, and its money is here alone");
}

/// A day with one of each: cash, a scanned sale with a refund, a void, and a shift around them.
async fn day() -> Shop {
    let shop = Shop::open().await;
    let open = json!({"float_minor": 5000, "cashier": "Li", "cashier_number": "7"});
    let opened = shop.till.post("/api/shift/open", &open, &fresh_key()).await;
    assert!(opened.status.is_success(), "{}", opened.body);
    let goods = json!([{"name": "gift card 4111111111111111", "quantity": 1, "price_minor": 1250}]);
    let cash = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash", "goods": goods})).await);
    let refunded = shop.till.press(cash, "refund", json!({"amount_minor": 250})).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    let voided = shop.till.press(scanned, "void", json!({})).await;
    assert_eq!((voided.status.as_u16(), &voided.body["state"]), (200, &json!("voided")), "{}", voided.body);
    shop.nothing_unsent().await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_entry_and_no_number_of_a_card() {
    let shop = day().await;
    let exported = beside(&shop, &["journal", "export"]).await;
    let text = String::from_utf8(exported.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    let verified = json_of(&beside(&shop, &["journal", "verify"]).await);
    let entries = verified["entries"].as_u64().unwrap();
    assert_eq!(verified["signed"], entries);
    assert!(lines.iter().all(|line| line["signature"]["value"].as_str().unwrap().len() == 86), "{text}");
    assert!(entries >= 7 && numbers == (1..=entries).collect::<Vec<_>>(), "{entries} {numbers:?}");
    assert!(lines.windows(2).all(|pair| pair[1]["prev_hash"] == pair[0]["hash"]), "{text}");
    assert!(text.contains("gift card 411111******1111"), "{text}");
    assert!(!text.contains("4111111111111111") && !text.contains(GOOD_CODE), "{text}");

    let csv = beside(&shop, &["journal", "export", "--format", "csv", "--from", "2", "--to", "3"]).await;
    let csv = String::from_utf8(csv.stdout).unwrap();
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows.len() == 3 && rows[0].starts_with("sequence,at,kind,") && rows[1].starts_with("2,"), "{csv}");
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns), "{csv}");

    for (arguments, count) in [
        (["--since", "2000-01-01", "--until", "2000-01-02"], 0),
        (["--since", "2000-01-01", "--until", "9999-12-31"], numbers.len()),
    ] {
        let exported = beside(&shop, &[&["journal", "export"][..], &arguments].concat()).await;
        assert_eq!(String::from_utf8(exported.stdout).unwrap().lines().count(), count, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_agrees_until_somebody_changes_a_row_and_then_names_it() {
    let mut shop = day().await;
    let replay = async |shop: &Shop| {
        let replayed = beside(shop, &["journal", "replay"]).await;
        (replayed.status.code(), json_of(&replayed))
    };
    let (code, whole) = replay(&shop).await;
    assert_eq!((code, &whole["differences"]), (Some(0), &json!([])), "{whole:#}");
    assert_eq!((&whole["sales"], &whole["refunds"], &whole["shifts"]), (&json!(2), &json!(2), &json!(1)));

    shop.stop_till().await;
    let path = shop.folder.path().join("journal.db");
    let log = shop.folder.path().join("journal.db-wal");
    until("the journal to be closed", async || (!log.exists()).then_some(())).await;
    let whole_file = fs::read(&path).unwrap();
    let sql = |sql: &'static str| -> Change {
        Box::new(move |path| {
            let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            // The agent's journal may be closing yet.
            connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
            connection.batch_execute(sql).unwrap();
        })
    };
    let changes: [(Change, &str); 7] = [
        (
            sql("UPDATE sales SET amount = (SELECT amount FROM sales WHERE counter = 1) WHERE counter = 2"),
            "was altered, or moved there from elsewhere",
        ),
        (
            Box::new(|path| {
                with_key(path, |store| {
                    let (mut kept, _) = store.latest_sales(1).unwrap().remove(0);
                    kept.cashier = "Wu".to_owned();
                    let sale = Sale::reopened(kept.clone());
                    Commit {
                        sale: Some(kept),
                        sale_captured: sale.was_captured(),
                        sale_state: sale.state_text(),
                        ..Commit::default()
                    }
                });
            }),
            "its cashier is not as the entries say",
        ),
        (sql("UPDATE sales SET captured = 1 - captured WHERE counter = 2"), "whether money came in on it"),
        (sql("UPDATE refunds SET state = 'failed' WHERE rowid = 1"), "the list of its refunds"),
        (
            Box::new(|path| {
                with_key(path, |store| {
                    let mut shift = store.last_shift().unwrap().unwrap();
                    shift.float = Money::new(4_000, Currency::CNY);
                    Commit { shift: Some(shift), ..Commit::default() }
                });
            }),
            "its float is 40.00 CNY, and the entries say 50.00 CNY",
        ),
        (sql("UPDATE shifts SET kept = x'01'"), "kept of shifts 1 was altered"),
        (sql("DELETE FROM shifts"), "it is not among the shifts"),
    ];
    for (change, words) in changes {
        change(&path);
        let (code, told) = replay(&shop).await;
        let differences = told["differences"].as_array().unwrap();
        assert_eq!((code, differences.len()), (Some(2), 1), "{words}: {told:#}");
        assert!(differences[0].as_str().unwrap().contains(words), "{words}: {told:#}");
        fs::write(&path, &whole_file).unwrap();
    }
}

type Change = Box<dyn Fn(&Path)>;

/// By somebody who has the terminal's key.
fn with_key(path: &Path, change: impl FnOnce(&mut Store) -> Commit) {
    let settings = Settings { path: path.to_owned(), free_bytes_min: 0, pages_max: 0 };
    let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(1)).unwrap();
    let commit = change(&mut store);
    store.commit(&commit, Millis(1)).unwrap();
}
