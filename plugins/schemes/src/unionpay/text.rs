//! The texts of messages: forms in, `name=value&…` out, and what is signed.

use std::collections::BTreeMap;

use actix_web::web::Query;

/// The fields of a message by name; the order of names is the order in which they are signed.
pub type Fields = BTreeMap<String, String>;

/// The fields of a form body; `None` if it is none, or names a field twice.
pub fn from_form(body: &[u8]) -> Option<Fields> {
    let pairs = Query::<Vec<(String, String)>>::from_query(std::str::from_utf8(body).ok()?).ok()?.into_inner();
    let count = pairs.len();
    let fields: Fields = pairs.into_iter().collect();
    (fields.len() == count).then_some(fields)
}

/// What is signed: every field but the signature, sorted, empty ones too.
pub fn to_sign(fields: &Fields) -> String {
    let unsigned = fields.iter().filter(|(name, _)| name.as_str() != "signature");
    unsigned.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The body of a synchronous answer, which is not percent-encoded.
pub fn to_answer(fields: &Fields) -> String {
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The body of a notification, `application/x-www-form-urlencoded`.
pub fn to_form(fields: &Fields) -> String {
    let encoded = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}
