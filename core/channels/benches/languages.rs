//! What the language of a channel costs: the same channel as every component of it in `SAOMA_PLUGINS_DIR`.
//!
//! One line each: the component's size, compiling it, loading it precompiled, a call of a fresh instance (one signed notification
//! of about 512 bytes: sign-text, HMAC by the host, JSON) against the same code called natively, and what one call holds of memory while
//! its scheme does not answer.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::{hint::black_box, sync::Arc, time::Instant};

use measure::{SAMPLES, SAMPLES_SLOW, component, natively, notification, percentiles, waiting};
use saoma_channels::{ChannelCaller as _, Host, Origin};
use tokio::runtime::Runtime;

/// The components of one and the same channel.
const COMPONENTS: [&str; 3] = ["sandbox", "sandbox-js", "sandbox-python"];

/// Calls that wait at once, so that the memory of one stands out from the host's own.
const HELD: u32 = 32;

fn main() {
    if waiting::was_scheme() {
        return;
    }
    COMPONENTS.iter().for_each(|name| measure(name, &component(name)));
}

fn measure(name: &str, component: &[u8]) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let config = waiting::config(&folder.path().join("cache"), HELD);
    let installed = |origin: Origin| {
        let host = Host::new(config.clone()).expect("the host starts");
        let began = Instant::now();
        let plugin = runtime.block_on(host.install(component)).expect("installs");
        assert_eq!(plugin.origin(), origin);
        (host, plugin.manifest().id.clone(), began.elapsed())
    };
    let (_, _, compiled) = installed(Origin::Compiled);
    let (host, channel, loaded) = installed(Origin::Cache);
    let settings = r#"{"base_url":"https://wallet.example","merchant_id":"m-1"}"#.to_owned();
    let (account, message) = (measure::account(channel.clone(), settings), notification());
    let read = || drop(black_box(runtime.block_on(host.parse_notification(&account, &message)).expect("genuine")));
    let (p50, p99) = percentiles(SAMPLES_SLOW, read);
    let (native_p50, native_p99) = percentiles(SAMPLES, || drop(black_box(natively(&message))));
    let held = waiting::measure(&runtime, &Arc::new(host), &channel, HELD);
    println!(
        "channels/languages {name} bytes={} compile_ms={} load_us={} call_p50_us={p50:.0} call_p99_us={p99:.0} native_p50_us={native_p50:.2} \
         native_p99_us={native_p99:.2} held_mib={:.2} of={}",
        component.len(),
        compiled.as_millis(),
        loaded.as_micros(),
        held.held_mib / f64::from(held.calls.max(1)),
        held.calls,
    );
}
