//! `clock`: the time, as core has it (and as WASI's clock says it to the guest's standard library).

use std::{sync::Arc, time::Duration};

use wasmtime_wasi::clocks::HostWallClock;

use super::CallState;
use crate::{bindings::clock::Host, ports::Clock};

impl Host for CallState {
    fn now(&mut self) -> wasmtime::Result<i64> {
        Ok(self.given()?.ports.clock.now().0)
    }
}

/// Core's clock for `SystemTime::now()` in a guest.
pub(crate) struct WallClock(pub(crate) Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0))
    }
}
