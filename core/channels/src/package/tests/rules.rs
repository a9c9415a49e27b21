//! Packages of a merchant's rules: the same envelope, with the verdict of their own kit.

use super::*;
use crate::conformance::{RulesInspection, rules_coverage::tests::honest as honest_rules};

fn rules() -> RulesInspection {
    RulesInspection {
        id: "corner-rules".to_owned(),
        version: "2.0.1".to_owned(),
        name: "Corner rules".to_owned(),
        contract: "0.2.0".to_owned(),
        content_hash: ContentHash::of(COMPONENT).to_string(),
        bytes: COMPONENT.len(),
        rules: ["price", "risk"].map(str::to_owned).to_vec(),
        imports: Vec::new(),
        settings_schema: Value::Null,
    }
}

fn report_under(settings: &[&str]) -> Report {
    let case = |(case, verdict)| CaseReport { verdict, ..CaseReport::of(case, "") };
    let cases = honest_rules(&["price", "risk"], settings).into_iter().map(case).collect();
    let told = rules();
    Report { plugin: told.id, version: told.version, cases, ..report() }
}

fn signed_rules_as(key: &PublisherKey, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let envelope = sign(COMPONENT, &rules(), &report_under(&[]), key).expect("sound");
    let mut statement = serde_json::from_slice(&payload_of(&envelope)).expect("JSON");
    change(&mut statement);
    json_of(&Envelope::signed(statement.to_string().as_bytes(), key))
}

#[test]
fn rules_are_signed_with_the_verdict_of_their_own_kit() {
    let key = key();
    for settings in [&[][..], &["weekdays", "holidays"]] {
        let json = json_of(&sign(COMPONENT, &rules(), &report_under(settings), &key).expect("sound"));
        let vetted = vet(COMPONENT, &json, &[key.publisher()]).expect("sound");
        assert_eq!((vetted.kind(), vetted.plugin(), vetted.unplayed()), (Kind::Rules, "corner-rules", &[][..]));
        assert_eq!(vetted.fits(&rules()), Ok(()));
        let said = Said::read(&json).expect("sound");
        assert_eq!((said.kind, said.passed), (Kind::Rules, 32 * settings.len().max(1)));
    }
    // A channel's statement is as it was before there were rules.
    let channels: Value = serde_json::from_slice(&payload_of(&signed(&key))).expect("JSON");
    assert_eq!(channels.get("kind"), None);
    let vetted = vet(COMPONENT, &json_of(&signed(&key)), &[key.publisher()]).expect("sound");
    assert_eq!(vetted.kind(), Kind::Channel);
}

#[test]
fn rules_that_were_not_played_whole_are_not_signed() {
    type Change = fn(&mut Report);
    let rows: [(&str, Change, &str); 5] = [
        ("one case", |report| drop(report.cases.remove(0)), "1 cases were not played, \"price-usual\" the first"),
        ("with --only", |report| report.cases.truncate(16), "16 cases were not played, \"risk-usual\" the first"),
        ("failed", |report| report.cases[2].verdict = Verdict::Failed, "the case \"price-most\" failed"),
        ("a channel's", |report| report.cases = super::report().cases, "its kit has no case"),
        ("another version", |report| report.version = "2.0.2".to_owned(), "another plugin, version or contract"),
    ];
    for (what, change, told) in rows {
        let mut report = report_under(&[]);
        change(&mut report);
        let refused = sign(COMPONENT, &rules(), &report, &key()).expect_err(what).to_string();
        assert!(refused.contains(told), "{what}: {refused}");
    }
}

/// Every way for a statement about rules to be wrong although its signature is right.
#[test]
fn a_trusted_signature_excuses_no_rules() {
    type Change = fn(&mut Value);
    let case = |name: &str| name.to_owned();
    let rows: [(&str, Change, VetError); 6] = [
        (
            "a verdict is missing",
            |said| drop(said["kit"]["cases"].as_array_mut().expect("cases").pop()),
            VetError::Kit(CoverageError::Missing { count: 1, first: case("risk-epoch") }),
        ),
        (
            "it is called a channel",
            |said| drop(said.as_object_mut().expect("a map").remove("kind")),
            VetError::Kit(CoverageError::Unknown(case("price-by-card"))),
        ),
        (
            "a newer kit",
            |said| said["kit"]["version"] = json!("2"),
            VetError::Kit(CoverageError::OtherKit { found: "2".to_owned(), newest: 1 }),
        ),
        (
            "a case failed",
            |said| said["kit"]["cases"][0]["verdict"] = json!("failed"),
            VetError::Kit(CoverageError::Failed(case("price-usual"))),
        ),
        (
            "a case is left out",
            |said| said["kit"]["cases"][0] = json!({"case": "price-usual", "verdict": "skipped", "why": "tired"}),
            VetError::Kit(CoverageError::Missing { count: 1, first: case("price-usual") }),
        ),
        (
            "another kind",
            |said| said["kind"] = json!("driver"),
            VetError::Statement("unknown variant `driver`".to_owned()),
        ),
    ];
    let key = key();
    for (what, change, expected) in rows {
        let refused = vet(COMPONENT, &signed_rules_as(&key, change), &[key.publisher()]).expect_err(what);
        match (&refused, &expected) {
            (VetError::Statement(told), VetError::Statement(begins)) => {
                assert!(told.starts_with(begins.as_str()), "{what}: {told}");
            }
            _ => assert_eq!(refused, expected, "{what}"),
        }
    }
}

/// A rule that the publisher kept quiet about was never played; only the component's own word shows it.
#[test]
fn rules_that_say_otherwise_are_refused() {
    type Change = fn(&mut RulesInspection);
    let key = key();
    let vetted = vet(COMPONENT, &signed_rules_as(&key, |_| ()), &[key.publisher()]).expect("sound");
    let rows: [(&str, Change); 3] = [
        ("rules", |told| told.rules.push("route".to_owned())),
        ("id", |told| told.id = "other-rules".to_owned()),
        ("version", |told| told.version = "2.0.2".to_owned()),
    ];
    for (wrong, change) in rows {
        let mut told = rules();
        change(&mut told);
        let refused = vetted.fits(&told).expect_err(wrong);
        assert!(matches!(refused, VetError::OtherManifest { what, .. } if what == wrong), "{refused}");
    }
    let channel = vetted.fits(&inspection()).expect_err("a channel").to_string();
    assert!(channel.contains("kind is \"channel\", and its publisher signed \"rules\""), "{channel}");
}
