//! Text that comes in another encoding than UTF-8, as bills of older schemes do.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::{Error, no_answer};

/// The text of an answer's `body`, in the encoding that its `content_type` names: UTF-8 without one. A byte order mark is
/// believed before it, and taken away.
///
/// Decode once a signature over the bytes is verified, and before anything is looked for in them: a letter of GB18030 may
/// have a `\` or a `|` for its second byte. Bytes that are no text become U+FFFD and harm nothing around them; a field that you
/// match by and that has the mark ([`is_garbled`]) makes its row `unreadable`.
///
/// # Errors
/// `no-answer` for an encoding that has no decoder. Source: WHATWG Encoding, "decode" and the labels (GBK and GB 2312 are read
/// as GB18030).
pub fn text<'a>(body: &'a [u8], content_type: &str) -> Result<Cow<'a, str>, Error> {
    let named = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let encoding = match named {
        Some(label) => Encoding::for_label_no_replacement(label.as_bytes())
            .ok_or_else(|| no_answer(format!("its encoding {label:?} is not known")))?,
        None => UTF_8,
    };
    Ok(encoding.decode(body).0)
}

/// Whether bytes of it were no text.
#[must_use]
pub fn is_garbled(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 门店 in GB18030, and 乗, whose second byte is a backslash.
    const SHOP: &[u8] = b"\xc3\xc5\xb5\xea";
    const RIDE: &[u8] = b"\x81\x5c";

    #[test]
    fn encodings() {
        let json = "application/json";
        for (content_type, body, expected) in [
            ("", "门店".as_bytes(), "门店"),
            (json, b"\xef\xbb\xbf{}", "{}"),
            ("text/csv; charset=GB18030", SHOP, "门店"),
            ("text/csv; header=present;CharSet = \"gbk\"", SHOP, "门店"),
            ("text/csv; charset=gb2312", RIDE, "乗"),
            ("text/csv; charset=gb18030", b"\x81\x39\xef\x31", "\u{3402}"),
            ("text/csv; charset=gb18030", b"\xef\xbb\xbf\xe9\x97\xa8", "门"),
            ("text/csv; charset=utf-8", SHOP, "\u{fffd}ŵ\u{fffd}"),
            // Half a letter, and a byte that begins none: the quotation mark and the digit behind them stand.
            ("text/csv; charset=gb18030", b"\"\xc3\",\xff1", "\"\u{fffd}\",\u{fffd}1"),
        ] {
            assert_eq!(text(body, content_type).unwrap(), expected, "{content_type}");
        }
        for label in ["klingon", "", "hz-gb-2312"] {
            let refused = text(b"x", &format!("text/csv; charset={label}"));
            assert!(matches!(refused, Err(Error::NoAnswer(why)) if why.contains(label)), "{label}");
        }
        assert!(is_garbled("a\u{fffd}") && !is_garbled("门店"));
    }
}
