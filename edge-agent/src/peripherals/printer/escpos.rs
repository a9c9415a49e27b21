//! A receipt in ESC/POS, and what a printer says of itself.
//!
//! Commands as in Epson's "ESC/POS Command Reference"; only those that the many compatible printers share are used. A
//! printer obeys whatever follows an escape character, so none comes from a text: control characters are printed as spaces.

use qrcode::{EcLevel, QrCode, types::Color};
use serde::{Deserialize, Serialize};

use super::layout;
use crate::receipt::{Align, Document, Element, Size};

const DLE: u8 = 0x10;
const ESC: u8 = 0x1b;
const FS: u8 = 0x1c;
const GS: u8 = 0x1d;
const LF: u8 = b'\n';

/// Width of a half-width character of font A, the printer's default.
pub(super) const COLUMN_DOTS: u32 = 12;
/// Height of a character of font A.
pub(super) const CHARACTER_DOTS: u32 = 24;
/// Height of a line if nothing on it is higher: the default line spacing, 1/6 inch at 180 dots per inch.
pub(super) const LINE_DOTS: u32 = 30;
/// White around a QR code, in modules (ISO/IEC 18004, 9.1).
pub(super) const QUIET_MODULES: u32 = 4;
/// Largest module of a QR code. 6 dots are 0.75 mm at 203 dots per inch: read at arm's length, and half a roll wide.
const MODULE_DOTS_MAX: u32 = 6;

/// How a text becomes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The characters of one and two bytes of GB 18030 (those of GBK): what printers sold in China speak. A Chinese character
    /// is as many columns wide as it has bytes.
    Gb18030,
    /// UTF-8, for printers that have `FS ( C`.
    Utf8,
}

/// How a QR code becomes dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QrBy {
    /// The printer draws it (`GS ( k`): few bytes, the sharpest result.
    Printer,
    /// We draw it (`GS v 0`), for printers that do not know QR codes.
    Raster,
}

/// What one printer understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Printable dots across the paper.
    pub width_dots: u32,
    pub encoding: Encoding,
    pub qr: QrBy,
}

/// The pulse for a drawer on pin 2 (`ESC p`): 50 ms on, 500 ms off. Drawers open at 50 ms; more than one part on in five
/// parts burns the solenoid of some.
pub const DRAWER_PULSE: [u8; 5] = [ESC, b'p', 0, 25, 250];
/// The same in real time (`DLE DC4`, 100 ms): a printer that is offline, for example without paper, keeps `ESC p` until it is
/// online again, but does this at once.
pub const DRAWER_PULSE_NOW: [u8; 5] = [DLE, 0x14, 1, 0, 1];
/// Asks why the printer is offline (`DLE EOT 2`).
pub const ASK_OFFLINE: [u8; 3] = [DLE, 4, 2];
/// Asks for the paper's sensors (`DLE EOT 4`).
pub const ASK_PAPER: [u8; 3] = [DLE, 4, 4];

impl Encoding {
    /// How many columns the printer gives `character`.
    pub(super) fn columns(self, character: char) -> usize {
        match self {
            Self::Gb18030 => gb18030(character).map_or(1, |code| code.len()),
            Self::Utf8 => unifont::get_glyph(character).map_or(1, |glyph| glyph.get_width() / 8),
        }
    }

    pub(super) fn columns_of(self, text: &str) -> usize {
        text.chars().map(|character| self.columns(character)).sum()
    }

    fn encode(self, text: &str, bytes: &mut Vec<u8>) {
        for character in text.chars() {
            let character = if character.is_control() { ' ' } else { character };
            match self {
                Self::Gb18030 => match gb18030(character) {
                    Some(code) => bytes.extend_from_slice(&code),
                    None => bytes.push(b'?'),
                },
                Self::Utf8 => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// The code of at most two bytes, or none: most printers have no glyphs for those of four.
fn gb18030(character: char) -> Option<Vec<u8>> {
    // U+00A5 has four bytes; its full-width twin is what GB printers have.
    let character = if character == '¥' { '￥' } else { character };
    let mut utf8 = [0; 4];
    let (code, _, _) = encoding_rs::GB18030.encode(character.encode_utf8(&mut utf8));
    (code.len() <= 2).then(|| code.into_owned())
}

/// The bytes that print `document`. Each receipt begins with a reset, so that nothing is left of what was printed before.
#[must_use]
pub fn encode(document: &Document, dialect: &Dialect) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::new(), dialect, style: Style::AFTER_RESET };
    writer.reset();
    for element in &document.elements {
        writer.element(element);
    }
    writer.bytes
}

/// What the printer was last told about characters and lines.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Style {
    align: Align,
    bold: bool,
    size: Size,
}

impl Style {
    const AFTER_RESET: Self = Self { align: Align::Left, bold: false, size: Size::Normal };
}

struct Writer<'a> {
    bytes: Vec<u8>,
    dialect: &'a Dialect,
    style: Style,
}

impl Writer<'_> {
    fn reset(&mut self) {
        // ESC @, initialize.
        self.bytes.extend([ESC, b'@']);
        match self.dialect.encoding {
            // FS &, two-byte characters.
            Encoding::Gb18030 => self.bytes.extend([FS, b'&']),
            Encoding::Utf8 => {
                // FS ( C function 48, UTF-8; function 60, simplified Chinese glyphs where the first font has none.
                self.bytes.extend([FS, b'(', b'C', 2, 0, 48, 2]);
                self.bytes.extend([FS, b'(', b'C', 3, 0, 60, 1, 20]);
            }
        }
    }

    fn element(&mut self, element: &Element) {
        match element {
            Element::Text { text, align, bold, size } => {
                self.text(text, Style { align: *align, bold: *bold, size: *size });
            }
            Element::Columns { left, right, bold, size } => {
                let style = Style { align: Align::Left, bold: *bold, size: *size };
                match layout::both_ends(left, right, self.columns(*size), self.dialect.encoding) {
                    Some(line) => self.line(&line, style),
                    None => {
                        if !left.is_empty() {
                            self.text(left, style);
                        }
                        self.text(right, Style { align: Align::Right, ..style });
                    }
                }
            }
            Element::Rule => self.line(&"-".repeat(self.columns(Size::Normal)), Style::AFTER_RESET),
            Element::Qr { text } => self.qr(text),
            // ESC d, print and feed lines.
            Element::Feed { lines: 0 } => {}
            Element::Feed { lines } => self.bytes.extend([ESC, b'd', *lines]),
            // GS V function B, feed to the cutter and cut, one point left uncut so that the slip does not fall.
            Element::Cut => self.bytes.extend([GS, b'V', 66, 0]),
        }
    }

    fn columns(&self, size: Size) -> usize {
        let columns = self.dialect.width_dots / COLUMN_DOTS;
        usize::try_from(if size == Size::Double { columns / 2 } else { columns }).unwrap_or(1).max(2)
    }

    fn text(&mut self, text: &str, style: Style) {
        for line in layout::wrap(text, self.columns(style.size), self.dialect.encoding) {
            self.line(&line, style);
        }
    }

    fn line(&mut self, line: &str, style: Style) {
        self.set_style(style);
        self.dialect.encoding.encode(line, &mut self.bytes);
        self.bytes.push(LF);
    }

    /// Sends what differs from the style before. Only called at the beginning of a line, where alignment is obeyed.
    fn set_style(&mut self, style: Style) {
        if style.align != self.style.align {
            let n = match style.align {
                Align::Left => 0,
                Align::Centre => 1,
                Align::Right => 2,
            };
            self.bytes.extend([ESC, b'a', n]);
        }
        if style.bold != self.style.bold {
            self.bytes.extend([ESC, b'E', u8::from(style.bold)]);
        }
        if style.size != self.style.size {
            let double = style.size == Size::Double;
            self.bytes.extend([GS, b'!', if double { 0x11 } else { 0 }]);
            if self.dialect.encoding == Encoding::Gb18030 {
                // Some compatible printers size Chinese characters by FS ! alone; on the others it says the same again.
                self.bytes.extend([FS, b'!', if double { 0x0c } else { 0 }]);
            }
        }
        self.style = style;
    }

    fn qr(&mut self, text: &str) {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else {
            // Longer than any QR code: at least it can be read by a person.
            return self.text(text, Style::AFTER_RESET);
        };
        let modules = u32::try_from(code.width()).unwrap_or(u32::MAX);
        let module_dots = module_dots(modules, self.dialect.width_dots);
        self.set_style(Style { align: Align::Centre, ..Style::AFTER_RESET });
        match self.dialect.qr {
            QrBy::Printer => {
                // The printer leaves no white: a line above and below is at least the four modules that scanners need.
                self.bytes.push(LF);
                self.printer_qr(text, module_dots);
                self.bytes.push(LF);
            }
            QrBy::Raster => self.raster_qr(&code, modules, module_dots),
        }
    }

    /// `GS ( k` functions 165 (model 2), 167 (module), 169 (correction M), 180 (store), 181 (print).
    fn printer_qr(&mut self, text: &str, module_dots: u32) {
        let module = u8::try_from(module_dots).unwrap_or(1);
        self.bytes.extend([GS, b'(', b'k', 4, 0, 49, 65, 50, 0]);
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 67, module]);
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 69, 49]);
        // A QR code holds less than 3 KB, so this cannot be cut off.
        let [low, high] = u16::try_from(text.len() + 3).unwrap_or(u16::MAX).to_le_bytes();
        self.bytes.extend([GS, b'(', b'k', low, high, 49, 80, 48]);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend([GS, b'(', b'k', 3, 0, 49, 81, 48]);
    }

    /// `GS v 0`: rows of bits, 1 is black, with the white around.
    fn raster_qr(&mut self, code: &QrCode, modules: u32, module_dots: u32) {
        let side = (modules + 2 * QUIET_MODULES) * module_dots;
        let row_bytes = side.div_ceil(8);
        let [x_low, x_high] = u16::try_from(row_bytes).unwrap_or(u16::MAX).to_le_bytes();
        let [y_low, y_high] = u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
        self.bytes.extend([GS, b'v', b'0', 0, x_low, x_high, y_low, y_high]);
        let colors = code.to_colors();
        let dark = |x: u32, y: u32| {
            let module = |dot: u32| (dot / module_dots).checked_sub(QUIET_MODULES).filter(|at| *at < modules);
            let (Some(column), Some(row)) = (module(x), module(y)) else { return false };
            usize::try_from(row * modules + column).ok().and_then(|at| colors.get(at)) == Some(&Color::Dark)
        };
        for y in 0..side {
            for byte in 0..row_bytes {
                let bits = (0..8).fold(0, |bits, bit| bits << 1 | u8::from(dark(byte * 8 + bit, y)));
                self.bytes.push(bits);
            }
        }
    }
}

/// The largest module with which the code and its white fit on the paper.
fn module_dots(modules: u32, width_dots: u32) -> u32 {
    (width_dots / (modules.saturating_add(2 * QUIET_MODULES))).clamp(1, MODULE_DOTS_MAX)
}

/// What a printer says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub cover_open: bool,
    pub paper_out: bool,
    /// Works, and wants a new roll soon.
    pub paper_low: bool,
    /// Something that the printer does not get over by itself: a jammed cutter, a hot head.
    pub error: bool,
}

impl Status {
    /// From the answers to [`ASK_OFFLINE`] and [`ASK_PAPER`].
    #[must_use]
    pub const fn from_answers(offline: u8, paper: u8) -> Self {
        Self {
            cover_open: offline & 0x04 != 0,
            paper_out: offline & 0x20 != 0 || paper & 0x60 != 0,
            paper_low: paper & 0x0c != 0,
            error: offline & 0x40 != 0,
        }
    }
}

/// Whether a byte can be an answer to `DLE EOT`: bits 0 and 7 are always off, bits 1 and 4 always on. Everything else that a
/// printer sends (flow control, automatic status) differs in one of them.
#[must_use]
pub const fn is_answer(byte: u8) -> bool {
    byte & 0b1001_0011 == 0b0001_0010
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLL_58: Dialect = Dialect { width_dots: 384, encoding: Encoding::Gb18030, qr: QrBy::Printer };

    /// Every byte, sixteen a row, a new row after each line feed.
    fn dump(bytes: &[u8]) -> String {
        let mut text = String::new();
        for line in bytes.split_inclusive(|byte| *byte == LF) {
            for row in line.chunks(16) {
                let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let seen: String =
                    row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
                text.push_str(&format!("{:<48}{seen}\n", hex.join(" ")));
            }
        }
        text
    }

    fn encoded(elements: Vec<Element>, dialect: &Dialect) -> Vec<u8> {
        encode(&Document { elements }, dialect)
    }

    fn text(text: &str, align: Align, bold: bool, size: Size) -> Element {
        Element::Text { text: text.to_owned(), align, bold, size }
    }

    fn columns(left: &str, right: &str) -> Element {
        Element::Columns { left: left.to_owned(), right: right.to_owned(), bold: false, size: Size::Normal }
    }

    fn all_elements() -> Vec<Element> {
        vec![
            text("扫码茶饮 Saoma", Align::Centre, true, Size::Double),
            text("right", Align::Right, false, Size::Normal),
            Element::Rule,
            columns("奶茶 ×1", "12.50"),
            columns("a description that leaves no place", "¥12.50"),
            Element::Columns {
                left: "合计 TOTAL".to_owned(),
                right: "12.50".to_owned(),
                bold: true,
                size: Size::Double,
            },
            Element::Qr { text: "pay_1".to_owned() },
            Element::Feed { lines: 2 },
            Element::Cut,
        ]
    }

    #[test]
    fn every_element_in_gb18030() {
        insta::assert_snapshot!(dump(&encoded(all_elements(), &ROLL_58)));
    }

    #[test]
    fn every_element_in_utf8() {
        insta::assert_snapshot!(dump(&encoded(all_elements(), &Dialect { encoding: Encoding::Utf8, ..ROLL_58 })));
    }

    #[test]
    fn a_qr_code_as_dots() {
        let qr = vec![Element::Qr { text: "1".to_owned() }];
        let narrow = Dialect { width_dots: 200, qr: QrBy::Raster, ..ROLL_58 };
        insta::assert_snapshot!(dump(&encoded(qr, &narrow)));
    }

    #[test]
    fn a_text_cannot_command_the_printer() {
        let evil = "a\u{1b}@\u{1d}V\u{0}\n\u{10}\u{4}\u{1}\u{7f}\u{9b}b";
        let elements = vec![text(evil, Align::Left, false, Size::Normal), columns(evil, "b")];
        for encoding in [Encoding::Gb18030, Encoding::Utf8] {
            let bytes = encoded(elements.clone(), &Dialect { encoding, ..ROLL_58 });
            let reset = encoded(Vec::new(), &Dialect { encoding, ..ROLL_58 });
            let texts = &bytes[reset.len()..];
            assert!(texts.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{}", dump(texts));
        }
    }

    #[test]
    fn characters_that_the_printer_lacks_are_question_marks() {
        for (written, sent) in
            [("é", &b"\xa8\xa6"[..]), ("€", b"\xa2\xe3"), ("¥", b"\xa3\xa4"), ("😀", b"?"), ("Ž", b"?")]
        {
            let mut bytes = Vec::new();
            Encoding::Gb18030.encode(written, &mut bytes);
            assert_eq!(bytes, sent, "{written}");
            assert_eq!(Encoding::Gb18030.columns_of(written), sent.len(), "{written}");
        }
    }

    #[test]
    fn the_module_is_as_large_as_the_paper_allows() {
        // Modules of versions 1, 10 and 40.
        for (modules, width, dots) in [(21, 384, 6), (57, 384, 5), (57, 576, 6), (177, 384, 2), (177, 200, 1)] {
            assert_eq!(module_dots(modules, width), dots, "{modules} modules on {width} dots");
            assert!((modules + 2 * QUIET_MODULES) * dots <= width);
        }
    }

    #[test]
    fn more_than_a_qr_code_holds_is_printed_as_text() {
        let long = "x".repeat(3_000);
        let bytes = encoded(vec![Element::Qr { text: long }], &ROLL_58);
        assert_eq!(bytes.iter().filter(|byte| **byte == b'x').count(), 3_000);
        assert!(!bytes.contains(&GS));
    }

    #[test]
    fn status_bytes_are_read_as_the_reference_has_them() {
        let well = Status::default();
        let table = [
            (0x12, 0x12, well),
            // The feed button is held: nothing is wrong.
            (0x1a, 0x12, well),
            (0x16, 0x12, Status { cover_open: true, ..well }),
            (0x32, 0x12, Status { paper_out: true, ..well }),
            (0x12, 0x72, Status { paper_out: true, ..well }),
            (0x12, 0x1e, Status { paper_low: true, ..well }),
            (0x52, 0x12, Status { error: true, ..well }),
            (0x76, 0x7e, Status { cover_open: true, paper_out: true, paper_low: true, error: true }),
        ];
        for (offline, paper, status) in table {
            assert_eq!(Status::from_answers(offline, paper), status, "{offline:02x} {paper:02x}");
            assert!(is_answer(offline) && is_answer(paper));
        }
        // XON, XOFF, the first byte of an automatic status, and noise.
        for other in [0x11, 0x13, 0x10, 0x00, 0xff, 0x92, 0x02] {
            assert!(!is_answer(other), "{other:02x}");
        }
    }

    #[test]
    fn the_drawers_pulse() {
        assert_eq!(dump(&DRAWER_PULSE).trim_end(), format!("{:<48}{}", "1b 70 00 19 fa", ".p..."));
        assert_eq!(dump(&DRAWER_PULSE_NOW).trim_end(), format!("{:<48}{}", "10 14 01 00 01", "....."));
    }
}
