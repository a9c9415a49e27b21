//! Amounts of money: whole minor units of one currency, with arithmetic that refuses to guess.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The largest amount of one payment, in minor units: 10^12 − 1.
///
/// Derivation: it stays exact in a JavaScript number (2^53 ≈ 9.0 × 10^15), and nine million of them still sum within an
/// `i64`, so a day's ledger of one tenant cannot overflow.
pub const AMOUNT_MINOR_MAX: i64 = 999_999_999_999;

/// ISO 4217 currencies that Saoma settles in: alphabetic code, numeric code, minor-unit digits (ISO 4217:2015 list one).
const CURRENCIES: &[(&str, u16, u8)] = &[
    ("AED", 784, 2),
    ("AUD", 36, 2),
    ("BHD", 48, 3),
    ("BRL", 986, 2),
    ("CAD", 124, 2),
    ("CHF", 756, 2),
    ("CLP", 152, 0),
    ("CNY", 156, 2),
    ("EUR", 978, 2),
    ("GBP", 826, 2),
    ("HKD", 344, 2),
    ("IDR", 360, 2),
    ("INR", 356, 2),
    ("JPY", 392, 0),
    ("KRW", 410, 0),
    ("KWD", 414, 3),
    ("MOP", 446, 2),
    ("MXN", 484, 2),
    ("MYR", 458, 2),
    ("NZD", 554, 2),
    ("PHP", 608, 2),
    ("SGD", 702, 2),
    ("THB", 764, 2),
    ("TND", 788, 3),
    ("TWD", 901, 2),
    ("USD", 840, 2),
    ("VND", 704, 0),
];

/// Why a text or a number is not money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{0:?} is not an ISO 4217 currency code known here")]
    UnknownCurrency(String),
    #[error("the amount must be at least 1 minor unit, not {0}")]
    NotPositive(i64),
    #[error("the amount must be at most {AMOUNT_MINOR_MAX} minor units, not {0}")]
    TooLarge(i64),
    #[error("amounts in {0} and {1} cannot be put together")]
    CurrencyMismatch(Currency, Currency),
    #[error("the sum does not fit")]
    Overflow,
}

/// An ISO 4217 currency, by its place in the table of those known here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(u8);

impl Currency {
    pub const CNY: Self = Self(7);
    pub const USD: Self = Self(25);

    /// The three-letter code, for example `CNY`.
    #[must_use]
    pub fn code(self) -> &'static str {
        CURRENCIES[usize::from(self.0)].0
    }

    /// The ISO 4217 numeric code, for example 156; EMVCo and ISO 8583 messages carry this one.
    #[must_use]
    pub fn numeric(self) -> u16 {
        CURRENCIES[usize::from(self.0)].1
    }

    /// How many decimal digits the minor unit stands for: 2 for CNY, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn minor_digits(self) -> u8 {
        CURRENCIES[usize::from(self.0)].2
    }

    /// Every currency known here, in alphabetic order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CURRENCIES.len()).filter_map(|idx| u8::try_from(idx).ok().map(Self))
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        CURRENCIES
            .binary_search_by(|(known, _, _)| (*known).cmp(code))
            .ok()
            .and_then(|idx| u8::try_from(idx).ok())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(16).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A sum of money of either sign, as ledger postings and balances are. No `Default`, no float, no `From<i64>`.
///
/// ```
/// # use saoma_protocol::money::{Currency, Money};
/// let a = Money::new(1250, Currency::CNY);
/// assert_eq!(a.checked_add(Money::new(50, Currency::CNY)).unwrap().to_string(), "13.00 CNY");
/// assert!(a.checked_add(Money::new(50, Currency::USD)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Whole minor units: 1250 CNY is 12.50 yuan, 1250 JPY is 1250 yen.
    minor: i64,
    /// ISO 4217 alphabetic code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "CNY"))]
    currency: Currency,
}

impl Money {
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The same sum with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { minor: self.minor.saturating_neg(), currency: self.currency }
    }

    /// # Errors
    /// `CurrencyMismatch`, then `Overflow`.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// # Errors
    /// `CurrencyMismatch`, then `Overflow`.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }

    /// The number alone with the currency's decimals, as a receipt shows it: `12.50`, `-0.05`, `1250` for JPY.
    #[must_use]
    pub fn decimal(self) -> String {
        let digits = u32::from(self.currency.minor_digits());
        let unit = 10_u64.pow(digits);
        let magnitude = self.minor.unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        if digits == 0 {
            return format!("{sign}{magnitude}");
        }
        format!("{sign}{}.{:0width$}", magnitude / unit, magnitude % unit, width = digits as usize)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

/// What a sale or a refund asks for: 1 to [`AMOUNT_MINOR_MAX`] minor units. Parsing is the check; holders need none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = Money))]
#[serde(transparent)]
pub struct Amount(Money);

impl Amount {
    /// # Errors
    /// `NotPositive` below 1, `TooLarge` above [`AMOUNT_MINOR_MAX`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match minor {
            ..=0 => Err(MoneyError::NotPositive(minor)),
            1..=AMOUNT_MINOR_MAX => Ok(Self(Money { minor, currency })),
            _ => Err(MoneyError::TooLarge(minor)),
        }
    }

    #[must_use]
    pub const fn money(self) -> Money {
        self.0
    }

    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0.minor
    }

    #[must_use]
    pub const fn currency(self) -> Currency {
        self.0.currency
    }
}

impl TryFrom<Money> for Amount {
    type Error = MoneyError;

    fn try_from(money: Money) -> Result<Self, MoneyError> {
        Self::new(money.minor, money.currency)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Money::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_the_constants_point_at_their_rows() {
        assert!(CURRENCIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(Currency::CNY.code(), "CNY");
        assert_eq!(Currency::USD.code(), "USD");
        assert_eq!(Currency::all().count(), CURRENCIES.len());
    }

    #[test]
    fn decimals_follow_the_currency() {
        for (minor, code, text) in [
            (1250, "CNY", "12.50"),
            (5, "CNY", "0.05"),
            (-5, "CNY", "-0.05"),
            (1250, "JPY", "1250"),
            (1250, "KWD", "1.250"),
            (i64::MIN, "CNY", "-92233720368547758.08"),
        ] {
            let currency: Currency = code.parse().expect("in the table");
            assert_eq!(Money::new(minor, currency).decimal(), text);
        }
    }

    #[test]
    fn json_refuses_what_is_not_an_amount() {
        for (json, why) in [
            (r#"{"minor":0,"currency":"CNY"}"#, "at least 1"),
            (r#"{"minor":-1,"currency":"CNY"}"#, "at least 1"),
            (r#"{"minor":1000000000000,"currency":"CNY"}"#, "at most"),
            (r#"{"minor":99999999999999999999,"currency":"CNY"}"#, "i64"),
            (r#"{"minor":12.5,"currency":"CNY"}"#, "i64"),
            (r#"{"minor":1,"currency":"XXX"}"#, "ISO 4217"),
            (r#"{"minor":1,"currency":"cny"}"#, "ISO 4217"),
            (r#"{"minor":1,"currency":"CNY","x":1}"#, "unknown field"),
            (r#"{"minor":1}"#, "missing field"),
        ] {
            let error = serde_json::from_str::<Amount>(json).expect_err(json).to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }

    proptest! {
        #[test]
        fn adding_then_taking_away_gives_back_the_sum(a in any::<i32>(), b in any::<i32>()) {
            let a = Money::new(i64::from(a), Currency::CNY);
            let b = Money::new(i64::from(b), Currency::CNY);
            let there_and_back = a.checked_add(b).and_then(|sum| sum.checked_sub(b));
            prop_assert_eq!(there_and_back, Ok(a));
        }
    }
}
