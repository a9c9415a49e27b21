//! Our numbers in the scheme's alphabet.
//!
//! Order and refund numbers are 30 characters of `[a-z0-9_]`; a `txid` is `[a-zA-Z0-9]{26,35}` and the id of a return
//! `[a-zA-Z0-9]{1,35}`. No capital letter is in ours, so one of them stands for the underscore: nothing is lost, no two numbers
//! meet, and a txid with any other capital, or of another length, was not made here.

use saoma_channel_sdk::{Error, not_sent};

const UNDERSCORE: char = 'X';
const NUMBER_LEN: usize = 30;

/// The `txid` of an order, or the id of a refund's return.
///
/// # Errors
/// `not-sent` for what is no number of ours.
pub fn to_txid(number: &str) -> Result<String, Error> {
    let is_ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if number.len() != NUMBER_LEN || !number.chars().all(is_ours) {
        return Err(not_sent(format!("{number:?} is no number of 30 characters a-z, 0-9 or _")));
    }
    Ok(number.replace('_', &UNDERSCORE.to_string()))
}

/// Our number behind a `txid`; `None` if it was not made here.
#[must_use]
pub fn from_txid(txid: &str) -> Option<String> {
    let is_ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == UNDERSCORE;
    (txid.len() == NUMBER_LEN && txid.chars().all(is_ours)).then(|| txid.replace(UNDERSCORE, "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        for number in
            ["pay_aaaaaaaaaaaaaaaaaaaaaaaaaa", "______________________________", "x0x1x2x3x4x5x6x7x8x9x0x1x2x3x4"]
        {
            let txid = to_txid(number).expect("a txid");
            assert!(txid.chars().all(|c| c.is_ascii_alphanumeric()) && (26..=35).contains(&txid.len()), "{txid}");
            assert_eq!(from_txid(&txid).as_deref(), Some(number));
        }
        for number in [
            "pay_a",
            "pay_aaaaaaaaaaaaaaaaaaaaaaaaaA",
            "pay-aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "pay_aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(matches!(to_txid(number), Err(Error::NotSent(_))), "{number}");
        }
        for txid in [
            "",
            "***",
            "payYaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "payXaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(from_txid(txid), None, "{txid}");
        }
    }
}
