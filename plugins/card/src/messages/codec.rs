//! Fields to bytes and back: TPDU, header, message type, bitmap, and fields as the table says.
//!
//! Of a field that holds something of the card only the room is written; the host puts it there.
//!
//! Source: ISO 8583:1987, section 4; UnionPay's POS terminal specification, field definitions.

use std::collections::BTreeMap;

/// TPDU (5 bytes) and header (6): before the message type, outside of the MAC.
pub const MAC_BEGINS_AT: usize = 11;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Digits, two to a byte; after an odd number a 0.
    Left,
    /// The same; before an odd number a 0.
    Right,
    /// A byte for each.
    Plain,
}

/// One row: number, packing, digits of the length in front (0: none), longest.
struct Row(u8, Packing, usize, usize);

const TABLE: &[Row] = &[
    Row(2, Packing::Left, 2, 19),
    Row(3, Packing::Right, 0, 6),
    Row(4, Packing::Right, 0, 12),
    Row(11, Packing::Right, 0, 6),
    Row(12, Packing::Right, 0, 6),
    Row(13, Packing::Right, 0, 4),
    Row(14, Packing::Right, 0, 4),
    Row(15, Packing::Right, 0, 4),
    Row(22, Packing::Left, 0, 3),
    Row(23, Packing::Right, 0, 3),
    Row(25, Packing::Right, 0, 2),
    Row(26, Packing::Right, 0, 2),
    Row(32, Packing::Left, 2, 11),
    Row(35, Packing::Left, 2, 37),
    Row(37, Packing::Plain, 0, 12),
    Row(38, Packing::Plain, 0, 6),
    Row(39, Packing::Plain, 0, 2),
    Row(41, Packing::Plain, 0, 8),
    Row(42, Packing::Plain, 0, 15),
    Row(44, Packing::Plain, 2, 25),
    Row(48, Packing::Left, 3, 322),
    Row(49, Packing::Plain, 0, 3),
    Row(52, Packing::Plain, 0, 8),
    Row(53, Packing::Right, 0, 16),
    Row(54, Packing::Plain, 3, 20),
    Row(55, Packing::Plain, 3, 255),
    Row(58, Packing::Plain, 3, 999),
    Row(59, Packing::Plain, 3, 999),
    Row(60, Packing::Left, 3, 17),
    Row(61, Packing::Left, 3, 29),
    Row(62, Packing::Plain, 3, 999),
    Row(63, Packing::Plain, 3, 999),
    Row(64, Packing::Plain, 0, 8),
];

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Digits as ASCII, or the bytes of a plain field.
    Said(Vec<u8>),
    /// Something of the card, of so many characters.
    Card(Part, usize),
    /// Digits, room for so many of the card's number with zeros behind them, digits: each an even number of them.
    Listed { before: String, room: usize, after: String, has_card: bool },
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Said(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Said(text.into_bytes())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Said(bytes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Number,
    Expiry,
    Track2,
    PinBlock,
}

/// A message that is not yet bytes: type and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Four digits.
    pub kind: &'static str,
    pub fields: BTreeMap<u8, Value>,
}

/// A message in bytes, with room for what the host writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// Where what of the card goes.
    pub card: Vec<(usize, Part)>,
}

/// An answer's fields: digits as ASCII, else bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub tpdu: [u8; 5],
    pub header: [u8; 6],
    pub kind: String,
    pub fields: BTreeMap<u8, Vec<u8>>,
}

impl Answer {
    /// A field as text; empty if it is not there, or is none.
    #[must_use]
    pub fn text(&self, field: u8) -> &str {
        self.fields.get(&field).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// # Errors
/// A field that cannot be written, in words that name it.
pub fn encode(draft: &Draft, tpdu: [u8; 5], header: [u8; 6]) -> Result<Encoded, String> {
    let mut bytes = [&tpdu[..], &header].concat();
    bytes.extend(packed(draft.kind.as_bytes(), Packing::Left).ok_or("the message type is not four digits")?);
    let bitmap = draft.fields.keys().fold(0_u64, |map, field| map | 1 << (64 - u32::from(*field)));
    bytes.extend(bitmap.to_be_bytes());
    let mut card = Vec::new();
    for (field, value) in &draft.fields {
        let Row(_, packing, length_digits, max) = row(*field)?;
        let len = match value {
            Value::Said(said) => said.len(),
            Value::Card(_, len) => *len,
            Value::Listed { before, room, after, .. } => before.len() + room + after.len(),
        };
        let fits = match value {
            // As long as its block is.
            Value::Card(Part::PinBlock, len) => matches!(len, 8 | 16),
            _ if *length_digits == 0 => len == *max,
            _ => len <= *max,
        };
        if !fits {
            return Err(format!("field {field} would have {len} characters"));
        }
        if *length_digits > 0 {
            // An odd number of digits takes a whole byte more.
            let width = length_digits.next_multiple_of(2);
            bytes.extend(packed(format!("{len:0width$}").as_bytes(), Packing::Left).unwrap_or_default());
        }
        match value {
            Value::Said(said) if *packing == Packing::Plain => bytes.extend(said),
            Value::Said(said) => {
                bytes.extend(packed(said, *packing).ok_or_else(|| format!("field {field} must be digits"))?);
            }
            Value::Card(part, len) => {
                card.push((bytes.len(), *part));
                let room = if *packing == Packing::Plain { *len } else { len.div_ceil(2) };
                bytes.resize(bytes.len() + room, 0);
            }
            Value::Listed { before, room, after, has_card } => {
                let halves =
                    |text: &str| packed(text.as_bytes(), Packing::Left).filter(|_| text.len().is_multiple_of(2));
                let odd = || format!("field {field} must be an even number of digits");
                bytes.extend(halves(before).ok_or_else(odd)?);
                if *has_card {
                    card.push((bytes.len(), Part::Number));
                }
                bytes.resize(bytes.len() + room / 2, 0);
                bytes.extend(halves(after).ok_or_else(odd)?);
            }
        }
    }
    Ok(Encoded { bytes, card })
}

/// # Errors
/// What cannot be read, in words: a field that is cut short, is none of the table, or has no digits; what is left over.
pub fn decode(bytes: &[u8]) -> Result<Answer, String> {
    let mut rest = bytes;
    let tpdu = *take(&mut rest, 5).and_then(|bytes| bytes.as_array()).ok_or("it has no TPDU")?;
    let header = *take(&mut rest, 6).and_then(|bytes| bytes.as_array()).ok_or("it has no header")?;
    let kind = take(&mut rest, 2).and_then(|bytes| digits(bytes, 4, Packing::Left)).ok_or("it has no type")?;
    let bitmap = *take(&mut rest, 8).and_then(|bytes| bytes.as_array()).ok_or("it has no bitmap")?;
    let bitmap = u64::from_be_bytes(bitmap);
    let mut fields = BTreeMap::new();
    for field in (1..=64).filter(|field| bitmap >> (64 - field) & 1 == 1) {
        let Row(_, packing, length_digits, max) = row(field)?;
        let short = || format!("field {field} is cut short");
        let len = if *length_digits == 0 {
            *max
        } else {
            let width = length_digits.next_multiple_of(2);
            let length = take(&mut rest, width / 2).ok_or_else(short)?;
            digits(length, width, Packing::Left).and_then(|text| text.parse().ok()).ok_or_else(short)?
        };
        if len > *max {
            return Err(format!("field {field} has {len} characters"));
        }
        let value = if *packing == Packing::Plain {
            take(&mut rest, len).ok_or_else(short)?.to_vec()
        } else {
            let packed = take(&mut rest, len.div_ceil(2)).ok_or_else(short)?;
            digits(packed, len, *packing).ok_or_else(|| format!("field {field} has no digits"))?.into_bytes()
        };
        fields.insert(field, value);
    }
    if rest.is_empty() {
        Ok(Answer { tpdu, header, kind, fields })
    } else {
        Err("bytes follow its last field".to_owned())
    }
}

fn row(field: u8) -> Result<&'static Row, String> {
    TABLE.iter().find(|Row(number, ..)| *number == field).ok_or_else(|| format!("field {field} is not known"))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

/// Two digits to a byte; `None` if there is anything else.
fn packed(text: &[u8], packing: Packing) -> Option<Vec<u8>> {
    let mut halves: Vec<u8> =
        text.iter().map(|byte| byte.is_ascii_digit().then(|| byte - b'0')).collect::<Option<_>>()?;
    if halves.len() % 2 == 1 {
        halves.insert(if packing == Packing::Right { 0 } else { halves.len() }, 0);
    }
    Some(halves.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The `len` digits of packed bytes; `None` if there is anything else.
fn digits(packed: &[u8], len: usize, packing: Packing) -> Option<String> {
    let halves: Vec<u8> = packed.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
    let filled = halves.len().checked_sub(len)?;
    let taken = if packing == Packing::Right { &halves[filled..] } else { &halves[..len] };
    taken.iter().map(|half| char::from_digit(u32::from(*half), 10)).collect()
}

/// Bytes of an even number of digits.
#[must_use]
pub fn from_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    packed(text.as_bytes(), Packing::Left)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::from_hex;

    use super::*;

    /// Sent by a terminal (CSDN, nocodelife, 8240158).
    const SIGN_IN: &str = "6005250000603100311001 0800 0020000000C00016 000001 3838383838383838\
        313030303030303030303030303031 0011000000010030 0028\
        53657175656E6365204E6F3135333133353332302D3031372D363837 0003303120";

    fn bytes(text: &str) -> Vec<u8> {
        from_hex(&text.replace(' ', "")).unwrap_or_default()
    }

    #[test]
    fn a_terminals_own_message_is_read_and_written_again() {
        let sent = bytes(SIGN_IN);
        let read = decode(&sent).expect("reads");
        assert_eq!((read.kind.as_str(), read.text(11), read.text(60)), ("0800", "000001", "00000001003"));
        assert_eq!((read.text(62), read.text(63)), ("Sequence No153135320-017-687", "01 "));
        let fields = read.fields.into_iter().map(|(field, value)| (field, Value::Said(value))).collect();
        let written = encode(&Draft { kind: "0800", fields }, read.tpdu, read.header).expect("writes");
        assert_eq!(written, Encoded { bytes: sent, card: Vec::new() });
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let sent = bytes(SIGN_IN);
        for len in 0..sent.len() {
            assert!(decode(&sent[..len]).is_err(), "{len} bytes");
        }
        assert_eq!(decode(&[sent.clone(), vec![0]].concat()), Err("bytes follow its last field".to_owned()));
        for (at, byte, why) in [
            (11, 0xa8, "it has no type"),
            (13, 0x80, "field 1 is not known"),
            (21, 0xaa, "field 11 has no digits"),
            (48, 0x18, "field 60 has 18 characters"),
        ] {
            let mut spoiled = sent.clone();
            spoiled[at] = byte;
            assert_eq!(decode(&spoiled), Err(why.to_owned()), "{at}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        for (field, value, why) in [
            (4, Value::from("1"), "field 4 would have 1 characters"),
            (4, Value::from("00000000000x"), "field 4 must be digits"),
            (55, Value::from(vec![0; 256]), "field 55 would have 256 characters"),
            (7, Value::from("1"), "field 7 is not known"),
        ] {
            let draft = Draft { kind: "0200", fields: BTreeMap::from([(field, value)]) };
            assert_eq!(encode(&draft, [0; 5], [0; 6]), Err(why.to_owned()));
        }
    }
}
