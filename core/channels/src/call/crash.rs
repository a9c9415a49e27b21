//! How a call ended that has no answer.

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::{
    convert,
    engine::TICK_MS,
    failure::Failure,
    host::{CallState, Misuse},
};

/// How far it had come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    Answer,
}

/// Whether the guest's own code ended the call: a trap, an exit, an import used against the contract.
pub(crate) fn is_crash(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<Trap>().is_some()
        || error.downcast_ref::<wasmtime_wasi::I32Exit>().is_some()
        || error.downcast_ref::<Misuse>().is_some()
}

/// What an error of the engine means. In order: no room, no memory, a crash, and else an answer that cannot be read.
pub(super) fn classify(step: Step, error: &wasmtime::Error, state: &CallState) -> Failure {
    tracing::debug!(error = %format!("{error:?}"), "plugin trapped");
    let why = convert::cut(&error.root_cause().to_string(), convert::WORDS_CHARS_MAX);
    let no_room = error.downcast_ref::<PoolConcurrencyLimitError>().is_some() || state.memory.was_crowded_out();
    // Others left it none, at whatever step: as long as nothing was handed to the network, nothing is in doubt.
    if no_room && !state.has_asked() {
        return Failure::Overloaded;
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return Failure::TimedOut { after_ms: state.ticks_running * TICK_MS };
    }
    if let Some(limit_bytes) = state.memory.refused_at {
        return Failure::OutOfMemory { limit_bytes };
    }
    if is_crash(error) || step == Step::Start { Failure::Trapped { why } } else { Failure::BadAnswer { why } }
}
