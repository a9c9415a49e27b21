//! The chip's data on its way to the acquirer (field 55): looked through, since it goes to the plugin as it is.

use super::{CardFault, traces::holds_digits};

const EMV_BYTES_MAX: usize = 512;

/// Tags that hold the number, a track or the customer's name (EMV Book 3, annex A; contactless kernels 2 and 3), or a PIN.
const REFUSED: &[u32] = &[0x56, 0x57, 0x5a, 0x99, 0x5f20, 0x9f0b, 0x9f1f, 0x9f20, 0x9f6b];

/// # Errors
/// `Emv`.
pub(super) fn check(data: &[u8], number: &str) -> Result<(), CardFault> {
    if data.len() > EMV_BYTES_MAX {
        return Err(CardFault::Emv("is longer than 512 bytes"));
    }
    let mut rest = data;
    while !rest.is_empty() {
        let tag = take_tag(&mut rest).ok_or(CardFault::Emv("cannot be read"))?;
        if REFUSED.contains(&tag) {
            return Err(CardFault::Emv("holds the card's number, a track, a name or a PIN"));
        }
        let value_len = take_len(&mut rest).ok_or(CardFault::Emv("cannot be read"))?;
        // What a template holds comes next, so that it is looked through as well.
        let is_template = tag >> (8 * (tag_len(tag) - 1)) & 0x20 != 0;
        if value_len > rest.len() {
            return Err(CardFault::Emv("cannot be read"));
        }
        if !is_template {
            rest = &rest[value_len..];
        }
    }
    // In whatever field a terminal or chip puts it.
    if holds_digits(data, number) { Err(CardFault::Emv("holds the card's number")) } else { Ok(()) }
}

const fn tag_len(tag: u32) -> u32 {
    match tag {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000.. => 3,
    }
}

/// One to three bytes (ISO/IEC 8825-1, section 8.1.2).
fn take_tag(rest: &mut &[u8]) -> Option<u32> {
    let first = take(rest)?;
    let mut tag = u32::from(first);
    if first & 0x1f == 0x1f {
        for _ in 0..2 {
            let next = take(rest)?;
            tag = tag << 8 | u32::from(next);
            if next & 0x80 == 0 {
                return Some(tag);
            }
        }
        return None;
    }
    Some(tag)
}

/// One byte to 127, else how many bytes and those: two are enough here.
fn take_len(rest: &mut &[u8]) -> Option<usize> {
    Some(match take(rest)? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(take(rest)?),
        0x82 => usize::from(take(rest)?) << 8 | usize::from(take(rest)?),
        _ => return None,
    })
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_names_a_customer_is_refused() {
        for (data, told) in [
            ("", ""),
            ("9F2608A1B2C3D4E5F60718820219809F360200A7", ""),
            ("9F10810107", ""),
            ("DF810101AA", ""),
            ("5A084111111111111111", "number"),
            ("5F2003414243", "name"),
            ("70065A04411111119F3602", "number"),
            ("9F36028001995F", "PIN"),
            ("9F3602", "cannot be read"),
            ("9F", "cannot be read"),
            ("9F368301", "cannot be read"),
            ("82024111111111111111", "cannot be read"),
        ] {
            let checked = check(&hex::decode(data).expect("hex"), "4111111111111111");
            let fault = checked.map_or_else(|fault| fault.to_string(), |()| String::new());
            assert!(fault.contains(told) && fault.is_empty() == told.is_empty(), "{data}: {fault}");
        }
        assert!(check(&[0; 513], "4111111111111111").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = check(&data, "4111111111111111");
        }
    }
}
