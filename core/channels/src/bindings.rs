//! The one `bindgen!` of the house: Rust types and traits from `sdk/wit`.

wasmtime::component::bindgen!({
    path: "../../sdk/wit",
    world: "payment-channel",
    imports: {
        // These wait for the network or a database, so they suspend the guest instead of holding a thread.
        "saoma:channel/http.send": async | trappable,
        "saoma:channel/kv": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});

pub(crate) use exports::saoma::channel::channel as contract;
pub(crate) use saoma::channel::{clock, http, kv, log, random, secrets, types};
