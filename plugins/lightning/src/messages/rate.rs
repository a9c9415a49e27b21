//! What a bitcoin costs: one fixed rate, or the best bid of a ticker of the form that Bitstamp publishes.

use saoma_channel_sdk::{Error, Money, decimal, from_decimal, misconfigured, not_sent};
use serde::Deserialize;

use super::Settings;

const SATS_PER_BTC: i128 = 100_000_000;
/// LND takes no invoice over 100,000 BTC (lnrpc/invoicesrpc/addinvoice.go).
const SATS_MAX: i128 = 100_000 * SATS_PER_BTC;
const MSAT_PER_SAT: i64 = 1_000;
const BASIS: i128 = 10_000;
/// How far the source's clock may be ahead of ours.
const AHEAD_SECONDS_MAX: i64 = 60;

/// What one bitcoin costs, the spread taken off.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate(Money);

/// `GET /api/v2/ticker/{currency_pair}/` (Bitstamp, HTTP API v2, "Ticker"); all values are texts.
#[derive(Deserialize)]
struct Ticker {
    /// The highest that somebody offers for a bitcoin now: what the merchant would get for one.
    bid: String,
    /// Seconds since 1970.
    timestamp: String,
}

impl Rate {
    /// # Errors
    /// What is wrong: it must be above 0.
    pub fn new(price: Money) -> Result<Self, String> {
        if price.minor < 1 { Err(format!("a bitcoin for {} is no rate", price.minor)) } else { Ok(Self(price)) }
    }

    #[must_use]
    pub const fn price(&self) -> &Money {
        &self.0
    }

    /// What the amount is in satoshi, rounded up, so at least one.
    ///
    /// # Errors
    /// What is wrong: another currency, or more than an invoice may have.
    pub fn sats(&self, amount: &Money) -> Result<i64, String> {
        if amount.currency != self.0.currency || amount.minor < 1 {
            return Err(format!("{} {} has no price at a rate in {}", amount.minor, amount.currency, self.0.currency));
        }
        let price = i128::from(self.0.minor);
        let sats = (i128::from(amount.minor) * SATS_PER_BTC + price - 1) / price;
        if sats > SATS_MAX {
            return Err(format!("{sats} sat is more than an invoice may have"));
        }
        i64::try_from(sats).map_err(|error| error.to_string())
    }

    /// The same in thousandths of a satoshi, as invoices count.
    ///
    /// # Errors
    /// As [`Self::sats`].
    pub fn msat(&self, amount: &Money) -> Result<i64, String> {
        let sats = self.sats(amount)?;
        sats.checked_mul(MSAT_PER_SAT).ok_or_else(|| format!("{sats} sat are too many"))
    }
}

/// The rate of the settings, if it is a fixed one.
///
/// # Errors
/// `misconfigured` if it is none.
pub fn fixed(settings: &Settings) -> Result<Option<Rate>, Error> {
    let Some(whole) = settings.fixed_rate else { return Ok(None) };
    Ok(Some(spread(whole_units(whole, settings)?, settings).map_err(misconfigured)?))
}

/// Where the rate is asked for.
#[must_use]
pub fn ticker_url(rate_url: &str, currency: &str) -> String {
    format!("{}/api/v2/ticker/btc{}/", rate_url.trim_end_matches('/'), currency.to_ascii_lowercase())
}

/// # Errors
/// `misconfigured` if the source does not have the currency; `not-sent` for what is no rate, or one that is too old, dated in the
/// future or out of bounds: nothing was asked of the node yet.
pub fn read(status: u16, body: &[u8], settings: &Settings, now_ms: i64) -> Result<Rate, Error> {
    let refused = |why: String| not_sent(format!("the rate source: {why}"));
    match status {
        200 => {}
        400 | 404 => {
            return Err(misconfigured(format!(
                "rate_url: the rate source has no rate of a bitcoin in {} (status {status})",
                settings.currency
            )));
        }
        other => return Err(refused(format!("status {other}"))),
    }
    let ticker: Ticker = serde_json::from_slice(body).map_err(|_| refused("its answer is no ticker".to_owned()))?;
    let at: i64 = ticker.timestamp.parse().map_err(|_| refused("its answer has no time".to_owned()))?;
    let age = (now_ms / 1_000).saturating_sub(at);
    if age > settings.rate_age_seconds_max || age < -AHEAD_SECONDS_MAX {
        return Err(refused(format!("its rate is {age} s old, not 0 to {}", settings.rate_age_seconds_max)));
    }
    let bid = rounded_down(&ticker.bid, &settings.currency).map_err(refused)?;
    let (min, max) = (whole_units(settings.rate_min, settings)?, whole_units(settings.rate_max, settings)?);
    if !(min.minor..=max.minor).contains(&bid.minor) {
        let shown: String = ticker.bid.chars().take(40).collect();
        return Err(refused(format!("{shown} for a bitcoin is out of bounds (rate_min and rate_max)")));
    }
    spread(bid, settings).map_err(refused)
}

/// Rounded down: the merchant then asks for a satoshi more rather than for one less.
fn spread(price: Money, settings: &Settings) -> Result<Rate, String> {
    let minor = i128::from(price.minor) * (BASIS - i128::from(settings.spread_basis_points)) / BASIS;
    Rate::new(Money { minor: i64::try_from(minor).map_err(|error| error.to_string())?, ..price })
}

/// One unit of the currency in minor units: 100 for USD, 1 for JPY.
fn unit(currency: &str) -> Result<i64, String> {
    from_decimal("1", currency).map(|money| money.minor).map_err(|error| error.0)
}

fn whole_units(whole: i64, settings: &Settings) -> Result<Money, Error> {
    let minor = unit(&settings.currency).ok().and_then(|unit| whole.checked_mul(unit));
    let minor = minor.ok_or_else(|| misconfigured(format!("{whole} {} cannot be counted", settings.currency)))?;
    Ok(Money { minor, currency: settings.currency.clone() })
}

/// A decimal text; digits beyond the currency's are cut off.
fn rounded_down(text: &str, currency: &str) -> Result<Money, String> {
    let digits = unit(currency)?.to_string().len() - 1;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{:?} is no amount", text.chars().take(40).collect::<String>()));
    }
    let fraction = fraction.get(..digits).unwrap_or(fraction);
    let shown = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    from_decimal(&shown, currency).map_err(|error| error.0)
}

/// For people: `49500.00 USD`.
#[must_use]
pub fn words(rate: &Rate) -> String {
    format!("{} {}", decimal(&rate.0).unwrap_or_default(), rate.0.currency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{NOW_MS, kind, money, settings};

    fn ticker(bid: &str, at: i64) -> Vec<u8> {
        format!(r#"{{"timestamp":"{at}","bid":"{bid}","ask":"50001.00","last":"50000.50","volume":"1.5"}}"#).into()
    }

    #[test]
    fn satoshi_are_rounded_up() {
        for (price, currency, minor, sats) in [
            (5_000_000, "USD", 1_250, 25_000),
            (5_000_000, "USD", 1, 20),
            (4_950_000, "USD", 1, 21),
            (4_950_000, "USD", 1_250, 25_253),
            // More than a bitcoin for a cent: still one satoshi.
            (100_000_000_000, "USD", 1, 1),
            (9_500_000, "JPY", 1, 11),
            (1, "USD", 100_000, 10_000_000_000_000),
        ] {
            let rate = Rate::new(money(price, currency)).expect("a rate");
            assert_eq!(rate.sats(&money(minor, currency)), Ok(sats), "{minor} at {price} {currency}");
        }
        let rate = Rate::new(money(1, "USD")).expect("a rate");
        assert!(rate.sats(&money(100_001, "USD")).is_err(), "over what LND takes");
        assert!(rate.sats(&money(1, "EUR")).is_err() && Rate::new(money(0, "USD")).is_err());
    }

    #[test]
    fn tickers() {
        let now = NOW_MS / 1_000;
        let read = |status, body: &[u8]| {
            read(status, body, &settings(), NOW_MS).map(|rate| rate.price().minor).map_err(|error| kind(&error))
        };
        for (bid, price) in
            [("50000.00", 4_950_000), ("50000", 4_950_000), ("50000.019", 4_950_000), ("50000.9", 4_950_089)]
        {
            assert_eq!(read(200, &ticker(bid, now)), Ok(price), "{bid}");
        }
        for (status, body, outcome) in [
            (200, ticker("50000.00", now - 60), Ok(4_950_000)),
            (200, ticker("50000.00", now - 61), Err("not-sent")),
            (200, ticker("50000.00", now + 61), Err("not-sent")),
            (200, ticker("24999.99", now), Err("not-sent")),
            (200, ticker("100000.01", now), Err("not-sent")),
            (200, ticker("-50000.00", now), Err("not-sent")),
            (200, ticker("5e4", now), Err("not-sent")),
            (200, ticker("50000.", now), Err("not-sent")),
            (200, ticker("", now), Err("not-sent")),
            (200, ticker("50000.00", now)[..20].to_vec(), Err("not-sent")),
            (200, br#"{"bid":50000,"timestamp":"1"}"#.to_vec(), Err("not-sent")),
            (200, b"<html>".to_vec(), Err("not-sent")),
            (404, ticker("50000.00", now), Err("misconfigured")),
            (503, ticker("50000.00", now), Err("not-sent")),
        ] {
            assert_eq!(read(status, &body), outcome, "{status} {}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_yen_has_no_sen_and_a_fixed_rate_its_spread() {
        let yen = Settings { currency: "JPY".to_owned(), rate_min: 5_000_000, rate_max: 20_000_000, ..settings() };
        let read = read(200, &ticker("9500000.99", NOW_MS / 1_000), &yen, NOW_MS).expect("a rate");
        assert_eq!(words(&read), "9405000 JPY");
        let of = Settings { fixed_rate: Some(50_000), rate_url: None, ..settings() };
        assert_eq!(fixed(&of).map(|rate| rate.map(|rate| words(&rate))), Ok(Some("49500.00 USD".to_owned())));
        assert_eq!(ticker_url("https://www.bitstamp.net/", "USD"), "https://www.bitstamp.net/api/v2/ticker/btcusd/");
    }
}
