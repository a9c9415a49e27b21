//! Scanners that the agent has. One that types and is left alone types into the till's page, as a hand can.

pub mod evdev;
pub mod serial;
pub mod simulated;

use std::time::{Duration, Instant};

use saoma_protocol::api::SCANNED_CODE_LEN_MAX;

/// Silence after which a code is whole even without a line end: characters of one code follow each other within a
/// millisecond at 9600 baud, two scans are a second apart.
const CODE_ENDS_AFTER: Duration = Duration::from_millis(250);

/// Makes codes of the bytes that come, in whatever pieces.
#[derive(Default)]
struct Codes {
    bytes: Vec<u8>,
    /// The code is longer than any; its rest is awaited, and dropped.
    too_long: bool,
    last_at: Option<Instant>,
}

/// Why a scan is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    TooLong,
    NoText,
    /// A part of it never came.
    Incomplete,
    /// Its end never came.
    Unended,
}

impl Unusable {
    fn why(self) -> String {
        match self {
            Self::TooLong => format!("the code has more than {SCANNED_CODE_LEN_MAX} characters"),
            Self::NoText => "the code is not text; set the scanner to UTF-8".to_owned(),
            Self::Incomplete => "a part of the code was lost; scan again".to_owned(),
            Self::Unended => {
                "the code did not end with Enter or Tab; set the scanner to send one after each code (its suffix)"
                    .to_owned()
            }
        }
    }
}

impl Codes {
    /// The next code that ends in `came`, which is used up as far as that.
    fn take(&mut self, came: &mut &[u8], now: Instant) -> Option<Result<String, Unusable>> {
        while let Some((byte, rest)) = came.split_first() {
            *came = rest;
            if matches!(byte, b'\r' | b'\n' | 0) {
                if let Some(code) = self.end() {
                    return Some(code);
                }
                continue;
            }
            self.last_at = Some(now);
            if self.bytes.len() < SCANNED_CODE_LEN_MAX {
                self.bytes.push(*byte);
            } else {
                self.too_long = true;
            }
        }
        None
    }

    /// The code that silence has ended.
    fn after_silence(&mut self, now: Instant) -> Option<Result<String, Unusable>> {
        let last_at = self.last_at?;
        (now.saturating_duration_since(last_at) >= CODE_ENDS_AFTER).then(|| self.end()).flatten()
    }

    /// When [`Codes::after_silence`] should be asked.
    fn silent_at(&self) -> Option<Instant> {
        self.last_at.map(|last_at| last_at + CODE_ENDS_AFTER)
    }

    fn end(&mut self) -> Option<Result<String, Unusable>> {
        let Self { bytes, too_long, .. } = std::mem::take(self);
        if too_long {
            return Some(Err(Unusable::TooLong));
        }
        match String::from_utf8(bytes) {
            // Some scanners put a control character before the code.
            Ok(text) => {
                let code = text.trim_matches(|character: char| character.is_control());
                (!code.is_empty()).then(|| Ok(code.to_owned()))
            }
            Err(_) => Some(Err(Unusable::NoText)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Scan = Result<String, Unusable>;

    fn all(mut came: &[u8]) -> Vec<Scan> {
        let mut codes = Codes::default();
        let now = Instant::now();
        let mut found: Vec<_> = std::iter::from_fn(|| codes.take(&mut came, now)).collect();
        assert_eq!(codes.after_silence(now), None);
        found.extend(codes.after_silence(now + CODE_ENDS_AFTER));
        found
    }

    #[test]
    fn codes_end_at_line_ends_and_at_silence() {
        let code = |text: &str| Ok(text.to_owned());
        let table: &[(&[u8], Vec<Scan>)] = &[
            (b"", vec![]),
            (b"\r\n\r\n", vec![]),
            (b"134567890123456789\r\n", vec![code("134567890123456789")]),
            (b"one\rtwo\n\x02three", vec![code("one"), code("two"), code("three")]),
            (b"\xff\xfe\rgood\r", vec![Err(Unusable::NoText), code("good")]),
        ];
        for (came, codes) in table {
            assert_eq!(all(came), *codes, "{came:?}");
        }
    }

    #[test]
    fn a_scan_that_is_too_long_is_dropped_whole() {
        let mut came = vec![b'1'; SCANNED_CODE_LEN_MAX];
        assert_eq!(all(&came), [Ok("1".repeat(SCANNED_CODE_LEN_MAX))]);
        came.extend(b"2\rnext\r");
        assert_eq!(all(&came), [Err(Unusable::TooLong), Ok("next".to_owned())]);
    }
}
