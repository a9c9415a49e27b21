//! What the far sides have in common: faults that are armed for the next request, the list of what was heard, a clock that can
//! be set, and the stage door by which a test plays customer and scheme (`STAGE.md`).
//!
//! A far side keeps its own orders and speaks its own wire. It calls [`Stage::enter`] when a request has come in, carries it
//! out unless the fault says otherwise, spoils what only it can (signatures, amounts), and lets the answer out by [`leave`].

mod dispute;
mod door;
mod fault;
mod spoil;

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use actix_web::{HttpRequest, web::Bytes};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

pub use dispute::{DisputeNews, DisputeSeen, DisputeTold};
pub(crate) use door::spawn;
pub use door::{BatchSeen, FarSide, Notification, OrderSeen, Running, Script, Unplayable, open_door, start};
pub use fault::{Act, Fault};
pub use spoil::leave;
pub(crate) use spoil::unanswered;

/// Requests kept for [`Stage::heard`]: more than any test sends, and no more than a demo's day may cost.
const HEARD_MAX: usize = 10_000;

/// The part of a far side that every scheme has.
#[derive(Default)]
pub struct Stage {
    state: Mutex<State>,
    ahead_ms: AtomicI64,
}

#[derive(Default)]
struct State {
    armed: BTreeMap<Act, VecDeque<Fault>>,
    heard: VecDeque<Heard>,
}

/// A request as it came in.
#[derive(Clone, Debug, Serialize)]
pub struct Heard {
    pub act: Act,
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body_base64: String,
    pub at_ms: i64,
}

/// Where this process writes down what it hears, if anywhere.
static KEPT: OnceLock<File> = OnceLock::new();

/// Appends every request from now on to a file, a line each, for whoever looks at what channels sent once the far side is gone.
/// Several processes may write to one file.
///
/// # Errors
/// If the file cannot be opened.
pub fn keep_heard(path: &Path) -> std::io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    KEPT.get_or_init(|| file);
    Ok(())
}

fn keep(mut file: &File, heard: &Heard) {
    let written = serde_json::to_vec(heard).map_err(std::io::Error::from).and_then(|mut line| {
        line.push(b'\n');
        // One write, so that lines of two processes do not mix.
        file.write_all(&line)
    });
    if let Err(error) = written {
        tracing::error!(%error, "a request could not be written down");
    }
}

impl Stage {
    /// The next request that asks for `act` and has no fault yet gets this one.
    pub fn arm(&self, act: Act, fault: Fault) {
        self.lock().armed.entry(act).or_default().push_back(fault);
    }

    /// Writes down a request, and says what is to go wrong with it.
    pub fn enter(&self, act: Act, request: &HttpRequest, body: &Bytes) -> Option<Fault> {
        let headers = request.headers().iter();
        self.note(Heard {
            act,
            method: request.method().to_string(),
            path: request.uri().to_string(),
            headers: headers
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body_base64: STANDARD.encode(body),
            at_ms: wall_ms(),
        })
    }

    /// The same of a message over TCP, which has neither path nor headers. `kind`: its type, in the scheme's words.
    pub fn enter_frame(&self, act: Act, kind: &str, message: &[u8]) -> Option<Fault> {
        self.note(Heard {
            act,
            method: kind.to_owned(),
            path: String::new(),
            headers: Vec::new(),
            body_base64: STANDARD.encode(message),
            at_ms: wall_ms(),
        })
    }

    fn note(&self, heard: Heard) -> Option<Fault> {
        let act = heard.act;
        if let Some(file) = KEPT.get() {
            keep(file, &heard);
        }
        let mut state = self.lock();
        if state.heard.len() == HEARD_MAX {
            state.heard.pop_front();
        }
        state.heard.push_back(heard);
        state.armed.get_mut(&act).and_then(VecDeque::pop_front)
    }

    /// All requests since the start or since [`Stage::forget_heard`], oldest first.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.lock().heard.iter().cloned().collect()
    }

    pub fn forget_heard(&self) {
        self.lock().heard.clear();
    }

    /// The scheme's clock, milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        wall_ms().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Sets the scheme's clock so far ahead of the machine's, or behind it.
    pub fn set_clock(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine's clock, milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
