//! Core's numbers in the scheme's alphabet.
//!
//! UnionPay's `orderId` is 8 to 40 letters and digits, "-" and "_" are refused. Core's numbers are a prefix of three letters,
//! `_`, and 26 letters and digits, so the `_` is left out, and put back by its place.

use saoma_channel_sdk::{Error, not_sent};

/// Letters of a prefix: `pay`, `rfd`.
const PREFIX_LEN: usize = 3;
/// With prefix, without `_`.
const ORDER_ID_LEN: usize = 29;
/// In front of a sale's number in the number of its void (消费撤销), which must be one of its own.
const VOID_MARK: &str = "v";

/// `pay_aaaa…` as `payaaaa…`.
///
/// # Errors
/// `not-sent` for a number that the scheme could not carry and give back unchanged.
pub fn order_id(number: &str) -> Result<String, Error> {
    let unfit = || not_sent(format!("UnionPay takes no order number like {number:?}"));
    let (prefix, rest) = number.split_once('_').ok_or_else(unfit)?;
    let id = format!("{prefix}{rest}");
    if prefix.len() == PREFIX_LEN && is_ours(&id) { Ok(id) } else { Err(unfit()) }
}

/// The number of the void of a sale.
///
/// # Errors
/// As [`order_id`].
pub fn void_id(number: &str) -> Result<String, Error> {
    Ok(format!("{VOID_MARK}{}", order_id(number)?))
}

/// What the scheme calls `payaaaa…` in core's words; what is none of core's numbers stays as it is.
pub fn number(order_id: &str) -> String {
    if is_ours(order_id) {
        let (prefix, rest) = order_id.split_at(PREFIX_LEN);
        format!("{prefix}_{rest}")
    } else {
        order_id.to_owned()
    }
}

/// The sale's number, from the number of its void.
pub fn voided_number(order_id: &str) -> String {
    order_id.strip_prefix(VOID_MARK).filter(|id| is_ours(id)).map_or_else(|| order_id.to_owned(), number)
}

fn is_ours(order_id: &str) -> bool {
    order_id.len() == ORDER_ID_LEN
        && order_id.bytes().take(PREFIX_LEN).all(|byte| byte.is_ascii_lowercase())
        && order_id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(order_id("pay_aaaaaaaaaaaaaaaaaaaaaaaaa2").unwrap(), "payaaaaaaaaaaaaaaaaaaaaaaaaa2");
        assert_eq!(void_id("pay_aaaaaaaaaaaaaaaaaaaaaaaaa2").unwrap(), "vpayaaaaaaaaaaaaaaaaaaaaaaaaa2");
        assert_eq!(voided_number("vpayaaaaaaaaaaaaaaaaaaaaaaaaa2"), "pay_aaaaaaaaaaaaaaaaaaaaaaaaa2");
        for unfit in [
            "",
            "pay",
            "pay_a",
            "payaaaaaaaaaaaaaaaaaaaaaaaaa2",
            "paym_aaaaaaaaaaaaaaaaaaaaaaaa2",
            "pay_aaaaaaaaaaaa_aaaaaaaaaaaa2",
        ] {
            assert!(matches!(order_id(unfit), Err(Error::NotSent(_))), "{unfit}");
        }
        for others in ["2019041023253034211", "vpay", "PAYaaaaaaaaaaaaaaaaaaaaaaaaaa", "20190410232530342110000000000"]
        {
            assert_eq!((number(others), voided_number(others)), (others.to_owned(), others.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn there_and_back(ours in "[a-z]{3}_[a-z0-9]{26}") {
            let id = order_id(&ours).unwrap();
            prop_assert!(id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(number(&id), ours.clone());
            prop_assert_eq!(voided_number(&void_id(&ours).unwrap()), ours);
        }
    }
}
