//! Rust types and traits from `sdk/wit`, of each version of the contract that the host runs. The newest is the one that the
//! rest of this crate speaks; `versions` puts the older one into its words.

pub(crate) mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.1.0",
        world: "payment-channel",
        imports: {
            "saoma:channel/http.send": async | trappable,
            "saoma:channel/kv": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

pub(crate) mod v0_2 {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.2.0",
        world: "payment-channel",
        imports: {
            // These wait for the network or a database, so they suspend the guest instead of holding a thread.
            "saoma:channel/http.send": async | trappable,
            "saoma:channel/http.send-with-query": async | trappable,
            "saoma:channel/kv": async | trappable,
            "saoma:channel/tcp.exchange": async | trappable,
            "saoma:channel/keys.load": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

/// What a channel may export beside `channel`.
pub(crate) mod settles {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.2.0",
        world: "settles",
        with: { "saoma:channel/types@0.2.0": crate::bindings::v0_2::saoma::channel::types },
        exports: { default: async },
    });
}

/// The same of a channel that forwards what was sold without a network.
pub(crate) mod forwards {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.2.0",
        world: "forwards",
        with: { "saoma:channel/types@0.2.0": crate::bindings::v0_2::saoma::channel::types },
        exports: { default: async },
    });
}

pub(crate) use settles::exports::saoma::channel::settlement;
pub(crate) use v0_2::{
    exports::saoma::channel::channel as contract,
    saoma::channel::{card, clock, http, keys, kv, log, random, secrets, tcp, types},
};

pub(crate) mod rules {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.2.0",
        world: "merchant-extension",
        with: { "saoma:channel/log@0.2.0": crate::bindings::v0_2::saoma::channel::log },
        imports: { default: trappable },
        exports: { default: async },
    });
}

/// What a channel may export beside the contract.
pub(crate) mod in_app {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit/0.2.0",
        world: "in-app-part",
        with: { "saoma:channel/types@0.2.0": crate::bindings::v0_2::saoma::channel::types },
        exports: { default: async },
    });
}
