//! What ten thousand calls hold of memory, their instances with them, while their scheme does not answer.
//!
//! One line: `channels/waiting sandbox of=10000 held_mib=… each_kib=… page_tables_mib=… sent_ms=…`. It fails if one holds more than
//! [`EACH_KIB_MAX`]. Each has a connection: where the limit on open files is lower, as many wait as there is room for. Each has six
//! ranges of addresses besides, and Linux allows 65,530 of a process (`vm.max_map_count`): some 10,500 calls.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

mod measure;

use std::{process::ExitCode, sync::Arc};

use measure::{component, waiting};
use saoma_channels::Host;
use tokio::runtime::Runtime;

/// `SAOMA_BENCH_HELD` says otherwise.
const CALLS: u32 = 10_000;

/// A gibibyte for all of them.
const EACH_KIB_MAX: f64 = (1 << 20) as f64 / CALLS as f64;

/// What the process has open besides.
const OTHER_FILES: u32 = 100;

const CHANNEL: &str = "sandbox";

fn main() -> ExitCode {
    if waiting::was_scheme() {
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::var("SAOMA_BENCH_HELD").map_or(CALLS, |text| text.parse().expect("a number of calls"));
    let calls = wanted.min(waiting::open_files_max().saturating_sub(OTHER_FILES));
    if calls < wanted {
        eprintln!("the limit on open files lets {calls} calls wait; for {wanted}: ulimit -n {}", wanted + OTHER_FILES);
    }
    let (runtime, folder) = (Runtime::new().expect("a runtime"), tempfile::tempdir().expect("a folder"));
    let host = Host::new(waiting::config(&folder.path().join("cache"), calls)).expect("the host starts");
    runtime.block_on(host.install(&component(CHANNEL))).expect("installs");
    let told = waiting::measure(&runtime, &Arc::new(host), CHANNEL, calls);
    let each_kib = told.held_mib * 1_024.0 / f64::from(told.calls.max(1));
    println!(
        "channels/waiting {CHANNEL} of={} held_mib={:.0} each_kib={each_kib:.1} page_tables_mib={:.0} sent_ms={}",
        told.calls,
        told.held_mib,
        told.page_tables_mib,
        told.sent_within.as_millis(),
    );
    if told.calls > 0 && each_kib <= EACH_KIB_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
