//! Secrets of somebody else: each of its kind, and none that the far side knows.

use crate::manifest::SecretKind;

/// Made for this alone; nobody uses them.
const KEY: &str = include_str!("../../../../sdk/conformance/foreign-key.pem");
const PUBLIC_KEY: &str = include_str!("../../../../sdk/conformance/foreign-public.pem");
const CERTIFICATE: &str = include_str!("../../../../sdk/conformance/foreign-certificate.pem");
/// How a manifest's secret says which of several keys a PEM block is.
const KEY_ID: &str = "Key-Id:";

/// A key that nobody has in use.
const HEX_KEY: &str = "1f3d5b79a7c5e3016f4d2b0998badcfe";

/// Another secret of that kind in the place of `genuine`.
pub(super) fn instead_of(genuine: &str, kind: SecretKind) -> String {
    match kind {
        SecretKind::MacKey | SecretKind::Text | SecretKind::Aes256Key => genuine.chars().map(other).collect(),
        SecretKind::RsaPrivateKey => KEY.to_owned(),
        SecretKind::RsaPublicKeys if genuine.contains("BEGIN CERTIFICATE") => CERTIFICATE.to_owned(),
        // Under the ids of the genuine ones, so that it is found and does not verify.
        SecretKind::RsaPublicKeys => {
            let ids: Vec<&str> = genuine.lines().filter(|line| line.starts_with(KEY_ID)).collect();
            match ids.as_slice() {
                [] => PUBLIC_KEY.to_owned(),
                ids => ids.iter().map(|id| format!("{id}\n{PUBLIC_KEY}")).collect(),
            }
        }
        SecretKind::ClientCertificate => format!("{CERTIFICATE}{KEY}"),
        SecretKind::Certificates => CERTIFICATE.to_owned(),
        SecretKind::KeyEncryptionKey if genuine.starts_with("aes:") => format!("aes:{HEX_KEY}"),
        SecretKind::KeyEncryptionKey | SecretKind::TerminalDataKey | SecretKind::TerminalPinKey => HEX_KEY.to_owned(),
    }
}

/// A neighbour of the same sort, so that lengths and alphabets stay what the kind wants.
fn other(letter: char) -> char {
    match letter {
        '9' => '0',
        'z' => 'a',
        'Z' => 'A',
        '0'..='8' | 'a'..='y' | 'A'..='Y' => char::from_u32(u32::from(letter) + 1).unwrap_or(letter),
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_sound_of_its_kind_and_another() {
        for (kind, genuine) in [
            (SecretKind::MacKey, "merchant key 9zZ"),
            (SecretKind::Text, "token-12345678"),
            (SecretKind::Aes256Key, "0123456789abcdef0123456789abcdef"),
            (SecretKind::RsaPrivateKey, ""),
            (SecretKind::RsaPublicKeys, ""),
            (SecretKind::RsaPublicKeys, "Key-Id: PUB_1\n-----BEGIN PUBLIC KEY-----\n"),
            (SecretKind::RsaPublicKeys, "-----BEGIN CERTIFICATE-----\n"),
            (SecretKind::ClientCertificate, ""),
            (SecretKind::Certificates, ""),
            (SecretKind::KeyEncryptionKey, ""),
            (SecretKind::KeyEncryptionKey, "aes:"),
            (SecretKind::TerminalDataKey, ""),
        ] {
            let foreign = instead_of(genuine, kind);
            assert_ne!(foreign, genuine);
            kind.check(foreign.as_bytes()).unwrap_or_else(|fault| panic!("{kind:?}: {fault}"));
        }
    }
}
