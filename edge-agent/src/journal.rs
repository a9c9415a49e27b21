//! The terminal's memory: everything that must survive the next power cut, in one SQLite file.
//!
//! One thread owns the file. A commit is one transaction and is on the disk (WAL, `synchronous=FULL`) when it returns; the
//! till answers and core is told only after that. Survives: a crash at any moment (SQLite's own recovery), a full disk (the
//! transaction is undone as a whole), a journal that somebody altered (the chain is checked when it is opened, and each entry is signed: [`signatures`]), a disk that
//! somebody took away (what tells of money or people is encrypted: [`rows`], [`seal`]). Does not survive the loss of its key
//! ([`keys`]), and says so.

mod beside;
mod cashiers;
mod elsewhere;
pub mod export;
mod goods;
mod held;
mod keys;
mod offline;
mod open;
mod plain;
mod received;
mod rekey;
mod replay;
mod rows;
mod schema;
mod seal;
mod shifts;
mod signatures;
mod splits;
mod standing;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod unsent;

use std::{error::Error as _, path::PathBuf, thread};

use saoma_protocol::{
    CashierId, Millis, Money, PaymentId, RefundId, Sequence, TerminalId,
    cashier::CashierList,
    journal::{CoreTime, EntryError, Record},
    message::JournalBatch,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    cashiers::{CashierChange, Tries},
    held::{Held, HeldChange},
    offline::{Known, Spent},
    received::Received,
    sale::{Kept, LeftToDo},
    shift::Shift,
    signer::{Signer, SignerError},
    split::{Split, Whole},
    stored::SoldCard,
};
pub use beside::Beside;
pub use goods::BasketMark;
pub use keys::KeyError;
pub use open::{Lock, Settings, Verified, lock, look, verify, verify_chain};
pub use rekey::{Rekeyed, rekey};
pub use replay::Replayed;
pub use seal::SealError;
pub use standing::{copy, last_written, rests, version, version_of};
pub use store::Store;

/// Jobs that may wait for the journal's thread. The till asks for one at a time; the rest are pages that read.
const JOBS_MAX: usize = 64;

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the disk is full, sales are stopped: free some space or call the service")]
    Full,
    #[error("the disk keeps nothing ({why}), sales are stopped: call the service")]
    Unwritable { why: String },
    #[error("use the journal {path}: {why}")]
    Open { path: PathBuf, why: String },
    #[error(
        "use the journal {path}: a newer saoma-edge has changed it (migration {version}), and this one would not understand it; start \
         that one"
    )]
    Newer { path: PathBuf, version: String },
    #[error("trust the journal {path}: {why}; do not delete it, it holds sales: call the service")]
    Damaged { path: PathBuf, why: String },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error(transparent)]
    Sign(#[from] SignerError),
    #[error(
        "read the journal {path}: it is not encrypted yet, an agent before this one wrote it. Start the agent once \
         (`saoma-edge run`): it encrypts it"
    )]
    NotSealedYet { path: PathBuf },
    #[error("clean the journal's file: another program reads it. It is tried again at the next start")]
    InUse,
    #[error("the sale is too long for the journal: fewer goods or shorter names are needed")]
    TooLong,
    #[error("use the journal's database; restart the agent, and if that does not help, call the service")]
    Database(#[source] diesel::result::Error),
    #[error("understand what the journal holds: {0}")]
    Unreadable(String),
    #[error("use the journal: it has been closed")]
    Closed,
}

impl From<diesel::result::Error> for JournalError {
    fn from(error: diesel::result::Error) -> Self {
        // SQLITE_FULL has no kind of its own in diesel; its text is fixed in SQLite (sqlite3ErrStr).
        match &error {
            diesel::result::Error::DatabaseError(_, information)
                if information.message().contains("database or disk is full") =>
            {
                Self::Full
            }
            _ => Self::Database(error),
        }
    }
}

impl JournalError {
    /// The error with its cause, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        self.source().map_or_else(|| self.to_string(), |cause| format!("{self} ({cause})"))
    }
}

impl From<EntryError> for JournalError {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::TooLong { .. } => Self::TooLong,
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    pub records: Vec<Record>,
    /// What time it is at core, as far as is known here; of an offline code's and a stored card's sale that is its moment.
    pub core_time: CoreTime,
    pub sale: Option<Kept>,
    /// What is still to be done about that sale, and whether money came in on it.
    pub sale_open: LeftToDo,
    pub sale_captured: bool,
    pub sale_state: &'static str,
    pub intent: Option<Intent>,
    pub shift: Option<Shift>,
    /// What was pressed about that shift, or about what is put aside.
    pub shift_press: Option<ShiftPress>,
    pub held: Vec<HeldChange>,
    pub split: Option<Split>,
    pub cashiers: Vec<CashierChange>,
    /// The basket that was being filled is sold by this, or put aside.
    pub basket_done: bool,
    /// What core said of offline codes, and of cards without a network.
    pub offline: Option<Known>,
    /// The offline code that pays the sale. Its moment is the entry's: core checks the code by that again.
    pub spent: Option<Spent>,
    /// The card that the sale is sold to without a network. Its moment is the entry's, likewise.
    pub stored: Option<SoldCard>,
    /// Paid through a printed code, and told for the first time.
    pub received: Option<Received>,
    pub pushes: Vec<Sequence>,
    pub synced_through: Option<Sequence>,
}

/// What an `Idempotency-Key` of the page stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub key: String,
    pub fingerprint: String,
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
}

/// What an `Idempotency-Key` of the page stands for, if it is about a shift or about what is put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftPress {
    pub key: String,
    pub fingerprint: String,
}

/// What the journal holds when it is opened.
#[derive(Clone, Debug)]
pub struct Opened {
    pub head: Sequence,
    pub synced_through: Sequence,
    /// The number of the last sale keyed here.
    pub counter: Sequence,
    /// Sales of which something is still to be done, oldest first.
    pub open_sales: Vec<Kept>,
    /// The last shift, open or closed.
    pub shift: Option<Shift>,
    /// What is put aside, oldest first, and the last number that was given.
    pub held: Vec<Held>,
    pub held_last: Sequence,
    /// Split payments of which something is still to be done, oldest first.
    pub splits: Vec<Whole>,
    /// Who may sign on here, and their wrong PINs.
    pub cashiers: CashierList,
    pub tries: Vec<(CashierId, Tries)>,
    /// What core said last of offline codes, and those that were taken here, with the entries of their sales.
    pub offline: Option<Known>,
    pub spent: Vec<(Sequence, Spent)>,
    /// The cards that were sold to without a network, likewise.
    pub stored: Vec<(Sequence, SoldCard)>,
    /// What was paid last through printed codes, newest first.
    pub received: Vec<Received>,
}

/// What core does not know yet. `oldest_at`: the moment of the first of them, in the journal's order, as [`Stamp::at`](saoma_protocol::journal::Stamp::at) has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsentEntries {
    pub count: u64,
    pub oldest_at: Option<Millis>,
    pub at_risk: Vec<Money>,
}

/// Sums over everything that this till has taken and given back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Books {
    pub journal_through: Sequence,
    pub sales_count: u64,
    pub sales: Vec<Money>,
    pub refunds_count: u64,
    pub refunds: Vec<Money>,
}

type Work = Box<dyn FnOnce(&mut Store) + Send>;

enum Job {
    Work(Work),
    /// The last one: closes the file, and says so.
    Close(oneshot::Sender<()>),
}

/// The way to the journal's thread. Clones share it; the thread ends, and the file is closed, when all are gone.
#[derive(Clone)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
}

impl Journal {
    /// Opens (or makes) the journal of `terminal`, which `signer` signs, and starts its thread.
    ///
    /// # Errors
    /// `Open` if the file cannot be used, `Damaged` if its chain is broken or it is another terminal's.
    pub fn open(
        settings: &Settings,
        terminal: TerminalId,
        signer: Signer,
        now: Millis,
    ) -> Result<(Self, Opened), JournalError> {
        let (mut store, opened) = Store::open(settings, terminal, now)?;
        store.sign_by(signer);
        let (jobs, mut work) = mpsc::channel::<Job>(JOBS_MAX);
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                let mut told = None;
                while let Some(job) = work.blocking_recv() {
                    match job {
                        Job::Work(work) => work(&mut store),
                        Job::Close(closed) => {
                            told = Some(closed);
                            break;
                        }
                    }
                }
                drop((work, store));
                // Whoever asked has gone: the file is closed, that is what counts.
                let _ = told.map(|told| told.send(()));
            })
            .map_err(|error| JournalError::Open { path: settings.path.clone(), why: error.to_string() })?;
        Ok((Self { jobs }, opened))
    }

    /// Runs `work` on the journal's thread. Once it has been handed over it is done, even if the caller is dropped.
    ///
    /// # Errors
    /// Those of `work`; `Closed` if the thread is gone.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (done, result) = oneshot::channel();
        let work: Work = Box::new(move |store| {
            // Nobody listens any more: the work is on the disk, that is what counts.
            let _ = done.send(work(store));
        });
        self.jobs.send(Job::Work(work)).await.map_err(|_| JournalError::Closed)?;
        result.await.map_err(|_| JournalError::Closed)?
    }

    /// Ends what was asked before, and closes the file; whoever asks afterwards gets `Closed`.
    pub async fn close(&self) {
        let (closed, told) = oneshot::channel();
        if self.jobs.send(Job::Close(closed)).await.is_ok() {
            // The thread is gone: so is the file.
            let _ = told.await;
        }
    }

    /// Writes `commit` down; it is on the disk when this returns. The new head of the journal.
    ///
    /// # Errors
    /// `Full`, `Unwritable`, `TooLong`, `Database`: nothing of the commit is there then.
    pub async fn commit(&self, commit: Commit, now: Millis) -> Result<Sequence, JournalError> {
        self.run(move |store| store.commit(&commit, now)).await
    }

    /// The entries after `after`, in order and signed, as many as one batch takes.
    ///
    /// # Errors
    /// As [`Store::batch_after`].
    pub async fn batch_after(&self, after: Sequence) -> Result<JournalBatch, JournalError> {
        self.run(move |store| store.batch_after(after)).await
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub async fn sale(&self, payment: PaymentId) -> Result<Option<(Kept, Sequence)>, JournalError> {
        self.run(move |store| store.sale(payment)).await
    }

    /// The latest sales with the journal entry that began each, newest first.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub async fn latest_sales(&self, limit: u32) -> Result<Vec<(Kept, Sequence)>, JournalError> {
        self.run(move |store| store.latest_sales(limit)).await
    }
}
