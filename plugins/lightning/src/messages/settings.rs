//! The account's settings.

use saoma_channel_sdk::{Error, misconfigured};
use serde::Deserialize;

/// As in `settings.schema.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub node_url: String,
    #[serde(default)]
    pub public_certificate: bool,
    pub network: Network,
    #[serde(default)]
    pub private_channels: bool,
    /// ISO 4217.
    pub currency: String,
    pub rate_url: Option<String>,
    #[serde(default = "rate_age_seconds_max")]
    pub rate_age_seconds_max: i64,
    /// 1/10,000 each.
    #[serde(default)]
    pub spread_basis_points: i64,
    /// Whole units of the currency for a bitcoin, as the next two.
    pub fixed_rate: Option<i64>,
    pub rate_min: i64,
    pub rate_max: i64,
}

const fn rate_age_seconds_max() -> i64 {
    60
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Mainnet,
    Testnet,
    Signet,
    Regtest,
}

impl Network {
    /// What an invoice's text begins with, before the amount (BOLT 11, "Human-Readable Part").
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Mainnet => "lnbc",
            Self::Testnet => "lntb",
            Self::Signet => "lntbs",
            Self::Regtest => "lnbcrt",
        }
    }
}

/// How many times the lowest rate the highest may be. Nothing but these bounds stands between a source that errs, or that somebody has
/// taken over, and a sale at its price.
const RATE_WIDTH_MAX: i64 = 4;

/// The settings, once what their schema cannot say has been checked.
///
/// # Errors
/// `misconfigured`, naming the field and what to do.
pub fn valid(settings: Settings) -> Result<Settings, Error> {
    if settings.rate_min > settings.rate_max {
        return Err(misconfigured("rate_min must not be above rate_max"));
    }
    if settings.rate_max > settings.rate_min.saturating_mul(RATE_WIDTH_MAX) {
        return Err(misconfigured(format!(
            "rate_max must not be above {RATE_WIDTH_MAX} times rate_min: set both close"
        )));
    }
    if !settings.node_url.starts_with("https://") {
        return Err(misconfigured("node_url must begin with https://, or the macaroon could be read on its way"));
    }
    match (&settings.rate_url, settings.fixed_rate) {
        (Some(_), None) => {}
        (None, Some(rate)) if (settings.rate_min..=settings.rate_max).contains(&rate) => {}
        (None, Some(_)) => return Err(misconfigured("fixed_rate must lie between rate_min and rate_max")),
        (Some(_), Some(_)) => return Err(misconfigured("fill in either rate_url or fixed_rate, not both")),
        (None, None) => return Err(misconfigured("fill in rate_url, or fixed_rate if there is no rate source")),
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::settings;

    #[test]
    fn one_source_of_rates_within_bounds() {
        let fixed = |rate| Settings { rate_url: None, fixed_rate: rate, ..settings() };
        assert!(valid(settings()).is_ok() && valid(fixed(Some(50_000))).is_ok());
        for (settings, named) in [
            (fixed(None), "rate_url"),
            (fixed(Some(24_999)), "fixed_rate"),
            (fixed(Some(100_001)), "fixed_rate"),
            (Settings { fixed_rate: Some(50_000), ..settings() }, "fixed_rate"),
            (Settings { rate_min: 2, rate_max: 1, ..settings() }, "rate_min"),
            (Settings { rate_min: 24_999, ..settings() }, "rate_max"),
            (Settings { node_url: "http://node.example.com:8080".to_owned(), ..settings() }, "node_url"),
            (Settings { node_url: "http://10.0.0.7".to_owned(), public_certificate: true, ..settings() }, "node_url"),
        ] {
            match valid(settings) {
                Err(Error::Misconfigured(why)) => assert!(why.contains(named), "{why}"),
                other => panic!("{named}: {other:?}"),
            }
        }
    }
}
