//! The real drivers against the far ends of their wires: a listener, a pseudo-terminal, a FIFO.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::{
        fd::AsRawFd,
        unix::{fs::OpenOptionsExt, net::UnixDatagram},
    },
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    pty::{OpenptyResult, openpty},
    sys::stat::Mode,
    unistd::mkfifo,
};
use saoma_edge::{
    peripherals::{
        CustomerDisplay, Display, PeripheralError, PeripheralState, Printer, Scanner,
        display::vfd::Vfd,
        printer::{
            EscPosPrinter,
            escpos::{DRAWER_PULSE, DRAWER_PULSE_NOW, Dialect, Encoding, QrBy, encode},
            file::FileWire,
            serial::SerialWire,
            tcp::TcpWire,
        },
        scanner::{serial::SerialScanner, simulated::SimulatedScanner},
    },
    receipt::{Align, Document, Element, Size},
};

const DIALECT: Dialect = Dialect { width_dots: 384, encoding: Encoding::Gb18030, qr: QrBy::Printer };
/// Status bytes of a printer that is well, and of one without paper.
pub const WELL: [u8; 2] = [0x12, 0x12];
const NO_PAPER: [u8; 2] = [0x32, 0x7e];
const PATIENCE: Duration = Duration::from_secs(10);

fn slip() -> Document {
    let text =
        |text: &str| Element::Text { text: text.to_owned(), align: Align::Left, bold: false, size: Size::Normal };
    let mut elements = vec![text("谢谢惠顾 Thank you")];
    // Longer than what a pseudo-terminal or a FIFO buffers by itself.
    elements.extend((0..300).map(|line| text(&format!("line {line} of a long receipt ........"))));
    elements.push(Element::Cut);
    Document { elements }
}

/// A printer at the far end: answers `DLE EOT 2` and `4` with `answers`, if it has any, and keeps everything else.
fn serve(mut far_end: impl Read + Write, answers: Option<[u8; 2]>) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match far_end.read(&mut buffer) {
            // A pseudo-terminal whose other side is closed reads as EIO.
            Ok(0) | Err(_) => return kept,
            Ok(len) => kept.extend_from_slice(&buffer[..len]),
        }
        for (question, answer) in [2, 4].into_iter().zip(answers.unwrap_or_default()) {
            if let Some(at) = kept.windows(3).position(|window| window == [0x10, 4, question]) {
                kept.drain(at..at + 3);
                if answers.is_some() && far_end.write_all(&[answer]).is_err() {
                    return kept;
                }
            }
        }
    }
}

/// A network printer that serves connections one after the other; what each brought comes out.
pub fn network_printer(answers: impl Fn(usize) -> Option<[u8; 2]> + Send + 'static) -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, slips) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if sender.send(serve(stream.unwrap(), answers(number))).is_err() {
                return;
            }
        }
    });
    (address, slips)
}

#[test]
fn a_network_printer_gets_the_receipts_bytes_and_nothing_else() {
    let (address, slips) = network_printer(|_| Some(WELL));
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    assert_eq!(printer.driver(), "escpos-tcp");
    printer.print(&slip()).unwrap();
    assert_eq!(slips.recv_timeout(PATIENCE).unwrap(), encode(&slip(), &DIALECT));

    printer.pulse_drawer().unwrap();
    assert_eq!(slips.recv_timeout(PATIENCE).unwrap(), DRAWER_PULSE);
    let health = printer.health();
    assert_eq!((health.state, health.detail.as_str()), (PeripheralState::Ok, ""));
}

#[test]
fn a_network_printer_without_paper_gets_no_receipt_but_opens_the_drawer() {
    let (address, slips) = network_printer(|_| Some(NO_PAPER));
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    assert_eq!(printer.print(&slip()), Err(PeripheralError::PaperOut));
    assert_eq!(slips.recv_timeout(PATIENCE).unwrap(), Vec::<u8>::new());
    printer.pulse_drawer().unwrap();
    assert_eq!(slips.recv_timeout(PATIENCE).unwrap(), DRAWER_PULSE_NOW);
    assert_eq!(printer.health().state, PeripheralState::Failed);
}

#[test]
fn paper_that_ends_within_a_receipt_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut kept = Vec::new();
        let mut questions = 0;
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = stream.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..len]);
            while let Some(at) = kept.windows(2).position(|window| window == [0x10, 4]).filter(|at| kept.len() > at + 2)
            {
                kept.drain(at..at + 3);
                // Well before the receipt, out of paper after it; a flow control character in between.
                stream.write_all(&[0x13, [0x12, 0x12, 0x32, 0x7e][questions % 4]]).unwrap();
                questions += 1;
            }
        }
    });
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    assert_eq!(printer.print(&slip()), Err(PeripheralError::PaperOut));
}

#[test]
fn a_network_printer_that_tells_nothing_still_prints() {
    let (address, slips) = network_printer(|_| None);
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    printer.print(&slip()).unwrap();
    assert_eq!(slips.recv_timeout(PATIENCE).unwrap(), encode(&slip(), &DIALECT));
    let health = printer.health();
    assert_eq!((health.state, health.detail.as_str()), (PeripheralState::Ok, "it does not tell its status"));
}

#[test]
fn a_network_printer_that_falls_silent_has_failed() {
    let (address, _slips) = network_printer(|number| (number == 0).then_some(WELL));
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    printer.print(&slip()).unwrap();
    let device = format!("the printer at {address}");
    assert_eq!(printer.print(&slip()), Err(PeripheralError::Silent { device }));
}

#[test]
fn a_network_printer_that_is_off_or_hangs_up_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut printer = EscPosPrinter::new(TcpWire::new(&address), DIALECT);
    let hang_up = thread::spawn(move || {
        let (stream, _): (TcpStream, _) = listener.accept().unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    });
    assert!(matches!(printer.print(&slip()), Err(PeripheralError::Unreachable { .. })));
    hang_up.join().unwrap();

    // The listener is gone: the address refuses.
    let error = printer.print(&slip()).unwrap_err();
    assert!(
        matches!(&error, PeripheralError::Unreachable { device, .. } if *device == format!("the printer at {address}"))
    );
    assert_eq!(printer.health().state, PeripheralState::Failed);
}

/// A pseudo-terminal: our end, the path of the drivers' end, and that end held open so that ours does not hang up.
pub fn pseudo_terminal() -> (File, PathBuf, File) {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let path = std::fs::read_link(format!("/proc/self/fd/{}", slave.as_raw_fd())).unwrap();
    (File::from(master), path, File::from(slave))
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_serial_printer_gets_the_receipts_bytes_unchanged() {
    let (master, path, slave) = pseudo_terminal();
    let printer_thread = thread::spawn(move || serve(master, Some(WELL)));
    let mut printer = EscPosPrinter::new(SerialWire::new(text_of(&path), 115_200), DIALECT);
    assert_eq!(printer.driver(), "escpos-serial");
    // Twice over the same line: it stays open.
    printer.print(&slip()).unwrap();
    assert_eq!(printer.health().state, PeripheralState::Ok);
    printer.pulse_drawer().unwrap();
    drop((printer, slave));
    let mut expected = encode(&slip(), &DIALECT);
    expected.extend(DRAWER_PULSE);
    assert_eq!(printer_thread.join().unwrap(), expected);
}

#[test]
fn a_serial_printer_that_says_nothing_is_a_warning_since_a_cable_proves_nothing() {
    let (_master, path, _slave) = pseudo_terminal();
    let mut printer = EscPosPrinter::new(SerialWire::new(text_of(&path), 9_600), DIALECT);
    let health = printer.health();
    assert_eq!(health.state, PeripheralState::Warning, "{}", health.detail);
}

#[test]
fn a_serial_printer_that_is_pulled_out_and_put_in_again_prints_again() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("ttyUSB0");
    let (master, path, slave) = pseudo_terminal();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut printer = EscPosPrinter::new(SerialWire::new(text_of(&link), 9_600), DIALECT);
    assert_eq!(printer.health().state, PeripheralState::Warning);
    // The name goes first: the system gives a closed terminal's number to whoever asks next, which may be another test.
    std::fs::remove_file(&link).unwrap();
    drop((master, slave));
    assert!(matches!(printer.print(&slip()), Err(PeripheralError::Unreachable { .. })));

    let (master, path, slave) = pseudo_terminal();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let printer_thread = thread::spawn(move || serve(master, Some(WELL)));
    printer.print(&slip()).unwrap();
    drop((printer, slave));
    assert_eq!(printer_thread.join().unwrap(), encode(&slip(), &DIALECT));
}

#[test]
fn a_printer_behind_a_device_file_gets_the_receipts_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lp0");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let mut printer = EscPosPrinter::new(FileWire::new(text_of(&path)), DIALECT);
    assert_eq!(printer.driver(), "escpos-file");

    // Nobody reads the FIFO: that is a printer that is not plugged in.
    assert!(matches!(printer.print(&slip()), Err(PeripheralError::Unreachable { .. })));
    assert_eq!(printer.health().state, PeripheralState::Failed);

    // Opened without waiting for a writer, read as one that waits.
    let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    let (sender, slips) = channel();
    thread::spawn(move || sender.send(read_until(reader, &DRAWER_PULSE)));
    printer.print(&slip()).unwrap();
    let health = printer.health();
    assert_eq!((health.state, health.detail.as_str()), (PeripheralState::Ok, "it does not tell its status"));
    printer.pulse_drawer().unwrap();

    let mut came = slips.recv_timeout(PATIENCE).unwrap();
    while let Some(at) = came.windows(3).position(|window| window == [0x10, 4, 2]) {
        came.drain(at..at + 3);
    }
    let mut expected = encode(&slip(), &DIALECT);
    expected.extend(DRAWER_PULSE);
    assert_eq!(came, expected);
}

/// Everything that comes, up to `end`.
fn read_until(mut file: File, end: &[u8]) -> Vec<u8> {
    let deadline = Instant::now() + PATIENCE;
    let mut came = Vec::new();
    let mut buffer = [0; 4096];
    while Instant::now() < deadline && !came.ends_with(end) {
        match file.read(&mut buffer) {
            // Between two writers a FIFO is at its end.
            Ok(0) => thread::sleep(Duration::from_millis(1)),
            Ok(len) => came.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("read what the driver wrote: {error}"),
        }
    }
    came
}

/// The next scan, whenever it comes.
fn next_scan(scanner: &mut dyn Scanner) -> Result<String, PeripheralError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(code) = scanner.read(Duration::from_millis(50))? {
            return Ok(code);
        }
    }
    panic!("no scan came in {PATIENCE:?}");
}

#[test]
fn a_serial_scanner_reads_codes() {
    let (mut master, path, slave) = pseudo_terminal();
    master.write_all(b"scanned before the till looked\r").unwrap();
    let mut scanner = SerialScanner::new(text_of(&path), 9_600);
    assert_eq!(scanner.health().state, PeripheralState::Ok);
    assert_eq!(scanner.read(Duration::from_millis(1)), Ok(None));

    master.write_all(b"134567890123456789\r\nsecond\r").unwrap();
    assert_eq!(next_scan(&mut scanner).unwrap(), "134567890123456789");
    assert_eq!(next_scan(&mut scanner).unwrap(), "second");

    // In two pieces, and without a line end at the end.
    master.write_all(b"in two ").unwrap();
    assert_eq!(scanner.read(Duration::from_millis(1)), Ok(None));
    master.write_all(b"pieces").unwrap();
    assert_eq!(next_scan(&mut scanner).unwrap(), "in two pieces");

    // In two pieces, and the till's thread had to wait between: the second lay there when it looked.
    master.write_all(b"in two ").unwrap();
    assert_eq!(scanner.read(Duration::from_millis(1)), Ok(None));
    master.write_all(b"pieces\r").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(next_scan(&mut scanner).unwrap(), "in two pieces");

    master.write_all(&[b"9".repeat(513), b"\rnext\r".to_vec()].concat()).unwrap();
    let error = next_scan(&mut scanner).unwrap_err();
    assert!(matches!(&error, PeripheralError::Unable { why, .. } if why == "the code has more than 512 characters"));
    assert_eq!(next_scan(&mut scanner).unwrap(), "next");
    assert!(scanner.self_test().unwrap().contains("scan a receipt's code"));

    drop((master, slave));
    assert!(matches!(next_scan(&mut scanner), Err(PeripheralError::Unreachable { .. })));
}

#[test]
fn a_simulated_scanner_reads_what_is_held_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scanner");
    let hand = UnixDatagram::unbound().unwrap();
    let mut scanner = SimulatedScanner::new(text_of(&path));
    assert_eq!(scanner.read(Duration::ZERO), Ok(None));
    hand.send_to(b"134567890123456789\n", &path).unwrap();
    assert_eq!(scanner.read(PATIENCE), Ok(Some("134567890123456789".to_owned())));
    hand.send_to(&b"9".repeat(513), &path).unwrap();
    assert!(matches!(scanner.read(PATIENCE), Err(PeripheralError::Unable { .. })));
    // After a start that follows a crash its old socket is in the way.
    drop(scanner);
    let mut scanner = SimulatedScanner::new(text_of(&path));
    assert_eq!(scanner.health().state, PeripheralState::Ok);
    let mut elsewhere = SimulatedScanner::new("/does/not/exist");
    assert_eq!(elsewhere.health().state, PeripheralState::Failed);
    assert!(matches!(elsewhere.read(PATIENCE), Err(PeripheralError::Unreachable { .. })));
}

#[test]
fn a_pole_display_is_set_up_once_and_cleared_for_each_thing_it_shows() {
    let (master, path, slave) = pseudo_terminal();
    let mut display = Vfd::new(text_of(&path), 9_600);
    assert_eq!(display.health().state, PeripheralState::Ok);
    display.show(&Display::Idle { merchant_name: "扫码茶饮 Saoma Tea".to_owned() }).unwrap();
    assert!(display.self_test().unwrap().contains("DISPLAY TEST"));
    let shown = read_until(master, b"DISPLAY TEST 0.00");
    let expected: [&[u8]; 5] = [
        b"\x1b@\x1f\x01\x1fC\x00",
        b"\x0cSaoma Tea",
        b"\x1f$\x01\x02",
        b"\x0cSAOMA",
        b"\x1f$\x01\x02DISPLAY TEST 0.00",
    ];
    assert_eq!(shown, expected.concat());
    drop(slave);
}
