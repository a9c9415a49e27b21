//! The second screen: a browser that shows the till's page `/display`, which asks by itself.

use crate::peripherals::{CustomerDisplay, Display, PeripheralError, PeripheralHealth, PeripheralState, health};

pub const DRIVER: &str = "page";

pub struct Page;

impl CustomerDisplay for Page {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn show(&mut self, _: &Display) -> Result<(), PeripheralError> {
        Ok(())
    }

    fn health(&mut self) -> PeripheralHealth {
        health("display", DRIVER, PeripheralState::Ok, "")
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok("the shop's name on the page /display".to_owned())
    }
}
