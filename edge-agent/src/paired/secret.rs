//! Tokens and one-time codes. None of them prints, and all are compared in constant time, by their hashes.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, Encoding, HEXLOWER, Specification};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::DeviceId;

const TOKEN_LEN: usize = 32;
/// In the QR code: nobody types it.
const CODE_LEN: usize = 16;
/// Of the form to type: eight characters of five bits. With five tries for all the world together, one in 2^37 finds it.
const SHORT_LEN: usize = 5;

/// The system has no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("draw random bytes from the system")]
pub struct NoChance;

fn draw<const LEN: usize>() -> Result<[u8; LEN], NoChance> {
    let mut bytes = [0; LEN];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoChance)?;
    Ok(bytes)
}

impl DeviceId {
    /// # Errors
    /// `NoChance`.
    pub fn draw() -> Result<Self, NoChance> {
        Ok(Self(HEXLOWER.encode(&draw::<8>()?)))
    }
}

/// What a device shows at the door: 256 random bits. Does not print.
pub struct Token([u8; TOKEN_LEN]);

impl Token {
    /// # Errors
    /// `NoChance`.
    pub fn draw() -> Result<Self, NoChance> {
        draw().map(Self)
    }

    /// As it stands in the cookie.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// SHA-256 of a token. It has nothing to guess, so it needs no salt and no slow hash.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a token's hash has 64 hex digits")
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        HEXLOWER.encode(&hash.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

/// How a code was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Whole,
    Short,
}

/// A one-time code, whole (for the QR code) and short (to type). Does not print.
#[derive(Clone)]
pub struct Code {
    whole: [u8; CODE_LEN],
    short: [u8; SHORT_LEN],
}

impl Code {
    /// # Errors
    /// `NoChance`.
    pub fn draw() -> Result<Self, NoChance> {
        Ok(Self { whole: draw()?, short: draw()? })
    }

    /// For the link's fragment, which no browser sends anywhere.
    #[must_use]
    pub fn whole(&self) -> String {
        letters().encode(&self.whole)
    }

    /// In two groups of four.
    #[must_use]
    pub fn short(&self) -> String {
        let text = letters().encode(&self.short);
        let (one, two) = text.split_at(4);
        format!("{one}-{two}")
    }

    /// Which form of this code `given` is, if it is one, however it was typed.
    #[must_use]
    pub fn form(&self, given: &str) -> Option<Form> {
        let given: String = given.chars().filter(|one| !one.is_whitespace() && *one != '-').map(upper).collect();
        let given = Sha256::digest(given.as_bytes());
        let same = |text: String| Sha256::digest(text.as_bytes()).ct_eq(&given);
        let (whole, short) = (same(letters().encode(&self.whole)), same(letters().encode(&self.short)));
        if whole.into() {
            return Some(Form::Whole);
        }
        bool::from(short).then_some(Form::Short)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// Crockford's base 32: what looks alike is one letter.
const LETTERS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn letters() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str(LETTERS);
    // 32 different ASCII letters are an alphabet; the tests hold that.
    specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
}

fn upper(letter: char) -> char {
    match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let code = Code { whole: [7; CODE_LEN], short: [0, 68, 50, 20, 199] };
        assert_eq!(code.short(), "0123-4567");
        for (given, good) in [
            ("0123-4567", true),
            ("o i23 4567", true),
            ("OL234567", true),
            ("01234568", false),
            ("0123456", false),
            ("", false),
        ] {
            assert_eq!(code.form(given), good.then_some(Form::Short), "{given}");
        }
        for given in [code.whole(), code.whole().to_lowercase()] {
            assert_eq!(code.form(&given), Some(Form::Whole));
        }
        assert_eq!(code.whole().len(), 26);
    }

    #[test]
    fn secrets_do_not_print() {
        let token = Token([7; TOKEN_LEN]);
        let code = Code { whole: [7; CODE_LEN], short: [7; SHORT_LEN] };
        assert_eq!(format!("{token:?} {:?} {code:?}", token.hash()), "Token TokenHash Code");
        let again = Token::parse(&token.text()).unwrap();
        assert_eq!(again.hash(), token.hash());
        assert_ne!(Token([8; TOKEN_LEN]).hash(), token.hash());
        assert!(Token::parse("").is_none() && Token::parse(&"A".repeat(44)).is_none());
    }
}
