//! A bounded set of connections, opened as they are needed.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{StoreError, conn::AnyConnection, diagnosis::unavailable};

/// Longest wait for a connection. Callers come with a deadline of their own that is no longer than this.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    connect: Box<dyn Fn() -> Result<AnyConnection, StoreError> + Send + Sync>,
    connections_max: usize,
}

#[derive(Default)]
struct State {
    idle: Vec<AnyConnection>,
    /// Idle ones and those on lease.
    open: usize,
}

/// A connection for a while. It goes back when dropped, unless it is broken or its holder panicked: an open transaction
/// on it is rolled back by closing it.
pub struct Lease {
    pool: Arc<Pool>,
    conn: Option<AnyConnection>,
    pub broken: bool,
}

impl Pool {
    pub fn new(
        connections_max: usize,
        connect: impl Fn() -> Result<AnyConnection, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { state: Mutex::default(), freed: Condvar::new(), connect: Box::new(connect), connections_max }
    }

    /// The next free connection, or a new one.
    pub fn take(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let deadline = Instant::now() + WAIT_MAX;
        let mut state = self.lock();
        loop {
            if let Some(conn) = state.idle.pop() {
                return Ok(self.lease(conn));
            }
            if state.open < self.connections_max {
                state.open += 1;
                drop(state);
                return (self.connect)().map(|conn| self.lease(conn)).inspect_err(|_| self.closed());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(unavailable("all of its connections are busy"));
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lease(self: &Arc<Self>, conn: AnyConnection) -> Lease {
        Lease { pool: Arc::clone(self), conn: Some(conn), broken: false }
    }

    fn closed(&self) {
        self.lock().open -= 1;
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    #[expect(clippy::expect_used, reason = "it is there until the lease is dropped")]
    pub fn conn(&mut self) -> &mut AnyConnection {
        self.conn.as_mut().expect("a lease holds its connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        if self.broken {
            // What ended this one (a restart of the server) ended the idle ones too, and whoever runs again must not go
            // through them one by one.
            let dead = {
                let mut state = self.pool.lock();
                let dead = std::mem::take(&mut state.idle);
                state.open -= dead.len() + 1;
                dead
            };
            self.pool.freed.notify_all();
            drop((conn, dead));
        } else if std::thread::panicking() {
            drop(conn);
            self.pool.closed();
        } else {
            self.pool.lock().idle.push(conn);
            self.pool.freed.notify_one();
        }
    }
}
