//! What ten thousand calls hold of memory, their instances with them, while their scheme does not answer.
//!
//! One line: `channels/waiting sandbox of=10000 held_mib=… each_kib=… page_tables_mib=… sent_ms=…`. It fails if they hold more than
//! [`HELD_MIB_MAX`]. Each has a connection: the limit on open files must be somewhat higher.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::{process::ExitCode, sync::Arc};

use measure::{component, waiting};
use saoma_channels::Host;
use tokio::runtime::Runtime;

/// `SAOMA_BENCH_HELD` says otherwise.
const CALLS: u32 = 10_000;

/// Of so many.
const HELD_MIB_MAX: f64 = 1_024.0;

const CHANNEL: &str = "sandbox";

fn main() -> ExitCode {
    if waiting::was_scheme() {
        return ExitCode::SUCCESS;
    }
    let calls = std::env::var("SAOMA_BENCH_HELD").map_or(CALLS, |text| text.parse().expect("a number of calls"));
    let (runtime, folder) = (Runtime::new().expect("a runtime"), tempfile::tempdir().expect("a folder"));
    let host = Host::new(waiting::config(&folder.path().join("cache"), calls)).expect("the host starts");
    runtime.block_on(host.install(&component(CHANNEL))).expect("installs");
    let told = waiting::measure(&runtime, &Arc::new(host), CHANNEL, calls);
    println!(
        "channels/waiting {CHANNEL} of={} held_mib={:.0} each_kib={:.1} page_tables_mib={:.0} sent_ms={}",
        told.calls,
        told.held_mib,
        told.held_mib * 1_024.0 / f64::from(told.calls.max(1)),
        told.page_tables_mib,
        told.sent_within.as_millis(),
    );
    if told.calls == calls && told.held_mib <= HELD_MIB_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
