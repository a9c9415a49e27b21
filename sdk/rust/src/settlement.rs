//! For authors of channels whose scheme wants batches closed (the world `settling-channel`): its types in Rust.
//!
//! Such a channel implements this [`Guest`] beside the crate's, and has a second line
//! `saoma_channel_sdk::settlement::export!(MyChannel)`. The host finds the export, and core settles with it.

/// The generated bindings.
#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.2.0",
        world: "settles",
        with: { "saoma:channel/types@0.2.0": crate::bindings::saoma::channel::types },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "saoma_channel_sdk::settlement::bindings",
    });
}

pub use bindings::{
    export,
    exports::saoma::channel::settlement::{Batch, Guest, Row, RowKind, Settled, SettlementTerms, Tally, Total},
};
