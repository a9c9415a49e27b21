//! Receipt printers: one language (ESC/POS, [`escpos`]), spoken by one driver ([`driver`]) over several wires.
//!
//! The simulated printer is a wire too: it understands the bytes that a real one would get and draws them, so that what is
//! tested is what is sent.

pub mod driver;
pub mod escpos;
pub mod file;
mod layout;
mod paper;
mod render;
pub mod serial;
pub mod simulated;
pub mod tcp;
mod test_slip;

pub use driver::{EscPosPrinter, Wire};
