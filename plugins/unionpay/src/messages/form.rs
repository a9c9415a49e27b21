//! Fields, and the three ways in which they are written: the text that is signed, a form body (requests and notifications), and
//! the bare `name=value&…` of a synchronous answer, which is not percent-encoded.
//!
//! Source: UnionPay's Online Payment SDK for 5.1.0 (signing and the reading of answers), the same in its Java, PHP and C# editions.

use std::collections::BTreeMap;

use saoma_channel_sdk::to_hex;
use sha2::{Digest as _, Sha256};

/// More than any message of the protocol has.
const FIELDS_MAX: usize = 200;
const SIGNATURE: &str = "signature";

/// The fields of one message, each once, in the order in which they are signed: by the bytes of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(BTreeMap<String, String>);

impl Message {
    /// A field's value; empty if it is not there, as the protocol does not tell these apart.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Puts a field in; an empty one is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// All fields but `signature`, as `name=value` joined by `&`, not encoded.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let fields = self.0.iter().filter(|(name, _)| *name != SIGNATURE);
        fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// `application/x-www-form-urlencoded` in UTF-8.
    #[must_use]
    pub fn form(&self) -> String {
        let fields = self.0.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        fields.collect::<Vec<_>>().join("&")
    }

    /// A form body, as notifications come.
    ///
    /// # Errors
    /// What is wrong with it: no UTF-8, no form, a field twice, too many.
    pub fn from_form(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        Self::collected(text.split('&').map(|field| {
            let (name, value) = field.split_once('=').ok_or("it is no form")?;
            Ok((unescaped(name)?, unescaped(value)?))
        }))
    }

    /// A synchronous answer. Values hold what they want, also `=`, and `&` between braces or brackets (`{a=b&c=d}`).
    ///
    /// # Errors
    /// As [`Message::from_form`].
    pub fn from_answer(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        Self::collected(split_answer(text).into_iter().map(|field| {
            let (name, value) = field.split_once('=').ok_or("it is no list of fields")?;
            Ok((name.to_owned(), value.to_owned()))
        }))
    }

    fn collected(fields: impl Iterator<Item = Result<(String, String), String>>) -> Result<Self, String> {
        let mut message = BTreeMap::new();
        for field in fields {
            let (name, value) = field?;
            if message.len() == FIELDS_MAX {
                return Err(format!("it has more than {FIELDS_MAX} fields"));
            }
            if message.insert(name.clone(), value).is_some() {
                let name: String = name.chars().take(40).collect();
                return Err(format!("the field {name:?} is there twice"));
            }
        }
        Ok(Self(message))
    }
}

/// SHA-256 of the text in lower-case hex: over these 64 characters RSA with SHA-256 is computed once more.
#[must_use]
pub fn digest_hex(text: &str) -> String {
    to_hex(&Sha256::digest(text.as_bytes()))
}

fn split_answer(text: &str) -> Vec<&str> {
    let (mut fields, mut start) = (Vec::new(), 0);
    let (mut is_value, mut closer) = (false, None);
    for (at, byte) in text.bytes().enumerate() {
        match (byte, closer) {
            (b'=', None) => is_value = true,
            (b'{', None) if is_value => closer = Some(b'}'),
            (b'[', None) if is_value => closer = Some(b']'),
            (b'&', None) => {
                fields.push(&text[start..at]);
                (start, is_value) = (at + 1, false);
            }
            (byte, Some(awaited)) if byte == awaited => closer = None,
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => {
                escaped.push('%');
                escaped.push_str(&to_hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    escaped
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (pair, after) = rest.split_at_checked(2).ok_or("a % has no two digits behind it")?;
                rest = after;
                let pair = std::str::from_utf8(pair).ok().and_then(saoma_channel_sdk::from_hex);
                *pair.as_deref().and_then(<[u8]>::first).ok_or("a % has no two digits behind it")?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "a field is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_signed_text_is_sorted_by_bytes_and_leaves_the_signature_out() {
        let message =
            Message::default().with("txnType", "01").with("signature", "x").with("backUrl", "http://a/?b=c&d");
        let message = message.with("Zone", "1").with("empty", "");
        assert_eq!(message.signed_text(), "Zone=1&backUrl=http://a/?b=c&d&txnType=01");
        assert_eq!(digest_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn answers() {
        let read = |text: &str| Message::from_answer(text.as_bytes());
        let answer =
            read("respMsg=成功[0000000]&cust={a=1&b=[2}&cert=--\r\nAB+/==\r\n--&none=&signature=a+b/c==").unwrap();
        assert_eq!(answer.get("respMsg"), "成功[0000000]");
        assert_eq!(answer.get("cust"), "{a=1&b=[2}");
        assert_eq!(answer.get("cert"), "--\r\nAB+/==\r\n--");
        assert_eq!((answer.get("none"), answer.get("signature"), answer.get("other")), ("", "a+b/c==", ""));
        // An empty field counts as sent: the far side signed it too.
        assert!(answer.signed_text().contains("&none=&"));
        for broken in ["", "<html>502 Bad Gateway</html>", "a", "a=1&&b=2", "a=1&a=1", "a=1&b"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        // A bracket that is never closed swallows the rest, and with it the signature.
        assert_eq!(read("respMsg=[1&signature=x").unwrap().get("signature"), "");
        assert!(Message::from_answer(b"a=\xff").is_err());
        let many = (0..=FIELDS_MAX).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join("&");
        assert!(read(&many).is_err());
    }

    #[test]
    fn forms() {
        let read = |text: &str| Message::from_form(text.as_bytes());
        let form = read("respMsg=%E6%88%90%E5%8A%9F%5B0%5D&signature=a%2Bb%3d&c=--BEGIN+X%0D%0A&e=").unwrap();
        assert_eq!((form.get("respMsg"), form.get("signature"), form.get("c")), ("成功[0]", "a+b=", "--BEGIN X\r\n"));
        for broken in ["", "a", "a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "a=1&a=2", "a=1&%61=2", "a=%é"] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn a_form_comes_back(fields in proptest::collection::btree_map("[a-zA-Z]{1,8}", "\\PC{1,20}", 1..8)) {
            let message = Message(fields);
            prop_assert_eq!(Message::from_form(message.form().as_bytes()), Ok(message));
        }

        #[test]
        fn no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Message::from_form(&body), Message::from_answer(&body));
        }
    }
}
