//! Wasmtime, set up once: what is switched on, how large the pool is and what that costs, and the ticking of epochs.

use std::{thread, time::Duration};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::failure::HostError;

/// Most linear memory of one instance: a Rust channel uses 1 to 2 MiB, a Python one about 40.
pub const MEMORY_BYTES_DEFAULT: usize = 64 << 20;

/// Longest that a plugin's own code runs in one call. A Rust channel runs for less than 1 ms, a Python one for some 10.
pub const RUNNING_MS_DEFAULT: u64 = 2_000;

/// How often running code has to let others have a turn, and so how finely deadlines are kept.
pub(crate) const TICK_MS: u64 = 10;

/// Guest stack. Rust guests bring a shadow stack of 1 MiB in their own memory; this is for call frames alone.
const WASM_STACK_BYTES: usize = 512 << 10;

/// Guest and host frames of one call together; Wasmtime wants more than the guest's share.
const FIBER_STACK_BYTES: usize = 1 << 20;

/// Elements of each table. Rust guests have some hundred functions in theirs, a JavaScript engine about 8,000.
const TABLE_ELEMENTS: usize = 20_000;

/// Core modules in one component: 4 in a Rust one (itself, and the shims that link it), some 40 in a Python one.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;

/// Linear memories of one component: one, and one more for components that are put together of two.
const MEMORIES_PER_COMPONENT: u32 = 2;

/// Tables of one component: its own, and one for each shim.
const TABLES_PER_COMPONENT: u32 = 8;

pub(crate) fn build(memory_bytes_max: usize, instances_max: u32) -> Result<Engine, HostError> {
    let mut pool = PoolingAllocationConfig::new();
    // As much for each place as the largest component may take: a place that is had can always be used, whatever the others do.
    pool.total_component_instances(instances_max)
        // A count, not memory.
        .total_core_instances(instances_max.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        // Address space, not memory: 4 GiB + guard each, which is what lets bounds checks be left out. 1,024 × 2 × 4 GiB =
        // 8 TiB of the 85 TiB that can be had in one piece (`quotas.rs`).
        .total_memories(instances_max.saturating_mul(MEMORIES_PER_COMPONENT))
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memory_size(memory_bytes_max)
        // 20,000 × 8 bytes of address space each, 1.3 GB in all, touched as far as used.
        .total_tables(instances_max.saturating_mul(TABLES_PER_COMPONENT))
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS)
        // Address space of FIBER_STACK_BYTES each, touched as far as used.
        .total_stacks(instances_max)
        // Nothing of a freed memory is wiped in place: its first pages would be, which are the unused end of a Rust guest's stack,
        // and each place would hold them ever after. 8 KiB of each stack are: they spare page faults on reuse and cost 8 MiB at most.
        .linear_memory_keep_resident(0)
        .async_stack_keep_resident(8 << 10)
        // Slots that still hold a plugin's image and may stay so: what keeps the next call of the same plugin cheap.
        .max_unused_warm_slots(instances_max);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        // One call must not read what the last left on its stack.
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .wasm_component_model(true);
    Engine::new(&config).map_err(|error| HostError::Engine(format!("{error:#}")))
}

/// Starts the thread that advances the engine's epoch. It ends by itself when the engine is gone.
pub(crate) fn tick(engine: &Engine) -> Result<(), HostError> {
    let weak = engine.weak();
    thread::Builder::new()
        .name("plugin-epochs".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(TICK_MS));
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })
        .map(drop)
        .map_err(|error| HostError::Engine(format!("no thread for epochs: {error}")))
}
