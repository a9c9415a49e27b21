//! Releases: what those who make them are kept from, and a guard that the disk does not help.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use saoma_edge::{
    journal::{self, Settings, Store},
    link::tls,
};
use saoma_protocol::{Millis, TerminalId};
use serde_json::Value;

use crate::enrolled::enrolled;

const PROGRAM: &str = env!("CARGO_BIN_EXE_saoma-edge");

struct Makers {
    folder: tempfile::TempDir,
}

impl Makers {
    /// A repository whose lists need two signatures.
    fn open() -> Self {
        let makers = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(makers.path("repo")).unwrap();
        let [root, targets, second, timestamp] = ["root", "targets", "second", "timestamp"]
            .map(|key| makers.done(&["keygen", &makers.path(key)]).trim().to_owned());
        let (root, targets, timestamp) =
            (format!("1:{root}"), format!("2:{targets},{second}"), format!("1:{timestamp}"));
        let repo = makers.path("repo");
        let key = makers.path("root");
        makers.done(&["root", &repo, "--root", &root, "--targets", &targets, "--timestamp", &timestamp, "--key", &key]);
        makers
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn release(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).arg("release").args(arguments).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let made = self.release(arguments);
        assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], words: &str) {
        let made = self.release(arguments);
        let told = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(!made.status.success() && told.contains(words), "{arguments:?}: {told}");
    }

    fn add(&self, version: &str, script: &str, more: &[&str]) -> Output {
        let program = self.path(version);
        fs::write(&program, format!("#!/bin/sh\n# {version}\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let (repo, key) = (self.path("repo"), self.path("targets"));
        self.release(&[&["add", &repo, "--program", &program, "--as", version, "--key", &key], more].concat())
    }

    fn list(&self, version: u64) -> Value {
        let said = self.done(&["inspect", &self.path(&format!("repo/{version}.targets.json"))]);
        serde_json::from_str::<Value>(&said).unwrap()["says"].take()
    }
}

/// A list that says less of the journal than its program does to it would cost the way back.
#[test]
fn the_program_itself_is_asked_what_it_makes_of_the_journal() {
    let makers = Makers::open();
    for (version, script, more, journal) in [
        ("1.0.0", format!("exec {PROGRAM} \"$@\""), &[][..], journal::version()),
        ("1.0.1", "echo '{\"journal\":\"29990101000000\"}'".to_owned(), &[], "29990101000000".to_owned()),
        ("1.0.2", "exit 1".to_owned(), &["--journal", "29990101000001"], "29990101000001".to_owned()),
    ] {
        let added = makers.add(version, &script, more);
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let number = version.rsplit('.').next().unwrap().parse::<u64>().unwrap() + 1;
        let releases = makers.list(number)["releases"].clone();
        assert_eq!(releases.as_array().unwrap().last().unwrap()["journal"], journal, "{version}");
    }
    for more in [&[][..], &["--architecture", "of_the_moon"]] {
        let refused = makers.add("1.0.3", "exit 1", more);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("give --journal"), "{told}");
    }
}

/// A timestamp that came too early would name bytes that change with the second signature.
#[test]
fn a_timestamp_waits_for_every_signature_and_lists_are_renewed_and_releases_withdrawn() {
    let makers = Makers::open();
    let (repo, first, second, timestamp) =
        (makers.path("repo"), makers.path("targets"), makers.path("second"), makers.path("timestamp"));
    let stamp = ["timestamp", &repo, "--key", &timestamp];
    for version in ["1.0.0", "1.0.1"] {
        assert!(makers.add(version, "", &["--journal", "1"]).status.success());
    }
    makers.refused(&stamp, "1 of the 2 signatures");
    makers.done(&["sign", &makers.path("repo/2.targets.json"), "--key", &second]);
    makers.done(&stamp);

    makers.refused(&["withdraw", &repo, "3.0.0", "--key", &first], "not in the list");
    let more = ["--key", &first, "--key", &second, "--days", "400"];
    makers.done(&[&["withdraw", &repo, "1.0.1"][..], &more].concat());
    makers.done(&[&["renew", &repo][..], &more].concat());
    makers.done(&stamp);
    let [before, withdrawn, renewed] = [2, 3, 4].map(|version| makers.list(version));
    let versions = |list: &Value| -> Vec<String> {
        list["releases"].as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (versions(&before), versions(&withdrawn)),
        (vec!["1.0.0".to_owned(), "1.0.1".to_owned()], vec!["1.0.0".to_owned()])
    );
    assert_eq!(renewed["releases"], withdrawn["releases"]);
    assert!(renewed["expires_at"].as_i64() > before["expires_at"].as_i64(), "{renewed}");
}

/// What it cannot read or write does not keep a release that hangs.
#[test]
fn a_guard_that_can_keep_nothing_ends_the_trial_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slots")).unwrap();
    fs::write(folder.path().join("slots/state.json"), b"torn").unwrap();
    let guard =
        format!("{PROGRAM} boot --data-dir \"$0\" --guard $$ --guard-seconds 1 --guard-program x & exec sleep 600");
    let ended = Command::new("sh").args(["-c", &guard]).arg(folder.path()).stdin(Stdio::null()).status().unwrap();
    assert_eq!(ended.signal(), Some(15), "{ended:?}");
}

/// What enrolment leaves behind, with an empty journal, which is where the path says.
pub fn with_journal(folder: &Path) -> PathBuf {
    tls::install_provider();
    enrolled(folder);
    let path = folder.join("journal.db");
    let settings = Settings { path: path.clone(), free_bytes_min: 0, pages_max: 0 };
    drop(Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap());
    path
}

/// Put back, the copy would be under a key that is gone.
#[test]
fn no_other_key_is_given_while_a_copy_of_the_journal_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = with_journal(folder.path());
    let key = || fs::read(folder.path().join("journal.key")).unwrap();
    let before = key();
    let rekey = || {
        let mut program = Command::new(PROGRAM);
        program.env("SAOMA_EDGE_DATA_DIR", folder.path()).args(["journal", "rekey"]).output().unwrap()
    };
    fs::create_dir(folder.path().join("slots")).unwrap();
    let copy = folder.path().join("slots/journal-before.db");
    fs::copy(&path, &copy).unwrap();
    let refused = rekey();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("a release is on trial"), "{told}");
    assert_eq!(key(), before);
    fs::remove_file(copy).unwrap();
    assert!(rekey().status.success());
    assert_ne!(key(), before);
}
