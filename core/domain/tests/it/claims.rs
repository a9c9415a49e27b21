//! Scanned codes against claims. Prefix and length ranges of the mainland wallets are facts of those schemes; here they
//! stand in for what their manifests declare.

use saoma_domain::claim::{Claim, CodeError, ScannedCode};

fn digits(from: &str, to: &str, length_min: usize, length_max: usize) -> Claim {
    Claim::Digits { prefix_from: from.to_owned(), prefix_to: to.to_owned(), length_min, length_max }
}

fn channels() -> Vec<(&'static str, Claim)> {
    vec![
        ("wechatpay", digits("10", "15", 18, 18)),
        ("alipay", digits("25", "30", 16, 24)),
        ("unionpay", digits("62", "62", 19, 19)),
        ("ecny", digits("01", "01", 19, 19)),
        ("unionpay", Claim::EmvcoCpmAid("A000000333".to_owned())),
        ("qris", Claim::EmvcoCpmAid("A0000006022020".to_owned())),
        ("wallet", Claim::TextPrefix("OPC1:".to_owned())),
    ]
}

fn owner(scanned: &str) -> Result<&'static str, CodeError> {
    let code = ScannedCode::read(scanned)?;
    Ok(channels().into_iter().find(|(_, claim)| code.fits(claim)).map_or("nobody", |(name, _)| name))
}

#[test]
fn codes_find_their_channel() {
    for (scanned, expected) in [
        ("134567890123456789", Ok("wechatpay")),
        (" 134567890123456789\r\n", Ok("wechatpay")),
        ("]Q3134567890123456789", Ok("wechatpay")),
        ("289431869362714645", Ok("alipay")),
        ("3012345678901234", Ok("alipay")),
        ("301234567890123456789012", Ok("alipay")),
        ("3012345678901234567890123", Ok("nobody")),
        ("160000000000000000", Ok("nobody")),
        ("13456789012345678", Ok("nobody")),
        ("6223123456789012345", Ok("unionpay")),
        ("62231234567890123", Ok("nobody")),
        ("0112345678901234567", Ok("ecny")),
        ("6901234567892", Ok("nobody")),
        ("13456789012345678x", Ok("nobody")),
        ("OPC1:abcdefgh", Ok("wallet")),
        (
            "hQVDUFYwMWFYTwigAAADMwEBAVcTYpJhA1hEQzVkHSIQIBAAABiAH180AQBjM58mCFaLEtnaC9l/nycBgJ8QEQcAAQOgAAABCDM5OTk5OTk5nzYCAAGCAgAAnzcE6gZYyA==",
            Ok("unionpay"),
        ),
        (
            "hQVDUFYwMWFfTwegAAAGAiAgUAdxcmlzY3BtWgqTYARBMBIwhRAPXyAURUFTVE1BTiBOVVJVTCBISUtNQUhfLQRpZGVuX1AQdGVsOjA4NTc3MTg3ODAwMZ8lAlEBYwmfdAYxMjM0NTY=",
            Ok("qris"),
        ),
        ("hQVDUFYwMWFYTwigAAAD", Ok("nobody")),
        ("", Err(CodeError::Length)),
        ("12345", Err(CodeError::Length)),
        ("00020101021226…6304ABCD", Err(CodeError::Characters)),
        ("000201010212260463044ABC", Err(CodeError::WrongDirection)),
        ("https://qr.example.com/abcdef", Err(CodeError::WrongDirection)),
        ("WeiXin://wxpay/bizpayurl?pr=x", Err(CodeError::WrongDirection)),
        ("1345678901234 56789", Err(CodeError::Characters)),
        ("支付宝支付宝支付宝", Err(CodeError::Characters)),
    ] {
        assert_eq!(owner(scanned), expected, "{scanned:?}");
    }
    assert_eq!(owner(&"1".repeat(513)), Err(CodeError::Length));
}

#[test]
fn a_code_is_never_printed() {
    let code = ScannedCode::read("134567890123456789").unwrap();
    assert_eq!(format!("{code:?}"), "ScannedCode(18 characters)");
}
