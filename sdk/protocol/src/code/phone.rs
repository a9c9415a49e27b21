//! A merchant's code that a terminal with no network makes, and that the customer's phone carries to core.
//!
//! The terminal signs a sale, the customer opens it as a link (`https://core/m/…`), core begins the payment of that number and no other, and the
//! page that the customer then has shows a confirmation that the terminal checks. Bytes of a code, integers big-endian: version (1), tenant and
//! terminal (16 each), the sale's counter (8), minor units (8), the currency's ISO 4217 number (2), when it was made in seconds since 1970 by
//! core's clock (4), how many seconds it is good (2), the certificate's serial number (20, zeros in front), and the signature (64): ECDSA on P-256
//! with SHA-256 over `saoma phone code 1` and all before it, r and s. Text: base64url without padding.
//!
//! A code is no secret: whoever copies it can pay the sale, once. A confirmation is the first 40 bits of HMAC-SHA-256 over
//! `saoma phone confirmation 1` and the signed bytes, under a key that core and this terminal alone have.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::{
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize, de};

use crate::{Amount, Currency, Millis, PaymentId, Sequence, TenantId, TerminalId};

/// Length of what is signed, without its domain, and of a code, in bytes.
pub const SALE_LEN: usize = 77;
pub const CODE_LEN: usize = SALE_LEN + 64;
/// How long a code may be good, in seconds: as long as a customer needs for a slow phone.
pub const LIVES_SECONDS_MAX: u16 = 900;
/// How far the clock of core and the time that the terminal took for it may be apart, in seconds.
pub const SKEW_SECONDS: i64 = 30;
/// From its end on core begins no payment by a code; what it began before ends so many seconds later by core's clock, whenever it began. What the
/// scheme confirms later than that is late truth, as of any code.
pub const GRACE_SECONDS: i64 = 60;
/// The path of the page behind core's address.
pub const PATH: &str = "/m/";
/// How a confirmation begins that is scanned; the sale's counter, a colon and the letters follow.
pub const CONFIRMATION_PREFIX: &str = "SPC1:";

const VERSION: u8 = 0x01;
const CODE_DOMAIN: &[u8] = b"saoma phone code 1";
const CONFIRMATION_DOMAIN: &[u8] = b"saoma phone confirmation 1";
const LETTERS: usize = 8;
/// Crockford's base 32: no I, L, O, U, so that letters can be read out.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A certificate's serial number, of 20 bytes at most (RFC 5280, 4.1.2.2), with zeros in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial([u8; 20]);

/// What a terminal asks a customer for: all that its signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneSale {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub counter: Sequence,
    pub amount: Amount,
    /// In seconds since 1970, by core's clock as the terminal knows it.
    pub made_at: u32,
    /// 1 to [`LIVES_SECONDS_MAX`].
    pub lives_seconds: u16,
    pub certificate: Serial,
}

/// A sale with the terminal's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneCode {
    pub sale: PhoneSale,
    pub signature: [u8; 64],
}

/// Why a text is no code, or not one any more. In the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneCodeError {
    #[error("the code is not base64url")]
    Text,
    #[error("the code has {len} bytes instead of {CODE_LEN}")]
    Length { len: usize },
    #[error("the code is of version {0:#04x}, which is not known here")]
    Version(u8),
    #[error("the code asks for nothing that can be paid")]
    Terms,
    #[error("the code is from the future")]
    Early,
    #[error("the code's time is over")]
    Over,
}

impl Serial {
    /// Of lower-case hex without leading zeros, as certificates are named; none if it is longer than a serial number may be.
    #[must_use]
    pub fn of_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(format!("{text:0>40}").as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    #[must_use]
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0).trim_start_matches('0').to_owned()
    }
}

impl PhoneSale {
    /// The number under which it is paid, and never twice.
    #[must_use]
    pub fn payment(&self) -> PaymentId {
        PaymentId::for_sale(self.tenant, self.terminal, self.counter)
    }

    #[must_use]
    pub fn made_at(&self) -> Millis {
        Millis(i64::from(self.made_at) * 1_000)
    }

    /// From then on core begins no payment by it.
    #[must_use]
    pub fn expires_at(&self) -> Millis {
        self.made_at().plus(i64::from(self.lives_seconds) * 1_000)
    }

    #[must_use]
    pub fn bytes(&self) -> [u8; SALE_LEN] {
        let mut out = [0; SALE_LEN];
        let parts: [&[u8]; 9] = [
            &[VERSION],
            self.tenant.as_bytes(),
            self.terminal.as_bytes(),
            &self.counter.0.to_be_bytes(),
            &self.amount.minor().to_be_bytes(),
            &self.amount.currency().numeric().to_be_bytes(),
            &self.made_at.to_be_bytes(),
            &self.lives_seconds.to_be_bytes(),
            &self.certificate.0,
        ];
        for (place, byte) in out.iter_mut().zip(parts.iter().copied().flatten()) {
            *place = *byte;
        }
        out
    }

    /// What the terminal signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        [CODE_DOMAIN, &self.bytes()].concat()
    }

    /// What whoever has `key` says once it is paid.
    #[must_use]
    pub fn confirmation(&self, key: &ConfirmKey) -> Confirmation {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.0);
        let tag = hmac::sign(&key, &[CONFIRMATION_DOMAIN, &self.bytes()].concat());
        let bits = tag.as_ref().iter().take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let mut letters = [0; LETTERS];
        for (place, letter) in letters.iter_mut().rev().enumerate() {
            let [.., five] = (bits >> (5 * place) & 31).to_be_bytes();
            *letter = ALPHABET[usize::from(five)];
        }
        Confirmation(letters)
    }

    fn read(bytes: &[u8; SALE_LEN]) -> Result<Self, PhoneCodeError> {
        let mut rest = Fields(bytes);
        let [version] = rest.take();
        if version != VERSION {
            return Err(PhoneCodeError::Version(version));
        }
        let (tenant, terminal) = (TenantId::from_bytes(rest.take()), TerminalId::from_bytes(rest.take()));
        let (counter, minor) = (Sequence(u64::from_be_bytes(rest.take())), i64::from_be_bytes(rest.take()));
        let numeric = u16::from_be_bytes(rest.take());
        let currency = Currency::all().find(|known| known.numeric() == numeric).ok_or(PhoneCodeError::Terms)?;
        let amount = Amount::new(minor, currency).map_err(|_| PhoneCodeError::Terms)?;
        let (made_at, lives_seconds) = (u32::from_be_bytes(rest.take()), u16::from_be_bytes(rest.take()));
        if !(1..=LIVES_SECONDS_MAX).contains(&lives_seconds) {
            return Err(PhoneCodeError::Terms);
        }
        let certificate = Serial(rest.take());
        Ok(Self { tenant, terminal, counter, amount, made_at, lives_seconds, certificate })
    }
}

impl PhoneCode {
    /// The code of [`Self::text`], and of no other text.
    ///
    /// # Errors
    /// In this order: `Text`, `Length`, `Version`, `Terms`.
    pub fn parse(text: &str) -> Result<Self, PhoneCodeError> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| PhoneCodeError::Text)?;
        let whole: &[u8; CODE_LEN] =
            bytes.as_slice().try_into().map_err(|_| PhoneCodeError::Length { len: bytes.len() })?;
        let mut rest = Fields(whole);
        Ok(Self { sale: PhoneSale::read(&rest.take())?, signature: rest.take() })
    }

    #[must_use]
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&[self.sale.bytes().as_slice(), &self.signature].concat())
    }

    /// As it stands in a QR code. `base`: core's public address, with no slash at its end.
    #[must_use]
    pub fn link(&self, base: &str) -> String {
        format!("{base}{PATH}{}", self.text())
    }

    /// Whether `public_key` (an uncompressed point of P-256, 65 bytes) signed it.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key);
        key.verify(&self.sale.signed_bytes(), &self.signature).is_ok()
    }

    /// Whether a payment may be begun by it at `at`, by core's clock.
    ///
    /// # Errors
    /// `Early`, `Over`.
    pub fn check_time(&self, at: Millis) -> Result<(), PhoneCodeError> {
        if self.sale.made_at().since(at) > SKEW_SECONDS * 1_000 {
            return Err(PhoneCodeError::Early);
        }
        if at >= self.sale.expires_at() { Err(PhoneCodeError::Over) } else { Ok(()) }
    }
}

/// By which core confirms to one terminal. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmKey([u8; 32]);

impl ConfirmKey {
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ConfirmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmKey(…)")
    }
}

/// As 64 lower-case hex digits.
impl Serialize for ConfirmKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for ConfirmKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| de::Error::custom("a key of confirmations is 64 lower-case hex digits"))
    }
}

/// Core's word that a sale is paid, in 8 letters. As good as a paid receipt for whoever has it before the sale is paid: it does not print.
#[derive(Clone, Copy)]
pub struct Confirmation([u8; LETTERS]);

/// A text that can be no confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a confirmation has {LETTERS} letters and digits")]
pub struct NotAConfirmation;

impl Confirmation {
    /// As people read it out.
    #[must_use]
    pub fn letters(&self) -> String {
        self.0.iter().copied().map(char::from).collect()
    }

    /// As it stands in a QR code. `counter`: the sale's.
    #[must_use]
    pub fn text(&self, counter: Sequence) -> String {
        format!("{CONFIRMATION_PREFIX}{counter}:{}", self.letters())
    }
}

/// As long as it differs later.
impl PartialEq for Confirmation {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl Eq for Confirmation {}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Confirmation(…)")
    }
}

/// However people write it: in small letters, in groups, with O for 0 and I or L for 1.
impl FromStr for Confirmation {
    type Err = NotAConfirmation;

    fn from_str(text: &str) -> Result<Self, NotAConfirmation> {
        let letters =
            text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).map(|byte| match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            });
        let letters: Vec<u8> = letters.take(LETTERS + 1).collect();
        let letters: [u8; LETTERS] = letters.try_into().map_err(|_| NotAConfirmation)?;
        if letters.iter().all(|letter| ALPHABET.contains(letter)) { Ok(Self(letters)) } else { Err(NotAConfirmation) }
    }
}

impl Serialize for Confirmation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.letters())
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Without the text: what was typed into the wrong field must not be repeated.
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether a scanned text is meant as a confirmation. A keyboard with Caps Lock on turns it around.
#[must_use]
pub fn is_confirmation(text: &str) -> bool {
    text.trim_start()
        .get(..CONFIRMATION_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(CONFIRMATION_PREFIX))
}

/// The counter and the confirmation in a scanned text.
///
/// # Errors
/// If it is none, or was not read whole.
pub fn read_confirmation(text: &str) -> Result<(Sequence, Confirmation), NotAConfirmation> {
    let rest = text.trim().get(CONFIRMATION_PREFIX.len()..).filter(|_| is_confirmation(text));
    let (counter, letters) = rest.and_then(|rest| rest.split_once(':')).ok_or(NotAConfirmation)?;
    let counter = counter.parse().map_err(|_| NotAConfirmation)?;
    Ok((Sequence(counter), letters.parse()?))
}

/// What is left of bytes whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes; zeros past the end, which the checked length rules out.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        if let Some((head, rest)) = self.0.split_first_chunk::<N>() {
            (field, self.0) = (*head, rest);
        }
        field
    }
}
