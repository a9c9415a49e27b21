//! Who may call the gateway: known application, right signature, a clock that agrees.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Config, clock, keys, keys::Keys, refusal::Refusal, visitors};

/// How far a request's timestamp may be from Alipay's clock. No document that we have read gives the number.
const SKEW_MS_MAX: i64 = 15 * 60_000;

/// A request that was let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    pub content: Map<String, Value>,
    /// Whether it was signed in certificate mode.
    pub by_certificate: bool,
    /// Of the one method whose parameters stand beside the common ones.
    pub code: Option<String>,
}

/// The parameters of query and form together.
///
/// # Errors
/// If one stands there twice: nobody knows which was signed.
pub fn parameters(query: &str, form: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut parameters = BTreeMap::new();
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form));
    for (name, value) in pairs {
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Refusal::Invalid("parameter"));
        }
    }
    Ok(parameters)
}

/// # Errors
/// The first common parameter that is wrong, in the order in which they are documented; the signature last.
pub fn admit(parameters: &BTreeMap<String, String>, config: Config, keys: &Keys, now: i64) -> Result<Request, Refusal> {
    let get = |name: &'static str, wanted: &'static str| {
        parameters.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or(Refusal::Missing(wanted))
    };
    let method = get("method", "method")?;
    if get("app_id", "app-id")? != keys::APP_ID {
        return Err(Refusal::Invalid("app-id"));
    }
    if get("sign_type", "signature-type")? != "RSA2" {
        return Err(Refusal::Invalid("signature-type"));
    }
    let signature = get("sign", "signature")?;
    if !get("charset", "charset")?.eq_ignore_ascii_case("utf-8") {
        return Err(Refusal::Invalid("charset"));
    }
    if get("version", "version")? != "1.0" {
        return Err(Refusal::Invalid("version"));
    }
    if parameters.get("format").is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Refusal::Invalid("format"));
    }
    if parameters.get("notify_url").is_some_and(|url| url.chars().count() > 256) {
        return Err(Refusal::Invalid("notify-url"));
    }
    let at = clock::parse(get("timestamp", "timestamp")?).ok_or(Refusal::Invalid("timestamp"))?;
    if now.abs_diff(at) > SKEW_MS_MAX.unsigned_abs() {
        return Err(Refusal::Invalid("timestamp"));
    }
    let by_certificate = match (parameters.get("app_cert_sn"), parameters.get("alipay_root_cert_sn")) {
        (None, None) if !config.by_certificates => false,
        (Some(app), Some(root)) if app == keys::APP_CERT_SN && root == keys::ROOT_CERT_SN => true,
        (Some(_), Some(_)) => return Err(Refusal::Invalid("cert-sn")),
        _ => return Err(Refusal::Missing("app-cert-sn")),
    };
    let signed = parameters.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let text: Vec<String> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    if !keys.verifies(&text.join("&"), signature) {
        return Err(Refusal::Invalid("signature"));
    }
    let content = match parameters.get("biz_content").map(|content| serde_json::from_str(content)) {
        Some(Ok(Value::Object(content))) => content,
        Some(_) => return Err(Refusal::Invalid("parameter")),
        None if method == visitors::METHOD => Map::new(),
        None => return Err(Refusal::Missing("biz-content")),
    };
    let is_grant = parameters.get("grant_type").is_some_and(|grant| grant == "authorization_code");
    let code = parameters.get("code").filter(|_| is_grant).cloned();
    Ok(Request { method: method.to_owned(), content, by_certificate, code })
}

/// Reads the fields of a `biz_content`, each by its documented length and form.
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// Not longer than `len_max` characters; `None` if it is missing.
    ///
    /// # Errors
    /// If it is empty, too long or no text.
    pub fn optional(&self, name: &'static str, len_max: usize) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if (1..=len_max).contains(&text.chars().count()) => Ok(Some(text)),
            Some(_) => Err(Refusal::Field(name)),
        }
    }

    /// # Errors
    /// As [`Fields::optional`]; also if it is missing.
    pub fn required(&self, name: &'static str, len_max: usize) -> Result<&'a str, Refusal> {
        self.optional(name, len_max)?.ok_or(Refusal::Field(name))
    }

    /// A merchant's number: at most 64 letters, digits and `_`.
    ///
    /// # Errors
    /// If it has anything else.
    pub fn number(&self, name: &'static str) -> Result<&'a str, Refusal> {
        let number = self.required(name, 64)?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_plain.then_some(number).ok_or(Refusal::Field(name))
    }

    /// Yuan with at most two decimals, 0.01 to 100,000,000, in fen.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn amount(&self, name: &'static str) -> Result<i64, Refusal> {
        let text = self.required(name, 12)?;
        let (yuan, fen) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let minor = (digits(yuan) && digits(fen) && fen.len() <= 2)
            .then(|| format!("{yuan}{fen:0<2}").parse::<i64>().ok())
            .flatten();
        minor.filter(|minor| (1..=10_000_000_000).contains(minor)).ok_or(Refusal::Field(name))
    }
}

/// Fen as yuan.
#[must_use]
pub fn yuan(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts() {
        for (text, minor) in [
            ("0.01", Some(1)),
            ("12.5", Some(1_250)),
            ("12.50", Some(1_250)),
            ("12", Some(1_200)),
            ("100000000.00", Some(10_000_000_000)),
            ("100000000.01", None),
            ("0", None),
            ("0.00", None),
            ("-1.00", None),
            ("1.005", None),
            ("1.", None),
            (".5", None),
            ("1e2", None),
            ("１.00", None),
        ] {
            let content = json!({ "total_amount": text });
            let read = Fields(content.as_object().unwrap()).amount("total_amount");
            assert_eq!(read.ok(), minor, "{text}");
        }
        assert_eq!(
            (yuan(1_250).as_str(), yuan(-5).as_str(), yuan(10_000_000_000).as_str()),
            ("12.50", "-0.05", "100000000.00")
        );
    }
}
