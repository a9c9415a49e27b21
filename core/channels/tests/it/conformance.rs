//! The kit against a channel that keeps the contract: everything passes, and what is wrong with a run is told in words.

use std::path::PathBuf;

use saoma_channels::conformance::{Command, Kit, KitError, Verdict};

use super::guests::component;

/// `saoma-schemes`, which lies beside the test that cargo built.
pub fn wallet() -> Command {
    let test = std::env::current_exe().expect("this program");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/debug");
    let program = folder.join("saoma-schemes");
    assert!(program.exists(), "{} is not built: `cargo build -p saoma-schemes`", program.display());
    Command::read(&format!("'{}' wallet --stage", program.display())).expect("a command")
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let cache = dir.path().join("cache");
    (dir, cache)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_keeps_the_contract_passes() {
    let (_dir, cache) = scratch();
    let report = Kit::new(component("sandbox"), wallet(), cache).run().await.expect("it runs");
    assert!(report.is_passed(), "{report}");
    // What is not played proves nothing, so it is listed.
    let skipped: Vec<String> = report
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Skipped)
        .map(|case| format!("{}: {}", case.case, case.skipped.as_deref().unwrap_or_default()))
        .collect();
    let told = "notification-of-refund: this far side cannot: the scheme notifies of payments alone";
    assert_eq!(skipped, [told]);
    assert_eq!(report.passed + report.skipped, saoma_channels::conformance::names().len());
    assert_eq!(report.content_hash.len(), 64);
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
        (Kit { only: Some("no-such-case".to_owned()), ..kit(component("sandbox"), "true") }, "no case has"),
    ] {
        let error = kit.run().await.expect_err(why);
        let told = match &error {
            KitError::Install(install) => format!("{error}: {install}"),
            other => other.to_string(),
        };
        assert!(told.contains(why), "{why}: {told}");
    }
}
