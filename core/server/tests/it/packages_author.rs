//! Somebody who publishes versions of the sandbox channel and of a canteen's rules, played and signed as the tools do it.

use std::sync::OnceLock;

use saoma_channels::{
    SystemChance,
    conformance::{CaseReport, CoverageError, Inspected, KIT_VERSION, Report, Verdict, names, rule_names},
    package::{PackageError, PublisherKey, sign},
};
use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{plugins, text},
};

pub const CONTENT_TYPE: &[u8] = b"application/vnd.saoma.plugin-package";

pub struct Author {
    key: PublisherKey,
}

impl Author {
    pub fn new() -> Self {
        Self { key: PublisherKey::generate(&SystemChance).unwrap() }
    }

    pub async fn trusted_by(door: &Door) -> Self {
        let author = Self::new();
        author.is_trusted_by(door).await;
        author
    }

    pub fn public_key(&self) -> String {
        self.key.publisher().to_pem()
    }

    pub fn key_id(&self) -> String {
        self.key.publisher().key_id()
    }

    /// Whoever asks through this door trusts the author from now on.
    pub async fn is_trusted_by(&self, door: &Door) {
        let body = json!({ "name": "Tea Tools", "public_key": self.public_key() });
        let trusted: Value = door.post("/v1/plugin-publishers").json(&body).await.json(201);
        assert_eq!(text(&trusted, "/key_id"), self.key_id());
    }

    /// The envelope of a component whose cases all passed.
    pub async fn signed(&self, component: &[u8]) -> Vec<u8> {
        let inspected = Inspected::of(component, &compiled()).await.unwrap();
        let told = serde_json::to_value(&inspected).unwrap();
        let is_of_rules = matches!(inspected, Inspected::Rules(_));
        let cases = match inspected {
            Inspected::Channel(_) => names(),
            Inspected::Rules(_) => rule_names(),
        };
        let mut report = Report {
            format: 1,
            plugin: inspected.id().to_owned(),
            version: inspected.version().to_owned(),
            content_hash: text(&told, "/content_hash").to_owned(),
            contract: text(&told, "/contract").to_owned(),
            kit: KIT_VERSION.to_owned(),
            passed: 1,
            failed: 0,
            skipped: 0,
            cases: cases.into_iter().map(passed).collect(),
        };
        loop {
            match sign(component, &inspected, &report, &self.key) {
                Ok(envelope) => return serde_json::to_vec(&envelope).unwrap(),
                // Of a rule that is not offered the kit has no case.
                Err(PackageError::Kit(CoverageError::Unplayable { case, .. })) if is_of_rules => {
                    report.cases.retain(|played| played.case != case);
                }
                // The manifest lacks what the case needs, so the kit skips it.
                Err(PackageError::Kit(CoverageError::Unplayable { case, unmet })) => {
                    let skipped = report.cases.iter_mut().find(|played| played.case == case).unwrap();
                    (skipped.verdict, skipped.skipped) = (Verdict::Skipped, Some(unmet));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Publishes through this door; the answer's `hash` names the package.
    pub async fn publishes(&self, door: &Door, component: &[u8]) -> Answer {
        send(door, &self.signed(component).await, component).await
    }

    /// The hash of what is then published.
    pub async fn has_published(&self, door: &Door, component: &[u8]) -> String {
        let published: Value = self.publishes(door, component).await.json(201);
        text(&published, "/hash").to_owned()
    }
}

pub async fn send(door: &Door, envelope: &[u8], component: &[u8]) -> Answer {
    let body = [envelope, b"\n", component].concat();
    door.post("/v1/plugin-packages").header("content-type", CONTENT_TYPE).raw(body).await
}

/// One folder of compiled code for all authors.
fn compiled() -> std::path::PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join("cache")
}

/// The sandbox channel as another version.
pub fn sandbox(version: &str) -> Vec<u8> {
    altered(&built_in(), "sandbox0.1.0Sandbox", format!("sandbox{version}Sandbox"))
}

/// The same under another id.
pub fn sandbox_called(id: &str, version: &str) -> Vec<u8> {
    altered(&built_in(), "sandbox0.1.0Sandbox", format!("{id}{version}Sandbox"))
}

/// A version that wants a setting of another name than accounts have.
pub fn sandbox_with_other_settings(version: &str) -> Vec<u8> {
    altered(&sandbox(version), "merchant_id", "merchant_no")
}

/// The canteen's rules as another version.
pub fn canteen(version: &str) -> Vec<u8> {
    altered(&canteen_built(), "canteen-rules0.1.0Canteen", format!("canteen-rules{version}Canteen"))
}

/// A version that wants a setting of another name than merchants have.
pub fn canteen_with_other_settings(version: &str) -> Vec<u8> {
    altered(&canteen(version), "receipt_line", "receipt_note")
}

/// A version that offers all rules but `risk`.
pub fn canteen_without_risk(version: &str) -> Vec<u8> {
    // The list is one constant in the code: the numbers of four rules, a byte each, and how many they are.
    let all = [0x41, 0x80, 0x82, 0x88, 0x18];
    let without = [0x41, 0x80, 0x82, 0x8c, 0x00];
    let (four, three) = ([0x41, 4, 0x36, 2, 0x2c], [0x41, 3, 0x36, 2, 0x2c]);
    let head = |count: [u8; 5]| [&[0x20, 0][..], &count, &[0x20, 0, 0x20, 8]].concat();
    altered(&altered(&canteen(version), all, without), head(four), head(three))
}

/// The canteen's rules under the first letters of their id: `canteen`.
pub fn rules_called_canteen(version: &str) -> Vec<u8> {
    let head = |chars: u8| [0x20, 0, 0x41, chars, 0x36, 2, 8, 0x20, 0, 0x20, 4];
    altered(&canteen(version), head(13), head(7))
}

fn canteen_built() -> Vec<u8> {
    std::fs::read(plugins().join("../channels/canteen-rules.wasm")).unwrap()
}

fn built_in() -> Vec<u8> {
    std::fs::read(plugins().join("sandbox.wasm")).unwrap()
}

/// A component with one text in its data, or one constant in its code, changed: it does the same and describes itself otherwise.
fn altered(component: &[u8], from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Vec<u8> {
    let (from, to) = (from.as_ref(), to.as_ref());
    assert_eq!(from.len(), to.len(), "the component keeps its size");
    let mut bytes = component.to_vec();
    let mut at = 0;
    let mut n_changed = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        at += found;
        bytes[at..at + from.len()].copy_from_slice(to);
        n_changed += 1;
    }
    assert!(n_changed > 0, "{} is in the component", from.escape_ascii());
    bytes
}

/// What the kit says of a case that passed.
pub fn passed(case: String) -> CaseReport {
    CaseReport {
        case,
        verdict: Verdict::Passed,
        why: String::new(),
        skipped: None,
        done: Vec::new(),
        finding: None,
        heard: Vec::new(),
        logged: Vec::new(),
        duration_ms: 1,
    }
}
