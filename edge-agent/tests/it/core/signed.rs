//! Whose word an entry is.

use saoma_edge::signer::public_key;
use saoma_protocol::{
    TenantId, TerminalId,
    journal::{Entry, signed_bytes},
};

/// The certificate by whose key the terminal of these tests has signed the entry. Whose certificate it is, the door knows.
pub fn by(entry: &Entry, certificates: &[String]) -> Result<String, String> {
    let signature = entry.signature.as_ref().ok_or("it is not signed")?;
    let (tenant, terminal) = (TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]));
    let signed = signed_bytes(tenant, terminal, entry.sequence, &entry.hash());
    let named = certificates.iter().find(|certificate| serial(certificate).as_ref() == Some(&signature.certificate));
    let key = named.and_then(|certificate| public_key(certificate)).ok_or("its certificate did not come along")?;
    if signature.fits(&key, &signed) {
        Ok(signature.certificate.clone())
    } else {
        Err("its signature does not fit".to_owned())
    }
}

fn serial(certificate: &str) -> Option<String> {
    let der = data_encoding::BASE64.decode(certificate.as_bytes()).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    Some(certificate.serial.to_str_radix(16))
}
