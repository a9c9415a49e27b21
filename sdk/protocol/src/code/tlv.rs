//! The objects of a merchant-presented code: two digits of id, two digits of length, the value.
//!
//! A length counts **characters**, not bytes: in `02041234` and in `0204最佳运输` it is 04 (EMVCo QRCPS-MPM 1.1, section 4.2,
//! and its example with an alternate language). Offsets are characters too, from the beginning of the payload.

use std::fmt;

/// The longest value, in characters: its length has two digits.
pub const VALUE_LEN_MAX: usize = 99;
/// Id and length.
const HEAD_LEN: usize = 4;

/// One object. A template's value is its objects, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// 0 to 99.
    pub id: u8,
    /// 1 to 99 characters.
    pub value: String,
}

impl Object {
    pub fn new(id: u8, value: impl Into<String>) -> Self {
        Self { id, value: value.into() }
    }
}

/// Where something is in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object at the top, 0 to 99.
    pub id: u8,
    /// The object within it.
    pub inner: Option<u8>,
    /// Characters before it.
    pub offset: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.id)?;
        if let Some(inner) = self.inner {
            write!(f, ".{inner:02}")?;
        }
        write!(f, " at character {}", self.offset)
    }
}

/// Why a text is no row of objects, or objects cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    #[error("there are no two digits of {what} at character {offset}")]
    NotDigits { what: &'static str, offset: usize },
    #[error("{0} has no value")]
    Empty(Place),
    #[error("{place} should have {len} characters, and only {left} are left")]
    Overrun { place: Place, len: usize, left: usize },
    #[error("{0} is there twice")]
    Duplicate(Place),
    #[error("object {id:02} has {len} characters, at most {VALUE_LEN_MAX} can be written")]
    TooLong { id: u8, len: usize },
}

/// An object where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub id: u8,
    pub value: &'a str,
    pub place: Place,
}

impl<'a> Found<'a> {
    /// The objects of a template.
    pub fn objects(&self) -> Result<Vec<Found<'a>>, TlvError> {
        read(self.value, Some(self.place))
    }
}

/// All objects of a payload, or of the template at `within`.
pub(super) fn read<'a>(text: &'a str, within: Option<Place>) -> Result<Vec<Found<'a>>, TlvError> {
    let mut found: Vec<Found<'a>> = Vec::new();
    let (mut rest, mut offset) = (text, within.map_or(0, |place| place.offset + HEAD_LEN));
    while !rest.is_empty() {
        let (id, after) = two_digits(rest).ok_or(TlvError::NotDigits { what: "id", offset })?;
        let (len, after) = two_digits(after).ok_or(TlvError::NotDigits { what: "length", offset: offset + 2 })?;
        let place = match within {
            Some(outer) => Place { id: outer.id, inner: Some(id), offset },
            None => Place { id, inner: None, offset },
        };
        let len = usize::from(len);
        if len == 0 {
            return Err(TlvError::Empty(place));
        }
        let (value, after) =
            split_characters(after, len).ok_or(TlvError::Overrun { place, len, left: after.chars().count() })?;
        if found.iter().any(|known| known.id == id) {
            return Err(TlvError::Duplicate(place));
        }
        found.push(Found { id, value, place });
        (rest, offset) = (after, offset + HEAD_LEN + len);
    }
    Ok(found)
}

/// Writes one object at the end of `text`.
pub(super) fn write(text: &mut String, id: u8, value: &str) -> Result<(), TlvError> {
    let len = value.chars().count();
    if len == 0 {
        return Err(TlvError::Empty(Place { id, inner: None, offset: text.chars().count() }));
    }
    if len > VALUE_LEN_MAX {
        return Err(TlvError::TooLong { id, len });
    }
    text.push_str(&format!("{id:02}{len:02}{value}"));
    Ok(())
}

/// A template's value.
pub(super) fn written<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Result<String, TlvError> {
    let mut text = String::new();
    for object in objects {
        write(&mut text, object.id, &object.value)?;
    }
    Ok(text)
}

fn two_digits(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = digits.as_bytes() else { return None };
    Some(((tens - b'0') * 10 + (ones - b'0'), rest))
}

fn split_characters(text: &str, count: usize) -> Option<(&str, &str)> {
    let end = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(count)?;
    text.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_row_of_objects_is_told_by_its_place() {
        for (text, why) in [
            ("0", "there are no two digits of id at character 0"),
            ("000201x1", "there are no two digits of id at character 6"),
            ("0002010", "there are no two digits of id at character 6"),
            ("00é201", "there are no two digits of length at character 2"),
            ("000201520", "there are no two digits of length at character 8"),
            ("00020152045", "52 at character 6 should have 4 characters, and only 1 are left"),
            ("00020152", "there are no two digits of length at character 8"),
            ("00020159000", "59 at character 6 has no value"),
            ("0002010002015", "00 at character 6 is there twice"),
        ] {
            assert_eq!(read(text, None).map(|_| ()).map_err(|error| error.to_string()), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn lengths_and_offsets_count_characters() {
        let text = "64140002ZH0104最佳运输5802CN";
        let found = read(text, None).expect("objects");
        assert_eq!(found.iter().map(|found| (found.id, found.place.offset)).collect::<Vec<_>>(), [(64, 0), (58, 18)]);
        let inner = found[0].objects().expect("objects");
        assert_eq!(inner[1].value, "最佳运输");
        assert_eq!(inner[1].place.to_string(), "64.01 at character 10");
    }
}
