//! The client's workflow, attack by attack.

use saoma_protocol::Millis;

use super::{program, version};
use crate::update::{
    fetch::{FetchError, choose},
    keys::{PublicKey, SigningKey},
    metadata::{
        Envelope, Keys, METADATA_BYTES_MAX, MetadataError, Release, Role, Root, Signed, Targets, TargetsMark,
        Timestamp, Trusted, sha256,
    },
    slots::{Failed, State, TRIALS_MAX},
};

const NOW: Millis = Millis(1_000);
const LATER: Millis = Millis(2_000);

/// Those who make releases: two for the root, two for the targets, and a machine for the timestamp; the others are strangers.
struct Makers {
    keys: Vec<SigningKey>,
    _folder: tempfile::TempDir,
}

impl Makers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = (0..8).map(|idx| SigningKey::generate(&folder.path().join(format!("{idx}.pem"))).unwrap()).collect();
        Self { keys, _folder: folder }
    }

    fn keys(&self, threshold: usize, of: &[usize]) -> Keys {
        Keys { keys: of.iter().map(|idx| self.keys[*idx].public()).collect::<Vec<PublicKey>>(), threshold }
    }

    fn signed<T: Signed>(&self, content: &T, by: &[usize]) -> Vec<u8> {
        let mut envelope = Envelope::unsigned(content).unwrap();
        by.iter().for_each(|idx| envelope.sign(&self.keys[*idx]));
        serde_json::to_vec(&envelope).unwrap()
    }

    fn root(&self, version: u64) -> Root {
        Root {
            version,
            expires_at: LATER,
            root: self.keys(2, &[0, 1]),
            targets: self.keys(2, &[2, 3]),
            timestamp: self.keys(1, &[4]),
        }
    }

    fn trusting(&self) -> Trusted {
        Trusted::installed(&self.signed(&self.root(1), &[0, 1])).unwrap()
    }

    fn targets(&self, version: u64, releases: &[Release]) -> Vec<u8> {
        self.signed(&Targets { version, expires_at: LATER, releases: releases.to_vec() }, &[2, 3])
    }

    fn timestamp(&self, version: u64, targets_version: u64, targets: &[u8]) -> Vec<u8> {
        self.signed(&timestamp(version, targets_version, targets), &[4])
    }

    fn up_to(&self, timestamp_version: u64, targets_version: u64) -> Trusted {
        let mut trusted = self.trusting();
        let targets = self.targets(targets_version, &[release("1.0.0", "x", b"one")]);
        trusted.take_timestamp(&self.timestamp(timestamp_version, targets_version, &targets), NOW).unwrap();
        trusted.take_targets(&targets, NOW).unwrap();
        trusted
    }
}

fn timestamp(version: u64, targets_version: u64, targets: &[u8]) -> Timestamp {
    let targets = TargetsMark { version: targets_version, length: targets.len() as u64, sha256: sha256(targets) };
    Timestamp { version, expires_at: LATER, targets }
}

fn release(text: &str, architecture: &str, bytes: &[u8]) -> Release {
    Release {
        version: version(text),
        architecture: architecture.to_owned(),
        length: bytes.len() as u64,
        sha256: sha256(bytes),
        journal: "2".to_owned(),
        journal_min: "1".to_owned(),
    }
}

#[test]
fn a_root_is_believed_if_it_signed_itself_and_one_after_it_if_both_did() {
    let makers = Makers::new();
    for by in [&[][..], &[0], &[0, 4], &[2, 3], &[6, 7]] {
        assert!(matches!(Trusted::installed(&makers.signed(&makers.root(1), by)), Err(MetadataError::Unsigned { .. })));
    }
    // One key twice is one.
    let mut twice = makers.root(1);
    twice.root = makers.keys(2, &[0, 0]);
    assert!(matches!(Trusted::installed(&makers.signed(&twice, &[0])), Err(MetadataError::UnfitRoot(_))));
    let mut nobody = makers.root(1);
    nobody.targets = Keys { keys: Vec::new(), threshold: 0 };
    assert!(matches!(Trusted::installed(&makers.signed(&nobody, &[0, 1])), Err(MetadataError::UnfitRoot(_))));

    let next = |version| Root { root: makers.keys(2, &[1, 5]), ..makers.root(version) };
    for (version, by, is_believed) in [
        (2, &[0, 1, 5][..], true),
        (2, &[0, 1], false),
        (2, &[1, 5], false),
        (2, &[5, 6, 7], false),
        (1, &[0, 1, 5], false),
        (3, &[0, 1, 5], false),
    ] {
        let mut trusted = makers.trusting();
        let before = trusted.clone();
        assert_eq!(trusted.take_root(&makers.signed(&next(version), by)).is_ok(), is_believed, "{version} {by:?}");
        assert_eq!(trusted == before, !is_believed);
    }
}

#[test]
fn new_keys_begin_anew_and_the_old_ones_sign_nothing_more() {
    let makers = Makers::new();
    // Whoever had the timestamp's key ran its version up.
    let mut trusted = makers.up_to(u64::MAX, 3);
    let next = Root { timestamp: makers.keys(1, &[5]), ..makers.root(2) };
    trusted.take_root(&makers.signed(&next, &[0, 1])).unwrap();
    let targets = makers.targets(4, &[]);
    let stale = makers.timestamp(u64::MAX, 4, &targets);
    assert!(matches!(trusted.take_timestamp(&stale, NOW), Err(MetadataError::Unsigned { .. })));
    trusted.take_timestamp(&makers.signed(&timestamp(1, 4, &targets), &[5]), NOW).unwrap();
    trusted.take_targets(&targets, NOW).unwrap();
}

#[test]
fn a_timestamp_is_signed_fresh_and_not_older_than_what_was_known() {
    let makers = Makers::new();
    let targets = makers.targets(5, &[release("1.0.0", "x", b"one")]);
    let other = makers.targets(5, &[]);
    let stamp = |version, targets_version, targets: &[u8]| makers.timestamp(version, targets_version, targets);
    let old_targets = makers.targets(4, &[]);
    let cases: [(&str, Vec<u8>, Millis, Option<&str>); 10] = [
        ("the same again", stamp(7, 5, &targets), NOW, None),
        ("a newer one", stamp(8, 5, &targets), NOW, None),
        ("rollback", stamp(6, 5, &targets), NOW, Some("rollback")),
        ("rollback of the targets", stamp(8, 4, &old_targets), NOW, Some("rollback")),
        ("freeze", stamp(8, 5, &targets), LATER, Some("expired")),
        ("another word under one version", stamp(7, 6, &other), NOW, Some("other bytes")),
        ("other targets under one version", stamp(8, 5, &other), NOW, Some("other bytes")),
        ("a stranger's", makers.signed(&timestamp(8, 5, &targets), &[6]), NOW, Some("signatures")),
        ("another role's key", makers.signed(&timestamp(8, 5, &targets), &[2, 3]), NOW, Some("signatures")),
        ("another role's words", targets.clone(), NOW, Some("signed as something else")),
    ];
    for (what, bytes, now, why) in cases {
        let mut trusted = makers.up_to(7, 5);
        let before = trusted.clone();
        let told = trusted.take_timestamp(&bytes, now).err().map(|error| error.to_string());
        assert_eq!(told.is_some(), why.is_some(), "{what}: {told:?}");
        assert!(why.is_none_or(|why| told.unwrap_or_default().contains(why)), "{what}");
        assert!(why.is_none() || trusted == before, "{what} changed what is believed");
    }
}

#[test]
fn targets_are_those_that_the_timestamp_names() {
    let makers = Makers::new();
    let one = release("1.0.0", "x", b"one");
    let two = release("1.1.0", "x", b"two");
    let good = makers.targets(6, &[one.clone(), two.clone()]);
    let rewritten = makers.targets(6, &[one.clone(), two.clone(), release("1.1.0", "y", b"far")]);
    let expired = makers.signed(&Targets { version: 6, expires_at: NOW, releases: Vec::new() }, &[2, 3]);
    let half_signed = makers.signed(&Targets { version: 6, expires_at: LATER, releases: Vec::new() }, &[2]);
    let swapped = makers.targets(6, &[release("1.0.0", "x", b"another"), two.clone()]);
    let twice = makers.targets(6, &[two.clone(), release("1.1.0", "x", b"another")]);
    let cases = [
        (&good, &good, None),
        (&good, &rewritten, Some("mix-and-match")),
        (&expired, &expired, Some("expired")),
        (&half_signed, &half_signed, Some("1 of the 2")),
        (&makers.targets(7, &[]), &makers.targets(7, &[]), Some("to be version 6")),
        (&swapped, &swapped, Some("another hash")),
        (&twice, &twice, Some("listed twice")),
    ];
    for (named, given, why) in cases {
        let mut trusted = makers.up_to(7, 5);
        trusted.take_timestamp(&makers.timestamp(8, 6, named), NOW).unwrap();
        let before = trusted.clone();
        let told = trusted.take_targets(given, NOW).err().map(|error| error.to_string());
        assert_eq!(told.is_some(), why.is_some(), "{told:?}");
        assert!(why.is_none_or(|why| told.clone().unwrap_or_default().contains(why)), "{why:?}: {told:?}");
        assert!(why.is_none() || trusted == before);
    }
    // An expired root lets nothing in, and a clock that is behind lets what expired in: that is all it can do.
    let mut trusted = makers.trusting();
    assert_eq!(
        trusted.take_timestamp(&makers.timestamp(1, 6, &good), Millis(5_000)),
        Err(MetadataError::Expired { role: Role::Root, version: 1 })
    );
}

#[test]
fn what_is_too_long_or_altered_is_not_read() {
    let makers = Makers::new();
    let good = makers.signed(&makers.root(1), &[0, 1]);
    let text = String::from_utf8(good.clone()).unwrap();
    for bad in [
        Vec::new(),
        b"{}".to_vec(),
        vec![b' '; METADATA_BYTES_MAX + 1],
        text.replace("payload\":\"", "payload\":\"AAAA").into_bytes(),
        text.replace("root+json", "targets+json").into_bytes(),
    ] {
        assert!(Trusted::installed(&bad).is_err(), "{}", String::from_utf8_lossy(&bad));
    }
    assert!(Trusted::installed(&good).is_ok());
}

#[test]
fn a_release_is_newer_for_this_machine_and_for_this_journal() {
    let list = |releases: &[Release]| Targets { version: 1, expires_at: LATER, releases: releases.to_vec() };
    let with = |text: &str, journal: &str, journal_min: &str| Release {
        journal: journal.to_owned(),
        journal_min: journal_min.to_owned(),
        ..release(text, "x", text.as_bytes())
    };
    let failed = |times| {
        let sha256 = sha256(b"1.2.0");
        State {
            failed: vec![Failed { version: version("1.2.0"), sha256, times, why: String::new() }],
            ..State::default()
        }
    };
    let of = |releases: &[Release], state: &State, again| {
        choose(&list(releases), version("1.1.0"), state, ("x", "2"), again)
            .map(|one| one.map(|one| one.version.to_string()))
    };
    let fresh = State::default();
    type Row<'a> = (&'a str, &'a [Release], &'a State, bool, Option<&'a str>);
    let cases: [Row<'_>; 10] = [
        ("the newest", &[with("1.2.0", "2", "1"), with("1.10.0", "2", "1")], &fresh, false, Some("1.10.0")),
        ("a downgrade", &[with("1.0.9", "2", "1")], &fresh, false, None),
        ("the same", &[with("1.1.0", "2", "1")], &fresh, false, None),
        ("another machine's", &[release("1.2.0", "y", b"y")], &fresh, false, None),
        ("one that would not open this journal", &[with("1.2.0", "1", "1")], &fresh, false, None),
        ("one that wants a newer journal", &[with("1.2.0", "4", "3")], &fresh, false, None),
        ("one that changes the journal", &[with("1.2.0", "3", "1")], &fresh, false, Some("1.2.0")),
        ("one that failed", &[with("1.2.0", "2", "1")], &failed(1), false, None),
        ("one that failed once, later", &[with("1.2.0", "2", "1")], &failed(1), true, Some("1.2.0")),
        ("one that failed for good", &[with("1.2.0", "2", "1")], &failed(TRIALS_MAX), true, None),
    ];
    for (what, releases, state, again, chosen) in cases {
        assert_eq!(of(releases, state, again).unwrap().as_deref(), chosen, "{what}");
    }
    let here = State { a: Some(program("1.1.0", b"what runs", "2")), ..State::default() };
    assert!(matches!(of(&[with("1.1.0", "2", "1")], &here, false), Err(FetchError::OtherProgram(_))));
    // It becomes a file's name.
    let path = Release { sha256: "../../../../etc/passwd".to_owned(), ..with("1.2.0", "2", "1") };
    assert_eq!(of(&[path], &fresh, false).unwrap(), None);
    let huge = Release { length: u64::MAX, ..with("1.2.0", "2", "1") };
    assert_eq!(of(&[huge], &fresh, false).unwrap(), None);
}
