//! A fresh database for each test, and the test run on both kinds.

use std::{path::Path, sync::OnceLock, time::Duration};

use diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_query,
    sql_types::BigInt,
};
use saoma_store::{Dialect, Store, StoreError, Tx};
use tempfile::TempDir;

use crate::postgres;

pub const BOTH: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

/// A database with a store on it.
pub struct Base {
    pub store: Store,
    pub url: String,
    _dir: TempDir,
}

/// A connection beside the store, for what the store has no way to do.
#[derive(diesel::MultiConnection)]
pub enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs a story on SQLite, then on PostgreSQL. A failed test's output says on which it was.
pub fn on_both(story: impl Fn(&Base)) {
    for dialect in BOTH {
        eprintln!("on {dialect:?}:");
        story(&Base::new(dialect));
    }
}

impl Base {
    pub fn new(dialect: Dialect) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let url = match dialect {
            Dialect::Sqlite => {
                let path = dir.path().join("core.db");
                std::fs::write(&path, sqlite_template()).expect("a copy of the migrated database");
                sqlite_url(&path)
            }
            Dialect::Postgres => postgres::migrated(),
        };
        let store = Store::open(&url, 6).expect("the store");
        assert_eq!(store.dialect(), dialect);
        Self { store, url, _dir: dir }
    }

    /// One writing transaction that must succeed.
    pub fn write<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> T {
        self.try_write(work).expect("a write")
    }

    pub fn try_write<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.store.write_blocking(work)
    }

    /// One reading transaction that must succeed.
    pub fn read<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> T {
        self.try_read(work).expect("a read")
    }

    pub fn try_read<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.store.read_blocking(work)
    }

    /// Writes with `first`, and begins `second` (on a thread of its own) before that is committed.
    pub fn overlap<A, B: Send>(
        &self,
        mut first: impl FnMut(&mut Tx<'_>) -> Result<A, StoreError>,
        second: impl Fn() -> B + Sync,
    ) -> (Result<A, StoreError>, B) {
        std::thread::scope(|scope| {
            let mut started = None;
            let done = self.try_write(|tx| {
                let done = first(tx)?;
                started.get_or_insert_with(|| scope.spawn(&second));
                // Long enough for the second to come to where it must wait for the first.
                std::thread::sleep(Duration::from_millis(150));
                Ok(done)
            });
            (done, started.expect("the second began").join().expect("the second ended"))
        })
    }

    pub fn raw(&self) -> Raw {
        raw(&self.url)
    }

    /// The steps by which SQLite would carry out a statement, those of its foreign keys too.
    pub fn plan(&self, statement: &str) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Step {
            #[diesel(sql_type = diesel::sql_types::Text)]
            detail: String,
        }
        let mut raw = self.raw();
        raw.batch_execute("PRAGMA foreign_keys = ON").expect("keys");
        let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut raw).expect("a plan");
        steps.into_iter().map(|step| step.detail).collect()
    }

    /// What a query of one column `n` counts.
    pub fn count(&self, query: &str) -> i64 {
        count(&mut self.raw(), query)
    }
}

pub fn raw(url: &str) -> Raw {
    if url.starts_with("postgres") {
        return Raw::Postgres(
            PgConnection::establish(&postgres::as_superuser(url)).expect("a connection of the test's own"),
        );
    }
    let mut conn =
        SqliteConnection::establish(url.trim_start_matches("sqlite://")).expect("a connection of the test's own");
    conn.batch_execute("PRAGMA busy_timeout = 5000").expect("a time to wait for locks");
    Raw::Sqlite(conn)
}

pub fn count(raw: &mut Raw, query: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    sql_query(query).get_result::<Row>(raw).expect("a count").n
}

pub fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

/// The bytes of a migrated database file.
fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory for the template");
        let path = dir.path().join("core.db");
        // Its connections end here, and with them the log beside the file.
        drop(Store::open(&sqlite_url(&path), 2).expect("migrations on an empty SQLite database"));
        std::fs::read(&path).expect("the migrated database")
    })
}
