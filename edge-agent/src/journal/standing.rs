//! How a journal stands, told without its key and whatever program wrote it: for those who decide which program may open it.

use std::path::Path;

use diesel::{
    connection::SimpleConnection as _,
    migration::{Migration, MigrationSource as _},
    prelude::*,
    sql_types,
    sqlite::Sqlite,
};

use super::{JournalError, open::MIGRATIONS};

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    value: Option<String>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = sql_types::BigInt)]
    value: i64,
}

/// The migrations that this program knows, oldest first.
fn known() -> Vec<String> {
    // They are in the program, and were read when it was built.
    let migrations: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().unwrap_or_default();
    let mut known: Vec<String> = migrations.iter().map(|one| one.name().version().to_string()).collect();
    known.sort();
    known
}

/// The journal that this program makes: its newest migration.
#[must_use]
pub fn version() -> String {
    known().pop().unwrap_or_default()
}

/// The newest migration of the journal in `path`; empty if it has none.
///
/// # Errors
/// `Open`, `Database`.
pub fn version_of(path: &Path) -> Result<String, JournalError> {
    Ok(applied(&mut connect(path)?)?.pop().unwrap_or_default())
}

/// No program opens a journal that has what it does not know: it would leave that behind, or under a key that is gone.
///
/// # Errors
/// `Newer`, `Database`.
pub(super) fn check_known(connection: &mut SqliteConnection, path: &Path) -> Result<(), JournalError> {
    let known = known();
    match applied(connection)?.into_iter().find(|version| !known.contains(version)) {
        Some(version) => Err(JournalError::Newer { path: path.to_owned(), version }),
        None => Ok(()),
    }
}

fn applied(connection: &mut SqliteConnection) -> Result<Vec<String>, JournalError> {
    const TABLE: &str = "__diesel_schema_migrations";
    let tables = format!("SELECT count(*) AS value FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'");
    if number(connection, &tables)? == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Text> =
        diesel::sql_query(format!("SELECT version AS value FROM {TABLE} ORDER BY version")).load(connection)?;
    Ok(rows.into_iter().filter_map(|row| row.value).collect())
}

/// Whether nothing is to be found out about any sale (but what core or a person sees to), no total is paid in part, and core has every
/// entry.
///
/// # Errors
/// `Open`, `Database` (also if its tables are others: a much older or a newer program's).
pub fn rests(path: &Path) -> Result<bool, JournalError> {
    let mut connection = connect(path)?;
    let unsettled = "SELECT (SELECT count(*) FROM sales WHERE open = 1) + (SELECT count(*) FROM entries WHERE sequence > \
                     coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'synced_through'), 0)) AS value";
    // A journal of before has no such tables.
    let mut open = number(&mut connection, unsettled)?;
    for table in ["splits", "elsewhere"] {
        let has = format!("SELECT count(*) AS value FROM sqlite_master WHERE type = 'table' AND name = '{table}'");
        if number(&mut connection, &has)? > 0 {
            open += number(&mut connection, &format!("SELECT count(*) AS value FROM {table} WHERE open = 1"))?;
        }
    }
    Ok(open == 0)
}

/// What tells a journal from a copy that lacks something: the last of each kind, how much there is of what changes, and the key.
const LAST_WRITTEN: [&str; 11] = [
    "max(sequence) FROM entries",
    "max(counter) FROM sales",
    "count(*) || ' ' || coalesce(sum(open), 0) FROM sales WHERE open <> 0",
    "count(*) FROM refunds",
    "count(*) FROM intents",
    "max(id) FROM pushes_seen",
    "count(*) FROM shifts",
    "count(*) FROM shift_presses",
    "count(*) FROM held",
    "value FROM meta WHERE name = 'synced_through'",
    "value FROM meta WHERE name = 'key'",
];

/// What was written last in a journal: one of which this is the same has nothing that the other lacks.
///
/// # Errors
/// `Open`, `Database`.
pub fn last_written(path: &Path) -> Result<Vec<Option<String>>, JournalError> {
    let mut connection = connect(path)?;
    let ask = |what: &&str| {
        let row: Text =
            diesel::sql_query(format!("SELECT CAST((SELECT {what}) AS TEXT) AS value")).get_result(&mut connection)?;
        Ok(row.value)
    };
    LAST_WRITTEN.iter().map(ask).collect()
}

/// A copy of the journal in `from`, with all that was committed, as one file that is not there yet.
///
/// # Errors
/// `Open`, `Database`, `Full`.
pub fn copy(from: &Path, to: &Path) -> Result<(), JournalError> {
    let mut connection = connect(from)?;
    let to = to.to_str().ok_or_else(|| unopened(to, "its path is not UTF-8".to_owned()))?;
    diesel::sql_query("VACUUM INTO ?").bind::<sql_types::Text, _>(to).execute(&mut connection)?;
    Ok(())
}

fn connect(path: &Path) -> Result<SqliteConnection, JournalError> {
    if !path.exists() {
        return Err(unopened(path, "there is no such file".to_owned()));
    }
    let shown = path.to_str().ok_or_else(|| unopened(path, "its path is not UTF-8".to_owned()))?;
    let mut connection = SqliteConnection::establish(shown).map_err(|error| unopened(path, error.to_string()))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;")?;
    Ok(connection)
}

fn unopened(path: &Path, why: String) -> JournalError {
    JournalError::Open { path: path.to_owned(), why }
}

fn number(connection: &mut SqliteConnection, sql: &str) -> Result<i64, JournalError> {
    Ok(diesel::sql_query(sql).get_result::<Number>(connection)?.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::{Settings, Store},
        sale::LeftToDo,
    };
    use saoma_protocol::{Millis, TerminalId};

    #[test]
    fn a_journal_rests_once_no_split_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let settings = Settings { path: path.clone(), free_bytes_min: 0, pages_max: 0 };
        drop(Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap());
        let change = |sql: &str| connect(&path).unwrap().batch_execute(sql).unwrap();
        // What the start itself noted counts as sent.
        change(
            "INSERT INTO meta (name, value) SELECT 'synced_through', coalesce(max(sequence), 0) FROM entries WHERE true \
             ON CONFLICT DO UPDATE SET value = excluded.value",
        );
        assert!(rests(&path).unwrap());
        change("INSERT INTO splits (number, open, kept) VALUES (1, 1, x'00')");
        assert!(!rests(&path).unwrap(), "a total is paid in part");
        change("UPDATE splits SET open = 0");
        assert!(rests(&path).unwrap());
        change("INSERT INTO elsewhere (payment, entry, open, kept) VALUES ('pay', 1, 1, x'00')");
        assert!(!rests(&path).unwrap(), "what goes back on another till's sale is at risk");
        change("UPDATE elsewhere SET open = 0");
        assert!(rests(&path).unwrap());
        let sale = |open: LeftToDo| {
            change(&format!(
                "INSERT OR REPLACE INTO sales (payment, counter, entry, state, open, captured, amount, kept) \
                 VALUES ('pay', 1, 1, 'pending', {}, 0, x'00', x'00')",
                open as i64
            ));
        };
        sale(LeftToDo::Elsewhere);
        assert!(rests(&path).unwrap(), "core forwards it");
        sale(LeftToDo::Here);
        assert!(!rests(&path).unwrap());
        sale(LeftToDo::Nothing);
        assert!(rests(&path).unwrap());
        change("DROP TABLE splits");
        change("DROP TABLE elsewhere");
        assert!(rests(&path).unwrap(), "a journal of before");
    }
}
