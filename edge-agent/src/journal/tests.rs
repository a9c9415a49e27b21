//! Encrypted at rest: moved over from the version before, under another key, without its key, and cut off at every step.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _, prelude::*, sql_types};
use diesel_migrations::MigrationHarness as _;
use saoma_protocol::{
    CashierId, Millis, PaymentId, RefundId, Sequence, TerminalId,
    api::Goods,
    cashier::CashierList,
    journal::{CoreTime, Entry, GENESIS, Record},
};
use serde_json::json;

use super::{
    keys::Keys,
    plain::{self, seal_batch},
    rekey::{self, reseal_batch},
    rows::{self, SEALED},
    *,
};
use crate::{
    cashiers::Tries,
    sale::{ReceiptState, Refund, Sale, Stage},
};

const TERMINAL: TerminalId = TerminalId::from_bytes([2; 16]);
/// Three batches and a bit.
const SALES: u8 = 230;
/// What stands in the journal of before and may not be found afterwards.
const SECRETS: [&str; 6] =
    ["cashier-Lin", "oolong-tea", "\"minor\":1250", "tendered_minor", "fingerprint-of-12", "float"];

fn settings(folder: &Path) -> Settings {
    Settings { path: folder.join("journal.db"), free_bytes_min: 0, pages_max: 0 }
}

fn payment(number: u8) -> PaymentId {
    PaymentId::from_bytes([number; 16])
}

fn kept(number: u8) -> Kept {
    let refund = Refund {
        refund: RefundId::from_bytes([number; 16]),
        amount: amount(),
        void: false,
        state: saoma_protocol::api::RefundState::Succeeded,
        answered: true,
        keyed_here: true,
        failure: None,
        approved_by: None,
        version: 0,
        keyed_at: Millis(2),
    };
    Kept {
        payment: payment(number),
        counter: Sequence(u64::from(number)),
        amount: amount(),
        goods: vec![Goods::plain("oolong-tea".to_owned(), 1, 1250)],
        reference: None,
        split: None,
        quote: None,
        cashier: "cashier-Lin".to_owned(),
        card: None,
        keyed_at: Millis(1),
        keyed_core: CoreTime::Unsaid,
        stage: Stage::Cash { tendered_minor: 2000 },
        refunds: if number.is_multiple_of(50) { vec![refund] } else { Vec::new() },
        receipt: ReceiptState::None,
        journaled: None,
        offline: false,
        stored: false,
        loss_unseen: false,
        elsewhere: false,
        phone: None,
        given_up: false,
        paid_after_all_unseen: false,
    }
}

fn amount() -> saoma_protocol::Amount {
    serde_json::from_value(json!({"minor": 1250, "currency": "CNY"})).unwrap()
}

fn sold(number: u8) -> Record {
    let Kept { payment, counter, amount, goods, cashier, .. } = kept(number);
    Record::CashSale {
        payment,
        counter,
        amount,
        tendered_minor: 2000,
        goods,
        cashier,
        split: None,
        quote: None,
        reference: None,
    }
}

fn shift() -> Shift {
    serde_json::from_value(json!({
        "batch": 1, "cashier": "cashier-Lin", "cashier_number": "7", "float": {"minor": 5000, "currency": "CNY"},
        "opened_at": 1, "closed": null,
    }))
    .unwrap()
}

/// A journal as the version before wrote it.
fn of_before(folder: &Path) {
    let path = settings(folder).path;
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut old = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    old.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
    for _ in 0..2 {
        old.run_next_migration(open::MIGRATIONS).unwrap();
    }
    let text = |sql: &str, values: &[&str]| {
        let mut query = diesel::sql_query(sql.to_owned()).into_boxed::<diesel::sqlite::Sqlite>();
        for value in values {
            query = query.bind::<sql_types::Text, _>((*value).to_owned());
        }
        query
    };
    let mut prev_hash = GENESIS;
    old.batch_execute("BEGIN").unwrap();
    for number in 1..=SALES {
        let entry = Entry::new(Sequence(u64::from(number)), Millis(1), prev_hash, sold(number)).unwrap();
        prev_hash = entry.hash();
        let values = [entry.prev_hash.as_str(), &entry.payload, &hex::encode(prev_hash)];
        let sql = format!("INSERT INTO entries VALUES ({number}, 1, ?, ?, ?, 1250, 'CNY')");
        text(&sql, &values).execute(&mut old).unwrap();
        let kept = kept(number);
        let (id, held) = (kept.payment.to_string(), serde_json::to_string(&kept).unwrap());
        let state = Sale::reopened(kept.clone()).state_text();
        let sql = format!("INSERT INTO sales VALUES (?, {number}, {number}, ?, 1250, 'CNY', 0, 1, ?)");
        text(&sql, &[&id, state, &held]).execute(&mut old).unwrap();
        for refund in &kept.refunds {
            let sql = "INSERT INTO refunds VALUES (?, ?, 'succeeded', 1250, 'CNY')";
            text(sql, &[&refund.refund.to_string(), &id]).execute(&mut old).unwrap();
        }
        let values = [format!("key-{number}"), format!("fingerprint-of-{number}"), id];
        let values = values.each_ref().map(String::as_str);
        text("INSERT INTO intents VALUES (?, ?, ?, NULL, 1)", &values).execute(&mut old).unwrap();
    }
    let held = serde_json::to_string(&shift()).unwrap();
    text("INSERT INTO shifts VALUES (1, 1, 1, ?)", &[&held]).execute(&mut old).unwrap();
    text("INSERT INTO shift_presses VALUES ('shift-key', 'fingerprint-of-12', 1)", &[]).execute(&mut old).unwrap();
    text("INSERT INTO meta VALUES ('terminal', ?)", &[&TERMINAL.to_string()]).execute(&mut old).unwrap();
    old.batch_execute("INSERT INTO meta VALUES ('synced_through', '200'); COMMIT").unwrap();
    // Rows that were changed and deleted leave their bytes in the file.
    old.batch_execute(
        "CREATE TABLE gone (what TEXT); INSERT INTO gone SELECT kept FROM sales; DELETE FROM gone; DROP TABLE gone",
    )
    .unwrap();
}

/// What the disk holds at this moment, as a power cut leaves it.
fn cut(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap().flatten() {
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

/// Which of the secrets stand in any file of the journal.
fn found(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap().flatten() {
        let bytes = fs::read(file.path()).unwrap();
        let holds = |secret: &&&str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        found.extend(SECRETS.iter().filter(holds).map(|secret| (file.path(), *secret)));
    }
    found
}

/// All that was in it is in it.
fn check(store: &mut Store) {
    let mut entries = Vec::new();
    while let Ok(page) = store.entries_after(Sequence(entries.len() as u64))
        && !page.is_empty()
    {
        entries.extend(page);
    }
    let records: Vec<Record> = entries.iter().map(|entry| entry.record().unwrap()).collect();
    assert!(records == (1..=SALES).map(sold).collect::<Vec<_>>(), "{} entries", records.len());
    for number in 1..=SALES {
        assert_eq!(store.sale(payment(number)).unwrap().unwrap(), (kept(number), Sequence(u64::from(number))));
        let intent = store.intent(&format!("key-{number}")).unwrap().unwrap();
        assert_eq!((intent.fingerprint, intent.payment), (format!("fingerprint-of-{number}"), payment(number)));
    }
    assert_eq!(store.last_shift().unwrap().unwrap(), shift());
    assert_eq!(store.shift_press("shift-key").unwrap().unwrap(), "fingerprint-of-12");
    let books = store.books().unwrap();
    assert_eq!((books.sales_count, books.sales[0].minor()), (u64::from(SALES), i64::from(SALES) * 1250));
    assert_eq!((books.refunds_count, books.refunds[0].minor()), (4, 5000));
    let unsent = store.unsent().unwrap();
    assert_eq!((unsent.count, unsent.at_risk[0].minor()), (30, 30 * 1250));
}

#[test]
fn a_plain_journal_is_sealed_wherever_the_power_goes_and_nothing_plain_is_left() {
    let folder = tempfile::tempdir().unwrap();
    of_before(folder.path());
    assert_eq!(
        found(folder.path()).iter().map(|(_, secret)| *secret).collect::<std::collections::HashSet<_>>().len(),
        6
    );
    let settings_here = settings(folder.path());
    assert!(matches!(look(&settings_here), Err(JournalError::NotSealedYet { .. })));
    let mut cuts = vec![cut(folder.path())];
    {
        let mut store = open::connect(&settings_here).unwrap();
        store.connection.run_pending_migrations(open::MIGRATIONS).unwrap();
        cuts.push(cut(folder.path()));
        rekey::unlock(&mut store, &mut Keys::read(&settings_here.path).unwrap()).unwrap();
        cuts.push(cut(folder.path()));
        while seal_batch(&mut store).unwrap() > 0 {
            cuts.push(cut(folder.path()));
            assert!(matches!(look(&settings_here), Err(JournalError::NotSealedYet { .. })));
        }
        plain::seal_all(&mut store).unwrap();
        cuts.push(cut(folder.path()));
        assert!(!found(folder.path()).is_empty(), "what was deleted before is in the file yet");
        plain::wipe(&mut store).unwrap();
        assert_eq!(found(folder.path()), []);
        cuts.push(cut(folder.path()));
    }
    assert!(cuts.len() > 12, "{}", cuts.len());
    for (step, cut) in cuts.iter().enumerate() {
        let settings = settings(cut.path());
        let (mut store, _) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
        check(&mut store);
        assert_eq!(found(cut.path()), [], "while it is open, cut at {step}");
        drop(store);
        assert_eq!(found(cut.path()), [], "cut at {step}");
        assert_eq!(verify(&settings.path).unwrap().entries, u64::from(SALES));
        let mode = fs::metadata(cut.path().join("journal.key")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let lock = lock(&settings).unwrap();
        assert!(!lock.has_remains && !lock.is_to_follow && lock.source.ends_with("journal.key"), "{lock:?}");
    }
}

fn sealed_journal() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    of_before(folder.path());
    drop(Store::open(&settings(folder.path()), TERMINAL, Millis(1)).unwrap());
    folder
}

#[test]
fn a_change_of_keys_goes_on_wherever_the_power_goes_and_leaves_nothing_under_the_old_one() {
    let folder = sealed_journal();
    let before = settings(folder.path());
    let old = lock(&before).unwrap().key;
    let mut cuts = vec![cut(folder.path())];
    {
        let mut store = open::present(&before).unwrap();
        let mut keys = Keys::read(&before.path).unwrap();
        let in_force = rekey::key_of(&mut store).unwrap().unwrap();
        let next = keys.following(in_force).unwrap();
        cuts.push(cut(folder.path()));
        store.set_meta("key_next", &next.to_string()).unwrap();
        store.seals = keys.seals(next).unwrap();
        for place in SEALED {
            let mut after = i64::MIN;
            while let Some((last, _)) = reseal_batch(&mut store, place, after).unwrap() {
                after = last;
                cuts.push(cut(folder.path()));
            }
        }
        check(&mut store);
        rekey::finish(&mut store, &mut keys).unwrap();
        cuts.push(cut(folder.path()));
    }
    assert!(cuts.len() > 12, "{}", cuts.len());
    for (step, cut) in cuts.iter().enumerate() {
        let settings = settings(cut.path());
        if step % 2 == 0 {
            // The agent starts; it ends what was begun, and begins nothing.
            drop(Store::open(&settings, TERMINAL, Millis(1)).unwrap());
            let has_begun = (2..cuts.len()).contains(&step);
            assert_eq!(lock(&settings).unwrap().key != old, has_begun, "{step}");
        }
        if lock(&settings).unwrap().key == old {
            let rekeyed = rekey(&settings).unwrap();
            assert!(rekeyed.wiped && rekeyed.key != old, "{step}: {rekeyed:?}");
        }
        let (mut store, _) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
        check(&mut store);
        assert!(!cut.path().join("journal.key.next").exists(), "{step}");
        let id = hex::decode(&old).unwrap();
        let head = [&[1][..], &id].concat();
        for place in SEALED {
            let sql = format!(
                "SELECT count(*) AS value FROM {} WHERE substr({}, 1, 5) = x'{}'",
                place.table,
                place.column,
                hex::encode(&head)
            );
            assert_eq!(count(&mut store, &sql), 0, "{step} {place:?}");
        }
        assert!(!lock(&settings).unwrap().has_remains, "{step}");
    }
}

#[test]
fn what_is_put_aside_is_kept_under_the_next_key_and_a_journal_of_before_gets_one_as_well() {
    let folder = sealed_journal();
    let settings = settings(folder.path());
    let held = |number: u64, cashier: &str| Held {
        number: Sequence(number),
        amount: amount(),
        reference: crate::sale::Reference::parse("table-9").unwrap(),
        cashier: cashier.to_owned(),
        held_at: Millis(3),
        basket: None,
        key: format!("hold-{number}"),
    };
    {
        let (mut store, opened) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
        assert_eq!((opened.held, opened.held_last), (Vec::new(), Sequence(0)));
        let mut commit = |held| store.commit(&Commit { held, ..Commit::default() }, Millis(4)).unwrap();
        commit(vec![HeldChange::Keep(held(1, "Li")), HeldChange::Keep(held(2, "Li"))]);
        commit(vec![HeldChange::Keep(held(1, "Wu")), HeldChange::Keep(held(3, "Li")), HeldChange::Drop(Sequence(3))]);
    }
    rekey(&settings).unwrap();
    let (mut store, opened) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
    assert_eq!((opened.held, opened.held_last), (vec![held(1, "Wu"), held(2, "Li")], Sequence(3)));
    store.execute("DROP TABLE held; DELETE FROM __diesel_schema_migrations WHERE version = '20261128010000'").unwrap();
    drop(store);
    rekey(&settings).unwrap();
    check(&mut Store::open(&settings, TERMINAL, Millis(1)).unwrap().0);
}

/// An agent of a later version was here, or none with cashiers yet.
#[test]
fn what_cannot_be_read_of_cashiers_lets_nobody_in_and_keeps_no_till_shut() {
    let folder = sealed_journal();
    let settings = settings(folder.path());
    let id = CashierId::from_bytes([7; 16]);
    let (mut store, opened) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
    assert_eq!((opened.cashiers, opened.tries), (CashierList::default(), Vec::new()));
    for (place, row, text) in [
        (rows::CASHIERS_KEPT, "list".to_owned(), r#"{"version":"seven"}"#),
        (rows::TRIES_KEPT, id.to_string(), "[]"),
        (rows::TRIES_KEPT, "somebody".to_owned(), "[]"),
    ] {
        let kept = store.seals.seal_text(place, &row, text).unwrap();
        diesel::sql_query(format!("INSERT INTO {} VALUES (?, ?)", place.table))
            .bind::<sql_types::Text, _>(row)
            .bind::<sql_types::Binary, _>(kept)
            .execute(&mut store.connection)
            .unwrap();
    }
    drop(store);
    let (mut store, opened) = Store::open(&settings, TERMINAL, Millis(1)).unwrap();
    assert_eq!((opened.cashiers, opened.tries), (CashierList::shut(), vec![(id, Tries::UNREADABLE)]));
    assert!(store.cashiers_known().unwrap().is_some());
    store.execute("DROP TABLE cashiers; DROP TABLE pin_tries").unwrap();
    assert!(store.cashiers_known().unwrap().is_none(), "a journal of before has no such tables");
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = sql_types::BigInt)]
    value: i64,
}

fn count(store: &mut Store, sql: &str) -> i64 {
    diesel::sql_query(sql).get_result::<Value>(&mut store.connection).unwrap().value
}

#[test]
fn without_its_key_a_journal_stays_shut_and_as_it_is() {
    let folder = sealed_journal();
    let (settings, key) = (settings(folder.path()), folder.path().join("journal.key"));
    let held = fs::read(&key).unwrap();
    let journal = fs::read(&settings.path).unwrap();
    let write = |bytes: &[u8], mode: u32| {
        fs::write(&key, bytes).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    };
    type Spoil<'a> = &'a dyn Fn();
    let cases: [(Spoil<'_>, &str); 4] = [
        (&|| fs::remove_file(&key).unwrap(), "there is no key here. Put that key back"),
        (&|| write("ab".repeat(32).as_bytes(), 0o600), "the one that is here is another"),
        (&|| write(&held, 0o640), "mode 0640). Run `chmod 0600"),
        (&|| write(b"nonsense", 0o600), "32 bytes, or 64 hex digits"),
    ];
    for (spoil, words) in cases {
        write(&held, 0o600);
        spoil();
        let before = fs::read(&key).ok();
        let told = [
            Store::open(&settings, TERMINAL, Millis(1)).err().unwrap(),
            verify(&settings.path).err().unwrap(),
            look(&settings).err().unwrap(),
            lock(&settings).err().unwrap(),
            rekey(&settings).err().unwrap(),
        ];
        for error in told {
            assert!(matches!(&error, JournalError::Key(_)) && error.to_string().contains(words), "{error}");
        }
        assert_eq!(fs::read(&key).ok(), before, "no key is made or changed");
        assert!(fs::read(&settings.path).unwrap() == journal, "the journal is as it was: {words}");
    }
    write(&held, 0o600);
    check(&mut Store::open(&settings, TERMINAL, Millis(1)).unwrap().0);
}

#[test]
fn a_value_that_was_moved_or_altered_is_named() {
    for (sql, words) in [
        ("UPDATE sales SET kept = (SELECT kept FROM sales WHERE counter = 1) WHERE counter = 2", "kept of sales pay_"),
        ("UPDATE sales SET amount = (SELECT amount FROM sales WHERE counter = 1) WHERE counter = 2", "amount of sales"),
        ("UPDATE refunds SET amount = zeroblob(60)", "format 0"),
    ] {
        let folder = sealed_journal();
        let mut store = Store::open(&settings(folder.path()), TERMINAL, Millis(1)).unwrap().0;
        store.execute(sql).unwrap();
        match store.replay() {
            Ok(told) => assert!(told.differences.iter().any(|told| told.contains(words)), "{sql}: {told:?}"),
            Err(error) => assert!(error.to_string().contains(words), "{sql}: {error}"),
        }
    }
    let folder = sealed_journal();
    let settings = settings(folder.path());
    let mut store = Store::open(&settings, TERMINAL, Millis(1)).unwrap().0;
    store
        .execute("UPDATE entries SET body = (SELECT body FROM entries WHERE sequence = 7) WHERE sequence = 8")
        .unwrap();
    let error = verify(&settings.path).unwrap_err().to_string();
    assert!(error.contains("body of entries 8") && error.contains("call the service"), "{error}");
}

/// A column that a later table brings is sealed, or stands here because of what [`rows`] says.
#[test]
fn every_column_is_sealed_or_may_be_read() {
    const MAY_BE_READ: &str = "entries.sequence entries.at sales.payment sales.counter sales.entry sales.state sales.open \
                               sales.captured elsewhere.payment elsewhere.entry elsewhere.open refunds.refund refunds.payment refunds.state intents.key intents.payment \
                               intents.refund intents.at shifts.batch shifts.entry shifts.open shift_presses.key \
                               shift_presses.at held.number splits.number splits.open cashiers.name pin_tries.cashier pushes_seen.id meta.name \
                               meta.value goods.id goods.name goods.price_minor goods.currency goods.tax_rate goods.by_weight \
                               goods_barcodes.barcode goods_barcodes.goods tax_rates.id tax_rates.name \
                               tax_rates.basis_points tax_rates.included offline_list.name offline_spends.code \
                               offline_spends.entry offline_spends.until stored_cards.entry stored_cards.until \
                               signatures.entry signers.certificate signers.tenant signers.der received.payment \
                               received.until";
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = sql_types::Text)]
        name: String,
    }
    let folder = sealed_journal();
    let mut store = Store::open(&settings(folder.path()), TERMINAL, Millis(1)).unwrap().0;
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT t.name || '.' || c.name AS name FROM sqlite_master t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    )
    .load(&mut store.connection)
    .unwrap();
    let mut found: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    let sealed = SEALED.map(|place| format!("{}.{}", place.table, place.column));
    let mut known: Vec<String> = MAY_BE_READ.split_whitespace().map(str::to_owned).chain(sealed).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}
