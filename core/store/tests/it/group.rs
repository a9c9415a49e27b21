//! Several write to SQLite at once: they share a commit, and nothing else.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use saoma_store::{Dialect, Store, StoreError, meta};
use tokio::{runtime::Runtime, task::JoinHandle};

use crate::{
    base::{Base, on_both},
    house::PLATFORM,
};

/// A write that has begun and goes on when it is told to.
struct Held {
    begun: Receiver<()>,
    go_on: Sender<()>,
    done: JoinHandle<Result<(), StoreError>>,
}

fn holding(store: &Store, runtime: &Runtime, name: &'static str) -> Held {
    let ((begins, begun), (go_on, goes_on)) = (channel(), channel());
    let store = store.clone();
    let done = runtime.spawn(async move {
        store
            .write(move |tx| {
                meta::set(tx, &PLATFORM, name, "1")?;
                let _ = begins.send(());
                let _ = goes_on.recv_timeout(Duration::from_secs(10));
                Ok(())
            })
            .await
    });
    Held { begun, go_on, done }
}

fn sqlite(run: impl Fn(&Base, &Runtime)) {
    on_both(|base| {
        if base.store.dialect() == Dialect::Sqlite {
            run(base, &Runtime::new().expect("a runtime"));
        }
    });
}

#[test]
fn nobody_hears_of_a_write_before_the_commit_that_it_shares() {
    sqlite(|base, runtime| {
        // While the first writes, a quick one and a slow one come to wait.
        let first = holding(&base.store, runtime, "first");
        first.begun.recv().expect("it begins");
        let store = base.store.clone();
        let quick = runtime.spawn(async move { store.write(|tx| meta::set(tx, &PLATFORM, "quick", "1")).await });
        while base.store.load()[1].1.waiting == 0 {
            std::thread::yield_now();
        }
        let slow = holding(&base.store, runtime, "slow");
        while base.store.load()[1].1.waiting < 2 {
            std::thread::yield_now();
        }
        // They are counted before they stand in the queue.
        std::thread::sleep(Duration::from_millis(20));
        first.go_on.send(()).expect("it waits");
        slow.begun.recv().expect("it begins");
        // The quick one has run by now, and is neither told of nor seen.
        assert!(!quick.is_finished());
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "quick")), None);
        slow.go_on.send(()).expect("it waits");
        for done in [first.done, quick, slow.done] {
            runtime.block_on(done).expect("it ends").expect("it is written");
        }
        for name in ["first", "quick", "slow"] {
            assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, name)).as_deref(), Some("1"), "{name}");
        }
    });
}

#[test]
fn each_of_many_that_write_at_once_has_the_outcome_of_its_own() {
    on_both(|base| {
        let runtime = Runtime::new().expect("a runtime");
        base.write(|tx| meta::set(tx, &PLATFORM, "sum", "0"));
        let writes: Vec<_> = (0..120)
            .map(|number: u32| {
                let store = base.store.clone();
                let write = move |tx: &mut saoma_store::Tx<'_>| {
                    // On PostgreSQL as well they come one after another: the row is theirs from here on.
                    meta::set(tx, &PLATFORM, "turn", "taken")?;
                    let sum: u32 =
                        meta::get(tx, &PLATFORM, "sum")?.and_then(|sum| sum.parse().ok()).unwrap_or_default();
                    meta::set(tx, &PLATFORM, "sum", &(sum + 1).to_string())?;
                    match number % 6 {
                        0 => Err(StoreError::NotFound { what: "a reason" }),
                        1 if number % 36 == 1 => panic!("on purpose"),
                        _ => Ok(sum),
                    }
                };
                runtime.spawn(async move { store.write(write).await })
            })
            .collect();
        let mut sums = Vec::new();
        for (number, write) in (0..).zip(writes) {
            match (number % 6, runtime.block_on(write).expect("it ends")) {
                (0, refused) => assert_eq!(refused, Err(StoreError::NotFound { what: "a reason" })),
                (1, panicked) if number % 36 == 1 => {
                    assert!(matches!(panicked, Err(StoreError::Internal { .. })), "{panicked:?}");
                }
                (_, done) => sums.push(done.expect("it is written")),
            }
        }
        // Each saw what the ones before it had written, and nothing of those that were undone.
        sums.sort_unstable();
        assert_eq!(sums, (0..96).collect::<Vec<u32>>());
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "sum")).as_deref(), Some("96"));
    });
}

#[test]
fn who_gives_up_before_their_turn_writes_nothing() {
    sqlite(|base, runtime| {
        let first = holding(&base.store, runtime, "first");
        first.begun.recv().expect("it begins");
        let store = base.store.clone();
        let given_up = runtime.spawn(async move { store.write(|tx| meta::set(tx, &PLATFORM, "given up", "1")).await });
        while base.store.load()[1].1.waiting == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(20));
        given_up.abort();
        assert!(runtime.block_on(given_up).expect_err("nobody waits for it").is_cancelled());
        first.go_on.send(()).expect("it waits");
        runtime.block_on(first.done).expect("it ends").expect("it is written");
        base.write(|tx| meta::set(tx, &PLATFORM, "after", "1"));
        assert_eq!(base.read(|tx| meta::get(tx, &PLATFORM, "given up")), None);
        // Whoever wrote is answered before they are counted out.
        let deadline = Instant::now() + Duration::from_secs(5);
        while base.store.load()[1].1.waiting > 0 {
            assert!(Instant::now() < deadline, "somebody waits for ever");
            std::thread::yield_now();
        }
    });
}

#[test]
fn what_was_asked_before_the_last_store_went_is_written_or_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("core.db");
    let runtime = Runtime::new().expect("a runtime");
    let store = Store::open(&path.to_string_lossy(), 2).expect("a database");
    let first = holding(&store, &runtime, "first");
    first.begun.recv().expect("it begins");
    let second = {
        let store = store.clone();
        runtime.spawn(async move { store.write(|tx| meta::set(tx, &PLATFORM, "second", "1")).await })
    };
    drop(store);
    first.go_on.send(()).expect("it waits");
    runtime.block_on(first.done).expect("it ends").expect("it is written");
    let told = runtime.block_on(second).expect("it ends");
    let store = Store::open(&path.to_string_lossy(), 2).expect("the database");
    let kept = store.read_blocking(|tx| meta::get(tx, &PLATFORM, "second")).expect("an answer");
    assert_eq!(told.is_ok(), kept.is_some(), "{told:?}");
}
