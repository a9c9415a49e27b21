//! What keeping an instance for the next call would save, per language: the host makes a fresh one for each call, and this is the figure
//! behind that (sdk/wit/README.md).
//!
//! Wasmtime as the host sets it up for a call, and nothing of the host around it: the component's imports trap, but for the one that the call makes
//! (the signature fits). One line each: `channels/kept sandbox fresh_p50_us=… fresh_p99_us=… kept_p50_us=… kept_p99_us=… fresh_mib=…
//! kept_mib=…`: the work of the other benches (a signed notification), and the instance's linear memory after one call and after all.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use measure::{SAMPLES_SLOW, component, notification, percentiles};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store,
    component::{Component, Func, InstancePre, Linker, Val},
};

const COMPONENTS: [&str; 3] = ["sandbox", "sandbox-js", "sandbox-python"];
const CONTRACT: &str = "saoma:channel/channel@0.2.0";
const SECRETS: &str = "saoma:channel/secrets@0.2.0";
/// More than a component of any language takes, as in the host's own pool.
const CORE_INSTANCES: u32 = 64;
const TABLE_ELEMENTS: usize = 20_000;
const MEMORY_BYTES_MAX: usize = 256 << 20;

/// Bytes of linear memory.
#[derive(Default)]
struct Memory(usize);

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.0 += desired - current;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

impl Memory {
    fn mib(&self) -> f64 {
        self.0 as f64 / f64::from(1 << 20)
    }
}

fn main() {
    COMPONENTS.iter().for_each(|name| measure(name, &component(name)));
}

fn measure(name: &str, component: &[u8]) {
    let engine = engine();
    let pre = linked(&engine, component);
    let arguments = arguments();
    let fresh = || {
        let mut store = store(&engine);
        let function = instantiated(&pre, &mut store);
        called(function, &mut store, &arguments);
        store
    };
    let fresh_mib = fresh().data().mib();
    let (fresh_p50, fresh_p99) = percentiles(SAMPLES_SLOW, || drop(fresh()));
    let mut store = store(&engine);
    let function = instantiated(&pre, &mut store);
    let (kept_p50, kept_p99) = percentiles(SAMPLES_SLOW, || called(function, &mut store, &arguments));
    println!(
        "channels/kept {name} fresh_p50_us={fresh_p50:.1} fresh_p99_us={fresh_p99:.1} kept_p50_us={kept_p50:.1} \
         kept_p99_us={kept_p99:.1} fresh_mib={fresh_mib:.1} kept_mib={:.1} of={SAMPLES_SLOW}",
        store.data().mib(),
    );
}

/// What of core/channels/src/engine.rs the time of a call hangs on.
fn engine() -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_tables_per_module(4)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS)
        .total_component_instances(4)
        .total_core_instances(4 * CORE_INSTANCES)
        .total_memories(8)
        .total_tables(32)
        .linear_memory_keep_resident(0);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .memory_init_cow(true)
        .wasm_component_model(true);
    Engine::new(&config).expect("an engine")
}

fn linked(engine: &Engine, component: &[u8]) -> InstancePre<Memory> {
    let component = Component::new(engine, component).expect("a component");
    let mut linker = Linker::new(engine);
    let mut secrets = linker.instance(SECRETS).expect("a name");
    secrets
        .func_new("hmac-sha256-verify", |_, _, _, results| {
            results[0] = Val::Result(Ok(Some(Box::new(Val::Bool(true)))));
            Ok(())
        })
        .expect("a name");
    linker.define_unknown_imports_as_traps(&component).expect("the rest");
    linker.instantiate_pre(&component).expect("it fits")
}

fn store(engine: &Engine) -> Store<Memory> {
    let mut store = Store::new(engine, Memory::default());
    store.limiter(|memory| memory);
    store.set_epoch_deadline(1);
    store
}

fn instantiated(pre: &InstancePre<Memory>, store: &mut Store<Memory>) -> Func {
    let instance = pre.instantiate(&mut *store).expect("an instance");
    let contract = instance.get_export_index(&mut *store, None, CONTRACT).expect("the contract");
    let function = instance.get_export_index(&mut *store, Some(&contract), "parse-notification").expect("the function");
    instance.get_func(store, function).expect("a function")
}

fn arguments() -> [Val; 2] {
    let text = |text: &str| Val::String(text.to_owned());
    let record = |fields: Vec<(&str, Val)>| {
        Val::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let account =
        measure::account(String::new(), r#"{"base_url":"https://wallet.example","merchant_id":"m-1"}"#.to_owned());
    let message = notification();
    let headers = message.headers.iter().map(|(name, value)| Val::Tuple(vec![text(name), text(value)]));
    [
        record(vec![
            ("id", text(&account.id.to_string())),
            ("settings-json", text(&account.settings_json)),
            ("notify-url", text("")),
        ]),
        record(vec![
            ("headers", Val::List(headers.collect())),
            ("body", Val::List(message.body.iter().copied().map(Val::U8).collect())),
        ]),
    ]
}

fn called(function: Func, store: &mut Store<Memory>, arguments: &[Val]) {
    let mut results = [Val::Bool(false)];
    function.call(store, arguments, &mut results).expect("an answer");
    assert!(matches!(&results[0], Val::Result(Ok(Some(_)))), "{results:?}");
}
