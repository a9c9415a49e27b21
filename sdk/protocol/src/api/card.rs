//! A card as a terminal presents it: encrypted where it was read, and opened by nobody before the acquirer's message is written.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// How the terminal came by the card's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CardEntry {
    Swiped,
    /// The stripe, because the chip did not work.
    Fallback,
    Chip,
    Contactless,
    ContactlessStripe,
    Keyed,
}

impl CardEntry {
    pub const ALL: [Self; 6] =
        [Self::Swiped, Self::Fallback, Self::Chip, Self::Contactless, Self::ContactlessStripe, Self::Keyed];

    /// The stable text, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Swiped => "swiped",
            Self::Fallback => "fallback",
            Self::Chip => "chip",
            Self::Contactless => "contactless",
            Self::ContactlessStripe => "contactless_stripe",
            Self::Keyed => "keyed",
        }
    }
}

impl<'de> Deserialize<'de> for CardEntry {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        let text = text(given)?;
        let known = Self::ALL.into_iter().find(|entry| entry.text() == text);
        known.ok_or_else(|| {
            D::Error::custom("a card's entry is swiped, fallback, chip, contactless, contactless_stripe or keyed")
        })
    }
}

/// What a field holds, refused in fixed words: whoever mixes up fields sends a number in the clear, and an error that quotes it
/// carries it into logs.
fn text<'de, D: Deserializer<'de>>(given: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(given) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(D::Error::custom("a card's fields are texts")),
    }
}

fn text_if_any<'de, D: Deserializer<'de>>(given: D) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(given) {
        Ok(serde_json::Value::String(text)) => Ok(Some(text)),
        Ok(serde_json::Value::Null) => Ok(None),
        _ => Err(D::Error::custom("a card's fields are texts")),
    }
}

fn number_if_any<'de, D: Deserializer<'de>>(given: D) -> Result<Option<u8>, D::Error> {
    let number = match serde_json::Value::deserialize(given) {
        Ok(serde_json::Value::Null) => return Ok(None),
        Ok(value) => value.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|number| *number < 100),
        Err(_) => None,
    };
    number.map(Some).ok_or_else(|| D::Error::custom("a card's sequence number is 0 to 99"))
}

/// What the terminal read. Keys are TDES DUKPT (ANSI X9.24-1) of the base keys that the channel account holds; all bytes are
/// written in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PresentedCard {
    pub entry: CardEntry,
    /// The serial number of the key that number and track are encrypted under: 10 bytes.
    #[serde(deserialize_with = "text")]
    pub ksn: String,
    /// `number=YYMM` and zeros to the next 8 bytes, encrypted in CBC mode with a vector of zeros under that serial number's key for
    /// data: 24 bytes at most.
    #[serde(deserialize_with = "text")]
    pub number: String,
    /// The card's sequence number, 0 to 99 (EMV tag 5F34).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub sequence_number: Option<u8>,
    /// Track 2 without sentinels, its separator a `=`, encrypted likewise: 40 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_if_any")]
    pub track_2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PresentedPin>,
    /// The chip's data for the acquirer (field 55) in BER-TLV, 512 bytes at most, without number, track and name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_if_any")]
    pub emv: Option<String>,
}

/// What may be shown of a card's number, and kept (PCI DSS 3.4.1): not unique, yet enough to know a card again on one till.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardDigits {
    /// The number's first six digits.
    pub first_6: String,
    /// Its last four.
    pub last_4: String,
}

impl CardDigits {
    /// Of digits in this form alone.
    #[must_use]
    pub fn new(first_6: &str, last_4: &str) -> Option<Self> {
        let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(first_6, 6) && digits(last_4, 4))
            .then(|| Self { first_6: first_6.to_owned(), last_4: last_4.to_owned() })
    }

    /// Of a number whose middle is masked with stars, as slips and hosts write it: `622848*********0018`.
    #[must_use]
    pub fn of_masked(masked: &str) -> Option<Self> {
        let (first, rest) = masked.split_once('*')?;
        Self::new(first, rest.trim_start_matches('*'))
    }
}

/// A PIN block of ISO 9564-1 format 0.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PresentedPin {
    /// The serial number of its key: 10 bytes.
    #[serde(deserialize_with = "text")]
    pub ksn: String,
    /// 8 bytes, under that serial number's key for PINs.
    #[serde(deserialize_with = "text")]
    pub block: String,
}

/// Without the card.
impl fmt::Debug for PresentedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedCard").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// Without the PIN.
impl fmt::Debug for PresentedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedPin").finish_non_exhaustive()
    }
}
