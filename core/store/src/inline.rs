//! A store without threads: every transaction runs at once, where it is asked for, and around it the world can be stopped.
//!
//! For the simulator: with one thread and a [`Pause`] that decides who goes on, the same seed gives the same run, and a
//! process can be ended before a transaction, or after its commit and before anything else.

use std::{future::Future, path::Path, pin::Pin, sync::Arc};

use diesel::{Connection as _, connection::SimpleConnection as _, sqlite::SqliteConnection};

use crate::{
    StoreError, Tx,
    conn::{AnyConnection, Dialect, Inner, Side, Store},
    diagnosis::unavailable,
    pool::Pool,
};

/// Where a caller of the store is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    BeforeRead,
    BeforeWrite,
    /// It is committed, and nobody has acted on it.
    AfterCommit,
}

/// What a caller waits for at a [`Moment`]; `None` lets it go on at once. An error is what the database says instead: before a
/// transaction nothing of it is kept, after the commit all of it is.
pub type Pause = Arc<dyn Fn(Moment) -> Option<Waited> + Send + Sync>;
pub type Waited = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

#[derive(Clone)]
pub(crate) struct Inline {
    pause: Pause,
}

impl Store {
    /// Opens a copy of an SQLite database that [`Store::open`] made and nobody else has open. Nothing is synced to a disk:
    /// what is committed lasts as long as the file, not through a power cut.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened.
    pub fn inline(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_string_lossy().into_owned();
        let pool = Arc::new(Pool::new(1, move || connect(&path)));
        let side = Side::new(pool, 1);
        let inner = Inner { dialect: Dialect::Sqlite, readers: side.clone(), writers: side, group: None };
        Ok(Self { inner: Arc::new(inner), trace: || None, inline: Some(Inline { pause: Arc::new(|_| None) }) })
    }

    /// The same database for callers that stop where `pause` says.
    #[must_use]
    pub fn pausing(&self, pause: Pause) -> Self {
        Self { inline: Some(Inline { pause }), ..self.clone() }
    }
}

impl Inline {
    async fn wait(&self, moment: Moment) -> Result<(), StoreError> {
        match (self.pause)(moment) {
            Some(pause) => pause.await,
            None => Ok(()),
        }
    }

    pub(crate) async fn read<T, E: From<StoreError>>(
        &self,
        store: &Store,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.wait(Moment::BeforeRead).await?;
        store.read_blocking(work)
    }

    pub(crate) async fn write<T, E: From<StoreError>>(
        &self,
        store: &Store,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.wait(Moment::BeforeWrite).await?;
        let done = store.write_blocking(work)?;
        self.wait(Moment::AfterCommit).await?;
        Ok(done)
    }
}

fn connect(path: &str) -> Result<AnyConnection, StoreError> {
    let mut conn = SqliteConnection::establish(path).map_err(|error| unavailable(&error.to_string()))?;
    conn.batch_execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;")
        .map_err(|error| unavailable(&error.to_string()))?;
    Ok(AnyConnection::Sqlite(conn))
}
