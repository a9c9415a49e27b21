//! For authors of payment channels: the contract's types (`sdk/wit/0.2.0`) in Rust, and the few things every channel needs.
//!
//! A channel is a type that implements [`Guest`], and one line that exports it:
//!
//! ```ignore
//! use saoma_channel_sdk::{Account, Created, Error, Guest, Order /* … */};
//!
//! struct MyChannel;
//!
//! impl Guest for MyChannel {
//!     fn create(account: Account, order: Order) -> Result<Created, Error> {
//!         let settings: Settings = saoma_channel_sdk::settings(&account)?;
//!         // put the order into the scheme's words, send it, report what the scheme said
//!     }
//!     // …
//! }
//!
//! saoma_channel_sdk::export!(MyChannel);
//! ```
//!
//! Keep the scheme's words (build, parse, sign) in a module without imports of the host, and test that one natively.

/// The generated bindings: everything of the contract is in here, what channels use most is re-exported below.
#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/0.2.0",
        world: "payment-channel",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "saoma_channel_sdk::bindings",
    });
}

mod address;
pub mod extension;
mod failed;
pub mod in_app;
mod money;
mod seal;
pub mod settlement;
mod sign;
pub mod stored;
pub mod tcp;
mod text;
mod web;

pub use saoma_protocol::code::{emvco, tlv};

pub use address::web_path;
pub use bindings::{
    export,
    exports::saoma::channel::channel::{
        BillKind, BillLine, BillPage, BillRow, Created, DisputeNews, DisputeNotice, Guest, HttpMessage, HttpReply,
        NotificationError, NotificationEvent, NotificationOutcome,
    },
    saoma::channel::{
        card, clock, keys, kv, log, random,
        types::{
            Account, BillTerms, Cadence, Capability, Claim, DigitClaim, Error, Failure, HostPattern, KnownOrder,
            Manifest, Money, Order, PaymentAnswer, PaymentStatus, Presenter, RefundAnswer, RefundOrder, RefundStatus,
            SecretKind, SecretSpec,
        },
    },
};
pub use failed::{check_fields, declined, misconfigured, no_answer, not_sent, settings};
pub use money::{MoneyText, decimal, from_decimal};
pub use seal::{aes_gcm_open, envelope_open};
pub use sign::{from_hex, hmac_hex, hmac_verifies, random_hex, rsa_sign, rsa_verifies, rsa_verifies_with, to_hex};
pub use text::{is_garbled, text};
pub use web::{Reply, Request};
