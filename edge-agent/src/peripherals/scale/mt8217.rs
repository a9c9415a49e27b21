//! Scales that speak Mettler-Toledo's 8217 protocol, which most counter scales and scanner scales can be set to.
//!
//! The till asks by the letter `W`. The answer is `STX`, the weight with its decimal point (three decimals are kilograms, two
//! are pounds), an `N` if a tare is taken off, `CR`; or, while there is no weight to sell by, `STX`, `?`, a byte of status, `CR`.
//! At least 200 ms lie between two questions. Source: Mettler-Toledo, *DIVA Service Manual*, sections 6.1.4.2 (command
//! descriptions) and 6.1.4.3 (status byte); *8217 Host Communications* (character format and pause).
//!
//! Characters have seven bits and even parity. On the line that is the same as eight bits without parity, so parity is made
//! and checked here: the kernel would only turn a wrong character into another wrong one.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{Grams, Weighing, health_of};
use crate::{
    config::Parity,
    peripherals::{
        PeripheralError, PeripheralHealth, Scale,
        line::{Line, failure},
    },
};

pub const DRIVER: &str = "mt8217";

const STX: u8 = 0x02;
const CR: u8 = b'\r';
const WEIGH: u8 = b'W';
/// Longest answer between STX and CR: `123.456N`.
const ANSWER_LEN_MAX: usize = 8;
/// How long a scale may take to answer. Its reading takes a fifth of a second, its answer 75 ms at 1200 baud.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Shortest pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// After a question without an answer the line must be silent this long before the next one: a late answer is the weight of
/// goods that are not there any more.
const QUIET: Duration = Duration::from_millis(300);
/// How long that silence is waited for, from a scale that talks without end.
const QUIET_WAIT: Duration = Duration::from_secs(2);
/// Noise may garble an answer; a wrong speed garbles all.
const TRIES: usize = 2;

pub struct Mt8217 {
    path: String,
    baud: u32,
    parity: Parity,
    line: Option<Line>,
    asked_at: Option<Instant>,
    /// A question was left without an answer, which may still come.
    owed: bool,
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    /// Not of this protocol, or damaged on the way.
    Garbled,
    Pounds,
}

impl Mt8217 {
    #[must_use]
    pub fn new(path: &str, baud: u32, parity: Parity) -> Self {
        Self { path: path.to_owned(), baud, parity, line: None, asked_at: None, owed: false }
    }

    fn device(&self) -> String {
        format!("the scale at {}", self.path)
    }

    /// One question and its answer, without the characters around it; none if there is no answer.
    fn ask(&mut self) -> std::io::Result<Option<Result<Vec<u8>, Unusable>>> {
        if let Some(pause) = self.asked_at.and_then(|at| (at + PAUSE).checked_duration_since(Instant::now())) {
            thread::sleep(pause);
        }
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::open_serial(&self.path, self.baud)?,
        };
        let owed = std::mem::replace(&mut self.owed, true);
        let quiet = if owed { QUIET } else { Duration::ZERO };
        let quiet_until = Instant::now() + QUIET_WAIT;
        let mut stale = [0; 64];
        while line.read(&mut stale, Instant::now() + quiet)? > 0 && Instant::now() < quiet_until {}
        let asked_at = Instant::now();
        self.asked_at = Some(asked_at);
        line.write_all(&[with_parity(WEIGH, self.parity)], asked_at + ANSWER_WAIT)?;
        let mut told = self.listen(&mut line, asked_at + ANSWER_WAIT)?;
        if owed && told.is_some() {
            // That may have been the answer that was owed; then this one's is still to come.
            while let Some(later) = self.listen(&mut line, Instant::now() + QUIET)? {
                told = Some(later);
                if Instant::now() >= asked_at + QUIET_WAIT {
                    break;
                }
            }
        }
        self.owed = !matches!(told, Some(Ok(_)));
        self.line = Some(line);
        Ok(told)
    }

    fn listen(&self, line: &mut Line, deadline: Instant) -> std::io::Result<Option<Result<Vec<u8>, Unusable>>> {
        let mut answer = Answer::default();
        // Something that talks without end is not listened to without end.
        while Instant::now() < deadline {
            let mut byte = [0];
            if line.read(&mut byte, deadline)? == 0 {
                return Ok(None);
            }
            if let Some(told) = answer.take(byte[0], self.parity) {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    fn weigh_once(&mut self) -> Result<Result<Weighing, Unusable>, PeripheralError> {
        match self.ask() {
            Ok(Some(told)) => Ok(told.and_then(|answer| weighing(&answer))),
            Ok(None) => Err(PeripheralError::Silent { device: self.device() }),
            // A scale whose cable was pulled out comes back as a new file; `ask` has let go of the old one.
            Err(error) => Err(failure(&self.device(), &error)),
        }
    }
}

impl Scale for Mt8217 {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn weigh(&mut self) -> Result<Weighing, PeripheralError> {
        for _ in 0..TRIES {
            match self.weigh_once()? {
                Ok(weighing) => return Ok(weighing),
                Err(Unusable::Garbled) => {}
                Err(Unusable::Pounds) => {
                    let why = "it weighs in pounds; set it to kilograms".to_owned();
                    return Err(PeripheralError::Unable { device: self.device(), why });
                }
            }
        }
        let why = "its answer cannot be read; see that its speed, its parity and the protocol 8217 are set as here";
        Err(PeripheralError::Unable { device: self.device(), why: why.to_owned() })
    }

    fn health(&mut self) -> PeripheralHealth {
        health_of(self)
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok(format!("{} (the scale's own display must say the same)", self.weigh()?))
    }
}

/// An answer that comes byte by byte.
#[derive(Default)]
struct Answer {
    /// None before STX.
    text: Option<Vec<u8>>,
}

impl Answer {
    /// What stood between STX and CR, once it is whole.
    fn take(&mut self, byte: u8, parity: Parity) -> Option<Result<Vec<u8>, Unusable>> {
        let Some(character) = without_parity(byte, parity) else { return Some(Err(Unusable::Garbled)) };
        match (character, &mut self.text) {
            // Also one that begins anew, in the middle of an answer that was cut off.
            (STX, _) => self.text = Some(Vec::new()),
            (CR, Some(text)) => return Some(Ok(std::mem::take(text))),
            (_, Some(text)) if text.len() < ANSWER_LEN_MAX => text.push(character),
            (_, Some(_)) => return Some(Err(Unusable::Garbled)),
            // The rest of something else.
            (_, None) => {}
        }
        None
    }
}

const fn with_parity(character: u8, parity: Parity) -> u8 {
    match parity {
        Parity::Even if !character.count_ones().is_multiple_of(2) => character | 0x80,
        Parity::Even | Parity::None => character,
    }
}

/// None: the byte was damaged on the way.
const fn without_parity(byte: u8, parity: Parity) -> Option<u8> {
    match parity {
        Parity::Even if byte.count_ones().is_multiple_of(2) => Some(byte & 0x7f),
        Parity::None if byte.is_ascii() => Some(byte),
        Parity::Even | Parity::None => None,
    }
}

/// What an answer means.
fn weighing(answer: &[u8]) -> Result<Weighing, Unusable> {
    if let [b'?', status] = answer {
        return no_weight(*status);
    }
    let (number, net) = match answer.strip_suffix(b"N") {
        Some(number) => (number, true),
        None => (answer, false),
    };
    let point = number.iter().position(|byte| *byte == b'.').ok_or(Unusable::Garbled)?;
    let (whole, decimals) = (number.get(..point).unwrap_or_default(), number.get(point + 1..).unwrap_or_default());
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if !is_number(whole) || !is_number(decimals) {
        return Err(Unusable::Garbled);
    }
    match decimals.len() {
        3 => {
            let digits = whole.iter().chain(decimals);
            // Seven digits at most: an answer has eight characters.
            let grams = digits.fold(0, |grams: u32, digit| grams * 10 + u32::from(digit - b'0'));
            Ok(Weighing::Stable { grams: Grams(grams), net })
        }
        2 => Err(Unusable::Pounds),
        _ => Err(Unusable::Garbled),
    }
}

/// The status byte, section 6.1.4.3: bit 0 in motion, 1 over capacity, 2 under zero, 3 outside the range in which it takes zero,
/// 4 at the centre of zero, 5 net, 6 always set.
fn no_weight(status: u8) -> Result<Weighing, Unusable> {
    let is_set = |bit: u8| status & (1 << bit) != 0;
    if !is_set(6) {
        Err(Unusable::Garbled)
    } else if is_set(1) {
        Ok(Weighing::OverCapacity)
    } else if is_set(2) {
        Ok(Weighing::UnderZero)
    } else if is_set(0) {
        Ok(Weighing::InMotion)
    } else if is_set(3) {
        Ok(Weighing::NotZeroed)
    } else {
        // It says that nothing is wrong, and yet no weight.
        Err(Unusable::Garbled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let stable = |grams, net| Ok(Weighing::Stable { grams: Grams(grams), net });
        let table: [(&str, Result<Weighing, Unusable>); 22] = [
            ("00.000", stable(0, false)),
            ("01.250", stable(1_250, false)),
            ("14.995", stable(14_995, false)),
            ("001.250", stable(1_250, false)),
            ("00.080N", stable(80, true)),
            ("123.456N", stable(123_456, true)),
            ("02.76", Err(Unusable::Pounds)),
            ("002.76N", Err(Unusable::Pounds)),
            ("?A", Ok(Weighing::InMotion)),
            ("?B", Ok(Weighing::OverCapacity)),
            ("?C", Ok(Weighing::OverCapacity)),
            ("?D", Ok(Weighing::UnderZero)),
            ("?E", Ok(Weighing::UnderZero)),
            ("?a", Ok(Weighing::InMotion)),
            ("?H", Ok(Weighing::NotZeroed)),
            ("?@", Err(Unusable::Garbled)),
            ("?1", Err(Unusable::Garbled)),
            ("", Err(Unusable::Garbled)),
            ("1250", Err(Unusable::Garbled)),
            (".250", Err(Unusable::Garbled)),
            ("-1.250", Err(Unusable::Garbled)),
            ("1.2.50", Err(Unusable::Garbled)),
        ];
        for (answer, meant) in table {
            assert_eq!(weighing(answer.as_bytes()), meant, "{answer}");
        }
    }

    #[test]
    fn parity_is_made_and_checked() {
        // W is 0x57, five bits set; 1 is 0x31, three; 3 is 0x33, four.
        for (character, on_the_line) in [(b'W', 0xd7), (b'1', 0xb1), (b'3', 0x33), (STX, 0x82), (CR, 0x8d)] {
            assert_eq!(with_parity(character, Parity::Even), on_the_line);
            assert_eq!(without_parity(on_the_line, Parity::Even), Some(character));
            assert_eq!(with_parity(character, Parity::None), character);
            for bit in 0..8 {
                assert_eq!(without_parity(on_the_line ^ (1 << bit), Parity::Even), None, "{character} bit {bit}");
            }
        }
        assert_eq!(without_parity(0xd7, Parity::None), None);
    }

    #[test]
    fn an_answer_begins_at_its_first_character_and_ends_at_its_last() {
        let all = |bytes: &[u8]| {
            let mut answer = Answer::default();
            bytes.iter().find_map(|byte| answer.take(*byte, Parity::None))
        };
        assert_eq!(all(b"5.0\r\x0201.250\rrest"), Some(Ok(b"01.250".to_vec())));
        assert_eq!(all(b"\x0201.2\x0201.250\r"), Some(Ok(b"01.250".to_vec())));
        assert_eq!(all(b"\x02\r"), Some(Ok(Vec::new())));
        assert_eq!(all(b"\x02123456789\r"), Some(Err(Unusable::Garbled)));
        assert_eq!(all(b"\x0201.250"), None);
        assert_eq!(all(b"\x020\xb1.250\r"), Some(Err(Unusable::Garbled)));
    }
}
