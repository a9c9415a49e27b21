//! The kit against a merchant's rules: those that keep the contract pass, and each way to break it is found in its own rule.

use saoma_channels::{
    CallsMax, ContentHash, Host, HostConfig, InstallError, SystemChance, Whose,
    conformance::{Inspected, KitError, Report, RulesKit, rule_names},
    package::{PublisherKey, VetError, sign, vet},
};

use super::{conformance::scratch, guests::component};

async fn played(name: &str, settings: &[(&str, &str)]) -> Result<Report, KitError> {
    let (_dir, cache) = scratch();
    let settings = settings.iter().map(|(name, json)| ((*name).to_owned(), (*json).to_owned())).collect();
    RulesKit { settings, ..RulesKit::new(component(name), cache) }.run().await
}

#[tokio::test]
async fn the_worked_example_passes_with_and_without_its_settings() {
    let all = include_str!("../../../../plugins/canteen-rules/settings.example.json");
    let report = played("canteen-rules", &[("none", "{}"), ("all", all)]).await.expect("it runs");
    assert!(report.is_passed() && report.failed == 0, "{report}");
    assert_eq!(report.passed, 2 * rule_names().len());
    let decided = |name: &str| report.cases.iter().find(|case| case.case == name).expect("a case").done.join("\n");
    assert!(decided("price-usual-none").contains("1250") && decided("price-usual-all").contains("1125"), "{report}");
}

#[tokio::test]
async fn each_way_to_break_the_contract_is_found() {
    for (mode, case, code) in [
        ("usury", "price-usual", "bad_answer"),
        ("wrong-sum", "price-usual", "bad_answer"),
        ("moody", "price-usual", "a year later"),
        ("error", "route-usual", "undecided"),
        ("foreign", "route-usual", "bad_answer"),
        ("trap", "risk-usual", "trapped"),
        ("bad-code", "risk-usual", "bad_answer"),
        ("loop", "receipt-lines-usual", "timed_out"),
        ("wide", "receipt-lines-usual", "bad_answer"),
    ] {
        let (_dir, cache) = scratch();
        let settings = vec![(mode.to_owned(), format!(r#"{{"mode":"{mode}"}}"#))];
        let only = Some(case.to_owned());
        let kit = RulesKit { settings, only, ..RulesKit::new(component("hostile-rules"), cache) };
        let report = kit.run().await.expect("it runs");
        assert!(!report.is_passed() && report.failed == 1, "{mode}: {report}");
        let finding = report.cases[0].finding.as_ref().expect("a finding");
        assert!(finding.came.starts_with(code) || finding.expected.contains(code), "{mode}: {finding:?}");
    }
    let report = played("hostile-rules", &[("honest", r#"{"mode":"honest"}"#)]).await.expect("it runs");
    assert!(report.is_passed(), "{report}");
}

#[tokio::test]
async fn what_cannot_be_played_is_told_before_anything_is() {
    let channel = played("sandbox", &[]).await.expect_err("no rules");
    assert!(matches!(channel, KitError::Install(InstallError::IsChannel)), "{channel}");
    let unfit = played("hostile-rules", &[]).await.expect_err("it wants a mode");
    assert!(matches!(&unfit, KitError::Settings { why, .. } if why.contains("mode")), "{unfit}");
    let (_dir, cache) = scratch();
    let kit = RulesKit { only: Some("no-such".to_owned()), ..RulesKit::new(component("canteen-rules"), cache) };
    assert!(matches!(kit.run().await, Err(KitError::NoCase(name)) if name == "no-such"));
}

/// From the kit's own report over an envelope into a host, beside rules of the same id in the operator's folder.
#[tokio::test]
async fn rules_that_passed_are_signed_and_taken_in() {
    let (_dir, cache) = scratch();
    let (rules, other) = (component("canteen-rules"), component("hostile-rules"));
    let report = played("canteen-rules", &[]).await.expect("it runs");
    let inspected = Inspected::of(&rules, &cache).await.expect("a component");
    assert!(matches!(&inspected, Inspected::Rules(told) if told.rules.len() == 4), "{inspected}");
    let key = PublisherKey::generate(&SystemChance).expect("random bytes");
    let envelope = serde_json::to_vec(&sign(&rules, &inspected, &report, &key).expect("signed")).expect("JSON");
    let vetted = vet(&rules, &envelope, &[key.publisher()]).expect("vetted");
    let host = Host::new(HostConfig { calls_max: CallsMax::of(4), ..HostConfig::new(cache) }).expect("starts");
    host.install_extension(&rules).await.expect("of the folder");
    let refused = host.install_vetted(&vetted, &other, Whose::Everybodys).await.expect_err("another component");
    assert!(matches!(refused, InstallError::Package(VetError::OtherComponent { .. })), "{refused}");
    assert!(host.package(ContentHash::of(&other)).is_none());
    // What was refused, or is not stored yet, leaves nothing on the disk.
    let (_fresh_dir, fresh) = scratch();
    let elsewhere = Host::new(HostConfig { calls_max: CallsMax::of(4), ..HostConfig::new(&fresh) }).expect("starts");
    let compiled = || {
        let files = std::fs::read_dir(&fresh).expect("a folder").flatten();
        files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "cwasm")).count()
    };
    elsewhere.install_vetted(&vetted, &other, Whose::Tenants).await.expect_err("another component");
    elsewhere.install_vetted(&vetted, &rules, Whose::Tenants).await.expect("taken in");
    assert_eq!(compiled(), 0);
    elsewhere.keep_code(vetted.component()).await;
    elsewhere.keep_code(ContentHash::of(&other)).await;
    assert_eq!(compiled(), 1);

    let loaded = host.install_vetted(&vetted, &rules, Whose::Everybodys).await.expect("taken in");
    assert_eq!((loaded.id(), loaded.content_hash()), ("canteen-rules", vetted.component()));
    assert!(loaded.rules().is_some() && loaded.channel().is_none());
    assert!(host.remove_package(vetted.component()) && host.extension("canteen-rules").is_some());
}
