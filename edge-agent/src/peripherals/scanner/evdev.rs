//! A scanner that types, taken for the till alone: its keys are read where the kernel has them, and no other program gets them.
//!
//! So a code is a scan on whatever page the till stands, and never keys into something else. The device is found anew after each
//! unplugging, by what it is (`usb:0c2e:0b61`, `name:Honeywell`) or by where it is (`/dev/input/by-id/…-event-kbd`). A code ends
//! with Enter or Tab, which is how these scanners leave the factory; one that ends with neither is no code, since a part of a
//! code may be another one. Keys that came while nobody looked at them and that the kernel had no room for cost their whole code.

mod find;
mod keys;

use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::Path,
    time::{Duration, Instant},
};

use nix::libc;

pub use find::{Places, Selector};
use keys::{EVENT_LEN, Keys, Typed};

use super::{Codes, Unusable};
use crate::peripherals::{
    PeripheralError, PeripheralHealth, PeripheralState, Scanner, health,
    line::{Line, failure},
};

pub const DRIVER: &str = "evdev";

/// Silence after which a code that has not ended is given up. The slowest of these scanners (by radio, with a pause between keys
/// that can be set) type a key in a tenth of that.
const UNENDED_AFTER: Duration = Duration::from_secs(1);

/// Takes the open device for us alone, until it is closed.
pub type Grab = fn(&File) -> io::Result<()>;

pub struct EvdevScanner {
    selector: Selector,
    places: Places,
    grab: Grab,
    line: Option<Line>,
    /// Read and not looked at yet: also a part of an event.
    came: Vec<u8>,
    typing: Typing,
}

/// The code that is being typed.
#[derive(Default)]
struct Typing {
    keys: Keys,
    codes: Codes,
    /// Keys of it are missing.
    has_gap: bool,
    last_at: Option<Instant>,
}

impl Typing {
    fn take(&mut self, typed: Typed, now: Instant) -> Option<Result<String, Unusable>> {
        self.last_at = Some(now);
        let byte = match typed {
            Typed::Character(character) => character,
            Typed::End => {
                self.last_at = None;
                if std::mem::take(&mut self.has_gap) {
                    self.codes = Codes::default();
                    return Some(Err(Unusable::Incomplete));
                }
                b'\r'
            }
            // The code would be another one without it.
            Typed::Unknown => {
                self.has_gap = true;
                return None;
            }
            Typed::Lost => {
                // A key that was let go meanwhile would be held for ever.
                self.keys = Keys::default();
                self.has_gap = true;
                return None;
            }
        };
        self.codes.take(&mut [byte].as_slice(), now)
    }

    fn after_silence(&mut self, now: Instant) -> Option<Unusable> {
        let is_over = now >= self.unended_at()?;
        is_over.then(|| {
            let Self { has_gap, .. } = std::mem::take(self);
            if has_gap { Unusable::Incomplete } else { Unusable::Unended }
        })
    }

    fn unended_at(&self) -> Option<Instant> {
        self.last_at.map(|last_at| last_at + UNENDED_AFTER)
    }
}

impl EvdevScanner {
    /// `places`: where devices are looked for; `grab`: [`grab`], unless the far end is no real device.
    #[must_use]
    pub fn new(selector: Selector, places: Places, grab: Grab) -> Self {
        Self { selector, places, grab, line: None, came: Vec::new(), typing: Typing::default() }
    }

    fn device(&self) -> String {
        format!("the scanner {}", self.selector)
    }

    fn unreachable(&self, why: &str) -> PeripheralError {
        PeripheralError::Unreachable { device: self.device(), why: why.to_owned() }
    }

    fn unable(&self, why: String) -> PeripheralError {
        PeripheralError::Unable { device: self.device(), why }
    }

    fn open(&mut self) -> Result<&mut Line, PeripheralError> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.find_and_grab()?,
        };
        Ok(self.line.insert(line))
    }

    fn find_and_grab(&self) -> Result<Line, PeripheralError> {
        let path = self.places.find(&self.selector).ok_or_else(|| self.unreachable("no such device is plugged in"))?;
        let line = Line::open_to_read(&path).map_err(|error| self.not_opened(&path, &error))?;
        (self.grab)(line.file()).map_err(|error| self.not_grabbed(&path, &error))?;
        Ok(line)
    }

    fn not_opened(&self, path: &Path, error: &io::Error) -> PeripheralError {
        match error.kind() {
            io::ErrorKind::NotFound => self.unreachable("no such device is plugged in"),
            io::ErrorKind::PermissionDenied => self.unable(format!(
                "the agent's user may not read {}; give it this device alone by a udev rule (deploy/edge/udev.rules has one), \
                 and plug it in again",
                path.display()
            )),
            _ => failure(&self.device(), error),
        }
    }

    fn not_grabbed(&self, path: &Path, error: &io::Error) -> PeripheralError {
        match error.raw_os_error() {
            Some(libc::EBUSY) => self.unable("another program has taken it for itself; end that one".to_owned()),
            Some(libc::ENODEV) => self.unreachable("it was just pulled out"),
            _ => self.unable(format!(
                "{} is no input device ({error}); see which it is under /dev/input/by-id",
                path.display()
            )),
        }
    }

    /// The next code in what has come.
    fn next(&mut self, now: Instant) -> Option<Result<String, Unusable>> {
        let mut taken = 0;
        let mut code = None;
        while let Some((event, _)) = self.came.get(taken..).and_then(<[u8]>::split_first_chunk::<EVENT_LEN>) {
            taken += EVENT_LEN;
            code = self.typing.keys.take(event).and_then(|typed| self.typing.take(typed, now));
            if code.is_some() {
                break;
            }
        }
        self.came.drain(..taken);
        code
    }
}

impl Scanner for EvdevScanner {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        let deadline = Instant::now() + wait;
        loop {
            let now = Instant::now();
            if let Some(code) = self.next(now) {
                return code.map(Some).map_err(|unusable| self.unable(unusable.why()));
            }
            let until = self.typing.unended_at().map_or(deadline, |unended_at| deadline.min(unended_at));
            let mut buffer = [0; 16 * EVENT_LEN];
            // Also when the time is over: what lies there was typed while this thread had to wait, and is no silence.
            match self.open()?.read(&mut buffer, until) {
                Ok(0) => {
                    if let Some(unusable) = self.typing.after_silence(now) {
                        return Err(self.unable(unusable.why()));
                    }
                    if now >= deadline {
                        return Ok(None);
                    }
                }
                Ok(len) => self.came.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                Err(error) => {
                    // It comes back as a new device; half a code does not.
                    (self.line, self.came, self.typing) = (None, Vec::new(), Typing::default());
                    return Err(failure(&self.device(), &error));
                }
            }
        }
    }

    fn health(&mut self) -> PeripheralHealth {
        match self.open() {
            Ok(_) => health("scanner", DRIVER, PeripheralState::Ok, ""),
            Err(error) => health("scanner", DRIVER, PeripheralState::Failed, error.to_string()),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.open()?;
        Ok("the scanner is the till's alone; scan a receipt's code, and the till shows its sale".to_owned())
    }
}

/// `EVIOCGRAB` (linux/input.h): events go to this file alone until it is closed.
///
/// # Errors
/// `EBUSY` if another program has it, `ENODEV` if it is gone, `ENOTTY` or `EINVAL` for what is no input device.
#[expect(unsafe_code, reason = "the one request to a device that no safe function makes")]
pub fn grab(device: &File) -> io::Result<()> {
    const EVIOCGRAB: libc::Ioctl = libc::_IOW::<libc::c_int>(b'E' as u32, 0x90);
    const TAKE: libc::c_ulong = 1;
    // SAFETY: the file is open for as long as it is borrowed, and this request takes a number: the kernel neither reads nor
    // writes memory of ours.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), EVIOCGRAB, TAKE) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(text: &str, grab: Grab) -> EvdevScanner {
        EvdevScanner::new(text.parse().unwrap(), Places::system(), grab)
    }

    #[test]
    fn what_is_no_input_device_cannot_be_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        for path in [path.to_str().unwrap(), "/dev/null"] {
            let error = grab(&File::open(path).unwrap()).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)), "{path}: {error}");
            let mut scanner = scanner(path, grab);
            let error = scanner.read(Duration::from_millis(1)).unwrap_err().to_string();
            assert!(error.contains(&format!("{path} is no input device")), "{error}");
            assert_eq!(scanner.health().state, PeripheralState::Failed);
        }
        // As linux/input.h and asm-generic/ioctl.h make it: write, 4 bytes, 'E', 0x90.
        assert_eq!(libc::_IOW::<libc::c_int>(u32::from(b'E'), 0x90), 0x4004_4590);
    }

    #[test]
    fn why_it_cannot_be_had_is_said_with_what_to_do() {
        let busy: Grab = |_| Err(io::Error::from_raw_os_error(libc::EBUSY));
        let error = scanner("/dev/null", busy).self_test().unwrap_err().to_string();
        assert!(error.contains("another program has taken it for itself"), "{error}");
        let error = scanner("/dev/input/none", grab).self_test().unwrap_err().to_string();
        assert!(error.contains("no such device is plugged in"), "{error}");
        // Tests may run as root, who may read everything.
        let forbidden = io::Error::from_raw_os_error(libc::EACCES);
        let error = scanner("usb:0c2e:0b61", grab).not_opened(Path::new("/dev/input/event3"), &forbidden).to_string();
        for words in ["/dev/input/event3", "this device alone by a udev rule"] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_code_with_a_gap_is_dropped_up_to_its_end() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        let mut type_all = |keys: &str, now| {
            let typed = keys.bytes().map(|key| match key {
                b'?' => Typed::Lost,
                b'\n' => Typed::End,
                other => Typed::Character(other),
            });
            typed.filter_map(|typed| typing.take(typed, now)).collect::<Vec<_>>()
        };
        let whole = |code: &str| Ok(code.to_owned());
        assert_eq!(
            type_all("123?456\n789\n?\n1\n", now),
            [Err(Unusable::Incomplete), whole("789"), Err(Unusable::Incomplete), whole("1")]
        );
        assert_eq!(type_all("12?3", now), []);
        assert_eq!(typing.after_silence(now + UNENDED_AFTER / 2), None);
        assert_eq!(typing.after_silence(now + UNENDED_AFTER), Some(Unusable::Incomplete));
        assert_eq!(typing.after_silence(now + 2 * UNENDED_AFTER), None);
        assert_eq!(typing.take(Typed::Character(b'4'), now), None);
        assert_eq!(typing.after_silence(now + UNENDED_AFTER), Some(Unusable::Unended));
        assert_eq!(typing.take(Typed::Character(b'5'), now), None);
        assert_eq!(typing.take(Typed::End, now), Some(whole("5")));
    }
}
