//! The scanner that types, at the far end of a FIFO: there it gets `struct input_event` as the kernel gives it (linux/input.h).

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    libc::{suseconds_t, time_t},
    sys::stat::Mode,
    unistd::mkfifo,
};
use saoma_edge::peripherals::{
    PeripheralError, PeripheralState, Scanner,
    card_reader::stripe::Swipes,
    scanner::evdev::{EvdevScanner, Places, Selector},
};

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);
const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const EV_MSC: u16 = 4;
const MSC_SCAN: u16 = 4;
const SYN_DROPPED: u16 = 3;
const LEFT_SHIFT: u16 = 42;
const ENTER: u16 = 28;
const TAB: u16 = 15;

/// A press of the key 1 on a machine of 64 bits, lowest byte first: seconds, microseconds, type, code, value of MSC_SCAN
/// 0x7001e, KEY_1 down, SYN_REPORT. Put down by hand, so that no layout checks itself.
const PRESS_1: &str = "\
    e36a1f6900000000 1027060000000000 0400 0400 1e000700 \
    e36a1f6900000000 1027060000000000 0100 0200 01000000 \
    e36a1f6900000000 1027060000000000 0000 0000 00000000";

/// A device that is no more than a FIFO. Nothing can be taken for one alone there.
struct Plug {
    _folder: tempfile::TempDir,
    path: PathBuf,
    cable: Option<File>,
}

impl Plug {
    fn in_its_socket() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event3");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let mut plug = Self { _folder: folder, path, cable: None };
        plug.plug_in();
        plug
    }

    fn plug_in(&mut self) {
        // For reading too: otherwise it waits until the driver opens it.
        self.cable = Some(OpenOptions::new().read(true).write(true).open(&self.path).unwrap());
    }

    fn pull_out(&mut self) {
        self.cable = None;
    }

    fn send(&mut self, bytes: &[u8]) {
        self.cable.as_mut().unwrap().write_all(bytes).unwrap();
    }
}

fn scanner_at(path: &Path) -> EvdevScanner {
    EvdevScanner::new(Selector::Path(path.to_owned()), Places::system(), |_| Ok(()))
}

fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
    let (seconds, microseconds): (time_t, suseconds_t) = (1_764_000_000, 403_216);
    [
        &seconds.to_ne_bytes()[..],
        &microseconds.to_ne_bytes(),
        &kind.to_ne_bytes(),
        &code.to_ne_bytes(),
        &value.to_ne_bytes(),
    ]
    .concat()
}

/// What one change of a key sends: its scan code, itself, the end of the report.
fn change(key: u16, value: i32) -> Vec<u8> {
    [event(EV_MSC, MSC_SCAN, 0x7_0000 + i32::from(key)), event(EV_KEY, key, value), event(EV_SYN, 0, 0)].concat()
}

fn tap(key: u16) -> Vec<u8> {
    [change(key, 1), change(key, 0)].concat()
}

/// The number of the key that types `character` (linux/input-event-codes.h), and whether with shift.
fn key_of(character: char) -> (u16, bool) {
    let at = |row: &str, first: u16| {
        row.chars()
            .position(|other| other == character.to_ascii_lowercase())
            .map(|idx| first + u16::try_from(idx).unwrap())
    };
    let key = at("1234567890-=", 2)
        .or_else(|| at("qwertyuiop", 16))
        .or_else(|| at("asdfghjkl;", 30))
        .or_else(|| at("zxcvbnm,./", 44));
    let shifted = match character {
        ':' => Some(39),
        '?' => Some(53),
        '%' => Some(6),
        '^' => Some(7),
        _ => None,
    };
    (shifted.or(key).unwrap(), character.is_ascii_uppercase() || shifted.is_some())
}

fn typed(text: &str, end: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for character in text.chars() {
        let (key, shifted) = key_of(character);
        if shifted {
            bytes.extend(change(LEFT_SHIFT, 1));
        }
        bytes.extend(tap(key));
        if shifted {
            bytes.extend(change(LEFT_SHIFT, 0));
        }
    }
    bytes.extend(tap(end));
    bytes
}

fn next_scan(scanner: &mut EvdevScanner) -> Result<String, PeripheralError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(code) = scanner.read(Duration::from_millis(50))? {
            return Ok(code);
        }
    }
    panic!("no scan came in {PATIENCE:?}");
}

fn why(scan: Result<String, PeripheralError>) -> String {
    let Err(PeripheralError::Unable { why, .. }) = scan else { panic!("{scan:?}") };
    why
}

#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn events_as_the_kernel_lays_them_out_are_read() {
    let mut plug = Plug::in_its_socket();
    let mut scanner = scanner_at(&plug.path);
    assert_eq!(scanner.health().state, PeripheralState::Ok);
    plug.send(&hex::decode(PRESS_1.replace(char::is_whitespace, "")).unwrap());
    plug.send(&tap(ENTER));
    assert_eq!(next_scan(&mut scanner).unwrap(), "1");
}

#[test]
fn codes_end_with_enter_or_tab_and_may_come_together() {
    let mut plug = Plug::in_its_socket();
    let mut scanner = scanner_at(&plug.path);
    assert_eq!((scanner.driver(), scanner.read(SHORT)), ("evdev", Ok(None)));
    let link = "https://pay.example/c/Ab9-Zz";
    plug.send(&[typed("134567890123456789", ENTER), typed(link, TAB), typed("", ENTER), typed("next", ENTER)].concat());
    for code in ["134567890123456789", link, "next"] {
        assert_eq!(next_scan(&mut scanner).unwrap(), code);
    }
    assert_eq!(scanner.read(SHORT), Ok(None));
    assert!(scanner.self_test().unwrap().contains("scan a receipt's code"));
}

#[test]
fn events_may_be_cut_anywhere() {
    let bytes = typed("Ab:12", ENTER);
    // Every place within an event is among these: 7 and 24 have no common divisor.
    for cut in (1..bytes.len()).step_by(7) {
        let mut plug = Plug::in_its_socket();
        let mut scanner = scanner_at(&plug.path);
        assert_eq!(scanner.read(Duration::ZERO), Ok(None));
        let (first, second) = bytes.split_at(cut);
        plug.send(first);
        let early = scanner.read(Duration::from_millis(1)).unwrap();
        plug.send(second);
        // The letting go of Enter comes behind the code.
        let code = early.unwrap_or_else(|| next_scan(&mut scanner).unwrap());
        assert_eq!(code, "Ab:12", "cut at {cut}");
    }
}

#[test]
fn a_key_that_is_held_is_one_key() {
    let mut plug = Plug::in_its_socket();
    let mut scanner = scanner_at(&plug.path);
    assert_eq!(scanner.read(Duration::ZERO), Ok(None));
    plug.send(&[change(2, 1), change(2, 2), change(2, 2), change(2, 0), tap(3), tap(ENTER)].concat());
    assert_eq!(next_scan(&mut scanner).unwrap(), "12");
}

#[test]
fn a_code_that_is_not_whole_is_no_code() {
    let mut plug = Plug::in_its_socket();
    let mut scanner = scanner_at(&plug.path);
    assert_eq!(scanner.read(Duration::ZERO), Ok(None));
    let (first, second) = (typed("1345", ENTER), typed("6789", ENTER));
    let first = &first[..first.len() - tap(ENTER).len()];
    plug.send(&[first, &event(EV_SYN, SYN_DROPPED, 0), &second, &typed("good", ENTER)].concat());
    assert!(why(next_scan(&mut scanner)).contains("scan again"));
    assert_eq!(next_scan(&mut scanner).unwrap(), "good");

    plug.send(first);
    assert!(why(next_scan(&mut scanner)).contains("suffix"), "it never ended");
    plug.send(&typed("6789", ENTER));
    assert_eq!(next_scan(&mut scanner).unwrap(), "6789", "and is not put before the next one");

    // In pieces: a FIFO holds less than that.
    let pieces = typed(&"9".repeat(513), ENTER);
    let scans: Vec<_> = pieces
        .chunks(16 * 1024)
        .map(|piece| {
            plug.send(piece);
            scanner.read(SHORT).map(Option::unwrap_or_default)
        })
        .collect();
    let told = scans.into_iter().find(Result::is_err).unwrap_or_else(|| next_scan(&mut scanner));
    assert_eq!(why(told), "the code has more than 512 characters");
}

#[test]
fn one_that_is_pulled_out_and_put_in_again_scans_again() {
    let mut plug = Plug::in_its_socket();
    let mut scanner = scanner_at(&plug.path);
    assert_eq!(scanner.health().state, PeripheralState::Ok);
    let half = typed("1345", ENTER);
    plug.send(&half[..half.len() / 2]);
    assert_eq!(scanner.read(SHORT), Ok(None));
    plug.pull_out();
    assert!(matches!(next_scan(&mut scanner), Err(PeripheralError::Unreachable { .. })));

    plug.plug_in();
    assert_eq!(scanner.health().state, PeripheralState::Ok);
    plug.send(&typed("77", ENTER));
    assert_eq!(next_scan(&mut scanner).unwrap(), "77", "the half code went with the cable");
}

#[test]
fn it_is_found_by_what_it_is_each_time_it_is_plugged_in() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places { class: folder.path().join("class"), dev: folder.path().join("dev") };
    let plug_in = |number: u32| {
        let about = places.class.join(format!("event{number}/device"));
        for part in ["id", "capabilities"] {
            std::fs::create_dir_all(about.join(part)).unwrap();
        }
        std::fs::create_dir_all(&places.dev).unwrap();
        for (file, text) in [("name", "Scanner"), ("id/vendor", "0c2e"), ("id/product", "0b61")] {
            std::fs::write(about.join(file), text).unwrap();
        }
        std::fs::write(about.join("capabilities/key"), "fffffffffffffffe\n").unwrap();
        let path = places.dev.join(format!("event{number}"));
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        OpenOptions::new().read(true).write(true).open(&path).unwrap()
    };
    let pull_out = |number: u32| -> io::Result<()> {
        std::fs::remove_dir_all(places.class.join(format!("event{number}")))?;
        std::fs::remove_file(places.dev.join(format!("event{number}")))
    };
    let mut scanner = EvdevScanner::new("usb:0c2e:0b61".parse().unwrap(), places.clone(), |_| Ok(()));
    let missing = scanner.health();
    assert_eq!(missing.state, PeripheralState::Failed);
    assert!(missing.detail.contains("no such device is plugged in"), "{}", missing.detail);
    for (number, code) in [(7, "first"), (12, "second")] {
        let mut cable = plug_in(number);
        assert_eq!(scanner.read(Duration::ZERO), Ok(None));
        assert_eq!(scanner.health().state, PeripheralState::Ok);
        cable.write_all(&typed(code, ENTER)).unwrap();
        assert_eq!(next_scan(&mut scanner).unwrap(), code);
        drop(cable);
        pull_out(number).unwrap();
        assert!(matches!(next_scan(&mut scanner), Err(PeripheralError::Unreachable { .. })));
    }
}

/// Most readers of stripes type. Taken for the agent alone, their tracks reach no page.
#[test]
fn a_stripe_that_is_typed_is_a_card() {
    let mut plug = Plug::in_its_socket();
    let mut swipes = Swipes::new(Box::new(scanner_at(&plug.path)));
    assert!(swipes.next(SHORT).unwrap().is_none());
    for (line, number) in [
        (";4012345678909=30121010000012345?", Some("4012345678909")),
        ("%B4012345678909^CARD/TEST^30121010000?;4012345678909=30121010000012345?", Some("4012345678909")),
        (";4012345678900=30121010000012345?", None),
    ] {
        plug.send(&typed(line, ENTER));
        let read = swipes.next(PATIENCE).unwrap().unwrap();
        assert_eq!(read.as_ref().ok().map(|stripe| stripe.number.as_str()), number, "{line}");
    }
}
