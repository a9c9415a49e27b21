//! What can be set of the devices.

use serde::{Deserialize, Serialize};

use super::{ConfigError, range};
use crate::peripherals::printer::escpos::{Encoding, QrBy};

/// Which driver serves which device; see `peripherals/registry.rs` for the drivers there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeripheralsConfig {
    pub printer: String,
    pub printer_address: String,
    pub printer_device: String,
    pub printer_baud: u32,
    pub printer_width_dots: u32,
    pub printer_encoding: Encoding,
    pub printer_qr: QrBy,
    pub scanner: String,
    pub scanner_device: String,
    pub scanner_baud: u32,
    pub display: String,
    pub display_device: String,
    pub display_baud: u32,
    pub drawer: String,
    pub scale: String,
    pub scale_device: String,
    pub scale_baud: u32,
    pub scale_parity: Parity,
    pub speaker: String,
    pub speaker_device: String,
    pub speaker_language: SpeakerLanguage,
    pub speaker_volume: u8,
    pub speaker_voice_zh: String,
    pub speaker_voice_en: String,
    pub card_reader: String,
    pub card_reader_device: String,
    pub card_reader_service: String,
    pub card_reader_stripe: String,
    pub card_reader_stripe_device: String,
    pub card_reader_stripe_baud: u32,
    pub card_reader_pad: String,
    pub card_reader_pad_device: String,
    pub card_reader_keys: String,
    pub card_reader_country: u16,
}

/// What amounts are said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerLanguage {
    Zh,
    En,
    /// One after the other.
    Both,
}

/// The eighth bit of each character on a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// Seven bits and even parity.
    Even,
    /// Eight bits without.
    None,
}

impl Default for PeripheralsConfig {
    fn default() -> Self {
        Self {
            printer: "simulated".to_owned(),
            printer_address: "192.168.1.100:9100".to_owned(),
            printer_device: "/dev/ttyUSB0".to_owned(),
            printer_baud: 115_200,
            printer_width_dots: 384,
            printer_encoding: Encoding::Gb18030,
            printer_qr: QrBy::Printer,
            scanner: "none".to_owned(),
            scanner_device: "/dev/ttyACM0".to_owned(),
            scanner_baud: 9_600,
            display: "page".to_owned(),
            display_device: "/dev/ttyS0".to_owned(),
            display_baud: 9_600,
            drawer: "printer".to_owned(),
            scale: "none".to_owned(),
            scale_device: "/dev/ttyUSB1".to_owned(),
            scale_baud: 9_600,
            scale_parity: Parity::Even,
            speaker: "none".to_owned(),
            speaker_device: String::new(),
            speaker_language: SpeakerLanguage::Zh,
            speaker_volume: 80,
            speaker_voice_zh: "cmn-latn-pinyin".to_owned(),
            speaker_voice_en: "en".to_owned(),
            card_reader: "none".to_owned(),
            card_reader_device: String::new(),
            card_reader_service: "/run/pcscd/pcscd.comm".to_owned(),
            card_reader_stripe: "none".to_owned(),
            card_reader_stripe_device: "/dev/ttyACM1".to_owned(),
            card_reader_stripe_baud: 9_600,
            card_reader_pad: "none".to_owned(),
            card_reader_pad_device: String::new(),
            card_reader_keys: String::new(),
            card_reader_country: 156,
        }
    }
}

impl PeripheralsConfig {
    /// # Errors
    /// `Invalid`, for the first value outside its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        range("peripherals.printer_width_dots", i64::from(self.printer_width_dots), 200..=1_000)?;
        range("peripherals.speaker_volume", i64::from(self.speaker_volume), 0..=100)?;
        range("peripherals.card_reader_country", i64::from(self.card_reader_country), 1..=999)?;
        for (name, voice) in [
            ("peripherals.speaker_voice_zh", &self.speaker_voice_zh),
            ("peripherals.speaker_voice_en", &self.speaker_voice_en),
        ] {
            let stands_in_voice = |letter: char| letter.is_ascii_alphanumeric() || "+-_/".contains(letter);
            // A voice is a file's name below the engine's own folder, and no option.
            if voice.is_empty() || voice.starts_with(['-', '/']) || !voice.chars().all(stands_in_voice) {
                let why = "it must be a voice that `espeak-ng --voices` lists".to_owned();
                return Err(ConfigError::Invalid { name, why });
            }
        }
        Ok(())
    }
}
