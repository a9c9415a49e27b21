//! A card as a terminal sent it, read from its hexadecimal digits. Whether it opens is seen by the host alone.

use saoma_protocol::api::PresentedCard;

use super::{Card, EncryptedPin, KeptCard, dukpt::SERIAL_LEN};

/// A number of 19 digits, `=`, its expiry.
const NUMBER_BYTES_MAX: usize = 24;
/// 37 characters (ISO/IEC 7813), filled up.
const TRACK_2_BYTES_MAX: usize = 40;
/// Of a block of the cipher.
const BLOCK_BYTES: usize = 8;
const EMV_BYTES_MAX: usize = 512;

/// What a terminal sent is no card. `field` is below the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {what}")]
pub struct CardError {
    pub field: &'static str,
    pub what: &'static str,
}

impl Card {
    /// # Errors
    /// The first field that is wrong.
    pub fn read(sent: &PresentedCard) -> Result<Self, CardError> {
        let ksn = serial(&sent.ksn, "ksn")?;
        let number = bytes(&sent.number, "number")?;
        if number.is_empty() || number.len() > NUMBER_BYTES_MAX || !number.len().is_multiple_of(BLOCK_BYTES) {
            return Err(CardError { field: "number", what: "has 8, 16 or 24 bytes" });
        }
        let track_2 = sent.track_2.as_deref().map(|track| bytes(track, "track_2")).transpose()?;
        if track_2.as_ref().is_some_and(|track| {
            track.is_empty() || track.len() > TRACK_2_BYTES_MAX || !track.len().is_multiple_of(BLOCK_BYTES)
        }) {
            return Err(CardError { field: "track_2", what: "has 8 to 40 bytes, in blocks of 8" });
        }
        let pin = sent.pin.as_ref().map(|pin| {
            let block = bytes(&pin.block, "pin/block")?;
            let block = block.try_into().map_err(|_| CardError { field: "pin/block", what: "has 8 bytes" })?;
            Ok(EncryptedPin { ksn: serial(&pin.ksn, "pin/ksn")?, block })
        });
        let emv = bytes(sent.emv.as_deref().unwrap_or_default(), "emv")?;
        if emv.len() > EMV_BYTES_MAX {
            return Err(CardError { field: "emv", what: "has at most 512 bytes" });
        }
        let kept = KeptCard { entry: sent.entry, sequence_number: sent.sequence_number, ksn, number };
        Ok(Self { kept, track_2, pin: pin.transpose()?, emv })
    }
}

fn bytes(text: &str, field: &'static str) -> Result<Vec<u8>, CardError> {
    hex::decode(text).map_err(|_| CardError { field, what: "is written in hexadecimal digits, two for each byte" })
}

fn serial(text: &str, field: &'static str) -> Result<[u8; SERIAL_LEN], CardError> {
    bytes(text, field)?.try_into().map_err(|_| CardError { field, what: "has 10 bytes" })
}
