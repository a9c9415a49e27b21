//! The books of a tenant with a million postings: what a page of a statement, a trial balance and a check take.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use saoma_domain::ledger::Account;
use saoma_protocol::Currency;
use saoma_store::{
    Dialect,
    ledger::{self, CHECKPOINT_SETS, Of},
};

use crate::{
    base::{BOTH, Base, Raw},
    house::{House, NOW, at},
};

/// Of two postings each.
const SETS: i64 = 500_000;

/// A set a second, of 1.00 to 10.00 into the drawer; written past the store, since it is not what is measured.
fn fill(base: &Base, house: &House) {
    let tenant = house.scope.tenant();
    let numbers = match base.store.dialect() {
        Dialect::Sqlite => format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {SETS})"),
        Dialect::Postgres => format!("WITH n(i) AS (SELECT generate_series(1, {SETS}))"),
    };
    let sets = format!(
        "INSERT INTO posting_sets (id, tenant_id, subject, kind, part, at, booked_at) {numbers} \
         SELECT i, '{tenant}', 'move ' || i, 'paid_in', 0, {0} + i * 1000, {0} + i * 1000 FROM n;",
        NOW.0
    );
    let line = |idx: u8, account: &str, sign: &str| {
        format!(
            "INSERT INTO postings {numbers} \
             SELECT '{tenant}', i, {idx}, '{account}', NULL, 'CNY', {sign} (100 + i % 900) FROM n;"
        )
    };
    let mut raw = base.raw();
    for statement in [sets, line(0, "cash_in_drawer", "+"), line(1, "cash_in_safe", "-"), "ANALYZE;".to_owned()] {
        match &mut raw {
            Raw::Sqlite(conn) => conn.batch_execute(&statement),
            Raw::Postgres(conn) => conn.batch_execute(&statement),
        }
        .expect("a million postings");
    }
}

/// The middle one of seven.
fn median(mut work: impl FnMut()) -> Duration {
    let mut took: Vec<Duration> = (0..7)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    took.sort();
    took[3]
}

#[test]
#[ignore = "a measurement: cargo xtask bench"]
fn a_million_postings() {
    for dialect in BOTH {
        let base = Base::new(dialect);
        let house = House::build(&base, b'T');
        fill(&base, &house);
        let (day, last) = (at(SETS * 500), at(SETS * 1_000 + 1));
        let of =
            Of { account: Account::CashInDrawer, channel_account: None, currency: Currency::CNY, from: day, to: last };
        let deep = base.read(|tx| ledger::statement(tx, &house.scope, &of, None, 1)).next;
        let figures = |when: &str| {
            let say = |what: &str, took: Duration| {
                println!("{dialect:?}, {when}: {what:<32} {:>9.2} ms", took.as_secs_f64() * 1e3);
                took
            };
            let read = |work: &dyn Fn(&mut saoma_store::Tx<'_>) -> Result<(), saoma_store::StoreError>| {
                median(|| base.read(work))
            };
            [
                say("trial balance as of now", read(&|tx| ledger::balances(tx, &house.scope, None).map(drop))),
                say("trial balance half way back", read(&|tx| ledger::balances(tx, &house.scope, Some(day)).map(drop))),
                say("balances of the second half", read(&|tx| ledger::turnover(tx, &house.scope, day, last).map(drop))),
                say(
                    "first page of 100 lines",
                    read(&|tx| ledger::statement(tx, &house.scope, &of, None, 100).map(drop)),
                ),
                say(
                    "a page from its cursor",
                    read(&|tx| ledger::statement(tx, &house.scope, &of, deep, 100).map(drop)),
                ),
            ]
        };
        figures("without checkpoints");
        let started = Instant::now();
        while base.write(|tx| ledger::checkpoint(tx, &house.scope, CHECKPOINT_SETS)) {}
        println!("{dialect:?}: all checkpoints written in {:.1} s", started.elapsed().as_secs_f64());
        let with = figures("with checkpoints");
        let started = Instant::now();
        assert_eq!(base.read(|tx| ledger::check(tx, &house.scope)), []);
        println!("{dialect:?}: the whole check {:.1} s", started.elapsed().as_secs_f64());
        assert!(with.iter().all(|took| *took < Duration::from_millis(500)), "{with:?}");
    }
}
