//! What can be set, by a TOML file and by the environment, each option with its default and its reason.
//!
//! Order: defaults, then the file, then `SAOMA_EDGE_<SECTION>__<OPTION>` (for example `SAOMA_EDGE_TILL__LISTEN`). A name that
//! does not exist is refused: a misspelt limit must not silently be no limit.

pub mod edit;
mod paired;
mod peripherals;
pub mod source;
mod update;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use paired::PairedConfig;
pub use peripherals::{Parity, PeripheralsConfig, SpeakerLanguage};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::label::Labels;

pub use update::UpdateConfig;

/// Prefix of every environment variable that sets an option.
pub const ENVIRONMENT_PREFIX: &str = "SAOMA_EDGE_";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub till: TillConfig,
    pub paired: PairedConfig,
    pub link: LinkConfig,
    pub journal: JournalConfig,
    pub peripherals: PeripheralsConfig,
    pub telemetry: TelemetryConfig,
    pub update: UpdateConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TillConfig {
    pub listen: SocketAddr,
    pub cashier: String,
    pub code_expires_in_seconds: u32,
    pub card_wait_seconds: u32,
    pub utc_offset_minutes: i32,
    pub shift_required: ShiftRequired,
    pub scale_labels: Labels,
}

/// When a cashier must have signed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum ShiftRequired {
    /// Before anything is sold or given back.
    Always,
    /// Before cash moves, once a shift was ever opened on this till: cash between shifts is in nobody's count.
    OnceUsed,
    Never,
}

impl TryFrom<Value> for ShiftRequired {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        // The environment has texts alone.
        match value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str() {
            "true" => Ok(Self::Always),
            "once used" => Ok(Self::OnceUsed),
            "false" => Ok(Self::Never),
            other => Err(format!("shift_required must be true, false or \"once used\", not {other}")),
        }
    }
}

impl From<ShiftRequired> for Value {
    fn from(required: ShiftRequired) -> Self {
        match required {
            ShiftRequired::Always => Self::Boolean(true),
            ShiftRequired::OnceUsed => Self::String("once used".to_owned()),
            ShiftRequired::Never => Self::Boolean(false),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    pub answer_timeout_ms: u64,
    pub poll_ms: u64,
    pub keep_alive_seconds: u64,
    pub reconnect_ms_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    pub free_bytes_min: u64,
    pub pages_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    pub log: String,
    pub otlp_endpoint: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/saoma-edge"),
            till: TillConfig::default(),
            paired: PairedConfig::default(),
            link: LinkConfig::default(),
            journal: JournalConfig::default(),
            peripherals: PeripheralsConfig::default(),
            telemetry: TelemetryConfig::default(),
            update: UpdateConfig::default(),
        }
    }
}

impl Default for TillConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7800)),
            cashier: "1".to_owned(),
            code_expires_in_seconds: 120,
            card_wait_seconds: 180,
            utc_offset_minutes: 480,
            shift_required: ShiftRequired::OnceUsed,
            scale_labels: Labels::default(),
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { answer_timeout_ms: 15_000, poll_ms: 2_000, keep_alive_seconds: 20, reconnect_ms_max: 30_000 }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { free_bytes_min: 16 * 1024 * 1024, pages_max: 0 }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: "info".to_owned(), otlp_endpoint: String::new() }
    }
}

/// One option as `config --explain` shows it. A test holds that each option has its row.
pub struct Explained {
    /// `section.option`.
    pub name: &'static str,
    pub what: &'static str,
}

/// Every option, in the order of the structs above; some sections have a room of their own.
pub const EXPLAINED: &[Explained] = &[
    Explained {
        name: "data_dir",
        what: "Where the journal, the terminal's key and its certificates live. Readable by the agent's user alone.",
    },
    Explained {
        name: "till.listen",
        what: "Address of the till's pages and local API. Must be a loopback address: whoever reaches it can sell.",
    },
    Explained { name: "till.cashier", what: "Cashier named on sales whose page names none; 1 to 128 characters." },
    Explained {
        name: "till.code_expires_in_seconds",
        what: "How long a code on the customer display lives, 5 to 3600 seconds.",
    },
    Explained {
        name: "till.card_wait_seconds",
        what: "How long a sale waits for a card, with the PIN and all, before it ends by itself, 30 to 600 seconds.",
    },
    Explained {
        name: "till.utc_offset_minutes",
        what: "Offset of the times on receipts from UTC, in minutes; 480 is China. -840 to 840.",
    },
    Explained {
        name: "till.shift_required",
        what: "Whether a cashier must sign on (open a shift): true, before anything is sold or given back; false, never; \
               \"once used\", before cash moves, from the first shift of this till on.",
    },
    Explained {
        name: "till.scale_labels",
        what: "Layouts of the labels that the shop's scales print (EAN-13), with spaces between: digits as they stand, i for the \
               goods' number (their barcode in the catalogue), w for grams, p for the price in minor units, x for what says nothing, \
               c for the check digit. For example 21iiiiipppppc 22iiiiiwwwwwc. Empty: there are none.",
    },
    Explained {
        name: "link.answer_timeout_ms",
        what: "How long one request to core may take before the till asks again with the same number; 1000 to 120000.",
    },
    Explained {
        name: "link.poll_ms",
        what: "How often a waiting sale is asked about over HTTPS while MQTT is down; 500 to 60000.",
    },
    Explained {
        name: "link.keep_alive_seconds",
        what: "How often MQTT makes sure that the broker is there; 5 to 600. A dead line is noticed within twice that.",
    },
    Explained {
        name: "link.reconnect_ms_max",
        what: "Longest pause between two attempts to reach the broker, before jitter; 1000 to 600000.",
    },
    Explained {
        name: "journal.free_bytes_min",
        what: "Sales stop when the disk has less than this many bytes free, so that refunds and results still fit.",
    },
    Explained {
        name: "journal.pages_max",
        what: "Largest journal in SQLite pages of 4096 bytes; 0 is as large as the disk. For small flash partitions.",
    },
    Explained {
        name: "peripherals.printer",
        what: "Receipt printer: simulated (draws receipts for the page), escpos-tcp, escpos-serial, escpos-file, none.",
    },
    Explained {
        name: "peripherals.printer_address",
        what: "host:port of an escpos-tcp printer; the port is usually 9100.",
    },
    Explained { name: "peripherals.printer_device", what: "Device of an escpos-serial or escpos-file printer." },
    Explained { name: "peripherals.printer_baud", what: "Speed of an escpos-serial printer, in baud." },
    Explained {
        name: "peripherals.printer_width_dots",
        what: "Printable dots across the paper: 384 for 58 mm rolls, 576 for 80 mm.",
    },
    Explained {
        name: "peripherals.printer_encoding",
        what: "How texts are sent: gb18030, which printers sold in China speak; utf8, for those that print garbage by it and have FS ( C.",
    },
    Explained {
        name: "peripherals.printer_qr",
        what: "Who draws QR codes: printer (fastest, sharpest); raster (the agent), for printers that leave them out.",
    },
    Explained {
        name: "peripherals.scanner",
        what: "Scanner: serial, evdev (one that types, taken for the till alone), simulated, none (one that types does so into \
               the page, as a hand can).",
    },
    Explained {
        name: "peripherals.scanner_device",
        what: "Device of a serial scanner; socket of a simulated one; of an evdev one /dev/input/by-id/…-event-kbd, \
               usb:0c2e:0b61 as lsusb lists it, or name:Honeywell, a part of its name.",
    },
    Explained { name: "peripherals.scanner_baud", what: "Speed of a serial scanner, in baud." },
    Explained {
        name: "peripherals.display",
        what: "Customer display beside the page /display (which always works): page, serial-vfd, simulated.",
    },
    Explained {
        name: "peripherals.display_device",
        what: "Device of a serial display; file with the lines of a simulated one.",
    },
    Explained { name: "peripherals.display_baud", what: "Speed of a serial display, in baud." },
    Explained { name: "peripherals.drawer", what: "Cash drawer: printer (wired to the receipt printer), none." },
    Explained {
        name: "peripherals.scale",
        what: "Scale: mt8217 (Mettler-Toledo's 8217 protocol, which most makers' scales can be set to), simulated, none.",
    },
    Explained {
        name: "peripherals.scale_device",
        what: "Device of a serial scale; file with the grams of a simulated one.",
    },
    Explained { name: "peripherals.scale_baud", what: "Speed of a serial scale, in baud." },
    Explained {
        name: "peripherals.scale_parity",
        what: "even: seven bits and even parity, as scales have it from the factory; none: eight bits without.",
    },
    Explained {
        name: "peripherals.speaker",
        what: "What says the amount received: espeak-ng (speech; Debian's packages espeak-ng and alsa-utils), tones (two \
               notes), simulated, none.",
    },
    Explained {
        name: "peripherals.speaker_device",
        what: "ALSA's name of the speaker, empty for the default one; file that a simulated one writes to.",
    },
    Explained { name: "peripherals.speaker_language", what: "What amounts are said in: zh, en, both." },
    Explained { name: "peripherals.speaker_volume", what: "How loud amounts are said, 0 to 100." },
    Explained {
        name: "peripherals.speaker_voice_zh",
        what: "espeak-ng's voice for Chinese. (Its voice cmn reads many characters as English words.)",
    },
    Explained { name: "peripherals.speaker_voice_en", what: "espeak-ng's voice for English." },
    Explained {
        name: "peripherals.card_reader",
        what: "Card reader: pcsc (chips, by PC/SC Lite's service; Debian's package pcscd), stripe (stripes alone), simulated, none.",
    },
    Explained {
        name: "peripherals.card_reader_device",
        what: "A part of a pcsc reader's name, empty for the first one; socket of a simulated one.",
    },
    Explained { name: "peripherals.card_reader_service", what: "Socket of PC/SC Lite's service." },
    Explained {
        name: "peripherals.card_reader_stripe",
        what: "What reads stripes: serial, evdev (one that types, taken for the agent alone), none.",
    },
    Explained { name: "peripherals.card_reader_stripe_device", what: "Its device, named as that of a scanner." },
    Explained { name: "peripherals.card_reader_stripe_baud", what: "Speed of a serial one, in baud." },
    Explained { name: "peripherals.card_reader_pad", what: "Pad for PINs: simulated, none." },
    Explained { name: "peripherals.card_reader_pad_device", what: "Socket of a simulated pad." },
    Explained {
        name: "peripherals.card_reader_keys",
        what: "File with this device's DUKPT keys (edge-agent/CARDS.md), for the agent's user alone; the agent writes it anew for each card.",
    },
    Explained {
        name: "peripherals.card_reader_country",
        what: "Where the terminal stands: ISO 3166-1 numeric, 156 is China.",
    },
    Explained {
        name: "telemetry.log",
        what: "What is logged, as JSON lines on standard error: error, warn, info, debug, or filters like saoma_edge=debug.",
    },
    Explained {
        name: "telemetry.otlp_endpoint",
        what: "Base address of an OpenTelemetry collector (OTLP over HTTP, for example http://127.0.0.1:4318). Empty: off.",
    },
];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("understand {path}: {why}")]
    Syntax { path: PathBuf, why: String },
    #[error("understand {name}={value:?}: {why}")]
    Environment { name: String, value: String, why: String },
    #[error("use the configuration: {0}; `saoma-edge config --explain` lists every option")]
    Unknown(String),
    #[error("use the option {name}: {why}")]
    Invalid { name: &'static str, why: String },
}

impl Config {
    /// Defaults, then `file` (if given), then `environment` (all variables; only those with our prefix are looked at).
    ///
    /// # Errors
    /// In that order, then `Unknown` for a name that does not exist and `Invalid` for a value outside its range.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?
            }
            None => String::new(),
        };
        Self::read(&text, file.unwrap_or(Path::new("")), environment, false)
    }

    /// As [`Self::load`], of the text that is in `file` or is to be.
    fn read(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        only_known: bool,
    ) -> Result<Self, ConfigError> {
        let mut table = text
            .parse::<Table>()
            .map_err(|error| ConfigError::Syntax { path: file.to_owned(), why: error.to_string() })?;
        let defaults = Table::try_from(Self::default()).map_err(|error| ConfigError::Unknown(error.to_string()))?;
        if only_known {
            update::forget_unknown(&mut table, &defaults);
        }
        for (name, value) in environment {
            if only_known && !update::is_known(&defaults, &name) {
                continue;
            }
            let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            set(&mut table, &defaults, &path.to_ascii_lowercase(), &value).map_err(|why| ConfigError::Environment {
                name,
                value,
                why,
            })?;
        }
        let config: Self =
            table.try_into().map_err(|error: toml::de::Error| ConfigError::Unknown(error.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        if !self.till.listen.ip().is_loopback() {
            let why = format!("{} is not a loopback address such as 127.0.0.1:7800", self.till.listen);
            return Err(ConfigError::Invalid { name: "till.listen", why });
        }
        let cashier_len = self.till.cashier.chars().count();
        if !(1..=saoma_protocol::api::TEXT_LEN_MAX).contains(&cashier_len) {
            let why = format!("it must have 1 to 128 characters, not {cashier_len}");
            return Err(ConfigError::Invalid { name: "till.cashier", why });
        }
        range("till.code_expires_in_seconds", i64::from(self.till.code_expires_in_seconds), 5..=3600)?;
        range("till.card_wait_seconds", i64::from(self.till.card_wait_seconds), 30..=600)?;
        range("till.utc_offset_minutes", i64::from(self.till.utc_offset_minutes), -840..=840)?;
        range("link.answer_timeout_ms", signed(self.link.answer_timeout_ms), 1_000..=120_000)?;
        range("link.poll_ms", signed(self.link.poll_ms), 500..=60_000)?;
        range("link.keep_alive_seconds", signed(self.link.keep_alive_seconds), 5..=600)?;
        range("link.reconnect_ms_max", signed(self.link.reconnect_ms_max), 1_000..=600_000)?;
        self.paired.place()?;
        self.update.check()?;
        self.peripherals.check()
    }

    /// Every option with its documentation, default and environment variable: a configuration file that changes nothing.
    #[must_use]
    pub fn explain() -> String {
        let defaults = Table::try_from(Self::default()).unwrap_or_default();
        let mut text =
            String::from("# Saoma edge agent: every option, with its default. Set it here or by the variable named.\n");
        let mut section = "";
        for Explained { name, what } in explained() {
            let (of, option) = name.split_once('.').unwrap_or(("", name));
            if of != section {
                text.push_str(&format!("\n[{of}]\n"));
                section = of;
            }
            let variable = name.replace('.', "__").to_ascii_uppercase();
            let value = default_of(&defaults, name).map(Value::to_string).unwrap_or_default();
            text.push_str(&format!("\n# {what}\n# {ENVIRONMENT_PREFIX}{variable}\n{option} = {value}\n"));
        }
        text
    }
}

fn explained() -> impl Iterator<Item = &'static Explained> {
    EXPLAINED.iter().chain(paired::EXPLAINED).chain(update::EXPLAINED)
}

fn range(name: &'static str, value: i64, allowed: std::ops::RangeInclusive<i64>) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let why = format!("it must be {} to {}, not {value}", allowed.start(), allowed.end());
    Err(ConfigError::Invalid { name, why })
}

fn default_of<'a>(defaults: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        Some((section, option)) => defaults.get(section)?.get(option),
        None => defaults.get(name),
    }
}

/// Sets `section__option` in `table`; the default's type says how `value` is read.
fn set(table: &mut Table, defaults: &Table, path: &str, value: &str) -> Result<(), String> {
    let name = path.replacen("__", ".", 1);
    let unknown = || format!("there is no option {name}");
    let parsed = match default_of(defaults, &name).ok_or_else(unknown)? {
        Value::Integer(_) => Value::Integer(value.parse().map_err(|_| "it must be a whole number".to_owned())?),
        Value::Boolean(_) => Value::Boolean(value.parse().map_err(|_| "it must be true or false".to_owned())?),
        Value::Table(_) => return Err(unknown()),
        _ => Value::String(value.to_owned()),
    };
    match name.split_once('.') {
        Some((section, option)) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let section_table = entry.as_table_mut().ok_or_else(|| format!("{section} must be a section"))?;
            section_table.insert(option.to_owned(), parsed);
        }
        None => {
            table.insert(name, parsed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, toml).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&path), environment)
    }

    #[test]
    fn every_option_is_explained_and_nothing_else_is() {
        let mut options = Vec::new();
        for (name, value) in &Table::try_from(Config::default()).unwrap() {
            match value {
                Value::Table(section) => options.extend(section.keys().map(|option| format!("{name}.{option}"))),
                _ => options.push(name.clone()),
            }
        }
        let mut explained: Vec<String> = explained().map(|row| row.name.to_owned()).collect();
        options.sort();
        explained.sort();
        assert_eq!(options, explained);
    }

    #[test]
    fn what_is_explained_is_a_file_that_changes_nothing() {
        assert_eq!(load(&Config::explain(), &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_comes_after_the_file() {
        let config = load(
            "[till]\nlisten = \"127.0.0.1:1\"\ncashier = \"Li\"\n",
            &[("SAOMA_EDGE_TILL__LISTEN", "127.0.0.1:2"), ("SAOMA_EDGE_DATA_DIR", "/tmp/x"), ("HOME", "/")],
        )
        .unwrap();
        assert_eq!((config.till.listen.port(), config.till.cashier.as_str()), (2, "Li"));
        assert_eq!(config.data_dir, PathBuf::from("/tmp/x"));
        assert_eq!(load("", &[("SAOMA_EDGE_LINK__POLL_MS", "700")]).unwrap().link.poll_ms, 700);
        let shift = |toml: &str, variable: &[(&str, &str)]| load(toml, variable).unwrap().till.shift_required;
        assert_eq!(shift("", &[]), ShiftRequired::OnceUsed);
        assert_eq!(shift("[till]\nshift_required = false", &[]), ShiftRequired::Never);
        assert_eq!(shift("[till]\nshift_required = \"once used\"", &[]), ShiftRequired::OnceUsed);
        for (text, required) in [("true", ShiftRequired::Always), ("false", ShiftRequired::Never)] {
            assert_eq!(shift("", &[("SAOMA_EDGE_TILL__SHIFT_REQUIRED", text)]), required);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, environment, why) in [
            ("[till]\nlisten = \"0.0.0.0:7800\"", vec![], "not a loopback"),
            ("[till]\nlisten = \"here\"", vec![], "socket address"),
            ("[til]\nlisten = \"127.0.0.1:1\"", vec![], "til"),
            ("[till]\nlissen = \"127.0.0.1:1\"", vec![], "lissen"),
            ("till = 3", vec![], "expected struct"),
            ("[paired]\nlisten = \"here\"", vec![], "192.168.1.20:7843"),
            ("[paired]\nlisten = \"0.0.0.0:7843\"", vec![], "say which one"),
            ("[paired]\nlisten = \"0.0.0.0:7843\"\nhost = \"till_1\"", vec![], "till-1.local"),
            ("[link]\npoll_ms = 1", vec![], "500 to 60000, not 1"),
            ("[link]\npoll_ms = -1", vec![], "-1"),
            ("[till]\ncashier = \"\"", vec![], "1 to 128"),
            ("[till]\nshift_required = \"no\"", vec![], "true, false or"),
            ("[peripherals]\nscale_parity = \"odd\"", vec![], "odd"),
            ("[peripherals]\nspeaker_volume = 101", vec![], "0 to 100, not 101"),
            ("[peripherals]\nspeaker_voice_en = \"-w/tmp/x\"", vec![], "espeak-ng --voices"),
            ("[peripherals]\nspeaker_voice_zh = \"../x\"", vec![], "espeak-ng --voices"),
            ("= nonsense", vec![], "understand"),
            ("", vec![("SAOMA_EDGE_TIL__LISTEN", "x")], "no option til.listen"),
            ("", vec![("SAOMA_EDGE_TILL", "x")], "no option till"),
            ("", vec![("SAOMA_EDGE_LINK__POLL_MS", "soon")], "whole number"),
        ] {
            let error = load(toml, &environment).unwrap_err().to_string();
            assert!(error.contains(why), "{toml} {environment:?}: {error}");
        }
    }
}
