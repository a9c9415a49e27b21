//! What is in the codes that are scanned.

pub mod ber;
pub mod emvco;
pub mod tlv;
