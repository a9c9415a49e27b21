//! What core's code touches of the simulated world: its clock, its chance, its broker, and the places where it is stopped.
//!
//! Code of core runs until nobody can go on; what it wanted from outside lies here then, and the world decides when, how
//! often and whether each of it happens.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use saoma_channels::{Chance, Clock, NoChance};
use saoma_protocol::{Millis, TerminalId, topic::Topic};
use saoma_server::fleet::{broker::BrokerError, publisher::Publisher};
use saoma_store::{Moment, Pause, StoreError, Waited};
use tokio::sync::oneshot;

use super::{
    caller::Call,
    luck::{Luck, Mishaps, Rates},
};

/// When every run begins: 2026-09-21 23:58 UTC, so that midnight, which voids are bound to, falls into it.
pub const BEGIN: i64 = 1_790_035_080_000;

/// What core's code wants from outside.
pub enum Wanted {
    /// A caller of the store waits to go on.
    Gate {
        release: oneshot::Sender<()>,
        hold_ms: i64,
    },
    /// The process ends here.
    Crash {
        node: usize,
    },
    Call(Call),
    Publish {
        topic: Topic,
        payload: Vec<u8>,
    },
    /// An answer of `super::door` is ready.
    Served {
        request: u64,
        answer: super::door::Answer,
    },
}

pub struct Inner {
    pub now_ms: i64,
    /// How far each clock is off; core's nodes first, then the terminals.
    pub clocks_ms: Vec<i64>,
    pub luck: Luck,
    pub rates: Rates,
    pub mishaps: Mishaps,
    pub wanted: Vec<Wanted>,
    /// Terminals that have a connection to the broker.
    pub connected: Vec<TerminalId>,
    /// Something was committed since the workers last looked.
    pub commits: u64,
    trace: Trace,
}

/// What happened, as one number, and in words if somebody will read them.
pub struct Trace {
    hash: u64,
    line: String,
    lines: Option<Vec<String>>,
}

/// Cheap to clone; all clones are one world.
#[derive(Clone)]
pub struct Wires(Arc<Mutex<Inner>>);

impl Wires {
    #[must_use]
    pub fn new(seed: u64, n_clocks: usize, mishaps: Mishaps, in_words: bool) -> Self {
        let mut luck = Luck::of(seed, "world");
        let rates = Rates::draw(&mut luck);
        let trace = Trace { hash: 0xcbf2_9ce4_8422_2325, line: String::new(), lines: in_words.then(Vec::new) };
        Self(Arc::new(Mutex::new(Inner {
            now_ms: 0,
            clocks_ms: vec![0; n_clocks],
            luck,
            rates,
            mishaps,
            wanted: Vec::new(),
            connected: Vec::new(),
            commits: 0,
            trace,
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time on clock `who`.
    #[must_use]
    pub fn clock(&self, who: usize) -> Millis {
        let inner = self.lock();
        Millis(BEGIN + inner.now_ms + inner.clocks_ms.get(who).copied().unwrap_or(0))
    }

    pub fn note(&self, words: fmt::Arguments<'_>) {
        self.lock().note(words);
    }

    pub fn want(&self, wanted: Wanted) {
        self.lock().wanted.push(wanted);
    }

    /// Stops callers of the store on node `node` where chance says.
    #[must_use]
    pub fn pause(&self, node: usize) -> Pause {
        let wires = self.clone();
        Arc::new(move |moment| wires.stop(node, moment))
    }

    fn stop(&self, node: usize, moment: Moment) -> Option<Waited> {
        let mut inner = self.lock();
        if moment == Moment::AfterCommit {
            inner.commits += 1;
        }
        let (crash, failing, held) = (inner.rates.core_crash, inner.rates.database_fails, inner.rates.held);
        let what = match moment {
            Moment::BeforeRead => "core dies before it reads",
            Moment::BeforeWrite => "core dies before a commit",
            Moment::AfterCommit => "core dies right after a commit",
        };
        let chance = if moment == Moment::BeforeRead { crash / 4 } else { crash };
        if inner.strikes(chance, what) {
            inner.wanted.push(Wanted::Crash { node });
            return Some(Box::pin(std::future::pending()));
        }
        if inner.strikes(failing, "the database fails core") {
            return Some(Box::pin(std::future::ready(Err(database_error(&mut inner.luck, moment)))));
        }
        if !inner.luck.permille(held) {
            return None;
        }
        let hold_ms = inner.luck.pick(&[0, 0, 1, 5, 20, 100]);
        let (release, released) = oneshot::channel();
        inner.wanted.push(Wanted::Gate { release, hold_ms });
        Some(Box::pin(async move {
            let _ = released.await;
            Ok(())
        }))
    }

    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lock().trace.hash
    }

    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().trace.lines.take().unwrap_or_default()
    }
}

/// What a database says that goes away: before a transaction that it did nothing, at a commit that nobody knows.
fn database_error(luck: &mut Luck, moment: Moment) -> StoreError {
    let why = "the server closed the connection".to_owned();
    match moment {
        Moment::AfterCommit => StoreError::InDoubt { why },
        Moment::BeforeWrite if luck.permille(500) => StoreError::InDoubt { why },
        Moment::BeforeRead | Moment::BeforeWrite => StoreError::Unavailable { why },
    }
}

impl Inner {
    /// Whether a mishap of that likelihood happens now.
    pub fn strikes(&mut self, chance: u32, what: &'static str) -> bool {
        let struck = self.mishaps.strikes(&mut self.luck, chance, what, self.now_ms);
        if struck {
            let number = self.mishaps.struck.len() - 1;
            self.note(format_args!("f{number}: {what}"));
        }
        struck
    }

    pub fn note(&mut self, words: fmt::Arguments<'_>) {
        let now_ms = self.now_ms;
        let trace = &mut self.trace;
        trace.line.clear();
        // Writing to a String does not fail.
        let _ = write!(trace.line, "{:>5}.{:03} {words}", now_ms / 1_000, now_ms % 1_000);
        for byte in trace.line.bytes() {
            trace.hash = (trace.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut trace.lines {
            lines.push(trace.line.clone());
        }
    }
}

/// A clock of the world.
pub struct SetClock {
    pub wires: Wires,
    pub who: usize,
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        self.wires.clock(self.who)
    }
}

impl Chance for Wires {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoChance> {
        self.lock().luck.fill(bytes);
        Ok(())
    }
}

#[async_trait]
impl Publisher for Wires {
    async fn is_connected(&self, terminal: TerminalId) -> bool {
        self.lock().connected.contains(&terminal)
    }

    async fn publish(&self, topic: Topic, payload: Vec<u8>) -> Result<(), BrokerError> {
        self.want(Wanted::Publish { topic, payload });
        Ok(())
    }
}
