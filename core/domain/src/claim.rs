//! Which channel a scanned customer code belongs to, by what each plugin's manifest claims. No channel is named here.

use saoma_protocol::barcode::unprefixed;

/// One claim of a channel, as its manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// All digits, a prefix within the inclusive range (both ends of equal length) and a length within the range.
    Digits { prefix_from: String, prefix_to: String, length_min: usize, length_max: usize },
    /// An EMVCo consumer-presented code that names an application id with this prefix (upper-case hex).
    EmvcoCpmAid(String),
    /// Any text with this prefix.
    TextPrefix(String),
}

/// Why a scanned text is no customer code at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("the code is shorter than 10 or longer than 512 characters")]
    Length,
    #[error("this is a code that a shop shows; ask the customer to open the pay-code page of the wallet")]
    WrongDirection,
    #[error("the code holds characters that no payment code has")]
    Characters,
}

/// A scanned text in the form that claims are matched on. Never printed: it is a bearer credential for about a minute.
#[derive(Clone, PartialEq, Eq)]
pub struct ScannedCode(String);

impl std::fmt::Debug for ScannedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScannedCode({} characters)", self.0.len())
    }
}

impl ScannedCode {
    /// Strips what scanners add (CR, LF, TAB, spaces, an AIM symbology identifier such as `]Q3`, ISO/IEC 15424).
    ///
    /// # Errors
    /// In this order: `Length`, `Characters`, `WrongDirection` (an EMVCo merchant code `000201…`, a link).
    pub fn read(scanned: &str) -> Result<Self, CodeError> {
        let text = unprefixed(scanned);
        if !(10..=512).contains(&text.len()) {
            return Err(CodeError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CodeError::Characters);
        }
        let lower = text.to_ascii_lowercase();
        if text.starts_with("000201")
            || ["http://", "https://", "weixin://", "alipays://"].iter().any(|scheme| lower.starts_with(scheme))
        {
            return Err(CodeError::WrongDirection);
        }
        Ok(Self(text.to_owned()))
    }

    /// The normalised text, for the one channel that charges it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn fits(&self, claim: &Claim) -> bool {
        match claim {
            Claim::Digits { prefix_from, prefix_to, length_min, length_max } => {
                self.0.bytes().all(|byte| byte.is_ascii_digit())
                    && (*length_min..=*length_max).contains(&self.0.len())
                    && self
                        .0
                        .get(..prefix_from.len())
                        .is_some_and(|prefix| (prefix_from.as_str()..=prefix_to.as_str()).contains(&prefix))
            }
            Claim::EmvcoCpmAid(aid) => {
                emvco_aids(&self.0).iter().any(|known| known.starts_with(&aid.to_ascii_uppercase()))
            }
            Claim::TextPrefix(prefix) => self.0.starts_with(prefix.as_str()),
        }
    }
}

/// The application ids (tag 4F in templates 61) of an EMVCo CPM code (QRCPS-CPM 1.1: Base64 of BER-TLV that begins with
/// tag 85 `CPV01`), in upper-case hex; empty if it is none.
fn emvco_aids(code: &str) -> Vec<String> {
    let Ok(bytes) = data_encoding::BASE64.decode(code.as_bytes()) else { return Vec::new() };
    if !bytes.starts_with(b"\x85\x05CPV01") {
        return Vec::new();
    }
    tlv(&bytes)
        .into_iter()
        .filter(|(tag, _)| *tag == 0x61)
        .flat_map(|(_, template)| tlv(template))
        .filter(|(tag, _)| *tag == 0x4F)
        .map(|(_, aid)| data_encoding::HEXUPPER.encode(aid))
        .collect()
}

/// The objects of one level; stops at the first that does not fit, since the rest cannot be trusted.
fn tlv(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut objects = Vec::new();
    while let Some((tag, rest)) = tlv_tag(bytes) {
        let Some((len, rest)) = tlv_len(rest) else { break };
        let Some((value, rest)) = rest.split_at_checked(len) else { break };
        objects.push((tag, value));
        bytes = rest;
    }
    objects
}

fn tlv_tag(bytes: &[u8]) -> Option<(u16, &[u8])> {
    match bytes {
        [first, second, rest @ ..] if first & 0x1F == 0x1F => Some((u16::from_be_bytes([*first, *second]), rest)),
        [first, rest @ ..] if first & 0x1F != 0x1F => Some((u16::from(*first), rest)),
        _ => None,
    }
}

fn tlv_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [0x81, len, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        [len, rest @ ..] if *len < 0x80 => Some((usize::from(*len), rest)),
        _ => None,
    }
}
