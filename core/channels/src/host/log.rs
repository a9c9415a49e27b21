//! `log`: what a plugin has to say, within bounds, in core's own log.

use tracing::Span;

use super::CallState;
use crate::{
    bindings::log::{Host, Level},
    convert, failure,
};

/// Limits of the contract (`sdk/wit`, interface `log`).
const LINES_MAX: u32 = 50;
const LINE_CHARS_MAX: usize = 1_000;

impl Host for CallState {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let given = self.given_mut()?;
        given.log.write(level, message, given.code.as_deref());
        Ok(())
    }
}

/// The lines of one call. However it ends, its span says (`log_dropped`) how many more it wanted to write than it may.
pub(crate) struct Lines {
    written: u32,
    dropped: u32,
    span: Span,
}

impl Lines {
    pub(crate) fn of_this_call() -> Self {
        Self { written: 0, dropped: 0, span: Span::current() }
    }

    pub(crate) fn write(&mut self, level: Level, message: String, code: Option<&str>) {
        if self.written < LINES_MAX {
            self.written += 1;
            say(level, message, code);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if self.dropped > 0 {
            self.span.record("log_dropped", self.dropped);
        }
    }
}

fn say(level: Level, message: String, code: Option<&str>) {
    let text = printable(message, code);
    match level {
        Level::Debug => tracing::debug!(target: "saoma_channels::plugin", "{text}"),
        Level::Info => tracing::info!(target: "saoma_channels::plugin", "{text}"),
        Level::Warn => tracing::warn!(target: "saoma_channels::plugin", "{text}"),
        Level::Error => tracing::error!(target: "saoma_channels::plugin", "{text}"),
    }
}

/// Cut, without the customer's code, and without the characters by which a line could pass for several or move a
/// terminal's cursor.
fn printable(message: String, code: Option<&str>) -> String {
    convert::cut(&failure::without_code(message, code), LINE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_stays_one_line_and_shows_no_code() {
        let printable = |text: &str, code| super::printable(text.to_owned(), code);
        assert_eq!(printable("paid\n\u{1b}[2Jforged", None), "paid  [2Jforged");
        assert_eq!(printable(&"码".repeat(2_000), None).chars().count(), 1_000);
        assert_eq!(printable("charging 8812", Some("8812")), "charging [code]");
        assert_eq!(printable("charging", Some("")), "charging");
    }
}
