//! What a channel says of paying from a page that is open in an app's own browser (`sdk/wit/0.2.0/in-app.wit`), checked where it
//! leaves the plugin.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    bindings::in_app::exports::saoma::channel::in_app as wit,
    failure::Failure,
    manifest::{HostPattern, Manifest, ManifestError},
};

/// An app whose browser a page can pay in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: String,
    /// What people see, 1 to 64 characters.
    pub name: String,
    /// In lower case.
    markers: Vec<String>,
    /// What an account must have to serve it.
    pub settings: Vec<String>,
    pub secrets: Vec<String>,
}

impl App {
    /// Whether a browser that says this of itself is the app's.
    #[must_use]
    pub fn is_of(&self, user_agent: &str) -> bool {
        let said = user_agent.to_ascii_lowercase();
        self.markers.iter().any(|marker| said.contains(marker.as_str()))
    }
}

/// What the visitor's browser has to do to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// `window[object][function](name, parameters, done)`, once the event `ready` has come if the object is not there yet.
    Bridge { object: String, ready: String, function: String, name: String, parameters: Map<String, Value> },
    /// Go there.
    Visit { url: String },
}

const APPS_MAX: usize = 8;
const MARKERS_MAX: usize = 4;
const NEEDS_MAX: usize = 8;
const URL_CHARS_MAX: usize = 2_048;
const PAYER_LEN_MAX: usize = 128;
const PARAMETERS_BYTES_MAX: usize = 4_096;
/// Of what the visitor came back with, in all.
const QUERY_BYTES_MAX: usize = 2_048;
const QUERY_PARAMETERS_MAX: usize = 16;

/// Whether what a browser came back with is within the contract's bounds.
#[must_use]
pub fn may_be_read(parameters: &[(String, String)]) -> bool {
    let bytes: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    parameters.len() <= QUERY_PARAMETERS_MAX && bytes <= QUERY_BYTES_MAX
}

/// The apps that a component says it serves.
///
/// # Errors
/// `App` for one that breaks a bound, or needs what the manifest does not have.
pub(crate) fn apps(given: Vec<wit::App>, manifest: &Manifest) -> Result<Vec<App>, ManifestError> {
    let ids: BTreeSet<&str> = given.iter().map(|app| app.id.as_str()).collect();
    if given.len() > APPS_MAX || ids.len() < given.len() {
        return Err(ManifestError::Count { what: "apps", max: APPS_MAX });
    }
    given.into_iter().map(|app| checked(app, manifest)).collect()
}

fn checked(app: wit::App, manifest: &Manifest) -> Result<App, ManifestError> {
    let is_marker = |marker: &String| {
        (3..=64).contains(&marker.len()) && marker.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    let sound = crate::manifest::is_plugin_id(&app.id)
        && (1..=64).contains(&app.name.chars().count())
        && !app.name.chars().any(char::is_control)
        && (1..=MARKERS_MAX).contains(&app.markers.len())
        && app.markers.iter().all(is_marker)
        && app.settings.len().max(app.secrets.len()) <= NEEDS_MAX
        && app.settings.iter().all(|name| manifest.settings_schema.has_text(name))
        && app.secrets.iter().all(|name| manifest.secrets.iter().any(|secret| secret.name == *name));
    if !sound {
        return Err(ManifestError::App(app.id.chars().take(40).collect()));
    }
    let markers = app.markers.iter().map(|marker| marker.to_ascii_lowercase()).collect();
    Ok(App { id: app.id, name: app.name, markers, settings: app.settings, secrets: app.secrets })
}

/// Where a channel may send a visitor's browser: to hosts that its manifest names, and to those of the settings that the app needs.
/// Elsewhere it could carry settings and payers off, under the eyes of whoever trusts the page that sends them there.
pub(crate) struct Sites {
    /// Whether http will do.
    plain: bool,
    places: Vec<(String, u16)>,
}

impl Sites {
    pub(crate) fn of(manifest: &Manifest, app: &str, settings_json: &str, plain: bool) -> Self {
        let settings: Map<String, Value> = serde_json::from_str(settings_json).unwrap_or_default();
        let place = |url: &Url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?));
        let filled = |name: &String| Url::parse(settings.get(name)?.as_str()?).ok().as_ref().and_then(place);
        let hosts = manifest.hosts.iter().filter_map(|pattern| match pattern {
            HostPattern::Fixed { host, port } => Some((host.clone(), *port)),
            HostPattern::Setting(name) => filled(name),
        });
        let needed = manifest.apps.iter().filter(|served| served.id == app).flat_map(|served| &served.settings);
        Self { plain, places: hosts.chain(needed.filter_map(filled)).collect() }
    }

    fn lead_to(&self, url: &Url) -> bool {
        (url.scheme() == "https" || self.plain && url.scheme() == "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url
                .host_str()
                .zip(url.port_or_known_default())
                .is_some_and(|(host, port)| self.places.iter().any(|(named, at)| named == host && *at == port))
    }
}

/// Where a visitor is sent so that the scheme tells who they are.
pub(crate) fn sent_to(url: Option<String>, sites: &Sites) -> Result<Option<String>, Failure> {
    url.map(|url| address(url, sites)).transpose()
}

/// The scheme's id of who pays.
pub(crate) fn payer(id: String) -> Result<String, Failure> {
    let is_id = (1..=PAYER_LEN_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_id { Ok(id) } else { Err(bad("its payer is not 1 to 128 printable ASCII characters")) }
}

pub(crate) fn step(step: wit::Step, sites: &Sites) -> Result<Step, Failure> {
    match step {
        wit::Step::Visit(url) => Ok(Step::Visit { url: address(url, sites)? }),
        wit::Step::Bridge(call) => {
            let letters = |text: &str, min, max| {
                (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
            };
            let name = |text: &str| {
                (1..=64).contains(&text.len())
                    && text.starts_with(|first: char| first.is_ascii_alphabetic())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
            };
            // Anything else of a browser's window would be a plugin's code on a page of core's.
            let is_bridge = letters(&call.object, 8, 32) && call.object.ends_with("JSBridge");
            if !is_bridge || !letters(&call.ready, 1, 64) || !name(&call.function) || !name(&call.name) {
                return Err(bad("its bridge is none: an object that ends in JSBridge, and names of letters"));
            }
            let parameters = Some(&call.parameters_json).filter(|text| text.len() <= PARAMETERS_BYTES_MAX);
            let parameters: Option<Map<String, Value>> = parameters.and_then(|text| serde_json::from_str(text).ok());
            let parameters = parameters.filter(|parameters| parameters.values().all(Value::is_string));
            let parameters =
                parameters.ok_or_else(|| bad("its parameters are no JSON object of texts of at most 4,096 bytes"))?;
            let wit::BridgeCall { object, ready, function, name, .. } = call;
            Ok(Step::Bridge { object, ready, function, name, parameters })
        }
    }
}

fn address(url: String, sites: &Sites) -> Result<String, Failure> {
    let is_address = url.chars().count() <= URL_CHARS_MAX
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(&url).is_ok_and(|url| sites.lead_to(&url));
    if is_address {
        Ok(url)
    } else {
        Err(bad(
            "its address is no https URL of at most 2,048 characters at a host of the manifest's or of the app's settings",
        ))
    }
}

fn bad(why: &str) -> Failure {
    Failure::BadAnswer { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::good;

    fn app() -> wit::App {
        wit::App {
            id: "wechat".to_owned(),
            name: "WeChat 微信".to_owned(),
            markers: vec!["MicroMessenger".to_owned()],
            settings: vec!["base_url".to_owned()],
            secrets: vec!["merchant-key".to_owned()],
        }
    }

    #[test]
    fn an_app_is_known_by_what_its_browser_says() {
        let manifest = Manifest::check(good()).expect("sound");
        let apps = apps(vec![app()], &manifest).expect("sound");
        assert!(apps[0].is_of("Mozilla/5.0 (iPhone) MICROMESSENGER/8.0.49(0x1800312b)"));
        assert!(!apps[0].is_of("Mozilla/5.0 (iPhone) Safari") && !apps[0].is_of(""));
    }

    #[test]
    fn absurd_apps_are_refused() {
        type Spoil = fn(&mut Vec<wit::App>);
        let rows: &[Spoil] = &[
            |apps| apps[0].id = "WeChat".to_owned(),
            |apps| apps[0].name = String::new(),
            |apps| apps[0].name = "a\u{1b}b".to_owned(),
            |apps| apps[0].markers.clear(),
            |apps| apps[0].markers = vec!["ab".to_owned()],
            |apps| apps[0].markers = vec!["微信微信".to_owned()],
            |apps| apps[0].markers = vec!["Safari".to_owned(); 5],
            |apps| apps[0].settings.push("n".to_owned()),
            |apps| apps[0].secrets.push("other".to_owned()),
            |apps| apps.push(app()),
            |apps| *apps = (0..9).map(|nth| wit::App { id: format!("app-{nth}"), ..app() }).collect(),
        ];
        let manifest = Manifest::check(good()).expect("sound");
        assert!(apps(vec![app()], &manifest).is_ok() && apps(Vec::new(), &manifest).is_ok());
        for (idx, spoil) in rows.iter().enumerate() {
            let mut given = vec![app()];
            spoil(&mut given);
            assert!(apps(given, &manifest).is_err(), "row {idx}");
        }
    }

    /// Of the fixed host of [`good`], and of what a setting of the app's has.
    fn sites(plain: bool) -> Sites {
        let mut manifest = Manifest::check(good()).expect("sound");
        manifest.apps = apps(vec![app()], &manifest).expect("sound");
        Sites::of(&manifest, "wechat", r#"{"base_url":"https://pay.example/v3"}"#, plain)
    }

    #[test]
    fn a_browser_is_sent_nowhere_but_to_the_channels_own_hosts() {
        let good = ["https://pay.example/1?a=b", "https://pay.example:443/", "https://api.example.com/x"];
        for url in good {
            assert_eq!(sent_to(Some(url.to_owned()), &sites(false)).ok(), Some(Some(url.to_owned())), "{url}");
        }
        assert_eq!(sent_to(None, &sites(false)).ok(), Some(None));
        for url in [
            "https://evil.example/",
            "https://pay.example.evil.example/",
            "https://pay.example:8443/",
            "https://pay.example@evil.example/",
            "https://someone@pay.example/",
            "https://:word@pay.example/",
            "http://pay.example/",
            "javascript:alert(1)",
        ] {
            assert!(sent_to(Some(url.to_owned()), &sites(false)).is_err(), "{url}");
        }
    }

    #[test]
    fn a_step_is_a_bridge_or_an_address_and_nothing_else_of_the_window() {
        let call = |object: &str, function: &str, parameters: &str| {
            wit::Step::Bridge(wit::BridgeCall {
                object: object.to_owned(),
                ready: "WeixinJSBridgeReady".to_owned(),
                function: function.to_owned(),
                name: "getBrandWCPayRequest".to_owned(),
                parameters_json: parameters.to_owned(),
            })
        };
        assert!(step(call("WeixinJSBridge", "invoke", r#"{"appId":"wx1"}"#), &sites(false)).is_ok());
        assert!(step(wit::Step::Visit("https://pay.example/1?a=b".to_owned()), &sites(false)).is_ok());
        // The port counts: that of https is named, 80 is not.
        let plain = || wit::Step::Visit("http://pay.example:443/1".to_owned());
        assert!(step(plain(), &sites(true)).is_ok() && step(plain(), &sites(false)).is_err());
        for refused in [
            call("document", "write", "{}"),
            call("JSBridge", "", "{}"),
            call("a.xJSBridge", "call", "{}"),
            call("WeixinJSBridge", "invoke.call", "{}"),
            call("WeixinJSBridge", "invoke", "[]"),
            call("WeixinJSBridge", "invoke", r#"{"a":{"b":"c"}}"#),
            call("WeixinJSBridge", "invoke", &format!(r#"{{"a":"{}"}}"#, "b".repeat(4_096))),
            wit::Step::Visit("javascript:alert(1)".to_owned()),
            wit::Step::Visit("weixin://pay".to_owned()),
            wit::Step::Visit(format!("https://pay.example/{}", "a".repeat(2_048))),
        ] {
            assert!(matches!(step(refused.clone(), &sites(true)), Err(Failure::BadAnswer { .. })), "{refused:?}");
        }
        assert!(payer("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()).is_ok());
        assert!(payer(String::new()).is_err() && payer("a b".to_owned()).is_err() && payer("a".repeat(129)).is_err());
    }
}
