//! A town's database, looked at past core: a file of SQLite, or one of PostgreSQL's.

use std::path::Path;

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query, sql_types::Text,
};

use crate::postgres;

pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub fn file(path: &Path) -> Self {
        let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        sql_query("PRAGMA busy_timeout = 10000").execute(&mut file).unwrap();
        Self::Sqlite(file)
    }

    /// For somebody whom no policy holds.
    pub fn server(url: &str) -> Self {
        Self::Postgres(PgConnection::establish(&postgres::as_superuser(url)).unwrap())
    }

    pub fn execute(&mut self, change: &str) {
        let done = match self {
            Self::Sqlite(file) => sql_query(change).execute(file),
            Self::Postgres(server) => sql_query(change).execute(server),
        };
        done.unwrap_or_else(|error| panic!("{change}: {error}"));
    }

    /// The column `text` of what the query finds.
    pub fn texts(&mut self, query: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let rows: Result<Vec<Row>, _> = match self {
            Self::Sqlite(file) => sql_query(query).load(file),
            Self::Postgres(server) => sql_query(query).load(server),
        };
        let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.into_iter().map(|row| row.text).collect()
    }

    /// All of core's, but not those of the migrations.
    pub fn tables(&mut self) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => {
                "SELECT name AS text FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                 AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' ORDER BY name"
            }
            Self::Postgres(_) => {
                "SELECT tablename::text AS text FROM pg_tables WHERE schemaname = 'public' \
                 AND tablename NOT LIKE '\\_\\_diesel%' ORDER BY 1"
            }
        };
        self.texts(query)
    }

    pub fn columns(&mut self, table: &str) -> Vec<String> {
        let query = match self {
            Self::Sqlite(_) => format!("SELECT name AS text FROM pragma_table_info('{table}')"),
            Self::Postgres(_) => format!(
                "SELECT column_name::text AS text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        self.texts(&query)
    }

    /// How to ask for what a column holds, as text.
    pub fn quoted(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("quote({column})"),
            Self::Postgres(_) => format!("quote_nullable({column}::text)"),
        }
    }
}
