//! A printer behind a device file: `/dev/usb/lp0`, `/dev/lp0`.
//!
//! The file is opened for each receipt, since only one program can have it and an unplugged printer takes it away.

use std::time::Instant;

use super::driver::Wire;
use crate::peripherals::{
    PeripheralError,
    line::{Line, failure},
};

pub const DRIVER: &str = "escpos-file";

pub struct FileWire {
    path: String,
    line: Option<Line>,
}

impl FileWire {
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), line: None }
    }
}

impl Wire for FileWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn begin(&mut self, _: Instant) -> Result<(), PeripheralError> {
        self.line = Some(Line::open(&self.path).map_err(|error| failure(&self.device(), &error))?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), PeripheralError> {
        let device = self.device();
        let Some(line) = &mut self.line else { return Err(PeripheralError::Silent { device }) };
        line.write_all(bytes, deadline).map_err(|error| failure(&device, &error))
    }

    fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, PeripheralError> {
        let device = self.device();
        let Some(line) = &mut self.line else { return Ok(0) };
        line.read(buffer, deadline).map_err(|error| failure(&device, &error))
    }

    fn end(&mut self, _: bool) {
        self.line = None;
    }

    fn device(&self) -> String {
        format!("the printer at {}", self.path)
    }

    fn proves_presence(&self) -> bool {
        // The kernel makes the file when the printer is plugged in.
        true
    }
}
