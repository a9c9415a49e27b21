//! A device file (serial line, `/dev/usb/lp0`) that nobody waits for longer than a deadline.
//!
//! Opened non-blocking, and every wait is a `poll` with what is left of the time: a printer that stops taking bytes costs
//! its thread seconds, not the rest of the day.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{
        BaudRate, ControlFlags, FlushArg, SetArg, cfmakeraw, cfsetspeed, tcdrain, tcflush, tcgetattr, tcsetattr,
    },
};

use super::PeripheralError;

/// An open device file.
pub(super) struct Line {
    file: File,
    serial: bool,
    /// Something may come back on it.
    answers: bool,
}

impl Line {
    /// A serial line: 8 bits, no parity, one stop bit, no handshake. What waited in it is thrown away, since a code that was
    /// scanned before the till looked must not become a sale.
    ///
    /// # Errors
    /// The system's; `InvalidInput` for a speed that serial lines do not have.
    pub fn open_serial(path: &str, baud: u32) -> io::Result<Self> {
        let speed = baud_rate(baud)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
            .open(path)?;
        let mut settings = tcgetattr(&file)?;
        cfmakeraw(&mut settings);
        settings.control_flags |= ControlFlags::CREAD | ControlFlags::CLOCAL;
        settings.control_flags &= !(ControlFlags::CSTOPB | ControlFlags::CRTSCTS);
        cfsetspeed(&mut settings, speed)?;
        tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        tcflush(&file, FlushArg::TCIOFLUSH)?;
        Ok(Self { file, serial: true, answers: true })
    }

    /// A printer's device file, or anything that bytes can be written to. It must exist: a misspelt `/dev/usb/lp0` would
    /// otherwise become a file that swallows receipts. A character device is opened for reading too, for its status.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &str) -> io::Result<Self> {
        let answers = std::fs::metadata(path)?.file_type().is_char_device();
        let file = OpenOptions::new()
            .read(answers)
            .append(!answers)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
            .open(path)?;
        Ok(Self { file, serial: false, answers })
    }

    /// A device that only tells: an input device of the kernel.
    ///
    /// # Errors
    /// The system's.
    pub fn open_to_read(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
            .open(path)?;
        Ok(Self { file, serial: false, answers: true })
    }

    /// For requests that are the device's own.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Returns when the device has taken every byte.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, with a part written; otherwise the system's.
    pub fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.wait(PollFlags::POLLOUT, deadline)?;
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if again(&error) => {}
                Err(error) => return Err(error),
            }
        }
        // The last piece has left when the next one would be taken.
        self.wait(PollFlags::POLLOUT, deadline)?;
        if self.serial {
            // Without a handshake the line empties at its speed, whoever listens: this cannot hang.
            tcdrain(&self.file)?;
        }
        Ok(())
    }

    /// What has come by the deadline: 0 bytes if nothing has, at once if nothing can.
    ///
    /// # Errors
    /// `UnexpectedEof` if the device is gone; otherwise the system's.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        if !self.answers {
            return Ok(0);
        }
        loop {
            match self.wait(PollFlags::POLLIN, deadline) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(0),
                Err(error) => return Err(error),
            }
            match self.file.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => return Ok(len),
                Err(error) if again(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&self, wanted: PollFlags, deadline: Instant) -> io::Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: a poll of 0 ms would spin through the last millisecond.
            let left = if left.is_zero() { left } else { left + Duration::from_millis(1) };
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut polled = [PollFd::new(self.file.as_fd(), wanted)];
            match poll(&mut polled, timeout) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                // Also a hang-up: the read or write that follows gets the system's word for it.
                Ok(_) => return Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What to tell the cashier about `device`, for example "the printer at /dev/usb/lp0".
pub(super) fn failure(device: &str, error: &io::Error) -> PeripheralError {
    let device = device.to_owned();
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => PeripheralError::Silent { device },
        io::ErrorKind::InvalidInput => PeripheralError::Unable { device, why: error.to_string() },
        _ => PeripheralError::Unreachable { device, why: error.to_string() },
    }
}

fn baud_rate(baud: u32) -> io::Result<BaudRate> {
    Ok(match baud {
        1_200 => BaudRate::B1200,
        2_400 => BaudRate::B2400,
        4_800 => BaudRate::B4800,
        9_600 => BaudRate::B9600,
        19_200 => BaudRate::B19200,
        38_400 => BaudRate::B38400,
        57_600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        230_400 => BaudRate::B230400,
        460_800 => BaudRate::B460800,
        921_600 => BaudRate::B921600,
        _ => {
            let why = format!("serial lines do not run at {baud} baud; 9600 and 115200 are usual");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    })
}

#[cfg(test)]
mod tests {
    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn a_device_that_takes_nothing_is_given_up_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lp0");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let path = path.to_str().unwrap();
        // Nobody reads it: that is a printer that is not plugged in.
        assert_eq!(Line::open(path).err().unwrap().raw_os_error(), Some(libc::ENXIO));

        let _reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap();
        let mut line = Line::open(path).unwrap();
        let began = Instant::now();
        let error = line.write_all(&vec![0; 1024 * 1024], began + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(50));
        let device = "the printer at /dev/usb/lp0";
        assert_eq!(failure(device, &error), PeripheralError::Silent { device: device.to_owned() });
    }

    #[test]
    fn a_file_that_does_not_exist_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lp1");
        assert_eq!(Line::open(path.to_str().unwrap()).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(!path.exists());
    }

    #[test]
    fn a_speed_that_lines_do_not_have_is_refused() {
        let error = Line::open_serial("/dev/null", 12_345).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(matches!(failure("the scanner", &error), PeripheralError::Unable { .. }));
    }
}
