//! Connections, and transactions as plain functions.
//!
//! SQLite has one writing connection (it allows no more) and several reading ones, and who waits for it writes in a
//! [`crate::group`]; PostgreSQL has one pool for both.
//! A transaction survives a lock, a deadlock and a server that restarts between two transactions: it is run again. It is
//! not run again when the connection breaks at the commit, since then nobody knows what became of it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{
    QueryResult, RunQueryDsl as _, connection::SimpleConnection as _, pg::PgConnection, sqlite::SqliteConnection,
};
use saoma_protocol::TenantId;
use tokio::sync::Semaphore;

use crate::{
    StoreError,
    connect::{
        connect_postgres, connect_sqlite, is_server, migrate, private_file, refuse_another_language,
        warn_of_a_role_above_policies,
    },
    diagnosis::{classify, unavailable},
    group::Group,
    inline::Inline,
    pool::{Lease, Pool},
    reach::Reach,
};

/// How often a transaction is run in all. Between two runs it waits 2, 8, 32 and 128 ms.
const RUNS_MAX: u32 = 5;

/// Most callers that may wait for a connection at once; each holds a request's memory, and past this the service is
/// better off saying so.
const WAITING_MAX: usize = 4_096;

/// Which database is behind the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The database. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// Says in which trace the caller is.
    pub(crate) trace: fn() -> Option<String>,
    /// Transactions run where they are asked for instead of on threads of their own.
    pub(crate) inline: Option<Inline>,
}

pub(crate) struct Inner {
    pub(crate) dialect: Dialect,
    pub(crate) readers: Side,
    pub(crate) writers: Side,
    /// How several write to SQLite at once.
    pub(crate) group: Option<Group>,
}

/// One kind of connection, and who may wait for it.
#[derive(Clone)]
pub(crate) struct Side {
    pub(crate) pool: Arc<Pool>,
    /// As many as there are connections: a thread is only taken from the runtime once there is one for it.
    pub(crate) turns: Arc<Semaphore>,
    connections: usize,
    /// Those who wait and those whose turn it is.
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) times: Arc<Times>,
}

/// How often somebody's turn came, and how long they waited for it.
#[derive(Default)]
pub(crate) struct Times {
    turns: AtomicU64,
    waited_us: AtomicU64,
}

/// How one kind of connection is used, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Most transactions at once.
    pub connections: usize,
    /// Transactions under way now.
    pub in_use: usize,
    /// Callers that wait for their turn now.
    pub waiting: usize,
    /// Turns given since the start.
    pub turns: u64,
    /// How long all of them together waited for it.
    pub waited: Duration,
}

/// One transaction. Repository functions take it; nothing else can be done with it.
pub struct Tx<'a> {
    conn: &'a mut AnyConnection,
    dialect: Dialect,
    /// Begins it, with its first query: by then it is known whose rows are touched.
    begin: &'static str,
    /// What the queries so far were held to; `None` before the first.
    reach: Option<Reach>,
    /// The first error of the database. PostgreSQL does nothing more in this transaction, so we keep nothing of it on
    /// either database, whatever the caller makes of the error.
    doomed: Option<StoreError>,
    /// The transaction failed of something that may be gone the next time.
    again: bool,
    /// The connection is gone.
    broken: bool,
    /// The tenant whose turn this transaction has ([`crate::dialect::take_turn`]).
    pub(crate) turn_of: Option<TenantId>,
    /// The trace of whoever asked for this transaction; stands beside what it causes to happen later.
    pub(crate) traceparent: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Store {
    /// Opens (and creates or migrates) the database at `url`: `sqlite:///var/lib/saoma/core.db` or a plain path,
    /// `postgres://user@host/name`. Blocks; call it before the service starts. `connections_max` counts all of them, at
    /// least 2.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be reached or created, `Newer` if a later version wrote it, `DiskFull`, `Corrupt`.
    pub fn open(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let connections_max = connections_max.max(2) as usize;
        let inner = if is_server(url) {
            let url = url.to_owned();
            let pool = Arc::new(Pool::new(connections_max, move || connect_postgres(&url)));
            let mut first = pool.take()?;
            refuse_another_language(first.conn())?;
            migrate(first.conn(), Dialect::Postgres)?;
            warn_of_a_role_above_policies(first.conn())?;
            drop(first);
            let side = Side::new(pool, connections_max);
            Inner { dialect: Dialect::Postgres, readers: side.clone(), writers: side, group: None }
        } else {
            let path = url.strip_prefix("sqlite://").unwrap_or(url).to_owned();
            private_file(Path::new(&path))?;
            let reader_path = path.clone();
            let writers = Arc::new(Pool::new(1, move || connect_sqlite(&path, Access::Write)));
            migrate(writers.take()?.conn(), Dialect::Sqlite)?;
            let n_readers = connections_max - 1;
            let readers = Arc::new(Pool::new(n_readers, move || connect_sqlite(&reader_path, Access::Read)));
            let (readers, writers) = (Side::new(readers, n_readers), Side::new(writers, 1));
            let group = Some(Group::of(&writers)?);
            Inner { dialect: Dialect::Sqlite, readers, writers, group }
        };
        Ok(Self { inner: Arc::new(inner), trace: || None, inline: None })
    }

    /// Events and outbox rows note the W3C `traceparent` that `trace` gives, so that what is done later because of them is
    /// found in the same trace. Asked on the caller's own thread, once for each transaction.
    #[must_use]
    pub fn noting_trace(self, trace: fn() -> Option<String>) -> Self {
        Self { trace, ..self }
    }

    /// How reading and writing connections are used. On PostgreSQL both are the same ones.
    #[must_use]
    pub fn load(&self) -> [(&'static str, Load); 2] {
        [("read", self.inner.readers.load()), ("write", self.inner.writers.load())]
    }

    /// Whether there is a database at `url`: [`Self::open`] would otherwise make one. A server is taken to have it.
    #[must_use]
    pub fn exists(url: &str) -> bool {
        is_server(url) || Path::new(url.strip_prefix("sqlite://").unwrap_or(url)).is_file()
    }

    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// Whether all is done on the caller's own thread (`inline.rs`): so must be then what else would go to another one.
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        self.inline.is_some()
    }

    /// Whether the database answers; for the readiness probe.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|tx| tx.run(Reach::All, |conn| diesel::sql_query("SELECT 1").execute(conn)).map(drop)).await
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
        match &self.inline {
            Some(inline) => inline.read(self, work).await,
            None => on_a_thread(&self.inner.readers, self.inner.dialect, Access::Read, None, work).await,
        }
    }

    /// Runs `work` in one transaction: all of it is on the disk when this returns `Ok`, nothing if it returns `Err`.
    /// `work` is run again (up to 5 times in all) if the database asks for it, and once more if it shared a commit that
    /// came to nothing, so it must do nothing but store. Once it has begun it goes on to its end even if the caller stops
    /// waiting.
    ///
    /// # Errors
    /// What `work` returns, or `Unavailable`, `DiskFull`. After an error of the database itself the transaction is lost,
    /// also if `work` swallows it.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        match (&self.inline, &self.inner.group) {
            (Some(inline), _) => inline.write(self, work).await,
            (None, Some(group)) => group.write((self.trace)(), work).await,
            (None, None) => {
                on_a_thread(&self.inner.writers, self.inner.dialect, Access::Write, (self.trace)(), work).await
            }
        }
    }

    /// [`Self::read`] on this thread, for tests, the simulator and the command line.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T, E: From<StoreError>>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        transact(&self.inner.readers.pool, self.inner.dialect, Access::Read, None, work)
    }

    /// [`Self::write`] on this thread.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, E: From<StoreError>>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        transact(&self.inner.writers.pool, self.inner.dialect, Access::Write, (self.trace)(), work)
    }
}

impl Side {
    pub(crate) fn new(pool: Arc<Pool>, connections: usize) -> Self {
        let turns = Arc::new(Semaphore::new(connections));
        Self { pool, turns, connections, waiting: Arc::default(), times: Arc::default() }
    }

    fn load(&self) -> Load {
        let in_use = self.connections.saturating_sub(self.turns.available_permits());
        Load {
            connections: self.connections,
            in_use,
            waiting: self.waiting.load(Ordering::Relaxed).saturating_sub(in_use),
            turns: self.times.turns.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.times.waited_us.load(Ordering::Relaxed)),
        }
    }
}

impl Times {
    pub(crate) fn waited(&self, since: Instant) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.waited_us.fetch_add(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl<'a> Tx<'a> {
    pub(crate) const fn new(
        conn: &'a mut AnyConnection,
        dialect: Dialect,
        begin: &'static str,
        traceparent: Option<String>,
    ) -> Self {
        Self {
            conn,
            dialect,
            begin,
            reach: None,
            doomed: None,
            again: false,
            broken: false,
            turn_of: None,
            traceparent,
        }
    }

    /// Whether it has begun: its first query was run, or tried.
    pub(crate) const fn is_begun(&self) -> bool {
        self.reach.is_some()
    }

    /// What `work` came to, whatever it made of an error of the database.
    ///
    /// # Errors
    /// The result, if it may be another the next time, or the connection is gone.
    pub(crate) fn outcome<T, E: From<StoreError>>(self, result: Result<T, E>) -> Result<Result<T, E>, Result<T, E>> {
        let (again, broken) = (self.again, self.broken);
        let result = match (result, self.doomed) {
            (Ok(_), Some(error)) => Err(error.into()),
            (result, _) => result,
        };
        if again || broken { Err(result) } else { Ok(result) }
    }

    /// Runs one query, which PostgreSQL holds to the rows in `reach`. Whatever the database refuses dooms the transaction.
    pub(crate) fn run<T>(
        &mut self,
        reach: impl Into<Reach>,
        query: impl FnOnce(&mut AnyConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.doomed {
            return Err(error.clone());
        }
        self.hold_to(reach.into()).and_then(|()| query(self.conn)).map_err(|error| {
            let failure = classify(&error);
            self.again |= failure.again;
            self.broken |= failure.broken;
            self.doomed = Some(failure.error.clone());
            failure.error
        })
    }

    /// Begins the transaction if it has not begun, and tells the database whose rows come next.
    fn hold_to(&mut self, reach: Reach) -> QueryResult<()> {
        let first = self.reach.is_none();
        if self.reach == Some(reach) {
            return Ok(());
        }
        match self.dialect {
            Dialect::Sqlite if first => self.conn.batch_execute(self.begin)?,
            Dialect::Sqlite => {}
            Dialect::Postgres => {
                // Also if it fails half-way there may be something to roll back.
                self.reach = Some(reach);
                let begin = if first { self.begin } else { "" };
                self.conn.batch_execute(&format!("{begin}SET LOCAL saoma.tenant = '{reach}'"))?;
            }
        }
        self.reach = Some(reach);
        Ok(())
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }
}

async fn on_a_thread<T, E, F>(
    side: &Side,
    dialect: Dialect,
    access: Access,
    traceparent: Option<String>,
    work: F,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
{
    let side = side.clone();
    let (_waiting, began) = (Waiting::enter(&side.waiting)?, Instant::now());
    let turns = Arc::clone(&side.turns);
    let turn = turns.acquire_owned().await.map_err(|_| unavailable("the store is closed"))?;
    side.times.waited(began);
    // What is logged within the transaction belongs to the request that asked for it.
    let (pool, span) = (side.pool, tracing::Span::current());
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        span.in_scope(|| transact(&pool, dialect, access, traceparent, work))
    });
    match done.await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Internal { why: format!("a transaction ended early: {error}") }.into()),
    }
}

/// Counts those who wait, also when they give up.
pub(crate) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    pub(crate) fn enter(waiting: &Arc<AtomicUsize>) -> Result<Self, StoreError> {
        let entered = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(unavailable("too many callers are waiting for it"));
        }
        Ok(entered)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs `work` in a transaction, again while the database asks for it.
pub(crate) fn transact<T, E: From<StoreError>>(
    pool: &Arc<Pool>,
    dialect: Dialect,
    access: Access,
    traceparent: Option<String>,
    mut work: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    for run in 1.. {
        let mut lease = pool.take()?;
        let outcome = transact_once(&mut lease, dialect, access, traceparent.as_ref(), &mut work);
        drop(lease);
        match outcome {
            Outcome::Done(result) => return result,
            Outcome::Again(error) if run == RUNS_MAX => return Err(error),
            Outcome::Again(_) => std::thread::sleep(Duration::from_millis(2 << (2 * (run - 1)))),
        }
    }
    Err(unavailable("no run was left").into())
}

enum Outcome<T, E> {
    Done(Result<T, E>),
    /// It failed and nothing was kept; it may go better the next time.
    Again(E),
}

fn transact_once<T, E: From<StoreError>>(
    lease: &mut Lease,
    dialect: Dialect,
    access: Access,
    traceparent: Option<&String>,
    work: &mut impl FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> Outcome<T, E> {
    let begin = match (dialect, access) {
        (Dialect::Sqlite, Access::Read) => "BEGIN",
        // The write lock at once: a read lock that is upgraded later fails when somebody else wrote in between.
        (Dialect::Sqlite, Access::Write) => "BEGIN IMMEDIATE",
        (Dialect::Postgres, Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        // Writes that race compare a version, a unique key or take turns; and insert-or-ignore must see the row that
        // it ran into, which a snapshot from before would hide.
        (Dialect::Postgres, Access::Write) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;",
    };
    let mut tx = Tx::new(lease.conn(), dialect, begin, traceparent.cloned());
    let result = work(&mut tx);
    let (again, broken, begun) = (tx.again, tx.broken, tx.is_begun());
    let result = tx.outcome(result).unwrap_or_else(|result| result);
    lease.broken |= broken;
    if !begun {
        return outcome(result, again);
    }
    if result.is_err() {
        lease.broken |= lease.conn().batch_execute("ROLLBACK").is_err();
        return outcome(result, again);
    }
    match lease.conn().batch_execute("COMMIT") {
        Ok(()) => Outcome::Done(result),
        Err(error) => {
            let failure = classify(&error);
            lease.broken |= lease.conn().batch_execute("ROLLBACK").is_err() || failure.broken;
            let error = match failure.error {
                // With the connection gone, the commit may have happened.
                StoreError::Unavailable { why } if failure.broken => StoreError::InDoubt { why },
                error => error,
            };
            outcome(Err(error.into()), failure.again && !failure.broken)
        }
    }
}

fn outcome<T, E>(result: Result<T, E>, again: bool) -> Outcome<T, E> {
    match result {
        Err(error) if again => Outcome::Again(error),
        result => Outcome::Done(result),
    }
}
