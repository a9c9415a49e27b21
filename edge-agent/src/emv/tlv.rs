//! BER-TLV as cards write it (EMV Book 3, annex B; ISO/IEC 8825-1). Total: whatever a card says is data or an error.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Templates within templates. A card's own data needs three.
const DEPTH_MAX: usize = 6;
/// Objects that are kept of one card: its records hold about forty.
const OBJECTS_MAX: usize = 256;

/// A tag of one to three bytes, as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl Tag {
    /// Whether it holds other objects: bit 6 of its first byte.
    const fn is_template(self) -> bool {
        let first = match self.0 {
            0..=0xff => self.0,
            0x100..=0xffff => self.0 >> 8,
            0x1_0000.. => self.0 >> 16,
        };
        first & 0x20 != 0
    }

    fn write(self, out: &mut Vec<u8>) {
        let bytes = self.0.to_be_bytes();
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        out.extend(bytes.into_iter().skip(start));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    #[error("the card's data ends in the middle of an object")]
    Short,
    #[error("a tag or a length of the card's data is longer than any")]
    TooLong,
    #[error("the card's data is nested too deep, or has too many objects")]
    TooMuch,
    #[error("the card names an object twice")]
    Twice,
}

/// One object and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    pub tag: Tag,
    pub value: &'a [u8],
}

/// The objects side by side in `data`; zeros between them mean nothing (annex B1). Ends at the first error.
pub fn objects(data: &[u8]) -> impl Iterator<Item = Result<Object<'_>, TlvError>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        while let Some((0, after)) = rest.split_first() {
            rest = after;
        }
        if rest.is_empty() {
            return None;
        }
        let object = take_object(&mut rest);
        if object.is_err() {
            rest = &[];
        }
        Some(object)
    })
}

/// The value of the object under these tags, one within the other.
#[must_use]
pub fn within<'a>(data: &'a [u8], path: &[u32]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |data, tag| {
        objects(data).map_while(Result::ok).find(|object| object.tag == Tag(*tag)).map(|object| object.value)
    })
}

fn take_object<'a>(rest: &mut &'a [u8]) -> Result<Object<'a>, TlvError> {
    let tag = take_tag(rest)?;
    let len = match take(rest)? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(take(rest)?),
        0x82 => usize::from(take(rest)?) << 8 | usize::from(take(rest)?),
        _ => return Err(TlvError::TooLong),
    };
    let (value, after) = rest.split_at_checked(len).ok_or(TlvError::Short)?;
    *rest = after;
    Ok(Object { tag, value })
}

fn take_tag(rest: &mut &[u8]) -> Result<Tag, TlvError> {
    let first = take(rest)?;
    let mut tag = u32::from(first);
    if first & 0x1f != 0x1f {
        return Ok(Tag(tag));
    }
    for _ in 0..2 {
        let next = take(rest)?;
        tag = tag << 8 | u32::from(next);
        if next & 0x80 == 0 {
            return Ok(Tag(tag));
        }
    }
    Err(TlvError::TooLong)
}

fn take(rest: &mut &[u8]) -> Result<u8, TlvError> {
    let (first, after) = rest.split_first().ok_or(TlvError::Short)?;
    *rest = after;
    Ok(*first)
}

/// Writes an object.
pub fn write(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    Tag(tag).write(out);
    match u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, short @ 0..=0x7f] => out.push(short),
        [0, long] => out.extend([0x81, long]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend(value.iter().take(usize::from(u16::MAX)));
}

/// A list of tags and lengths, by which a card asks for data (Book 3, section 5.4).
///
/// # Errors
/// `Short`, `TooLong`; `TooMuch` if what it asks for does not fit into one command.
pub fn data_object_list(list: &[u8]) -> Result<Vec<(Tag, usize)>, TlvError> {
    const COMMAND_DATA_MAX: usize = 252;
    let (mut rest, mut asked, mut sum) = (list, Vec::new(), 0);
    while !rest.is_empty() {
        let tag = take_tag(&mut rest)?;
        let len = usize::from(take(&mut rest)?);
        sum += len;
        if sum > COMMAND_DATA_MAX {
            return Err(TlvError::TooMuch);
        }
        asked.push((tag, len));
    }
    Ok(asked)
}

/// What is known of a card and of the sale, by tag. Wiped when it goes, and prints nothing.
#[derive(Default)]
pub struct Data(BTreeMap<Tag, Zeroizing<Vec<u8>>>);

impl Data {
    #[must_use]
    pub fn get(&self, tag: u32) -> Option<&[u8]> {
        self.0.get(&Tag(tag)).map(|value| value.as_slice())
    }

    pub fn set(&mut self, tag: u32, value: impl Into<Vec<u8>>) {
        self.0.insert(Tag(tag), Zeroizing::new(value.into()));
    }

    /// All primitive objects in `data`, in whatever templates they stand.
    ///
    /// # Errors
    /// `Twice` for one that is held already (Book 3, section 10.2: the transaction ends), and those of the form.
    pub fn take_in(&mut self, data: &[u8]) -> Result<(), TlvError> {
        self.take_in_below(data, DEPTH_MAX)
    }

    fn take_in_below(&mut self, data: &[u8], depth: usize) -> Result<(), TlvError> {
        let depth = depth.checked_sub(1).ok_or(TlvError::TooMuch)?;
        for object in objects(data) {
            let Object { tag, value } = object?;
            if tag.is_template() {
                self.take_in_below(value, depth)?;
            } else if self.0.len() >= OBJECTS_MAX {
                return Err(TlvError::TooMuch);
            } else if self.0.insert(tag, Zeroizing::new(value.to_vec())).is_some() {
                return Err(TlvError::Twice);
            }
        }
        Ok(())
    }

    /// What a list asks for, one behind the other, each as long as it is asked for (Book 3, section 5.4).
    ///
    /// # Errors
    /// As [`data_object_list`].
    pub fn answer_list(&self, list: &[u8]) -> Result<Zeroizing<Vec<u8>>, TlvError> {
        let mut answer = Zeroizing::new(Vec::new());
        for (tag, len) in data_object_list(list)? {
            let held = if tag.is_template() { &[] } else { self.get(tag.0).unwrap_or_default() };
            let missing = len.saturating_sub(held.len());
            if is_numeric(tag) {
                answer.extend(std::iter::repeat_n(0, missing));
                answer.extend_from_slice(held.get(held.len().saturating_sub(len)..).unwrap_or_default());
            } else {
                answer.extend_from_slice(held.get(..len.min(held.len())).unwrap_or_default());
                answer.extend(std::iter::repeat_n(0, missing));
            }
        }
        Ok(answer)
    }
}

/// Those of the terminal's objects that are of format n: filled and cut on their left (Book 3, annex A).
const fn is_numeric(tag: Tag) -> bool {
    matches!(tag.0, 0x9f02 | 0x9f03 | 0x9a | 0x9c | 0x9f21 | 0x5f2a | 0x5f36 | 0x9f1a | 0x9f35 | 0x9f41)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn objects_are_read_and_what_is_none_is_an_error() {
        for (data, told) in [
            ("", Ok(vec![])),
            ("0000", Ok(vec![])),
            ("8202 1980 00 9F36 02 0001", Ok(vec![(0x82, "1980"), (0x9f36, "0001")])),
            ("70 04 5A 02 1234", Ok(vec![(0x70, "5a021234")])),
            ("DF8101 01 AA", Ok(vec![(0xdf_8101, "aa")])),
            ("82 8102 1980", Ok(vec![(0x82, "1980")])),
            ("82 820002 1980", Ok(vec![(0x82, "1980")])),
            ("82", Err(TlvError::Short)),
            ("9F", Err(TlvError::Short)),
            ("82 03 1980", Err(TlvError::Short)),
            ("82 80 0000", Err(TlvError::TooLong)),
            ("82 83 000001 AA", Err(TlvError::TooLong)),
            ("DF818181 01 AA", Err(TlvError::TooLong)),
        ] {
            let data = bytes(data);
            let read: Result<Vec<_>, _> = objects(&data).collect();
            let read = read.map(|all| all.iter().map(|one| (one.tag.0, hex::encode(one.value))).collect::<Vec<_>>());
            let told =
                told.map(|all: Vec<(u32, &str)>| all.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect());
            assert_eq!(read, told, "{}", hex::encode(data));
        }
    }

    #[test]
    fn what_is_nested_is_found_and_what_comes_twice_refused() {
        let fci = bytes("6F18 8407A0000003330101 A50D 5005554E494F4E 870101 9F3800 00");
        assert_eq!(within(&fci, &[0x6f, 0xa5, 0x50]), Some(b"UNION".as_slice()));
        assert_eq!(within(&fci, &[0x6f, 0xa6, 0x50]), None);
        let mut data = Data::default();
        data.take_in(&fci).unwrap();
        assert_eq!((data.get(0x87), data.get(0x9f38)), (Some([1].as_slice()), Some([].as_slice())));
        assert_eq!(data.take_in(&bytes("8701 02")), Err(TlvError::Twice));
        let deep = (0..200).fold(vec![0x82, 0], |inner, _| {
            let mut outer = Vec::new();
            write(0x70, &inner, &mut outer);
            outer
        });
        assert_eq!(Data::default().take_in(&deep), Err(TlvError::TooMuch));
    }

    #[test]
    fn a_list_is_answered_in_its_own_lengths() {
        let mut data = Data::default();
        data.set(0x9f02, bytes("000000001250"));
        data.set(0x9f37, bytes("11223344"));
        data.set(0x95, bytes("8000008000"));
        for (list, answer) in [
            ("9F0206 9F3704", "00000000125011223344"),
            ("9F0208 9F3702", "00000000000012501122"),
            ("9F0202 9F3706", "1250112233440000"),
            ("9505 9F6604 DF7101", "80000080000000000000"),
            ("7004", "00000000"),
            ("", ""),
        ] {
            assert_eq!(hex::encode(data.answer_list(&bytes(list)).unwrap().as_slice()), answer, "{list}");
        }
        assert_eq!(data.answer_list(&bytes("9F02")).map(|_| ()), Err(TlvError::Short));
        assert_eq!(data.answer_list(&bytes("9F02FF 9F37FF")).map(|_| ()), Err(TlvError::TooMuch));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut held = Data::default();
            let _ = held.take_in(&data);
            let _ = held.answer_list(&data);
            let _ = within(&data, &[0x6f, 0xa5]);
            prop_assert!(objects(&data).count() <= data.len());
        }

        #[test]
        fn what_is_written_is_read(tag in prop::sample::select(vec![0x5a_u32, 0x9f36, 0xdf_8101, 0x82]), value in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut out = Vec::new();
            write(tag, &value, &mut out);
            let read: Vec<_> = objects(&out).collect();
            prop_assert_eq!(read, vec![Ok(Object { tag: Tag(tag), value: &value })]);
        }
    }
}
