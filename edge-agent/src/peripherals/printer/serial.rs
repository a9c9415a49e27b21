//! A printer on a serial line, or on a USB port that looks like one.
//!
//! The line stays open between receipts: opening it pulls signals that make some printers start anew.

use std::time::Instant;

use super::driver::Wire;
use crate::peripherals::{
    PeripheralError,
    line::{Line, failure},
};

pub const DRIVER: &str = "escpos-serial";

pub struct SerialWire {
    path: String,
    baud: u32,
    line: Option<Line>,
}

impl SerialWire {
    #[must_use]
    pub fn new(path: &str, baud: u32) -> Self {
        Self { path: path.to_owned(), baud, line: None }
    }
}

impl Wire for SerialWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn begin(&mut self, _: Instant) -> Result<(), PeripheralError> {
        if self.line.is_none() {
            let line = Line::open_serial(&self.path, self.baud).map_err(|error| failure(&self.device(), &error))?;
            self.line = Some(line);
        }
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

    fn end(&mut self, well: bool) {
        // A device that was pulled out comes back as a new file of the same name.
        if !well {
            self.line = None;
        }
    }

    fn device(&self) -> String {
        format!("the printer at {}", self.path)
    }

    fn proves_presence(&self) -> bool {
        false
    }
}
