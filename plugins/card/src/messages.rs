//! The acquirer's wire, pure: what is sent, what an answer means.
//!
//! [`build`] makes messages, [`batch`] those that close a batch, [`codec`] makes bytes of them, [`read`] looks at answers. No host in here.

pub mod batch;
pub mod build;
pub mod codec;
pub mod moment;
pub mod read;
pub mod settings;

pub use settings::Settings;
