//! The texts that are signed, and the headers that carry signatures.
//!
//! Source: `doc/v3/merchant/4012365342` (requests) and `4013053420` (answers and notifications): SHA256-RSA2048, every line of the
//! text ended by LF, the last too.

use saoma_channel_sdk::Error;

use super::settings::Settings;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// An answer that is older, or further ahead, is refused: it may be another's answer, played again.
const AGE_SECONDS_MAX: u64 = 300;
/// What WeChat Pay puts in front of a signature to see whether the merchant checks it.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// What the signature of a request is over. `path` with its query, as it is sent.
#[must_use]
pub fn request_text(method: &str, path: &str, timestamp: &str, nonce: &str, body: &str) -> Vec<u8> {
    format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n").into_bytes()
}

/// What the signature of an answer or a notification is over.
#[must_use]
pub fn answer_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// The header `Authorization`. The nonce is of letters and digits, the signature Base64: nothing in here needs escaping.
#[must_use]
pub fn authorization(settings: &Settings, timestamp: &str, nonce: &str, signature: &str) -> String {
    let Settings { mchid, merchant_serial, .. } = settings;
    format!(
        r#"{SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",timestamp="{timestamp}",serial_no="{merchant_serial}""#
    )
}

/// How an answer or a notification is signed: by which key, and over what beside the body. Not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub timestamp: &'a str,
    pub nonce: &'a str,
    pub base64: &'a str,
    /// A platform certificate's serial number, or `PUB_KEY_ID_…`.
    pub serial: &'a str,
}

impl<'a> Signature<'a> {
    /// From the headers, with names in lower case. `now` in milliseconds since 1970.
    ///
    /// # Errors
    /// In words: a header is missing, is no signature of this kind, or is more than five minutes from now.
    pub fn of(headers: &'a [(String, String)], now: i64) -> Result<Self, String> {
        let find = |name: &str| headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let header = |name: &str| find(name).ok_or_else(|| format!("it has no {name}"));
        let signature = Self {
            timestamp: header("wechatpay-timestamp")?,
            nonce: header("wechatpay-nonce")?,
            base64: header("wechatpay-signature")?,
            serial: header("wechatpay-serial")?,
        };
        if let Some(other) = find("wechatpay-signature-type").filter(|kind| *kind != SCHEME) {
            return Err(format!("it is signed by {other:?}, which is not known here"));
        }
        if signature.base64.starts_with(PROBE) {
            return Err("its signature is one of WeChat Pay's probes".to_owned());
        }
        let seconds: i64 = signature.timestamp.parse().map_err(|_| "its timestamp is no number".to_owned())?;
        if now.div_euclid(1_000).abs_diff(seconds) > AGE_SECONDS_MAX {
            return Err(format!(
                "its timestamp {seconds} is more than {AGE_SECONDS_MAX} s from this machine's clock, or it is an old one"
            ));
        }
        Ok(signature)
    }

    #[must_use]
    pub fn text(&self, body: &[u8]) -> Vec<u8> {
        answer_text(self.timestamp, self.nonce, body)
    }

    /// Whether a platform certificate made it, rather than a public key: the former follow each other, and can be fetched.
    #[must_use]
    pub fn is_by_certificate(&self) -> bool {
        super::settings::is_serial(self.serial)
    }
}

/// A path and query of a URL, for signing.
///
/// # Errors
/// `no-answer` if the URL has none.
pub(super) fn path_of(url: &str) -> Result<&str, Error> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map(|start| &rest[start..]).filter(|_| !rest.starts_with('/') && !rest.contains('#'));
    path.ok_or_else(|| saoma_channel_sdk::no_answer("the address of the bill cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn headers(changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = vec![
            ("wechatpay-timestamp", "1700000000"),
            ("wechatpay-nonce", "abc"),
            ("wechatpay-signature", "c2ln"),
            ("wechatpay-serial", "5157F0"),
            ("wechatpay-signature-type", SCHEME),
        ];
        for (name, value) in changes {
            all.retain(|(given, _)| given != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn texts() {
        assert_eq!(request_text("GET", "/v3/x?a=b", "17", "ab", ""), b"GET\n/v3/x?a=b\n17\nab\n\n");
        assert_eq!(request_text("POST", "/v3/x", "17", "ab", "{}"), b"POST\n/v3/x\n17\nab\n{}\n");
        assert_eq!(answer_text("17", "ab", b"\xff"), b"17\nab\n\xff\n");
        assert_eq!(answer_text("17", "ab", b""), b"17\nab\n\n");
    }

    #[test]
    fn headers_that_are_no_signature() {
        for (change, why) in [
            (("wechatpay-timestamp", ""), Some("no wechatpay-timestamp")),
            (("wechatpay-nonce", ""), Some("no wechatpay-nonce")),
            (("wechatpay-signature", ""), Some("no wechatpay-signature")),
            (("wechatpay-serial", ""), Some("no wechatpay-serial")),
            (("wechatpay-signature-type", ""), None),
            (("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3"), Some("SM3")),
            (("wechatpay-signature", "WECHATPAY/SIGNTEST/c2ln"), Some("probes")),
            (("wechatpay-timestamp", "soon"), Some("no number")),
            (("wechatpay-timestamp", "1699999700"), None),
            (("wechatpay-timestamp", "1699999699"), Some("300 s")),
            (("wechatpay-timestamp", "1700000300"), None),
            (("wechatpay-timestamp", "1700000301"), Some("300 s")),
            (("wechatpay-timestamp", "-9223372036854775808"), Some("300 s")),
        ] {
            let headers = headers(&[change]);
            let told = Signature::of(&headers, NOW);
            match why {
                None => assert!(told.is_ok(), "{change:?}: {told:?}"),
                Some(why) => assert!(told.clone().is_err_and(|told| told.contains(why)), "{change:?}: {told:?}"),
            }
        }
    }

    #[test]
    fn certificates_and_public_keys() {
        for (serial, is_by_certificate) in
            [("5157F09E", true), ("PUB_KEY_ID_0114", false), ("", false), ("../x", false)]
        {
            let signature = Signature { timestamp: "", nonce: "", base64: "", serial };
            assert_eq!(signature.is_by_certificate(), is_by_certificate, "{serial}");
        }
    }

    #[test]
    fn paths() {
        let url = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a%2Fb";
        assert_eq!(path_of(url), Ok("/v3/billdownload/file?token=a%2Fb"));
        for url in ["", "/v3", "https://x", "https:///v3", "https://x/v3#y"] {
            assert!(path_of(url).is_err(), "{url}");
        }
    }
}
