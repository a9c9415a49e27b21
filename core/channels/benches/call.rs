//! What a sandbox costs: a call into a fresh instance against the same code called natively.
//!
//! The work is reading one signed notification of about 512 bytes: sign-text, HMAC by the host, JSON. Criterion gives the
//! means; the loop before it gives p50 and p99 as one line each, for `cargo xtask bench` to read:
//! `channels/call wasm_p50_us=… wasm_p99_us=… native_p50_us=… native_p99_us=… ratio_p50=…`

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group};
use ring::hmac;
use saoma_channels::{
    Account, ChannelCaller as _, Host, HostConfig, HttpMessage, NotificationEvent, NotificationOutcome, Secrets,
};
use saoma_protocol::{ChannelAccountId, TenantId};
use tokio::runtime::Runtime;

const KEY: &[u8] = b"correct horse battery staple";

/// Calls for the percentiles, after as many tenths to warm up.
const SAMPLES: usize = 20_000;

fn component() -> Vec<u8> {
    let path = match std::env::var_os("SAOMA_PLUGINS_DIR") {
        Some(dir) => PathBuf::from(dir).join("sandbox.wasm"),
        None => {
            let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--locked", "--profile", "guest", "--target", "wasm32-wasip2"])
                .args(["-p", "saoma-sandbox", "--target-dir"])
                .arg(&target_dir)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status();
            assert!(built.is_ok_and(|status| status.success()), "the sandbox plugin does not build");
            target_dir.join("wasm32-wasip2/guest/saoma_sandbox.wasm")
        }
    };
    std::fs::read(path).expect("the component")
}

fn notification() -> HttpMessage {
    let number = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let body = format!(
        r#"{{"order_number":"{number}","status":"PAID","amount":"12.50","currency":"CNY","reference":"W-2026-0001","paid_at":1700000000123,"payer_hint":"a***e","decline_code":null,"refunded":"0.00","code_url":null,"padding":"{}"}}"#,
        "x".repeat(280)
    );
    let (timestamp, nonce) = ("1700000000123".to_owned(), "ab".repeat(16));
    let text = saoma_sandbox::messages::notification_text(&timestamp, &nonce, body.as_bytes());
    let signature = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &text));
    let headers = [("x-sandbox-timestamp", timestamp), ("x-sandbox-nonce", nonce), ("x-sandbox-signature", signature)];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    HttpMessage { headers, body: body.into_bytes() }
}

/// What `parse-notification` does, without the sandbox around it.
fn natively(message: &HttpMessage) -> String {
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

struct Bench {
    runtime: Runtime,
    host: Host,
    account: Account,
    message: HttpMessage,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let host = Host::new(HostConfig::new(folder.path().join("cache"))).expect("the host starts");
        runtime.block_on(host.install(&component())).expect("installs");
        let account = Account {
            id: ChannelAccountId::from_bytes([1; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            channel: "sandbox".to_owned(),
            package: None,
            settings_json: r#"{"base_url":"https://wallet.example","merchant_id":"m-1"}"#.to_owned(),
            secrets: Secrets::none().with("merchant-key", KEY),
            notify_url: String::new(),
        };
        Self { runtime, host, account, message: notification(), _folder: folder }
    }

    fn sandboxed(&self) -> NotificationOutcome {
        let call = self.host.parse_notification(&self.account, &self.message);
        self.runtime.block_on(call).expect("genuine")
    }
}

/// p50 and p99 of `work`, in microseconds.
fn percentiles(mut work: impl FnMut()) -> (f64, f64) {
    (0..SAMPLES / 10).for_each(|_| work());
    let mut spans: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    spans.sort_unstable();
    let at = |percent: usize| spans[SAMPLES * percent / 100].as_secs_f64() * 1e6;
    (at(50), at(99))
}

fn calls(criterion: &mut Criterion) {
    let bench = Bench::new();
    // Both must do the same work before it is worth timing.
    let outcome = bench.sandboxed();
    let [NotificationEvent::Payment(answer)] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(answer.number, natively(&bench.message));
    if std::env::args().any(|argument| argument == "--bench") {
        let (wasm_p50, wasm_p99) = percentiles(|| drop(black_box(bench.sandboxed())));
        let (native_p50, native_p99) = percentiles(|| drop(black_box(natively(&bench.message))));
        println!(
            "channels/call wasm_p50_us={wasm_p50:.1} wasm_p99_us={wasm_p99:.1} native_p50_us={native_p50:.2} \
             native_p99_us={native_p99:.2} ratio_p50={:.1} bytes_in={}",
            wasm_p50 / native_p50,
            bench.message.body.len()
        );
    }
    let mut group = criterion.benchmark_group("channels/call");
    group.bench_function("fresh_instance", |bencher| bencher.iter(|| bench.sandboxed()));
    group.bench_function("native", |bencher| bencher.iter(|| natively(&bench.message)));
    group.finish();
}

criterion_group!(benches, calls);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}
