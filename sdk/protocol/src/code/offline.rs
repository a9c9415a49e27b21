//! OPC1: a code that a holder's phone makes and a terminal checks without asking anybody.
//!
//! The issuer signs a grant: this device key may spend so much, until then. The phone signs each code with that key, over the
//! grant, a counter and the time. Text: `OPC1:` and Base45 of grant (63 bytes), the issuer's signature (64), counter and time
//! (4 and 4), the device's signature (64); integers are big-endian. As a QR code it is version 9-L or 10-M, alphanumeric.
//!
//! A code on a screen can be copied, and it names neither amount nor shop: what it is good for is kept small by its few seconds,
//! by the caps of its grant, and by the counter, by which a second use is found at the terminal or at core.

pub mod strict;

use std::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::base45::{self, Base45Error};
use crate::{Currency, Millis};

/// How every code begins.
pub const PREFIX: &str = "OPC1:";
pub const GRANT_LEN: usize = 63;
pub const CODE_LEN: usize = GRANT_LEN + 64 + 8 + 64;
/// How far the clocks of phone and terminal may be apart, in seconds.
pub const SKEW_SECONDS: i64 = 10;

/// Version 1, signatures of Ed25519.
const VERSION: u8 = 0x11;
/// Two signatures: issuer and device. The other bits of the draft (one signature, the issuer's certificate inside, a test's code)
/// are of profiles that are not spoken here.
const FLAGS: u8 = 0x01;
const GRANT_DOMAIN: &[u8] = b"OPC1-GRANT\0";
const CODE_DOMAIN: &[u8] = b"OPC1-CODE\0";

/// What names a grant: random, so that two grants of one holder have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub [u8; 8]);

/// The first four bytes of SHA-256 of an issuer's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

/// What an issuer lets a device spend offline. Signed, it is public: it holds no name and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub issuer: KeyId,
    pub token: Token,
    pub currency: Currency,
    /// Of one code, in minor units; at least 1, at most [`Self::cap_grant`].
    pub cap_single: u32,
    /// Of all codes of this grant together, in minor units.
    pub cap_grant: u32,
    /// From when on it is good, in seconds since 1970.
    pub not_before: u32,
    /// How long, in hours; at least 1.
    pub valid_hours: u16,
    /// How long one code is good, in seconds; at least 1.
    pub code_seconds: u8,
    /// Ed25519.
    pub device_key: [u8; 32],
}

/// A grant as the phone gets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignedGrant {
    pub grant: Grant,
    pub issuer_signature: [u8; 64],
}

/// A code as it is scanned: a bearer credential for some seconds. What is read is what [`Code::bytes`] writes, byte for byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code {
    pub signed: SignedGrant,
    /// Rises from code to code of a grant.
    pub counter: u32,
    /// In seconds since 1970, by the phone's clock.
    pub created_at: u32,
    pub device_signature: [u8; 64],
}

/// A key whose grants are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Issuer {
    /// Ed25519, 64 lower-case hex digits.
    pub public_key: String,
    pub not_before: Millis,
    pub not_after: Millis,
    /// What it has signed is good no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// Why a code is not taken, each as a sentence for the till. In the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("this is no offline code")]
    Prefix,
    #[error("the offline code was not read whole ({0}): scan it again; if it stays so, the scanner drops spaces")]
    Text(#[from] Base45Error),
    #[error("the offline code has {len} bytes instead of {CODE_LEN}: scan it again")]
    Length { len: usize },
    #[error("the offline code is of version {0:#04x}, which this terminal cannot check")]
    Version(u8),
    #[error("the offline code is of a kind ({0:#04x}) that is not taken here")]
    Profile(u8),
    #[error("the offline code is in currency {0}, which is not known here")]
    Currency(u16),
    #[error("the offline code allows nothing: the customer's app must fetch a new one")]
    Terms,
    #[error("the offline code is of an issuer that is not accepted here")]
    UnknownIssuer(KeyId),
    #[error("the issuer's key of this offline code was revoked: take another way to pay")]
    IssuerRevoked,
    #[error("the issuer's key of this offline code is not good at this time: the customer's app must fetch a new one")]
    IssuerOver,
    #[error("the offline code was not signed by its issuer: do not take it")]
    IssuerSignature,
    #[error("the offline code is not good yet: check the clock of this terminal")]
    GrantEarly,
    #[error("what the issuer allowed offline is over: the customer's app must go online once")]
    GrantOver,
    #[error("the offline code was not signed by the customer's phone: do not take it")]
    DeviceSignature,
    #[error("the offline code is from the future: the clock of the phone or of this terminal is wrong")]
    CodeEarly,
    #[error("the offline code is too old: the customer shows a new one")]
    CodeOver,
}

impl CodeError {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Prefix => "offline_code_prefix",
            Self::Text(_) => "offline_code_text",
            Self::Length { .. } => "offline_code_length",
            Self::Version(_) => "offline_code_version",
            Self::Profile(_) => "offline_code_profile",
            Self::Currency(_) => "offline_code_currency",
            Self::Terms => "offline_code_terms",
            Self::UnknownIssuer(_) => "offline_issuer_unknown",
            Self::IssuerRevoked => "offline_issuer_revoked",
            Self::IssuerOver => "offline_issuer_over",
            Self::IssuerSignature => "offline_issuer_signature",
            Self::GrantEarly => "offline_grant_early",
            Self::GrantOver => "offline_grant_over",
            Self::DeviceSignature => "offline_device_signature",
            Self::CodeEarly => "offline_code_early",
            Self::CodeOver => "offline_code_over",
        }
    }

    /// Whether somebody made it who had not the key: no slip of a scanner or a clock looks like that.
    #[must_use]
    pub const fn is_forged(&self) -> bool {
        matches!(self, Self::IssuerSignature | Self::DeviceSignature)
    }
}

/// Whether a scanned text says of itself that it is an offline code.
#[must_use]
pub fn is_offline_code(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl KeyId {
    #[must_use]
    pub fn of(public_key: &[u8]) -> Self {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(public_key).into();
        Self([a, b, c, d])
    }
}

impl Issuer {
    /// The key itself; `None` if the text is none.
    #[must_use]
    pub fn key(&self) -> Option<[u8; 32]> {
        data_encoding::HEXLOWER.decode(self.public_key.as_bytes()).ok()?.try_into().ok()
    }
}

impl Grant {
    #[must_use]
    pub fn bytes(&self) -> [u8; GRANT_LEN] {
        let mut out = [0; GRANT_LEN];
        let parts: [&[u8]; 11] = [
            &[VERSION],
            &[FLAGS],
            &self.issuer.0,
            &self.token.0,
            &self.currency.numeric().to_be_bytes(),
            &self.cap_single.to_be_bytes(),
            &self.cap_grant.to_be_bytes(),
            &self.not_before.to_be_bytes(),
            &self.valid_hours.to_be_bytes(),
            &[self.code_seconds],
            &self.device_key,
        ];
        put(&mut out, &parts);
        out
    }

    /// When it is over.
    #[must_use]
    pub fn not_after(&self) -> Millis {
        Millis((i64::from(self.not_before) + i64::from(self.valid_hours) * 3600) * 1000)
    }

    /// Signs it as its issuer. The caller has put [`KeyId::of`] the same key into it.
    #[must_use]
    pub fn sign(self, issuer: &Ed25519KeyPair) -> SignedGrant {
        let mut issuer_signature = [0; 64];
        put(&mut issuer_signature, &[issuer.sign(&[GRANT_DOMAIN, &self.bytes()].concat()).as_ref()]);
        SignedGrant { grant: self, issuer_signature }
    }

    fn read(bytes: &[u8; GRANT_LEN]) -> Result<Self, CodeError> {
        let mut rest = Fields(bytes);
        let [version] = rest.take();
        if version != VERSION {
            return Err(CodeError::Version(version));
        }
        let [flags] = rest.take();
        if flags != FLAGS {
            return Err(CodeError::Profile(flags));
        }
        let (issuer, token) = (KeyId(rest.take()), Token(rest.take()));
        let numeric = u16::from_be_bytes(rest.take());
        let currency = Currency::all().find(|known| known.numeric() == numeric).ok_or(CodeError::Currency(numeric))?;
        let (cap_single, cap_grant) = (u32::from_be_bytes(rest.take()), u32::from_be_bytes(rest.take()));
        let (not_before, valid_hours) = (u32::from_be_bytes(rest.take()), u16::from_be_bytes(rest.take()));
        let [code_seconds] = rest.take();
        let device_key = rest.take();
        let grant =
            Self { issuer, token, currency, cap_single, cap_grant, not_before, valid_hours, code_seconds, device_key };
        if grant.allows_something() { Ok(grant) } else { Err(CodeError::Terms) }
    }

    /// Whether caps and times are such as an issuer may write.
    #[must_use]
    pub const fn allows_something(&self) -> bool {
        self.cap_single > 0 && self.cap_single <= self.cap_grant && self.valid_hours > 0 && self.code_seconds > 0
    }
}

impl SignedGrant {
    /// The phone's side: a code of this grant. `counter`: higher than that of any code before.
    #[must_use]
    pub fn code(&self, device: &Ed25519KeyPair, counter: u32, created_at: u32) -> Code {
        let mut code = Code { signed: *self, counter, created_at, device_signature: [0; 64] };
        let signature = device.sign(&code.signed_by_device());
        put(&mut code.device_signature, &[signature.as_ref()]);
        code
    }

    /// Grant and signature, as the phone keeps them.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [self.grant.bytes().as_slice(), &self.issuer_signature].concat()
    }
}

impl Code {
    /// The code in a scanned text. Nothing is trimmed: a space is a character of it.
    ///
    /// # Errors
    /// In this order: `Prefix`, `Text`, `Length`, `Version`, `Profile`, `Currency`, `Terms`.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let text = text.strip_prefix(PREFIX).ok_or(CodeError::Prefix)?;
        Self::read(&base45::decode(text)?)
    }

    /// The code of [`Self::bytes`].
    ///
    /// # Errors
    /// In this order: `Length`, `Version`, `Profile`, `Currency`, `Terms`.
    pub fn read(bytes: &[u8]) -> Result<Self, CodeError> {
        let whole: &[u8; CODE_LEN] = bytes.try_into().map_err(|_| CodeError::Length { len: bytes.len() })?;
        let mut rest = Fields(whole);
        let grant = Grant::read(&rest.take())?;
        let signed = SignedGrant { grant, issuer_signature: rest.take() };
        let (counter, created_at) = (u32::from_be_bytes(rest.take()), u32::from_be_bytes(rest.take()));
        Ok(Self { signed, counter, created_at, device_signature: rest.take() })
    }

    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let dynamic = [self.counter.to_be_bytes(), self.created_at.to_be_bytes()].concat();
        [self.signed.bytes().as_slice(), &dynamic, &self.device_signature].concat()
    }

    /// As it stands in a QR code.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", base45::encode(&self.bytes()))
    }

    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.signed.grant
    }

    fn signed_by_device(&self) -> Vec<u8> {
        let dynamic = [self.counter.to_be_bytes(), self.created_at.to_be_bytes()].concat();
        [CODE_DOMAIN, &self.signed.bytes(), &dynamic].concat()
    }

    /// Whether the code was made by whom it says, of a grant that is good at `at`, and just now. `at`: a clock that is known to be
    /// right; without one no code can be taken.
    ///
    /// # Errors
    /// In this order: `UnknownIssuer`, `IssuerRevoked`, `IssuerOver`, `IssuerSignature`, `GrantEarly`, `GrantOver`,
    /// `DeviceSignature`, `CodeEarly`, `CodeOver`.
    pub fn verify(&self, issuers: &[Issuer], at: Millis) -> Result<(), CodeError> {
        let grant = self.grant();
        let of_kid = issuers.iter().filter_map(|issuer| Some((issuer, issuer.key()?)));
        // Four bytes name a key, they do not prove it: of two that begin alike the one that signed is meant.
        let mut known: Vec<_> = of_kid.filter(|(_, key)| KeyId::of(key) == grant.issuer).collect();
        if known.is_empty() {
            return Err(CodeError::UnknownIssuer(grant.issuer));
        }
        let message = [GRANT_DOMAIN, &grant.bytes()].concat();
        if known.len() > 1 {
            known.retain(|(_, key)| strict::is_signed(key, &message, &self.signed.issuer_signature));
        }
        let Some((issuer, key)) = known.first() else { return Err(CodeError::IssuerSignature) };
        if issuer.revoked {
            return Err(CodeError::IssuerRevoked);
        }
        if at < issuer.not_before || at >= issuer.not_after {
            return Err(CodeError::IssuerOver);
        }
        if !strict::is_signed(key, &message, &self.signed.issuer_signature) {
            return Err(CodeError::IssuerSignature);
        }
        if at < seconds(grant.not_before) {
            return Err(CodeError::GrantEarly);
        }
        if at >= grant.not_after() {
            return Err(CodeError::GrantOver);
        }
        if !strict::is_signed(&grant.device_key, &self.signed_by_device(), &self.device_signature) {
            return Err(CodeError::DeviceSignature);
        }
        let age_ms = at.since(seconds(self.created_at));
        if age_ms < -SKEW_SECONDS * 1000 {
            return Err(CodeError::CodeEarly);
        }
        if age_ms > (i64::from(grant.code_seconds) + SKEW_SECONDS) * 1000 {
            return Err(CodeError::CodeOver);
        }
        Ok(())
    }
}

/// The public half of a key, as it is written in a grant or a list of issuers.
#[must_use]
pub fn public_key(pair: &Ed25519KeyPair) -> [u8; 32] {
    let mut key = [0; 32];
    put(&mut key, &[pair.public_key().as_ref()]);
    key
}

fn seconds(since_1970: u32) -> Millis {
    Millis(i64::from(since_1970) * 1000)
}

/// Writes the parts one after the other into `out`, which they fill.
fn put(out: &mut [u8], parts: &[&[u8]]) {
    for (place, byte) in out.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = *byte;
    }
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

/// A text that names no grant or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a grant or an issuer's key is named by lower-case hex digits, 16 or 8 of them")]
pub struct NameError;

/// As lower-case hex.
macro_rules! hex_text {
    ($($name:ident)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| NameError)?;
                bytes.try_into().map(Self).map_err(|_| NameError)
            }
        }
    )+};
}

hex_text! { KeyId Token }

/// Without the signatures: whoever reads a log could show the code again.
impl fmt::Debug for SignedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedGrant").field("grant", &self.grant).finish_non_exhaustive()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("token", &self.grant().token)
            .field("counter", &self.counter)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}
