//! For authors of card channels whose scheme takes advices (the world `forwarding-channel`): its function in Rust.
//!
//! Such a channel implements this [`Guest`] beside the crate's, and has a second line `saoma_channel_sdk::stored::export!(MyChannel)`.
//! The host finds the export, and core forwards through it what terminals sold without a network.

/// The generated bindings.
#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.2.0",
        world: "forwards",
        with: { "saoma:channel/types@0.2.0": crate::bindings::saoma::channel::types },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "saoma_channel_sdk::stored::bindings",
    });
}

pub use bindings::{export, exports::saoma::channel::stored::Guest};
