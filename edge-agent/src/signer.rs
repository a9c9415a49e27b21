//! The terminal's hand: the key of its certificate signs each entry of the journal, so that core knows who wrote it, whatever carried it.
//!
//! A certificate that follows has a key of its own, and a signature names its certificate: what waits for a line longer than a certificate
//! is in use is still somebody's word.

use std::fmt;

use data_encoding::BASE64;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use saoma_protocol::{
    Amount, Millis, Sequence, TenantId, TerminalId,
    code::phone::{PhoneCode, PhoneSale, Serial},
    journal::{EntrySignature, signed_bytes},
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("sign with the terminal's certificate: it cannot be read")]
    Certificate,
    #[error("sign with the terminal's key: it is no key of P-256 in PKCS #8")]
    Key,
    #[error("sign an entry of the journal: the operating system gives no random bytes")]
    Chance,
    #[error("sign an entry of the journal: it was opened without the terminal's key")]
    Nobody,
}

/// Does not print its key.
pub struct Signer {
    tenant: TenantId,
    terminal: TerminalId,
    serial: String,
    /// DER in base64, as a batch brings it.
    certificate: String,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.serial)
    }
}

impl Signer {
    /// With the first certificate in `chain_pem`, and its key.
    ///
    /// # Errors
    /// `Certificate`, `Key`.
    pub fn new(tenant: TenantId, terminal: TerminalId, chain_pem: &str, key_pem: &str) -> Result<Self, SignerError> {
        let der = CertificateDer::from_pem_slice(chain_pem.as_bytes()).map_err(|_| SignerError::Certificate)?;
        let serial = look(&der, |certificate| certificate.serial.to_str_radix(16)).ok_or(SignerError::Certificate)?;
        let random = SystemRandom::new();
        let Ok(PrivateKeyDer::Pkcs8(key)) = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()) else {
            return Err(SignerError::Key);
        };
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &random);
        let (key, certificate) = (key.map_err(|_| SignerError::Key)?, BASE64.encode(&der));
        Ok(Self { tenant, terminal, serial, certificate, key, random })
    }

    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What signatures name.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// DER in base64.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The signature of the entry `sequence` with that hash.
    ///
    /// # Errors
    /// `Chance`.
    pub fn sign(&self, sequence: Sequence, hash: &[u8; 32]) -> Result<EntrySignature, SignerError> {
        let signed = signed_bytes(self.tenant, self.terminal, sequence, hash);
        let value = self.key.sign(&self.random, &signed).map_err(|_| SignerError::Chance)?;
        Ok(EntrySignature::new(self.serial.clone(), value.as_ref()))
    }

    /// The code by which the customer's phone carries a sale to core. `at`: core's clock; what is less than a second is left out.
    ///
    /// # Errors
    /// `Certificate` if its serial number is longer than there are, or the moment is none of this century's; `Chance`.
    pub fn phone_code(
        &self,
        counter: Sequence,
        amount: Amount,
        at: Millis,
        lives_seconds: u16,
    ) -> Result<PhoneCode, SignerError> {
        let certificate = Serial::of_hex(&self.serial).ok_or(SignerError::Certificate)?;
        let made_at = u32::try_from(at.0.div_euclid(1_000)).map_err(|_| SignerError::Certificate)?;
        let (tenant, terminal) = (self.tenant, self.terminal);
        let sale = PhoneSale { tenant, terminal, counter, amount, made_at, lives_seconds, certificate };
        let value = self.key.sign(&self.random, &sale.signed_bytes()).map_err(|_| SignerError::Chance)?;
        let signature = value.as_ref().try_into().map_err(|_| SignerError::Key)?;
        Ok(PhoneCode { sale, signature })
    }
}

/// The public key in a certificate, as a batch brings it; none if it cannot be read.
#[must_use]
pub fn public_key(certificate: &str) -> Option<Vec<u8>> {
    let der = BASE64.decode(certificate.as_bytes()).ok()?;
    look(&der, |certificate| certificate.public_key().subject_public_key.data.to_vec())
}

fn look<T>(der: &[u8], look: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| look(&certificate))
}
