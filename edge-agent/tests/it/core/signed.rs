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
    let fits =
        certificates.iter().filter_map(|certificate| public_key(certificate)).any(|key| signature.fits(&key, &signed));
    if fits { Ok(signature.certificate.clone()) } else { Err("its signature does not fit".to_owned()) }
}
