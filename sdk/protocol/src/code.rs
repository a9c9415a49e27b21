//! What is in the codes that are scanned.

pub mod base45;
pub mod ber;
pub mod emvco;
#[cfg(feature = "offline-codes")]
pub mod offline;
#[cfg(feature = "offline-codes")]
pub mod phone;
pub mod tlv;
