//! ISO 8583:1987 as terminals of China UnionPay write it: TPDU, header, message type, bitmap and fields, numbers packed two
//! digits to a byte. The table says how each field is written; a message is its fields.
//!
//! Source: ISO 8583:1987, section 4; UnionPay's POS terminal specification, field definitions.

use std::collections::BTreeMap;

/// TPDU (5) and header (6): what stands before the message type, and what no MAC covers.
pub const PREFIX_LEN: usize = 11;

/// A block of 8 bytes, or of as many as [`decode`] is told.
const PIN_BLOCK: u8 = 52;

/// Of a field's characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// n: packed, zeros in front of an odd number.
    Digits,
    /// n: packed, a zero behind an odd number.
    DigitsLeft,
    /// z: packed, `D` between number and expiry, a zero behind an odd number.
    Track,
    /// an, ans, b: a byte each.
    Bytes,
}

/// How many characters, and how many digits of length stand in front.
#[derive(Clone, Copy)]
enum Length {
    Fixed(usize),
    Two(usize),
    Three(usize),
}

use Form::{Bytes, Digits, DigitsLeft, Track};
use Length::{Fixed, Three, Two};

const FIELDS: &[(u8, Form, Length)] = &[
    (2, DigitsLeft, Two(19)),
    (3, Digits, Fixed(6)),
    (4, Digits, Fixed(12)),
    (11, Digits, Fixed(6)),
    (12, Digits, Fixed(6)),
    (13, Digits, Fixed(4)),
    (14, Digits, Fixed(4)),
    (15, Digits, Fixed(4)),
    (22, DigitsLeft, Fixed(3)),
    (23, Digits, Fixed(3)),
    (25, Digits, Fixed(2)),
    (26, Digits, Fixed(2)),
    (32, DigitsLeft, Two(11)),
    (35, Track, Two(37)),
    (36, Track, Three(104)),
    (37, Bytes, Fixed(12)),
    (38, Bytes, Fixed(6)),
    (39, Bytes, Fixed(2)),
    (41, Bytes, Fixed(8)),
    (42, Bytes, Fixed(15)),
    (44, Bytes, Two(25)),
    (48, DigitsLeft, Three(322)),
    (49, Bytes, Fixed(3)),
    (PIN_BLOCK, Bytes, Fixed(8)),
    (53, Digits, Fixed(16)),
    (54, Bytes, Three(20)),
    (55, Bytes, Three(255)),
    (58, Bytes, Three(100)),
    (59, Bytes, Three(600)),
    (60, DigitsLeft, Three(17)),
    (61, DigitsLeft, Three(29)),
    (62, Bytes, Three(512)),
    (63, Bytes, Three(163)),
    (64, Bytes, Fixed(8)),
];

/// What cannot be read, or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it ends in the middle of {0}")]
    Short(&'static str),
    #[error("it ends in the middle of field {0}")]
    ShortField(u8),
    #[error("{0} bytes follow its last field")]
    Rest(usize),
    #[error("field {0} is not in the table")]
    Unknown(u8),
    #[error("field {0} is longer than the table allows")]
    Long(u8),
    #[error("field {0} has characters that it cannot have")]
    Characters(u8),
    #[error("the message type is not four digits")]
    Type,
}

/// A message. Fields hold their characters: digits as ASCII, a track's separator as `D`, all else byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Network identifiers, where it goes and where it is from.
    pub to: [u8; 2],
    pub from: [u8; 2],
    /// Twelve digits, packed.
    pub header: [u8; 6],
    /// Four digits.
    pub kind: String,
    pub fields: BTreeMap<u8, Vec<u8>>,
}

impl Message {
    /// The field as text; empty if it is not there or is none.
    #[must_use]
    pub fn text(&self, field: u8) -> &str {
        self.fields.get(&field).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    #[must_use]
    pub fn has(&self, field: u8) -> bool {
        self.fields.contains_key(&field)
    }

    pub fn set(&mut self, field: u8, value: impl AsRef<[u8]>) {
        self.fields.insert(field, value.as_ref().to_vec());
    }
}

/// `pin_block_len`: bytes of field 52.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(bytes: &[u8], pin_block_len: usize) -> Result<Message, Malformed> {
    let (prefix, mut rest) = bytes.split_first_chunk::<PREFIX_LEN>().ok_or(Malformed::Short("its prefix"))?;
    let kind = packed_text(take(&mut rest, 2).ok_or(Malformed::Short("its type"))?);
    if !kind.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed::Type);
    }
    let bitmap = take(&mut rest, 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let bitmap = bitmap.ok_or(Malformed::Short("its bitmap"))?;
    let mut fields = BTreeMap::new();
    for field in (1..=64).filter(|field| bitmap >> (64 - field) & 1 == 1) {
        let value = match field {
            PIN_BLOCK => take(&mut rest, pin_block_len).ok_or(Malformed::ShortField(field))?.to_vec(),
            _ => read(field, &mut rest)?,
        };
        fields.insert(field, value);
    }
    if !rest.is_empty() {
        return Err(Malformed::Rest(rest.len()));
    }
    let [_, t0, t1, f0, f1, header @ ..] = *prefix;
    Ok(Message { to: [t0, t1], from: [f0, f1], header, kind, fields })
}

/// # Errors
/// `Unknown`, `Long`, `Characters`, `Type`.
pub fn encode(message: &Message) -> Result<Vec<u8>, Malformed> {
    let [t0, t1] = message.to;
    let [f0, f1] = message.from;
    let mut bytes = vec![0x60, t0, t1, f0, f1];
    bytes.extend(message.header);
    if message.kind.len() != 4 {
        return Err(Malformed::Type);
    }
    bytes.extend(packed(message.kind.as_bytes(), false).ok_or(Malformed::Type)?);
    let bitmap = message.fields.keys().fold(0_u64, |map, field| map | 1 << (64 - u32::from(*field)));
    bytes.extend(bitmap.to_be_bytes());
    for (field, value) in &message.fields {
        write(*field, value, &mut bytes)?;
    }
    Ok(bytes)
}

fn row(field: u8) -> Result<(Form, Length), Malformed> {
    let found = FIELDS.iter().find(|(number, ..)| *number == field);
    found.map(|(_, form, length)| (*form, *length)).ok_or(Malformed::Unknown(field))
}

fn read(field: u8, rest: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    let (form, length) = row(field)?;
    let short = || Malformed::ShortField(field);
    let (digits, max) = match length {
        Fixed(len) => (0, len),
        Two(max) => (1, max),
        Three(max) => (2, max),
    };
    let len = if digits == 0 {
        max
    } else {
        let text = packed_text(take(rest, digits).ok_or_else(short)?);
        text.parse().map_err(|_| Malformed::Characters(field))?
    };
    if len > max {
        return Err(Malformed::Long(field));
    }
    if form == Bytes {
        return take(rest, len).map(<[u8]>::to_vec).ok_or_else(short);
    }
    let text = packed_text(take(rest, len.div_ceil(2)).ok_or_else(short)?);
    let (value, fill) = if form == Digits { (&text[len % 2..], &text[..len % 2]) } else { text.split_at(len) };
    let fits = |byte: u8| byte.is_ascii_digit() || form == Track && byte == b'D';
    // After a track some terminals write F.
    let is_fill = fill.bytes().all(|byte| byte == b'0' || form == Track && byte == b'F');
    if value.bytes().all(fits) && is_fill { Ok(value.as_bytes().to_vec()) } else { Err(Malformed::Characters(field)) }
}

fn write(field: u8, value: &[u8], to: &mut Vec<u8>) -> Result<(), Malformed> {
    let (form, length) = row(field)?;
    let fits = match length {
        Fixed(len) => value.len() == len,
        Two(max) | Three(max) => value.len() <= max,
    };
    if !fits {
        return Err(Malformed::Long(field));
    }
    let len = match length {
        Fixed(_) => String::new(),
        Two(_) => format!("{:02}", value.len()),
        Three(_) => format!("{:04}", value.len()),
    };
    to.extend(packed(len.as_bytes(), false).unwrap_or_default());
    if form == Bytes {
        to.extend(value);
    } else {
        to.extend(packed(value, form == Digits).ok_or(Malformed::Characters(field))?);
    }
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

/// The hex digits of these bytes, in upper case.
fn packed_text(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

fn packed(text: &[u8], zero_in_front: bool) -> Option<Vec<u8>> {
    let half = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'D' | b'=' => Some(0xd),
        _ => None,
    };
    let mut halves: Vec<u8> = text.iter().map(half).collect::<Option<_>>()?;
    if halves.len() % 2 == 1 {
        halves.insert(if zero_in_front { 0 } else { halves.len() }, 0);
    }
    Some(halves.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sent by a terminal (CSDN, nocodelife, 8240158): a sign-in.
    const SIGN_IN: &str = "6005250000603100311001 0800 0020000000C00016 000001 3838383838383838\
        313030303030303030303030303031 0011000000010030 0028\
        53657175656E6365204E6F3135333133353332302D3031372D363837 0003303120";

    /// Sent by a terminal (https://www.codetd.com/article/5053461): a sale by chip with a PIN. Of its fields 55 and 59 the page has
    /// all, here they are left out.
    const SALE: &str = "6000060000603100311003 0200702406C020C19811 166224242900000113000000000000000001000403280607100000\
        001234 6224242900000113D28062013949031013 3130303030303139 383530313030303832343130303032 000100 313536\
        D1EEF419D0AE2609 2600000000000000 001422000024000600 3846363531423236";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).expect("hex")
    }

    #[test]
    fn what_terminals_sent_is_read_and_written_again() {
        let sent = bytes(SIGN_IN);
        let message = decode(&sent, 8).expect("reads");
        assert_eq!(encode(&message), Ok(sent));
        assert_eq!((message.kind.as_str(), message.to, message.from), ("0800", [5, 0x25], [0, 0]));
        assert_eq!((message.text(11), message.text(41), message.text(42)), ("000001", "88888888", "100000000000001"));
        assert_eq!((message.text(60), message.text(63)), ("00000001003", "01 "));
        assert_eq!(message.text(62), "Sequence No153135320-017-687");

        let sent = bytes(SALE);
        let message = decode(&sent, 8).expect("reads");
        assert_eq!(encode(&message), Ok(sent));
        assert_eq!((message.text(2), message.text(14), message.text(4)), ("6224242900000113", "2806", "000000000001"));
        assert_eq!((message.text(22), message.text(23), message.text(26)), ("071", "000", "12"));
        assert_eq!(message.text(35), "6224242900000113D28062013949031013");
        assert_eq!((message.text(53), message.text(60)), ("2600000000000000", "22000024000600"));
        assert_eq!(message.text(64), "8F651B26");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cut = |text: &str, len: usize| bytes(text)[..len].to_vec();
        let spoiled = |at: usize, byte: u8| {
            let mut all = bytes(SIGN_IN);
            all[at] = byte;
            all
        };
        for (given, fault) in [
            (Vec::new(), Malformed::Short("its prefix")),
            (cut(SIGN_IN, 12), Malformed::Short("its type")),
            (cut(SIGN_IN, 20), Malformed::Short("its bitmap")),
            (cut(SIGN_IN, 30), Malformed::ShortField(41)),
            ([bytes(SIGN_IN), vec![0]].concat(), Malformed::Rest(1)),
            (spoiled(11, 0x0a), Malformed::Type),
            (spoiled(13, 0x80), Malformed::Unknown(1)),
            (spoiled(21, 0xaa), Malformed::Characters(11)),
            (spoiled(48, 0x18), Malformed::Long(60)),
        ] {
            assert_eq!(decode(&given, 8).map(drop), Err(fault));
        }
        let mut message = decode(&bytes(SIGN_IN), 8).expect("reads");
        message.set(4, "1");
        assert_eq!(encode(&message), Err(Malformed::Long(4)));
        message.set(4, "00000000000x");
        assert_eq!(encode(&message), Err(Malformed::Characters(4)));
    }
}
