//! Cash drawers: they hang on the receipt printer.

use super::{Drawer, PeripheralError, PeripheralHealth, PeripheralState, Printer, health};

pub const DRIVER: &str = "printer";

/// A drawer that the receipt printer opens.
pub struct AtPrinter;

impl Drawer for AtPrinter {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn open(&mut self, printer: &mut dyn Printer) -> Result<(), PeripheralError> {
        printer.pulse_drawer()
    }

    fn health(&mut self) -> PeripheralHealth {
        // The wire says nothing that is the same for all drawers; the printer's own health is told beside it.
        health("drawer", DRIVER, PeripheralState::Ok, "")
    }
}
