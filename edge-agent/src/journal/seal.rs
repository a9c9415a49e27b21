//! What the journal's values are encrypted with: AES-256-GCM (NIST SP 800-38D), each value under a nonce of its own and bound
//! to its place. No file and no database here.
//!
//! A sealed value is a version byte, the id of its key (4 bytes), a random nonce (12), the ciphertext and the tag (16). Table,
//! column and row are authenticated with it, so a value that is moved to another row does not open. Random nonces are good for
//! 2^32 values under one key (section 8.3): at a thousand sales a day and ten values each, more than a thousand years.

use std::{fmt, str::FromStr};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use sha2::{Digest as _, Sha256};

const KEY_LEN: usize = 32;
const ID_LEN: usize = 4;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + ID_LEN + NONCE_LEN;
/// The version of this format, the first byte of each value.
const FORMAT: u8 = 1;
/// Texts are filled up with NUL, which JSON has not, to a multiple of this: their length does not tell an amount's digits.
const TEXT_STEP: usize = 64;
/// A sum is 8 bytes of minor units, little-endian, and the three letters of its currency: always of one length.
const SUM_LEN: usize = 11;

/// Why a value was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("draw random bytes from the system")]
    Chance,
    #[error("encrypt the journal: there is no key")]
    NoKey,
    #[error("read {place} of the journal: it is of format {format}, which a newer agent wrote; install that one")]
    Newer { place: String, format: u8 },
    #[error("read {place} of the journal: it is encrypted under the key {key}, which is not here; put that key back")]
    OtherKey { place: String, key: KeyId },
    #[error(
        "trust {place} of the journal: it was altered, or moved there from elsewhere; do not delete the journal, it holds \
         sales: call the service"
    )]
    Altered { place: String },
}

/// A key of the journal. Does not print.
#[derive(Clone)]
pub(super) struct Key([u8; KEY_LEN]);

/// Names a key without telling anything of it: the beginning of a SHA-256 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; ID_LEN]);

impl Key {
    pub(super) fn draw() -> Result<Self, SealError> {
        let mut bytes = [0; KEY_LEN];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::Chance)?;
        Ok(Self(bytes))
    }

    /// From a file: 32 bytes, or 64 hex digits and an end of line.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if let Ok(raw) = bytes.try_into() {
            return Some(Self(raw));
        }
        hex::decode(bytes.trim_ascii()).ok()?.try_into().ok().map(Self)
    }

    /// As it stands in a file.
    pub(super) fn text(&self) -> String {
        format!("{}\n", hex::encode(self.0))
    }

    pub(super) fn id(&self) -> KeyId {
        let hash = Sha256::new().chain_update(b"saoma-edge journal key id\0").chain_update(self.0).finalize();
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&hash[..ID_LEN]);
        KeyId(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for KeyId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; ID_LEN];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

/// A column that is sealed, and the column whose value names its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    pub(super) key: &'static str,
}

impl Place {
    fn of(self, row: &str) -> String {
        format!("{} of {} {row}", self.column, self.table)
    }

    /// What is authenticated beside the value. The row comes last: it may hold anything.
    fn bound(self, row: &str) -> Vec<u8> {
        [b"saoma-edge journal", self.table.as_bytes(), self.column.as_bytes(), row.as_bytes()].join(&0)
    }
}

/// The keys of one open journal. The first seals, and each opens what is sealed under it. Made once: a key is expanded then,
/// and a value costs microseconds.
#[derive(Default)]
pub(super) struct Seals(Vec<(KeyId, LessSafeKey)>);

impl Seals {
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Result<Self, SealError> {
        let cipher = |key: &Key| {
            let unbound = UnboundKey::new(&AES_256_GCM, &key.0).map_err(|_| SealError::NoKey)?;
            Ok((key.id(), LessSafeKey::new(unbound)))
        };
        keys.into_iter().map(cipher).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn seal(&self, place: Place, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, cipher) = self.0.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Chance)?;
        let mut sealed = Vec::with_capacity(HEAD_LEN + plain.len() + TAG_LEN);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&id.0);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let body = sealed.get_mut(HEAD_LEN..).unwrap_or_default();
        let tag = cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bound(row)), body)
            // For a value of more than 64 GiB alone.
            .map_err(|_| SealError::NoKey)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(&self, place: Place, row: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let altered = || SealError::Altered { place: place.of(row) };
        let (head, body) = sealed.split_at_checked(HEAD_LEN).ok_or_else(altered)?;
        let (format, id, nonce) = (head[0], &head[1..=ID_LEN], &head[1 + ID_LEN..]);
        if format != FORMAT {
            return Err(SealError::Newer { place: place.of(row), format });
        }
        let Some((_, cipher)) = self.0.iter().find(|(held, _)| held.0 == *id) else {
            let mut key = [0; ID_LEN];
            key.copy_from_slice(id);
            return Err(SealError::OtherKey { place: place.of(row), key: KeyId(key) });
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| altered())?;
        let mut plain = body.to_vec();
        let len = cipher.open_in_place(nonce, Aad::from(place.bound(row)), &mut plain).map_err(|_| altered())?.len();
        plain.truncate(len);
        Ok(plain)
    }

    /// Whether the value is sealed under the key that seals now.
    pub(super) fn is_of_first(&self, sealed: &[u8]) -> bool {
        let id = sealed.get(1..=ID_LEN);
        self.0.first().is_some_and(|(first, _)| id == Some(&first.0[..]))
    }

    pub(super) fn seal_text(&self, place: Place, row: &str, text: &str) -> Result<Vec<u8>, SealError> {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(text.len().next_multiple_of(TEXT_STEP), 0);
        self.seal(place, row, &padded)
    }

    pub(super) fn open_text(&self, place: Place, row: &str, sealed: &[u8]) -> Result<String, SealError> {
        let mut text = String::from_utf8(self.open(place, row, sealed)?)
            .map_err(|_| SealError::Altered { place: place.of(row) })?;
        text.truncate(text.trim_end_matches('\0').len());
        Ok(text)
    }

    /// `currency`: three letters (ISO 4217).
    pub(super) fn seal_sum(&self, place: Place, row: &str, minor: i64, currency: &str) -> Result<Vec<u8>, SealError> {
        let mut sum = [0; SUM_LEN];
        sum[..8].copy_from_slice(&minor.to_le_bytes());
        for (held, letter) in sum[8..].iter_mut().zip(currency.bytes()) {
            *held = letter;
        }
        self.seal(place, row, &sum)
    }

    pub(super) fn open_sum(&self, place: Place, row: &str, sealed: &[u8]) -> Result<(i64, String), SealError> {
        let altered = || SealError::Altered { place: place.of(row) };
        let sum: [u8; SUM_LEN] = self.open(place, row, sealed)?.try_into().map_err(|_| altered())?;
        let mut minor = [0; 8];
        minor.copy_from_slice(&sum[..8]);
        let currency = String::from_utf8(sum[8..].to_vec()).map_err(|_| altered())?;
        Ok((i64::from_le_bytes(minor), currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place { table: "sales", column: "kept", key: "payment" };
    const GOLDEN: &str = "01496105b9000102030405060708090a0b63a3881d727cb73d5588d4aed76811fae13cb68e1862773116ce63\
                          ba8ed76d05de6f46e297cf31fdf4e5c3b65cf7b533f4305c79d4d5e496714fb48ca0c01bcf9777d99dce0af4\
                          387852102af686bf3b";

    fn seals() -> Seals {
        Seals::new([&Key([7; KEY_LEN])]).unwrap()
    }

    #[test]
    fn a_key_is_read_from_bytes_or_from_digits_and_from_nothing_else() {
        let key = Key([0xab; KEY_LEN]);
        for bytes in [vec![0xab; 32], "ab".repeat(32).into_bytes(), format!(" {}\r\n", "AB".repeat(32)).into_bytes()] {
            assert_eq!(Key::parse(&bytes).unwrap().id(), key.id());
        }
        assert_eq!(Key::parse(key.text().as_bytes()).unwrap().id(), key.id());
        for bytes in [&b""[..], &[0xab; 31], &[0xab; 33], "ab".repeat(31).as_bytes(), "zz".repeat(32).as_bytes()] {
            assert!(Key::parse(bytes).is_none(), "{bytes:?}");
        }
        assert_ne!(Key::draw().unwrap().0, Key::draw().unwrap().0);
        assert_eq!(key.id().to_string().parse::<KeyId>().unwrap(), key.id());
    }

    /// Made with another implementation (Python's `cryptography`), as the module's comment tells: under a key of 32 bytes of 7,
    /// with the nonce 0, 1, … 11.
    #[test]
    fn a_value_of_format_1_opens() {
        let sealed = hex::decode(GOLDEN).unwrap();
        assert_eq!(seals().open_text(PLACE, "pay_1", &sealed).unwrap(), "{\"amount\":1250}");
    }

    #[test]
    fn a_value_opens_in_its_place_alone_and_only_as_it_was() {
        let seals = seals();
        let sealed = seals.seal_text(PLACE, "pay_1", "12.50").unwrap();
        assert_ne!(sealed, seals.seal_text(PLACE, "pay_1", "12.50").unwrap(), "a nonce is used once");
        assert_eq!(seals.open_text(PLACE, "pay_1", &sealed).unwrap(), "12.50");
        let refused = |place, row: &str, sealed: &[u8]| seals.open(place, row, sealed).unwrap_err();
        for (place, row) in [
            (PLACE, "pay_2"),
            (Place { column: "amount", ..PLACE }, "pay_1"),
            (Place { table: "shifts", ..PLACE }, "pay_1"),
            (Place { table: "sale", column: "skept", ..PLACE }, "pay_1"),
        ] {
            assert!(matches!(refused(place, row, &sealed), SealError::Altered { .. }), "{place:?} {row}");
        }
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            let error = refused(PLACE, "pay_1", &altered);
            match place {
                0 => assert!(matches!(error, SealError::Newer { format: 0, .. }), "{error}"),
                1..=4 => assert!(matches!(error, SealError::OtherKey { .. }), "{error}"),
                _ => assert!(matches!(error, SealError::Altered { .. }), "{place}: {error}"),
            }
        }
        for len in 0..sealed.len() {
            refused(PLACE, "pay_1", &sealed[..len]);
        }
    }

    #[test]
    fn a_second_key_opens_and_does_not_seal() {
        let (old, new) = (Key([1; KEY_LEN]), Key([2; KEY_LEN]));
        let sealed = Seals::new([&old]).unwrap().seal(PLACE, "1", b"x").unwrap();
        let both = Seals::new([&new, &old]).unwrap();
        assert!(!both.is_of_first(&sealed));
        assert_eq!(both.open(PLACE, "1", &sealed).unwrap(), b"x");
        assert!(both.is_of_first(&both.seal(PLACE, "1", b"x").unwrap()));
        let alone = Seals::new([&new]).unwrap();
        assert!(matches!(alone.open(PLACE, "1", &sealed), Err(SealError::OtherKey { key, .. }) if key == old.id()));
        assert!(matches!(Seals::default().seal(PLACE, "1", b"x"), Err(SealError::NoKey)));
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_what_opens(text in "[^\\x00]{0,200}", minor: i64) {
            let seals = seals();
            let sealed = seals.seal_text(PLACE, "1", &text).unwrap();
            prop_assert_eq!((sealed.len() - HEAD_LEN - TAG_LEN) % TEXT_STEP, 0);
            prop_assert_eq!(seals.open_text(PLACE, "1", &sealed).unwrap(), text);
            let sealed = seals.seal_sum(PLACE, "1", minor, "CNY").unwrap();
            prop_assert_eq!(seals.open_sum(PLACE, "1", &sealed).unwrap(), (minor, "CNY".to_owned()));
        }
    }
}
