//! What one call of a rule can reach: an empty machine, and the log.

use std::sync::Arc;

use wasmtime::{
    Engine, Store,
    component::{HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    bindings::{log, rules::MerchantExtension},
    host::{HANDLES_MAX, Misuse, empty_world, log::Lines},
    memory::MemoryLimit,
    ports::Clock,
};

/// Most bytes that a rule hands over in one crossing: a hundred times what the contract's largest answer has.
const CROSSING_BYTES_MAX: usize = 256 << 10;

pub(crate) struct RuleState {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(super) memory: MemoryLimit,
    /// Ticks at which its code was found running.
    pub(super) ticks_running: u64,
    /// Not while it describes itself.
    may_log: bool,
    log: Lines,
}

impl RuleState {
    pub(super) fn new(memory: MemoryLimit, clock: Arc<dyn Clock>, may_log: bool) -> Self {
        let (wasi, table) = empty_world(clock);
        Self { wasi, table, memory, ticks_running: 0, may_log, log: Lines::of_this_call() }
    }

    /// A store that keeps to the limits of this call.
    pub(super) fn into_store(self, engine: &Engine) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(CROSSING_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store
    }
}

/// All that is within a rule's reach.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<RuleState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    MerchantExtension::add_to_linker::<RuleState, HasSelf<RuleState>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl log::Host for RuleState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if !self.may_log {
            return Err(wasmtime::Error::new(Misuse("`describe` must not call any import".to_owned())));
        }
        self.log.write(level, message, None);
        Ok(())
    }
}

impl WasiView for RuleState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
