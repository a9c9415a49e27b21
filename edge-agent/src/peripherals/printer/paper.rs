//! What a printer makes of the bytes it gets: the simulated one's firmware. Pure.
//!
//! It obeys the commands that [`super::escpos`] sends, as the reference has them, and nothing else: an unknown command is an
//! error rather than a guess, so that a test finds it.

use qrcode::{EcLevel, QrCode, types::Color};

use super::escpos::{CHARACTER_DOTS, COLUMN_DOTS, Encoding, LINE_DOTS};
use crate::receipt::Align;

/// Most marks on one slip; what follows is not drawn. A receipt has fewer than a hundred.
const MARKS_MAX: usize = 2_000;
/// Longest command that is waited for: a raster picture of 1000 × 2303 dots is the longest there is.
const COMMAND_LEN_MAX: usize = 512 * 1024;

/// One thing on the paper, from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Line { cells: Vec<Cell>, align: Align },
    Picture { picture: Picture, align: Align, qr_text: Option<String> },
    Blank { dots: u32 },
    Cut,
}

/// A character as it was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub character: char,
    pub bold: bool,
    /// Half-width columns that it takes before enlargement: 1 or 2.
    pub columns: u32,
    pub times_wide: u32,
    pub times_high: u32,
}

impl Cell {
    pub const fn width_dots(&self) -> u32 {
        self.columns * COLUMN_DOTS * self.times_wide
    }

    pub const fn height_dots(&self) -> u32 {
        CHARACTER_DOTS * self.times_high
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub width_dots: u32,
    pub height_dots: u32,
    /// Row by row; true is black.
    pub dots: Vec<bool>,
}

/// Why the printer does not know what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misprint {
    #[error("obey the unknown command {}", hex::encode(.0))]
    Unknown(Vec<u8>),
    #[error("print bytes that are no text: {}", hex::encode(.0))]
    NoText(Vec<u8>),
}

/// The printer's inside.
pub(super) struct Firmware {
    width_dots: u32,
    pending: Vec<u8>,
    line: Vec<Cell>,
    settings: Settings,
    /// What is on the paper since the last cut, or the last slip if nothing has been printed since.
    slip: Vec<Mark>,
    /// How often the drawer was told to open.
    pub pulses: u32,
    /// The `n` of each `DLE EOT n` that has not been answered yet.
    pub questions: Vec<u8>,
}

#[derive(Clone)]
struct Settings {
    align: Align,
    bold: bool,
    /// Times wide, times high.
    size: (u32, u32),
    /// The same of two-byte characters.
    wide_size: (u32, u32),
    encoding: Encoding,
    qr_module_dots: u32,
    qr_level: EcLevel,
    qr_text: Vec<u8>,
}

impl Settings {
    const AFTER_RESET: Self = Self {
        align: Align::Left,
        bold: false,
        size: (1, 1),
        wide_size: (1, 1),
        encoding: Encoding::Gb18030,
        qr_module_dots: 3,
        qr_level: EcLevel::L,
        qr_text: Vec::new(),
    };
}

/// The length of what was obeyed; none if it is not whole yet.
type Obeyed = Result<Option<usize>, Misprint>;

impl Firmware {
    pub const fn new(width_dots: u32) -> Self {
        Self {
            width_dots,
            pending: Vec::new(),
            line: Vec::new(),
            settings: Settings::AFTER_RESET,
            slip: Vec::new(),
            pulses: 0,
            questions: Vec::new(),
        }
    }

    pub fn slip(&self) -> &[Mark] {
        &self.slip
    }

    /// Obeys `bytes`; a command that is not whole yet waits for its rest.
    ///
    /// # Errors
    /// At the first thing that it does not know; what came before is on the paper, what follows is lost.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Misprint> {
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(bytes);
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            match self.obey(rest)? {
                Some(len) => rest = rest.get(len..).unwrap_or_default(),
                None if rest.len() > COMMAND_LEN_MAX => return Err(unknown(rest)),
                None => break,
            }
        }
        self.pending = rest.to_vec();
        Ok(())
    }

    fn obey(&mut self, bytes: &[u8]) -> Obeyed {
        match bytes {
            [b'\n', ..] => {
                self.end_line();
                Ok(Some(1))
            }
            [0x10, rest @ ..] => self.obey_dle(bytes, rest),
            [0x1b, rest @ ..] => self.obey_esc(bytes, rest),
            [0x1c, rest @ ..] => self.obey_fs(bytes, rest),
            [0x1d, rest @ ..] => self.obey_gs(bytes, rest),
            [0x20..=0x7e | 0x80.., ..] => self.character(bytes),
            _ => Err(unknown(bytes)),
        }
    }

    fn obey_dle(&mut self, bytes: &[u8], rest: &[u8]) -> Obeyed {
        match rest {
            [4, n @ 1..=4, ..] => {
                self.questions.push(*n);
                Ok(Some(3))
            }
            [0x14, 1, 0 | 1, 1..=8, ..] => {
                self.pulses += 1;
                Ok(Some(5))
            }
            [] | [4 | 0x14] | [0x14, 1] | [0x14, 1, 0 | 1] => Ok(None),
            _ => Err(unknown(bytes)),
        }
    }

    fn obey_esc(&mut self, bytes: &[u8], rest: &[u8]) -> Obeyed {
        match rest {
            [b'@', ..] => {
                self.line.clear();
                self.settings = Settings::AFTER_RESET;
                Ok(Some(2))
            }
            [b'a', n @ 0..=2, ..] => {
                // Only obeyed at the beginning of a line.
                if self.line.is_empty() {
                    self.settings.align = match n {
                        0 => Align::Left,
                        1 => Align::Centre,
                        _ => Align::Right,
                    };
                }
                Ok(Some(3))
            }
            [b'E', n, ..] => {
                self.settings.bold = n & 1 == 1;
                Ok(Some(3))
            }
            [b'd', n, ..] => {
                if !self.line.is_empty() {
                    self.end_line();
                }
                self.mark(Mark::Blank { dots: u32::from(*n) * LINE_DOTS });
                Ok(Some(3))
            }
            [b'p', 0 | 1, _, _, ..] => {
                self.pulses += 1;
                Ok(Some(5))
            }
            [] | [b'a' | b'E' | b'd' | b'p'] | [b'p', _] | [b'p', _, _] => Ok(None),
            _ => Err(unknown(bytes)),
        }
    }

    fn obey_fs(&mut self, bytes: &[u8], rest: &[u8]) -> Obeyed {
        match rest {
            [b'&', ..] => {
                self.settings.encoding = Encoding::Gb18030;
                Ok(Some(2))
            }
            [b'!', n, ..] => {
                self.settings.wide_size = (1 + u32::from(n >> 2 & 1), 1 + u32::from(n >> 3 & 1));
                Ok(Some(3))
            }
            [b'(', b'C', 2, 0, 48, m @ (1 | 2), ..] => {
                self.settings.encoding = if *m == 2 { Encoding::Utf8 } else { Encoding::Gb18030 };
                Ok(Some(7))
            }
            // Which glyphs come first: there is one font here.
            [b'(', b'C', 3, 0, 60, 0 | 1, _, ..] => Ok(Some(8)),
            [] | [b'!' | b'('] => Ok(None),
            [b'(', b'C', parameters @ ..] if parameters.len() < 5 => Ok(None),
            _ => Err(unknown(bytes)),
        }
    }

    fn obey_gs(&mut self, bytes: &[u8], rest: &[u8]) -> Obeyed {
        match rest {
            [b'!', n, ..] => {
                self.settings.size = (1 + u32::from(n >> 4 & 7), 1 + u32::from(n & 7));
                self.settings.wide_size = self.settings.size;
                Ok(Some(3))
            }
            [b'V', 0 | 1 | 48 | 49, ..] => {
                self.mark(Mark::Cut);
                Ok(Some(3))
            }
            [b'V', 65 | 66, _, ..] => {
                self.mark(Mark::Cut);
                Ok(Some(4))
            }
            [b'(', b'k', low, high, parameters @ ..] => {
                let len = usize::from(u16::from_le_bytes([*low, *high]));
                let Some(parameters) = parameters.get(..len) else { return Ok(None) };
                self.qr(parameters, bytes)?;
                Ok(Some(5 + len))
            }
            [b'v', b'0', 0 | 48, x_low, x_high, y_low, y_high, data @ ..] => {
                let row_bytes = u16::from_le_bytes([*x_low, *x_high]);
                let height = u16::from_le_bytes([*y_low, *y_high]);
                let len = usize::from(row_bytes) * usize::from(height);
                let Some(data) = data.get(..len) else { return Ok(None) };
                let dots = data.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect();
                let picture = Picture { width_dots: u32::from(row_bytes) * 8, height_dots: u32::from(height), dots };
                self.mark(Mark::Picture { picture, align: self.settings.align, qr_text: None });
                Ok(Some(8 + len))
            }
            [] | [b'!' | b'V' | b'(' | b'v'] | [b'V', 65 | 66] | [b'(', b'k', ..] => Ok(None),
            [b'v', b'0', parameters @ ..] if parameters.len() < 5 => Ok(None),
            _ => Err(unknown(bytes)),
        }
    }

    /// `GS ( k` with `cn` 49; `parameters` begin there.
    fn qr(&mut self, parameters: &[u8], bytes: &[u8]) -> Result<(), Misprint> {
        match parameters {
            [49, 65, 50, 0] => {}
            [49, 67, n @ 1..=16] => self.settings.qr_module_dots = u32::from(*n),
            [49, 69, n @ 48..=51] => {
                self.settings.qr_level = match n {
                    48 => EcLevel::L,
                    49 => EcLevel::M,
                    50 => EcLevel::Q,
                    _ => EcLevel::H,
                };
            }
            [49, 80, 48, text @ ..] => self.settings.qr_text = text.to_vec(),
            [49, 81, 48] => {
                let text = &self.settings.qr_text;
                let code = QrCode::with_error_correction_level(text, self.settings.qr_level)
                    .map_err(|_| Misprint::NoText(text.clone()))?;
                let qr_text = Some(String::from_utf8_lossy(text).into_owned());
                let picture = enlarged(&code, self.settings.qr_module_dots);
                self.mark(Mark::Picture { picture, align: self.settings.align, qr_text });
            }
            _ => return Err(unknown(bytes)),
        }
        Ok(())
    }

    fn character(&mut self, bytes: &[u8]) -> Obeyed {
        let no_text = |len: usize| Misprint::NoText(bytes.get(..len).unwrap_or(bytes).to_vec());
        let len = match (self.settings.encoding, bytes.first().copied().unwrap_or_default()) {
            (_, ..=0x7f) => 1,
            (Encoding::Gb18030, 0x81..=0xfe) | (Encoding::Utf8, 0xc2..=0xdf) => 2,
            (Encoding::Utf8, 0xe0..=0xef) => 3,
            (Encoding::Utf8, 0xf0..=0xf4) => 4,
            _ => return Err(no_text(1)),
        };
        let Some(code) = bytes.get(..len) else { return Ok(None) };
        let text = match self.settings.encoding {
            Encoding::Gb18030 => {
                encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(code).map(String::from)
            }
            Encoding::Utf8 => std::str::from_utf8(code).ok().map(str::to_owned),
        };
        let character = text.and_then(|text| text.chars().next()).ok_or_else(|| no_text(len))?;
        let columns = u32::try_from(self.settings.encoding.columns(character)).unwrap_or(1).max(1);
        let (times_wide, times_high) = if len > 1 { self.settings.wide_size } else { self.settings.size };
        let cell = Cell { character, bold: self.settings.bold, columns, times_wide, times_high };
        let used: u32 = self.line.iter().map(Cell::width_dots).sum();
        if used + cell.width_dots() > self.width_dots && !self.line.is_empty() {
            self.end_line();
        }
        self.line.push(cell);
        Ok(Some(len))
    }

    fn end_line(&mut self) {
        let cells = std::mem::take(&mut self.line);
        self.mark(Mark::Line { cells, align: self.settings.align });
    }

    fn mark(&mut self, mark: Mark) {
        if self.slip.last() == Some(&Mark::Cut) {
            self.slip.clear();
        }
        if self.slip.len() < MARKS_MAX || mark == Mark::Cut {
            self.slip.push(mark);
        }
    }
}

fn enlarged(code: &QrCode, module_dots: u32) -> Picture {
    let modules = code.width();
    let times = usize::try_from(module_dots).unwrap_or(1);
    let colors = code.to_colors();
    let mut dots = Vec::with_capacity(colors.len() * times * times);
    for row in colors.chunks(modules) {
        let line: Vec<bool> = row.iter().flat_map(|color| std::iter::repeat_n(*color == Color::Dark, times)).collect();
        for _ in 0..times {
            dots.extend_from_slice(&line);
        }
    }
    let side = u32::try_from(modules).unwrap_or(u32::MAX).saturating_mul(module_dots);
    Picture { width_dots: side, height_dots: side, dots }
}

fn unknown(bytes: &[u8]) -> Misprint {
    Misprint::Unknown(bytes.iter().take(8).copied().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        peripherals::printer::escpos::{Dialect, QrBy, encode},
        receipt::{Document, Element, Size},
    };

    #[test]
    fn what_it_does_not_know_is_an_error() {
        for (bytes, reason) in [
            (&b"\x1bZ"[..], "obey the unknown command 1b5a"),
            (b"\x1d(k\x03\x001P9", "obey the unknown command 1d286b0300315039"),
            (b"\x07", "obey the unknown command 07"),
            (b"\xff", "print bytes that are no text: ff"),
            (b"\x81\x30", "print bytes that are no text: 8130"),
        ] {
            assert_eq!(Firmware::new(384).take(bytes).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_below() {
        let mut firmware = Firmware::new(120);
        firmware.take("0123456789ab\n".as_bytes()).unwrap();
        let lengths: Vec<usize> = firmware
            .slip()
            .iter()
            .map(|mark| if let Mark::Line { cells, .. } = mark { cells.len() } else { 0 })
            .collect();
        assert_eq!(lengths, [10, 2]);
    }

    #[test]
    fn alignment_in_the_middle_of_a_line_is_not_obeyed() {
        let mut firmware = Firmware::new(384);
        firmware.take(b"a\x1ba\x01b\n").unwrap();
        assert!(matches!(firmware.slip(), [Mark::Line { align: Align::Left, .. }]));
    }

    fn text() -> impl Strategy<Value = String> {
        "[ -~茶店€¥é😀\u{1b}\u{1d}\u{10}\u{9b}]{0,40}"
    }

    fn element() -> impl Strategy<Value = Element> {
        let align = prop_oneof![Just(Align::Left), Just(Align::Centre), Just(Align::Right)];
        let size = || prop_oneof![Just(Size::Normal), Just(Size::Double)];
        prop_oneof![
            (text(), align, any::<bool>(), size()).prop_map(|(text, align, bold, size)| Element::Text {
                text,
                align,
                bold,
                size
            }),
            (text(), text(), any::<bool>(), size()).prop_map(|(left, right, bold, size)| Element::Columns {
                left,
                right,
                bold,
                size
            }),
            Just(Element::Rule),
            text().prop_map(|text| Element::Qr { text }),
            any::<u8>().prop_map(|lines| Element::Feed { lines }),
            Just(Element::Cut),
        ]
    }

    proptest! {
        /// No text makes the printer do anything but print, in whatever pieces the bytes arrive; and no line is wider than
        /// the paper, so that the printer never breaks one by itself.
        #[test]
        fn every_document_is_understood(
            elements in proptest::collection::vec(element(), 0..6),
            utf8 in any::<bool>(),
            raster in any::<bool>(),
            width_dots in 200_u32..=1000,
            piece in 1_usize..50,
        ) {
            let dialect = Dialect {
                width_dots,
                encoding: if utf8 { Encoding::Utf8 } else { Encoding::Gb18030 },
                qr: if raster { QrBy::Raster } else { QrBy::Printer },
            };
            let bytes = encode(&Document { elements }, &dialect);
            let mut whole = Firmware::new(width_dots);
            prop_assert_eq!(whole.take(&bytes), Ok(()));
            prop_assert!(whole.pending.is_empty());
            prop_assert_eq!((whole.pulses, whole.questions.len()), (0, 0));
            // Paper of twice the width breaks no line, so this one has broken none either.
            let mut wider = Firmware::new(width_dots * 2);
            wider.take(&bytes).unwrap();
            prop_assert_eq!(whole.slip(), wider.slip());

            let mut pieces = Firmware::new(width_dots);
            for piece in bytes.chunks(piece) {
                prop_assert_eq!(pieces.take(piece), Ok(()));
            }
            prop_assert_eq!(pieces.slip(), whole.slip());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Firmware::new(384).take(&bytes);
        }
    }
}
