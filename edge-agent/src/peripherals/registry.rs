//! Which driver serves which device: the one place that lists them.

use super::{
    CustomerDisplay, Devices, Drawer, Kind, PeripheralError, PeripheralHealth, PeripheralState, Printer, Scale,
    Scanner, Speaker,
    card_reader::{CardReader, pcsc, simulated as simulated_card_reader, stripe::Swipes, vault::Vault},
    catalogue::{NONE, STRIPE, names},
    display::{page, simulated as simulated_display, vfd},
    drawer, health,
    printer::{EscPosPrinter, escpos::Dialect, file, serial as serial_printer, simulated, tcp},
    scale::{mt8217, simulated as simulated_scale},
    scanner::{evdev, serial as serial_scanner, simulated as simulated_scanner},
    speaker::{espeak, simulated as simulated_speaker, tones},
};
use crate::{config::PeripheralsConfig, receipt::Document};

/// Opens every device that the configuration names.
///
/// # Errors
/// Only for a driver that does not exist; a device that is missing is health `Failed` and tried again at each use.
pub fn open(config: &PeripheralsConfig) -> Result<Devices, PeripheralError> {
    Ok(Devices {
        printer: printer(config)?,
        drawer: drawer(config)?,
        display: display(config)?,
        scanner: scanner(config)?,
        scale: scale(config)?,
        speaker: speaker(config)?,
        card_reader: card_reader(config)?,
    })
}

pub(crate) fn printer(config: &PeripheralsConfig) -> Result<Box<dyn Printer>, PeripheralError> {
    let dialect = dialect(config);
    Ok(match config.printer.as_str() {
        simulated::DRIVER => Box::new(simulated::printer(dialect).0),
        tcp::DRIVER => Box::new(EscPosPrinter::new(tcp::TcpWire::new(&config.printer_address), dialect)),
        serial_printer::DRIVER => {
            let wire = serial_printer::SerialWire::new(&config.printer_device, config.printer_baud);
            Box::new(EscPosPrinter::new(wire, dialect))
        }
        file::DRIVER => Box::new(EscPosPrinter::new(file::FileWire::new(&config.printer_device), dialect)),
        NONE => Box::new(Absent),
        unknown => return Err(no_driver(Kind::Printer, unknown)),
    })
}

fn dialect(config: &PeripheralsConfig) -> Dialect {
    Dialect { width_dots: config.printer_width_dots, encoding: config.printer_encoding, qr: config.printer_qr }
}

pub(crate) fn drawer(config: &PeripheralsConfig) -> Result<Box<dyn Drawer>, PeripheralError> {
    Ok(match config.drawer.as_str() {
        drawer::DRIVER => Box::new(drawer::AtPrinter),
        NONE => Box::new(Absent),
        unknown => return Err(no_driver(Kind::Drawer, unknown)),
    })
}

pub(crate) fn display(config: &PeripheralsConfig) -> Result<Box<dyn CustomerDisplay>, PeripheralError> {
    Ok(match config.display.as_str() {
        page::DRIVER => Box::new(page::Page),
        vfd::DRIVER => Box::new(vfd::Vfd::new(&config.display_device, config.display_baud)),
        simulated_display::DRIVER => Box::new(simulated_display::display(&config.display_device)),
        unknown => return Err(no_driver(Kind::Display, unknown)),
    })
}

pub(crate) fn scanner(config: &PeripheralsConfig) -> Result<Option<Box<dyn Scanner>>, PeripheralError> {
    Ok(match config.scanner.as_str() {
        serial_scanner::DRIVER => {
            Some(Box::new(serial_scanner::SerialScanner::new(&config.scanner_device, config.scanner_baud)))
        }
        evdev::DRIVER => {
            let selector = config.scanner_device.parse().map_err(|why| {
                let why = format!("peripherals.scanner_device: {why}");
                PeripheralError::Unable { device: "the scanner".to_owned(), why }
            })?;
            Some(Box::new(evdev::EvdevScanner::new(selector, evdev::Places::system(), evdev::grab)))
        }
        simulated_scanner::DRIVER => Some(Box::new(simulated_scanner::SimulatedScanner::new(&config.scanner_device))),
        NONE => None,
        unknown => return Err(no_driver(Kind::Scanner, unknown)),
    })
}

pub(crate) fn scale(config: &PeripheralsConfig) -> Result<Option<Box<dyn Scale>>, PeripheralError> {
    Ok(match config.scale.as_str() {
        mt8217::DRIVER => {
            Some(Box::new(mt8217::Mt8217::new(&config.scale_device, config.scale_baud, config.scale_parity)))
        }
        simulated_scale::DRIVER => Some(Box::new(simulated_scale::SimulatedScale::new(&config.scale_device))),
        NONE => None,
        unknown => return Err(no_driver(Kind::Scale, unknown)),
    })
}

pub(crate) fn speaker(config: &PeripheralsConfig) -> Result<Option<Box<dyn Speaker>>, PeripheralError> {
    let (device, volume) = (&config.speaker_device, config.speaker_volume);
    Ok(match config.speaker.as_str() {
        espeak::DRIVER => {
            let speech = espeak::Speech {
                languages: config.speaker_language,
                voice_zh: config.speaker_voice_zh.clone(),
                voice_en: config.speaker_voice_en.clone(),
                volume,
            };
            Some(Box::new(espeak::Espeak::new(espeak::engine(), tones::Player::aplay(device), speech)))
        }
        tones::DRIVER => Some(Box::new(tones::Tones::new(tones::Player::aplay(device), volume))),
        simulated_speaker::DRIVER => {
            Some(Box::new(simulated_speaker::SimulatedSpeaker::new(device, config.speaker_language)))
        }
        NONE => None,
        unknown => return Err(no_driver(Kind::Speaker, unknown)),
    })
}

/// A chip's slot by its driver; beside it, a slit for stripes and a pad for PINs, if there are such.
pub(crate) fn card_reader(config: &PeripheralsConfig) -> Result<Option<Box<CardReader>>, PeripheralError> {
    let vault = Vault::new(&config.card_reader_keys);
    let mut reader = Box::new(CardReader::new(NONE, vault, config.card_reader_country));
    reader.swipes = stripe(config)?;
    match config.card_reader_pad.as_str() {
        simulated_card_reader::DRIVER => {
            reader.pad = Some(Box::new(simulated_card_reader::Counter::new(&config.card_reader_pad_device)));
        }
        NONE => {}
        unknown => return Err(no_part("PIN pad", unknown, "simulated, none")),
    }
    match config.card_reader.as_str() {
        pcsc::DRIVER => {
            reader.driver = pcsc::DRIVER;
            reader.slot = Some(Box::new(pcsc::Pcsc::new(&config.card_reader_service, &config.card_reader_device)));
        }
        STRIPE => reader.driver = STRIPE,
        simulated_card_reader::DRIVER => {
            let counter = simulated_card_reader::Counter::new(&config.card_reader_device);
            reader.driver = simulated_card_reader::DRIVER;
            reader.slot = Some(Box::new(counter.clone()));
            reader.swipes = Some(Swipes::new(Box::new(counter.clone())));
            reader.pad = Some(Box::new(counter));
        }
        NONE => return Ok(None),
        unknown => return Err(no_driver(Kind::CardReader, unknown)),
    }
    Ok(Some(reader))
}

fn stripe(config: &PeripheralsConfig) -> Result<Option<Swipes>, PeripheralError> {
    let (device, baud) = (&config.card_reader_stripe_device, config.card_reader_stripe_baud);
    Ok(Some(Swipes::new(match config.card_reader_stripe.as_str() {
        serial_scanner::DRIVER => Box::new(serial_scanner::SerialScanner::new(device, baud)),
        evdev::DRIVER => {
            let selector = device.parse().map_err(|why| {
                let why = format!("peripherals.card_reader_stripe_device: {why}");
                PeripheralError::Unable { device: "the card reader".to_owned(), why }
            })?;
            Box::new(evdev::EvdevScanner::new(selector, evdev::Places::system(), evdev::grab))
        }
        NONE => return Ok(None),
        unknown => return Err(no_part("reader of stripes", unknown, "serial, evdev, none")),
    })))
}

fn no_part(part: &str, unknown: &str, known: &str) -> PeripheralError {
    let why = format!("there is no {part} {unknown:?}; it is one of {known}");
    PeripheralError::Unable { device: "the card reader".to_owned(), why }
}

fn no_driver(kind: Kind, unknown: &str) -> PeripheralError {
    let known = names(kind).collect::<Vec<_>>().join(", ");
    let why = format!("there is no driver {unknown:?}; peripherals.{kind} is one of {known}");
    PeripheralError::Unable { device: format!("the {kind}"), why }
}

/// Nothing is plugged in, and that is as configured.
struct Absent;

impl Printer for Absent {
    fn driver(&self) -> &'static str {
        NONE
    }
    fn print(&mut self, _: &Document) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn pulse_drawer(&mut self) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn health(&mut self) -> PeripheralHealth {
        health("printer", NONE, PeripheralState::Ok, "")
    }
    fn self_test(&mut self) -> Result<String, PeripheralError> {
        Ok("nothing: no printer is configured".to_owned())
    }
}

impl Drawer for Absent {
    fn driver(&self) -> &'static str {
        NONE
    }
    fn open(&mut self, _: &mut dyn Printer) -> Result<(), PeripheralError> {
        Ok(())
    }
    fn health(&mut self) -> PeripheralHealth {
        health("drawer", NONE, PeripheralState::Ok, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut PeripheralsConfig)) -> PeripheralsConfig {
        let mut config = PeripheralsConfig::default();
        change(&mut config);
        config
    }

    #[test]
    fn the_defaults_open_without_any_hardware() {
        let mut devices = open(&PeripheralsConfig::default()).unwrap();
        let healths = [devices.printer.health(), devices.drawer.health(), devices.display.health()];
        let words: Vec<_> = healths.iter().map(|health| (health.kind.as_str(), health.driver.as_str())).collect();
        assert_eq!(words, [("printer", "simulated"), ("drawer", "printer"), ("display", "page")]);
        assert!(healths.iter().all(|health| health.state == PeripheralState::Ok));
        assert!(devices.scanner.is_none() && devices.scale.is_none() && devices.speaker.is_none());
        assert!(devices.card_reader.is_none());
    }

    #[test]
    fn every_driver_of_the_catalogue_opens() {
        for driver in crate::peripherals::catalogue::DRIVERS {
            let config = config(|config| match driver.kind {
                Kind::Printer => config.printer = driver.name.to_owned(),
                Kind::Drawer => config.drawer = driver.name.to_owned(),
                Kind::Display => config.display = driver.name.to_owned(),
                Kind::Scanner => config.scanner = driver.name.to_owned(),
                Kind::Scale => config.scale = driver.name.to_owned(),
                Kind::Speaker => config.speaker = driver.name.to_owned(),
                Kind::CardReader => config.card_reader = driver.name.to_owned(),
            });
            assert!(open(&config).is_ok(), "{driver:?}");
        }
    }

    #[test]
    fn every_driver_opens_by_its_name_even_if_its_device_is_missing() {
        for name in ["simulated", "escpos-tcp", "escpos-serial", "escpos-file", "none"] {
            assert_eq!(printer(&config(|config| config.printer = name.to_owned())).unwrap().driver(), name);
        }
        for name in ["printer", "none"] {
            assert_eq!(drawer(&config(|config| config.drawer = name.to_owned())).unwrap().driver(), name);
        }
        for name in ["page", "serial-vfd", "simulated"] {
            assert_eq!(display(&config(|config| config.display = name.to_owned())).unwrap().driver(), name);
        }
        for name in ["serial", "evdev", "simulated"] {
            assert_eq!(scanner(&config(|config| config.scanner = name.to_owned())).unwrap().unwrap().driver(), name);
        }
        for name in ["espeak-ng", "tones", "simulated"] {
            assert_eq!(speaker(&config(|config| config.speaker = name.to_owned())).unwrap().unwrap().driver(), name);
        }
        for name in ["pcsc", "stripe", "simulated"] {
            let reader = card_reader(&config(|config| config.card_reader = name.to_owned())).unwrap().unwrap();
            assert_eq!(reader.driver(), name);
        }
        for name in ["mt8217", "simulated"] {
            assert_eq!(scale(&config(|config| config.scale = name.to_owned())).unwrap().unwrap().driver(), name);
        }
    }

    #[test]
    fn a_missing_device_is_failed_health_that_says_what_to_check() {
        let mut devices = open(&config(|config| {
            config.printer = "escpos-serial".to_owned();
            config.printer_device = "/dev/there-is-none".to_owned();
            config.display = "serial-vfd".to_owned();
            config.display_device = "/dev/there-is-none".to_owned();
            config.scanner = "serial".to_owned();
            config.scanner_device = "/dev/there-is-none".to_owned();
            config.scale = "mt8217".to_owned();
            config.scale_device = "/dev/there-is-none".to_owned();
        }))
        .unwrap();
        let healths = [
            devices.printer.health(),
            devices.display.health(),
            devices.scanner.as_mut().unwrap().health(),
            devices.scale.as_mut().unwrap().health(),
        ];
        for health in healths {
            assert_eq!(health.state, PeripheralState::Failed);
            assert!(health.detail.contains("at /dev/there-is-none"), "{}", health.detail);
            assert!(health.detail.ends_with("check its cable and that it is switched on"), "{}", health.detail);
        }
    }

    #[test]
    fn a_driver_that_does_not_exist_is_refused_with_those_that_do() {
        for (config, reason) in [
            (
                config(|config| config.printer = "espos-tcp".to_owned()),
                "the printer cannot do this: there is no driver \"espos-tcp\"; peripherals.printer is one of \
                 simulated, escpos-tcp, escpos-serial, escpos-file, none",
            ),
            (
                config(|config| config.scanner = "usb".to_owned()),
                "the scanner cannot do this: there is no driver \"usb\"; peripherals.scanner is one of serial, \
                 evdev, simulated, none",
            ),
            (
                config(|config| {
                    config.scanner = "evdev".to_owned();
                    config.scanner_device = "event3".to_owned();
                }),
                "the scanner cannot do this: peripherals.scanner_device: \"event3\" names no input device; write \
                 /dev/input/by-id/…, usb:0c2e:0b61 (as lsusb lists it) or name:Honeywell",
            ),
            (
                config(|config| config.display = "none".to_owned()),
                "the display cannot do this: there is no driver \"none\"; peripherals.display is one of page, serial-vfd, \
                 simulated",
            ),
            (
                config(|config| config.drawer = "usb".to_owned()),
                "the drawer cannot do this: there is no driver \"usb\"; peripherals.drawer is one of printer, none",
            ),
            (
                config(|config| config.speaker = "espeak".to_owned()),
                "the speaker cannot do this: there is no driver \"espeak\"; peripherals.speaker is one of espeak-ng, \
                 tones, simulated, none",
            ),
            (
                config(|config| config.card_reader = "emv".to_owned()),
                "the card_reader cannot do this: there is no driver \"emv\"; peripherals.card_reader is one of pcsc, stripe, \
                 simulated, none",
            ),
            (
                config(|config| {
                    config.card_reader = "pcsc".to_owned();
                    config.card_reader_pad = "pcsc".to_owned();
                }),
                "the card reader cannot do this: there is no PIN pad \"pcsc\"; it is one of simulated, none",
            ),
            (
                config(|config| config.scale = "usb".to_owned()),
                "the scale cannot do this: there is no driver \"usb\"; peripherals.scale is one of mt8217, simulated, none",
            ),
        ] {
            assert_eq!(open(&config).err().unwrap().to_string(), reason);
        }
    }
}
