//! Codes that a customer's phone carries, against a vector made by other software, what must be refused, and what other software makes of ours.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use data_encoding::HEXLOWER;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, Sequence, TenantId, TerminalId,
    api::PhoneLimits,
    code::phone::{
        CODE_LEN, ConfirmKey, Confirmation, LIVES_SECONDS_MAX, PhoneCode, PhoneCodeError, PhoneSale, SALE_LEN, Serial,
        is_confirmation, read_confirmation,
    },
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    private_scalar: String,
    public_key: String,
    counter: u64,
    minor: i64,
    currency: Currency,
    made_at: u32,
    lives_seconds: u16,
    certificate: String,
    sale: String,
    signature: String,
    text: String,
    confirm_key: String,
    confirmation: String,
    confirmation_text: String,
    limits: serde_json::Value,
}

fn vector() -> Vector {
    serde_json::from_str(include_str!("../vectors/phone-1.json")).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn sale() -> PhoneSale {
    let vector = vector();
    PhoneSale {
        tenant: TenantId::from_bytes([1; 16]),
        terminal: TerminalId::from_bytes([2; 16]),
        counter: Sequence(vector.counter),
        amount: Amount::new(vector.minor, vector.currency).unwrap(),
        made_at: vector.made_at,
        lives_seconds: vector.lives_seconds,
        certificate: Serial::of_hex(&vector.certificate).unwrap(),
    }
}

fn confirm_key() -> ConfirmKey {
    ConfirmKey::new(hex(&vector().confirm_key).try_into().unwrap())
}

#[test]
fn the_vector_is_read_written_and_confirmed() {
    let vector = vector();
    assert_eq!(HEXLOWER.encode(&sale().bytes()), vector.sale);
    let code = PhoneCode::parse(&vector.text).unwrap();
    assert_eq!((code.sale, HEXLOWER.encode(&code.signature)), (sale(), vector.signature));
    assert_eq!(code.text(), vector.text);
    assert_eq!(code.link("https://pay.example"), format!("https://pay.example/m/{}", vector.text));
    assert!(code.is_signed_by(&hex(&vector.public_key)));
    assert_eq!(code.sale.certificate.hex(), vector.certificate);
    let (tenant, terminal) = (TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]));
    assert_eq!(code.sale.payment(), PaymentId::for_sale(tenant, terminal, Sequence(7)));
    let confirmation = code.sale.confirmation(&confirm_key());
    assert_eq!(confirmation.letters(), vector.confirmation);
    assert_eq!(confirmation.text(Sequence(7)), vector.confirmation_text);
    assert_eq!(read_confirmation(&vector.confirmation_text), Ok((Sequence(7), confirmation)));
    let limits: PhoneLimits = serde_json::from_value(vector.limits.clone()).unwrap();
    assert_eq!((serde_json::to_value(&limits).unwrap(), &limits.confirm_key), (vector.limits, &confirm_key()));
    let printed = format!("{limits:?} {confirmation:?}");
    assert!(!printed.contains(&vector.confirm_key) && !printed.contains(&vector.confirmation), "{printed}");
}

#[test]
fn a_bit_flipped_anywhere_is_refused_and_confirmed_by_other_letters() {
    let good = hex(&format!("{}{}", vector().sale, vector().signature));
    let (key, confirmation) = (hex(&vector().public_key), sale().confirmation(&confirm_key()));
    assert_eq!(good.len(), CODE_LEN);
    for bit in 0..CODE_LEN * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(code) = PhoneCode::parse(&data_encoding::BASE64URL_NOPAD.encode(&flipped)) else { continue };
        assert!(!code.is_signed_by(&key), "bit {bit}");
        assert_eq!(code.sale.confirmation(&confirm_key()) == confirmation, bit >= SALE_LEN * 8, "bit {bit}");
    }
    let code = PhoneCode::parse(&vector().text).unwrap();
    for key in [&[][..], &[4; 65], &confirm_key_bytes()] {
        assert!(!code.is_signed_by(key));
    }
    assert_ne!(sale().confirmation(&ConfirmKey::new([9; 32])), confirmation);
}

fn confirm_key_bytes() -> Vec<u8> {
    hex(&vector().confirm_key)
}

#[test]
fn texts_that_are_no_code_say_why() {
    let encoded = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let good = hex(&format!("{}{}", vector().sale, vector().signature));
    let with = |place: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        encoded(&changed)
    };
    for (text, expected) in [
        (String::new(), PhoneCodeError::Length { len: 0 }),
        ("好".to_owned(), PhoneCodeError::Text),
        (format!("{}=", vector().text), PhoneCodeError::Text),
        (vector().text[..184].to_owned(), PhoneCodeError::Length { len: 138 }),
        (with(0, &[2]), PhoneCodeError::Version(2)),
        (with(41, &0_i64.to_be_bytes()), PhoneCodeError::Terms),
        (with(41, &(-5_i64).to_be_bytes()), PhoneCodeError::Terms),
        (with(41, &i64::MAX.to_be_bytes()), PhoneCodeError::Terms),
        (with(49, &[0, 0]), PhoneCodeError::Terms),
        (with(55, &[0, 0]), PhoneCodeError::Terms),
        (with(55, &(LIVES_SECONDS_MAX + 1).to_be_bytes()), PhoneCodeError::Terms),
    ] {
        assert_eq!(PhoneCode::parse(&text), Err(expected), "{text}");
    }
    assert_eq!(Serial::of_hex(&"f".repeat(41)), None);
    assert_eq!(Serial::of_hex("xyz"), None);
}

#[test]
fn a_code_is_good_from_when_it_was_made_to_its_end() {
    let code = PhoneCode::parse(&vector().text).unwrap();
    let (made, over) = (code.sale.made_at(), code.sale.expires_at());
    assert_eq!(over.since(made), 300_000);
    for (at, expected) in [
        (made.plus(-30_001), Err(PhoneCodeError::Early)),
        (made.plus(-30_000), Ok(())),
        (made, Ok(())),
        (over.plus(-1), Ok(())),
        (over, Err(PhoneCodeError::Over)),
        (Millis(i64::MAX), Err(PhoneCodeError::Over)),
        (Millis(i64::MIN), Err(PhoneCodeError::Early)),
    ] {
        assert_eq!(code.check_time(at), expected, "{at:?}");
    }
}

#[test]
fn a_confirmation_is_read_as_people_write_it() {
    let read = |text: &str| text.parse::<Confirmation>().ok().map(|confirmation| confirmation.letters());
    for (text, letters) in [
        ("ABCD2345", Some("ABCD2345")),
        (" abcd-2345 ", Some("ABCD2345")),
        ("oil02345", Some("01102345")),
        ("ABCD234", None),
        ("ABCD23456", None),
        ("ABCD234U", None),
        ("收款收款收款收款", None),
        ("", None),
    ] {
        assert_eq!(read(text).as_deref(), letters, "{text}");
    }
    for (text, is_one) in [
        ("SPC1:7:ABCD2345", true),
        ("spc1:7:abcd2345\r\n", true),
        ("SPC1:7", false),
        ("SPC1:x:ABCD2345", false),
        ("SPC1::ABCD2345", false),
        ("SPC1:7:ABCD", false),
        ("SPC2:7:ABCD2345", false),
        ("281234567890", false),
    ] {
        assert_eq!(read_confirmation(text).is_ok(), is_one, "{text}");
    }
    assert!(is_confirmation("SPC1:half") && !is_confirmation("OPC1:ABC") && !is_confirmation("好好好好"));
}

/// Python's `cryptography` (OpenSSL) and `hmac`, which share nothing with `ring`, check a code that we signed and its confirmation.
#[test]
fn other_software_takes_what_we_sign() {
    const CHECK: &str = r"
import base64, hashlib, hmac, struct, sys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
text, public, key = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
code = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
sale, value = code[:77], code[77:]
signature = encode_dss_signature(int.from_bytes(value[:32], 'big'), int.from_bytes(value[32:], 'big'))
verifier = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
verifier.verify(signature, b'saoma phone code 1' + sale, ec.ECDSA(hashes.SHA256()))
counter, minor, currency, made, lives = struct.unpack('>QqHIH', sale[33:57])
bits = int.from_bytes(hmac.new(key, b'saoma phone confirmation 1' + sale, hashlib.sha256).digest()[:5], 'big')
letters = ''.join('0123456789ABCDEFGHJKMNPQRSTVWXYZ'[bits >> 5 * i & 31] for i in range(7, -1, -1))
print(sale[0], sale[1:17].hex(), sale[17:33].hex(), counter, minor, currency, made, lives, sale[57:].hex().lstrip('0'), letters)
";
    let (scalar, public) = (hex(&vector().private_scalar), hex(&vector().public_key));
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &scalar,
        &public,
        &SystemRandom::new(),
    )
    .unwrap();
    let sale = PhoneSale { counter: Sequence(u64::MAX), amount: Amount::new(99, Currency::USD).unwrap(), ..sale() };
    let signature = pair.sign(&SystemRandom::new(), &sale.signed_bytes()).unwrap();
    let code = PhoneCode { sale, signature: signature.as_ref().try_into().unwrap() };
    let done = Command::new("python3")
        .args(["-c", CHECK, &code.text(), &vector().public_key, &vector().confirm_key])
        .output()
        .expect("install python3 with `cryptography` (Debian: apt-get install python3-cryptography)");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let expected = format!(
        "1 {} {} {} 99 840 {} 300 4a0b {}",
        "01".repeat(16),
        "02".repeat(16),
        u64::MAX,
        vector().made_at,
        sale.confirmation(&confirm_key()).letters()
    );
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), expected);
}

/// As the till draws it: a phone reads it from a screen or from paper.
#[test]
fn it_fits_a_code_that_any_camera_reads() {
    let link = PhoneCode::parse(&vector().text).unwrap().link("https://pay.example.com");
    let drawn = qrcode::QrCode::with_error_correction_level(&link, qrcode::EcLevel::M).unwrap();
    assert!(drawn.width() <= 61, "version 11 for {} characters, not {} modules", link.len(), drawn.width());
    let confirmation = sale().confirmation(&confirm_key()).text(Sequence(7));
    let drawn = qrcode::QrCode::with_error_correction_level(&confirmation, qrcode::EcLevel::M).unwrap();
    assert!(drawn.width() <= 25, "version 2 for {confirmation}");
}
