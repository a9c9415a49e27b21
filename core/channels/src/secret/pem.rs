//! PEM (RFC 7468) as people paste it: with or without its line breaks, with lines of explanation between blocks; or, as some
//! schemes' consoles give keys, the bare Base64 of one DER.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::key::SecretFault;

/// One block, and the lines before it.
pub(crate) struct Block<'a> {
    /// `PRIVATE KEY`, `CERTIFICATE`, …; empty for bare Base64.
    pub(crate) label: &'a str,
    /// What stands between the block before and this one.
    pub(crate) before: &'a str,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The blocks of a text, at least one.
///
/// # Errors
/// `NotPem`, `CutOff`, `NotBase64`.
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, SecretFault> {
    let text = std::str::from_utf8(text).map_err(|_| SecretFault::NotPem)?;
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((before, begun)) = rest.split_once(BEGIN) {
        let (label, body) = begun.split_once(DASHES).ok_or(SecretFault::CutOff)?;
        let (base64, ended) = body.split_once(END).ok_or(SecretFault::CutOff)?;
        rest = ended.strip_prefix(label).and_then(|rest| rest.strip_prefix(DASHES)).ok_or(SecretFault::CutOff)?;
        blocks.push(Block { label, before, der: decoded(base64).ok_or(SecretFault::NotBase64)? });
    }
    if blocks.is_empty() {
        let der = decoded(text).filter(|der| !der.is_empty()).ok_or(SecretFault::NotPem)?;
        blocks.push(Block { label: "", before: "", der });
    }
    Ok(blocks)
}

fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    STANDARD.decode(&digits).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_as_people_paste_them() {
        let read = |text: &str| {
            let blocks = blocks(text.as_bytes()).map_err(|fault| fault.to_string())?;
            let told =
                |block: &Block<'_>| format!("{}|{}|{}", block.before.trim(), block.label, hex::encode(&*block.der));
            Ok::<_, String>(blocks.iter().map(told).collect::<Vec<_>>().join(" "))
        };
        for (text, expected) in [
            ("-----BEGIN A KEY-----\nAQID\n-----END A KEY-----\n", "|A KEY|010203"),
            ("-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----", "|A|010203"),
            // A field of one line makes spaces of line breaks, or nothing.
            ("-----BEGIN A----- AQ ID -----END A-----", "|A|010203"),
            ("-----BEGIN A-----AQID-----END A-----", "|A|010203"),
            (
                "Key-Id: 7\n-----BEGIN A-----\nAQ==\n-----END A-----\nnext\n-----BEGIN B-----\nAg==\n-----END B-----",
                "Key-Id: 7|A|01 next|B|02",
            ),
            ("AQID", "||010203"),
            (" AQ\nID ", "||010203"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, why) in [
            ("", "no PEM"),
            ("a password", "no PEM"),
            ("-----BEGIN A-----\nAQID", "cut off"),
            ("-----BEGIN A-----\nAQID\n-----END B-----", "cut off"),
            ("-----BEGIN A", "cut off"),
            ("-----BEGIN A-----\nA!ID\n-----END A-----", "Base64"),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.contains(why), "{text}: {fault}");
        }
        assert!(super::blocks(&[0xff, 0xfe]).is_err());
    }
}
