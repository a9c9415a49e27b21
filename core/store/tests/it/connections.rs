//! Transactions, and what they survive.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use diesel::{RunQueryDsl as _, connection::SimpleConnection as _, sql_query};
use saoma_store::{Dialect, Store, StoreError, meta, tenants};

use crate::{
    base::{Base, on_both},
    house::{House, PLATFORM, tenant},
};

#[test]
fn an_error_undoes_the_whole_transaction() {
    on_both(|base| {
        let refused = base.try_write(|tx| {
            meta::set(tx, &PLATFORM, "answer", "42")?;
            Err::<(), _>(StoreError::NotFound { what: "a reason" })
        });
        assert_eq!(refused, Err(StoreError::NotFound { what: "a reason" }));
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")), None);
    });
}

#[test]
fn an_error_of_the_database_cannot_be_swallowed() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let refused = base.try_write(|tx| {
            meta::set(tx, &PLATFORM, "answer", "42")?;
            // There is no such order, which only the database notices.
            let _ = saoma_store::payments::insert_new(
                tx,
                &tea.scope,
                &tea.payment(9, crate::house::cny(1), crate::house::captured(0, 0)),
            );
            Ok(())
        });
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")), None);
    });
}

#[test]
fn a_refusal_of_ours_leaves_the_transaction_in_use() {
    on_both(|base| {
        base.write(|tx| {
            tenants::create(tx, &PLATFORM, &tenant(b'T'))?;
            let again = tenants::create(tx, &PLATFORM, &tenant(b'T'));
            assert_eq!(again, Err(StoreError::Conflict { what: "the tenant's id" }));
            meta::set(tx, &PLATFORM, "answer", "42")
        });
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")).as_deref(), Some("42"));
    });
}

#[test]
fn a_read_cannot_write() {
    on_both(|base| {
        let refused = base.try_read(|tx| meta::set(tx, &PLATFORM, "answer", "42"));
        assert!(matches!(refused, Err(StoreError::Internal { .. })), "{refused:?}");
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")), None);
    });
}

#[test]
fn a_read_sees_one_moment() {
    on_both(|base| {
        base.write(|tx| meta::set(tx, &PLATFORM, "answer", "41"));
        let seen = base.read(|tx| {
            let first = meta::get(tx, &PLATFORM, "answer")?;
            base.write(|tx| meta::set(tx, &PLATFORM, "answer", "42"));
            Ok((first, meta::get(tx, &PLATFORM, "answer")?))
        });
        assert_eq!(seen, (Some("41".to_owned()), Some("41".to_owned())));
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")).as_deref(), Some("42"));
    });
}

#[test]
fn a_panic_in_a_transaction_keeps_nothing_and_costs_no_connection() {
    on_both(|base| {
        let store = base.store.clone();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        for _ in 0..8 {
            let ended: Result<(), StoreError> = runtime.block_on(store.write(|tx| {
                meta::set(tx, &PLATFORM, "answer", "42")?;
                panic!("on purpose");
            }));
            assert!(matches!(ended, Err(StoreError::Internal { .. })), "{ended:?}");
        }
        runtime.block_on(store.ping()).expect("an answer");
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "answer")), None);
        base.write(|tx| meta::set(tx, &PLATFORM, "answer", "43"));
    });
}

#[test]
fn a_writer_waits_for_its_lock() {
    on_both(|base| {
        base.write(|tx| meta::set(tx, &PLATFORM, "answer", "0"));
        let (start, holds) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut conn = base.raw();
                start.wait();
                conn.batch_execute("BEGIN; UPDATE meta SET value = '1' WHERE name = 'answer'").expect("the lock");
                holds.wait();
                std::thread::sleep(Duration::from_millis(200));
                conn.batch_execute("COMMIT").expect("a commit");
            });
            start.wait();
            holds.wait();
            base.write(|tx| {
                let value: u32 = meta::get(tx, &PLATFORM, "answer")?.and_then(|text| text.parse().ok()).unwrap_or(99);
                meta::set(tx, &PLATFORM, "answer", &format!("{value}!"))
            });
        });
        let left = base.read(|tx| meta::get(tx, &PLATFORM, "answer"));
        // PostgreSQL reads what was committed when the statement began; SQLite's write begins with the lock.
        let expected = if base.store.dialect() == Dialect::Sqlite { "1!" } else { "0!" };
        assert_eq!(left.as_deref(), Some(expected));
    });
}

#[test]
fn a_deadlock_is_tried_again() {
    let base = Base::new(Dialect::Postgres);
    base.write(|tx| {
        meta::set(tx, &PLATFORM, "a", "")?;
        meta::set(tx, &PLATFORM, "b", "")
    });
    let both_hold = Arc::new(Barrier::new(2));
    let runs = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for (first, second, who) in [("a", "b", "1"), ("b", "a", "2")] {
            let (base, both_hold, runs) = (&base, Arc::clone(&both_hold), &runs);
            scope.spawn(move || {
                let mut run = 0;
                base.write(|tx| {
                    run += 1;
                    runs.fetch_add(1, Ordering::Relaxed);
                    meta::set(tx, &PLATFORM, first, who)?;
                    if run == 1 {
                        both_hold.wait();
                    }
                    meta::set(tx, &PLATFORM, second, who)
                });
            });
        }
    });
    // One of them again; more often if it is back before the other one has noticed that the row is free.
    let runs = runs.load(Ordering::Relaxed);
    assert!((3..=6).contains(&runs), "{runs} runs of two transactions");
    assert_eq!(base.count("SELECT COUNT(DISTINCT value) AS n FROM meta"), 1, "each wrote both or none");
}

#[test]
fn a_server_that_ended_every_connection_is_not_noticed() {
    let base = Base::new(Dialect::Postgres);
    let store = Store::open(&base.url, 12).expect("a store with more connections than runs");
    let all_at_once = Barrier::new(12);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                store
                    .read_blocking(|tx| {
                        all_at_once.wait();
                        meta::get(tx, &PLATFORM, "answer")
                    })
                    .expect("a read")
            });
        }
    });
    let ended = base.count(
        "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert!(ended >= 12, "{ended} connections were open");
    store.write_blocking(|tx| meta::set(tx, &PLATFORM, "answer", "42")).expect("a write on a new connection");
    assert_eq!(store.read_blocking(|tx| meta::get(tx, &PLATFORM, "answer")), Ok(Some("42".to_owned())));
}

#[test]
fn a_connection_that_ends_within_a_transaction_keeps_nothing() {
    let base = Base::new(Dialect::Postgres);
    let mut runs = 0;
    let done: Result<(), StoreError> = base.store.write_blocking(|tx| {
        runs += 1;
        meta::set(tx, &PLATFORM, &format!("run {runs}"), "")?;
        if runs == 1 {
            let ended = base.count(
                "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            assert!(ended >= 1);
        }
        meta::set(tx, &PLATFORM, "answer", "42")
    });
    assert_eq!((done, runs), (Ok(()), 2));
    assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "run 1")), None);
    assert!(base.read(|tx| meta::get(tx, &PLATFORM, "run 2")).is_some());
}

#[test]
fn many_callers_share_few_connections() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let scope = tea.scope;
        runtime.block_on(async {
            let callers: Vec<_> = (0..64)
                .map(|number| {
                    let store = base.store.clone();
                    tokio::spawn(async move {
                        if number % 2 == 0 {
                            store.read(move |tx| tenants::load(tx, &scope)).await.map(drop)
                        } else {
                            store.write(move |tx| meta::set(tx, &PLATFORM, &format!("caller {number}"), "")).await
                        }
                    })
                })
                .collect();
            for caller in callers {
                assert_eq!(caller.await.expect("a caller"), Ok(()));
            }
        });
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM meta"), 32);
    });
}

#[test]
fn what_cannot_be_reached_is_unavailable() {
    let urls = ["sqlite:///nowhere/at/all/core.db", "postgres://nobody@/none?host=/nowhere/at/all"];
    for url in urls {
        let refused = Store::open(url, 2).err();
        assert!(matches!(refused, Some(StoreError::Unavailable { .. })), "{url}: {refused:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_untouched() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("letter.txt");
    let letter = "Dear Mei, this is no database. ".repeat(100);
    std::fs::write(&path, &letter).expect("a letter");
    let refused = Store::open(path.to_str().expect("a path"), 2).err();
    assert!(matches!(refused, Some(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("the letter"), letter);
}

#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("core.db");
    let store = Store::open(path.to_str().expect("a path"), 2).expect("a store");
    store.write_blocking(|tx| meta::set(tx, &PLATFORM, "answer", "42")).expect("a write");
    let mut files = 0;
    for file in std::fs::read_dir(dir.path()).expect("the directory") {
        let file = file.expect("a file");
        let mode = file.metadata().expect("its mode").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        files += 1;
    }
    assert!(files >= 2, "the database and its log");
}

#[test]
fn a_commit_is_there_after_the_process_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("core.db");
    let store = Store::open(path.to_str().expect("a path"), 2).expect("a store");
    store.write_blocking(|tx| meta::set(tx, &PLATFORM, "answer", "42")).expect("a write");
    // What a killed process leaves: the files as they are, connections never closed.
    let copy = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(dir.path()).expect("the directory") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("a copy");
    }
    let after = Store::open(copy.path().join("core.db").to_str().expect("a path"), 2).expect("a store");
    assert_eq!(after.read_blocking(|tx| meta::get(tx, &PLATFORM, "answer")), Ok(Some("42".to_owned())));
}

#[test]
fn a_value_that_no_version_wrote_is_corrupt() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sql_query("UPDATE tenants SET currency = 'XXX'").execute(&mut base.raw()).expect("a broken row");
        let refused = base.try_read(|tx| tenants::load(tx, &tea.scope));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    });
}
