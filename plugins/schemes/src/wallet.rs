//! The Sandbox Wallet: a scheme that exists to be broken on purpose. `PROTOCOL.md` says what it does.
//!
//! The rules ([`book`], [`account`], [`fault`], [`bill`], [`gate`]) are plain functions of their arguments: no clock, no
//! chance, no I/O. [`scheme`] holds all state behind one lock. The rim ([`server`], [`http`], [`notify`], [`pages`])
//! brings the time, the random numbers and the network. Nothing is kept on disk: a restart is an empty scheme.

pub mod account;
pub mod amount;
pub mod bill;
pub mod book;
pub mod fault;
pub mod gate;
mod http;
mod notify;
pub mod order;
mod pages;
pub mod refusal;
pub mod scheme;
pub mod server;
pub mod signature;
mod stage;

pub use server::{Config, Running, start};
