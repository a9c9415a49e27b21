//! Where the two databases part. `diesel::MultiConnection` has no words for these, so each is written for both, here and
//! nowhere else: insert unless it is there, insert or change, insert many, claim rows, and taking turns.

use diesel::{RunQueryDsl as _, sql_query, sql_types::Text};

use crate::{Dialect, StoreError, TenantScope, Tx, conn::AnyConnection, reach::Reach};

/// Inserts one row unless a unique key of it is taken. The answer is the number of rows inserted, 0 or 1; other
/// constraints still fail (which SQLite's `INSERT OR IGNORE` would swallow).
macro_rules! insert_or_ignore {
    ($tx:expr, $reach:expr, $table:expr, $values:expr) => {
        $tx.run($reach, |conn| match conn {
            $crate::conn::AnyConnection::Sqlite(conn) => {
                diesel::insert_into($table).values($values).on_conflict_do_nothing().execute(conn)
            }
            $crate::conn::AnyConnection::Postgres(conn) => {
                diesel::insert_into($table).values($values).on_conflict_do_nothing().execute(conn)
            }
        })
    };
}

/// Inserts one row, or changes the columns of the one that has its key.
macro_rules! upsert {
    ($tx:expr, $reach:expr, $table:expr, $values:expr, $key:expr, $changes:expr) => {
        $tx.run($reach, |conn| match conn {
            $crate::conn::AnyConnection::Sqlite(conn) => {
                diesel::insert_into($table).values($values).on_conflict($key).do_update().set($changes).execute(conn)
            }
            $crate::conn::AnyConnection::Postgres(conn) => {
                diesel::insert_into($table).values($values).on_conflict($key).do_update().set($changes).execute(conn)
            }
        })
    };
}

/// Loads rows that nobody else is about to claim. On PostgreSQL other transactions skip them until this one ends; on
/// SQLite there is no other writing transaction.
macro_rules! claim {
    ($tx:expr, $reach:expr, $query:expr) => {
        $tx.run($reach, |conn| match conn {
            $crate::conn::AnyConnection::Sqlite(conn) => $query.load(conn),
            $crate::conn::AnyConnection::Postgres(conn) => $query.for_update().skip_locked().load(conn),
        })
    };
}

/// Inserts many rows: on PostgreSQL in one statement, which takes 65,535 values; on SQLite one by one, since diesel would
/// begin a transaction of its own around them.
macro_rules! insert_all {
    ($tx:expr, $reach:expr, $table:expr, $rows:expr) => {
        $tx.run($reach, |conn| match conn {
            $crate::conn::AnyConnection::Sqlite(conn) => $rows.iter().try_fold(0, |count, row| {
                diesel::insert_into($table).values(row).execute(conn).map(|inserted| count + inserted)
            }),
            $crate::conn::AnyConnection::Postgres(conn) => diesel::insert_into($table).values($rows).execute(conn),
        })
    };
}

pub(crate) use {claim, insert_all, insert_or_ignore, upsert};

/// Makes the tenant's transactions that call this go one after the other, from here to their commit.
///
/// Sequences are drawn before the commit: without turns, a transaction with a lower number could commit after one with a
/// higher number, and a reader that goes by numbers would miss it. On SQLite all writers take turns anyway.
pub fn take_turn(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), StoreError> {
    if tx.turn_of == Some(scope.tenant()) {
        return Ok(());
    }
    take_turn_named(tx, scope, &scope.tenant().to_string())?;
    tx.turn_of = Some(scope.tenant());
    Ok(())
}

/// The same for something that is no tenant.
pub fn take_turn_named(tx: &mut Tx<'_>, reach: impl Into<Reach>, name: &str) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    tx.run(reach, |conn: &mut AnyConnection| {
        sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind::<Text, _>(name).execute(conn)
    })
    .map(drop)
}
