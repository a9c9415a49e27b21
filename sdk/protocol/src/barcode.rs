//! Barcodes of goods, as a merchant writes them down and a scanner reads them.
//!
//! EAN-8, EAN-13 and UPC-A have a check digit (GS1 General Specifications 24, section 7.9), which is checked: a code of 8, 12 or
//! 13 digits is one of them or a mistake. Eight digits that are no EAN-8 may be a UPC-E, as scanners say the code of a small
//! package (section 5.2.2.4: number system 0 or 1, six digits, the check digit of the UPC-A that they stand for). One in ten of
//! them is an EAN-8 as well, and taken for that. Everything else is a code of the merchant's own, also 14 digits (GTIN-14).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Longest barcode, in characters.
pub const BARCODE_LEN_MAX: usize = 32;

/// A barcode: 1 to [`BARCODE_LEN_MAX`] characters of visible ASCII. A UPC-A, and a UPC-E, is held as the EAN-13 that it is (with a
/// nought before it): some scanners say it one way and some the other.
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
        match checked(text) {
            Ok(()) => Ok(Self(if text.len() == 12 { format!("0{text}") } else { text.to_owned() })),
            Err(expected) => {
                let upc_a = expanded(text).filter(|upc_a| checked(upc_a).is_ok());
                upc_a.map(|upc_a| Self(format!("0{upc_a}"))).ok_or(BarcodeError::CheckDigit { expected })
            }
        }
    }
}

/// `scanned` without what scanners add: line ends and spaces around it, and an AIM symbology identifier such as `]E0` before it
/// (ISO/IEC 15424).
#[must_use]
pub fn unprefixed(scanned: &str) -> &str {
    let text = scanned.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter.is_ascii_control());
    match text.as_bytes() {
        [b']', letter, digit, ..] if letter.is_ascii_alphabetic() && digit.is_ascii_alphanumeric() => &text[3..],
        _ => text,
    }
}

/// Whether digits end in their check digit; else the digit that it should be.
fn checked(digits: &str) -> Result<(), u8> {
    let (before, last) = digits.split_at(digits.len() - 1);
    let expected = check_digit(before);
    if last.as_bytes() == [b'0' + expected] { Ok(()) } else { Err(expected) }
}

/// The UPC-A that eight digits stand for, if they may be a UPC-E: its last digit says where the noughts were.
fn expanded(text: &str) -> Option<String> {
    let (system, rest) = text.split_at_checked(1)?;
    let (six, check) = rest.split_at_checked(6)?;
    if check.len() != 1 || !matches!(system, "0" | "1") {
        return None;
    }
    let (maker, item) = match six.as_bytes()[5] {
        last @ b'0'..=b'2' => (format!("{}{}00", &six[..2], char::from(last)), format!("00{}", &six[2..5])),
        b'3' => (format!("{}00", &six[..3]), format!("000{}", &six[3..5])),
        b'4' => (format!("{}0", &six[..4]), format!("0000{}", &six[4..5])),
        last => (six[..5].to_owned(), format!("0000{}", char::from(last))),
    };
    Some(format!("{system}{maker}{item}{check}"))
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
            // UPC-E, one for each way to leave noughts out, by the specification's table.
            ("01234505", "0012000003455"),
            ("01234514", "0012100003454"),
            ("04252614", "0042100005264"),
            ("01278907", "0012000007897"),
            ("06543236", "0065400000326"),
            ("01234543", "0012340000053"),
            // A UPC-E that is an EAN-8 as well.
            ("07654374", "07654374"),
            ("12345694", "12345694"),
            ("02345673", "02345673"),
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
            ("04252615", BarcodeError::CheckDigit { expected: 0 }),
            ("036000291450", BarcodeError::CheckDigit { expected: 2 }),
        ] {
            assert_eq!(text.parse::<Barcode>(), Err(why), "{text}");
        }
    }

    #[test]
    fn what_scanners_add_is_taken_off() {
        for (scanned, text) in [
            ("4006381333931\r\n", "4006381333931"),
            ("]E04006381333931", "4006381333931"),
            (" ]C1shop-7\t", "shop-7"),
            ("]Q3281234567890123456", "281234567890123456"),
            ("]E", "]E"),
            ("]奶茶", "]奶茶"),
            ("]E0", ""),
            ("", ""),
        ] {
            assert_eq!(unprefixed(scanned), text, "{scanned}");
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
