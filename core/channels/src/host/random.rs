//! `random`: unpredictable bytes.

use super::{CallState, Misuse};
use crate::bindings::random::Host;

/// Limit of the contract (`sdk/wit`, interface `random`).
const BYTES_MAX: u32 = 1_024;

impl Host for CallState {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        let given = self.given()?;
        if len > BYTES_MAX {
            return Err(Misuse(format!("asked for {len} random bytes; at most {BYTES_MAX} at once")).into());
        }
        let mut bytes = vec![0; usize::try_from(len)?];
        // No way to say no in this interface, and a guest that went on with zeros would sign with a guessable nonce.
        given.ports.chance.fill(&mut bytes)?;
        Ok(bytes)
    }
}
