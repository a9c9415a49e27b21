//! A file system that is mounted read-only.

use saoma_protocol::journal::Record;
use serde_json::json;

use crate::full_disk::Terminal;

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
