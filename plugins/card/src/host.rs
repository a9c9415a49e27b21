//! What this channel needs of the host, in one place, so that its rules are tried natively with a store and a wire of the tests'.

use std::time::Duration;

use saoma_channel_sdk::{
    Error,
    bindings::saoma::channel::keys::{self, KeyUse},
    clock, kv, log,
    tcp::{Answer, CardValue, Digits, LengthHeader, MacAlgorithm, Message, PinBlock, PinFormat},
};

use crate::{
    desk::{CERTIFICATES, MASTER_KEY},
    messages::{
        Settings,
        codec::{Encoded, MAC_BEGINS_AT, Part},
        settings::{self, Length, Mac},
    },
};

/// The slots of the working keys under which a message goes out.
pub struct Slots {
    pub pin: String,
    pub mac: String,
}

pub trait Host {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error>;
    fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error>;
    fn delete(&self, key: &str) -> Result<(), kv::Error>;
    fn next(&self, key: &str) -> Result<u64, kv::Error>;
    /// Opens a working key under the terminal's master key.
    fn load(&self, slot: &str, usage: KeyUse, sealed: &[u8], check_value: &[u8]) -> Result<(), keys::Error>;
    /// As [`Message::exchange`]. Without slots there is no MAC.
    fn exchange(
        &self,
        settings: &Settings,
        message: &Encoded,
        slots: Option<&Slots>,
        timeout_ms: u32,
    ) -> Result<Option<Answer>, Error>;
    /// Milliseconds since 1970.
    fn now(&self) -> i64;
    /// Does nothing for so long.
    fn wait(&self, ms: u32);
    fn log(&self, level: log::Level, text: &str);
}

/// The host that runs the component.
pub struct Wasm;

impl Host for Wasm {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
        kv::get(key)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), kv::Error> {
        kv::set(key, value)
    }

    fn delete(&self, key: &str) -> Result<(), kv::Error> {
        kv::delete(key)
    }

    fn next(&self, key: &str) -> Result<u64, kv::Error> {
        kv::next(key)
    }

    fn load(&self, slot: &str, usage: KeyUse, sealed: &[u8], check_value: &[u8]) -> Result<(), keys::Error> {
        keys::load(slot, usage, MASTER_KEY, sealed, check_value)
    }

    fn exchange(
        &self,
        settings: &Settings,
        message: &Encoded,
        slots: Option<&Slots>,
        timeout_ms: u32,
    ) -> Result<Option<Answer>, Error> {
        let bytes = message.bytes.clone();
        let length_header = match settings.length_header {
            Length::Binary => LengthHeader::Binary,
            Length::BinaryWithItself => LengthHeader::BinaryWithItself,
            Length::Decimal => LengthHeader::Decimal,
            Length::DecimalWithItself => LengthHeader::DecimalWithItself,
        };
        let mut out = Message::new(settings.address.as_str(), length_header, bytes, timeout_ms);
        if settings.private_authority {
            out = out.server_certificates(CERTIFICATES);
        }
        if let Some(slots) = slots {
            let algorithm = match settings.mac {
                Mac::UnionpayEcb => MacAlgorithm::UnionpayEcb,
                Mac::Retail => MacAlgorithm::Retail,
                Mac::AesCmac => MacAlgorithm::AesCmac,
            };
            out = out.mac(&slots.mac, algorithm, length(MAC_BEGINS_AT));
            let format = match settings.pin_format {
                settings::PinFormat::Iso0 => PinFormat::Iso0,
                settings::PinFormat::Iso4 => PinFormat::Iso4,
            };
            for (at, part) in &message.card {
                let value = match part {
                    Part::Number => CardValue::Number(Digits::Packed),
                    Part::Expiry => CardValue::Expiry(Digits::Packed),
                    Part::Track2 => CardValue::Track2(Digits::Packed),
                    Part::PinBlock => CardValue::PinBlock(PinBlock { key: slots.pin.clone(), format }),
                };
                out = out.card(length(*at), value);
            }
        }
        out.exchange()
    }

    fn now(&self) -> i64 {
        clock::now()
    }

    fn wait(&self, ms: u32) {
        std::thread::sleep(Duration::from_millis(u64::from(ms)));
    }

    fn log(&self, level: log::Level, text: &str) {
        log::write(level, text);
    }
}

/// Messages are far shorter than that.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
