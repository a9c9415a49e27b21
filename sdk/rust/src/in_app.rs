//! For authors of channels that serve apps (`sdk/wit/0.2.0/in-app.wit`): paying from a page that is open in an app's own browser.
//!
//! Such a channel implements [`Guest`] beside the channel's own, and has a second line that exports it:
//! `saoma_channel_sdk::in_app::export!(MyChannel)`.

/// The generated bindings.
#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.2.0",
        world: "in-app-part",
        with: { "saoma:channel/types@0.2.0": crate::bindings::saoma::channel::types },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "saoma_channel_sdk::in_app::bindings",
    });
}

pub use bindings::{
    export,
    exports::saoma::channel::in_app::{App, BridgeCall, Guest, Step},
};
