//! The envelope: DSSE 1.0.2, the Dead Simple Signing Envelope (secure-systems-lab/dsse, `protocol.md` and `envelope.md`).
//!
//! Signed are the payload's bytes together with their type, so that nothing is parsed before its signature is checked, and
//! nothing signed for another purpose passes for a plugin's statement.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use serde::{Deserialize, Serialize};

use super::{
    error::VetError,
    publisher::{Publisher, PublisherKey},
};

/// What the payload is: part of what is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.saoma.plugin+json";
/// Largest envelope taken. A statement of some 200 cases has 20 KiB in Base64; five times as many with a reason each fit.
pub const ENVELOPE_BYTES_MAX: usize = 256 << 10;
/// Most signatures: a publisher's, and those of a few who looked the channel over.
pub const SIGNATURES_MAX: usize = 8;
/// Of a key id that is quoted in an error: a SHA-256 in hex.
const KEY_ID_CHARS_MAX: usize = 64;

/// As it lies beside the component. Unknown fields are ignored, as DSSE wants it: nothing in them is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub payload: String,
    pub payload_type: String,
    pub signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// [`Publisher::key_id`]. A hint that nothing protects: it narrows the keys to try, and decides nothing.
    #[serde(default)]
    pub keyid: String,
    pub sig: String,
}

impl Envelope {
    pub(super) fn signed(payload: &[u8], key: &PublisherKey) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature {
                keyid: key.publisher().key_id(),
                sig: STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, payload))),
            }],
        }
    }

    /// Reads an envelope. Nothing in it is to be believed yet.
    ///
    /// # Errors
    /// It is too large, not JSON, or not of this shape.
    pub fn read(json: &[u8]) -> Result<Self, VetError> {
        if json.len() > ENVELOPE_BYTES_MAX {
            return Err(VetError::EnvelopeTooLarge { given: json.len(), max: ENVELOPE_BYTES_MAX });
        }
        serde_json::from_slice(json).map_err(|error| VetError::NotAnEnvelope(error.to_string()))
    }

    /// The payload, whoever signed it.
    pub(super) fn unchecked(&self) -> Result<Vec<u8>, VetError> {
        decoded(&self.payload).ok_or(VetError::NotBase64("payload"))
    }

    /// The payload, and whose signature over it is good.
    pub(super) fn opened<'a>(&self, trusted: &'a [Publisher]) -> Result<(Vec<u8>, &'a Publisher), VetError> {
        if self.payload_type != PAYLOAD_TYPE {
            let found = self.payload_type.chars().take(KEY_ID_CHARS_MAX).collect();
            return Err(VetError::PayloadType { found });
        }
        if !(1..=SIGNATURES_MAX).contains(&self.signatures.len()) {
            return Err(VetError::Signatures { given: self.signatures.len() });
        }
        let payload = self.unchecked()?;
        let message = pae(&self.payload_type, &payload);
        let mut mismatched = None;
        for signature in &self.signatures {
            let bytes = decoded(&signature.sig).ok_or(VetError::NotBase64("signature"))?;
            for publisher in trusted.iter().filter(|publisher| signature.may_be_of(publisher)) {
                if publisher.fits(&message, &bytes) {
                    return Ok((payload, publisher));
                }
                if !signature.keyid.is_empty() {
                    mismatched.get_or_insert(publisher);
                }
            }
        }
        Err(match mismatched {
            Some(publisher) => VetError::BadSignature { key_id: publisher.key_id() },
            None => VetError::Untrusted { key_ids: self.key_ids() },
        })
    }

    /// The key ids that it names, cut to the length of one: unprotected.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        let named = self.signatures.iter().map(|signature| signature.keyid.as_str()).filter(|id| !id.is_empty());
        named.map(|id| id.chars().take(KEY_ID_CHARS_MAX).collect()).collect()
    }
}

impl Signature {
    fn may_be_of(&self, publisher: &Publisher) -> bool {
        self.keyid.is_empty() || self.keyid == publisher.key_id()
    }
}

/// The bytes that are signed: pre-authentication encoding of DSSE.
pub(super) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Base64 of either alphabet, as DSSE asks of those who verify.
fn decoded(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ANY: [GeneralPurpose; 2] =
        [GeneralPurpose::new(&alphabet::STANDARD, LENIENT), GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT)];
    ANY.iter().find_map(|engine| engine.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of DSSE's `protocol.md`.
    #[test]
    fn the_bytes_that_are_signed_are_those_of_the_specification() {
        let signed = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        // Lengths are of bytes.
        assert_eq!(pae("é", "咖啡".as_bytes()), "DSSEv1 2 é 6 咖啡".as_bytes());
    }

    #[test]
    fn either_alphabet_is_read() {
        for (text, bytes) in [("+/+/", Some(vec![0xfb, 0xff, 0xbf])), ("-_-_", Some(vec![0xfb, 0xff, 0xbf]))] {
            assert_eq!(decoded(text), bytes, "{text}");
        }
        assert_eq!(decoded("+_+_"), None, "not both at once");
        assert_eq!(decoded("AQ"), Some(vec![1]));
        assert_eq!(decoded("A Q="), None);
    }
}
