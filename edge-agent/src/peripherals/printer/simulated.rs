//! A printer that is not there: it takes the bytes that a real one would get, draws them, and breaks on demand.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    driver::{EscPosPrinter, Wire},
    escpos::Dialect,
    paper::Firmware,
    render,
};
use crate::peripherals::{PeripheralError, Rendering};

pub const DRIVER: &str = "simulated";
const DEVICE: &str = "the simulated printer";

/// How much paper there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roll {
    #[default]
    Full,
    NearlyUsedUp,
    Out,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub roll: Roll,
    pub cover_open: bool,
    /// The cable is out.
    pub unplugged: bool,
    /// It prints, but never tells its status, as cheap printers do.
    pub tells_nothing: bool,
}

/// The hands at the printer, for tests: they change the roll, open the cover, pull the cable, and see the drawer.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<Inside>>);

struct Inside {
    firmware: Firmware,
    faults: Faults,
    answers: Vec<u8>,
}

/// A simulated printer that understands `dialect`, and the hands at it.
#[must_use]
pub fn printer(dialect: Dialect) -> (EscPosPrinter<SimulatedWire>, Hands) {
    let firmware = Firmware::new(dialect.width_dots);
    let inside = Arc::new(Mutex::new(Inside { firmware, faults: Faults::default(), answers: Vec::new() }));
    let wire = SimulatedWire { inside: Arc::clone(&inside), width_dots: dialect.width_dots };
    (EscPosPrinter::new(wire, dialect), Hands(inside))
}

impl Hands {
    pub fn set(&self, faults: Faults) {
        lock(&self.0).faults = faults;
    }

    /// How often the drawer was told to open.
    #[must_use]
    pub fn drawer_pulses(&self) -> u32 {
        lock(&self.0).firmware.pulses
    }
}

pub struct SimulatedWire {
    inside: Arc<Mutex<Inside>>,
    width_dots: u32,
}

impl Wire for SimulatedWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn begin(&mut self, _: Instant) -> Result<(), PeripheralError> {
        if lock(&self.inside).faults.unplugged {
            return Err(PeripheralError::Unreachable { device: DEVICE.to_owned(), why: "its cable is out".to_owned() });
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], _: Instant) -> Result<(), PeripheralError> {
        let inside = &mut *lock(&self.inside);
        inside
            .firmware
            .take(bytes)
            .map_err(|misprint| PeripheralError::Unable { device: DEVICE.to_owned(), why: misprint.to_string() })?;
        let faults = inside.faults;
        for question in std::mem::take(&mut inside.firmware.questions) {
            if !faults.tells_nothing {
                inside.answers.push(faults.answer(question));
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], _: Instant) -> Result<usize, PeripheralError> {
        let answers = &mut lock(&self.inside).answers;
        let len = answers.len().min(buffer.len());
        for (slot, answer) in buffer.iter_mut().zip(answers.drain(..len)) {
            *slot = answer;
        }
        Ok(len)
    }

    fn end(&mut self, _: bool) {}

    fn device(&self) -> String {
        DEVICE.to_owned()
    }

    fn proves_presence(&self) -> bool {
        true
    }

    fn rendering(&self) -> Option<Rendering> {
        let inside = lock(&self.inside);
        let slip = inside.firmware.slip();
        if slip.is_empty() {
            return None;
        }
        render::render(slip, self.width_dots)
            .inspect_err(|error| tracing::error!(%error, "failed to draw the receipt"))
            .ok()
    }
}

impl Faults {
    /// The status byte, as in the reference's tables for `DLE EOT n`.
    const fn answer(self, question: u8) -> u8 {
        let always = 0b0001_0010;
        let paper_out = matches!(self.roll, Roll::Out);
        match question {
            1 => always | if paper_out || self.cover_open { 0x08 } else { 0 },
            2 => always | if self.cover_open { 0x04 } else { 0 } | if paper_out { 0x20 } else { 0 },
            4 => match self.roll {
                Roll::Full => always,
                Roll::NearlyUsedUp => always | 0x0c,
                Roll::Out => always | 0x0c | 0x60,
            },
            _ => always,
        }
    }
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}
