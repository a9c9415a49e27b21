//! Whole receipts on a printer that others wrote (`edge-agent/oracle`): what it reads and draws of the bytes that ours are sent as, and what
//! it answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use data_encoding::BASE64;
use saoma_edge::{
    peripherals::{
        PeripheralError, Printer as _,
        printer::{
            EscPosPrinter,
            escpos::{self, Dialect, Encoding, QrBy},
            tcp::TcpWire,
        },
    },
    receipt::{Align, Document, Element, Size, compose, compose_training, report},
    sale::{ReceiptState, Slip},
    shift::{Closed, Line, MethodTotals, Shift, Totals},
};
use saoma_protocol::{Currency, Millis, Money, Sequence, journal::CoreTime};
use serde::Deserialize;

use crate::{
    eyes,
    peripherals_receipt::{heading, payment, sale},
};

const NOW: Millis = Millis(1_790_000_000_000);
const ROLL_58: Dialect = Dialect { width_dots: 384, encoding: Encoding::Gb18030, qr: QrBy::Printer };
const ROLL_80: Dialect = Dialect { width_dots: 576, ..ROLL_58 };

/// The printer in a process of its own; it ends with its standard input.
struct Emulator {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    address: String,
}

/// What came of one connection.
#[derive(Debug, PartialEq, Deserialize)]
struct Told {
    drawer: Vec<Pulse>,
    /// In hexadecimal, what it did not know what to do with.
    unread: Vec<String>,
    slips: Vec<Printed>,
    marks: Vec<Mark>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Pulse {
    pin: u8,
    on_time_ms: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Printed {
    end: String,
    png: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Mark {
    Line {
        bytes: usize,
        gb18030: String,
        utf8: String,
        align: String,
        /// Bold, times wide, times high, of all that is on the line.
        styles: Vec<(bool, usize, usize)>,
        feed: usize,
        overflow: bool,
    },
    Block {
        block: String,
        align: String,
        size: (usize, usize),
    },
}

impl Emulator {
    fn start(width_dots: u32) -> Self {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("oracle").join("printer/bin/python");
        let mut child = Command::new(&python)
            .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/oracle/printer.py"), &width_dots.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("install it by `cargo xtask test --only rust`: {}: {error}", python.display())
            });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { child, stdin, stdout, address: format!("127.0.0.1:{}", listening["port"]) }
    }

    fn line<T: for<'de> Deserialize<'de>>(&mut self) -> T {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The driver that prints on it.
    fn driver(&self, dialect: Dialect) -> EscPosPrinter<TcpWire> {
        EscPosPrinter::new(TcpWire::new(&self.address), dialect)
    }

    fn print(&mut self, document: &Document, dialect: Dialect) -> Told {
        self.driver(dialect).print(document).unwrap();
        self.line()
    }

    /// What it makes of bytes that no driver sends.
    fn take(&mut self, bytes: &[u8]) -> Told {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        self.line()
    }

    /// The fault begins, or ends if it is there.
    fn toggle(&mut self, fault: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{fault}").unwrap();
        let _: serde_json::Value = self.line();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.child.wait();
    }
}

fn closed_shift() -> Document {
    let line = |count, minor| Line { count, minor };
    let totals = Totals {
        cash: MethodTotals { sales: line(12, 34_550), refunds: line(1, 1_250), voids: line(1, 300) },
        ..Totals::default()
    };
    let cny = |minor| Money::new(minor, Currency::CNY);
    let closed = Closed {
        at: NOW,
        at_core: CoreTime::At(NOW),
        counted: cny(82_900),
        expected: cny(83_000),
        totals,
        in_doubt: Vec::new(),
        report: ReceiptState::Queued,
    };
    let shift = Shift {
        batch: Sequence(7),
        cashier: "李雷".to_owned(),
        cashier_number: "07".to_owned(),
        cashier_id: None,
        float: cny(50_000),
        opened_at: NOW,
        opened_core: CoreTime::At(NOW),
        closed: Some(closed),
    };
    report(&heading(), &shift, false, NOW).unwrap()
}

fn slips() -> [(&'static str, Document); 4] {
    [
        ("sale", compose(&heading(), &sale(), Slip::Sale, NOW)),
        ("copy", compose(&heading(), &sale(), Slip::Copy, NOW)),
        ("training", compose_training(&heading(), &sale(), Slip::Sale, NOW)),
        ("report", closed_shift()),
    ]
}

/// Letters without spaces: where a line breaks is the driver's matter.
fn letters(text: &str) -> String {
    text.chars().filter(|character| *character != ' ').collect()
}

/// Takes the lines that a text is on off `marks`, and proves that each looks as the document has it.
fn assert_printed(
    marks: &mut &[Mark],
    dialect: Dialect,
    text: &str,
    (align, bold, size): (Align, bool, Size),
) -> Vec<usize> {
    let align = match align {
        Align::Left => "left",
        Align::Centre => "center",
        Align::Right => "right",
    };
    let times = if size == Size::Double { 2 } else { 1 };
    // GB 18030 has the full-width sign alone in two bytes.
    let text = if dialect.encoding == Encoding::Gb18030 { text.replace('¥', "￥") } else { text.to_owned() };
    let (mut read, mut widths) = (String::new(), Vec::new());
    while letters(&read).len() < letters(&text).len() || widths.is_empty() {
        let [Mark::Line { bytes, gb18030, utf8, align: at, styles, overflow, .. }, rest @ ..] = *marks else {
            panic!("{text:?} is not there: {marks:?}");
        };
        assert_eq!((at.as_str(), overflow), (align, &false), "{text:?}: {gb18030}");
        assert!(styles.iter().all(|style| *style == (bold, times, times)), "{text:?}: {styles:?}");
        read.push_str(if dialect.encoding == Encoding::Utf8 { utf8 } else { gb18030 });
        widths.push(bytes * 12 * times);
        *marks = rest;
    }
    assert_eq!(letters(&read), letters(&text));
    widths
}

/// Every element is on the paper as it should be, in this order, and nothing else is.
fn assert_document(mut marks: &[Mark], document: &Document, dialect: Dialect) {
    let width = usize::try_from(dialect.width_dots).unwrap();
    for element in &document.elements {
        match element {
            Element::Text { text, align, bold, size } => {
                assert_printed(&mut marks, dialect, text, (*align, *bold, *size));
            }
            Element::Columns { left, right, bold, size } => {
                let is_one_line = matches!(marks, [Mark::Line { gb18030, utf8, .. }, ..]
                    if [gb18030, utf8].iter().any(|line| line.ends_with(right) && letters(line) == letters(&format!("{left}{right}"))));
                if is_one_line {
                    let whole = format!("{left}{right}");
                    let widths = assert_printed(&mut marks, dialect, &whole, (Align::Left, *bold, *size));
                    // It ends where the paper does. A byte of UTF-8 is no column.
                    assert!(dialect.encoding == Encoding::Utf8 || widths == [width], "{whole}: {widths:?}");
                } else {
                    assert_printed(&mut marks, dialect, left, (Align::Left, *bold, *size));
                    assert_printed(&mut marks, dialect, right, (Align::Right, *bold, *size));
                }
            }
            Element::Rule => {
                let rule = "-".repeat(width / 12);
                let widths = assert_printed(&mut marks, dialect, &rule, (Align::Left, false, Size::Normal));
                assert_eq!(widths, [width]);
            }
            Element::Qr { text } => {
                // The empty lines around a code that the printer draws are its white.
                if dialect.qr == QrBy::Printer {
                    assert_printed(&mut marks, dialect, "", (Align::Centre, false, Size::Normal));
                }
                let [Mark::Block { block, align, size }, rest @ ..] = marks else { panic!("no code: {marks:?}") };
                marks = rest;
                let named = match dialect.qr {
                    QrBy::Printer => format!("[qr {text}]"),
                    QrBy::Raster => format!("[image {}x{}]", size.0, size.1),
                };
                assert_eq!((block.as_str(), align.as_str()), (named.as_str(), "center"));
                if dialect.qr == QrBy::Printer {
                    assert_printed(&mut marks, dialect, "", (Align::Centre, false, Size::Normal));
                }
            }
            Element::Feed { lines } => {
                let [Mark::Line { bytes: 0, feed, .. }, rest @ ..] = marks else { panic!("no feed: {marks:?}") };
                assert_eq!(*feed, usize::from(*lines) * 30);
                marks = rest;
            }
            Element::Cut => {}
        }
    }
    assert!(marks.is_empty(), "{marks:?}");
}

/// It reads all that it is sent but how large Chinese characters are where some printers want that said apart (`FS !`, with the double of
/// both or of neither), and which encoding they are in where that is a command with its length (`FS ( C`): those come out whole.
fn assert_all_read(told: &Told, dialect: Dialect) {
    match dialect.encoding {
        Encoding::Utf8 => assert_eq!(told.unread, ["1c 28 43 02 00 30 02", "1c 28 43 03 00 3c 01 14"]),
        Encoding::Gb18030 => {
            let (sizes, rest) = told.unread.as_chunks::<2>();
            assert!(
                rest.is_empty() && sizes.iter().all(|size| *size == ["1c 21", "0c"] || *size == ["1c 21", "00"]),
                "{sizes:?}"
            );
            let doubled: Vec<bool> = sizes.iter().map(|[_, size]| size == "0c").collect();
            assert!(doubled.iter().enumerate().all(|(at, double)| *double == (at % 2 == 0)), "{doubled:?}");
        }
    }
}

#[test]
fn every_slip_is_read_and_drawn_by_a_printer_of_others() {
    for roll in [ROLL_58, ROLL_80] {
        // A byte is a column there, and a character in UTF-8 has three: its paper is as wide as they need.
        for (encoding, times) in [(Encoding::Gb18030, 1), (Encoding::Utf8, 3)] {
            let mut emulator = Emulator::start(roll.width_dots * times);
            for qr in [QrBy::Printer, QrBy::Raster] {
                let dialect = Dialect { encoding, qr, ..roll };
                for (name, document) in slips() {
                    let told = emulator.print(&document, dialect);
                    assert_document(&told.marks, &document, dialect);
                    assert_all_read(&told, dialect);
                    let [Printed { end, png }] = told.slips.as_slice() else { panic!("{name}: {:?}", told.slips) };
                    assert_eq!((end.as_str(), told.drawer.len()), ("cut", 0), "{name}");
                    if document.elements.iter().any(|element| matches!(element, Element::Qr { .. })) {
                        assert_eq!(eyes::read(&BASE64.decode(png.as_bytes()).unwrap()), payment().to_string());
                    }
                }
            }
        }
    }
}

#[test]
fn the_drawer_opens_and_the_paper_is_told_of() {
    let mut emulator = Emulator::start(384);
    let mut driver = emulator.driver(ROLL_58);
    let kicked = |on_time_ms| Told {
        drawer: vec![Pulse { pin: 2, on_time_ms }],
        unread: Vec::new(),
        slips: Vec::new(),
        marks: Vec::new(),
    };
    driver.pulse_drawer().unwrap();
    assert_eq!(emulator.line::<Told>(), kicked(50));
    for (fault, error) in [("paper-out", PeripheralError::PaperOut), ("cover-open", PeripheralError::CoverOpen)] {
        emulator.toggle(fault);
        assert_eq!(driver.print(&slips()[0].1), Err(error));
        assert_eq!(emulator.line::<Told>().marks, []);
        // At once, although what is not of real time waits.
        driver.pulse_drawer().unwrap();
        assert_eq!(emulator.line::<Told>(), kicked(100));
        emulator.toggle(fault);
    }
    emulator.toggle("paper-near-end");
    assert!(driver.health().detail.contains("nearly used up"), "{:?}", driver.health());
}

/// Commands as the encoder sends them, and with one byte wrong: what comes out is another. These are chosen bytes; how long the drawer's
/// pin rests (`t2` of `ESC p`) is among those that it does not tell.
#[test]
fn one_wrong_byte_of_a_command_is_seen() {
    let mut emulator = Emulator::start(384);
    let (_, sale) = &slips()[0];
    // `at` may be behind the command's beginning that is given here.
    let mut seen = |dialect: &Dialect, command: &[u8], at: usize, wrong: u8| {
        let bytes = [&escpos::encode(sale, dialect)[..], &escpos::DRAWER_PULSE, &escpos::DRAWER_PULSE_NOW].concat();
        let found = bytes.windows(command.len()).position(|window| window == command);
        let begin = found.unwrap_or_else(|| panic!("no {command:02x?} is sent"));
        let mut changed = bytes.clone();
        changed[begin + at] = wrong;
        // The same bytes come out the same, whatever came before them: what differs is what the wrong byte made.
        let right = emulator.take(&bytes);
        assert_eq!(emulator.take(&bytes), right, "the same bytes again");
        assert_ne!(emulator.take(&changed), right, "{command:02x?} with {wrong:#04x} at {at}");
    };
    for (command, at, wrong) in [
        (&b"\x1b@"[..], 1, b'A'),
        (b"\x1c&", 1, b'\''),
        (b"\x1ba\x01", 0, 0x1c),
        (b"\x1ba\x01", 1, b'A'),
        (b"\x1ba\x01", 2, 0),
        (b"\x1bE\x01", 1, b'F'),
        (b"\x1bE\x01", 2, 0),
        (b"\x1d!\x11", 1, b'"'),
        (b"\x1d!\x11", 2, 0x01),
        (b"\x1d!\x11", 2, 0x10),
        (b"\x1c!\x0c", 1, b'"'),
        (b"\x1c!\x0c", 2, 0x08),
        (b"\x1d(k\x04\x001A2\x00", 3, 5),
        (b"\x1d(k\x04\x001A2\x00", 5, b'0'),
        (b"\x1d(k\x03\x001C\x06", 2, b'l'),
        (b"\x1d(k\x03\x001C\x06", 7, 5),
        (b"\x1d(k\x03\x001E1", 7, b'2'),
        (b"\x1d(k\x03\x001Q0", 6, b'R'),
        (b"1P0pay_", 2, b'1'),
        (b"1P0pay_", 3, b'q'),
        (b"\x1bd\x02", 1, b'e'),
        (b"\x1bd\x02", 2, 3),
        (b"\x1dVB\x00", 1, b'W'),
        (b"\x1dVB\x00", 2, b'C'),
        (b"\x1bp\x00\x19\xfa", 1, b'q'),
        (b"\x1bp\x00\x19\xfa", 2, 1),
        (b"\x1bp\x00\x19\xfa", 3, 0x1a),
        (b"\x10\x14\x01\x00\x01", 1, 0x15),
        (b"\x10\x14\x01\x00\x01", 2, 2),
    ] {
        seen(&ROLL_58, command, at, wrong);
    }
    let raster = Dialect { qr: QrBy::Raster, ..ROLL_58 };
    for (at, wrong) in [(1, b'w'), (2, b'1'), (3, 1), (4, 1), (6, 1), (8, 0x10)] {
        seen(&raster, b"\x1dv0\x00", at, wrong);
    }
    let utf8 = Dialect { encoding: Encoding::Utf8, ..ROLL_58 };
    for (at, wrong) in [(2, b'D'), (3, 3), (5, 49), (6, 1)] {
        seen(&utf8, b"\x1c(C\x02\x000\x02", at, wrong);
    }
}
