//! What must never stand in a log or a span: secrets that people and programs showed each other in this run, and whatever
//! looks like one.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;

/// Shorter texts turn up by chance.
const SECRET_LEN_MIN: usize = 8;
/// Digits of a card's number (ISO/IEC 7812-1).
const PAN_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Characters of a pay code in its link: 32 bytes in base64url.
const PAY_CODE_LEN: usize = 43;
/// Addresses that are the program's own, and no person's.
const NOBODYS: &[&str] = &["admin@saoma.local"];

/// Fields of JSON that hold a secret, and what it is.
const FIELDS: &[(&str, &str)] = &[
    ("password", "a password"),
    ("current_password", "a password"),
    ("new_password", "a password"),
    ("one_time_password", "a password"),
    ("owner_one_time_password", "a password"),
    ("access_token", "an access token"),
    ("refresh_token", "a refresh token"),
    ("secret", "an API key"),
    ("claim_code", "a claim code"),
    ("merchant-key", "a channel's secret"),
    ("terminal-master-key", "an acquirer's key"),
    ("terminal-data-key", "an acquirer's key"),
    ("terminal-pin-key", "an acquirer's key"),
    ("totp", "a one-time code"),
    ("email", "a person's address"),
    ("owner_email", "a person's address"),
    ("login", "a person's address"),
    ("owner_name", "a person's name"),
    ("cashier", "a cashier's name"),
    ("payer_hint", "a payer"),
    ("reason", "a person's reason"),
    ("evidence", "a dispute's evidence"),
];
/// By which the object with the field `name` is a person, and no shop or plugin.
const OF_PERSONS: [&str; 2] = ["email", "login"];

/// The secrets of this process's people.
static SEEN: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());

/// Something that must not stand there, and the line it stands in (without it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    pub what: &'static str,
    pub line: String,
}

fn seen() -> MutexGuard<'static, BTreeMap<String, &'static str>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on `secret` must not turn up anywhere.
pub fn note(what: &'static str, secret: &str) {
    // A payer's name in which most letters are hidden is short, and yet in no text by chance.
    if secret.len() < SECRET_LEN_MIN && !secret.contains("***") {
        return;
    }
    // As it stands in a text, and as JSON writes it.
    let escaped = Value::from(secret).to_string();
    let escaped = escaped.get(1..escaped.len() - 1).unwrap_or(secret);
    for form in [secret, escaped] {
        // Who showed it first knows best what it is.
        seen().entry(form.to_owned()).or_insert(what);
    }
}

/// The credential of an `Authorization` header.
pub fn note_header(value: &str) {
    if let Some(credential) = value.strip_prefix("Bearer ") {
        note("a credential", credential);
    }
}

/// The value that a `Set-Cookie` header sets: sessions are renewed by it.
pub fn note_cookie(header: &str) {
    let value = header.split(';').next().and_then(|pair| pair.split_once('='));
    // Session and secret, and the secret alone.
    let value = value.map_or("", |(_, value)| value.trim());
    note("a refresh token", value);
    note("a refresh token", value.rsplit('.').next().unwrap_or_default());
}

/// Every secret in a body, in whatever depth.
pub fn note_fields(body: &Value) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                texts.iter().filter_map(Value::as_str).for_each(|text| note_field(name, text));
                note_fields(value);
            }
            if let Some(Value::String(name)) = fields.get("name")
                && OF_PERSONS.iter().any(|field| fields.contains_key(*field))
            {
                note("a person's name", name);
            }
        }
        Value::Array(items) => items.iter().for_each(note_fields),
        _ => {}
    }
}

fn note_field(name: &str, text: &str) {
    if let Some((_, what)) = FIELDS.iter().find(|(field, _)| *field == name)
        && !NOBODYS.contains(&text)
    {
        note(what, text);
    }
    match name {
        // The word for a mistake has the same name; a customer's code is a number.
        "code" if text.bytes().all(|byte| byte.is_ascii_digit()) => note("a customer's code", text),
        "code_url" => note("a pay code", text.rsplit("/p/").next().unwrap_or_default()),
        _ => {}
    }
}

/// The private keys and one-time passwords in the files of a program.
pub fn note_files(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            note_files(&path)?;
            continue;
        }
        // A socket holds nothing, and cannot be read.
        if !path.is_file() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(&path)?;
        if name.starts_with("master.key") {
            for form in forms(&bytes) {
                note("the master key", &form);
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("PRIVATE KEY-----") {
            text.lines().filter(|line| !line.starts_with("-----")).for_each(|line| note("a private key", line));
        }
    }
    Ok(())
}

/// How programs write bytes out.
fn forms(bytes: &[u8]) -> [String; 6] {
    let decimals = bytes.iter().map(u8::to_string).collect::<Vec<_>>();
    [
        HEXLOWER.encode(bytes),
        HEXUPPER.encode(bytes),
        BASE64_NOPAD.encode(bytes),
        BASE64URL_NOPAD.encode(bytes),
        decimals.join(", "),
        decimals.join(","),
    ]
}

/// How many secrets are known.
pub fn count() -> usize {
    seen().len()
}

/// One secret of each kind, for canaries.
pub fn one_of_each() -> BTreeMap<&'static str, String> {
    seen().iter().map(|(secret, what)| (*what, secret.clone())).collect()
}

/// What these programs wrote to standard error (log) and to standard output (out), searched. Schemes are not ours.
///
/// # Errors
/// The first secrets that stand there; a program that wrote no log.
pub fn search(folder: &Path, programs: &[&str]) -> Result<()> {
    for program in programs {
        for name in [format!("{program}.log"), format!("{program}.out")] {
            let text = fs::read_to_string(folder.join(&name)).with_context(|| format!("read {name}"))?;
            ensure!(!text.is_empty(), "{name} is empty: there is nothing to search");
            must_not_leak(&name, &text)?;
        }
    }
    println!("  ok  {} secrets in no log of {}", count(), programs.join(", "));
    Ok(())
}

/// # Errors
/// The first secrets that stand in `text`.
pub fn must_not_leak(place: &str, text: &str) -> Result<()> {
    let leaks = leaks(text);
    ensure!(
        leaks.is_empty(),
        "{} leaks in {place}, of {} secrets; the first: {:?}",
        leaks.len(),
        count(),
        &leaks[..leaks.len().min(5)]
    );
    Ok(())
}

/// Every secret in `text`, known ones and what has the form of one.
pub fn leaks(text: &str) -> Vec<Leak> {
    leaks_of(text, &seen())
}

fn leaks_of(text: &str, secrets: &BTreeMap<String, &'static str>) -> Vec<Leak> {
    let mut found = Vec::new();
    for line in text.lines() {
        let known = secrets.iter().filter(|(secret, _)| line.contains(secret.as_str()));
        for (what, part) in known.map(|(secret, what)| (*what, secret.as_str())).chain(shaped(line)) {
            found.push(Leak { what, line: line.replace(part, "[…]").chars().take(600).collect() });
        }
    }
    found
}

/// What has the form of a secret, whoever it belongs to.
fn shaped(line: &str) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    let word_at = |start: usize| {
        let rest = &line[start..];
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.+/=".contains(letter)));
        &rest[..end.unwrap_or(rest.len())]
    };
    for (start, marker) in line.match_indices("Bearer ") {
        let credential = word_at(start + marker.len());
        if credential.len() >= SECRET_LEN_MIN {
            found.push(("a bearer credential", credential));
        }
    }
    for (start, _) in line.match_indices("eyJ") {
        let token = word_at(start);
        if token.split('.').filter(|part| part.len() >= 10).count() >= 3 {
            found.push(("a JSON web token", token));
        }
    }
    if let Some(start) = line.find("PRIVATE KEY-----") {
        found.push(("a private key", &line[start..]));
    }
    for (start, marker) in line.match_indices("/p/") {
        let rest = &line[start + marker.len()..];
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'));
        if end.unwrap_or(rest.len()) == PAY_CODE_LEN {
            found.push(("a pay code", &rest[..PAY_CODE_LEN]));
        }
    }
    found.extend(digits(line).filter_map(|digits| Some((meaning(digits)?, digits))));
    found.extend(grouped(line).into_iter().map(|card| ("a card's number", card)));
    found
}

/// What a number alone gives away.
fn meaning(digits: &str) -> Option<&'static str> {
    if is_card_number(digits) {
        Some("a card's number")
    } else if is_customer_code(digits) {
        Some("a customer's code")
    } else if is_mobile(digits) {
        Some("a telephone's number")
    } else {
        None
    }
}

/// The forms of codes that the large wallets' customers show: 18 digits from 10 to 15, and 16 to 18 from 25 to 30. (Longer ones
/// are no rarer among random 64-bit numbers, and nanoseconds since 1970 have 19 digits.)
fn is_customer_code(digits: &str) -> bool {
    let begins = digits.get(..2).and_then(|start| start.parse::<u32>().ok()).unwrap_or(0);
    match digits.len() {
        18 => (10..=15).contains(&begins) || (25..=30).contains(&begins),
        16..=17 => (25..=30).contains(&begins),
        _ => false,
    }
}

/// The form of a mobile telephone's number in China, with and without the country's.
fn is_mobile(digits: &str) -> bool {
    let national = digits.strip_prefix("86").filter(|_| digits.len() == 13).unwrap_or(digits);
    national.len() == 11 && national.starts_with('1') && matches!(national.as_bytes()[1], b'3'..=b'9')
}

/// Runs of digits that are no part of a longer word: ids and hashes hold digits too.
fn digits(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    // Track 2 in the form of EMV's tag 57: a D between number and expiry.
    let of_track = |word: &'_ str| word.find('D').filter(|at| all_digits(&word[at + 1..]));
    words.map(move |word| of_track(word).map_or(word, |at| &word[..at])).filter(|word| all_digits(word))
}

fn all_digits(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Card numbers as they are embossed: groups of digits with one blank or dash between them.
fn grouped(line: &str) -> Vec<&str> {
    const GROUPS: [&[usize]; 3] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 4, 4, 4, 3]];
    let bytes = line.as_bytes();
    let ends_word = |at: usize| bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let at = |start: usize, groups: &[usize]| {
        let (mut end, mut number) = (start, String::new());
        for (idx, len) in groups.iter().enumerate() {
            if idx > 0 {
                bytes.get(end).filter(|byte| matches!(byte, b' ' | b'-'))?;
                end += 1;
            }
            let group = bytes.get(end..end + len).filter(|group| group.iter().all(u8::is_ascii_digit))?;
            number.extend(group.iter().map(|digit| char::from(*digit)));
            end += len;
        }
        (ends_word(end) && is_card_number(&number)).then(|| &line[start..end])
    };
    let begins = |start: &usize| *start == 0 || ends_word(start - 1);
    (0..bytes.len()).filter(begins).filter_map(|start| GROUPS.iter().find_map(|groups| at(start, groups))).collect()
}

/// The form of a card's number, with a first digit that schemes use, a known beginning, and a true check digit (Luhn).
fn is_card_number(digits: &str) -> bool {
    let number = |len: usize| digits.get(..len).and_then(|start| start.parse::<u32>().ok()).unwrap_or(0);
    let issued = matches!(number(1), 4)
        || matches!(number(2), 34 | 37 | 36 | 38 | 39 | 51..=55 | 62 | 65)
        || matches!(number(3), 300..=305 | 644..=649)
        || matches!(number(4), 2221..=2720 | 3528..=3589 | 6011);
    PAN_DIGITS.contains(&digits.len()) && issued && luhn(digits)
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(idx, digit)| {
            let value = u32::from(digit - b'0') * if idx % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(line: &str) -> Vec<&'static str> {
        let secrets = BTreeMap::from([("770000000000000009".to_owned(), "a customer's code")]);
        leaks_of(line, &secrets).into_iter().map(|leak| leak.what).collect()
    }

    #[test]
    fn each_kind_is_found() {
        for (line, what) in [
            (r#"{"message":"charging 770000000000000009"}"#, "a customer's code"),
            ("code 134567890123456789 refused", "a customer's code"),
            ("auth_code=283456789012345678", "a customer's code"),
            ("GET /p/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 200", "a pay code"),
            (r#"{"phone":"13812345678"}"#, "a telephone's number"),
            ("call +8613812345678 back", "a telephone's number"),
            (r#"{"headers":"authorization: Bearer sk_live_abcdefgh"}"#, "a bearer credential"),
            (r#"token=eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4eHh4In0.AAAAAAAAAAAAAAAA"#, "a JSON web token"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
            (r#"{"pan":"4111111111111111"}"#, "a card's number"),
            ("track=6212345678901265=2512", "a card's number"),
            ("amex 378282246310005.", "a card's number"),
            ("card 4111 1111 1111 1111 declined", "a card's number"),
            ("card=4111-1111-1111-1111", "a card's number"),
            ("3782 822463 10005", "a card's number"),
            (r#"{"57":"4111111111111111D25121010000"}"#, "a card's number"),
        ] {
            assert_eq!(told(line), [what], "{line}");
        }
    }

    #[test]
    fn what_people_say_is_known_by_its_field() {
        note_fields(&json!({
            "users": [{ "name": "Zhuge Kongming", "login": "zhuge@tea.example" }, { "name": "Sleepy Dragon Teahouse" }],
            "owner_name": "Huang Yueying", "cashier": "Pang Shiyuan", "payer_hint": "x***u", "reason": "spilt all over",
            "evidence": ["signed slip 77", "camera at the door"], "name": "Wooden Ox Plugin",
        }));
        let known = seen().clone();
        for (line, what) in [
            ("made Zhuge Kongming", "a person's name"),
            ("zhuge@tea.example", "a person's address"),
            ("owner=Huang Yueying", "a person's name"),
            (r#"{"by":"Pang Shiyuan"}"#, "a cashier's name"),
            ("paid by x***u", "a payer"),
            ("spilt all over it", "a person's reason"),
            ("signed slip 77", "a dispute's evidence"),
            ("[camera at the door]", "a dispute's evidence"),
        ] {
            assert_eq!(leaks_of(line, &known).first().map(|leak| leak.what), Some(what), "{line}");
        }
        assert!(
            leaks_of("Sleepy Dragon Teahouse, Wooden Ox Plugin", &known).is_empty(),
            "shops and plugins are no persons"
        );
    }

    #[test]
    fn what_is_none_is_let_be() {
        for line in [
            // A wrong check digit, a time in nanoseconds, an id, a short number, a known word without its value.
            r#"{"pan":"4111111111111112"}"#,
            r#"{"at":1790000000000000000,"duration_ms":4111}"#,
            "pay_4111111111111111aaaa",
            // Groups that are no card's, a wrong check digit in groups, a date and a time.
            "4096 8192 1638 4327",
            "4111 1111 1111 1112",
            "2026-11-26 05:44:58 4111",
            "Bearer realm",
            // The route, an id in a path, a number that no telephone has, milliseconds since 1970.
            "GET /p/{token} 200",
            "/p/AAEC",
            r#"{"bytes":12345678901,"at":1790000000000,"n":123456789012345}"#,
            "eyJ",
        ] {
            assert!(told(line).is_empty(), "{line}: {:?}", told(line));
        }
    }

    #[test]
    fn bytes_are_known_however_they_are_written() {
        let key = [0_u8, 1, 250, 251, 252, 253, 254, 255, 9, 10];
        let known: BTreeMap<String, &str> = forms(&key).into_iter().map(|form| (form, "the master key")).collect();
        for line in
            ["0001fafbfcfdfeff090a", "0001FAFBFCFDFEFF090A", "AAH6+/z9/v8JCg==", "AAH6-_z9_v8JCg", &format!("{key:?}")]
        {
            assert_eq!(leaks_of(line, &known).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_leak_is_shown_without_the_secret() {
        let leaks = leaks_of("pan 4111111111111111 seen", &BTreeMap::new());
        assert_eq!(leaks[0].line, "pan […] seen");
    }
}
