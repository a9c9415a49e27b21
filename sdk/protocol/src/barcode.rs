//! Barcodes of goods, as a merchant writes them down and a scanner reads them.
//!
//! EAN-8, EAN-13 and UPC-A have a check digit (GS1 General Specifications 24, section 7.9), which is checked: a code of 8, 12 or
//! 13 digits is one of them or a mistake. Everything else is a code of the merchant's own.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Longest barcode, in characters.
pub const BARCODE_LEN_MAX: usize = 32;

/// A barcode: 1 to [`BARCODE_LEN_MAX`] characters of visible ASCII. A UPC-A is held as the EAN-13 that it is (with a nought before
/// it): some scanners say it one way and some the other.
///
/// ```
/// # use saoma_protocol::barcode::Barcode;
/// let upc: Barcode = "036000291452".parse().unwrap();
/// assert_eq!(upc, "0036000291452".parse().unwrap());
/// assert!("036000291453".parse::<Barcode>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Barcode(String);

/// Why a text is no barcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BarcodeError {
    #[error("a barcode has 1 to {BARCODE_LEN_MAX} visible ASCII characters and no spaces")]
    Characters,
    #[error("the last digit should be {expected}: a code of 8, 12 or 13 digits ends in a check digit")]
    CheckDigit { expected: u8 },
}

impl Barcode {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Barcode {
    type Err = BarcodeError;

    fn from_str(text: &str) -> Result<Self, BarcodeError> {
        let is_graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_graphic || !(1..=BARCODE_LEN_MAX).contains(&text.len()) {
            return Err(BarcodeError::Characters);
        }
        if !matches!(text.len(), 8 | 12 | 13) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        let (digits, last) = text.split_at(text.len() - 1);
        let expected = check_digit(digits);
        if last.as_bytes() != [b'0' + expected] {
            return Err(BarcodeError::CheckDigit { expected });
        }
        Ok(Self(if text.len() == 12 { format!("0{text}") } else { text.to_owned() }))
    }
}

/// From the right, the digits count three times and once in turn; the check digit makes the sum a multiple of ten.
fn check_digit(digits: &str) -> u8 {
    let weighted = digits.bytes().rev().enumerate().map(|(place, digit)| {
        let weight = if place % 2 == 0 { 3 } else { 1 };
        weight * u32::from(digit - b'0')
    });
    let sum: u32 = weighted.sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

impl fmt::Display for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Barcode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_that_other_people_printed() {
        // EAN-13 and EAN-8 of GS1's own examples, a UPC-A of a package, an ISBN.
        for (text, held) in [
            ("4006381333931", "4006381333931"),
            ("9780306406157", "9780306406157"),
            ("73513537", "73513537"),
            ("96385074", "96385074"),
            ("036000291452", "0036000291452"),
            ("0036000291452", "0036000291452"),
            ("A", "A"),
            ("tea-01/L", "tea-01/L"),
            ("1234567", "1234567"),
            ("12345678901234", "12345678901234"),
            ("1234567x", "1234567x"),
        ] {
            assert_eq!(text.parse::<Barcode>().map(|code| code.to_string()), Ok(held.to_owned()), "{text}");
        }
        for (text, why) in [
            ("", BarcodeError::Characters),
            ("a b", BarcodeError::Characters),
            ("奶茶", BarcodeError::Characters),
            ("tea\n", BarcodeError::Characters),
            (&"9".repeat(33), BarcodeError::Characters),
            ("4006381333932", BarcodeError::CheckDigit { expected: 1 }),
            ("73513536", BarcodeError::CheckDigit { expected: 7 }),
            ("036000291450", BarcodeError::CheckDigit { expected: 2 }),
        ] {
            assert_eq!(text.parse::<Barcode>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_digit_read_wrong_is_noticed(digits in "[0-9]{12}", place in 0_usize..12, other in 1_u8..10) {
            let good = format!("{digits}{}", check_digit(&digits));
            prop_assert!(good.parse::<Barcode>().is_ok());
            let mut wrong = good.into_bytes();
            wrong[place] = b'0' + (wrong[place] - b'0' + other) % 10;
            prop_assert!(String::from_utf8(wrong).unwrap_or_default().parse::<Barcode>().is_err());
        }
    }
}
