//! Group commit: whoever waits to write to SQLite is written together, so that one flush of the disk serves them all.
//!
//! SQLite has one writer. While it works, others come and wait; then all of them run one after another in one transaction,
//! each in a savepoint of its own, and none hears of its outcome before the commit. Whatever is not plain sailing (a lock, a
//! broken connection, a panic, a commit that fails and kept nothing) ends the group, and each runs again alone, as it would
//! have without the others: work is written to be run again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection as _;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    StoreError, Tx,
    conn::{Access, AnyConnection, Dialect, Side, Times, Waiting, transact},
    diagnosis::{classify, unavailable},
    pool::{Lease, Pool},
};

/// Most works in one transaction.
const WORKS_MAX: usize = 64;

/// When a group has run for so long nobody joins it any more: who is done waits for the commit.
const RUNS_FOR: Duration = Duration::from_millis(5);

/// The way to the thread that writes. The last one dropped ends it.
pub(crate) struct Group {
    works: Sender<Box<dyn Work>>,
    side: Side,
}

impl Group {
    /// # Errors
    /// `Unavailable` if the machine gives no thread.
    pub(crate) fn of(side: &Side) -> Result<Self, StoreError> {
        let (works, queue) = channel();
        let writer = Writer {
            // With the last store its connections are closed, although this thread may not have noticed yet.
            pool: Arc::downgrade(&side.pool),
            turns: Arc::clone(&side.turns),
            queue,
        };
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| unavailable(&format!("start its writer: {error}")))?;
        Ok(Self { works, side: side.clone() })
    }

    /// [`crate::Store::write`], together with whoever else is waiting.
    pub(crate) async fn write<T, E, F>(&self, traceparent: Option<String>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (tells, told) = oneshot::channel();
        let write = Write {
            work,
            traceparent,
            // What is logged within the transaction belongs to the request that asked for it.
            span: tracing::Span::current(),
            outcome: Outcome::Waits(Instant::now()),
            tells,
            _waiting: Waiting::enter(&self.side.waiting)?,
            times: Arc::clone(&self.side.times),
        };
        if self.works.send(Box::new(write)).is_err() {
            return Err(closed().into());
        }
        told.await.unwrap_or_else(|_| Err(StoreError::InDoubt { why: "its writer ended early".to_owned() }.into()))
    }
}

fn closed() -> StoreError {
    unavailable("the store is closed")
}

struct Writer {
    pool: Weak<Pool>,
    turns: Arc<Semaphore>,
    queue: Receiver<Box<dyn Work>>,
}

impl Writer {
    fn run(&self) {
        while let Ok(first) = self.queue.recv() {
            // A work's own panic is caught where it runs; whatever else goes wrong ends this turn and not all writing.
            let turn = AssertUnwindSafe(|| self.turn(first));
            if catch_unwind(turn).is_err() {
                tracing::error!("writing to the database failed half-way: who was told nothing is in doubt");
            }
        }
    }

    fn turn(&self, first: Box<dyn Work>) {
        // Nobody else takes it: this is for whoever watches the load.
        let _turn = self.turns.try_acquire();
        if first.is_given_up() {
            return;
        }
        let (works, end) = match self.queue.try_recv() {
            Ok(second) => self.together(first, second),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => (vec![first], End::Alone),
        };
        for mut work in works {
            match &end {
                End::Committed => work.tell(None),
                End::InDoubt(error) if work.would_keep() => work.tell(Some(error.clone())),
                End::InDoubt(_) | End::Alone => {
                    let alone = self.pool.upgrade().map(|pool| work.alone(&pool)).ok_or_else(closed);
                    work.tell(alone.err());
                }
            }
        }
    }

    /// Runs both and whoever comes meanwhile, and commits.
    fn together(&self, first: Box<dyn Work>, second: Box<dyn Work>) -> (Vec<Box<dyn Work>>, End) {
        let Some(mut lease) = self.pool.upgrade().and_then(|pool| pool.take().ok()) else {
            return (vec![first, second], End::Alone);
        };
        if lease.conn().batch_execute("BEGIN IMMEDIATE").is_err() {
            return (vec![first, second], End::Alone);
        }
        let (began, mut works) = (Instant::now(), Vec::new());
        let mut coming = [first, second].into_iter();
        while let Some(mut work) = coming.next().or_else(|| self.another(works.len(), began)) {
            if work.is_given_up() {
                continue;
            }
            let joined = work.join(lease.conn());
            works.push(work);
            if joined.is_err() {
                works.extend(coming);
                // After a panic nobody knows how the connection stands.
                lease.broken |= joined == Err(Spoilt::Panicked) || lease.conn().batch_execute("ROLLBACK").is_err();
                return (works, End::Alone);
            }
        }
        let end = committed(&mut lease);
        (works, end)
    }

    fn another(&self, works: usize, began: Instant) -> Option<Box<dyn Work>> {
        (works < WORKS_MAX && began.elapsed() < RUNS_FOR).then(|| self.queue.try_recv().ok()).flatten()
    }
}

fn committed(lease: &mut Lease) -> End {
    let Err(error) = lease.conn().batch_execute("COMMIT") else { return End::Committed };
    let failure = classify(&error);
    // SQLite itself rolls back what found no room (sqlite.org/lang_transaction.html §3.1): there is nothing left to undo.
    let kept_nothing = lease.conn().batch_execute("ROLLBACK").is_ok() || failure.error == StoreError::DiskFull;
    lease.broken |= failure.broken || !kept_nothing;
    if kept_nothing && !failure.broken {
        End::Alone
    } else {
        End::InDoubt(StoreError::InDoubt { why: error.to_string() })
    }
}

/// How a group ended, for each of it.
enum End {
    Committed,
    /// Nothing of it was kept.
    Alone,
    /// It may have been kept.
    InDoubt(StoreError),
}

/// Why a work ends the group that it joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoilt {
    Refused,
    Panicked,
}

/// Somebody's transaction, and how they hear of its outcome.
trait Work: Send {
    /// Nobody waits for it any more, and it has not begun.
    fn is_given_up(&self) -> bool;

    /// Runs within a transaction that others share. A refusal of its own undoes itself alone.
    fn join(&mut self, conn: &mut AnyConnection) -> Result<(), Spoilt>;

    /// It ran, and would keep something.
    fn would_keep(&self) -> bool;

    /// Runs as the only one, again while the database asks for it.
    fn alone(&mut self, pool: &Arc<Pool>);

    /// Tells what came of it, or what became of the commit.
    fn tell(self: Box<Self>, failed: Option<StoreError>);
}

struct Write<T, E, F> {
    work: F,
    traceparent: Option<String>,
    span: tracing::Span,
    outcome: Outcome<T, E>,
    tells: oneshot::Sender<Result<T, E>>,
    _waiting: Waiting,
    times: Arc<Times>,
}

enum Outcome<T, E> {
    /// It has not run, and came at this time.
    Waits(Instant),
    /// It ran, and spoilt a group.
    Spoilt,
    Panicked,
    Ended(Result<T, E>),
}

impl<T, E, F> Write<T, E, F> {
    fn begins(&mut self) {
        if let Outcome::Waits(came) = self.outcome {
            self.times.waited(came);
        }
    }
}

impl<T, E, F> Work for Write<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send,
{
    fn is_given_up(&self) -> bool {
        self.tells.is_closed() && matches!(self.outcome, Outcome::Waits(_))
    }

    fn join(&mut self, conn: &mut AnyConnection) -> Result<(), Spoilt> {
        self.begins();
        let mut tx = Tx::new(conn, Dialect::Sqlite, "SAVEPOINT work", self.traceparent.clone());
        let run = AssertUnwindSafe(|| self.span.in_scope(|| (self.work)(&mut tx)));
        let Ok(result) = catch_unwind(run) else {
            self.outcome = Outcome::Panicked;
            return Err(Spoilt::Panicked);
        };
        self.outcome = Outcome::Spoilt;
        let is_begun = tx.is_begun();
        let result = tx.outcome(result).map_err(|_| Spoilt::Refused)?;
        if is_begun {
            let ends = if result.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
            conn.batch_execute(ends).map_err(|_| Spoilt::Refused)?;
        }
        self.outcome = Outcome::Ended(result);
        Ok(())
    }

    fn would_keep(&self) -> bool {
        matches!(self.outcome, Outcome::Ended(Ok(_)))
    }

    fn alone(&mut self, pool: &Arc<Pool>) {
        self.begins();
        if matches!(self.outcome, Outcome::Panicked) {
            return;
        }
        let traceparent = self.traceparent.clone();
        let run = || self.span.in_scope(|| transact(pool, Dialect::Sqlite, Access::Write, traceparent, &self.work));
        self.outcome = catch_unwind(AssertUnwindSafe(run)).map_or(Outcome::Panicked, Outcome::Ended);
    }

    fn tell(self: Box<Self>, failed: Option<StoreError>) {
        let Self { span, outcome, tells, .. } = *self;
        let internal = |why: &str| Err(StoreError::Internal { why: why.to_owned() }.into());
        let told = span.in_scope(|| match (failed, outcome) {
            (Some(error), _) => Err(error.into()),
            (None, Outcome::Ended(result)) => result,
            (None, Outcome::Panicked) => internal("a transaction ended early: it panicked"),
            (None, Outcome::Waits(_) | Outcome::Spoilt) => internal("a transaction was not run"),
        });
        // They may have stopped waiting.
        let _ = tells.send(told);
    }
}
