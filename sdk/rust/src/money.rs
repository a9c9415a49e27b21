//! Amounts as schemes write them: decimal text with the currency's digits. No float anywhere.

use saoma_protocol::money;

use crate::Money;

/// Why a text or a sum is no amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyText(pub String);

impl std::fmt::Display for MoneyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `1250` minor units of CNY as `12.50`, of JPY as `1250`.
///
/// # Errors
/// The currency is not one that Saoma knows.
pub fn decimal(amount: &Money) -> Result<String, MoneyText> {
    let currency = amount.currency.parse().map_err(|error| MoneyText(format!("{error}")))?;
    Ok(money::Money::new(amount.minor, currency).decimal())
}

/// `12.50` in CNY as 1250 minor units. Takes exactly what [`decimal`] gives, and a shorter fraction (`12.5`, `12`), with an
/// optional `-`; nothing else: no spaces, no grouping, no exponent, no zeros in front, no digits beyond the currency's.
///
/// # Errors
/// What is wrong with the text.
pub fn from_decimal(text: &str, currency: &str) -> Result<Money, MoneyText> {
    let known: money::Currency = currency.parse().map_err(|error| MoneyText(format!("{error}")))?;
    let digits = usize::from(known.minor_digits());
    let refused = || MoneyText(format!("{:?} is no amount in {known}", text.chars().take(40).collect::<String>()));
    let (is_negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = match magnitude.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.len() <= digits => (whole, fraction),
        Some(_) => return Err(refused()),
        None => (magnitude, ""),
    };
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    let is_number =
        !whole.is_empty() && !is_padded && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    // 16 digits in all fit an i64 with room to spare; no amount has more than 12.
    if !is_number || whole.len() + digits > 16 {
        return Err(refused());
    }
    let minor: i64 = format!("{whole}{fraction:0<digits$}").parse().map_err(|_| refused())?;
    Ok(Money { minor: if is_negative { -minor } else { minor }, currency: currency.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (minor, currency, text) in [
            (1250, "CNY", "12.50"),
            (5, "CNY", "0.05"),
            (-75, "CNY", "-0.75"),
            (1250, "JPY", "1250"),
            (1250, "KWD", "1.250"),
            (999_999_999_999, "CNY", "9999999999.99"),
        ] {
            let money = Money { minor, currency: currency.to_owned() };
            assert_eq!(decimal(&money).as_deref(), Ok(text));
            assert_eq!(from_decimal(text, currency), Ok(money));
        }
        assert_eq!(from_decimal("12.5", "CNY").map(|money| money.minor), Ok(1250));
        assert_eq!(from_decimal("12", "CNY").map(|money| money.minor), Ok(1200));
    }

    #[test]
    fn other_texts_are_no_amounts() {
        for (text, currency) in [
            ("", "CNY"),
            ("-", "CNY"),
            (".5", "CNY"),
            ("1.", "CNY"),
            ("1.234", "CNY"),
            ("1.0", "JPY"),
            ("1,000.00", "CNY"),
            ("01.00", "CNY"),
            (" 1.00", "CNY"),
            ("+1.00", "CNY"),
            ("--1.00", "CNY"),
            ("1e3", "CNY"),
            ("１.00", "CNY"),
            ("99999999999999999999", "CNY"),
            ("1.00", "XXX"),
        ] {
            assert!(from_decimal(text, currency).is_err(), "{text} {currency}");
        }
    }
}
