//! What a plugin may write into core's log: so many lines of so many characters, and the number of those that it wanted to write
//! besides.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use saoma_channels::{
    ChannelCaller as _, Failure, Host,
    extension::{Draft, DraftMethod},
};
use saoma_protocol::{Millis, StoreId, TenantId};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Id, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::guests::{cny, component, config, hostile_account, order};

/// Limits of the contract (`sdk/wit`, interface `log`).
const LINES: usize = 50;
const CHARS: usize = 1_000;

/// Long enough for any machine, for what comes at once.
const SOON: Duration = Duration::from_secs(20);

/// What plugins have logged, and what the spans of calls say of the rest.
#[derive(Clone, Default)]
struct Ears(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<String>,
    dropped: Vec<u64>,
}

impl Ears {
    /// All that is said on this thread, and in calls that begin on it.
    fn listening() -> (Self, DefaultGuard) {
        let ears = Self::default();
        (ears.clone(), tracing_subscriber::registry().with(ears).set_default())
    }

    fn take(&self) -> Heard {
        std::mem::take(&mut self.0.0.lock().expect("no panic"))
    }

    /// Once a call has said how much it dropped. It does so as it ends, which whoever gave it up need not wait for.
    fn take_dropped(&self) -> Heard {
        let heard = self.0.0.lock().expect("no panic");
        let ends = self.0.1.wait_timeout_while(heard, SOON, |heard| heard.dropped.is_empty());
        std::mem::take(&mut *ends.expect("no panic").0)
    }
}

impl<S: Subscriber> Layer<S> for Ears {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "saoma_channels::plugin" {
            event.record(&mut *self.0.0.lock().expect("no panic"));
        }
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut *self.0.0.lock().expect("no panic"));
        self.0.1.notify_all();
    }
}

impl Visit for Heard {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log_dropped" {
            self.dropped.push(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.lines.push(format!("{value:?}"));
        }
    }
}

#[tokio::test]
async fn a_channels_flood_ends_after_so_many_lines_of_so_many_characters() {
    let host = super::guests::host(config()).await;
    let (ears, _listening) = Ears::listening();
    // 10,000 lines of more than 5,000 characters.
    host.charge(&hostile_account("log-flood"), &order(1, 1_000), "770000000000000000").await.expect("answered");
    let Heard { lines, dropped } = ears.take();
    assert_eq!((lines.len(), dropped), (LINES, vec![10_000 - LINES as u64]));
    assert!(lines.iter().all(|line| line.chars().count() == CHARS), "{lines:?}");
    assert!(lines[0].starts_with("line 0 !") && lines[LINES - 1].starts_with("line 49 !"), "the first are kept");
    // The next call has its own, and one that says little has dropped nothing.
    host.charge(&hostile_account("honest"), &order(1, 1_000), "770000000000000000").await.expect("answered");
    let Heard { lines, dropped } = ears.take();
    assert_eq!((lines.len(), dropped.len()), (0, 0));
}

#[tokio::test]
async fn a_call_that_is_given_up_says_what_it_dropped() {
    let host = super::guests::host(config()).await;
    let (ears, _listening) = Ears::listening();
    let outcome = host.charge(&hostile_account("logs-and-sleeps"), &order(1, 1_000), "770000000000000000").await;
    assert_eq!(outcome, Err(Failure::TimedOut { after_ms: 1_000 }));
    let Heard { lines, dropped } = ears.take_dropped();
    assert!(lines.len() == LINES && matches!(dropped[..], [more] if more > 0), "{} and {dropped:?}", lines.len());
}

#[tokio::test]
async fn a_flood_of_rules_ends_there_too() {
    let host = Host::new(config()).expect("the host starts");
    let rules = host.install_extension(&component("hostile-rules")).await.expect("the rules install");
    let draft = Draft {
        amount: cny(1_000),
        goods: Vec::new(),
        store: StoreId::from_bytes([6; 16]),
        terminal: None,
        cashier: None,
        method: DraftMethod::Undecided,
        at: Millis(1_700_000_000_000),
        utc_offset_minutes: 0,
    };
    let (ears, _listening) = Ears::listening();
    // 1,000 lines of 2,000 characters.
    let tenant = TenantId::from_bytes([2; 16]);
    rules.price(tenant, r#"{"mode":"log-flood"}"#, &draft).await.expect("a price");
    let Heard { lines, dropped } = ears.take();
    assert_eq!((lines.len(), dropped), (LINES, vec![1_000 - LINES as u64]));
    assert!(lines.iter().all(|line| line.chars().count() == CHARS));
}
