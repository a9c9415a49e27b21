//! Connections, and transactions as plain functions.

use crate::StoreError;

/// Which database is behind the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// The database. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {}

/// One transaction. Repository functions take it; nothing else can be done with it.
pub struct Tx<'a> {
    p: std::marker::PhantomData<&'a mut ()>,
}

impl Store {
    /// Opens (and creates or migrates) the database at `url`: `sqlite:///var/lib/saoma/core.db` or a plain path,
    /// `postgres://user@host/name`. Blocks; call it before the service starts. `connections_max` counts all of them, at
    /// least 2.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be reached or created, `Newer` if a later version wrote it, `DiskFull`, `Corrupt`.
    pub fn open(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        todo!()
    }

    #[must_use]
    pub fn dialect(&self) -> Dialect {
        todo!()
    }

    /// Whether the database answers; for the readiness probe.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Runs `work` in one read-only transaction on a consistent snapshot.
    ///
    /// ```no_run
    /// # async fn example(store: saoma_store::Store, scope: saoma_store::TenantScope) -> Result<(), saoma_store::StoreError> {
    /// let tenant = store.read(move |tx| saoma_store::tenants::load(tx, &scope)).await?;
    /// # Ok(()) }
    /// ```
    /// # Errors
    /// What `work` returns, or `Unavailable`.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        todo!()
    }

    /// Runs `work` in one transaction: all of it is on the disk when this returns `Ok`, nothing if it returns `Err`.
    /// `work` is run again (up to 5 times in all) if the database asks for it, so it must do nothing but store. It goes
    /// on to its end even if the caller stops waiting.
    ///
    /// # Errors
    /// What `work` returns, or `Unavailable`, `DiskFull`.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        todo!()
    }

    /// [`Self::read`] on this thread, for tests, the simulator and the command line.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T, E: From<StoreError>>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        todo!()
    }

    /// [`Self::write`] on this thread.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, E: From<StoreError>>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        todo!()
    }
}
