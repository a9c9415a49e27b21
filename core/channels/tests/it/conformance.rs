//! The kit against a channel that keeps the contract: everything passes, and what is wrong with a run is told in words.

use std::path::{Path, PathBuf};

use saoma_channels::{
    CallsMax, Host, HostConfig, InstallError, SystemChance, Whose,
    conformance::{Command, CoverageError, Inspected, Kit, KitError, Only, Report, Verdict},
    package::{PackageError, PublisherKey, VetError, sign, vet},
};

use super::guests::component;

/// `saoma-schemes`, which lies beside the test that cargo built.
pub fn far_side(side: &str) -> Command {
    let test = std::env::current_exe().expect("this program");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/debug");
    let program = folder.join("saoma-schemes");
    assert!(program.exists(), "{} is not built: `cargo build -p saoma-schemes`", program.display());
    Command::read(&format!("'{}' {side}", program.display())).expect("a command")
}

pub fn wallet() -> Command {
    far_side("wallet --stage")
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let cache = dir.path().join("cache");
    (dir, cache)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_keeps_the_contract_passes() {
    let (_dir, cache) = scratch();
    let report = Kit::new(component("sandbox"), wallet(), cache.clone()).run().await.expect("it runs");
    assert!(report.is_passed(), "{report}");
    // What is not played proves nothing, so it is listed; of cards, their batches, what is forwarded, and apps there is nothing to play.
    let of_others = |case: &str| {
        ["card-", "settle-", "upload-", "finish-", "in-app-", "forward-"].iter().any(|of| case.starts_with(of))
    };
    let skipped: Vec<String> = report
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Skipped && !of_others(&case.case))
        .map(|case| format!("{}: {}", case.case, case.skipped.as_deref().unwrap_or_default()))
        .collect();
    let told = "notification-of-refund: this far side cannot: the scheme notifies of payments alone";
    assert_eq!(skipped, [told]);
    assert_eq!(report.passed + report.skipped, saoma_channels::conformance::names().len());
    assert_eq!(report.content_hash.len(), 64);
    is_signed_and_taken_in(&report, &cache).await;
}

/// A channel whose customers show no codes is held to the cases of cards, and what it proves can be signed as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_takes_cards_passes() {
    let (_dir, cache) = scratch();
    let card = component("card");
    let report = Kit::new(card.clone(), far_side("acquirer --tls"), cache.clone()).run().await.expect("it runs");
    assert!(report.is_passed(), "{report}");
    let is_of_cards = |name: &str| name.starts_with("card-");
    let skipped = report.cases.iter().filter(|case| case.verdict == Verdict::Skipped);
    assert_eq!(skipped.filter(|case| is_of_cards(&case.case)).count(), 0, "{report}");
    let inspection = Inspected::of(&card, &cache).await.expect("a component");
    let key = PublisherKey::generate(&SystemChance).expect("random bytes");
    let envelope = serde_json::to_vec(&sign(&card, &inspection, &report, &key).expect("signed")).expect("JSON");
    let vetted = vet(&card, &envelope, &[key.publisher()]).expect("vetted");
    assert_eq!((vetted.plugin(), vetted.unplayed()), ("card", &[][..]));
}

/// What the kit reported is enough for a publisher to sign and a host to take in, and for no other component.
async fn is_signed_and_taken_in(report: &Report, cache: &Path) {
    let (sandbox, other) = (component("sandbox"), component("frozen"));
    let inspection = Inspected::of(&sandbox, cache).await.expect("a component");
    let key = PublisherKey::generate(&SystemChance).expect("random bytes");
    // As `saoma plugin test --json` writes it and `saoma plugin sign` reads it.
    let text = serde_json::to_string(report).expect("JSON");
    let read: Report = serde_json::from_str(&text).expect("what was written");
    let envelope = sign(&sandbox, &inspection, &read, &key).expect("signed");
    let envelope = serde_json::to_vec(&envelope).expect("JSON");
    let vetted = vet(&sandbox, &envelope, &[key.publisher()]).expect("vetted");
    assert_eq!((vetted.plugin(), vetted.unplayed().len()), ("sandbox", 1));

    let host = Host::new(HostConfig { calls_max: CallsMax::of(4), ..HostConfig::new(cache) }).expect("starts");
    let refused = host.install_vetted(&vetted, &other, Whose::Everybodys).await.expect_err("another component");
    assert!(matches!(refused, InstallError::Package(VetError::OtherComponent { .. })), "{refused}");
    let plugin = host.install_vetted(&vetted, &sandbox, Whose::Everybodys).await.expect("taken in");
    assert_eq!(plugin.content_hash(), vetted.component());

    // A run that was not whole is no proof, whatever passed in it.
    let mut part = read;
    part.cases.retain(|case| case.case.starts_with("refund"));
    let refused = sign(&sandbox, &inspection, &part, &key).expect_err("not whole");
    assert!(matches!(refused, PackageError::Kit(CoverageError::Missing { .. })), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_played_is_told() {
    let (_dir, cache) = scratch();
    let kit = |component: Vec<u8>, far_side: &str| {
        Kit::new(component, Command::read(far_side).expect("a command"), cache.clone())
    };
    for (kit, why) in [
        (kit(b"\0asm\x01\0\0\0".to_vec(), "true"), "not a component"),
        (kit(component("sandbox"), "/no/such/program"), "does not start"),
        (kit(component("sandbox"), "true"), "ended before"),
        (kit(component("sandbox"), "echo hello"), "printed \"hello\""),
        (Kit { only: Only::Containing("no-such-case".to_owned()), ..kit(component("sandbox"), "true") }, "no case has"),
    ] {
        let error = kit.run().await.expect_err(why);
        let told = match &error {
            KitError::Install(install) => format!("{error}: {install}"),
            other => other.to_string(),
        };
        assert!(told.contains(why), "{why}: {told}");
    }
}
