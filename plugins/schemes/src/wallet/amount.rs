//! Amounts on the wire are decimal text with the currency's digits (`"12.50"`); inside they are whole minor units.

use super::refusal::Refusal;

/// The one currency this scheme settles in, and its decimal digits (ISO 4217).
pub const CURRENCY: &str = "CNY";
const DIGITS: usize = 2;
const UNIT: i64 = 100;

/// Largest amount of one order in minor units: ten digits before the point.
pub const AMOUNT_MINOR_MAX: i64 = 999_999_999_999;

/// Reads an amount of an order or refund: 1 to [`AMOUNT_MINOR_MAX`] minor units.
///
/// # Errors
/// `CurrencyUnsupported`, then `BadRequest` if the text is not digits, a point and two digits, or out of range.
pub fn parse(text: &str, currency: &str) -> Result<i64, Refusal> {
    if currency != CURRENCY {
        return Err(Refusal::CurrencyUnsupported(currency.chars().take(16).collect()));
    }
    parse_minor(text).filter(|minor| (1..=AMOUNT_MINOR_MAX).contains(minor)).ok_or_else(|| {
        Refusal::BadRequest(format!(
            "amount {:?} is not decimal text with two digits after the point, from 0.01 to {}",
            text.chars().take(24).collect::<String>(),
            format(AMOUNT_MINOR_MAX)
        ))
    })
}

fn parse_minor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let canonical = !whole.is_empty() && (whole == "0" || !whole.starts_with('0')) && fraction.len() == DIGITS;
    if !canonical || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = fraction.parse().ok()?;
    whole.checked_mul(UNIT)?.checked_add(fraction)
}

/// Writes minor units of either sign: `12.50`, `-0.05`.
#[must_use]
pub fn format(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let magnitude = minor.unsigned_abs();
    let unit = UNIT.unsigned_abs();
    format!("{sign}{}.{:0DIGITS$}", magnitude / unit, magnitude % unit)
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
            assert_eq!(parse(text, "CNY").ok(), minor, "{text:?}");
            if let Some(minor) = minor {
                assert_eq!(format(minor), text);
            }
        }
        assert!(matches!(parse("1.00", "USD"), Err(Refusal::CurrencyUnsupported(_))));
        assert_eq!(format(-5), "-0.05");
    }
}
