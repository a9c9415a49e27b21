//! Where a card's digits stand in bytes, packed two to a byte at either half, or as text: to find them, and to take them out.

use super::OpenCard;

/// Digits that stay of a number: the first and the last.
const SHOWN_FIRST: usize = 6;
const SHOWN_LAST: usize = 4;

/// Whether these digits stand somewhere in there.
pub(crate) fn holds_digits(bytes: &[u8], digits: &str) -> bool {
    places(&halves(bytes), &packed(digits)).next().is_some() || places(bytes, digits.as_bytes()).next().is_some()
}

/// Makes zeros of what the bytes show of the card: the digits of its number between the first 6 and the last 4, and on track 2
/// what comes after the number.
pub(crate) fn take_out(bytes: &mut [u8], card: &OpenCard) {
    let number_len = card.number.len();
    if let Some(track) = &card.track_2 {
        blot(bytes, track, number_len + 1..track.len());
    }
    blot(bytes, &card.number, SHOWN_FIRST..number_len.saturating_sub(SHOWN_LAST));
}

/// Writes zeros over a range of these digits, wherever they stand.
fn blot(bytes: &mut [u8], digits: &str, range: std::ops::Range<usize>) {
    let found: Vec<usize> = places(&halves(bytes), &packed(digits)).collect();
    for half in found.iter().flat_map(|at| range.clone().map(move |digit| at + digit)) {
        if let Some(byte) = bytes.get_mut(half / 2) {
            *byte &= if half % 2 == 0 { 0x0f } else { 0xf0 };
        }
    }
    let found: Vec<usize> = places(bytes, digits.as_bytes()).collect();
    for at in found.iter().flat_map(|at| range.clone().map(move |digit| at + digit)) {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = b'0';
        }
    }
}

fn places<'a>(all: &'a [u8], part: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = all.windows(part.len().max(1)).enumerate();
    windows.filter(move |(_, window)| *window == part).map(|(at, _)| at)
}

fn halves(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

/// Digits as halves of bytes, the separator as D.
pub(crate) fn packed(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte == b'=' { 0xd } else { byte & 15 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{OpenCard, tests::*};

    #[test]
    fn a_number_is_taken_out_wherever_it_stands() {
        let card = OpenCard::of(&card(), &manifest(), &secrets()).expect("opens");
        for (came, goes) in [
            ("02101340123456789090AA", "02101340123400089090AA"),
            ("021013040123456789090A", "021013040123400089090A"),
            ("4012345678909D25122010000012345F", "4012340008909D00000000000000000F"),
            ("34303132333435363738393039", "34303132333430303038393039"),
            ("340123456789", "340123456789"),
            ("", ""),
        ] {
            let mut bytes = hex::decode(came).expect("hex");
            let held = holds_digits(&bytes, &card.number);
            take_out(&mut bytes, &card);
            assert_eq!(hex::encode_upper(&bytes), goes);
            assert_eq!((held, holds_digits(&bytes, &card.number)), (came != goes, false));
        }
    }
}
