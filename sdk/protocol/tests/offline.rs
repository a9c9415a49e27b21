//! Offline codes against a vector made by other software, what must be refused, and what other software makes of ours.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use saoma_protocol::{
    Currency, Millis,
    api::OfflineList,
    code::offline::{CODE_LEN, Code, CodeError, Grant, Issuer, KeyId, PREFIX, SKEW_SECONDS, Token, public_key},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    issuer_public: String,
    issuer_kid: String,
    device_public: String,
    token: String,
    currency: Currency,
    cap_single: u32,
    cap_grant: u32,
    not_before: u32,
    valid_hours: u16,
    code_seconds: u8,
    counter: u32,
    created_at: u32,
    grant: String,
    issuer_signature: String,
    device_signature: String,
    text: String,
}

fn vector() -> Vector {
    serde_json::from_str(include_str!("../vectors/offline-1.json")).unwrap()
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

const DAY_MS: i64 = 24 * 3600 * 1000;

fn issuer() -> Issuer {
    let from = Millis(i64::from(vector().not_before) * 1000);
    Issuer {
        public_key: HEXLOWER.encode(pair(2).public_key().as_ref()),
        not_before: from.plus(-DAY_MS),
        not_after: from.plus(365 * DAY_MS),
        revoked: false,
    }
}

fn at(seconds: i64) -> Millis {
    Millis((i64::from(vector().created_at) + seconds) * 1000)
}

fn grant() -> Grant {
    let vector = vector();
    Grant {
        issuer: KeyId(bytes(&vector.issuer_kid)),
        token: Token(bytes(&vector.token)),
        currency: vector.currency,
        cap_single: vector.cap_single,
        cap_grant: vector.cap_grant,
        not_before: vector.not_before,
        valid_hours: vector.valid_hours,
        code_seconds: vector.code_seconds,
        device_key: public_key(&pair(3)),
    }
}

fn code() -> Code {
    Code::parse(&vector().text).unwrap()
}

/// What becomes of it at the till.
fn told(bytes: &[u8], at: Millis) -> String {
    match Code::read(bytes).and_then(|code| code.verify(&[issuer()], at)) {
        Ok(()) => "good".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn we_make_the_vector_and_read_it() {
    let vector = vector();
    let grant = grant();
    assert_eq!(HEXLOWER.encode(&public_key(&pair(2))), vector.issuer_public);
    assert_eq!(HEXLOWER.encode(&grant.device_key), vector.device_public);
    assert_eq!(KeyId::of(&public_key(&pair(2))), grant.issuer);
    assert_eq!(HEXLOWER.encode(&grant.bytes()), vector.grant);
    let signed = grant.sign(&pair(2));
    assert_eq!(HEXLOWER.encode(&signed.issuer_signature), vector.issuer_signature);
    let made = signed.code(&pair(3), vector.counter, vector.created_at);
    assert_eq!(HEXLOWER.encode(&made.device_signature), vector.device_signature);
    assert_eq!(made.text(), vector.text);
    assert_eq!(code(), made);
    assert_eq!(made.verify(&[issuer()], at(0)), Ok(()));
}

#[test]
fn a_bit_flipped_anywhere_is_refused_for_what_it_is_in() {
    let good = code().bytes();
    assert_eq!((good.len(), told(&good, at(0)).as_str()), (CODE_LEN, "good"));
    for (field, start, len, allowed) in [
        ("version", 0, 1, "offline_code_version"),
        ("flags", 1, 1, "offline_code_profile"),
        ("kid", 2, 4, "offline_issuer_unknown"),
        ("token", 6, 8, "offline_issuer_signature"),
        ("currency", 14, 2, "offline_code_currency offline_issuer_signature"),
        ("cap_single", 16, 4, "offline_code_terms offline_issuer_signature"),
        ("cap_grant", 20, 4, "offline_code_terms offline_issuer_signature"),
        ("not_before", 24, 4, "offline_issuer_signature"),
        ("valid_hours", 28, 2, "offline_issuer_signature"),
        ("ttl", 30, 1, "offline_issuer_signature"),
        ("device_pub", 31, 32, "offline_issuer_signature"),
        ("issuer_sig", 63, 64, "offline_issuer_signature"),
        ("counter", 127, 4, "offline_device_signature"),
        ("created_at", 131, 4, "offline_device_signature"),
        ("device_sig", 135, 64, "offline_device_signature"),
    ] {
        for bit in start * 8..(start + len) * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let told = told(&flipped, at(0));
            assert!(allowed.split(' ').any(|code| code == told), "{field}, bit {bit}: {told}");
        }
    }
}

#[test]
fn times_and_issuers_at_their_edges() {
    let good = code().bytes();
    let [skew, ttl] = [SKEW_SECONDS, i64::from(vector().code_seconds)];
    let issued = i64::from(vector().created_at) - i64::from(vector().not_before);
    let of = |created_after: i64| {
        let created_at = u32::try_from(i64::from(vector().created_at) + created_after).unwrap();
        grant().sign(&pair(2)).code(&pair(3), 8, created_at).bytes()
    };
    for (what, bytes, at, expected) in [
        ("just made", good.clone(), at(0), "good"),
        ("phone 10 s ahead", good.clone(), at(-skew), "good"),
        ("phone 11 s ahead", good.clone(), at(-skew - 1), "offline_code_early"),
        ("at its end", good.clone(), at(ttl + skew), "good"),
        ("after its end", good.clone(), at(ttl + skew + 1), "offline_code_over"),
        ("first second of the grant", of(-issued), at(-issued), "good"),
        ("before the grant", of(-issued), at(-issued - 1), "offline_grant_early"),
        ("last second of the grant", of(72 * 3600 - issued - 1), at(72 * 3600 - issued - 1), "good"),
        ("after the grant", of(72 * 3600 - issued), at(72 * 3600 - issued), "offline_grant_over"),
    ] {
        assert_eq!(told(&bytes, at), expected, "{what}");
    }
    let other = Issuer { public_key: HEXLOWER.encode(&public_key(&pair(9))), ..issuer() };
    let unreadable = Issuer { public_key: "not hex".to_owned(), ..issuer() };
    for (what, issuers, expected) in [
        ("none", vec![], Err(CodeError::UnknownIssuer(grant().issuer))),
        ("another", vec![other.clone(), unreadable], Err(CodeError::UnknownIssuer(grant().issuer))),
        ("ours among others", vec![other, issuer()], Ok(())),
        ("twice", vec![issuer(), issuer()], Ok(())),
        ("revoked", vec![Issuer { revoked: true, ..issuer() }], Err(CodeError::IssuerRevoked)),
        ("not yet", vec![Issuer { not_before: at(1), ..issuer() }], Err(CodeError::IssuerOver)),
        ("over", vec![Issuer { not_after: at(0), ..issuer() }], Err(CodeError::IssuerOver)),
    ] {
        assert_eq!(code().verify(&issuers, at(0)), expected, "{what}");
    }
}

#[test]
fn a_grant_that_allows_nothing_is_none() {
    for (what, broken) in [
        ("no cap", Grant { cap_single: 0, ..grant() }),
        ("a code above the grant", Grant { cap_single: 50_001, ..grant() }),
        ("no hour", Grant { valid_hours: 0, ..grant() }),
        ("no second", Grant { code_seconds: 0, ..grant() }),
    ] {
        let bytes = broken.sign(&pair(2)).code(&pair(3), 1, 1_767_229_200).bytes();
        assert_eq!(Code::read(&bytes), Err(CodeError::Terms), "{what}");
    }
}

/// S + L is the same number for the curve's group, so a check that does not look at S's size takes it.
#[test]
fn a_signature_written_another_way_is_refused() {
    const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order: [u8; 32] = bytes(L);
    for (start, expected) in [(63, "offline_issuer_signature"), (135, "offline_device_signature")] {
        let mut bytes = code().bytes();
        let mut carry = 0;
        for (place, add) in bytes[start + 32..start + 64].iter_mut().zip(order) {
            let sum = u16::from(*place) + u16::from(add) + carry;
            (*place, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert_eq!(carry, 0, "S + L fits");
        assert_eq!(told(&bytes, at(0)), expected);
    }
}

#[test]
fn keys_that_are_not_those_of_the_code() {
    let swapped = Grant { device_key: public_key(&pair(4)), ..grant() };
    // The grant of one with the device key of another: the issuer did not sign that.
    let mut bytes = code().bytes();
    bytes[31..63].copy_from_slice(&swapped.device_key);
    assert_eq!(told(&bytes, at(0)), "offline_issuer_signature");
    // Another phone signs a code of a grant that is not its.
    let stolen = grant().sign(&pair(2)).code(&pair(4), 1, vector().created_at);
    assert_eq!(told(&stolen.bytes(), at(0)), "offline_device_signature");
    // Somebody else signs a grant in the issuer's name.
    let forged = grant().sign(&pair(4)).code(&pair(3), 1, vector().created_at);
    assert_eq!(told(&forged.bytes(), at(0)), "offline_issuer_signature");
    // An issuer that was talked into granting to a key of small order, under which anything is signed: R = identity, S = 0.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut anybody = Grant { device_key: identity, ..grant() }.sign(&pair(2)).code(&pair(3), 1, vector().created_at);
    anybody.device_signature = [0; 64];
    anybody.device_signature[0] = 1;
    assert_eq!(told(&anybody.bytes(), at(0)), "offline_device_signature");
}

#[test]
fn texts_that_a_scanner_or_a_person_spoilt() {
    let text = vector().text;
    let longer = format!("{PREFIX}{}", saoma_protocol::code::base45::encode(&[code().bytes(), vec![0]].concat()));
    let shorter = format!("{PREFIX}{}", saoma_protocol::code::base45::encode(&code().bytes()[..CODE_LEN - 1]));
    for (what, spoilt, expected) in [
        ("lower case", text.to_lowercase(), "offline_code_prefix"),
        ("lower case behind the prefix", text.replace("X62CJD", "x62cjd"), "offline_code_text"),
        ("without its spaces", text.replace(' ', ""), "offline_code_text offline_code_length offline_code_version"),
        ("a character less", text[..text.len() - 1].to_owned(), "offline_code_text"),
        ("a byte less", shorter, "offline_code_length"),
        ("a byte more", longer, "offline_code_length"),
        ("nothing", PREFIX.to_owned(), "offline_code_length"),
        ("another code", "281234567890123456".to_owned(), "offline_code_prefix"),
        ("a space before", format!(" {text}"), "offline_code_prefix"),
        ("a line end", format!("{text}\n"), "offline_code_text"),
    ] {
        let told = Code::parse(&spoilt).map_or_else(|error| error.code().to_owned(), |_| "good".to_owned());
        assert!(expected.split(' ').any(|code| code == told), "{what}: {told}");
    }
}

#[test]
fn a_code_does_not_print_its_signatures() {
    let printed = format!("{:?} {:?}", code(), code().signed);
    assert!(!printed.contains("223") && !printed.contains("df86"), "{printed}");
}

proptest! {
    #[test]
    fn anything_scanned_is_read_or_refused(text in "(OPC1:)?[0-9A-Z $%*+./:-]{0,320}", any in ".{0,40}") {
        for text in [text, any] {
            if let Ok(code) = Code::parse(&text) {
                prop_assert_eq!(code.text(), text);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), CODE_LEN), good in any::<bool>()) {
        if good {
            bytes[..16].copy_from_slice(&code().bytes()[..16]);
        }
        if let Ok(code) = Code::read(&bytes) {
            prop_assert_eq!(code.bytes(), bytes);
            prop_assert!(code.verify(&[issuer()], at(0)).is_err());
        }
    }

    #[test]
    fn what_is_made_is_read_and_good(counter: u32, cap_single in 1_u32.., more: u32, valid_hours in 1_u16.., token: [u8; 8]) {
        let grant = Grant {
            cap_single, cap_grant: cap_single.saturating_add(more), valid_hours, token: Token(token), ..grant()
        };
        let made = grant.sign(&pair(2)).code(&pair(3), counter, vector().not_before);
        let read = Code::parse(&made.text()).unwrap();
        prop_assert_eq!(read, made);
        prop_assert_eq!(read.verify(&[issuer()], Millis(i64::from(vector().not_before) * 1000)), Ok(()));
    }
}

/// Python's `cryptography` (OpenSSL), which shares nothing with `ring`, checks both signatures of a code that we made.
#[test]
fn other_software_finds_our_signatures_good() {
    let made = grant().sign(&pair(2)).code(&pair(3), 99, vector().created_at);
    let script = "
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as K
issuer, code = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
K.from_public_bytes(issuer).verify(code[63:127], b'OPC1-GRANT\\0' + code[:63])
K.from_public_bytes(code[31:63]).verify(code[135:], b'OPC1-CODE\\0' + code[:135])
print('good')
";
    let run = |code: &[u8]| {
        let ran = Command::new("python3")
            .args(["-c", script, &HEXLOWER.encode(&public_key(&pair(2))), &HEXLOWER.encode(code)])
            .output()
            .expect("install python3 with `cryptography` (Debian: apt-get install python3-cryptography)");
        (String::from_utf8_lossy(&ran.stdout).trim().to_owned(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (said, why) = run(&made.bytes());
    assert_eq!(said, "good", "{why}");
    let mut spoilt = made.bytes();
    spoilt[150] ^= 1;
    assert!(run(&spoilt).1.contains("InvalidSignature"));
}

/// As a phone shows it, read by two decoders that are not ours: zbar, and quircs (quirc's algorithm).
#[test]
fn a_code_is_a_small_qr_code_that_other_software_reads() {
    let text = vector().text;
    for (level, version_max) in [(qrcode::EcLevel::L, 9), (qrcode::EcLevel::M, 10)] {
        let qr = qrcode::QrCode::with_error_correction_level(&text, level).unwrap();
        let qrcode::Version::Normal(version) = qr.version() else { panic!("not a micro code") };
        assert!(version <= version_max, "{version}");
        let (quiet, scale, width) = (4, 4, qr.width());
        let side = (width + 2 * quiet) * scale;
        let is_dark = |at: usize| {
            let [x, y] = [at % side, at / side].map(|at| (at / scale).checked_sub(quiet).filter(|at| *at < width));
            matches!((x, y), (Some(x), Some(y)) if qr[(x, y)] == qrcode::Color::Dark)
        };
        let pixels: Vec<u8> = (0..side * side).map(|at| if is_dark(at) { 0 } else { u8::MAX }).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.pgm");
        std::fs::write(&path, [format!("P5 {side} {side} 255\n").as_bytes(), &pixels].concat()).unwrap();
        let output = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&path).output();
        let output = output.expect("install zbarimg (Debian: apt-get install zbar-tools)");
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.strip_suffix('\n'), Some(text.as_str()), "{}", String::from_utf8_lossy(&output.stderr));
        let mut decoder = quircs::Quirc::default();
        let read: Vec<Vec<u8>> =
            decoder.identify(side, side, &pixels).map(|code| code.unwrap().decode().unwrap().payload).collect();
        assert_eq!(read, [text.as_bytes()], "{level:?}");
    }
}

/// Old cores leave the cards out and old terminals pass over them.
#[test]
fn lists_with_and_without_cards_read_back_to_the_same() {
    let vectors: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(include_str!("../vectors/offline-list-1.json")).unwrap();
    for (name, golden) in &vectors {
        let list: OfflineList = serde_json::from_value(golden.clone()).unwrap();
        assert_eq!(&serde_json::to_value(&list).unwrap(), golden, "{name}");
        assert_eq!(list.cards.is_some(), name == "with_cards");
    }
}
