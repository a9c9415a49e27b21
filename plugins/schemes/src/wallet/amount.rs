//! Amounts on the wire are decimal text with the currency's digits (`"12.50"`); inside they are whole minor units.

use super::refusal::Refusal;

/// What this scheme settles in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Currency {
    Cny,
    Jpy,
    Kwd,
}

impl Currency {
    pub const ALL: [Self; 3] = [Self::Cny, Self::Jpy, Self::Kwd];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
            Self::Jpy => "JPY",
            Self::Kwd => "KWD",
        }
    }

    /// Decimal digits (ISO 4217, "minor unit").
    const fn digits(self) -> u8 {
        match self {
            Self::Cny => 2,
            Self::Jpy => 0,
            Self::Kwd => 3,
        }
    }

    /// # Errors
    /// `CurrencyUnsupported`.
    pub fn read(code: &str) -> Result<Self, Refusal> {
        let known = Self::ALL.into_iter().find(|currency| currency.code() == code);
        known.ok_or_else(|| Refusal::CurrencyUnsupported(code.chars().take(16).collect()))
    }
}

/// Largest amount of one order in minor units: twelve digits.
pub const AMOUNT_MINOR_MAX: i64 = 999_999_999_999;

/// Reads an amount of an order or refund: 1 to [`AMOUNT_MINOR_MAX`] minor units.
///
/// # Errors
/// `BadRequest` if the text is not digits and, where the currency has decimals, a point and all of them, or out of range.
pub fn parse(text: &str, currency: Currency) -> Result<i64, Refusal> {
    parse_minor(text, currency).filter(|minor| (1..=AMOUNT_MINOR_MAX).contains(minor)).ok_or_else(|| {
        Refusal::BadRequest(format!(
            "amount {:?} is not decimal text with {} digits after the point, from {} to {}",
            text.chars().take(24).collect::<String>(),
            currency.digits(),
            format(1, currency),
            format(AMOUNT_MINOR_MAX, currency)
        ))
    })
}

fn parse_minor(text: &str, currency: Currency) -> Option<i64> {
    let (whole, fraction) = match currency.digits() {
        0 => (text, ""),
        _ => text.split_once('.')?,
    };
    let is_canonical = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
    let is_whole = is_canonical && fraction.len() == usize::from(currency.digits());
    if !is_whole || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{fraction}").parse().ok()
}

/// Writes minor units of either sign: `12.50`, `-0.05`, `-5`.
#[must_use]
pub fn format(minor: i64, currency: Currency) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (magnitude, digits) = (minor.unsigned_abs(), usize::from(currency.digits()));
    if digits == 0 {
        return format!("{sign}{magnitude}");
    }
    let unit = 10_u64.pow(u32::from(currency.digits()));
    format!("{sign}{}.{:0digits$}", magnitude / unit, magnitude % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_minor_units() {
        for (text, minor) in [
            ("0.01", Some(1)),
            ("12.50", Some(1250)),
            ("9999999999.99", Some(AMOUNT_MINOR_MAX)),
            ("10000000000.00", None),
            ("0.00", None),
            ("-1.00", None),
            ("+1.00", None),
            ("1", None),
            ("1.0", None),
            ("1.000", None),
            ("01.00", None),
            (".50", None),
            ("1.5O", None),
            ("1,00", None),
            (" 1.00", None),
            ("99999999999999999999.00", None),
            ("١.٠٠", None),
            ("", None),
        ] {
            assert_eq!(parse(text, Currency::Cny).ok(), minor, "{text:?}");
            if let Some(minor) = minor {
                assert_eq!(format(minor, Currency::Cny), text);
            }
        }
        assert!(matches!(Currency::read("USD"), Err(Refusal::CurrencyUnsupported(_))));
        assert_eq!(format(-5, Currency::Cny), "-0.05");
    }

    #[test]
    fn each_currency_has_its_own_digits() {
        for (currency, text, minor) in [
            ("JPY", "1250", Some(1_250)),
            ("JPY", "12.50", None),
            ("JPY", "1250.", None),
            ("JPY", "0", None),
            ("KWD", "1.250", Some(1_250)),
            ("KWD", "0.001", Some(1)),
            ("KWD", "12.50", None),
            ("KWD", "1250", None),
        ] {
            let currency = Currency::read(currency).expect("a currency");
            assert_eq!(parse(text, currency).ok(), minor, "{text} {currency:?}");
            if let Some(minor) = minor {
                assert_eq!(format(minor, currency), text);
            }
        }
        assert_eq!((format(-5, Currency::Jpy), format(-5, Currency::Kwd)), ("-5".to_owned(), "-0.005".to_owned()));
    }
}
