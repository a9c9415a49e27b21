//! PIN blocks (ISO 9564-1): out of the format 0 that terminals make, into the one that the acquirer wants.

use zeroize::Zeroizing;

use super::cipher::Schedule;

/// Digits of a PIN (ISO 9564-1:2017, section 8.1).
const PIN_LEN_MIN: usize = 4;
const PIN_LEN_MAX: usize = 12;

/// A PIN's digits, 0 to 9 each.
pub(crate) struct Pin(Zeroizing<Vec<u8>>);

impl Pin {
    /// Out of a format 0 block (ISO 9564-1:2017, section 9.3.2) in the clear, which was made for this card number. `None` if it was not.
    pub(crate) fn of_format_0(block: &[u8; 8], number: &str) -> Option<Self> {
        let mut field = Zeroizing::new(*block);
        field.iter_mut().zip(account_field(number)?.iter()).for_each(|(byte, account)| *byte ^= account);
        let halves: Zeroizing<Vec<u8>> = Zeroizing::new(field.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect());
        let (control, rest) = halves.split_at_checked(2)?;
        let [0, len] = *control else { return None };
        let len = usize::from(len);
        let (digits, fill) = rest.split_at_checked(len)?;
        let sound = (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&len)
            && digits.iter().all(|digit| *digit <= 9)
            && fill.iter().all(|half| *half == 0xf);
        sound.then(|| Self(Zeroizing::new(digits.to_vec())))
    }

    /// A format 0 block in the clear.
    pub(crate) fn to_format_0(&self, number: &str) -> Option<Zeroizing<[u8; 8]>> {
        let mut field = Zeroizing::new([0; 8]);
        self.write(&mut field[..], 0, 0xf);
        field.iter_mut().zip(account_field(number)?.iter()).for_each(|(byte, account)| *byte ^= account);
        Some(field)
    }

    /// A format 4 block (section 9.4.2), encrypted under a key of AES. `random`: what no other block has.
    pub(crate) fn to_format_4(&self, number: &str, random: &[u8; 8], key: &Schedule) -> Option<[u8; 16]> {
        let mut field = Zeroizing::new([0; 16]);
        self.write(&mut field[..8], 4, 0xa);
        field[8..].copy_from_slice(random);
        key.encrypt(field.as_mut_slice());
        let account = long_account_field(number)?;
        field.iter_mut().zip(account.iter()).for_each(|(byte, account)| *byte ^= account);
        key.encrypt(field.as_mut_slice());
        Some(*field)
    }

    /// Format, length, digits, fill.
    fn write(&self, field: &mut [u8], format: u8, fill: u8) {
        // At most twelve.
        let len = u8::try_from(self.0.len()).unwrap_or_default();
        let mut halves = [format, len].into_iter().chain(self.0.iter().copied()).chain(std::iter::repeat(fill));
        for byte in field {
            *byte = halves.next().unwrap_or(fill) << 4 | halves.next().unwrap_or(fill);
        }
    }
}

/// The twelve rightmost digits before the check digit, four zeros in front.
fn account_field(number: &str) -> Option<Zeroizing<[u8; 8]>> {
    let digits = number.get(..number.len().checked_sub(1)?)?;
    let digits = digits.get(digits.len().checked_sub(12)?..)?;
    let mut field = Zeroizing::new([0; 8]);
    hex::decode_to_slice(digits, &mut field[2..]).ok()?;
    Some(field)
}

/// How many digits there are beyond twelve, the digits, zeros.
fn long_account_field(number: &str) -> Option<Zeroizing<[u8; 16]>> {
    let more = number.len().checked_sub(12)?;
    let text = Zeroizing::new(format!("{more:x}{number:0<31}"));
    let mut field = Zeroizing::new([0; 16]);
    hex::decode_to_slice(text.as_bytes(), field.as_mut_slice()).ok()?;
    Some(field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::card::cipher::{Cipher, CipherKey};

    fn pin(text: &str) -> Pin {
        Pin(Zeroizing::new(text.bytes().map(|byte| byte - b'0').collect()))
    }

    /// The blocks that the Python package `psec` 1.3.0 makes.
    #[test]
    fn format_0() {
        for (digits, number, block) in [
            ("1234", "43219876543210987", "0412AC89ABCDEF67"),
            ("92389", "4000001234562000", "0592389EDCBA9DFF"),
            ("1234", "4012345678909", "041274EDCBA9876F"),
        ] {
            let made = pin(digits).to_format_0(number).expect("a block");
            assert_eq!(hex::encode_upper(*made), block);
            assert_eq!(Pin::of_format_0(&made, number).expect("opens").0, pin(digits).0);
        }
        // Of another card, another format, too short, without digits.
        for (block, number) in [
            ("0412AC89ABCDEF67", "43219876543219987"),
            ("1412AC89ABCDEF67", "43219876543210987"),
            ("0312AC89ABCDEF67", "43219876543210987"),
            ("041A74EDCBA9876F", "4012345678909"),
            ("041274EDCBA9876F", "401234567890"),
            ("041274EDCBA9876F", ""),
        ] {
            let block = hex::decode(block).expect("hex").try_into().expect("8 bytes");
            assert!(Pin::of_format_0(&block, number).is_none(), "{number}");
        }
    }

    /// Opened again as section 9.4.2 says, and by `psec` 1.3.0; the PAN field of the standard's example.
    #[test]
    fn format_4() {
        let field = long_account_field("432198765432109870").expect("a field");
        assert_eq!(hex::encode(*field), "64321987654321098700000000000000");
        assert_eq!(hex::encode(*long_account_field("123456789012").expect("12")), "01234567890120000000000000000000");
        assert!(long_account_field("12345678901").is_none());
        let key = hex::decode("00112233445566778899aabbccddeeff").expect("hex");
        let key = CipherKey::new(Cipher::Aes, Zeroizing::new(key)).expect("a key").schedule();
        let mut block = pin("1234").to_format_4("1234567890123456", &[0x5a; 8], &key).expect("a block");
        assert_eq!(hex::encode_upper(block), FORMAT_4);
        key.decrypt(&mut block);
        let account = long_account_field("1234567890123456").expect("a field");
        block.iter_mut().zip(account.iter()).for_each(|(byte, account)| *byte ^= account);
        key.decrypt(&mut block);
        assert_eq!(hex::encode(block), "441234aaaaaaaaaa5a5a5a5a5a5a5a5a");
    }

    const FORMAT_4: &str = "9B3C63774E07279D83E941A048D2A0BB";

    proptest! {
        #[test]
        fn what_goes_in_comes_out(digits in "[0-9]{4,12}", number in "[0-9]{13,19}") {
            let block = pin(&digits).to_format_0(&number).expect("a block");
            prop_assert_eq!(&Pin::of_format_0(&block, &number).expect("opens").0, &pin(&digits).0);
        }

        #[test]
        fn nothing_makes_it_panic(block in any::<[u8; 8]>(), number in "\\PC{0,24}") {
            let _ = Pin::of_format_0(&block, &number);
            let _ = long_account_field(&number);
        }
    }
}
