//! What a plugin says of itself, read from `describe` once, at installation, and believed only as far as it makes sense.

use std::collections::BTreeSet;

use saoma_domain::claim::Claim;
use saoma_protocol::Currency;
use semver::Version;

use crate::{
    bindings::types as wit,
    in_app::{self, App},
    settings::{SchemaError, SettingsSchema},
    settlement::SettlementTerms,
};

/// A manifest that has been checked. Plain data: nothing in it leads back to the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// 2 to 32 lower-case letters, digits and `-`.
    pub id: String,
    /// SemVer of the plugin.
    pub version: String,
    /// What people see, 1 to 64 characters.
    pub name: String,
    /// At least one, in the plugin's order.
    pub currencies: Vec<Currency>,
    pub capabilities: BTreeSet<Capability>,
    pub claims: Vec<Claim>,
    pub settings_schema: SettingsSchema,
    pub secrets: Vec<SecretSpec>,
    pub hosts: Vec<HostPattern>,
    pub cadence: Cadence,
    /// With [`Capability::Bills`], and with it alone.
    pub bills: Option<BillTerms>,
    /// Of a component that exports `settlement`. Not from `describe`: the host looks at the component.
    pub settlement: Option<SettlementTerms>,
    /// With [`Capability::InApp`], and with it alone.
    pub apps: Vec<App>,
    /// Whether the component exports `stored`, and takes cards: what terminals sell by card without a network can be forwarded.
    pub forwards: bool,
}

impl Manifest {
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    MerchantPresented,
    CustomerPresented,
    Cancel,
    Refund,
    PartialRefund,
    Notifications,
    Bills,
    /// Its answers of success need not name an amount.
    AmountsNotNamed,
    Card,
    /// It exports `in-app`: no word of `describe`, but of what the component is.
    InApp,
}

impl Capability {
    /// Stable text for the API: `merchant_presented`, …
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::MerchantPresented => "merchant_presented",
            Self::CustomerPresented => "customer_presented",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::PartialRefund => "partial_refund",
            Self::Notifications => "notifications",
            Self::Bills => "bills",
            Self::AmountsNotNamed => "amounts_not_named",
            Self::Card => "card",
            Self::InApp => "in_app",
        }
    }
}

/// A secret that an account of this channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    pub name: String,
    pub kind: SecretKind,
    /// For the person who enters it, at most 500 characters.
    pub description: String,
}

/// What a secret is, as the contract has it (`sdk/wit`, `secret-kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    MacKey,
    Text,
    RsaPrivateKey,
    RsaPublicKeys,
    Aes256Key,
    ClientCertificate,
    Certificates,
    KeyEncryptionKey,
    TerminalDataKey,
    TerminalPinKey,
}

/// Where a plugin may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Over TLS.
    Fixed { host: String, port: u16 },
    /// The setting of this name holds a base URL.
    Setting(String),
}

/// How core drives this channel's payments, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// 100 to 60,000.
    pub call_timeout_ms: u32,
    /// 200 to 60,000.
    pub query_interval_ms: u32,
    /// `query_interval_ms` to 600,000.
    pub reverse_after_ms: u32,
}

/// When there are bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillTerms {
    /// IANA name of the zone whose days the scheme counts.
    pub time_zone: String,
    /// After the midnight of its date, -1,439 to 1,439.
    pub day_begins_minutes: i32,
    /// After the day's end, 0 to 4,320.
    pub ready_after_minutes: u32,
}

/// Why a manifest is refused. In order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the id {0:?} must be 2 to 32 lower-case letters, digits and `-`, and begin with a letter")]
    Id(String),
    #[error("the version {0:?} is not of the form 1.2.3")]
    Version(String),
    #[error("the name must have 1 to 64 printable characters")]
    Name,
    #[error("{0:?} is not an ISO 4217 currency known here")]
    Currency(String),
    #[error("it must name 1 to {max} {what}, each once")]
    Count { what: &'static str, max: usize },
    #[error("{what} needs {needs}")]
    Incomplete { what: &'static str, needs: &'static str },
    #[error("the claim {0} would take codes of others, or none")]
    Claim(String),
    #[error(transparent)]
    Settings(#[from] SchemaError),
    #[error(
        "the secret {0:?} must have a name of 1 to 64 lower-case letters, digits and `-`, and a description of at most 500 characters"
    )]
    Secret(String),
    #[error("the host {0:?} is not of the form `api.example.com:443`")]
    Host(String),
    #[error("the host setting {0:?} is not a text among the settings")]
    HostSetting(String),
    #[error("{what} must be from {min} to {max} ms, not {given}")]
    Cadence { what: &'static str, min: u32, max: u32, given: u32 },
    #[error("bills are ready within {max} minutes after a day of an IANA time zone, not {minutes} minutes in {zone:?}")]
    Bills { max: u32, minutes: u32, zone: String },
    #[error(
        "the app {0:?} breaks a bound of the contract, or needs a setting or secret that the manifest does not have"
    )]
    App(String),
    #[error("a scheme's day begins less than a day before or after midnight, not {0} minutes after it")]
    DayBegins(i32),
}

/// Most entries of each list. A scheme has one wallet code range or a handful; a page of them is a mistake or an attack.
const CURRENCIES_MAX: usize = 64;
const CLAIMS_MAX: usize = 32;
const SECRETS_MAX: usize = 16;
const HOSTS_MAX: usize = 16;

impl Manifest {
    pub(crate) fn check(given: wit::Manifest) -> Result<Self, ManifestError> {
        if !is_plugin_id(&given.id) {
            return Err(ManifestError::Id(cut(&given.id)));
        }
        if semver(&given.version).is_none() {
            return Err(ManifestError::Version(cut(&given.version)));
        }
        if !(1..=64).contains(&given.name.chars().count()) || given.name.chars().any(char::is_control) {
            return Err(ManifestError::Name);
        }
        let currencies = check_currencies(&given.currencies)?;
        let capabilities = check_capabilities(&given)?;
        let claims = check_claims(given.claims)?;
        let settings_schema = SettingsSchema::parse(&given.settings_schema)?;
        let secrets = check_secrets(given.secrets)?;
        let hosts = check_hosts(given.hosts, &settings_schema)?;
        let cadence = check_cadence(given.cadence)?;
        let bills = given.bills.map(check_bills).transpose()?;
        Ok(Self {
            id: given.id,
            version: given.version,
            name: given.name,
            currencies,
            capabilities,
            claims,
            settings_schema,
            secrets,
            hosts,
            cadence,
            bills,
            settlement: None,
            apps: Vec::new(),
            forwards: false,
        })
    }

    /// The same with the apps that it serves.
    pub(crate) fn with_apps(
        mut self,
        given: Vec<crate::bindings::in_app::exports::saoma::channel::in_app::App>,
    ) -> Result<Self, ManifestError> {
        self.apps = in_app::apps(given, &self)?;
        if !self.apps.is_empty() {
            self.capabilities.insert(Capability::InApp);
        }
        Ok(self)
    }
}

fn check_currencies(given: &[String]) -> Result<Vec<Currency>, ManifestError> {
    let error = ManifestError::Count { what: "currencies", max: CURRENCIES_MAX };
    if !(1..=CURRENCIES_MAX).contains(&given.len()) {
        return Err(error);
    }
    let mut currencies = Vec::with_capacity(given.len());
    for code in given {
        let currency: Currency = code.parse().map_err(|_| ManifestError::Currency(cut(code)))?;
        if currencies.contains(&currency) {
            return Err(error);
        }
        currencies.push(currency);
    }
    Ok(currencies)
}

fn check_capabilities(given: &wit::Manifest) -> Result<BTreeSet<Capability>, ManifestError> {
    let capabilities: BTreeSet<Capability> = given
        .capabilities
        .iter()
        .map(|capability| match capability {
            wit::Capability::MerchantPresented => Capability::MerchantPresented,
            wit::Capability::CustomerPresented => Capability::CustomerPresented,
            wit::Capability::Cancel => Capability::Cancel,
            wit::Capability::Refund => Capability::Refund,
            wit::Capability::PartialRefund => Capability::PartialRefund,
            wit::Capability::Notifications => Capability::Notifications,
            wit::Capability::Bills => Capability::Bills,
            wit::Capability::AmountsNotNamed => Capability::AmountsNotNamed,
            wit::Capability::Card => Capability::Card,
        })
        .collect();
    let has = |capability| capabilities.contains(&capability);
    let incomplete = |what, needs| Err(ManifestError::Incomplete { what, needs });
    if !has(Capability::MerchantPresented) && !has(Capability::CustomerPresented) && !has(Capability::Card) {
        return incomplete("a channel", "merchant-presented, customer-presented or card");
    }
    let keys_of = |kind| given.secrets.iter().filter(|secret| secret.kind == kind).count();
    let (data_keys, pin_keys) = (keys_of(wit::SecretKind::TerminalDataKey), keys_of(wit::SecretKind::TerminalPinKey));
    if data_keys != usize::from(has(Capability::Card)) || pin_keys > data_keys {
        return incomplete("card", "one terminal-data-key, at most one terminal-pin-key (and they need card)");
    }
    if !has(Capability::Cancel) {
        return incomplete("a channel", "cancel: an unknown payment must be undone");
    }
    if has(Capability::PartialRefund) && !has(Capability::Refund) {
        return incomplete("partial-refund", "refund");
    }
    if has(Capability::CustomerPresented) == given.claims.is_empty() {
        return incomplete("customer-presented", "claims (and claims need customer-presented)");
    }
    if has(Capability::Bills) != given.bills.is_some() {
        return incomplete("bills", "its terms (and they need bills)");
    }
    Ok(capabilities)
}

fn check_claims(given: Vec<wit::Claim>) -> Result<Vec<Claim>, ManifestError> {
    if given.len() > CLAIMS_MAX {
        return Err(ManifestError::Count { what: "claims", max: CLAIMS_MAX });
    }
    given.into_iter().map(check_claim).collect()
}

fn check_claim(given: wit::Claim) -> Result<Claim, ManifestError> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match given {
        wit::Claim::Digits(claim) => {
            let (length_min, length_max) = (usize::from(claim.length_min), usize::from(claim.length_max));
            let sound = is_digits(&claim.prefix_from)
                && is_digits(&claim.prefix_to)
                && claim.prefix_from.len() == claim.prefix_to.len()
                && claim.prefix_from <= claim.prefix_to
                && claim.prefix_from.len() < length_min
                && length_min <= length_max
                // No scheme's code is shorter than 10 digits; a receipt or EAN number is.
                && (10..=64).contains(&length_min)
                && length_max <= 64;
            if !sound {
                let (from, to) = (cut(&claim.prefix_from), cut(&claim.prefix_to));
                return Err(ManifestError::Claim(format!("of digits {from}–{to}, {length_min} to {length_max} long")));
            }
            Ok(Claim::Digits { prefix_from: claim.prefix_from, prefix_to: claim.prefix_to, length_min, length_max })
        }
        // An application id is a registered provider id of 5 bytes and up to 11 bytes more (ISO/IEC 7816-5).
        wit::Claim::EmvcoCpmAid(aid) => {
            let sound = (10..=32).contains(&aid.len()) && aid.bytes().all(|byte| byte.is_ascii_hexdigit());
            if sound { Ok(Claim::EmvcoCpmAid(aid)) } else { Err(ManifestError::Claim(format!("of AID {}", cut(&aid)))) }
        }
        wit::Claim::TextPrefix(prefix) => {
            let sound = (2..=64).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_graphic());
            if sound {
                Ok(Claim::TextPrefix(prefix))
            } else {
                Err(ManifestError::Claim(format!("of prefix {:?}", cut(&prefix))))
            }
        }
    }
}

fn check_secrets(given: Vec<wit::SecretSpec>) -> Result<Vec<SecretSpec>, ManifestError> {
    if given.len() > SECRETS_MAX {
        return Err(ManifestError::Count { what: "secrets", max: SECRETS_MAX });
    }
    let mut secrets: Vec<SecretSpec> = Vec::with_capacity(given.len());
    for secret in given {
        let is_new = secrets.iter().all(|other| other.name != secret.name);
        if !is_slug(&secret.name, 1, 64) || !is_new || secret.description.chars().count() > 500 {
            return Err(ManifestError::Secret(cut(&secret.name)));
        }
        let kind = match secret.kind {
            wit::SecretKind::MacKey => SecretKind::MacKey,
            wit::SecretKind::Text => SecretKind::Text,
            wit::SecretKind::RsaPrivateKey => SecretKind::RsaPrivateKey,
            wit::SecretKind::RsaPublicKeys => SecretKind::RsaPublicKeys,
            wit::SecretKind::Aes256Key => SecretKind::Aes256Key,
            wit::SecretKind::ClientCertificate => SecretKind::ClientCertificate,
            wit::SecretKind::Certificates => SecretKind::Certificates,
            wit::SecretKind::KeyEncryptionKey => SecretKind::KeyEncryptionKey,
            wit::SecretKind::TerminalDataKey => SecretKind::TerminalDataKey,
            wit::SecretKind::TerminalPinKey => SecretKind::TerminalPinKey,
        };
        secrets.push(SecretSpec { name: secret.name, kind, description: secret.description });
    }
    Ok(secrets)
}

fn check_hosts(given: Vec<wit::HostPattern>, schema: &SettingsSchema) -> Result<Vec<HostPattern>, ManifestError> {
    if given.len() > HOSTS_MAX {
        return Err(ManifestError::Count { what: "hosts", max: HOSTS_MAX });
    }
    given
        .into_iter()
        .map(|pattern| match pattern {
            wit::HostPattern::Fixed(text) => fixed_host(&text).ok_or_else(|| ManifestError::Host(cut(&text))),
            wit::HostPattern::Setting(name) if schema.has_text(&name) => Ok(HostPattern::Setting(name)),
            wit::HostPattern::Setting(name) => Err(ManifestError::HostSetting(cut(&name))),
        })
        .collect()
}

/// `host:port` with a DNS name (no address, no wildcard) in lower case.
fn fixed_host(text: &str) -> Option<HostPattern> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let is_name = host.len() <= 253
        && host.contains('.')
        && host.split('.').all(|label| is_slug(label, 1, 63) && !label.starts_with('-') && !label.ends_with('-'))
        // A name whose last label is a number is read as an IPv4 address by URL parsers.
        && host.rsplit('.').next().is_some_and(|label| !label.starts_with(|c: char| c.is_ascii_digit()));
    is_name.then(|| HostPattern::Fixed { host: host.to_owned(), port })
}

fn check_cadence(given: wit::Cadence) -> Result<Cadence, ManifestError> {
    let within = |what, min, max, given: u32| {
        if (min..=max).contains(&given) { Ok(given) } else { Err(ManifestError::Cadence { what, min, max, given }) }
    };
    let query_interval_ms = within("the query interval", 200, 60_000, given.query_interval_ms)?;
    Ok(Cadence {
        call_timeout_ms: within("the call timeout", 100, 60_000, given.call_timeout_ms)?,
        query_interval_ms,
        reverse_after_ms: within("the time to reversal", query_interval_ms, 600_000, given.reverse_after_ms)?,
    })
}

/// Three days: a scheme that is closed over a weekend.
const READY_AFTER_MINUTES_MAX: u32 = 4_320;

fn check_bills(given: wit::BillTerms) -> Result<BillTerms, ManifestError> {
    let (minutes, day_begins_minutes) = (given.ready_after_minutes, given.day_begins_minutes);
    if !(-1_439..=1_439).contains(&day_begins_minutes) {
        return Err(ManifestError::DayBegins(day_begins_minutes));
    }
    let zone = jiff::tz::TimeZone::get(&given.time_zone).ok();
    match zone.as_ref().and_then(|zone| zone.iana_name()) {
        Some(name) if minutes <= READY_AFTER_MINUTES_MAX => {
            Ok(BillTerms { time_zone: name.to_owned(), day_begins_minutes, ready_after_minutes: minutes })
        }
        _ => Err(ManifestError::Bills { max: READY_AFTER_MINUTES_MAX, minutes, zone: cut(&given.time_zone) }),
    }
}

/// 2 to 32 lower-case letters, digits and `-`, the first a letter.
pub(crate) fn is_plugin_id(text: &str) -> bool {
    is_slug(text, 2, 32) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_slug(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A plugin's version: SemVer 2.0.0 in at most 64 characters.
pub(crate) fn semver(text: &str) -> Option<Version> {
    Some(text).filter(|text| text.len() <= 64).and_then(|text| Version::parse(text).ok())
}

/// The beginning of what was given, for an error.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn with_bills(manifest: &mut wit::Manifest, time_zone: &str, day_begins_minutes: i32, ready_after_minutes: u32) {
        let time_zone = time_zone.to_owned();
        manifest.bills = Some(wit::BillTerms { time_zone, day_begins_minutes, ready_after_minutes });
    }

    /// A manifest that is accepted; each row below spoils one thing in it.
    pub(crate) fn good() -> wit::Manifest {
        wit::Manifest {
            id: "wallet-2".to_owned(),
            version: "1.2.3-rc.1+7".to_owned(),
            name: "钱包 Wallet".to_owned(),
            currencies: vec!["CNY".to_owned(), "USD".to_owned()],
            capabilities: vec![
                wit::Capability::MerchantPresented,
                wit::Capability::CustomerPresented,
                wit::Capability::Cancel,
                wit::Capability::Refund,
                wit::Capability::Bills,
            ],
            claims: vec![digits("88", "89", 18, 19)],
            settings_schema: r#"{"type":"object","properties":{"base_url":{"type":"string"},"n":{"type":"integer"}}}"#
                .to_owned(),
            secrets: vec![secret("merchant-key")],
            hosts: vec![
                wit::HostPattern::Setting("base_url".to_owned()),
                wit::HostPattern::Fixed("api.example.com:443".to_owned()),
            ],
            cadence: wit::Cadence { call_timeout_ms: 4_000, query_interval_ms: 1_000, reverse_after_ms: 15_000 },
            bills: Some(wit::BillTerms {
                time_zone: "Asia/Shanghai".to_owned(),
                day_begins_minutes: -30,
                ready_after_minutes: 600,
            }),
        }
    }

    fn digits(from: &str, to: &str, length_min: u8, length_max: u8) -> wit::Claim {
        let (prefix_from, prefix_to) = (from.to_owned(), to.to_owned());
        wit::Claim::Digits(wit::DigitClaim { prefix_from, prefix_to, length_min, length_max })
    }

    fn secret(name: &str) -> wit::SecretSpec {
        wit::SecretSpec { name: name.to_owned(), kind: wit::SecretKind::MacKey, description: String::new() }
    }

    #[test]
    fn a_sound_manifest_is_accepted() {
        let manifest = Manifest::check(good()).expect("sound");
        assert!(manifest.can(Capability::Refund) && !manifest.can(Capability::PartialRefund));
        assert_eq!(manifest.hosts[1], HostPattern::Fixed { host: "api.example.com".to_owned(), port: 443 });
        assert_eq!(manifest.settings_schema.text(), good().settings_schema);
    }

    #[test]
    fn absurd_manifests_are_refused() {
        type Spoil = fn(&mut wit::Manifest);
        let rows: &[(Spoil, &str)] = &[
            (|m| m.id = "Wallet".to_owned(), "the id"),
            (|m| m.id = "../x".to_owned(), "the id"),
            (|m| m.id = "x".repeat(33), "the id"),
            (|m| m.version = "1.2".to_owned(), "the version"),
            (|m| m.version = "01.2.3".to_owned(), "the version"),
            (|m| m.version = "1.2.3-".to_owned(), "the version"),
            (|m| m.version = "1.2.3-01".to_owned(), "the version"),
            (|m| m.version = format!("1.2.3-{}", "a".repeat(60)), "the version"),
            (|m| m.name = String::new(), "the name"),
            (|m| m.name = "a\u{1b}[2J".to_owned(), "the name"),
            (|m| m.currencies.clear(), "1 to 64 currencies"),
            (|m| m.currencies.push("CNY".to_owned()), "1 to 64 currencies"),
            (|m| m.currencies.push("XXX".to_owned()), "ISO 4217"),
            (|m| m.capabilities.clear(), "merchant-presented, "),
            (|m| m.capabilities.retain(|c| *c != wit::Capability::Cancel), "cancel"),
            (|m| m.capabilities.push(wit::Capability::Card), "terminal-data-key"),
            (|m| m.secrets[0].kind = wit::SecretKind::TerminalPinKey, "terminal-data-key"),
            (|m| m.claims.clear(), "claims"),
            (|m| m.capabilities.retain(|c| *c != wit::Capability::CustomerPresented), "claims"),
            (|m| m.claims = vec![digits("", "", 18, 18)], "the claim"),
            (|m| m.claims = vec![digits("9", "8", 18, 18)], "the claim"),
            (|m| m.claims = vec![digits("8", "88", 18, 18)], "the claim"),
            (|m| m.claims = vec![digits("88", "88", 19, 18)], "the claim"),
            (|m| m.claims = vec![digits("88", "88", 2, 18)], "the claim"),
            (|m| m.claims = vec![digits("8x", "8x", 18, 18)], "the claim"),
            (|m| m.claims = vec![wit::Claim::EmvcoCpmAid("A000".to_owned())], "the claim"),
            (|m| m.claims = vec![wit::Claim::TextPrefix("x".to_owned())], "the claim"),
            (|m| m.claims = vec![digits("88", "88", 18, 18); 33], "claims"),
            (|m| m.settings_schema = "nonsense".to_owned(), "not JSON"),
            (|m| m.secrets.push(secret("merchant-key")), "the secret"),
            (|m| m.secrets.push(secret("Key")), "the secret"),
            (|m| m.hosts.push(wit::HostPattern::Fixed("*:443".to_owned())), "the host"),
            (|m| m.hosts.push(wit::HostPattern::Fixed("10.0.0.1:443".to_owned())), "the host"),
            (|m| m.hosts.push(wit::HostPattern::Fixed("api.example.com".to_owned())), "the host"),
            (|m| m.hosts.push(wit::HostPattern::Fixed("localhost:443".to_owned())), "the host"),
            (|m| m.hosts.push(wit::HostPattern::Setting("n".to_owned())), "host setting"),
            (|m| m.hosts.push(wit::HostPattern::Setting("missing".to_owned())), "host setting"),
            (|m| m.cadence.call_timeout_ms = 99, "call timeout"),
            (|m| m.cadence.call_timeout_ms = u32::MAX, "call timeout"),
            (|m| m.cadence.query_interval_ms = 0, "query interval"),
            (|m| m.cadence.reverse_after_ms = 999, "time to reversal"),
            (|m| m.bills = None, "bills needs"),
            (|m| m.capabilities.retain(|c| *c != wit::Capability::Bills), "bills needs"),
            (|m| with_bills(m, "Mars/Olympus", 0, 0), "Mars/Olympus"),
            (|m| with_bills(m, "", 0, 0), "IANA"),
            (|m| with_bills(m, "Etc/UTC", 0, 4_321), "4321"),
            (|m| with_bills(m, "Etc/UTC", 1_440, 0), "1440"),
            (|m| with_bills(m, "Etc/UTC", i32::MIN, 0), "midnight"),
        ];
        for (idx, (spoil, why)) in rows.iter().enumerate() {
            let mut manifest = good();
            spoil(&mut manifest);
            let error = Manifest::check(manifest).expect_err("spoilt").to_string();
            assert!(error.contains(why), "row {idx}: {error}");
        }
    }
}
