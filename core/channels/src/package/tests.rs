mod rules;

use std::{fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{envelope::pae, *};
use crate::{
    conformance::{
        CoverageError, Inspection,
        coverage::tests::{honest, offering},
    },
    ports::{Chance, NoChance, SystemChance},
    secret::SecretFault,
};

const COMPONENT: &[u8] = b"\0asm a channel of the tests";

fn key() -> PublisherKey {
    PublisherKey::generate(&SystemChance).expect("random bytes")
}

fn inspection() -> Inspection {
    Inspection {
        id: "corner-pay".to_owned(),
        version: "1.4.0-rc.2".to_owned(),
        name: "Corner Pay".to_owned(),
        contract: "0.2.0".to_owned(),
        content_hash: ContentHash::of(COMPONENT).to_string(),
        bytes: COMPONENT.len(),
        capabilities: ["merchant-presented", "cancel", "bills"].map(str::to_owned).to_vec(),
        currencies: Vec::new(),
        claims: Vec::new(),
        hosts: Vec::new(),
        secrets: Vec::new(),
        call_timeout_ms: 0,
        query_interval_ms: 0,
        reverse_after_ms: 0,
        bills: None,
        imports: Vec::new(),
        settings_schema: Value::Null,
    }
}

fn report() -> Report {
    let case = |(case, verdict, skipped): (String, Verdict, Option<String>)| CaseReport {
        case,
        verdict,
        why: String::new(),
        skipped,
        done: Vec::new(),
        finding: None,
        heard: Vec::new(),
        logged: Vec::new(),
        duration_ms: 0,
    };
    let mut cases: Vec<_> = honest(&inspection().offers()).into_iter().map(case).collect();
    let busy = cases.iter_mut().find(|case| case.case == "query-left-open-busy").expect("a case");
    (busy.verdict, busy.skipped) = (Verdict::Skipped, Some("this far side does not play busy".to_owned()));
    Report {
        format: crate::conformance::REPORT_FORMAT,
        plugin: inspection().id,
        version: inspection().version,
        content_hash: inspection().content_hash,
        contract: inspection().contract,
        kit: KIT_VERSION.to_owned(),
        passed: 0,
        failed: 0,
        skipped: 0,
        cases,
    }
}

fn signed(key: &PublisherKey) -> Envelope {
    sign(COMPONENT, &inspection(), &report(), key).expect("sound")
}

fn json_of(envelope: &Envelope) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("JSON")
}

fn payload_of(envelope: &Envelope) -> Vec<u8> {
    STANDARD.decode(&envelope.payload).expect("Base64")
}

#[test]
fn what_is_signed_is_vetted() {
    let (key, stranger) = (key(), key());
    let json = json_of(&signed(&key));
    let vetted = vet(COMPONENT, &json, &[stranger.publisher(), key.publisher()]).expect("sound");
    assert_eq!((vetted.plugin(), vetted.version().to_string().as_str()), ("corner-pay", "1.4.0-rc.2"));
    assert_eq!((vetted.contract(), vetted.kit()), ("0.2.0", KIT_VERSION));
    assert_eq!(vetted.component(), ContentHash::of(COMPONENT));
    assert_eq!((vetted.component_bytes(), vetted.key_id()), (COMPONENT.len(), key.publisher().key_id().as_str()));
    let unplayed: Vec<_> = vetted.unplayed().iter().map(|unplayed| unplayed.case.as_str()).collect();
    assert_eq!(unplayed, ["query-left-open-busy"]);
    assert!(json.len() < ENVELOPE_BYTES_MAX / 4, "{} bytes: the limit has room", json.len());
    let said = Said::read(&json).expect("sound");
    assert_eq!((said.key_ids, said.component), (vec![key.publisher().key_id()], vetted.component().to_string()));
    assert_eq!(said.passed + said.left_out.len(), crate::conformance::names().len());
    assert!(said.left_out.iter().all(|left_out| !left_out.why.is_empty()), "{:?}", said.left_out);
    assert!(vetted.version() < &Version::new(1, 4, 0) && vetted.version() > &Version::new(1, 3, 9));
}

/// What may be signed, and what not.
#[test]
fn what_was_not_played_is_not_signed() {
    type Change = fn(&mut Report, &mut Inspection);
    let rows: [(&str, Change, &str); 9] = [
        ("another shape", |report, _| report.format += 1, "format 2"),
        ("another kit", |report, _| report.kit = "0.0.9".to_owned(), "the kit of version 0.0.9"),
        ("another component", |report, _| report.content_hash = "ab".repeat(32), "about another component"),
        ("facts of another component", |_, facts| facts.content_hash = "ab".repeat(32), "about another component"),
        ("another id", |report, _| report.plugin = "other".to_owned(), "names another plugin"),
        ("another contract", |report, _| report.contract = "0.1.0".to_owned(), "names another plugin"),
        ("a failed case", |report, _| report.cases[0].verdict = Verdict::Failed, "failed"),
        ("--only", |report, _| report.cases.retain(|case| case.case.contains("bill")), "without --only"),
        (
            "a capability that was not played",
            |_, facts| facts.capabilities.push("refund".to_owned()),
            "is mandatory and was left out",
        ),
    ];
    let key = key();
    for (what, change, why) in rows {
        let (mut report, mut facts) = (report(), inspection());
        change(&mut report, &mut facts);
        let told = sign(COMPONENT, &facts, &report, &key).expect_err(what).to_string();
        assert!(told.contains(why), "{what}: {told}");
    }
    assert!(matches!(
        sign(b"else", &inspection(), &report(), &key),
        Err(PackageError::OtherComponent { given, .. }) if given == ContentHash::of(b"else").to_string()
    ));
}

/// An envelope around whatever statement, signed by a publisher who is trusted: they may be careless or lie.
fn signed_as(key: &PublisherKey, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut statement = serde_json::from_slice(&payload_of(&signed(key))).expect("JSON");
    change(&mut statement);
    json_of(&Envelope::signed(statement.to_string().as_bytes(), key))
}

/// Every way for a statement to be wrong although its signature is right.
#[test]
fn a_trusted_signature_excuses_nothing() {
    type Change = fn(&mut Value);
    let sha256_of_else = ContentHash::of(b"else").to_string();
    let rows: [(&str, Change, VetError); 18] = [
        ("a newer format", |said| said["format"] = json!(2), VetError::Format { found: 2 }),
        (
            "another component",
            |said| said["component_sha256"] = json!(ContentHash::of(b"else").to_string()),
            VetError::OtherComponent { stated: sha256_of_else, given: ContentHash::of(COMPONENT).to_string() },
        ),
        (
            "another size",
            |said| said["component_bytes"] = json!(1),
            VetError::OtherSize { stated: 1, given: COMPONENT.len() },
        ),
        ("no id", |said| said["plugin"] = json!("../etc"), VetError::PluginId("../etc".to_owned())),
        ("no version", |said| said["version"] = json!("1.4"), VetError::Version("1.4".to_owned())),
        (
            "a case of another kit",
            |said| said["kit"]["cases"][0]["case"] = json!("dance"),
            VetError::Kit(CoverageError::Unknown("dance".to_owned())),
        ),
        (
            "two verdicts of one case",
            |said| {
                let again = said["kit"]["cases"][1].clone();
                said["kit"]["cases"].as_array_mut().expect("a list").push(again);
            },
            VetError::Kit(CoverageError::Twice("self-test".to_owned())),
        ),
        (
            "a case that is not there",
            |said| drop(said["kit"]["cases"].as_array_mut().expect("a list").remove(1)),
            VetError::Kit(CoverageError::Missing { count: 1, first: "self-test".to_owned() }),
        ),
        (
            "a case that failed",
            |said| said["kit"]["cases"][1]["verdict"] = json!("failed"),
            VetError::Kit(CoverageError::Failed("self-test".to_owned())),
        ),
        (
            "a mandatory case that was left out",
            |said| said["kit"]["cases"][1] = json!({"case": "self-test", "verdict": "skipped", "why": "tired"}),
            VetError::Kit(CoverageError::LeftOut { case: "self-test".to_owned(), why: "tired".to_owned() }),
        ),
        (
            "a case left out without a reason",
            |said| said["kit"]["cases"][1] = json!({"case": "self-test", "verdict": "skipped"}),
            VetError::Kit(CoverageError::Unreasoned("self-test".to_owned())),
        ),
        (
            "a case that passed without its capability",
            |said| said["offers"] = json!(["merchant-presented", "cancel"]),
            VetError::Kit(CoverageError::Unplayable {
                case: "bill-of-the-day".to_owned(),
                unmet: "the manifest does not declare bills".to_owned(),
            }),
        ),
        (
            "a newer kit",
            |said| said["kit"]["version"] = json!("2"),
            VetError::Kit(CoverageError::OtherKit { found: "2".to_owned(), newest: 1 }),
        ),
        (
            "a kit from before kits were numbered",
            |said| said["kit"]["version"] = json!("0.1.0"),
            VetError::Kit(CoverageError::OtherKit { found: "0.1.0".to_owned(), newest: 1 }),
        ),
        ("an unknown field", |said| said["note"] = json!(1), VetError::Statement("unknown field `note`".to_owned())),
        (
            "an unknown field of a case",
            |said| said["kit"]["cases"][0]["note"] = json!(1),
            VetError::Statement("unknown field `note`".to_owned()),
        ),
        (
            "an unknown verdict",
            |said| said["kit"]["cases"][0]["verdict"] = json!("fine"),
            VetError::Statement("unknown variant `fine`".to_owned()),
        ),
        ("no statement", |said| *said = json!("hello"), VetError::Statement("invalid type: string".to_owned())),
    ];
    let key = key();
    for (what, change, expected) in rows {
        let refused = vet(COMPONENT, &signed_as(&key, change), &[key.publisher()]).expect_err(what);
        match (&refused, &expected) {
            (VetError::Statement(told), VetError::Statement(begins)) => {
                assert!(told.starts_with(begins.as_str()), "{what}: {told}");
            }
            _ => assert_eq!(refused, expected, "{what}"),
        }
    }
    // A field that stands twice would be read by some as the first and by others as the last.
    let twice = String::from_utf8(payload_of(&signed(&key))).expect("text").replacen('{', r#"{"plugin":"other","#, 1);
    let envelope = json_of(&Envelope::signed(twice.as_bytes(), &key));
    let refused = vet(COMPONENT, &envelope, &[key.publisher()]).expect_err("twice").to_string();
    assert!(refused.contains("duplicate field `plugin`"), "{refused}");
}

/// Every way for an envelope to be wrong.
#[test]
fn nothing_is_believed_before_its_signature() {
    let (ours, stranger) = (key(), key());
    let trusted = [ours.publisher()];
    let refused = |envelope: &Envelope| vet(COMPONENT, &json_of(envelope), &trusted).expect_err("refused");
    let good = signed(&ours);
    let with = |change: fn(&mut Envelope)| {
        let mut envelope = good.clone();
        change(&mut envelope);
        refused(&envelope)
    };
    let bad = VetError::BadSignature { key_id: ours.publisher().key_id() };

    assert!(matches!(vet(COMPONENT, b"{", &trusted), Err(VetError::NotAnEnvelope(_))));
    assert!(matches!(vet(COMPONENT, br#"{"payload": ""}"#, &trusted), Err(VetError::NotAnEnvelope(_))));
    let huge = vec![b' '; ENVELOPE_BYTES_MAX + 1];
    let told = VetError::EnvelopeTooLarge { given: ENVELOPE_BYTES_MAX + 1, max: ENVELOPE_BYTES_MAX };
    assert_eq!(vet(COMPONENT, &huge, &trusted), Err(told));
    let told = VetError::ComponentTooLarge { given: PLUGIN_BYTES_MAX + 1, max: PLUGIN_BYTES_MAX };
    assert_eq!(vet(&vec![0; PLUGIN_BYTES_MAX + 1], &json_of(&good), &trusted), Err(told));
    let told = VetError::PayloadType { found: "application/json".to_owned() };
    assert_eq!(with(|envelope| envelope.payload_type = "application/json".to_owned()), told);
    assert_eq!(with(|envelope| envelope.signatures.clear()), VetError::Signatures { given: 0 });
    let many = with(|envelope| envelope.signatures = vec![envelope.signatures[0].clone(); SIGNATURES_MAX + 1]);
    assert_eq!(many, VetError::Signatures { given: SIGNATURES_MAX + 1 });
    assert_eq!(with(|envelope| envelope.payload.push('!')), VetError::NotBase64("payload"));
    assert_eq!(with(|envelope| envelope.signatures[0].sig.push('!')), VetError::NotBase64("signature"));
    assert_eq!(with(|envelope| envelope.signatures[0].sig.clear()), bad);
    assert_eq!(with(|envelope| envelope.payload = STANDARD.encode("{}")), bad);

    // Somebody else's signature, honest about whose it is, and under our name.
    let mut strange = signed(&stranger);
    assert_eq!(refused(&strange), VetError::Untrusted { key_ids: vec![stranger.publisher().key_id()] });
    strange.signatures[0].keyid = ours.publisher().key_id();
    assert_eq!(refused(&strange), bad);
    strange.signatures[0].keyid.clear();
    assert_eq!(refused(&strange), VetError::Untrusted { key_ids: Vec::new() });
    assert_eq!(vet(COMPONENT, &json_of(&good), &[]), Err(VetError::Untrusted { key_ids: good.key_ids() }));

    // The same bytes signed as another type: what our key says elsewhere is no statement here.
    let elsewhere = ours.sign(&pae("application/vnd.other+json", &payload_of(&good)));
    let mut envelope = good.clone();
    envelope.signatures[0].sig = STANDARD.encode(elsewhere);
    assert_eq!(refused(&envelope), bad);
}

#[test]
fn one_trusted_signature_among_several_is_enough() {
    let (ours, stranger) = (key(), key());
    let mut both = signed(&stranger);
    both.signatures.extend(signed(&ours).signatures);
    let vetted = |envelope: &Envelope, trusted: &[Publisher]| {
        vet(COMPONENT, &json_of(envelope), trusted).map(|vetted| vetted.key_id().to_owned())
    };
    let ours_id = ours.publisher().key_id();
    assert_eq!(vetted(&both, &[ours.publisher()]), Ok(ours_id.clone()));
    assert_eq!(vetted(&both, &[stranger.publisher()]), Ok(stranger.publisher().key_id()));
    // A signature that is spoilt does not take the good one with it.
    both.signatures[0] = Signature { keyid: ours_id.clone(), sig: both.signatures[0].sig.clone() };
    assert_eq!(vetted(&both, &[ours.publisher()]), Ok(ours_id.clone()));
    // The key id is a hint and may be missing; what else stands in an envelope is nobody's word, and is ignored.
    let mut value = serde_json::to_value(signed(&ours)).expect("JSON");
    value["signatures"][0].as_object_mut().expect("a map").remove("keyid");
    value["note"] = json!("unsigned");
    let json = value.to_string();
    assert_eq!(
        vet(COMPONENT, json.as_bytes(), &[stranger.publisher(), ours.publisher()]).expect("sound").key_id(),
        ours_id
    );
}

/// One bit anywhere in what is signed, in the signature or in the component.
#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let key = key();
    let trusted = [key.publisher()];
    let envelope = signed(&key);
    let payload = payload_of(&envelope);
    let signature = STANDARD.decode(&envelope.signatures[0].sig).expect("Base64");
    let flipped = |bytes: &[u8], idx: usize| {
        let mut bytes = bytes.to_vec();
        bytes[idx] ^= 1 << (idx % 8);
        bytes
    };
    let bad = VetError::BadSignature { key_id: key.publisher().key_id() };
    // Every 7th byte reaches each field of the statement and each bit of a byte.
    for idx in (0..payload.len()).step_by(7) {
        let spoilt = Envelope { payload: STANDARD.encode(flipped(&payload, idx)), ..envelope.clone() };
        assert_eq!(vet(COMPONENT, &json_of(&spoilt), &trusted), Err(bad.clone()), "payload, byte {idx}");
    }
    for idx in 0..signature.len() {
        let mut spoilt = envelope.clone();
        spoilt.signatures[0].sig = STANDARD.encode(flipped(&signature, idx));
        assert_eq!(vet(COMPONENT, &json_of(&spoilt), &trusted), Err(bad.clone()), "signature, byte {idx}");
    }
    for idx in 0..COMPONENT.len() {
        let refused = vet(&flipped(COMPONENT, idx), &json_of(&envelope), &trusted);
        assert!(matches!(refused, Err(VetError::OtherComponent { .. })), "component, byte {idx}: {refused:?}");
    }
    for cut in [&COMPONENT[1..], &COMPONENT[..3], b""] {
        assert!(matches!(vet(cut, &json_of(&envelope), &trusted), Err(VetError::OtherComponent { .. })));
    }
}

#[test]
fn keys_show_their_public_half_alone() {
    let key = key();
    let (secret, id) = (key.to_pem().to_string(), key.publisher().key_id());
    assert_eq!(format!("{key:?}"), format!("the key of {id}"));
    assert_eq!(format!("{:?}", key.publisher()), id);
    let again = PublisherKey::from_pem(secret.as_bytes()).expect("our own");
    assert_eq!(again.publisher(), key.publisher());
    assert_eq!(Publisher::from_pem(key.publisher().to_pem().as_bytes()), Ok(key.publisher()));
    struct Broken;
    impl Chance for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoChance> {
            Err(NoChance)
        }
    }
    assert!(PublisherKey::generate(&Broken).is_err());
}

#[test]
fn files_that_are_no_keys_are_refused_in_words() {
    let (secret, public) = (key().to_pem().to_string(), key().publisher().to_pem());
    let rsa = include_str!("../../tests/keys/merchant-pkcs8.pem");
    let rsa_public = include_str!("../../tests/keys/merchant-public.pem");
    let locked = include_str!("../../tests/keys/locked.pem");
    let private = KeyFault::Other { wanted: "an Ed25519 private key" };
    for (text, fault) in [
        (public.clone(), private.clone()),
        (rsa.to_owned(), private),
        (locked.to_owned(), SecretFault::Locked.into()),
        (secret.repeat(2), KeyFault::Count),
        (secret[..60].to_owned(), SecretFault::CutOff.into()),
        ("a password".to_owned(), SecretFault::NotPem.into()),
    ] {
        assert_eq!(PublisherKey::from_pem(text.as_bytes()).expect_err("refused"), fault);
    }
    let wanted = KeyFault::Other { wanted: "an Ed25519 public key" };
    for (text, fault) in [
        (secret, wanted.clone()),
        (rsa_public.to_owned(), wanted.clone()),
        (STANDARD.encode([0; 44]), wanted),
        (public.repeat(2), KeyFault::Count),
        (String::new(), SecretFault::NotPem.into()),
    ] {
        assert_eq!(Publisher::from_pem(text.as_bytes()).expect_err("refused"), fault);
    }
    let bare: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(Publisher::from_pem(bare.as_bytes()), Publisher::from_pem(public.as_bytes()));
}

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl: `cargo xtask test` installs it");
    output.status.success()
}

/// Independent software makes keys that we read, reads keys that we make, and verifies what we sign.
#[test]
fn openssl_agrees() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    assert!(openssl(folder.path(), &["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"]));
    let theirs = PublisherKey::from_pem(&fs::read(at("theirs.pem")).expect("a file")).expect("a key");
    let ours = key();
    fs::write(at("ours.pem"), ours.to_pem().as_bytes()).expect("written");
    for (name, key) in [("theirs.pem", theirs), ("ours.pem", ours)] {
        assert!(openssl(folder.path(), &["pkey", "-in", name, "-pubout", "-out", "public.pem"]), "{name}");
        let public = fs::read_to_string(at("public.pem")).expect("a file");
        assert_eq!(public, key.publisher().to_pem(), "{name}: the same to the byte");
        let envelope = signed(&key);
        let message = pae(PAYLOAD_TYPE, &payload_of(&envelope));
        fs::write(at("message"), &message).expect("written");
        fs::write(at("signature"), STANDARD.decode(&envelope.signatures[0].sig).expect("Base64")).expect("written");
        let verify = [
            "pkeyutl",
            "-verify",
            "-rawin",
            "-pubin",
            "-inkey",
            "public.pem",
            "-in",
            "message",
            "-sigfile",
            "signature",
        ];
        assert!(openssl(folder.path(), &verify), "{name}");
        fs::write(at("message"), [&message[..], b"."].concat()).expect("written");
        assert!(!openssl(folder.path(), &verify), "{name}: a changed message is noticed");
        // And the other way: what openssl signed is believed here.
        fs::write(at("message"), &message).expect("written");
        let sign = ["pkeyutl", "-sign", "-rawin", "-inkey", name, "-in", "message", "-out", "theirs.sig"];
        assert!(openssl(folder.path(), &sign));
        let mut envelope = envelope;
        envelope.signatures[0].sig = STANDARD.encode(fs::read(at("theirs.sig")).expect("a file"));
        vet(COMPONENT, &json_of(&envelope), &[key.publisher()]).expect("believed");
    }
}

#[test]
fn a_capability_that_the_publisher_kept_quiet_about_is_a_case_that_was_not_played() {
    // The statement alone is sound; only the component's own manifest shows that bills were never played.
    let key = key();
    let quiet = signed_as(&key, |said| {
        let offers = offering(&["merchant-presented", "cancel"]);
        let cases: Vec<_> = honest(&offers)
            .into_iter()
            .map(|(case, verdict, why)| json!({"case": case, "verdict": verdict, "why": why}))
            .collect();
        said["offers"] = json!(offers);
        said["kit"]["cases"] = json!(cases);
    });
    let vetted = vet(COMPONENT, &quiet, &[key.publisher()]).expect("sound in itself");
    let told = VetError::OtherManifest {
        what: "capabilities",
        stated: "cancel merchant-presented".to_owned(),
        found: "bills cancel merchant-presented".to_owned(),
    };
    assert_eq!(vetted.fits(&inspection()), Err(told));
}

/// The component's own word against its publisher's.
#[test]
fn a_component_that_says_otherwise_is_refused() {
    type Change = fn(&mut Inspection);
    let key = key();
    let vetted = vet(COMPONENT, &json_of(&signed(&key)), &[key.publisher()]).expect("sound");
    assert_eq!(vetted.fits(&inspection()), Ok(()));
    let rows: [(&str, Change); 5] = [
        ("id", |facts| facts.id = "other".to_owned()),
        ("version", |facts| facts.version = "1.4.0-rc.3".to_owned()),
        ("contract", |facts| facts.contract = "0.1.0".to_owned()),
        ("capabilities", |facts| facts.capabilities.push("refund".to_owned())),
        ("capabilities", |facts| facts.secrets.push(("key".to_owned(), String::new(), String::new()))),
    ];
    for (wrong, change) in rows {
        let mut facts = inspection();
        change(&mut facts);
        let refused = vetted.fits(&facts).expect_err(wrong);
        assert!(matches!(refused, VetError::OtherManifest { what, .. } if what == wrong), "{refused}");
    }
    let mut facts = inspection();
    facts.content_hash = "ab".repeat(32);
    assert!(matches!(vetted.fits(&facts), Err(VetError::OtherComponent { .. })));
}
