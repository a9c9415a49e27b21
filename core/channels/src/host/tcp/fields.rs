//! What the host writes into a message: the card's data, and the MAC over the whole.

use std::{collections::BTreeMap, ops::Range};

use zeroize::Zeroizing;

use crate::{
    bindings::tcp::{CardField, CardValue, Digits, Error, MacAlgorithm, MessageMac, PinFormat, Request},
    card::{
        OpenCard,
        cipher::{Cipher, CipherKey},
        mac::{self, Algorithm, MAC_LEN},
        traces::packed,
    },
    host::{
        Given,
        keys::{Use, WorkingKey},
    },
};

/// Limit of the contract (`sdk/wit`, `tcp.request.card-fields`).
const CARD_FIELDS_MAX: usize = 8;

/// The account's working keys, by slot.
pub(super) type Keys = BTreeMap<String, WorkingKey>;

/// # Errors
/// `NoKey` if the store cannot be reached.
pub(super) async fn load_keys(request: &Request, given: &Given) -> Result<Keys, Error> {
    let names_one = |field: &CardField| matches!(field.value, CardValue::PinBlock(_));
    if request.mac.is_none() && !request.card_fields.iter().any(names_one) {
        return Ok(Keys::new());
    }
    let stored = given.ports.keys.load(given.account.id).await.map_err(|error| {
        tracing::warn!(%error, "the working keys of a channel account are not reachable");
        Error::NoKey("the host's store of keys cannot be reached now".to_owned())
    })?;
    Ok(stored.into_iter().filter_map(|(slot, bytes)| Some((slot, WorkingKey::read(&bytes)?))).collect())
}

fn key_of<'a>(keys: &'a Keys, slot: &str, wanted: Use) -> Result<&'a CipherKey, Error> {
    let found = keys.get(slot).filter(|key| key.usage == wanted).map(|key| &key.key);
    found.ok_or_else(|| {
        let slot: String = slot.chars().take(32).collect();
        Error::NoKey(format!("no {} key is in the slot {slot:?}", wanted.word()))
    })
}

/// Writes the card's data where the fields say.
///
/// # Errors
/// `Invalid`, `NoCard`, `NoKey`.
pub(super) fn put_in(message: &mut [u8], fields: &[CardField], given: &Given, keys: &Keys) -> Result<(), Error> {
    if fields.len() > CARD_FIELDS_MAX {
        return Err(Error::Invalid(format!("more than {CARD_FIELDS_MAX} card fields")));
    }
    let mut taken: Vec<Range<usize>> = Vec::with_capacity(fields.len());
    for field in fields {
        let value = value(&field.value, given, keys)?;
        let at = field.at as usize;
        let place = at..at.saturating_add(value.len());
        if taken.iter().any(|other| other.start < place.end && place.start < other.end) {
            return Err(Error::Invalid("two card fields overlap".to_owned()));
        }
        let room = message.get_mut(place.clone()).ok_or_else(|| {
            Error::Invalid(format!("a card field of {} bytes at {at} is not within the message", value.len()))
        })?;
        room.copy_from_slice(&value);
        taken.push(place);
    }
    Ok(())
}

fn value(value: &CardValue, given: &Given, keys: &Keys) -> Result<Zeroizing<Vec<u8>>, Error> {
    let card = given.card()?;
    match value {
        CardValue::Number(digits) => Ok(written(&card.number, *digits)),
        CardValue::Expiry(digits) => Ok(written(&card.expiry, *digits)),
        CardValue::Track2(digits) => match &card.track_2 {
            Some(track) => Ok(written(track, *digits)),
            None => Err(Error::NoCard("the card has no track 2 in this call".to_owned())),
        },
        CardValue::PinBlock(wanted) => {
            let key = key_of(keys, &wanted.key, Use::Pin)?;
            pin_block(card, wanted.format, key, given)
        }
    }
}

fn written(text: &str, digits: Digits) -> Zeroizing<Vec<u8>> {
    let fill = match digits {
        Digits::Text => return Zeroizing::new(text.as_bytes().to_vec()),
        Digits::Packed => 0,
        Digits::PackedF => 0xf,
    };
    let halves = Zeroizing::new(packed(text));
    Zeroizing::new(halves.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(fill)).collect())
}

/// A PIN block as the acquirer wants it, under its key.
fn pin_block(card: &OpenCard, format: PinFormat, key: &CipherKey, given: &Given) -> Result<Zeroizing<Vec<u8>>, Error> {
    let pin = card.pin.as_ref().ok_or_else(|| Error::NoCard("the customer gave no PIN in this call".to_owned()))?;
    let block = match (format, key.cipher()) {
        (PinFormat::Iso0, Cipher::Tdes) => pin.to_format_0(&card.number).map(|mut block| {
            key.schedule().encrypt(block.as_mut_slice());
            block.to_vec()
        }),
        (PinFormat::Iso4, Cipher::Aes) => {
            let mut random = Zeroizing::new([0; 8]);
            let chance = given.ports.chance.fill(random.as_mut_slice());
            chance.map_err(|error| Error::NoCard(error.to_string()))?;
            pin.to_format_4(&card.number, &random, &key.schedule()).map(|block| block.to_vec())
        }
        _ => {
            return Err(Error::Invalid("format 0 is sealed under a key of TDES, format 4 under one of AES".to_owned()));
        }
    };
    block.map(Zeroizing::new).ok_or_else(|| Error::NoCard("no PIN block is made for this number".to_owned()))
}

/// The MAC of one exchange.
pub(super) struct Mac {
    key: CipherKey,
    algorithm: Algorithm,
    begins_at: usize,
}

impl Mac {
    /// # Errors
    /// `NoKey`.
    pub(super) fn new(wanted: &MessageMac, keys: &Keys) -> Result<Self, Error> {
        Ok(Self {
            key: key_of(keys, &wanted.key, Use::Mac)?.clone(),
            algorithm: match wanted.algorithm {
                MacAlgorithm::Retail => Algorithm::Retail,
                MacAlgorithm::UnionpayEcb => Algorithm::UnionpayEcb,
                MacAlgorithm::AesCmac => Algorithm::AesCmac,
            },
            begins_at: wanted.begins_at as usize,
        })
    }

    /// Writes it into the message's last 8 bytes.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn seal(&self, message: &mut [u8]) -> Result<(), Error> {
        let covered = self.covered(message);
        let covered = covered.ok_or_else(|| Error::Invalid("the message has nothing before its MAC".to_owned()))?;
        let tag = mac::mac(self.algorithm, &self.key, &message[covered.clone()])
            .ok_or_else(|| Error::Invalid("the key is not of the MAC's cipher and length".to_owned()))?;
        message[covered.end..].copy_from_slice(&tag);
        Ok(())
    }

    /// Whether the last 8 bytes are the MAC of what is before them.
    pub(super) fn fits(&self, message: &[u8]) -> bool {
        let covered = self.covered(message);
        covered.is_some_and(|covered| {
            mac::fits(self.algorithm, &self.key, &message[covered.clone()], &message[covered.end..])
        })
    }

    fn covered(&self, message: &[u8]) -> Option<Range<usize>> {
        let end = message.len().checked_sub(MAC_LEN)?;
        (self.begins_at < end).then_some(self.begins_at..end)
    }
}
