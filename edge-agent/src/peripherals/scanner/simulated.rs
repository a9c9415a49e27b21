//! A scanner that is not there: each datagram on its socket is a scan, so that a test or a script can hold codes before it.

use std::{
    io,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use saoma_protocol::api::SCANNED_CODE_LEN_MAX;

use super::Codes;
use crate::peripherals::{
    PeripheralError, PeripheralHealth, PeripheralState, Scanner, health, line::failure, simulated_socket::bind,
};

pub const DRIVER: &str = "simulated";
/// Shortest wait that a socket has.
const WAIT_MIN: Duration = Duration::from_millis(1);

pub struct SimulatedScanner {
    path: String,
    socket: Option<UnixDatagram>,
}

impl SimulatedScanner {
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), socket: None }
    }

    fn device(&self) -> String {
        format!("the simulated scanner at {}", self.path)
    }

    fn open(&mut self) -> Result<&UnixDatagram, PeripheralError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => bind(&self.path).map_err(|error| failure(&self.device(), &error))?,
        };
        Ok(self.socket.insert(socket))
    }
}

impl Scanner for SimulatedScanner {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        // One byte more than a code has, and the line end: what is longer shows that it is.
        let mut scan = [0; SCANNED_CODE_LEN_MAX + 2];
        let socket = self.open()?;
        let came = socket.set_read_timeout(Some(wait.max(WAIT_MIN))).and_then(|()| socket.recv(&mut scan));
        let len = match came {
            Ok(len) => len,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => {
                self.socket = None;
                return Err(failure(&self.device(), &error));
            }
        };
        // Cut to a code as a real one's bytes are.
        let bytes = [scan.get(..len).unwrap_or_default(), b"\r"].concat();
        let code = Codes::default().take(&mut bytes.as_slice(), Instant::now()).transpose();
        code.map_err(|unusable| PeripheralError::Unable { device: self.device(), why: unusable.why() })
    }

    fn health(&mut self) -> PeripheralHealth {
        match self.open() {
            Ok(_) => health("scanner", DRIVER, PeripheralState::Ok, ""),
            Err(error) => health("scanner", DRIVER, PeripheralState::Failed, error.to_string()),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.open()?;
        Ok(format!("nothing: the scanner is simulated, each datagram to {} is a scan", self.path))
    }
}
