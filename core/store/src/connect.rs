//! A new connection, and the schema that it finds: which settings it needs, and the migrations that are missing.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use diesel::{
    Connection as _, RunQueryDsl as _, connection::SimpleConnection as _, pg::PgConnection, result::Error,
    sqlite::SqliteConnection,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    StoreError,
    conn::{Access, AnyConnection, Dialect},
    diagnosis::{classify, unavailable},
};

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

pub(crate) fn is_server(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Makes the file, for its owner alone, before SQLite does: the log files beside it inherit its mode.
pub(crate) fn private_file(path: &Path) -> Result<(), StoreError> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => unavailable(&format!("{}: {error}", path.display())),
    };
    // A file that is there is never opened here: closing it again would take away the locks that SQLite holds on it for
    // another store of this process.
    match fs::OpenOptions::new().create_new(true).append(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(error)),
    }
    if !fs::metadata(path).map_err(refused)?.is_file() {
        return Err(unavailable(&format!("{} is no file", path.display())));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)
}

/// How often, and how long apart, the change to WAL is tried.
const WAL_TRIES_MAX: u32 = 250;
const WAL_PAUSE: Duration = Duration::from_millis(20);

/// Changes the database to WAL. Of several that do it to a new file at once SQLite turns some away without waiting for
/// busy_timeout (they would wait for each other), so we wait here.
fn into_wal(conn: &mut SqliteConnection) -> diesel::QueryResult<()> {
    let mut tries = 1;
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL;") {
            Err(error) if tries < WAL_TRIES_MAX && matches!(classify(&error).error, StoreError::Unavailable { .. }) => {
                tries += 1;
                std::thread::sleep(WAL_PAUSE);
            }
            done => return done,
        }
    }
}

pub(crate) fn connect_sqlite(path: &str, access: Access) -> Result<AnyConnection, StoreError> {
    let mut conn = SqliteConnection::establish(path).map_err(|error| unavailable(&error.to_string()))?;
    // busy_timeout first, since changing to WAL needs a lock of its own. synchronous=FULL: a commit is on the disk.
    // wal_autocheckpoint in pages of 4 KiB; journal_size_limit keeps the log from staying as large as it once was.
    conn.batch_execute("PRAGMA busy_timeout = 5000;")
        .and_then(|()| into_wal(&mut conn))
        .and_then(|()| conn.batch_execute("PRAGMA synchronous = FULL;"))
        .and_then(|()| conn.batch_execute("PRAGMA foreign_keys = ON;"))
        .and_then(|()| conn.batch_execute("PRAGMA trusted_schema = OFF;"))
        .and_then(|()| conn.batch_execute("PRAGMA journal_size_limit = 67108864;"))
        .and_then(|()| match access {
            Access::Read => conn.batch_execute("PRAGMA query_only = ON;"),
            Access::Write => Ok(()),
        })
        .map_err(|error| classify(&error).error)?;
    Ok(AnyConnection::Sqlite(conn))
}

pub(crate) fn connect_postgres(url: &str) -> Result<AnyConnection, StoreError> {
    let mut conn = PgConnection::establish(url).map_err(|error| unavailable(&error.to_string()))?;
    // A lock that is not free after 5 s will not be soon; a transaction without a query for a minute has lost its process.
    conn.batch_execute(
        "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning",
    )
    .map_err(|error| classify(&error).error)?;
    Ok(AnyConnection::Postgres(conn))
}

/// Brings the schema to this version. Two nodes that start at once take turns.
pub(crate) fn migrate(conn: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast::<Error>() {
        Ok(error) => classify(&error).error,
        Err(error) => StoreError::Internal { why: format!("a migration failed: {error}") },
    };
    match conn {
        AnyConnection::Sqlite(conn) => {
            // The write lock before the look at what is missing; each migration is a savepoint in it.
            let mut refused = None;
            let done = conn.immediate_transaction(|conn| {
                newer(conn, &SQLITE_MIGRATIONS)
                    .and_then(|()| conn.run_pending_migrations(SQLITE_MIGRATIONS).map(drop).map_err(failed))
                    .map_err(|error| {
                        refused = Some(error);
                        Error::RollbackTransaction
                    })
            });
            done.map_err(|error| refused.unwrap_or_else(|| classify(&error).error))
        }
        AnyConnection::Postgres(conn) => {
            debug_assert_eq!(dialect, Dialect::Postgres);
            let tell =
                |conn: &mut PgConnection, what: &str| conn.batch_execute(what).map_err(|error| classify(&error).error);
            // A number of our own ("saoma"), for as long as the connection has it. Migrations see everybody's rows.
            tell(conn, "SELECT pg_advisory_lock(495791107425); SET saoma.tenant = '*'")?;
            let result = newer(conn, &POSTGRES_MIGRATIONS)
                .and_then(|()| conn.run_pending_migrations(POSTGRES_MIGRATIONS).map(drop).map_err(failed));
            tell(conn, "RESET saoma.tenant; SELECT pg_advisory_unlock(495791107425)")?;
            result
        }
    }
}

/// Says so if the second wall ([`crate::reach`]) would not hold this connection.
pub(crate) fn warn_of_a_role_above_policies(conn: &mut AnyConnection) -> Result<(), StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Role {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        above: bool,
    }
    let role: Role =
        diesel::sql_query("SELECT rolsuper OR rolbypassrls AS above FROM pg_roles WHERE rolname = current_user")
            .get_result(conn)
            .map_err(|error| classify(&error).error)?;
    if role.above {
        tracing::warn!(
            "row-level security does not hold this database role, a superuser or one with BYPASSRLS: use an ordinary \
             role that owns the database"
        );
    }
    Ok(())
}

/// Refuses a server whose errors we would not understand: which of them go away by themselves is known by their words alone.
///
/// # Errors
/// `Unavailable`, with what to do.
pub(crate) fn refuse_another_language(conn: &mut AnyConnection) -> Result<(), StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text)]
        language: String,
    }
    let Setting { language }: Setting = diesel::sql_query("SELECT current_setting('lc_messages') AS language")
        .get_result(conn)
        .map_err(|error| classify(&error).error)?;
    if is_english(&language) {
        return Ok(());
    }
    Err(unavailable(&format!(
        "PostgreSQL's messages are in another language than English (lc_messages = '{language}'), and a deadlock could not be \
         told from a lasting error: as a superuser, run ALTER ROLE … SET lc_messages = 'C' for the role that core connects as"
    )))
}

/// Of a locale as PostgreSQL names it; one that is empty is the system's, which says nothing.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
    ["C", "POSIX", "en", "English"].contains(&language)
}

/// Refuses a database that has a migration which this program does not know.
fn newer<DB, C>(conn: &mut C, ours: &EmbeddedMigrations) -> Result<(), StoreError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: diesel::migration::MigrationSource<DB>,
{
    let internal = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Internal { why: error.to_string() };
    let known: Vec<String> = diesel::migration::MigrationSource::<DB>::migrations(ours)
        .map_err(internal)?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let applied = conn.applied_migrations().map_err(internal)?;
    match applied.iter().map(ToString::to_string).find(|version| !known.contains(version)) {
        Some(migration) => Err(StoreError::Newer { migration }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_english;

    #[test]
    fn a_server_is_understood_in_english_alone() {
        for locale in ["C", "POSIX", "C.UTF-8", "C.utf8", "en_US.UTF-8", "en_GB", "en", "English_United States.1252"] {
            assert!(is_english(locale), "{locale}");
        }
        for locale in ["", "de_DE.UTF-8", "zh_CN.UTF-8", "fr_FR@euro", "ca_ES", "Chinese_China.936"] {
            assert!(!is_english(locale), "{locale}");
        }
    }
}
