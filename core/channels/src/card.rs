//! Cards: as terminals encrypt them, and as the host opens them for the length of one call. No plugin sees what is opened.
//!
//! What a terminal encrypted is opened with the account's base keys (TDES DUKPT). [`Card`] is what comes in with a sale;
//! [`KeptCard`] is the part that may be stored after it (PCI DSS 3.2.1: number and expiry, encrypted, and never track or PIN).

pub(crate) mod cipher;
pub(crate) mod dukpt;
mod emv;
pub(crate) mod mac;
pub(crate) mod pin;
mod presented;
pub(crate) mod traces;

use std::fmt;

pub use saoma_protocol::api::CardEntry;
use zeroize::Zeroizing;

pub use self::presented::CardError;

use self::{
    dukpt::{Purpose, SERIAL_LEN, transaction_key},
    pin::Pin,
};
use crate::{
    failure::Failure,
    manifest::{Manifest, SecretKind},
    secret::{Secrets, key::Key},
};

/// A card as it was presented. Printing shows how, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    pub kept: KeptCard,
    /// Track 2 without sentinels, its separator a `=`, encrypted under the same key as the number.
    pub track_2: Option<Vec<u8>>,
    pub pin: Option<EncryptedPin>,
    /// BER-TLV for the acquirer (field 55), at most 512 bytes; without number, track or name.
    pub emv: Vec<u8>,
}

/// What core may keep of a card, for reversals and refunds.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptCard {
    pub entry: CardEntry,
    /// 0 to 99 (EMV tag 5F34).
    pub sequence_number: Option<u8>,
    /// The DUKPT serial number of the key.
    pub ksn: [u8; SERIAL_LEN],
    /// `number=YYMM`, zeros behind it, by TDES in CBC mode under the serial number's data key.
    pub number: Vec<u8>,
}

/// A PIN block of ISO 9564-1 format 0 under the PIN key of a DUKPT serial number.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedPin {
    pub ksn: [u8; SERIAL_LEN],
    pub block: [u8; 8],
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a card, {:?}", self.kept.entry)
    }
}

impl fmt::Debug for KeptCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a card, {:?}", self.entry)
    }
}

impl fmt::Debug for EncryptedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a PIN block")
    }
}

/// Why a card cannot be charged. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CardFault {
    #[error("the account holds no secret of kind {0}, which opens what terminals encrypt")]
    NoKey(&'static str),
    #[error("the terminal encrypted {0} under a serial number that terminals do not use")]
    Serial(&'static str),
    #[error("{0} does not open under the account's {1}: the terminal holds a key of another base key")]
    Sealed(&'static str, &'static str),
    #[error("track 2 is of another card than the number")]
    OtherTrack,
    #[error("the chip's data {0}")]
    Emv(&'static str),
}

impl From<CardFault> for Failure {
    fn from(fault: CardFault) -> Self {
        let why = fault.to_string();
        match fault {
            CardFault::NoKey(_) => Self::Misconfigured { why },
            CardFault::Serial(_) | CardFault::Sealed(..) | CardFault::OtherTrack | CardFault::Emv(_) => {
                Self::CardUnreadable { why }
            }
        }
    }
}

const DATA_KEY: &str = "terminal-data-key";
const PIN_KEY: &str = "terminal-pin-key";

/// A card in the clear, wiped when the call ends.
pub(crate) struct OpenCard {
    pub(crate) entry: CardEntry,
    pub(crate) sequence_number: Option<u8>,
    /// 13 to 19 digits with a right check digit.
    pub(crate) number: Zeroizing<String>,
    /// Year and month, four digits.
    pub(crate) expiry: Zeroizing<String>,
    /// At most 37 characters, the separator a `=`.
    pub(crate) track_2: Option<Zeroizing<String>>,
    pub(crate) pin: Option<Pin>,
    pub(crate) emv: Vec<u8>,
}

impl OpenCard {
    /// # Errors
    /// In order: no key, a serial number, what does not open, what does not belong together, the chip's data.
    pub(crate) fn of(card: &Card, manifest: &Manifest, secrets: &Secrets) -> Result<Self, CardFault> {
        let mut open = Self::of_kept(&card.kept, manifest, secrets)?;
        if let Some(sealed) = &card.track_2 {
            let track = opened(sealed, "track 2", card.kept.ksn, manifest, secrets)?;
            let (number, rest) = track.split_once('=').unwrap_or_default();
            if track.len() > 37 || rest.len() < 7 || !is_digits(rest) {
                return Err(CardFault::Sealed("track 2", DATA_KEY));
            }
            if number != open.number.as_str() {
                return Err(CardFault::OtherTrack);
            }
            open.track_2 = Some(track);
        }
        if let Some(EncryptedPin { ksn, block }) = &card.pin {
            let base = base_key(manifest, secrets, SecretKind::TerminalPinKey).ok_or(CardFault::NoKey(PIN_KEY))?;
            let key = transaction_key(&base, *ksn, Purpose::Pin).ok_or(CardFault::Serial("the PIN"))?;
            let mut block = Zeroizing::new(*block);
            key.schedule().decrypt(block.as_mut_slice());
            let pin = Pin::of_format_0(&block, &open.number).ok_or(CardFault::Sealed("the PIN block", PIN_KEY))?;
            open.pin = Some(pin);
        }
        emv::check(&card.emv, &open.number)?;
        open.emv.clone_from(&card.emv);
        Ok(open)
    }

    /// # Errors
    /// No key, a serial number, a number that does not open.
    pub(crate) fn of_kept(card: &KeptCard, manifest: &Manifest, secrets: &Secrets) -> Result<Self, CardFault> {
        let text = opened(&card.number, "the number", card.ksn, manifest, secrets)?;
        let (number, expiry) = text.split_once('=').unwrap_or_default();
        if !is_card_number(number) || expiry.len() != 4 || !is_digits(expiry) {
            return Err(CardFault::Sealed("the number", DATA_KEY));
        }
        Ok(Self {
            entry: card.entry,
            sequence_number: card.sequence_number,
            number: Zeroizing::new(number.to_owned()),
            expiry: Zeroizing::new(expiry.to_owned()),
            track_2: None,
            pin: None,
            emv: Vec::new(),
        })
    }

    /// The first 6 digits, the last 4, and `*` between them.
    pub(crate) fn masked(&self) -> String {
        let hidden = 6..self.number.len().saturating_sub(4);
        self.number.chars().enumerate().map(|(idx, c)| if hidden.contains(&idx) { '*' } else { c }).collect()
    }

    pub(crate) fn service_code(&self) -> &str {
        let after = self.track_2.as_ref().and_then(|track| track.split_once('=')).map(|(_, after)| after);
        after.and_then(|after| after.get(4..7)).unwrap_or_default()
    }
}

/// The text of something that a terminal encrypted under its data key.
fn opened(
    sealed: &[u8],
    what: &'static str,
    ksn: [u8; SERIAL_LEN],
    manifest: &Manifest,
    secrets: &Secrets,
) -> Result<Zeroizing<String>, CardFault> {
    let base = base_key(manifest, secrets, SecretKind::TerminalDataKey).ok_or(CardFault::NoKey(DATA_KEY))?;
    let key = transaction_key(&base, ksn, Purpose::Data).ok_or(CardFault::Serial(what))?;
    let plain = key.schedule().decrypt_cbc(sealed).ok_or(CardFault::Sealed(what, DATA_KEY))?;
    let text = std::str::from_utf8(&plain).map_err(|_| CardFault::Sealed(what, DATA_KEY))?;
    Ok(Zeroizing::new(text.trim_end_matches('\0').to_owned()))
}

fn base_key(manifest: &Manifest, secrets: &Secrets, kind: SecretKind) -> Option<Zeroizing<[u8; 16]>> {
    let spec = manifest.secrets.iter().find(|spec| spec.kind == kind)?;
    match &*secrets.key(&spec.name, kind)?.ok()? {
        Key::TerminalBase(key) => Some(key.clone()),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// 13 to 19 digits (ISO/IEC 7812-1, annex B: the last makes the sum right).
fn is_card_number(text: &str) -> bool {
    let sum: u32 = text
        .bytes()
        .rev()
        .enumerate()
        .map(|(idx, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            let weighed = if idx % 2 == 1 { digit * 2 } else { digit };
            weighed / 10 + weighed % 10
        })
        .sum();
    (13..=19).contains(&text.len()) && is_digits(text) && sum.is_multiple_of(10)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{bindings::types as wit, manifest};

    pub(crate) const BASE: &str = "0123456789ABCDEFFEDCBA9876543210";
    const KSN: &str = "FFFF9876543210E00002";
    /// By `pycryptodome`, under the data key that the Python package `dukpt` derives: `4012345678909=2512` and
    /// `4012345678909=25122010000012345`. PIN 1234 is the standard's own example.
    const NUMBER: &str = "a2b4e70f846e63d666a501869e442dbc351b59e427d9d44d";
    const TRACK_2: &str = "a2b4e70f846e63d666a501869e442dbc0980ec6aebbdb20af3b694708f6f85f1";
    const PIN: &str = "10A01C8D02C69107";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hex")
    }

    pub(crate) fn ksn(text: &str) -> [u8; SERIAL_LEN] {
        bytes(text).try_into().expect("10 bytes")
    }

    /// Number 4012345678909, expiry 2512, PIN 1234.
    pub(crate) fn card() -> Card {
        Card {
            kept: KeptCard { entry: CardEntry::Chip, sequence_number: Some(1), ksn: ksn(KSN), number: bytes(NUMBER) },
            track_2: Some(bytes(TRACK_2)),
            pin: Some(EncryptedPin { ksn: ksn(KSN), block: bytes(PIN).try_into().expect("8 bytes") }),
            emv: bytes("9F2608A1B2C3D4E5F60718820219809F360200A7"),
        }
    }

    /// A channel of cards.
    pub(crate) fn manifest() -> Manifest {
        let spec = |name: &str, kind| wit::SecretSpec { name: name.to_owned(), kind, description: String::new() };
        let mut manifest = manifest::tests::good();
        manifest.secrets = vec![
            spec("data-base", wit::SecretKind::TerminalDataKey),
            spec("pin-base", wit::SecretKind::TerminalPinKey),
            spec("master", wit::SecretKind::KeyEncryptionKey),
            spec("master-aes", wit::SecretKind::KeyEncryptionKey),
        ];
        manifest.capabilities.push(wit::Capability::Card);
        Manifest::check(manifest).expect("sound")
    }

    pub(crate) fn secrets() -> Secrets {
        Secrets::none().with("data-base", BASE).with("pin-base", BASE)
    }

    #[test]
    fn a_card_opens_and_shows_nothing_of_itself() {
        let open = OpenCard::of(&card(), &manifest(), &secrets()).expect("opens");
        assert_eq!((open.number.as_str(), open.expiry.as_str()), ("4012345678909", "2512"));
        assert_eq!(open.track_2.as_ref().map(|track| track.as_str()), Some("4012345678909=25122010000012345"));
        assert_eq!((open.masked().as_str(), open.service_code()), ("401234***8909", "201"));
        let again = open.pin.as_ref().and_then(|pin| pin.to_format_0(&open.number)).expect("a PIN");
        assert_eq!(hex::encode_upper(*again), "041274EDCBA9876F");
        assert_eq!(format!("{:?} {:?}", card(), card().pin), "a card, Chip Some(a PIN block)");
        let kept = OpenCard::of_kept(&card().kept, &manifest(), &secrets()).expect("opens");
        assert!(kept.track_2.is_none() && kept.pin.is_none() && kept.emv.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused_and_not_quoted() {
        type Spoil = fn(&mut Card);
        let rows: &[(Spoil, &str)] = &[
            (|card| card.kept.ksn = ksn("FFFF9876543210E00000"), "serial number"),
            (|card| card.kept.ksn = ksn("FFFF9876543210E00003"), "the number does not open"),
            (|card| card.kept.number.truncate(16), "the number does not open"),
            (|card| card.kept.number.truncate(23), "the number does not open"),
            (|card| card.kept.number.clear(), "the number does not open"),
            (|card| card.track_2 = Some(card.kept.number.clone()), "track 2 does not open"),
            (|card| card.track_2 = Some(vec![0; 8]), "track 2 does not open"),
            (|card| card.pin = Some(EncryptedPin { ksn: ksn(KSN), block: [7; 8] }), "the PIN block does not open"),
            (|card| card.emv = bytes("9F26"), "cannot be read"),
            (|card| card.emv = bytes("57114012345678909D25122010000012345F"), "holds the card's number"),
            // In a field of another name.
            (|card| card.emv = bytes("9F7C074012345678909F"), "holds the card's number"),
        ];
        for (idx, (spoil, why)) in rows.iter().enumerate() {
            let mut card = card();
            spoil(&mut card);
            let fault = OpenCard::of(&card, &manifest(), &secrets()).map(drop).expect_err("refused").to_string();
            assert!(fault.contains(why) && !fault.contains("4012345"), "row {idx}: {fault}");
        }
        let without = OpenCard::of(&card(), &manifest(), &Secrets::none()).map(drop);
        assert_eq!(without, Err(CardFault::NoKey("terminal-data-key")));
        let other = secrets().with("data-base", "1".repeat(32));
        assert!(matches!(OpenCard::of(&card(), &manifest(), &other).map(drop), Err(CardFault::Sealed(..))));
    }

    #[test]
    fn numbers_have_a_check_digit() {
        for (number, is) in [
            ("4111111111111111", true),
            ("6228480402564890018", true),
            ("4111111111111112", false),
            ("411111111111", false),
            ("41111111111111x1", false),
            ("", false),
        ] {
            assert_eq!(is_card_number(number), is, "{number}");
        }
    }
}
