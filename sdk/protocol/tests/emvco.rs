//! EMVCo's codes against published payloads, and the laws that every payload keeps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::select};
use saoma_protocol::{
    Currency, Money,
    code::{
        ber::{self, Object as BerObject},
        emvco::{Account, Application, ConsumerCode, LocalName, MerchantCode, Tip, crc16},
        tlv::Object,
    },
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    merchant: Vec<MerchantVector>,
    consumer: Vec<ConsumerVector>,
}

#[derive(Deserialize)]
struct MerchantVector {
    name: String,
    payload: String,
    is_dynamic: Option<bool>,
    schemes: Vec<String>,
    category: String,
    currency: u16,
    amount: Option<String>,
    country: String,
    merchant: String,
    city: String,
    additional: BTreeMap<u8, String>,
}

#[derive(Deserialize)]
struct ConsumerVector {
    name: String,
    payload: String,
    applications: Vec<String>,
    labels: Vec<String>,
    common_tags: Vec<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/emvco-1.json")).unwrap()
}

#[test]
fn published_merchant_codes_are_read_and_written_again() {
    for vector in vectors().merchant {
        let name = &vector.name;
        let code = MerchantCode::parse(&vector.payload).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(code.is_dynamic, vector.is_dynamic, "{name}");
        let schemes = code.accounts.iter().map(|account| match account {
            Account::Template { objects, .. } => objects[0].value.clone(),
            Account::Primitive(object) => object.value[..16].to_owned(),
        });
        assert_eq!(schemes.collect::<Vec<_>>(), vector.schemes, "{name}");
        assert_eq!((&code.category, code.currency, &code.amount), (&vector.category, vector.currency, &vector.amount));
        assert_eq!((&code.country, &code.name, &code.city), (&vector.country, &vector.merchant, &vector.city));
        let additional = code.additional.iter().map(|object| (object.id, object.value.clone()));
        assert_eq!(additional.collect::<BTreeMap<_, _>>(), vector.additional, "{name}");
        let again = code.encode().unwrap();
        assert_eq!(MerchantCode::parse(&again).unwrap(), code, "{name}");
        // Ours come in the order of the ids, which is how most of the published ones are written.
        let is_in_order = name.starts_with("Pix");
        assert_eq!(again == vector.payload, is_in_order, "{name}");
    }
}

#[test]
fn published_consumer_codes_are_read_and_written_again() {
    let hex = |bytes: &[u8]| data_encoding::HEXUPPER.encode(bytes);
    for ConsumerVector { name, payload, applications, labels, common_tags } in vectors().consumer {
        let code = ConsumerCode::parse(&payload).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ids = code.applications.iter().map(|application| hex(&application.id));
        assert_eq!(ids.collect::<Vec<_>>(), applications, "{name}");
        let given = code.applications.iter().map(|application| ber::find(&application.objects, 0x50).unwrap());
        assert_eq!(given.map(String::from_utf8_lossy).collect::<Vec<_>>(), labels, "{name}");
        let tags = code.common.iter().map(|object| format!("{:X}", object.tag));
        assert_eq!(tags.collect::<Vec<_>>(), common_tags, "{name}");
        assert_eq!(code.encode().unwrap(), payload, "{name}");
        let shown = format!("{code:?}");
        assert!(shown.contains(&applications[0]) && !shown.contains(&labels[0]), "{shown}");
    }
    let cryptogram = ConsumerCode::parse(&vectors().consumer[0].payload).unwrap();
    let transparent = cryptogram.common.iter().find(|object| object.tag == 0x64).unwrap();
    assert_eq!(hex(transparent.find(0x9F26).unwrap()), "584FD385FA234BCC");
}

#[test]
fn what_is_no_merchant_code_is_refused_with_the_place() {
    let with_crc = |body: &str| {
        let text = format!("{body}6304");
        let crc = crc16(text.as_bytes());
        format!("{text}{crc:04X}")
    };
    let (front, back) = ("000201", "26180014br.gov.bcb.pix5204000053039865802BR5904Shop6004City");
    assert!(MerchantCode::parse(&with_crc(&format!("{front}{back}"))).is_ok());
    let (body, crc) = with_crc(&format!("{front}{back}"))
        .split_at_checked(4 + front.len() + back.len())
        .map(|(body, crc)| (body.to_owned(), crc.to_lowercase()))
        .unwrap();
    assert!(MerchantCode::parse(&format!("{body}{crc}")).is_ok(), "lower-case hex");
    for (body, why) in [
        (format!("{front}0102{back}"), "18 at character 12 has no value"),
        (format!("{front}010213{back}"), "01 at character 6 must be 11 or 12"),
        (format!("{back}{front}"), "00 at character"),
        (back.to_owned(), "00 is missing"),
        (format!("000202{back}"), "00 at character 0 must be 01"),
        (format!("{front}52040000{back}"), "52 at character"),
        (format!("{front}{}", back.replace("5802BR", "")), "58 is missing"),
        (format!("{front}{}", back.replace("26180014br.gov.bcb.pix", "")), "an account (02 to 51) is missing"),
        (format!("{front}{}", back.replace("26180014", "26180114")), "26 at character 6 must be a template whose 00"),
        (format!("{front}{}", back.replace("26180014", "26180013")), "there are no two digits of id at character 27"),
        (format!("{front}54041,00{back}"), "54 at character 6 must be digits"),
        (format!("{front}5402.5{back}"), "54 at character 6 must be digits"),
        (format!("{front}5402-1{back}"), "54 at character 6 must be digits"),
        (format!("{front}54040.00{back}"), "not zero"),
        (format!("{front}541412345678901.00{back}"), "at most 13 characters"),
        (format!("{front}550202{back}"), "55 at character 6 must be 01 alone"),
        (format!("{front}5502035703100{back}"), "57 at character 12 must be per cent"),
        (format!("{front}56041.00{back}"), "55 is missing"),
        (format!("{front}{}", back.replace("5904Shop", "5926abcdefghijklmnopqrstuvwxyz")), "59 at character"),
        (format!("{front}62010{back}"), "no two digits of id at character 10"),
        (format!("{front}62060502ab{back}9104a\nbc"), "91 at character"),
    ] {
        let error = MerchantCode::parse(&with_crc(&body)).expect_err(&body).to_string();
        assert!(error.contains(why), "{body}: {error}");
    }
    let long = with_crc(&format!("{front}{back}{}", (70..76).map(|id| format!("{id}99{:099}", 0)).collect::<String>()));
    assert!(MerchantCode::parse(&long).unwrap_err().to_string().contains("at most 512"));
    assert!(MerchantCode::parse("").unwrap_err().to_string().contains("00 is missing"));
    let wrong = MerchantCode::parse(&format!("{front}{back}6304FFFF")).unwrap_err().to_string();
    assert!(wrong.contains("its checksum is FFFF"), "{wrong}");
}

#[test]
fn what_is_no_consumer_code_is_refused() {
    let text = |objects: &[BerObject]| data_encoding::BASE64.encode(&ber::write(objects).unwrap());
    let format = || BerObject::bytes(0x85, *b"CPV01");
    let application = |objects| BerObject::template(0x61, objects);
    let id = || BerObject::bytes(0x4F, [0xA0; 7]);
    assert!(ConsumerCode::parse(&text(&[format(), application(vec![id()])])).is_ok());
    for (payload, why) in [
        (String::new(), "does not begin"),
        (text(&[application(vec![id()])]), "does not begin"),
        (text(&[BerObject::bytes(0x85, *b"CPV02"), application(vec![id()])]), "does not begin"),
        (text(&[format()]), "61 is missing"),
        (text(&[format(), application(vec![BerObject::bytes(0x50, *b"x")])]), "61.4F is missing"),
        (text(&[format(), application(vec![id(), id()])]), "4F is there twice"),
        (text(&[format(), format(), application(vec![id()])]), "85 is there twice"),
        (text(&[format(), application(vec![BerObject::bytes(0x4F, [1; 4])])]), "4F has 4 bytes instead of 5 to 16"),
        (
            text(&[format(), application(vec![id(), BerObject::template(0x63, vec![BerObject::bytes(0x9F36, [1])])])]),
            "9F36 has 1 bytes",
        ),
        ("hQVDUFYwMWEJ".to_owned(), "61 at byte 7 should have 9 bytes"),
        ("hQVDUFYwMWEJTwegAAAAVVVV_-".to_owned(), "no Base64"),
        ("A".repeat(513), "at most 512"),
    ] {
        let error = ConsumerCode::parse(&payload).expect_err(&payload).to_string();
        assert!(error.contains(why), "{payload}: {error}");
    }
}

#[test]
fn amounts_are_in_the_currencys_own_digits() {
    let mut code = MerchantCode::parse(&vectors().merchant[0].payload).unwrap();
    assert_eq!(code.money(), Ok(Some(Money::new(2_372, Currency::CNY))));
    for (amount, currency, minor) in [("98", 986, Some(9_800)), ("98.", 986, Some(9_800)), ("98.7", 986, Some(9_870))] {
        (code.amount, code.currency) = (Some(amount.to_owned()), currency);
        assert_eq!(code.money().unwrap().map(Money::minor), minor, "{amount}");
    }
    for (amount, currency) in [("98.733", 986), ("98.7", 392), ("98.7", 999)] {
        (code.amount, code.currency) = (Some(amount.to_owned()), currency);
        assert!(code.money().is_err(), "{amount} in {currency}");
    }
    code.amount = None;
    assert_eq!(code.money(), Ok(None));
}

/// What a fuzzer is to feed: any text is refused or is a code that is written to be read again as the same.
fn any_text(text: &str) {
    if let Ok(code) = MerchantCode::parse(text) {
        assert_eq!(MerchantCode::parse(&code.encode().unwrap()).as_ref(), Ok(&code));
        let _ = code.money();
    }
    if let Ok(code) = ConsumerCode::parse(text) {
        assert_eq!(ConsumerCode::parse(&code.encode().unwrap()).as_ref(), Ok(&code));
    }
}

/// The same for bytes within a consumer's code.
fn any_bytes(bytes: &[u8]) {
    if let Ok(objects) = ber::read(bytes) {
        assert_eq!(ber::read(&ber::write(&objects).unwrap()).as_ref(), Ok(&objects));
    }
    any_text(&data_encoding::BASE64.encode(&[b"\x85\x05CPV01", bytes].concat()));
    any_text(&String::from_utf8_lossy(bytes));
}

fn value(len_max: usize) -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => proptest::char::range(' ', '~'), 1 => select(vec!['最', 'ã', '😀'])], 1..=len_max)
        .prop_map(|characters| characters.into_iter().collect())
}

/// Objects of a template, each id once.
fn objects(value_len_max: usize, count_max: usize) -> impl Strategy<Value = Vec<Object>> {
    proptest::collection::btree_map(1..=99_u8, value(value_len_max), 1..=count_max)
        .prop_map(|objects| objects.into_iter().map(|(id, value)| Object { id, value }).collect())
}

fn merchant_code() -> impl Strategy<Value = MerchantCode> {
    let account = prop_oneof![
        (2..26_u8, value(20)).prop_map(|(id, value)| Account::Primitive(Object { id, value })),
        (26..52_u8, value(20), objects(10, 3)).prop_map(|(id, name, mut objects)| {
            objects.insert(0, Object { id: 0, value: name });
            Account::Template { id, objects }
        }),
    ];
    let tip = prop_oneof![
        Just(Tip::Asked),
        "[1-9][0-9]{0,5}(\\.[0-9]{0,2})?".prop_map(Tip::Fixed),
        "[1-9][0-9]?(\\.[0-9]{1,2})?".prop_map(Tip::Percent),
    ];
    let local = ("[a-z]{2}", value(25), option::of(value(15))).prop_map(|(language, name, city)| LocalName {
        language,
        name,
        city,
    });
    let head = (option::of(any::<bool>()), vec(account, 1..3), "[0-9]{4}", 0..1000_u16);
    let sale = (option::of("[1-9][0-9]{0,9}(\\.[0-9]{0,2})?"), option::of(tip), "[A-Z]{2}");
    let names = (value(25), value(15), option::of(value(10)));
    let tail = (option::of(objects(10, 3)), option::of(local));
    (head, sale, names, tail).prop_map(|(head, sale, names, tail)| {
        let mut accounts = head.1;
        accounts.dedup_by_key(|account| match account {
            Account::Primitive(object) => object.id,
            Account::Template { id, .. } => *id,
        });
        MerchantCode {
            is_dynamic: head.0,
            accounts,
            category: head.2,
            currency: head.3,
            amount: sale.0,
            tip: sale.1,
            country: sale.2,
            name: names.0,
            city: names.1,
            postal_code: names.2,
            additional: tail.0.unwrap_or_default(),
            local_name: tail.1,
            others: Vec::new(),
        }
    })
}

proptest! {
    #[test]
    fn a_merchant_code_that_is_written_is_read_as_the_same(code in merchant_code()) {
        let text = code.encode().unwrap();
        prop_assert_eq!(MerchantCode::parse(&text), Ok(code));
    }

    #[test]
    fn one_changed_character_is_noticed(code in merchant_code(), at in any::<prop::sample::Index>(), other in proptest::char::range(' ', '~')) {
        let mut characters: Vec<char> = code.encode().unwrap().chars().collect();
        let at = at.index(characters.len());
        let before = characters[at];
        // A change within 16 bits is always noticed; a letter of more bytes is more.
        prop_assume!(before.is_ascii());
        prop_assume!(other != before && !(other.eq_ignore_ascii_case(&before) && at + 4 >= characters.len()));
        characters[at] = other;
        let text: String = characters.into_iter().collect();
        prop_assert!(MerchantCode::parse(&text).is_err(), "{}", text);
    }

    #[test]
    fn a_consumer_code_that_is_written_is_read_as_the_same(
        ids in vec(vec(any::<u8>(), 5..=16), 1..3),
        label in vec(any::<u8>(), 1..=16),
        cryptogram in vec(any::<u8>(), 8),
        filler in vec(any::<u8>(), 0..200),
        has_common in any::<bool>(),
    ) {
        let application = |id: &Vec<u8>| Application { id: id.clone(), objects: vec![BerObject::bytes(0x50, label.clone())] };
        let mut applications: Vec<Application> = ids.iter().map(application).collect();
        let nested = vec![BerObject::bytes(0x9F26, cryptogram), BerObject::bytes(0x9F10, filler)];
        applications[0].objects.push(BerObject::template(0x63, nested));
        let common = if has_common { vec![BerObject::bytes(0x5F2D, *b"zh")] } else { Vec::new() };
        let code = ConsumerCode { applications, common, others: Vec::new() };
        prop_assert_eq!(ConsumerCode::parse(&code.encode().unwrap()), Ok(code));
    }

    #[test]
    fn no_text_breaks_the_readers(text in prop_oneof![".{0,200}", "0002[0-9A-Z]{0,120}", "[A-Za-z0-9+/]{0,80}={0,2}"]) {
        any_text(&text);
    }

    #[test]
    fn no_bytes_break_the_readers(bytes in vec(any::<u8>(), 0..300)) {
        any_bytes(&bytes);
    }

    #[test]
    fn a_damaged_code_does_not_break_the_readers(
        which in 0..6_usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let vectors = vectors();
        let payloads = vectors.merchant.iter().map(|vector| &vector.payload);
        let payload = payloads.chain(vectors.consumer.iter().map(|vector| &vector.payload)).nth(which).unwrap();
        let mut bytes = payload.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        any_bytes(&bytes);
        if let Ok(decoded) = data_encoding::BASE64.decode(&bytes) {
            any_bytes(&decoded);
        }
    }
}
