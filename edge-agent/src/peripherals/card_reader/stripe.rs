//! The magnetic stripe (ISO/IEC 7811-2 and 7813), as readers that type or send lines tell it: `%…?;…?`, with or without check characters.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::peripherals::{PeripheralError, PeripheralState, Scanner};

/// Characters of track 2 with its sentinels (ISO/IEC 7813).
const TRACK_2_LEN_MAX: usize = 40;

/// Track 2, read. Wiped when it goes, and prints nothing.
pub struct Stripe {
    pub number: Zeroizing<String>,
    /// `YYMM`.
    pub expiry: Zeroizing<String>,
    /// As on the stripe: international or with a chip, how it is authorised, what it is for.
    pub service_code: [u8; 3],
    /// Without sentinels.
    pub track_2: Zeroizing<String>,
}

impl Stripe {
    /// The card has a chip, which is to be used (service code 2xx or 6xx).
    #[must_use]
    pub const fn has_chip(&self) -> bool {
        matches!(self.service_code[0], b'2' | b'6')
    }

    /// The issuer is to be asked at once (second digit 2 or 4), or for a PIN (third digit 0, 3 or 5).
    #[must_use]
    pub const fn needs_issuer(&self) -> bool {
        matches!(self.service_code[1], b'2' | b'4') || matches!(self.service_code[2], b'0' | b'3' | b'5')
    }

    /// The holder is to key a PIN where that can be done (third digit 0, 3, 5, 6 or 7).
    #[must_use]
    pub const fn wants_pin(&self) -> bool {
        matches!(self.service_code[2], b'0' | b'3' | b'5' | b'6' | b'7')
    }
}

/// The stripe was pulled too fast, or is worn, or is none of a payment card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What a reader tells after a swipe. None of what is wrong with it is told: it may hold most of a card's number.
///
/// # Errors
/// `Unreadable`.
pub fn read(line: &str) -> Result<Stripe, Unreadable> {
    let (_, track) = line.split_once(';').ok_or(Unreadable)?;
    let (track, after) = track.split_once('?').ok_or(Unreadable)?;
    if track.len() + 2 > TRACK_2_LEN_MAX || !has_right_check(track, after.trim_end()) {
        return Err(Unreadable);
    }
    let (number, rest) = track.split_once('=').ok_or(Unreadable)?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_card_number(number) || rest.len() < 7 || !is_digits(rest) {
        return Err(Unreadable);
    }
    let service_code = rest.as_bytes().get(4..7).and_then(|code| code.try_into().ok()).ok_or(Unreadable)?;
    let expiry = rest.get(..4).ok_or(Unreadable)?;
    Ok(Stripe {
        number: Zeroizing::new(number.to_owned()),
        expiry: Zeroizing::new(expiry.to_owned()),
        service_code,
        track_2: Zeroizing::new(track.to_owned()),
    })
}

/// The check character behind the end sentinel, if the reader tells it: the sum of all before it without carry (ISO/IEC 7811-2, annex).
fn has_right_check(track: &str, after: &str) -> bool {
    match after.as_bytes() {
        [check @ b'0'..=b'?'] => {
            let ends = (b';' & 15) ^ (b'?' & 15);
            track.bytes().fold(ends, |sum, byte| sum ^ (byte & 15)) == check & 15
        }
        _ => true,
    }
}

/// 13 to 19 digits (ISO/IEC 7812-1, annex B: the last makes the sum right).
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = text.bytes().rev().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    (13..=19).contains(&text.len())
        && is_digits
        && digits.enumerate().map(|(idx, digit)| if idx % 2 == 1 { doubled(digit) } else { digit }).sum::<u32>() % 10
            == 0
}

/// Whether a text holds a track, or the most of one: a card was swiped where a code was to be scanned. Nothing of it is kept.
#[must_use]
pub fn holds_track(text: &str) -> bool {
    const NUMBER_LEN_MIN: usize = 12;
    let digits_before = |text: &str| text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let digits_after = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let is_second = text
        .match_indices('=')
        .any(|(at, _)| digits_before(&text[..at]) >= NUMBER_LEN_MIN && digits_after(&text[at + 1..]) >= 7);
    let is_first = text
        .match_indices("%B")
        .any(|(at, _)| digits_after(&text[at + 2..]) >= NUMBER_LEN_MIN && text[at..].contains('^'));
    is_second || is_first
}

/// A reader of stripes that tells lines: on a serial port, or typing, and then taken for the agent alone so that nothing reaches a page.
pub struct Swipes(Box<dyn Scanner>);

/// Lines that may lie there from before: more is a device that does not stop talking.
const FORGOTTEN_MAX: usize = 32;
/// Most readers tell the tracks in one line, some in one each: the second comes at once.
const NEXT_TRACK: Duration = Duration::from_millis(300);

impl Swipes {
    #[must_use]
    pub fn new(lines: Box<dyn Scanner>) -> Self {
        Self(lines)
    }

    /// Waits at most `wait` for a card to be pulled through.
    ///
    /// # Errors
    /// Of the device.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Result<Stripe, Unreadable>>, PeripheralError> {
        let Some(line) = self.line(wait)? else { return Ok(None) };
        let mut line = Zeroizing::new(line);
        if !line.contains(';')
            && let Some(second) = self.line(NEXT_TRACK)?
        {
            line.push_str(&Zeroizing::new(second));
        }
        Ok(Some(read(&line)))
    }

    /// What lies there from before, is thrown away: nobody waited for it.
    ///
    /// # Errors
    /// Of the device.
    pub fn forget(&mut self) -> Result<(), PeripheralError> {
        for _ in 0..FORGOTTEN_MAX {
            let Some(line) = self.line(Duration::ZERO)? else { break };
            drop(Zeroizing::new(line));
        }
        Ok(())
    }

    fn line(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        match self.0.read(wait) {
            // What is no text, or too long, was no track.
            Err(PeripheralError::Unable { .. }) if self.0.health().state != PeripheralState::Failed => {
                Ok(Some(String::new()))
            }
            told => told,
        }
    }

    pub fn health(&mut self) -> crate::peripherals::PeripheralHealth {
        self.0.health()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stripe_is_read_whole_or_not_at_all() {
        let track = ";6228480402564890018=30122010000012345?";
        let check = |track: &str| {
            let sum = track.bytes().fold(0, |sum, byte| sum ^ (byte & 15));
            format!("{track}{}", char::from(b'0' + sum))
        };
        let wrong = |track: &str| {
            format!("{track}{}", char::from(b'0' + (track.bytes().fold(1, |sum, byte| sum ^ (byte & 15)))))
        };
        for (line, is_read) in [
            (track.to_owned(), true),
            (check(track), true),
            (wrong(track), false),
            (format!("%B6228480402564890018^CARD/TEST^3012201?{track}\r"), true),
            (";6228480402564890018=3012201?".to_owned(), true),
            (";6228480402564890018=301220?".to_owned(), false),
            // A digit was lost; the check digit is wrong; an end is missing.
            (";622848040256489018=30122010000012345?".to_owned(), false),
            (";6228480402564890019=30122010000012345?".to_owned(), false),
            (";6228480402564890018=30122010000012345".to_owned(), false),
            ("6228480402564890018=30122010000012345?".to_owned(), false),
            (";6228480402564890018=3012x010000012345?".to_owned(), false),
            (format!(";6228480402564890018=3012201{}?", "0".repeat(30)), false),
            (";E?".to_owned(), false),
            ("%E?;E?".to_owned(), false),
            ("6901234567892".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(read(&line).is_ok(), is_read, "{line}");
        }
        let Ok(stripe) = read(track) else { panic!("unread") };
        assert_eq!((stripe.number.as_str(), stripe.expiry.as_str()), ("6228480402564890018", "3012"));
        assert_eq!(stripe.track_2.as_str(), "6228480402564890018=30122010000012345");
        assert!(stripe.has_chip() && !stripe.wants_pin());
        let Ok(old) = read(";4012345678909=2512120?") else { panic!("unread") };
        assert!(!old.has_chip() && old.wants_pin());
    }

    #[test]
    fn a_track_is_known_wherever_it_comes_and_codes_are_none() {
        for (text, is_track) in [
            (";6228480402564890018=30122010000012345?", true),
            ("6228480402564890018=30122010000012345", true),
            ("%B6228480402564890018^CARD/TEST^3012201?", true),
            ("281234567890123456", false),
            ("6901234567892", false),
            ("https://qr.example/p?id=123456789012345&sum=1250", false),
            ("https://pay.example/c/pay_lpgotadatwo6tslwumbgtvnmti", false),
            ("好=123", false),
            ("", false),
        ] {
            assert_eq!(holds_track(text), is_track, "{text}");
        }
    }

    /// A device that cannot be opened says so, and is no line that nobody can read.
    #[test]
    fn a_reader_that_cannot_be_opened_is_an_error_at_once() {
        let serial = crate::peripherals::scanner::serial::SerialScanner::new("/dev/null", 12_345);
        let mut swipes = Swipes::new(Box::new(serial));
        assert!(matches!(swipes.forget(), Err(PeripheralError::Unable { .. })));
        assert!(matches!(swipes.next(Duration::ZERO), Err(PeripheralError::Unable { .. })));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,80}") {
            let _ = (read(&line).is_ok(), holds_track(&line));
        }
    }
}
