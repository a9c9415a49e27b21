//! A file system that is mounted read-only.

use std::{fs, process::Command};

use saoma_protocol::journal::Record;
use serde_json::json;

use crate::{
    full_disk::Terminal,
    shop::{fresh_key, number, until},
};

/// After a power cut the system found an error, and mounted the disk as it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_disk_is_mounted_read_only_says_so_and_starts_when_it_is_not() {
    let mut terminal = Terminal::open(16, 0).await;
    terminal.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    terminal.running.take().unwrap().kill();
    terminal.disk.remount("ro");
    let refused = terminal.disk.program(0).arg("run").output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    assert!(told.contains("mounted for writing") && told.contains("Read-only file system"), "{told}");

    terminal.disk.remount("rw");
    terminal.start().await;
    terminal.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    terminal.in_core(2).await;
    let booked = terminal.core.look(|known| known.journal.clone());
    assert!(booked.iter().all(|record| matches!(record, Record::CashSale { .. })), "{booked:?}");
}

/// As an image is built for terminals: the system is never written to.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_on_a_read_only_root_needs_its_own_folder_alone() {
    let mut terminal = Terminal::enrolled(16, 0).await;
    terminal.disk.shut_all_others();
    terminal.start().await;
    let till = &terminal.till;
    let open = json!({"float_minor": 5_000, "cashier": "Li"});
    assert_eq!(till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    let sold = number(&till.sell(json!({"amount_minor": 100, "method": "cash"})).await);
    let shown = number(&till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    till.sees(shown, "state", "presenting").await;
    assert_eq!(till.press(shown, "cancel", json!({})).await.body["state"], "cancelled");
    assert_eq!(till.press(sold, "refund", json!({"amount_minor": 40})).await.status, 200);
    let close = json!({"batch": 1, "counted_minor": 5_060});
    let closed = till.post("/api/shift/close", &close, &fresh_key()).await;
    assert_eq!(closed.body["closed"]["over_short_minor"], 0, "{}", closed.body);
    terminal.in_core(1).await;

    terminal.running.take().unwrap().kill();
    // Its free pages are wiped as well: SQLite writes the whole file anew.
    let rekeyed = terminal.disk.program(0).args(["journal", "rekey"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&rekeyed.stdout).unwrap();
    assert_eq!(told["wiped"], true, "{}", String::from_utf8_lossy(&rekeyed.stderr));
    terminal.start().await;
    assert_eq!(terminal.till.sale(sold).await["refunded_minor"], 40);
}

/// A disk that fails while the agent runs, as a kernel makes it read-only after an error. tmpfs cannot be remounted under open files, so a
/// library lets each fsync fail: SQLite has the same words for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_keeps_nothing_any_more_stops_sales_until_it_does_again() {
    let mut terminal = Terminal::enrolled(16, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let (source, library, switch) =
        (folder.path().join("fsync.c"), folder.path().join("fsync.so"), folder.path().join("fails"));
    fs::write(&source, include_str!("../../../deploy/trials/src/crash/fsync.c")).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(built.expect("a C compiler").success());
    terminal.environment.push(("LD_PRELOAD", library));
    terminal.environment.push(("FAULT_SWITCH", switch.clone()));
    terminal.start().await;
    let till = &terminal.till;
    till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    terminal.in_core(1).await;

    fs::write(&switch, "").unwrap();
    for method in ["cash", "code"] {
        let refused = till.post("/api/sales", &json!({"amount_minor": 100, "method": method}), &fresh_key()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (503, &json!("journal_failed")),
            "{}",
            refused.body
        );
    }
    assert!(!fs::read(&switch).unwrap().is_empty(), "the library struck");
    assert!(terminal.core.look(|known| known.created.is_empty()), "nothing was sent");
    let state = till.get("/api/state").await;
    let alarms = state["alarms"].as_array().unwrap();
    assert!(alarms.iter().any(|alarm| alarm["code"] == "disk_unwritable"), "{state}");
    assert_eq!(state["disk"]["ok"], false, "{state}");
    fs::remove_file(&switch).unwrap();
    let well = async || (till.get("/api/state").await["disk"]["ok"] == true).then_some(());
    until("the disk to be believed again", well).await;
    till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    terminal.in_core(2).await;
}
