//! What it would cost to sign and to open seals in a plugin: the same operation by the host, as the contract has it, and by pure
//! Rust in the guest (`benches/crypto`), each in a call of a fresh instance.
//!
//! One line each: `channels/crypto rsa_2048_sign host_us=… guest_us=… ratio=…`, the median of calls that do it [`TIMES`] times over
//! the median of those that do nothing. (The host's part of RSA runs on another thread; its way there and back is in the figure.)

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use saoma_channels::{Account, ChannelCaller as _, Host, HostConfig, Secrets};
use saoma_protocol::{ChannelAccountId, TenantId};
use serde_json::json;
use tokio::runtime::Runtime;

/// Below the contract's limit of 64 RSA operations in a call.
const TIMES: u32 = 50;
const CALLS: usize = 41;
const NONCE: [u8; 12] = *b"0123456789ab";
const AES_KEY: [u8; 32] = [7; 32];
/// A notification's resource, as WeChat Pay seals it, has some hundred bytes to a few KiB.
const SEALED_BYTES: usize = 4 << 10;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::new(HostConfig::new(folder.path().join("cache"))).expect("the host starts");
    runtime.block_on(host.install(&component())).expect("installs");
    let rsa_key = rsa_key();
    let took = |work: &str, times: u32| {
        let account = account(work, times, &rsa_key);
        let mut spans: Vec<Duration> = (0..CALLS)
            .map(|_| {
                let began = Instant::now();
                runtime.block_on(host.self_test(&account)).expect("it can do that");
                began.elapsed()
            })
            .collect();
        spans.sort_unstable();
        spans[CALLS / 2].as_secs_f64() * 1e6
    };
    let once = |work: &str| (took(work, TIMES) - took(work, 0)) / f64::from(TIMES);
    for (name, host, guest) in
        [("rsa_2048_sign", "rsa-host", "rsa-guest"), ("aes_256_gcm_open_4_kib", "aes-host", "aes-guest")]
    {
        let (host_us, guest_us) = (once(host), once(guest));
        println!("channels/crypto {name} host_us={host_us:.0} guest_us={guest_us:.0} ratio={:.1}", guest_us / host_us);
    }
}

fn component() -> Vec<u8> {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crypto");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target_dir)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/crypto"))
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the guest does not build");
    std::fs::read(target_dir.join("wasm32-wasip2/release/saoma_bench_crypto.wasm")).expect("the component")
}

/// PKCS#8 in PEM.
fn rsa_key() -> String {
    let made =
        Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]).output();
    let made = made.expect("openssl: `cargo xtask test` installs it");
    String::from_utf8(made.stdout).expect("PEM")
}

fn account(work: &str, times: u32, rsa_key: &str) -> Account {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &AES_KEY).expect("32 bytes"));
    let mut sealed = vec![b'{'; SEALED_BYTES];
    let nonce = Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_append_tag(nonce, Aad::from(b"transaction"), &mut sealed).expect("sealed");
    let settings = json!({
        "work": work,
        "times": times,
        "rsa_key": rsa_key,
        "aes_key_base64": STANDARD.encode(AES_KEY),
        "nonce_base64": STANDARD.encode(NONCE),
        "sealed_base64": STANDARD.encode(sealed),
    });
    Account {
        id: ChannelAccountId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([2; 16]),
        channel: "crypto".to_owned(),
        package: None,
        settings_json: settings.to_string(),
        secrets: Secrets::none().with("rsa", rsa_key.as_bytes()).with("aes", AES_KEY),
        notify_url: String::new(),
    }
}
