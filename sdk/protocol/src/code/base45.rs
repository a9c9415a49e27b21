//! Base45 (RFC 9285): bytes in the 45 characters that a QR code writes in its dense alphanumeric mode.
//!
//! The space is one of the characters, also at the end: a text of it must not be trimmed.

/// RFC 9285, table 1.
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Why a text is not Base45. Offsets are bytes from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base45Error {
    #[error("the character at byte {offset} is none of the 45")]
    Character { offset: usize },
    #[error("the group at byte {offset} is cut off or stands for too large a number")]
    Group { offset: usize },
}

/// Two bytes are three characters, a single one at the end is two.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from(ALPHABET[value as usize % 45]);
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for pair in bytes.chunks(2) {
        let value = pair.iter().fold(0, |value, byte| value * 256 + u32::from(*byte));
        text.extend([digit(value), digit(value / 45)]);
        if pair.len() == 2 {
            text.push(digit(value / (45 * 45)));
        }
    }
    text
}

/// The bytes of a text; a text is that of one row of bytes only.
///
/// # Errors
/// By what comes first.
pub fn decode(text: &str) -> Result<Vec<u8>, Base45Error> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for (idx, group) in text.as_bytes().chunks(3).enumerate() {
        let offset = idx * 3;
        let mut value = 0;
        for (place, (letter, weight)) in group.iter().zip([1, 45, 45 * 45]).enumerate() {
            let digit = ALPHABET.iter().position(|known| known == letter);
            value += weight * digit.ok_or(Base45Error::Character { offset: offset + place })?;
        }
        match (group.len(), u16::try_from(value), u8::try_from(value)) {
            (3, Ok(value), _) => bytes.extend(value.to_be_bytes()),
            (2, _, Ok(value)) => bytes.push(value),
            _ => return Err(Base45Error::Group { offset }),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9285, sections 4.3 and 4.4.
    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, text) in
            [("AB", "BB8"), ("Hello!!", "%69 VD92EX0"), ("base-45", "UJCLQE7W581"), ("ietf!", "QED8WEX0"), ("", "")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(bytes.as_bytes()));
        }
        for (text, error) in [
            ("GGW", Base45Error::Group { offset: 0 }),
            ("BB8::", Base45Error::Group { offset: 3 }),
            ("BB8B", Base45Error::Group { offset: 3 }),
            ("BB8bb8", Base45Error::Character { offset: 3 }),
            ("BB好", Base45Error::Character { offset: 2 }),
        ] {
            assert_eq!(decode(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_no_text_is_another_writing_of_them(bytes: Vec<u8>, text in "[0-9A-Z $%*+./:-]{0,40}") {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
            if let Ok(read) = decode(&text) {
                prop_assert_eq!(encode(&read), text);
            }
        }
    }
}
