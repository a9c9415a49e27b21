//! What the benches of channels have in common: components, an account, a notification, percentiles.

#![allow(dead_code, reason = "each bench takes what it needs")]

pub mod waiting;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use ring::hmac;
use saoma_channels::{Account, HttpMessage, Secrets};
use saoma_protocol::{ChannelAccountId, TenantId};

const KEY: &[u8] = b"correct horse battery staple";

/// Calls for the percentiles of what takes microseconds, and of what takes milliseconds; after as many tenths to warm up.
pub const SAMPLES: usize = 20_000;
pub const SAMPLES_SLOW: usize = 2_000;

/// A component of `SAOMA_PLUGINS_DIR`, which `cargo xtask bench` fills.
pub fn component(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(std::env::var_os("SAOMA_PLUGINS_DIR").expect("`cargo xtask bench` says where they are"));
    let file = folder.join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask bench` puts it there", file.display()))
}

/// p50 and p99 of `work` in microseconds, of so many calls.
pub fn percentiles(samples: usize, mut work: impl FnMut()) -> (f64, f64) {
    (0..samples / 10).for_each(|_| work());
    let mut spans: Vec<Duration> = (0..samples)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    spans.sort_unstable();
    let at = |percent: usize| spans[samples * percent / 100].as_secs_f64() * 1e6;
    (at(50), at(99))
}

pub fn account(channel: String, settings_json: String) -> Account {
    Account {
        id: ChannelAccountId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([2; 16]),
        channel,
        package: None,
        settings_json,
        secrets: Secrets::none().with("merchant-key", KEY).with("api-key", KEY),
        notify_url: String::new(),
    }
}

/// Of the Sandbox Wallet, signed, some 512 bytes.
pub fn notification() -> HttpMessage {
    let body = format!(
        r#"{{"order_number":"pay_aaaaaaaaaaaaaaaaaaaaaaaaaa","status":"PAID","amount":"12.50","currency":"CNY","reference":"W-2026-0001","paid_at":1700000000123,"payer_hint":"a***e","decline_code":null,"refunded":"0.00","code_url":null,"padding":"{}"}}"#,
        "x".repeat(280)
    );
    let (timestamp, nonce) = ("1700000000123".to_owned(), "ab".repeat(16));
    let text = saoma_sandbox::messages::notification_text(&timestamp, &nonce, body.as_bytes());
    let signature = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &text));
    let headers = [("x-sandbox-timestamp", timestamp), ("x-sandbox-nonce", nonce), ("x-sandbox-signature", signature)];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    HttpMessage { headers, body: body.into_bytes() }
}

/// What `parse-notification` does about it, without the sandbox around: the payment's number.
pub fn natively(message: &HttpMessage) -> String {
    let header = |name: &str| message.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let (timestamp, nonce) = (header("x-sandbox-timestamp").expect("set"), header("x-sandbox-nonce").expect("set"));
    let text = saoma_sandbox::messages::notification_text(timestamp, nonce, &message.body);
    let tag = hex::decode(header("x-sandbox-signature").expect("set")).expect("hex");
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &text, &tag).expect("signed");
    match saoma_sandbox::messages::read_notification(&message.body) {
        Ok(saoma_sandbox::messages::NotificationEvent::Payment(answer)) => answer.number,
        told => panic!("{told:?}"),
    }
}
