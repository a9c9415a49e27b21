//! A scanner that is not there: codes are handed to it.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use super::Codes;
use crate::peripherals::{PeripheralError, PeripheralHealth, PeripheralState, Scanner, health};

pub const DRIVER: &str = "simulated";
const DEVICE: &str = "the simulated scanner";

pub struct SimulatedScanner {
    scans: Receiver<String>,
}

/// The hand that scans. When it is dropped, the scanner is unplugged.
pub struct Hand(Sender<String>);

#[must_use]
pub fn scanner() -> (SimulatedScanner, Hand) {
    let (sender, scans) = channel();
    (SimulatedScanner { scans }, Hand(sender))
}

impl Hand {
    /// Holds `code` before the scanner.
    pub fn scan(&self, code: &str) {
        // A scanner that nobody reads any more has nobody to tell.
        let _ = self.0.send(code.to_owned());
    }
}

impl Scanner for SimulatedScanner {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        let code = match self.scans.recv_timeout(wait) {
            Ok(code) => code,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                let why = "its cable is out".to_owned();
                return Err(PeripheralError::Unreachable { device: DEVICE.to_owned(), why });
            }
        };
        // Cut to a code as a real one's bytes are.
        let bytes = format!("{code}\r");
        let code = Codes::default().take(&mut bytes.as_bytes(), Instant::now()).transpose();
        code.map_err(|unusable| PeripheralError::Unable { device: DEVICE.to_owned(), why: unusable.why() })
    }

    fn health(&mut self) -> PeripheralHealth {
        health("scanner", DRIVER, PeripheralState::Ok, "")
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok("nothing: the scanner is simulated".to_owned())
    }
}
