//! What a request must look like: presence, length and characters of its fields, as the interface's tables have them.
//!
//! A field that is missing is refused with 13, one of another form with 10.

use super::{moment::from_digits14, text::Fields};

/// The scheme's no: answer code and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub words: String,
}

pub fn refusal(code: &'static str, words: impl Into<String>) -> Refusal {
    Refusal { code, words: words.into() }
}

/// What is asked, by transaction type and subtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Apply,
    Charge,
    Query,
    Refund,
    Void,
    Reverse,
    File,
}

impl Kind {
    /// `None` for what this simulation does not know.
    pub fn of(fields: &Fields) -> Option<Self> {
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        match (field("txnType"), field("txnSubType")) {
            ("01", "07") => Some(Self::Apply),
            ("01", "06") => Some(Self::Charge),
            ("00", "00") => Some(Self::Query),
            ("04", "00") => Some(Self::Refund),
            ("31", "00") => Some(Self::Void),
            ("99", "01") => Some(Self::Reverse),
            ("76", "01") => Some(Self::File),
            _ => None,
        }
    }

    /// Names of the fields that it must have, beyond those of every request.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Apply => &["channelType", "orderId", "txnTime", "txnAmt", "currencyCode", "backUrl"],
            Self::Charge => &["channelType", "orderId", "txnTime", "txnAmt", "currencyCode", "backUrl", "qrNo"],
            Self::Query => &["orderId", "txnTime"],
            Self::Refund | Self::Void => &["channelType", "orderId", "txnTime", "txnAmt", "backUrl", "origQryId"],
            Self::Reverse => &["channelType", "orderId", "txnTime"],
            Self::File => &["txnTime", "fileType", "settleDate"],
        }
    }
}

const OF_EVERY_REQUEST: &[&str] = &[
    "version",
    "encoding",
    "certId",
    "signature",
    "signMethod",
    "txnType",
    "txnSubType",
    "bizType",
    "accessType",
    "merId",
];

/// # Errors
/// 13 or 10, naming the field.
pub fn check(kind: Kind, fields: &Fields) -> Result<(), Refusal> {
    for name in OF_EVERY_REQUEST.iter().chain(kind.required()) {
        if fields.get(*name).is_none_or(String::is_empty) {
            return Err(refusal("13", format!("报文交易要素缺失: {name}")));
        }
    }
    match fields.iter().find(|(name, value)| !fits(name, value)) {
        Some((name, _)) => Err(refusal("10", format!("报文格式错误: {name}"))),
        None => Ok(()),
    }
}

fn fits(name: &str, value: &str) -> bool {
    let all = |lengths: std::ops::RangeInclusive<usize>, allowed: fn(&u8) -> bool| {
        lengths.contains(&value.len()) && value.bytes().all(|byte| allowed(&byte))
    };
    match name {
        "version" => value == "5.1.0",
        "encoding" => value.eq_ignore_ascii_case("UTF-8"),
        "signMethod" => value == "01",
        "bizType" => value == "000000",
        "channelType" => matches!(value, "07" | "08"),
        "accessType" => value == "0",
        "currencyCode" => value == "156",
        "fileType" => value == "00",
        "merId" => all(15..=15, u8::is_ascii_alphanumeric),
        "orderId" => all(8..=40, u8::is_ascii_alphanumeric),
        "termId" => all(8..=8, u8::is_ascii_alphanumeric),
        "qrNo" => all(1..=20, u8::is_ascii_digit),
        "origQryId" => all(20..=21, u8::is_ascii_digit),
        "settleDate" => all(4..=4, u8::is_ascii_digit),
        "txnAmt" => all(1..=12, u8::is_ascii_digit) && !value.starts_with('0'),
        "txnTime" | "payTimeout" => all(14..=14, u8::is_ascii_digit) && from_digits14(value).is_some(),
        "backUrl" => all(1..=256, u8::is_ascii_graphic),
        "certId" => all(1..=50, u8::is_ascii_digit),
        "signature" => value.len() <= 1_024,
        // The rest is for others to read.
        _ => value.len() <= 1_024,
    }
}
