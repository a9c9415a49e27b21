//! A file system that is mounted read-only.

use saoma_protocol::journal::Record;
use serde_json::json;

use crate::{
    full_disk::Terminal,
    shop::{fresh_key, number},
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
