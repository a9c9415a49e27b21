//! The power went in the middle of a commit: the write-ahead log ends anywhere within it.

use std::{fs, path::Path};

use saoma_edge::journal::{Commit, Journal, Settings, verify};
use saoma_protocol::{Millis, PaymentId, Sequence, TerminalId, journal::Record};
use serde_json::json;

use crate::hand::signer;

const TERMINAL: TerminalId = TerminalId::from_bytes([2; 16]);
const SALES: u8 = 5;

fn settings(path: &Path) -> Settings {
    Settings { path: path.join("journal.db"), free_bytes_min: 0, pages_max: 0 }
}

fn sale(number: u8) -> Commit {
    let record = Record::CashSale {
        payment: PaymentId::from_bytes([number; 16]),
        counter: Sequence(u64::from(number)),
        amount: serde_json::from_value(json!({"minor": 100, "currency": "CNY"})).unwrap(),
        tendered_minor: 100,
        goods: Vec::new(),
        cashier: "Li".to_owned(),
        split: None,
        quote: None,
        reference: None,
    };
    Commit { records: vec![record], ..Commit::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_within_a_commit_has_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&settings(folder.path()), TERMINAL, signer(), Millis(0)).unwrap();
    let log = folder.path().join("journal.db-wal");
    let log_len = || usize::try_from(fs::metadata(&log).unwrap().len()).unwrap();
    // The log's length when each sale was acknowledged; before the first, when none was.
    let mut acknowledged = vec![log_len()];
    for number in 1..=SALES {
        journal.commit(sale(number), Millis(i64::from(number))).await.unwrap();
        acknowledged.push(log_len());
    }
    // While it is open: as a power cut leaves it, nothing is tidied up.
    let (database, log) = (fs::read(folder.path().join("journal.db")).unwrap(), fs::read(&log).unwrap());
    assert!(acknowledged.is_sorted_by(|one, next| one < next), "each commit adds to the log: {acknowledged:?}");
    let key = folder.path().join("journal.key");
    let reopened = |log: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal.db"), &database).unwrap();
        fs::write(folder.path().join("journal.db-wal"), log).unwrap();
        fs::copy(&key, folder.path().join("journal.key")).unwrap();
        let opened =
            Journal::open(&settings(folder.path()), TERMINAL, signer(), Millis(9)).map(|(_, opened)| opened.head.0);
        let verified = verify(&settings(folder.path()).path).unwrap();
        assert_eq!((opened.unwrap(), verified.signed), (verified.entries, verified.entries), "each with its signature");
        verified.entries
    };
    for (sold, ends) in acknowledged.windows(2).enumerate() {
        let (began, ended) = (ends[0], ends[1]);
        let sold = u64::try_from(sold).unwrap();
        // A frame has a head of 24 bytes and a page of 4096 (SQLite's file format, section 4.1).
        for cut in [began, began + 1, began + 24, began + 100, began.midpoint(ended), ended - 4096, ended - 1] {
            assert_eq!(reopened(&log[..cut]), sold, "cut at {cut} of {began}..{ended}");
        }
        assert_eq!(reopened(&log[..ended]), sold + 1);
        // The tail is there, and is not what was written.
        let mut torn = log[..ended].to_vec();
        torn[ended - 2000..].fill(0xa5);
        assert_eq!(reopened(&torn), sold, "torn before {ended}");
    }
}
