//! BER-TLV as cards and consumer-presented codes have it (ISO/IEC 7816-4, section 5.2.2; EMV Book 3, annex B).
//!
//! Tags of one to three bytes, lengths of one to three; a tag whose first byte has the bit 0x20 holds objects. The indefinite
//! form is refused, and so are lengths that do not fit: half an object is worth nothing.

use std::fmt;

/// Templates within templates: a common data template (62) holds a transparent one (64), and what that holds is plain.
pub const DEPTH_MAX: usize = 4;

/// One object.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes as one number: `0x4F`, `0x9F26`.
    pub tag: u32,
    pub value: Value,
}

/// What an object holds: as the tag's bit 0x20 says.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Bytes(Vec<u8>),
    Objects(Vec<Object>),
}

/// Values may be a card's number or a customer's name, so tags and lengths are all that is shown.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Bytes(bytes) => write!(f, "{:X}({} bytes)", self.tag, bytes.len()),
            Value::Objects(objects) => write!(f, "{:X}{objects:?}", self.tag),
        }
    }
}

impl Object {
    pub fn bytes(tag: u32, value: impl Into<Vec<u8>>) -> Self {
        Self { tag, value: Value::Bytes(value.into()) }
    }

    #[must_use]
    pub const fn template(tag: u32, objects: Vec<Self>) -> Self {
        Self { tag, value: Value::Objects(objects) }
    }

    /// The objects of a template; none of a plain one.
    #[must_use]
    pub fn objects(&self) -> &[Self] {
        match &self.value {
            Value::Objects(objects) => objects,
            Value::Bytes(_) => &[],
        }
    }

    /// The value of the plain object of that tag in this template.
    #[must_use]
    pub fn find(&self, tag: u32) -> Option<&[u8]> {
        find(self.objects(), tag)
    }
}

/// The value of the first plain object of that tag.
#[must_use]
pub fn find(objects: &[Object], tag: u32) -> Option<&[u8]> {
    objects.iter().find(|object| object.tag == tag).and_then(|object| match &object.value {
        Value::Bytes(bytes) => Some(bytes.as_slice()),
        Value::Objects(_) => None,
    })
}

/// Why bytes are no objects, or objects cannot be written. Offsets are bytes from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BerError {
    #[error("the tag at byte {offset} is cut off or longer than three bytes")]
    Tag { offset: usize },
    #[error("the length of {tag:X} at byte {offset} is cut off, indefinite or over 65,535")]
    Length { tag: u32, offset: usize },
    #[error("{tag:X} at byte {offset} should have {len} bytes, and only {left} are left")]
    Overrun { tag: u32, offset: usize, len: usize, left: usize },
    #[error("the templates at byte {offset} are nested more than {DEPTH_MAX} deep")]
    TooDeep { offset: usize },
    #[error("{tag:X} is no tag of {kind}")]
    NoTag { tag: u32, kind: &'static str },
    #[error("the value of {tag:X} is longer than 65,535 bytes")]
    TooLong { tag: u32 },
}

/// All objects of `bytes`.
///
/// # Errors
/// `Tag`, `Length`, `Overrun`, `TooDeep`, by what comes first.
pub fn read(bytes: &[u8]) -> Result<Vec<Object>, BerError> {
    read_at(bytes, 0, 1)
}

fn read_at(bytes: &[u8], base: usize, depth: usize) -> Result<Vec<Object>, BerError> {
    if depth > DEPTH_MAX {
        return Err(BerError::TooDeep { offset: base });
    }
    let mut objects = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = base + (bytes.len() - rest.len());
        let (tag, after) = read_tag(rest).ok_or(BerError::Tag { offset })?;
        let (len, after) = read_len(after).ok_or(BerError::Length { tag, offset })?;
        let (value, after) =
            after.split_at_checked(len).ok_or(BerError::Overrun { tag, offset, len, left: after.len() })?;
        let value = if is_template(tag) {
            Value::Objects(read_at(value, base + (bytes.len() - after.len() - len), depth + 1)?)
        } else {
            Value::Bytes(value.to_vec())
        };
        objects.push(Object { tag, value });
        rest = after;
    }
    Ok(objects)
}

/// The bytes of `objects`, with the shortest lengths.
///
/// # Errors
/// `NoTag` for a number that is no tag, or a value that is not what its tag says it is; `TooLong`.
pub fn write(objects: &[Object]) -> Result<Vec<u8>, BerError> {
    let mut bytes = Vec::new();
    for object in objects {
        let tag = object.tag;
        let significant = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        if !matches!(read_tag(&significant), Some((known, [])) if known == tag) {
            return Err(BerError::NoTag { tag, kind: "any object" });
        }
        let value = match &object.value {
            Value::Bytes(value) if !is_template(tag) => value.clone(),
            Value::Objects(objects) if is_template(tag) => write(objects)?,
            Value::Bytes(_) => return Err(BerError::NoTag { tag, kind: "a plain object" }),
            Value::Objects(_) => return Err(BerError::NoTag { tag, kind: "a template" }),
        };
        let len = u16::try_from(value.len()).map_err(|_| BerError::TooLong { tag })?;
        bytes.extend(significant);
        match len.to_be_bytes() {
            [0, short @ 0..=0x7F] => bytes.push(short),
            [0, long] => bytes.extend([0x81, long]),
            [high, low] => bytes.extend([0x82, high, low]),
        }
        bytes.extend(value);
    }
    Ok(bytes)
}

/// By the first byte of the tag.
fn is_template(tag: u32) -> bool {
    tag.to_be_bytes().into_iter().find(|byte| *byte != 0).is_some_and(|first| first & 0x20 != 0)
}

fn read_tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        // Zero bytes between objects are padding on cards; a code has none.
        [0, ..] => None,
        [first, rest @ ..] if first & 0x1F != 0x1F => Some((u32::from(*first), rest)),
        [first, second @ 0..=0x7F, rest @ ..] => Some((u32::from_be_bytes([0, 0, *first, *second]), rest)),
        [first, second, third @ 0..=0x7F, rest @ ..] => Some((u32::from_be_bytes([0, *first, *second, *third]), rest)),
        _ => None,
    }
}

fn read_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [len @ 0..=0x7F, rest @ ..] => Some((usize::from(*len), rest)),
        [0x81, len, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read_and_the_shortest_is_written() {
        for len in [0, 1, 127, 128, 255, 256, 65_535] {
            let objects = [Object::bytes(0x9F26, vec![7; len]), Object::template(0x61, vec![Object::bytes(0x4F, [1])])];
            let bytes = write(&objects).expect("bytes");
            assert_eq!(read(&bytes).expect("objects"), objects, "{len}");
        }
        assert_eq!(read(&[0x5A, 0x82, 0, 1, 9]), Ok(vec![Object::bytes(0x5A, [9])]));
        assert_eq!(write(&[Object::bytes(0x5A, vec![0; 65_536])]), Err(BerError::TooLong { tag: 0x5A }));
    }

    #[test]
    fn half_an_object_is_refused_by_its_place() {
        for (bytes, error) in [
            (vec![0x9F], BerError::Tag { offset: 0 }),
            (vec![0x50, 0, 0x9F, 0x81, 0x81, 1], BerError::Tag { offset: 2 }),
            (vec![0, 0], BerError::Tag { offset: 0 }),
            (vec![0x50], BerError::Length { tag: 0x50, offset: 0 }),
            (vec![0x50, 0x80, 0, 0], BerError::Length { tag: 0x50, offset: 0 }),
            (vec![0x50, 0x81], BerError::Length { tag: 0x50, offset: 0 }),
            (vec![0x50, 0x83, 0, 0, 1, 9], BerError::Length { tag: 0x50, offset: 0 }),
            (vec![0x61, 4, 0x4F, 3, 1, 2], BerError::Overrun { tag: 0x4F, offset: 2, len: 3, left: 2 }),
            (vec![0x61, 8, 0x61, 6, 0x61, 4, 0x61, 2, 0x61, 0], BerError::TooDeep { offset: 8 }),
        ] {
            assert_eq!(read(&bytes), Err(error), "{bytes:02x?}");
        }
        for (object, kind) in [
            (Object::bytes(0, [1]), "any object"),
            (Object::bytes(0x9F, [1]), "any object"),
            (Object::bytes(0x4F01, [1]), "any object"),
            (Object::bytes(0x61, [1]), "a plain object"),
            (Object::template(0x4F, Vec::new()), "a template"),
        ] {
            assert_eq!(write(std::slice::from_ref(&object)), Err(BerError::NoTag { tag: object.tag, kind }));
        }
    }

    #[test]
    fn values_are_not_printed() {
        let object = Object::template(0x61, vec![Object::bytes(0x5A, [0x12, 0x34])]);
        assert_eq!(format!("{object:?}"), "61[5A(2 bytes)]");
    }
}
