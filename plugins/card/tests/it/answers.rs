//! Answers: which are about our message, which are believed, and what their codes mean.

use std::collections::BTreeMap;

use saoma_card::messages::{
    build::Sent,
    codec::{Draft, Value, encode},
    read::{Heard, NotSignedOn, Said, SignedOn, UNREADABLE, Verdict, WRONG_MAC, heard, signed_on, verdict},
};
use saoma_channel_sdk::card::EntryMode;
use serde_json::json;

use super::{NUMBER, approved, card, settings};

/// 2026-11-26T12:00:00 in Beijing.
const NOW: i64 = 1_795_665_600_000;
/// As the acquirer sends them: network numbers the other way round, the header as it came.
const TPDU: [u8; 5] = [0x60, 0, 0, 0, 0x06];
const HEADER: [u8; 6] = [0x60, 0x31, 0, 0x31, 0x10, 0x03];

fn sale() -> Draft {
    let chip = card(EntryMode::Chip);
    settings(&json!({})).sale(&Sent::sale(403, 24, 1_250, &chip), &chip, NUMBER).unwrap()
}

/// The acquirer's answer to a message, with fields changed; an empty one is left out.
fn answer(kind: &'static str, changed: &[(u8, &str)]) -> Vec<u8> {
    let mut fields = BTreeMap::from(
        [
            (3, "000000"),
            (4, "000000001250"),
            (11, "000403"),
            (12, "115959"),
            (13, "1126"),
            (37, "000000000007"),
            (38, "A00007"),
            (39, "00"),
            (41, "10000019"),
            (42, "850100082410002"),
            (64, "12345678"),
        ]
        .map(|(field, text)| (field, Value::from(text))),
    );
    for (field, text) in changed {
        fields.insert(*field, Value::from(*text));
        if text.is_empty() {
            fields.remove(field);
        }
    }
    encode(&Draft { kind, fields }, TPDU, HEADER).unwrap().bytes
}

#[test]
fn an_answer_is_about_the_message_or_none() {
    let hear = |bytes: &[u8], mac_fits| heard(&settings(&json!({})), &sale(), bytes, mac_fits, NOW);
    let said = Said {
        code: "00".to_owned(),
        retrieval: "000000000007".to_owned(),
        authorisation: "A00007".to_owned(),
        date: "1126".to_owned(),
        at_ms: Some(NOW - 1_000),
        sign_on_after: false,
        totals: String::new(),
    };
    assert_eq!(hear(&answer("0210", &[]), true), Heard::Answered(said.clone()));
    assert_eq!(said.approved(&Sent::sale(403, 24, 1_250, &card(EntryMode::Chip)), &settings(&json!({}))), approved());
    // The header asks for a sign-on.
    let mut wanting = answer("0210", &[]);
    wanting[7] = 0x03;
    assert_eq!(hear(&wanting, true), Heard::Answered(Said { sign_on_after: true, totals: String::new(), ..said }));

    let other: &[(&str, Vec<u8>)] = &[
        ("the type", answer("0410", &[])),
        ("the trace number", answer("0210", &[(11, "000404")])),
        ("the trace number", answer("0210", &[(11, "")])),
        ("the terminal", answer("0210", &[(41, "10000018")])),
        ("the merchant", answer("0210", &[(42, "850100082410001")])),
        ("the amount", answer("0210", &[(4, "000000001251")])),
        ("the amount", answer("0210", &[(4, "")])),
        ("the kind", answer("0210", &[(3, "200000")])),
        ("the network number", [&[0x60, 0, 6, 0, 0], &answer("0210", &[])[5..]].concat()),
        ("under which number", answer("0210", &[(37, "")])),
        ("under which number", answer("0210", &[(37, "00000000 007")])),
        // The reference's parts are parted by slashes.
        ("under which number", answer("0210", &[(37, "00000000/007")])),
        ("under which number", answer("0210", &[(38, "A/0007")])),
        ("cannot be read", b"HTTP/1.1 502 Bad Gateway".to_vec()),
        ("cannot be read", Vec::new()),
    ];
    for (told, bytes) in other {
        let outcome = hear(bytes, true);
        assert!(
            matches!(&outcome, Heard::Unclear { why, reason: UNREADABLE } if why.contains(told)),
            "{told}: {outcome:?}"
        );
    }
}

#[test]
fn without_a_right_mac_nothing_is_believed() {
    let hear = |bytes: &[u8], mac_fits| heard(&settings(&json!({})), &sale(), bytes, mac_fits, NOW);
    for code in ["00", "51", "05", "96"] {
        for (bytes, fits) in [(answer("0210", &[(39, code)]), false), (answer("0210", &[(39, code), (64, "")]), true)] {
            assert!(matches!(hear(&bytes, fits), Heard::Unclear { reason: WRONG_MAC, .. }), "{code}");
        }
    }
    for code in ["77", "99", "A0"] {
        assert_eq!(hear(&answer("0210", &[(39, code)]), true), Heard::SignOn { signed: true });
        assert_eq!(hear(&answer("0210", &[(39, code), (64, "")]), false), Heard::SignOn { signed: false });
    }
}

#[test]
fn codes() {
    for (codes, meaning) in [
        ("00 11 16", "approved"),
        ("01 02 04 05 07 34 35 37 38 41 43 55 59 75", "declined"),
        ("51", "insufficient-funds"),
        ("14", "code-invalid"),
        ("33 54", "code-expired"),
        ("61 65", "limit-exceeded"),
        ("03 36 40 45 57 58 62", "not-permitted"),
        ("13 64", "amount-invalid"),
        ("12 30 97", "other"),
        ("06 09 10 20 22 25 68 90 91 92 94 96 98 A1 A7 ZZ 0 000", "unclear"),
        ("", "unclear"),
    ] {
        for code in codes.split(' ') {
            let told = match verdict(code) {
                Verdict::Approved => "approved".to_owned(),
                Verdict::Refused(failure) => failure.code,
                Verdict::Unclear => "unclear".to_owned(),
            };
            assert_eq!(told, meaning, "{code}");
        }
    }
}

#[test]
fn sign_ons() {
    let settings = settings(&json!({}));
    let draft = settings.sign_on(403, 24);
    let keys = |mac_tail: &str| format!("{}pin!{}{mac_tail}mac!", "p".repeat(16), "m".repeat(8));
    let answer = |changed: &[(u8, &str)]| {
        let mut all = vec![(60, "00000025003"), (3, ""), (4, ""), (37, ""), (38, ""), (64, "")];
        all.extend_from_slice(changed);
        signed_on(&settings, &draft, &answer("0810", &all))
    };
    let zeros = "\0".repeat(8);
    let single = answer(&[(62, &keys(&zeros))]).unwrap();
    let mac = |mac: &[u8]| SignedOn {
        batch: 25,
        pin: (b"p".repeat(16), b"pin!".to_vec()),
        mac: (mac.to_vec(), b"mac!".to_vec()),
    };
    assert_eq!(single, mac(b"mmmmmmmm"));
    assert_eq!(answer(&[(62, &keys("nnnnnnnn"))]), Ok(mac(b"mmmmmmmmnnnnnnnn")));
    assert_eq!(answer(&[(39, "97")]), Err(NotSignedOn::Refused("97".to_owned())));
    let whole = keys(&zeros);
    for changed in [
        vec![(62, whole.as_str()), (60, "00000000003")],
        vec![(62, "short")],
        vec![],
        vec![(62, "x"), (60, "00")],
        vec![(62, "x"), (11, "000404")],
    ] {
        assert!(matches!(answer(&changed), Err(NotSignedOn::Unclear(_))), "{changed:?}");
    }
    assert!(matches!(signed_on(&settings, &draft, b""), Err(NotSignedOn::Unclear(_))));
}
