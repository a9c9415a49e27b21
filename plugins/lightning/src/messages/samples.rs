//! An order and the node's answers about it, for the tests of this folder.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channel_sdk::{Error, Money, Order};

use super::{
    Settings,
    build::{self, Announcement},
    preimage::{Hash, Preimage},
    rate::Rate,
    settings::Network,
};

pub const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const MEMO: &str = "Noodle Bar: Beef noodles | 12.50 USD at 49500.00 | pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const NOW_MS: i64 = 1_700_000_000_000;

pub fn kind(error: &Error) -> &'static str {
    match error {
        Error::NoAnswer(_) => "no-answer",
        Error::NotSent(_) => "not-sent",
        Error::Misconfigured(_) => "misconfigured",
        Error::Unsupported => "unsupported",
    }
}

pub fn money(minor: i64, currency: &str) -> Money {
    Money { minor, currency: currency.to_owned() }
}

pub fn settings() -> Settings {
    Settings {
        node_url: "https://node.example.com:8080".to_owned(),
        public_certificate: false,
        network: Network::Regtest,
        private_channels: false,
        currency: "USD".to_owned(),
        rate_url: Some("https://www.bitstamp.net".to_owned()),
        rate_age_seconds_max: 60,
        spread_basis_points: 100,
        fixed_rate: None,
        rate_min: 25_000,
        rate_max: 100_000,
    }
}

pub fn order() -> Order {
    Order {
        number: NUMBER.to_owned(),
        amount: money(1_250, "USD"),
        subject: "Beef noodles".to_owned(),
        merchant_name: "Noodle Bar".to_owned(),
        store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        store_name: "Market Street".to_owned(),
        terminal_id: String::new(),
        terminal_name: String::new(),
        created_at: NOW_MS,
        expires_at: NOW_MS + 120_000,
    }
}

pub fn rate() -> Rate {
    Rate::new(money(4_950_000, "USD")).expect("a rate")
}

pub fn preimage() -> Preimage {
    Preimage::new(&[1; 32]).expect("32 bytes")
}

pub fn hash() -> Hash {
    preimage().hash()
}

pub fn announcement() -> Announcement {
    build::add(&order(), &settings(), &rate(), &preimage(), NOW_MS).expect("an announcement")
}

pub fn added(hash: &Hash, payment_request: &str) -> String {
    let r_hash = STANDARD.encode(hash);
    format!(r#"{{"r_hash":"{r_hash}","payment_request":"{payment_request}","add_index":"1","payment_addr":"AAAA"}}"#)
}

/// The order's invoice, made at [`NOW_MS`] and settled a minute later.
pub fn invoice(state: &str, paid_msat: i64) -> String {
    let (r_hash, request) = (STANDARD.encode(hash()), payment_request(&hash(), 25_253_000, NOW_MS / 1_000, 120, MEMO));
    let settle_date = if state == "SETTLED" { NOW_MS / 1_000 + 60 } else { 0 };
    format!(
        r#"{{"memo":"{MEMO}","r_hash":"{r_hash}","value":"25253","value_msat":"25253000","creation_date":"1700000000","settle_date":"{settle_date}","payment_request":"{request}","expiry":"120","amt_paid_msat":"{paid_msat}","state":"{state}"}}"#
    )
}

/// On regtest, without a signature, which nothing here looks at. Amounts in whole satoshi.
pub fn payment_request(hash: &Hash, msat: i64, at: i64, expiry: i64, memo: &str) -> String {
    payment_request_of(Network::Regtest, hash, msat, at, expiry, memo)
}

/// The same on any network.
pub fn payment_request_of(network: Network, hash: &Hash, msat: i64, at: i64, expiry: i64, memo: &str) -> String {
    let prefix = format!("{}{}n", network.prefix(), msat / 100);
    let mut data = groups(u64::try_from(at).expect("a time"), 7);
    for (tag, field) in [
        (1, padded(hash)),
        (16, padded(&[2; 32])),
        (13, padded(memo.as_bytes())),
        (6, groups(u64::try_from(expiry).expect("an expiry"), 2)),
    ] {
        let len = u64::try_from(field.len()).expect("a length");
        data.push(tag);
        data.extend(groups(len, 2));
        data.extend(field);
    }
    data.extend([0; 104]);
    super::bech32::write(&prefix, &data)
}

fn groups(number: u64, len: u32) -> Vec<u8> {
    (0..len).rev().map(|at| u8::try_from(number >> (5 * at) & 31).expect("5 bits")).collect()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    bits.chunks(5)
        .map(|five| (0..5).fold(0, |group, at| group << 1 | five.get(at).copied().unwrap_or_default()))
        .collect()
}
