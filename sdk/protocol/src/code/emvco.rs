//! EMVCo's payment codes: [`MerchantCode`] that a shop shows, [`ConsumerCode`] that a customer shows.
//!
//! Sources: EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.1 and Consumer-Presented Mode 1.1. What a
//! national scheme puts into its own templates is left to that scheme's channel.

mod consumer;
mod merchant;

pub use consumer::{Application, ConsumerCode, ConsumerCodeError};
pub use merchant::{Account, LocalName, MerchantCode, MerchantCodeError, Tip, text_of};

/// The longest code of either kind, in characters.
pub const CODE_LEN_MAX: usize = 512;

/// CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xFFFF, nothing reflected or inverted (ISO/IEC 13239, as object 63 of a
/// merchant-presented code uses it). Over bytes: of a text, those of its UTF-8.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogues_check_value() {
        assert_eq!(super::crc16(b"123456789"), 0x29B1);
        assert_eq!(super::crc16(b""), 0xFFFF);
    }
}
