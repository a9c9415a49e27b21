//! A secret's text read as what it is for.

use std::{fmt, sync::Arc};

use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    hmac,
    rsa::KeyPair,
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use x509_parser::{
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey as ParsedKey,
    x509::SubjectPublicKeyInfo,
};
use zeroize::Zeroizing;

use super::{
    envelope::RsaPrivateKey,
    pem::{Block, blocks},
};
use crate::{
    card::cipher::{Cipher, CipherKey},
    manifest::SecretKind,
};

/// Limits of the contract (`sdk/wit`, `secret-kind`).
const MAC_KEY_BYTES_MAX: usize = 16 << 10;
const TEXT_CHARS_MIN: usize = 8;
const TEXT_CHARS_MAX: usize = 4_096;
const BLOCKS_MAX: usize = 8;
const AES_256_KEY_BYTES: usize = 32;

/// A key and what it can do. Prints as its kind.
pub(crate) enum Key {
    Mac(hmac::Key),
    Text(Zeroizing<String>),
    RsaPrivate(Arc<RsaPrivateKey>),
    RsaPublic(Vec<RsaPublicKey>),
    Aes256(Box<LessSafeKey>),
    Client(Arc<CertifiedKey>),
    Certificates(Vec<CertificateDer<'static>>),
    /// Opens working keys.
    Wrapping(CipherKey),
    /// Of the keys that terminals derive.
    TerminalBase(Zeroizing<[u8; 16]>),
}

/// What is wrong with a secret's text, in words for the person who entered it. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    #[error("it must have {0}")]
    Length(&'static str),
    #[error(
        "it holds no PEM block and is not a key's Base64; paste the whole file, from -----BEGIN to the end of -----END …-----"
    )]
    NotPem,
    #[error("it is cut off: a -----BEGIN …----- lacks its -----END …-----; paste the whole file")]
    CutOff,
    #[error("what stands between -----BEGIN and -----END is not Base64; paste the file as it is")]
    NotBase64,
    #[error("it is a {found}, and {wanted} is wanted here; {fix}")]
    Other { found: String, wanted: &'static str, fix: &'static str },
    #[error(
        "the key is locked by a password; unlock it (openssl pkcs8 -in key.pem -out unlocked.pem) and paste that file"
    )]
    Locked,
    #[error("it cannot be read as {0}; paste the file as the scheme gave it, or as openssl wrote it")]
    Unreadable(&'static str),
    #[error("it must be an RSA key of {0} bits")]
    Strength(&'static str),
    /// Of an odd length, or of numbers that do not belong together.
    #[error(
        "the key signs, but does not open what is sealed for it; make a new one of 2,048, 3,072 or 4,096 bits (openssl genrsa 2048), \
         give the scheme its public half or certificate, and paste that"
    )]
    OpensNothing,
    #[error("it must hold {0}")]
    Count(&'static str),
    #[error("the certificate is not of this private key; the first certificate must be the key's own")]
    NotItsKey,
    /// When.
    #[error("the certificate ended on {0}; ask whoever issued it for a new one, and paste that with its private key")]
    Ended(String),
    /// From when on it is good.
    #[error("the certificate is good from {0} on; paste it then, or mend this machine's clock if it is wrong")]
    NotYet(String),
}

impl SecretKind {
    /// Whether the text can be used as a secret of this kind.
    ///
    /// # Errors
    /// See [`SecretFault`].
    pub fn check(self, text: &[u8]) -> Result<(), SecretFault> {
        match Key::read(self, text)? {
            // A channel may use it for either, and would only say so with the first bill.
            Key::RsaPrivate(key) if !key.opens() => Err(SecretFault::OpensNothing),
            _ => Ok(()),
        }
    }
}

impl Key {
    pub(super) fn read(kind: SecretKind, text: &[u8]) -> Result<Self, SecretFault> {
        match kind {
            SecretKind::MacKey => match text.len() {
                1..=MAC_KEY_BYTES_MAX => Ok(Self::Mac(hmac::Key::new(hmac::HMAC_SHA256, text))),
                _ => Err(SecretFault::Length("1 to 16,384 bytes")),
            },
            SecretKind::Text => {
                let fits = (TEXT_CHARS_MIN..=TEXT_CHARS_MAX).contains(&text.len())
                    && text.iter().all(|byte| (0x20..0x7f).contains(byte))
                    && text.first() != Some(&b' ')
                    && text.last() != Some(&b' ');
                let text = std::str::from_utf8(text).ok().filter(|_| fits);
                text.map(|text| Self::Text(Zeroizing::new(text.to_owned())))
                    .ok_or(SecretFault::Length("8 to 4,096 printable ASCII characters, and no space at either end"))
            }
            SecretKind::RsaPrivateKey => rsa_private(text).map(|key| Self::RsaPrivate(Arc::new(key))),
            SecretKind::RsaPublicKeys => {
                let blocks = at_most(blocks(text)?, "1 to 8 public keys or certificates")?;
                blocks.iter().map(RsaPublicKey::of_block).collect::<Result<_, _>>().map(Self::RsaPublic)
            }
            SecretKind::Aes256Key if text.len() == AES_256_KEY_BYTES && text.is_ascii() => {
                let key = UnboundKey::new(&AES_256_GCM, text).map_err(|_| SecretFault::Unreadable("a key"))?;
                Ok(Self::Aes256(Box::new(LessSafeKey::new(key))))
            }
            SecretKind::Aes256Key => Err(SecretFault::Length("exactly 32 ASCII characters")),
            SecretKind::ClientCertificate => client(text).map(|key| Self::Client(Arc::new(key))),
            SecretKind::Certificates => {
                let blocks = at_most(blocks(text)?, "1 to 8 certificates")?;
                blocks.iter().map(certificate).collect::<Result<_, _>>().map(Self::Certificates)
            }
            SecretKind::KeyEncryptionKey => key_encryption(text).map(Self::Wrapping),
            SecretKind::TerminalDataKey | SecretKind::TerminalPinKey => {
                let bytes = hex_bytes(text).and_then(|bytes| Some(Zeroizing::new(*bytes.as_array()?)));
                bytes.map(Self::TerminalBase).ok_or(SecretFault::Length("32 hex digits"))
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mac(_) => "a MAC key",
            Self::Text(_) => "a text",
            Self::RsaPrivate(_) => "an RSA private key",
            Self::RsaPublic(_) => "RSA public keys",
            Self::Aes256(_) => "an AES key",
            Self::Client(_) => "a client certificate",
            Self::Certificates(_) => "certificates",
            Self::Wrapping(_) => "a key encryption key",
            Self::TerminalBase(_) => "a base key of terminals",
        })
    }
}

/// Refuses a file of hundreds of certificates, such as a system's whole trust store.
fn at_most<'a>(blocks: Vec<Block<'a>>, what: &'static str) -> Result<Vec<Block<'a>>, SecretFault> {
    if blocks.len() > BLOCKS_MAX { Err(SecretFault::Count(what)) } else { Ok(blocks) }
}

/// Bytes from hex digits, which people like to write in groups.
fn hex_bytes(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits: Zeroizing<Vec<u8>> = Zeroizing::new(text.iter().copied().filter(|byte| *byte != b' ').collect());
    hex::decode(digits.as_slice()).ok().map(Zeroizing::new)
}

fn key_encryption(text: &[u8]) -> Result<CipherKey, SecretFault> {
    let (cipher, digits) = match text.strip_prefix(b"aes:") {
        Some(digits) => (Cipher::Aes, digits),
        None => (Cipher::Tdes, text),
    };
    let key = hex_bytes(digits).and_then(|bytes| CipherKey::new(cipher, bytes));
    // Under a key of 8 bytes nobody may seal another.
    key.filter(|key| key.bytes().len() >= 16 && !key.is_single_in_disguise())
        .ok_or(SecretFault::Length("32 or 48 hex digits, not the same 16 twice, or `aes:` and 32 or 64 hex digits"))
}

const PRIVATE: &str = "a private key";

fn rsa_private(text: &[u8]) -> Result<RsaPrivateKey, SecretFault> {
    let blocks = blocks(text)?;
    let [block] = blocks.as_slice() else { return Err(SecretFault::Count("one private key and nothing else")) };
    let key = match block.label {
        "PRIVATE KEY" => KeyPair::from_pkcs8(&block.der),
        "RSA PRIVATE KEY" => KeyPair::from_der(&block.der),
        // Which of the two a console gave is not written on it.
        "" => KeyPair::from_pkcs8(&block.der).or_else(|_| KeyPair::from_der(&block.der)),
        "ENCRYPTED PRIVATE KEY" => return Err(SecretFault::Locked),
        other => {
            let fix = "the private key is the file that the scheme never sees, often named …_key.pem";
            return Err(SecretFault::Other { found: named(other), wanted: PRIVATE, fix });
        }
    };
    // All that `ring` tells is a word.
    let signing = key.map_err(|error| match error.to_string().as_str() {
        "TooSmall" | "TooLarge" => SecretFault::Strength("2,048 to 4,096"),
        _ => SecretFault::Unreadable("an RSA private key without a password"),
    })?;
    Ok(RsaPrivateKey::new(signing, block.der.clone()))
}

/// A key that verifies.
pub(crate) struct RsaPublicKey {
    /// Of a certificate its serial number, of a key what its text names; else empty.
    id: String,
    key: UnparsedPublicKey<Vec<u8>>,
}

const PUBLIC: &str = "a public key or certificate";

impl RsaPublicKey {
    fn of_block(block: &Block<'_>) -> Result<Self, SecretFault> {
        let mut read = match block.label {
            "CERTIFICATE" | "PUBLIC KEY" | "" => Self::of_der(&block.der)?,
            other => {
                let fix = "the public key is the one that the scheme shows you, not your own";
                return Err(SecretFault::Other { found: named(other), wanted: PUBLIC, fix });
            }
        };
        if read.id.is_empty() {
            let line = block.before.trim().lines().next_back().unwrap_or_default();
            read.id = line.strip_prefix("Key-Id:").unwrap_or_default().trim().chars().take(128).collect();
        }
        Ok(read)
    }

    /// Of a certificate or a SubjectPublicKeyInfo (RFC 5280, section 4.1).
    fn of_der(der: &[u8]) -> Result<Self, SecretFault> {
        if let Ok((_, certificate)) = X509Certificate::from_der(der) {
            let serial: String = hex::encode_upper(certificate.raw_serial());
            let id = serial.trim_start_matches('0').to_owned();
            return Self::of_info(id, &certificate.tbs_certificate.subject_pki);
        }
        let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| SecretFault::Unreadable(PUBLIC))?;
        Self::of_info(String::new(), &info)
    }

    fn of_info(id: String, info: &SubjectPublicKeyInfo<'_>) -> Result<Self, SecretFault> {
        let strength = SecretFault::Strength("2,048 to 8,192");
        match info.parsed() {
            Ok(ParsedKey::RSA(key)) if (2_048..=8_192).contains(&key.key_size()) => {
                let bytes = info.subject_public_key.data.to_vec();
                Ok(Self { id, key: UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes) })
            }
            _ => Err(strength),
        }
    }

    /// As a scheme hands one out: PEM or DER.
    pub(crate) fn given(bytes: &[u8]) -> Result<Self, SecretFault> {
        if let Ok(read) = Self::of_der(bytes) {
            return Ok(read);
        }
        match blocks(bytes)?.as_slice() {
            [block] => Self::of_block(block),
            _ => Err(SecretFault::Count("one public key or certificate")),
        }
    }

    /// Serial numbers are compared as numbers: some write them with zeros in front, some in lower case.
    pub(crate) fn is_called(&self, id: &str) -> bool {
        let bare = |id: &str| id.trim_start_matches('0').to_ascii_uppercase();
        !self.id.is_empty() && (self.id == id || bare(&self.id) == bare(id))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub(crate) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(message, signature).is_ok()
    }
}

fn certificate(block: &Block<'_>) -> Result<CertificateDer<'static>, SecretFault> {
    if !matches!(block.label, "CERTIFICATE" | "") {
        let fix = "a certificate is public, and no key";
        return Err(SecretFault::Other { found: named(block.label), wanted: "a certificate", fix });
    }
    X509Certificate::from_der(&block.der).map_err(|_| SecretFault::Unreadable("a certificate"))?;
    Ok(CertificateDer::from(block.der.to_vec()))
}

fn client(text: &[u8]) -> Result<CertifiedKey, SecretFault> {
    let blocks = at_most(blocks(text)?, "a certificate, up to 6 that lead to its issuer, and the private key")?;
    let (certificates, keys): (Vec<_>, Vec<_>) = blocks.iter().partition(|block| block.label == "CERTIFICATE");
    let [key] = keys.as_slice() else {
        return Err(SecretFault::Count("the certificate and its private key, one after the other, in PEM"));
    };
    if certificates.is_empty() {
        return Err(SecretFault::Count("the certificate beside its private key, both in PEM"));
    }
    let chain = certificates.into_iter().map(certificate).collect::<Result<Vec<_>, _>>()?;
    let der = key.der.as_slice();
    let private = match key.label {
        "PRIVATE KEY" => PrivateKeyDer::Pkcs8(der.into()),
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(der.into()),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(der.into()),
        "ENCRYPTED PRIVATE KEY" => return Err(SecretFault::Locked),
        other => {
            let fix = "the private key belongs beside the certificate";
            return Err(SecretFault::Other { found: named(other), wanted: PRIVATE, fix });
        }
    };
    let signing = rustls::crypto::ring::sign::any_supported_type(&private)
        .map_err(|_| SecretFault::Unreadable("an RSA, ECDSA or Ed25519 private key without a password"))?;
    let certified = CertifiedKey::new(chain, signing);
    certified.keys_match().map_err(|_| SecretFault::NotItsKey)?;
    Ok(certified)
}

/// A block's label for a sentence: what people paste there is not quoted at length.
fn named(label: &str) -> String {
    match label {
        "" => "bare key".to_owned(),
        label => label.chars().take(40).collect::<String>().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use ring::{rand::SystemRandom, signature::RSA_PKCS1_SHA256};

    use super::*;

    const PKCS8: &str = include_str!("../../tests/keys/merchant-pkcs8.pem");
    const PKCS1: &str = include_str!("../../tests/keys/merchant-pkcs1.pem");
    const LOCKED: &str = include_str!("../../tests/keys/locked.pem");
    const WEAK: &str = include_str!("../../tests/keys/weak-pkcs8.pem");
    /// A modulus one bit short of 2,048, and a private exponent that is not the public one's.
    const SIGN_ALONE: [&str; 2] = [
        include_str!("../../tests/keys/signs-2047-bits.pem"),
        include_str!("../../tests/keys/signs-wrong-exponent.pem"),
    ];
    const PUBLIC: &str = include_str!("../../tests/keys/merchant-public.pem");
    const CERTIFICATE: &str = include_str!("../../tests/keys/scheme-certificate.pem");
    const MESSAGE: &[u8] = include_bytes!("../../tests/keys/message.txt");

    /// As a console shows it: one line of Base64.
    fn bare(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with("-----")).collect()
    }

    fn unbase64(text: &str) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.decode(text.trim()).expect("Base64")
    }

    /// `openssl dgst -sha256 -sign` made the signatures that are compared here.
    #[test]
    fn signatures_are_those_that_openssl_makes() {
        let theirs = unbase64(include_str!("../../tests/keys/merchant-signature.base64"));
        for text in [PKCS8.to_owned(), PKCS1.to_owned(), bare(PKCS8), bare(PKCS1), PKCS8.replace('\n', " ")] {
            let Ok(Key::RsaPrivate(key)) = Key::read(SecretKind::RsaPrivateKey, text.as_bytes()) else {
                panic!("{}", &text[..30])
            };
            let mut ours = vec![0; key.signing.public().modulus_len()];
            key.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), MESSAGE, &mut ours).expect("signed");
            assert_eq!(ours, theirs);
        }
    }

    /// One that an account has already goes on signing.
    #[test]
    fn a_key_that_opens_nothing_still_signs() {
        for text in SIGN_ALONE {
            let read = Key::read(SecretKind::RsaPrivateKey, text.as_bytes());
            let Ok(Key::RsaPrivate(key)) = read else { panic!("{read:?}") };
            let mut signature = vec![0; key.signing.public().modulus_len()];
            let signed = key.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), MESSAGE, &mut signature);
            assert!(signed.is_ok() && !key.opens());
        }
    }

    #[test]
    fn several_keys_verify_each_under_its_id() {
        let text = format!("{CERTIFICATE}\nKey-Id: PUB_KEY_ID_01\n{PUBLIC}");
        let Ok(Key::RsaPublic(keys)) = Key::read(SecretKind::RsaPublicKeys, text.as_bytes()) else { panic!("keys") };
        let scheme = unbase64(include_str!("../../tests/keys/scheme-signature.base64"));
        let merchant = unbase64(include_str!("../../tests/keys/merchant-signature.base64"));
        let fits = |id: &str, signature: &[u8]| {
            let called: Vec<_> = keys.iter().filter(|key| key.is_called(id)).collect();
            (called.len(), called.iter().any(|key| key.fits(MESSAGE, signature)))
        };
        assert_eq!(fits("5157F09EFDC096DE15EBE81A47057A7232F1B8E", &scheme), (1, true));
        assert_eq!(fits("05157f09efdc096de15ebe81a47057a7232f1b8e", &scheme), (1, true));
        assert_eq!(fits("5157F09EFDC096DE15EBE81A47057A7232F1B8E", &merchant), (1, false));
        assert_eq!(fits("PUB_KEY_ID_01", &merchant), (1, true));
        for unknown in ["", "0", "5157F0", "PUB_KEY_ID_02", "WECHATPAY/SIGNTEST/1"] {
            assert_eq!(fits(unknown, &merchant).0, 0, "{unknown}");
        }
        let mut broken = merchant.clone();
        broken[7] ^= 1;
        assert!(!keys[1].fits(MESSAGE, &broken) && !keys[1].fits(b"else", &merchant) && !keys[1].fits(MESSAGE, &[]));
        // A key without an id is called by none.
        let Ok(Key::RsaPublic(keys)) = Key::read(SecretKind::RsaPublicKeys, bare(PUBLIC).as_bytes()) else {
            panic!("keys")
        };
        assert!(!keys[0].is_called("") && keys[0].fits(MESSAGE, &merchant));
        for given in [CERTIFICATE.to_owned(), bare(CERTIFICATE)] {
            assert!(RsaPublicKey::given(given.as_bytes()).expect("a key").fits(MESSAGE, &scheme));
        }
        assert!(RsaPublicKey::given(&unbase64(&bare(PUBLIC))).expect("a key").fits(MESSAGE, &merchant));
        assert!(RsaPublicKey::given(b"nonsense").is_err() && RsaPublicKey::given(b"").is_err());
    }

    #[test]
    fn wrong_secrets_are_refused_in_words_for_people() {
        let client = |certificate: &str, key: &str| format!("{certificate}{key}");
        let many = CERTIFICATE.repeat(9);
        for (kind, text, why) in [
            (SecretKind::MacKey, "x", "ok"),
            (SecretKind::MacKey, "", "1 to 16,384 bytes"),
            (SecretKind::Text, "0201036c6e6402", "ok"),
            (SecretKind::Text, "short", "8 to 4,096"),
            (SecretKind::Text, "two\nlines of it", "printable ASCII"),
            (SecretKind::Text, "a space at the end ", "no space"),
            (SecretKind::Text, "密码密码密码", "printable ASCII"),
            (SecretKind::Aes256Key, "0123456789abcdef0123456789abcdef", "ok"),
            (SecretKind::Aes256Key, "0123456789abcdef", "exactly 32"),
            (SecretKind::Aes256Key, "0123456789abcdef0123456789abcdé", "exactly 32"),
            (SecretKind::KeyEncryptionKey, "11223344 55667788 99AABBCC DDEEFF00", "ok"),
            (SecretKind::KeyEncryptionKey, "aes:00112233445566778899AABBCCDDEEFF", "ok"),
            (SecretKind::KeyEncryptionKey, "0123456789ABCDEF", "32 or 48 hex digits"),
            (SecretKind::KeyEncryptionKey, "0123456789ABCDEF0123456789ABCDEF", "not the same 16 twice"),
            (SecretKind::KeyEncryptionKey, "aes:0123", "32 or 64"),
            (SecretKind::TerminalDataKey, "0123456789ABCDEFFEDCBA9876543210", "ok"),
            (SecretKind::TerminalPinKey, "0123456789ABCDEFFEDCBA987654321", "32 hex digits"),
            (SecretKind::TerminalPinKey, "0123456789ABCDEFFEDCBA98765432xy", "32 hex digits"),
            (SecretKind::RsaPrivateKey, PUBLIC, "it is a public key, and a private key is wanted here"),
            (SecretKind::RsaPrivateKey, CERTIFICATE, "it is a certificate, and"),
            (SecretKind::RsaPrivateKey, LOCKED, "locked by a password"),
            (SecretKind::RsaPrivateKey, WEAK, "2,048 to 4,096 bits"),
            (SecretKind::RsaPrivateKey, PKCS8, "ok"),
            (SecretKind::RsaPrivateKey, PKCS1, "ok"),
            (SecretKind::RsaPrivateKey, SIGN_ALONE[0], "does not open what is sealed for it; make a new one"),
            (SecretKind::RsaPrivateKey, SIGN_ALONE[1], "does not open what is sealed for it; make a new one"),
            (SecretKind::RsaPrivateKey, &PKCS8[..400], "cut off"),
            (SecretKind::RsaPrivateKey, "my key", "no PEM block"),
            (SecretKind::RsaPrivateKey, &bare(PUBLIC), "cannot be read as an RSA private key"),
            (SecretKind::RsaPrivateKey, &client(PKCS8, PKCS8), "one private key"),
            (SecretKind::RsaPublicKeys, PKCS8, "it is a private key, and a public key"),
            (SecretKind::RsaPublicKeys, &bare(PKCS8), "cannot be read as a public key"),
            (SecretKind::RsaPublicKeys, &many, "1 to 8"),
            (SecretKind::Certificates, CERTIFICATE, "ok"),
            (SecretKind::Certificates, PUBLIC, "it is a public key, and a certificate"),
            (SecretKind::Certificates, &many, "1 to 8"),
            (SecretKind::ClientCertificate, CERTIFICATE, "and its private key"),
            (SecretKind::ClientCertificate, PKCS8, "beside its private key"),
            (SecretKind::ClientCertificate, &client(CERTIFICATE, PKCS8), "not of this private key"),
            (SecretKind::ClientCertificate, &client(CERTIFICATE, LOCKED), "locked"),
        ] {
            let told = kind.check(text.as_bytes()).map_or_else(|fault| fault.to_string(), |()| "ok".to_owned());
            assert!(told.contains(why), "{kind:?}: {told}, not {why}");
        }
    }
}
