//! What enrolment leaves behind, made without a core. Tests and the bench use it.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use saoma_edge::link::identity::{DataDir, Identity};
use saoma_protocol::{Currency, StoreId, TenantId, TerminalId, api::TerminalProfile};

/// From a CA of its own. Nobody is at core's address: the till opens all the same.
pub fn enrolled(path: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca_params = CertificateParams::default();
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::default().signed_by(&key, &Issuer::new(ca_params, ca_key)).unwrap();
    let identity = Identity {
        v: Identity::version(),
        core_url: "https://127.0.0.1:1".to_owned(),
        tenant: TenantId::from_bytes([1; 16]),
        terminal: TerminalId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
        mqtt_host: "127.0.0.1".to_owned(),
        mqtt_port: 1,
        profile: TerminalProfile {
            merchant_name: "Saoma Tea".to_owned(),
            store_name: "Zhongshan Road".to_owned(),
            terminal_name: "Till 1".to_owned(),
            currency: Currency::CNY,
            rules: false,
        },
        ca_pem: ca.pem(),
        certificate_chain_pem: own.pem(),
        key_file: String::new(),
    };
    DataDir::open(path).unwrap().switch_to(identity, &key.serialize_pem()).unwrap();
}
