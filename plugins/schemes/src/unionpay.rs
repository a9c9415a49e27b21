//! UnionPay's Online Payment gateway (全渠道 5.1.0), as far as QR payments use it, simulated: what the published protocol says of
//! requests is checked, what it says of answers is answered.
//!
//! Where no public document says what happens, the choice is written down beside it, and in `plugins/unionpay/README.md`. One
//! merchant, with keys made for tests (`keys/unionpay`). Everything is in memory; it pushes no notification by itself.

mod bill;
mod book;
mod moment;
mod request;
mod side;
mod signature;
mod text;
mod wire;

use std::{net::SocketAddr, sync::Arc};

pub use side::UnionPay;

use crate::stage::{self, Running};

/// Starts the gateway, its bills and the stage door; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr) -> anyhow::Result<Running> {
    stage::start(&Arc::new(UnionPay::new()?), listen, None, wire::configure)
}
