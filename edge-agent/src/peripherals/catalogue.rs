//! The drivers there are, and what is set for each: what the page of the devices draws its form from.

use std::collections::BTreeSet;

use serde::Serialize;
use toml::{Table, Value};

use super::{
    Kind,
    card_reader::{pcsc, simulated as simulated_card_reader},
    connected::Bus,
    display::{page, simulated as simulated_display, vfd},
    drawer,
    printer::{file, serial as serial_printer, simulated, tcp},
    scale::{mt8217, simulated as simulated_scale},
    scanner::{evdev, serial as serial_scanner, simulated as simulated_scanner},
    speaker::{espeak, simulated as simulated_speaker, tones},
};
use crate::config::PeripheralsConfig;

/// A device that there is none of.
pub const NONE: &str = "none";
/// A card reader that reads stripes alone.
pub const STRIPE: &str = "stripe";

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Driver {
    pub kind: Kind,
    pub name: &'static str,
    /// The option that says where the device is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<&'static str>,
    /// What else is set for it.
    pub options: &'static [&'static str],
    /// How a device that it is for is plugged in.
    #[serde(skip)]
    pub bus: Option<Bus>,
}

const fn driver(kind: Kind, name: &'static str) -> Driver {
    Driver { kind, name, place: None, options: &[], bus: None }
}

impl Driver {
    const fn at(self, place: &'static str, bus: Option<Bus>) -> Self {
        Self { place: Some(place), bus, ..self }
    }

    const fn with(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }
}

/// Of every printer; one on a serial line has a speed before.
const PRINTER: &[&str] = &["printer_baud", "printer_width_dots", "printer_encoding", "printer_qr"];
const DIALECT: &[&str] = PRINTER.split_at(1).1;
/// Of a reader of chips; one of stripes alone has all but the first.
const CARD_READER: &[&str] = &[
    "card_reader_service",
    "card_reader_stripe",
    "card_reader_stripe_device",
    "card_reader_stripe_baud",
    "card_reader_pad",
    "card_reader_pad_device",
    "card_reader_keys",
    "card_reader_country",
];
const SERIAL: Option<Bus> = Some(Bus::Serial);

/// By kind, in the order in which they are offered.
pub const DRIVERS: &[Driver] = &[
    driver(Kind::Printer, simulated::DRIVER).with(DIALECT),
    driver(Kind::Printer, tcp::DRIVER).at("printer_address", Some(Bus::Network)).with(DIALECT),
    driver(Kind::Printer, serial_printer::DRIVER).at("printer_device", SERIAL).with(PRINTER),
    driver(Kind::Printer, file::DRIVER).at("printer_device", Some(Bus::UsbPrinter)).with(DIALECT),
    driver(Kind::Printer, NONE),
    driver(Kind::Drawer, drawer::DRIVER),
    driver(Kind::Drawer, NONE),
    driver(Kind::Display, page::DRIVER),
    driver(Kind::Display, vfd::DRIVER).at("display_device", SERIAL).with(&["display_baud"]),
    driver(Kind::Display, simulated_display::DRIVER).at("display_device", None),
    driver(Kind::Scanner, serial_scanner::DRIVER).at("scanner_device", SERIAL).with(&["scanner_baud"]),
    driver(Kind::Scanner, evdev::DRIVER).at("scanner_device", Some(Bus::Keyboard)),
    driver(Kind::Scanner, simulated_scanner::DRIVER).at("scanner_device", None),
    driver(Kind::Scanner, NONE),
    driver(Kind::Scale, mt8217::DRIVER).at("scale_device", SERIAL).with(&["scale_baud", "scale_parity"]),
    driver(Kind::Scale, simulated_scale::DRIVER).at("scale_device", None),
    driver(Kind::Scale, NONE),
    driver(Kind::Speaker, espeak::DRIVER).at("speaker_device", Some(Bus::Sound)).with(&[
        "speaker_language",
        "speaker_volume",
        "speaker_voice_zh",
        "speaker_voice_en",
    ]),
    driver(Kind::Speaker, tones::DRIVER).at("speaker_device", Some(Bus::Sound)).with(&["speaker_volume"]),
    driver(Kind::Speaker, simulated_speaker::DRIVER).at("speaker_device", None).with(&["speaker_language"]),
    driver(Kind::Speaker, NONE),
    driver(Kind::CardReader, pcsc::DRIVER).at("card_reader_device", Some(Bus::ChipReader)).with(CARD_READER),
    driver(Kind::CardReader, STRIPE).with(CARD_READER.split_at(1).1),
    driver(Kind::CardReader, simulated_card_reader::DRIVER)
        .at("card_reader_device", None)
        .with(&["card_reader_keys", "card_reader_country"]),
    driver(Kind::CardReader, NONE),
];

/// The names of the drivers for a kind.
pub fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().filter(move |driver| driver.kind == kind).map(|driver| driver.name)
}

#[must_use]
pub fn driver_of(kind: Kind, name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.kind == kind && driver.name == name)
}

/// The kind that an option is for: `scanner_baud` is the scanner's.
#[must_use]
pub fn kind_of(option: &str) -> Option<Kind> {
    let is_of =
        |kind: &Kind| option.strip_prefix(kind.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    Kind::ALL.into_iter().find(is_of)
}

/// Every option with its value.
#[must_use]
pub fn options(config: &PeripheralsConfig) -> Table {
    // A flat table of texts and numbers always comes out.
    Table::try_from(config).unwrap_or_default()
}

/// The text that an option has.
#[must_use]
pub fn text_of(config: &PeripheralsConfig, option: &str) -> String {
    options(config).get(option).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
}

/// The kinds for which these differ.
#[must_use]
pub fn differing(one: &PeripheralsConfig, other: &PeripheralsConfig) -> BTreeSet<Kind> {
    let other = options(other);
    let changed = options(one).into_iter().filter(|(option, value)| other.get(option) != Some(value));
    changed.filter_map(|(option, _)| kind_of(&option)).collect()
}

/// Where device files of tills are. What reaches the till's page may set no other: a driver writes to its device, and the agent's
/// user may write more than the page's visitor.
const DEVICE_FOLDERS: [&str; 7] =
    ["/dev/tty", "/dev/serial/", "/dev/usb/", "/dev/lp", "/dev/input/", "/dev/pts/", "/dev/saoma/"];
/// ALSA's names of what is a device; others (`file:`) write files and start programs.
const SOUND_DEVICES: [&str; 5] = ["default", "sysdefault", "hw:", "plughw:", "dmix:"];

/// Why the till's page may not set this option to that; whoever may change the file may.
///
/// # Errors
/// The sentence.
pub fn may_be_set_from_page(option: &str, value: &Value) -> Result<(), String> {
    let Some(text) = value.as_str() else { return Ok(()) };
    let by_hand = "elsewhere than among devices it is set in the configuration file by hand";
    let is_plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || ":,=_-.".contains(letter));
    match option {
        // Where the keys are, and who has cards: whoever chooses that could have others' files written, or cards read elsewhere.
        "card_reader_keys" | "card_reader_service" | "card_reader_pad_device" => Err(format!("{option}: {by_hand}")),
        "speaker_device" => {
            let is_sound = SOUND_DEVICES.iter().any(|name| text.starts_with(name)) && is_plain(text);
            if text.is_empty() || is_sound {
                return Ok(());
            }
            Err(format!("{text:?} names no sound device such as default or plughw:1,0; {by_hand}"))
        }
        _ if option.ends_with("_device") && text.starts_with('/') => {
            let is_device = DEVICE_FOLDERS.iter().any(|folder| text.starts_with(folder)) && !text.contains("/..");
            if is_device { Ok(()) } else { Err(format!("{text} is no device such as /dev/ttyUSB0; {by_hand}")) }
        }
        // A part of a reader's name.
        "card_reader_device" if !text.contains('/') && text.chars().all(|letter| !letter.is_control()) => Ok(()),
        // A scanner that types is named otherwise.
        "scanner_device" | "card_reader_stripe_device" if text.parse::<evdev::Selector>().is_ok() => Ok(()),
        _ if option.ends_with("_device") => Err(format!("{text:?} is no device such as /dev/ttyUSB0")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_some_drivers_and_no_driver_has_others() {
        let held = options(&PeripheralsConfig::default());
        let mut used: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
        for driver in DRIVERS {
            let options = driver.place.iter().chain(driver.options);
            for option in options {
                assert!(held.contains_key(*option), "{option}");
                assert_eq!(kind_of(option), Some(driver.kind), "{option}");
                used.insert((*option).to_owned());
            }
        }
        assert_eq!(held.keys().cloned().collect::<BTreeSet<_>>(), used);
    }

    #[test]
    fn every_kind_is_set_to_a_driver_that_there_is() {
        let config = PeripheralsConfig::default();
        for kind in Kind::ALL {
            assert!(driver_of(kind, &text_of(&config, kind.name())).is_some(), "{kind}");
        }
    }

    #[test]
    fn what_differs_is_told_by_kind() {
        let config = PeripheralsConfig::default();
        assert!(differing(&config, &config).is_empty());
        let other = PeripheralsConfig {
            scale_baud: 1_200,
            speaker_voice_en: "en-gb".to_owned(),
            speaker_volume: 3,
            ..config.clone()
        };
        assert_eq!(differing(&config, &other), [Kind::Scale, Kind::Speaker].into());
        for (option, kind) in
            [("printer", Some(Kind::Printer)), ("scales", None), ("", None), ("printer_", Some(Kind::Printer))]
        {
            assert_eq!(kind_of(option), kind, "{option}");
        }
    }

    #[test]
    fn the_page_sets_devices_and_no_other_files() {
        for (option, value, may) in [
            ("printer_device", "/dev/usb/lp0", true),
            ("printer_device", "/dev/serial/by-id/usb-x", true),
            ("printer_device", "/dev/ttyUSB0", true),
            ("printer_device", "/dev/sda", false),
            ("printer_device", "/dev/tty/../sda", false),
            ("printer_device", "/var/lib/saoma-edge/journal.db", false),
            ("printer_device", "usb:0c2e:0b61", false),
            ("printer_device", "", false),
            ("scanner_device", "usb:0c2e:0b61", true),
            ("scanner_device", "name:Honeywell", true),
            ("scanner_device", "/tmp/socket", false),
            ("scale_device", "grams", false),
            ("speaker_device", "", true),
            ("speaker_device", "plughw:1,0", true),
            ("speaker_device", "file:'|reboot'", false),
            ("speaker_device", "default'|x", false),
            ("speaker_device", "/tmp/x", false),
            ("card_reader_device", "ACS ACR39U", true),
            ("card_reader_device", "/tmp/socket", false),
            ("card_reader_device", "../run/socket", false),
            ("card_reader_stripe_device", "usb:0c2e:0b61", true),
            ("card_reader_keys", "/dev/ttyUSB0", false),
            ("card_reader_service", "/tmp/pcscd.comm", false),
            ("printer_address", "192.168.1.50:9100", true),
            ("scanner", "evdev", true),
        ] {
            let told = may_be_set_from_page(option, &Value::from(value));
            assert_eq!(told.is_ok(), may, "{option} = {value}: {told:?}");
        }
        assert_eq!(may_be_set_from_page("scanner_baud", &Value::from(9_600)), Ok(()));
    }
}
