//! The host of payment channels: each one a Wasm component under `sdk/wit`, each call a fresh instance of it.
//!
//! This is the only crate that knows Wasmtime. Nothing of a plugin outlives a call: a [`Plugin`] is compiled code and a
//! checked [`Manifest`]; what a call leaves behind is one typed answer or one [`Failure`], of that payment alone.
//!
//! What a plugin can do is what `host/` offers and no more: HTTP to the hosts that its manifest, the account's settings
//! and the operator all allow; keyed operations with secrets it never sees; a small store; log lines; time; random bytes.
//! It survives plugins that crash, never return, grow without end, recurse, flood or lie: each costs its own time slice.
//!
//! It does not retry, does not decide about money, and does not know any channel by name.
//!
//! ```no_run
//! # async fn example(account: saoma_channels::Account, order: saoma_channels::Order) -> Result<(), Box<dyn std::error::Error>> {
//! use saoma_channels::{ChannelCaller, Host, HostConfig};
//!
//! let host = Host::new(HostConfig::new("/var/lib/saoma/plugin-cache"))?;
//! host.install(&std::fs::read("sandbox.wasm")?).await?;
//! match host.charge(&account, &order, "880000000000000000").await {
//!     Ok(answer) => println!("{:?}", answer.status),
//!     Err(failure) if failure.may_have_taken_effect() => println!("unknown, to be queried: {failure}"),
//!     Err(failure) => println!("nothing happened: {failure}"),
//! }
//! # Ok(())
//! # }
//! ```

mod bindings;
mod call;
mod card;
pub mod conformance;
mod convert;
mod engine;
pub mod extension;
mod failure;
mod guests;
mod host;
pub mod in_app;
mod manifest;
mod memory;
mod message;
mod open_files;
pub mod package;
mod places;
mod ports;
mod quotas;
mod registry;
mod secret;
mod settings;
pub mod settlement;
mod versions;

pub use call::{NOTIFICATION_BYTES_MAX, QUEUE_WAIT_MS_MAX};
pub use card::{Card, CardEntry, CardError, EncryptedPin, KeptCard};
pub use failure::{CacheError, Failure, HostError, InstallError, NotificationFailure};
pub use host::{
    Host, HostConfig, Loaded,
    http::{Answer, Grant, GrantError, NotAnswered, Outgoing, url_is_allowed},
};
pub use manifest::{BillTerms, Cadence, Capability, HostPattern, Manifest, ManifestError, SecretKind, SecretSpec};
pub use message::{
    Account, BillLine, BillPage, BillRow, Created, Decline, DeclineCode, DisputeNotice, HttpMessage, HttpReply,
    KnownOrder, NotificationEvent, NotificationOutcome, Order, PaymentAnswer, PaymentStatus, Presenter, RefundAnswer,
    RefundOrder, RefundStatus,
};
pub use open_files::{TooFewFiles, make_room_for_connections};
pub use ports::{
    Chance, ChannelCaller, Clock, KeyStore, KeysUnreachable, KvError, KvStore, MemoryKeys, MemoryKv, NoChance,
    SystemChance, SystemClock, WorkingKeys, counted_on,
};
pub use quotas::{CALLS_MOST, CallsMax, MemoryMax};
pub use registry::{ContentHash, Origin, PLUGIN_BYTES_MAX, Plugin, Whose};
pub use saoma_domain::claim::Claim;
pub use secret::{SecretFault, Secrets};
pub use settings::{SETTINGS_BYTES_MAX, SchemaError, SettingsError, SettingsSchema};
