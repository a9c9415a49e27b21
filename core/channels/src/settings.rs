//! The settings of a channel account: the JSON Schema that a plugin gives for them, and checking against it.
//!
//! The part of JSON Schema 2020-12 that a settings form needs, and no more: one flat object of strings, whole numbers and
//! switches. A schema that uses anything else is refused when the plugin is installed, so that the form, this check and
//! the plugin can never disagree about what a keyword means.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Map, Value};
use url::{Host, Url};

use crate::host::{Endpoint, http::is_public};

/// Longest schema taken, in bytes; a form of a hundred described fields fits ten times.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Longest settings taken, in bytes: they are copied into the plugin at every call.
pub const SETTINGS_BYTES_MAX: usize = 16 * 1024;
/// Longest text of one setting where the schema does not say less, in characters.
const TEXT_CHARS_MAX: u64 = 4_096;
/// Of a channel's settings, how many are named to somebody who typed another: more than any channel has.
const NAMES_SHOWN_MAX: usize = 30;
/// Names that no public network answers (RFC 6761, RFC 8375), and what networks of one's own are called (RFC 6762, appendix G).
const PRIVATE_NAMES: [&str; 12] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "lan",
    "home",
    "corp",
    "intranet",
    "private",
    "test",
    "invalid",
    "arpa",
];

/// A settings schema that this check understands whole.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingsSchema {
    text: String,
    properties: BTreeMap<String, Property>,
    required: Vec<String>,
    extra_allowed: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Property {
    kind: Kind,
    one_of: Option<Vec<Value>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Text { chars_min: u64, chars_max: u64, is_url: bool },
    Whole { min: i64, max: i64 },
    Switch,
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("the settings schema has {0} bytes; at most {SCHEMA_BYTES_MAX} are taken")]
    TooLong(usize),
    #[error("the settings schema is not JSON: {0}")]
    NotJson(String),
    #[error("the settings schema must describe an object (`\"type\": \"object\"`) with `properties`")]
    NotAnObject,
    #[error("the settings schema uses `{keyword}` at {place}, which is not supported")]
    Unsupported { place: String, keyword: String },
    #[error("the settings schema's `{keyword}` at {place} has a value of the wrong kind")]
    Malformed { place: String, keyword: String },
    #[error("the settings schema requires {0:?}, which is not among its properties")]
    RequiresUnknown(String),
}

/// What is wrong with an account's settings, in words for the person who typed them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings have {0} bytes; at most {SETTINGS_BYTES_MAX} are taken")]
    TooLong(usize),
    #[error("the settings are not a JSON object")]
    NotAnObject,
    #[error("{name:?} is missing; it must be {must}")]
    Missing { name: String, must: String },
    #[error("{name:?} is not a setting of this channel: take it out; the settings are {known}")]
    Unknown { name: String, known: String },
    #[error("{name:?} must be {must}")]
    Wrong { name: String, must: String },
}

impl SettingsSchema {
    /// # Errors
    /// See [`SchemaError`].
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLong(text.len()));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.to_string()))?;
        let root = value.as_object().ok_or(SchemaError::NotAnObject)?;
        if root.get("type").and_then(Value::as_str) != Some("object") {
            return Err(SchemaError::NotAnObject);
        }
        let mut schema =
            Self { text: text.to_owned(), properties: BTreeMap::new(), required: Vec::new(), extra_allowed: true };
        for (keyword, value) in root {
            let malformed = || SchemaError::Malformed { place: "the top".to_owned(), keyword: keyword.clone() };
            match keyword.as_str() {
                "type" => {}
                "properties" => {
                    for (name, property) in value.as_object().ok_or_else(malformed)? {
                        schema.properties.insert(name.clone(), Property::parse(name, property)?);
                    }
                }
                "required" => {
                    let names = value.as_array().ok_or_else(malformed)?;
                    for name in names {
                        schema.required.push(name.as_str().ok_or_else(malformed)?.to_owned());
                    }
                }
                "additionalProperties" => schema.extra_allowed = value.as_bool().ok_or_else(malformed)?,
                word if is_annotation(word) => {}
                _ => {
                    let place = "the top".to_owned();
                    return Err(SchemaError::Unsupported { place, keyword: keyword.clone() });
                }
            }
        }
        if let Some(name) = schema.required.iter().find(|name| !schema.properties.contains_key(*name)) {
            return Err(SchemaError::RequiresUnknown(name.clone()));
        }
        Ok(schema)
    }

    /// The schema as the plugin gave it, for drawing the form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the schema has a property of that name that holds text.
    #[must_use]
    pub fn has_text(&self, name: &str) -> bool {
        self.properties.get(name).is_some_and(|property| matches!(property.kind, Kind::Text { .. }))
    }

    /// Checks settings that somebody types now, or looks at: as [`Self::check`], and for what slips into a field by mistake. What was
    /// stored before is not held to this when a payment is under way.
    ///
    /// # Errors
    /// The first thing wrong, see [`SettingsError`].
    pub fn check_typed(&self, settings_json: &str) -> Result<Map<String, Value>, SettingsError> {
        let settings = self.check(settings_json)?;
        for (name, value) in &settings {
            if let (Some(property), Value::String(text)) = (self.properties.get(name), value) {
                property
                    .check_typed(text)
                    .map_err(|must| SettingsError::Wrong { name: name.clone(), must: must.to_owned() })?;
            }
        }
        Ok(settings)
    }

    /// Checks an account's settings. Returns them parsed.
    ///
    /// # Errors
    /// The first thing wrong, see [`SettingsError`].
    pub fn check(&self, settings_json: &str) -> Result<Map<String, Value>, SettingsError> {
        if settings_json.len() > SETTINGS_BYTES_MAX {
            return Err(SettingsError::TooLong(settings_json.len()));
        }
        let Ok(Value::Object(settings)) = serde_json::from_str(settings_json) else {
            return Err(SettingsError::NotAnObject);
        };
        if let Some(name) = self.required.iter().find(|name| !settings.contains_key(*name)) {
            let must = self.properties.get(name).map_or_else(|| "there".to_owned(), Property::must);
            return Err(SettingsError::Missing { name: name.clone(), must });
        }
        for (name, value) in &settings {
            match self.properties.get(name) {
                Some(property) => {
                    property.check(value).map_err(|must| SettingsError::Wrong { name: name.clone(), must })?;
                }
                None if self.extra_allowed => {}
                None => {
                    let known: Vec<&str> = self.properties.keys().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
                    let name = name.chars().take(64).collect();
                    return Err(SettingsError::Unknown { name, known: known.join(", ") });
                }
            }
        }
        Ok(settings)
    }
}

impl Property {
    fn parse(name: &str, value: &Value) -> Result<Self, SchemaError> {
        let place = || format!("property {name:?}");
        let malformed = |keyword: &str| SchemaError::Malformed { place: place(), keyword: keyword.to_owned() };
        let object = value.as_object().ok_or_else(|| malformed("properties"))?;
        let kind = match object.get("type").and_then(Value::as_str) {
            Some("string") => Kind::Text { chars_min: 0, chars_max: TEXT_CHARS_MAX, is_url: false },
            Some("integer") => Kind::Whole { min: i64::MIN, max: i64::MAX },
            Some("boolean") => Kind::Switch,
            _ => return Err(malformed("type")),
        };
        let mut property = Self { kind, one_of: None };
        for (keyword, value) in object {
            let word = keyword.as_str();
            match (word, &mut property.kind) {
                ("type", _) => {}
                ("enum", _) => {
                    property.one_of = Some(value.as_array().ok_or_else(|| malformed(word))?.clone());
                }
                ("minLength", Kind::Text { chars_min, .. }) => {
                    *chars_min = value.as_u64().ok_or_else(|| malformed(word))?;
                }
                ("maxLength", Kind::Text { chars_max, .. }) => {
                    *chars_max = value.as_u64().ok_or_else(|| malformed(word))?.min(TEXT_CHARS_MAX);
                }
                ("format", Kind::Text { is_url, .. }) => match value.as_str() {
                    Some("uri") => *is_url = true,
                    _ => return Err(malformed(word)),
                },
                ("minimum", Kind::Whole { min, .. }) => *min = value.as_i64().ok_or_else(|| malformed(word))?,
                ("maximum", Kind::Whole { max, .. }) => *max = value.as_i64().ok_or_else(|| malformed(word))?,
                _ if is_annotation(word) => {}
                _ => return Err(SchemaError::Unsupported { place: place(), keyword: keyword.clone() }),
            }
        }
        Ok(property)
    }

    /// What the value must be, if it is not.
    fn check(&self, value: &Value) -> Result<(), String> {
        if let Some(one_of) = &self.one_of
            && !one_of.contains(value)
        {
            return Err(self.must());
        }
        match (&self.kind, value) {
            (Kind::Text { chars_min, chars_max, is_url }, Value::String(text)) => {
                let chars = text.chars().count() as u64;
                if !(*chars_min..=*chars_max).contains(&chars) {
                    Err(format!("{chars_min} to {chars_max} characters long"))
                } else if *is_url && address_kind(text).is_none() {
                    Err(A_WEB_ADDRESS.to_owned())
                } else {
                    Ok(())
                }
            }
            (Kind::Text { .. }, _) => Err("text".to_owned()),
            (Kind::Whole { min, max }, value) => match value.as_i64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(()),
                Some(_) => Err(self.must()),
                None => Err("a whole number".to_owned()),
            },
            (Kind::Switch, Value::Bool(_)) => Ok(()),
            (Kind::Switch, _) => Err(self.must()),
        }
    }

    /// What the text must be, if it is not.
    fn check_typed(&self, text: &str) -> Result<(), &'static str> {
        if text.trim() != text {
            Err("text without spaces before it and after it")
        } else if text.chars().any(char::is_control) {
            Err("text in one line, without control characters")
        } else if matches!(self.kind, Kind::Text { is_url: true, .. })
            && address_kind(text) == Some(AddressKind::InTheClear)
        {
            Err("an address that begins with https://; http:// is taken only within a network of your own")
        } else {
            Ok(())
        }
    }

    /// What it must be, for somebody who left it out.
    fn must(&self) -> String {
        if let Some(one_of) = &self.one_of {
            let choices: Vec<String> = one_of.iter().map(Value::to_string).collect();
            return format!("one of {}", choices.join(", "));
        }
        match &self.kind {
            Kind::Text { is_url: true, .. } => A_WEB_ADDRESS.to_owned(),
            Kind::Text { chars_min, chars_max, .. } => format!("text, {chars_min} to {chars_max} characters long"),
            Kind::Whole { min, max } => format!("from {min} to {max}"),
            Kind::Switch => "true or false".to_owned(),
        }
    }
}

const A_WEB_ADDRESS: &str = "a web address such as https://pay.example.com";

#[derive(Clone, Copy, PartialEq, Eq)]
enum AddressKind {
    Good,
    /// What is sent there can be read on its way.
    InTheClear,
}

/// None of what is no address. It may be of a host that speaks in frames over TCP (the contract's `tcp`).
fn address_kind(text: &str) -> Option<AddressKind> {
    let url = Url::parse(text).ok()?;
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Some(AddressKind::Good),
        ("http", Some(host)) if is_own_network(&host) => Some(AddressKind::Good),
        ("http", Some(_)) => Some(AddressKind::InTheClear),
        ("tls" | "tcp", _) if Endpoint::parse(text).is_some() => Some(AddressKind::Good),
        _ => None,
    }
}

/// Whether what is sent there in the clear stays within a network of one's own, as far as the name tells.
fn is_own_network(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => !is_public(IpAddr::V4(*address)),
        Host::Ipv6(address) => !is_public(IpAddr::V6(*address)),
        Host::Domain(name) => match name.trim_end_matches('.').rsplit_once('.') {
            // A name without a point is looked up within the network that one is in.
            None => true,
            Some((_, last)) => PRIVATE_NAMES.contains(&last),
        },
    }
}

/// Keywords that say something to people and nothing to the check. `x-…` is for the form's own hints.
fn is_annotation(keyword: &str) -> bool {
    matches!(keyword, "$schema" | "$id" | "$comment" | "title" | "description" | "default" | "examples" | "deprecated")
        || keyword.starts_with("x-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
        "required": ["base_url", "merchant_id"],
        "properties": {
            "base_url": {"type": "string", "format": "uri", "title": "Address"},
            "merchant_id": {"type": "string", "minLength": 1, "maxLength": 5, "x-hint": {"zh": "商户号"}},
            "retries": {"type": "integer", "minimum": 0, "maximum": 3},
            "mode": {"type": "string", "enum": ["live", "test"]},
            "debug": {"type": "boolean"}
        }}"#;

    #[test]
    fn settings_are_checked_in_words_for_people() {
        let schema = SettingsSchema::parse(SCHEMA).expect("a good schema");
        for (settings, outcome) in [
            (r#"{"base_url":"https://x.example","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"https://x.example","merchant_id":"m1","retries":3,"mode":"test","debug":true}"#, "ok"),
            (r#"{"base_url":"https://x.example","merchant_id":"商户一二三"}"#, "ok"),
            (
                r#"{"base_url":"https://x.example"}"#,
                r#""merchant_id" is missing; it must be text, 1 to 5 characters long"#,
            ),
            (r#"{"base_url":"ftp://x.example","merchant_id":"m1"}"#, "must be a web address"),
            (r#"{"base_url":"http://x.example","merchant_id":"m1"}"#, "begins with https://"),
            (r#"{"base_url":"http://8.8.8.8/x","merchant_id":"m1"}"#, "begins with https://"),
            (r#"{"base_url":"http://10.0.0.7:9100/x","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://[fd00::1]/","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://[2606:4700::1111]/","merchant_id":"m1"}"#, "begins with https://"),
            (r#"{"base_url":"http://wallet:9100","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://wallet.svc.cluster.local","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://acquirer.corp:9100","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://acquirer.intranet.","merchant_id":"m1"}"#, "ok"),
            (r#"{"base_url":"http://corp.example","merchant_id":"m1"}"#, "begins with https://"),
            (r#"{"base_url":" https://x.example","merchant_id":"m1"}"#, "without spaces before it"),
            (r#"{"base_url":"https://x.example","merchant_id":"m1 "}"#, "without spaces before it"),
            (r#"{"base_url":"https://x.exa\nmple","merchant_id":"m1"}"#, "in one line"),
            (r#"{"base_url":"https://x.example","merchant_id":"m\u00071"}"#, "in one line"),
            (r#"{"base_url":"https://x.example","merchant_id":null}"#, "must be text"),
            (r#"{"base_url":"https://x.example","merchant_id":""}"#, "1 to 5 characters"),
            (r#"{"base_url":"https://x.example","merchant_id":"123456"}"#, "1 to 5 characters"),
            (r#"{"base_url":"https://x.example","merchant_id":7}"#, "must be text"),
            (r#"{"base_url":"https://x.example","merchant_id":"m","retries":4}"#, "from 0 to 3"),
            (r#"{"base_url":"https://x.example","merchant_id":"m","retries":1.5}"#, "whole number"),
            (r#"{"base_url":"https://x.example","merchant_id":"m","mode":"x"}"#, r#"one of "live", "test""#),
            (r#"{"base_url":"https://x.example","merchant_id":"m","debug":"yes"}"#, "true or false"),
            (
                r#"{"base_url":"https://x.example","merchant_id":"m","x":1}"#,
                "take it out; the settings are base_url, debug",
            ),
            ("[]", "not a JSON object"),
            ("{", "not a JSON object"),
        ] {
            match schema.check_typed(settings) {
                Ok(_) => assert_eq!(outcome, "ok", "{settings}"),
                Err(error) => assert!(error.to_string().contains(outcome), "{settings}: {error}"),
            }
        }
    }

    #[test]
    fn what_was_stored_before_goes_on_though_nobody_may_type_it_now() {
        let schema = SettingsSchema::parse(SCHEMA).expect("a good schema");
        for settings in [
            r#"{"base_url":"http://x.example","merchant_id":"m1"}"#,
            r#"{"base_url":"https://x.example","merchant_id":"m1 "}"#,
            r#"{"base_url":"https://x.example","merchant_id":"m\n1"}"#,
        ] {
            assert!(schema.check(settings).is_ok() && schema.check_typed(settings).is_err(), "{settings}");
        }
    }

    #[test]
    fn schemas_with_unknown_keywords_are_refused() {
        for (schema, why) in [
            ("{", "not JSON"),
            (r#"{"type":"array"}"#, "describe an object"),
            (r#"{"type":"object","oneOf":[]}"#, "uses `oneOf`"),
            (r#"{"type":"object","required":["a"]}"#, "not among its properties"),
            (r#"{"type":"object","properties":{"a":{"type":"number"}}}"#, "wrong kind"),
            (r#"{"type":"object","properties":{"a":{"type":"string","pattern":"x"}}}"#, "uses `pattern`"),
            (r#"{"type":"object","properties":{"a":{"type":"string","minimum":1}}}"#, "uses `minimum`"),
            (r#"{"type":"object","properties":{"a":{"type":"string","format":"date"}}}"#, "wrong kind"),
            (r#"{"type":"object","properties":[]}"#, "wrong kind"),
        ] {
            let error = SettingsSchema::parse(schema).expect_err(schema).to_string();
            assert!(error.contains(why), "{schema}: {error}");
        }
    }
}
