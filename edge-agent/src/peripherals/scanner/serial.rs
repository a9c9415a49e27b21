//! A scanner on a serial line, or on a USB port that looks like one.

use std::time::{Duration, Instant};

use super::{Codes, Unusable};
use crate::peripherals::{
    PeripheralError, PeripheralHealth, PeripheralState, Scanner, health,
    line::{Line, failure},
};

pub const DRIVER: &str = "serial";

pub struct SerialScanner {
    path: String,
    baud: u32,
    line: Option<Line>,
    /// Read and not yet looked at: a second code that came with the first.
    came: Vec<u8>,
    codes: Codes,
}

impl SerialScanner {
    #[must_use]
    pub fn new(path: &str, baud: u32) -> Self {
        Self { path: path.to_owned(), baud, line: None, came: Vec::new(), codes: Codes::default() }
    }

    fn device(&self) -> String {
        format!("the scanner at {}", self.path)
    }

    fn open(&mut self) -> Result<&mut Line, PeripheralError> {
        let line = match self.line.take() {
            Some(line) => line,
            None => Line::open_serial(&self.path, self.baud).map_err(|error| failure(&self.device(), &error))?,
        };
        Ok(self.line.insert(line))
    }

    /// The next code in what has come.
    fn next(&mut self, now: Instant) -> Option<Result<String, PeripheralError>> {
        let came = std::mem::take(&mut self.came);
        let mut rest = came.as_slice();
        let code = self.codes.take(&mut rest, now);
        self.came = rest.to_vec();
        Some(self.told(code?))
    }

    fn told(&self, code: Result<String, Unusable>) -> Result<String, PeripheralError> {
        code.map_err(|unusable| PeripheralError::Unable { device: self.device(), why: unusable.why() })
    }
}

impl Scanner for SerialScanner {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        let deadline = Instant::now() + wait;
        loop {
            let now = Instant::now();
            if let Some(code) = self.next(now) {
                return code.map(Some);
            }
            let until = self.codes.silent_at().map_or(deadline, |silent_at| deadline.min(silent_at));
            let mut buffer = [0; 256];
            // Also when the time is over: what lies there came while this thread had to wait, and is no silence.
            match self.open()?.read(&mut buffer, until) {
                Ok(0) => {
                    if let Some(code) = self.codes.after_silence(now) {
                        return self.told(code).map(Some);
                    }
                    if now >= deadline {
                        return Ok(None);
                    }
                }
                Ok(len) => self.came.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                Err(error) => {
                    // A scanner that was pulled out comes back as a new file; half a code does not.
                    (self.line, self.codes) = (None, Codes::default());
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
        Ok("the scanner's line is open; scan a receipt's code, and the till shows its sale".to_owned())
    }
}
