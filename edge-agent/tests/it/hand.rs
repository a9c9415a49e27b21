//! The key and certificate of a terminal that nobody enrolled, the same for as long as the tests run.

use std::sync::OnceLock;

use rcgen::{CertificateParams, KeyPair};
use saoma_edge::signer::Signer;
use saoma_protocol::{TenantId, TerminalId};

pub fn signer() -> Signer {
    static PEMS: OnceLock<(String, String)> = OnceLock::new();
    let (chain, key) = PEMS.get_or_init(|| {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::default().self_signed(&key).unwrap().pem(), key.serialize_pem())
    });
    Signer::new(TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]), chain, key).unwrap()
}
