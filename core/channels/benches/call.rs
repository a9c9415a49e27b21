//! What a sandbox costs: a call into a fresh instance against the same code called natively.
//!
//! The work is reading one signed notification of about 512 bytes: sign-text, HMAC by the host, JSON. Criterion gives the
//! means; the loop before it gives p50 and p99 as one line each, for `cargo xtask bench` to read:
//! `channels/call wasm_p50_us=… wasm_p99_us=… native_p50_us=… native_p99_us=… ratio_p50=…`

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use measure::{SAMPLES, component, natively, notification, percentiles};
use saoma_channels::{
    Account, ChannelCaller as _, Host, HostConfig, HttpMessage, NotificationEvent, NotificationOutcome,
};
use tokio::runtime::Runtime;

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
        runtime.block_on(host.install(&component("sandbox"))).expect("installs");
        let settings = r#"{"base_url":"https://wallet.example","merchant_id":"m-1"}"#;
        let account = measure::account("sandbox".to_owned(), settings.to_owned());
        Self { runtime, host, account, message: notification(), _folder: folder }
    }

    fn sandboxed(&self) -> NotificationOutcome {
        let call = self.host.parse_notification(&self.account, &self.message);
        self.runtime.block_on(call).expect("genuine")
    }
}

fn calls(criterion: &mut Criterion) {
    let bench = Bench::new();
    // Both must do the same work before it is worth timing.
    let outcome = bench.sandboxed();
    let [NotificationEvent::Payment(answer)] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(answer.number, natively(&bench.message));
    if std::env::args().any(|argument| argument == "--bench") {
        let (wasm_p50, wasm_p99) = percentiles(SAMPLES, || drop(black_box(bench.sandboxed())));
        let (native_p50, native_p99) = percentiles(SAMPLES, || drop(black_box(natively(&bench.message))));
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
