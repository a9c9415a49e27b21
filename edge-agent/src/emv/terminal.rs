//! What the terminal says of itself and of the sale, as the card's lists ask for it (EMV Book 4, annex A; Book 3, annex A).

use saoma_protocol::{Amount, Millis, Sequence};
use time::{OffsetDateTime, UtcOffset};

use super::tlv::Data;

/// This kind of terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// ISO 3166-1 numeric, as in tag 9F1A.
    pub country: u16,
    /// Whether a PIN can be keyed on a pad that encrypts it.
    pub has_pin_pad: bool,
    pub has_stripe: bool,
}

/// What is paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub amount: Amount,
    pub at: Millis,
    pub utc_offset_minutes: i32,
    /// Of this terminal, for tag 9F41.
    pub counter: Sequence,
    /// Drawn anew for each card (tag 9F37).
    pub unpredictable: [u8; 4],
}

/// A number in packed digits, its last at the right.
#[must_use]
pub fn packed<const N: usize>(mut number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for byte in bytes.iter_mut().rev() {
        let pair = number % 100;
        number /= 100;
        // Two digits: below 0x9a.
        *byte = (pair / 10 * 16 + pair % 10) as u8;
    }
    bytes
}

impl Purchase {
    /// [`day_and_time`] of it.
    pub(super) fn day_and_time(&self) -> ([u8; 3], [u8; 3]) {
        day_and_time(self.at, self.utc_offset_minutes)
    }
}

/// The shop's day as `YYMMDD`, and its time, in packed digits.
#[must_use]
pub fn day_and_time(at: Millis, utc_offset_minutes: i32) -> ([u8; 3], [u8; 3]) {
    let offset = UtcOffset::from_whole_seconds(utc_offset_minutes.saturating_mul(60)).unwrap_or(UtcOffset::UTC);
    let at = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let at = at.checked_to_offset(offset).unwrap_or(at);
    let pair = |number: i32| packed::<1>(u64::try_from(number.rem_euclid(100)).unwrap_or(0))[0];
    let day = [pair(at.year()), pair(i32::from(u8::from(at.month()))), pair(i32::from(at.day()))];
    (day, [at.hour(), at.minute(), at.second()].map(|number| pair(i32::from(number))))
}

/// Attended, of a merchant, online only.
const TERMINAL_TYPE: u8 = 0x21;
/// Goods and services.
const PURCHASE: u8 = 0x00;

/// What the terminal brings to the dialogue.
pub(super) fn data(terminal: &Terminal, purchase: &Purchase) -> Data {
    let mut data = Data::default();
    let (day, time) = purchase.day_and_time();
    let minor = u64::try_from(purchase.amount.minor()).unwrap_or(0);
    data.set(0x9f02, packed::<6>(minor));
    data.set(0x9f03, [0; 6]);
    data.set(0x81, u32::try_from(minor).unwrap_or(u32::MAX).to_be_bytes());
    data.set(0x9f1a, packed::<2>(u64::from(terminal.country)));
    data.set(0x5f2a, packed::<2>(u64::from(purchase.amount.currency().numeric())));
    data.set(0x5f36, [purchase.amount.currency().minor_digits()]);
    data.set(0x9a, day);
    data.set(0x9f21, time);
    data.set(0x9c, [PURCHASE]);
    data.set(0x9f37, purchase.unpredictable);
    data.set(0x9f35, [TERMINAL_TYPE]);
    data.set(0x9f33, capabilities(terminal));
    // Goods and services; keys, a printer for people.
    data.set(0x9f40, [0x60, 0x00, 0xf0, 0xa0, 0x01]);
    data.set(0x9f41, packed::<4>(purchase.counter.0 % 100_000_000));
    data
}

/// Tag 9F33: stripe, chip; PIN online, signature, nothing; no authentication without the issuer.
fn capabilities(terminal: &Terminal) -> [u8; 3] {
    let stripe = if terminal.has_stripe { 0x40 } else { 0 };
    let pin = if terminal.has_pin_pad { 0x40 } else { 0 };
    [0x20 | stripe, 0x28 | pin, 0x00]
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;

    #[test]
    fn a_sale_is_told_in_packed_digits_and_in_the_shops_time() {
        let purchase = Purchase {
            amount: Amount::new(1250, Currency::CNY).unwrap(),
            // 2026-11-27 20:00:09 UTC
            at: Millis(1_795_809_609_000),
            utc_offset_minutes: 480,
            counter: Sequence(7),
            unpredictable: [1, 2, 3, 4],
        };
        let terminal = Terminal { country: 156, has_pin_pad: true, has_stripe: true };
        let data = data(&terminal, &purchase);
        for (tag, value) in [
            (0x9f02, "000000001250"),
            (0x9f1a, "0156"),
            (0x5f2a, "0156"),
            (0x9a, "261128"),
            (0x9f21, "040009"),
            (0x9f33, "606800"),
            (0x9f41, "00000007"),
        ] {
            assert_eq!(hex::encode(data.get(tag).unwrap()), value, "{tag:x}");
        }
    }
}
