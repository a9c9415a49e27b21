//! A terminal's hand: what it journals it signs, as the agent does, by a library that core's check does not share code with in this place.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use saoma_protocol::{
    TenantId, TerminalId,
    journal::{Entry, EntrySignature},
    message::JournalBatch,
};
use saoma_server::fleet::ca::terminal_of;

use crate::fleet_client::Identity;

impl Identity {
    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.chain_pem.as_bytes()).unwrap()
    }

    /// As a batch brings it.
    pub fn certificate_text(&self) -> String {
        BASE64.encode(&self.certificate())
    }

    /// Signs the entry for that terminal of that tenant, whosever key this is.
    pub fn sign(&self, tenant: TenantId, terminal: TerminalId, entry: &Entry) -> EntrySignature {
        let (_, certificate) = terminal_of(&self.certificate()).unwrap();
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der(), &random);
        let said = [
            b"saoma journal signature 1".as_slice(),
            tenant.as_bytes(),
            terminal.as_bytes(),
            &entry.sequence.0.to_be_bytes(),
            &entry.hash(),
        ];
        let value = key.unwrap().sign(&random, &said.concat()).unwrap();
        EntrySignature { certificate, value: BASE64URL_NOPAD.encode(value.as_ref()) }
    }

    /// The entries as this identity's own terminal sends them.
    pub fn signed(&self, tenant: TenantId, entries: &[Entry]) -> JournalBatch {
        let (terminal, _) = terminal_of(&self.certificate()).unwrap();
        let sign = |entry: &Entry| Entry { signature: Some(self.sign(tenant, terminal, entry)), ..entry.clone() };
        JournalBatch { entries: entries.iter().map(sign).collect(), certificates: vec![self.certificate_text()] }
    }
}
