//! What core counts and measures. One set of instruments, made once, serves both exits: OTLP and `/metrics`.
//!
//! Every label has few values, known beforehand: a route's pattern, a state, an installed plugin. Never a tenant, a payment,
//! an address or anything that a caller can choose: each new value is a new series that every watcher keeps for ever.

use std::{fmt, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, MeterProvider as _},
};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use saoma_domain::{payment::Payment, refund::Refund};
use saoma_store::Store;
use serde::Serialize;

pub use super::exposition::CONTENT_TYPE;
use super::{TelemetryError, collector_client, exposition::Scrape, resource};
use crate::{config::Telemetry, fleet::Fleet};

/// From a page out of memory (1 ms) to a call of a slow scheme (60 s).
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The instruments of one core. Each core of a process has its own figures.
pub struct Metrics {
    provider: SdkMeterProvider,
    scrape: Option<Scrape>,
    meter: Meter,
    requests: Histogram<f64>,
    payments: Counter<u64>,
    passed_over: Counter<u64>,
    refunds: Counter<u64>,
    webhook_attempts: Counter<u64>,
    webhook_endpoints_disabled: Counter<u64>,
    journal_entries: Counter<u64>,
    outbox_messages: Gauge<u64>,
    outbox_oldest_age: Gauge<f64>,
    payments_open: Gauge<u64>,
    payments_unknown: Gauge<u64>,
    settlements_waiting: Gauge<u64>,
    rollouts_behind: Gauge<u64>,
}

/// What lies in the database and waits. All nodes see the same, so of several nodes' figures one is the truth, not the sum.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub outbox_messages: u64,
    pub outbox_oldest_age: Duration,
    pub payments_open: u64,
    pub payments_unknown: u64,
    pub settlements_waiting: u64,
}

impl Metrics {
    /// # Errors
    /// An endpoint that cannot be used.
    pub fn open(settings: &Telemetry) -> Result<Self, TelemetryError> {
        let mut builder = SdkMeterProvider::builder().with_resource(resource());
        if let Some(endpoint) = settings.otlp_endpoint.as_deref() {
            let exporter = opentelemetry_otlp::MetricExporter::builder()
                .with_http()
                .with_http_client(collector_client(endpoint)?)
                .with_endpoint(format!("{}/v1/metrics", endpoint.trim_end_matches('/')))
                .build()
                .map_err(|error| TelemetryError::Export { endpoint: endpoint.to_owned(), why: error.to_string() })?;
            // Every 60 s, unless OTEL_METRIC_EXPORT_INTERVAL says otherwise.
            builder = builder.with_periodic_exporter(exporter);
        }
        let scrape = settings.metrics_listen.map(|_| Scrape::default());
        if let Some(scrape) = &scrape {
            builder = builder.with_reader(scrape.clone());
        }
        let provider = builder.build();
        let meter = provider.meter("saoma");
        let count = |name, description| meter.u64_counter(name).with_description(description).build();
        let level = |name, description| meter.u64_gauge(name).with_description(description).build();
        Ok(Self {
            requests: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("Requests by method, route and status, until the head of the answer")
                .with_boundaries(REQUEST_SECONDS.to_vec())
                .build(),
            payments: count("saoma.payments", "Payments that came into a state, by state, method and channel"),
            passed_over: count(
                "saoma.payments.passed_over",
                "Accounts that a payment went past because nobody answers there, by channel",
            ),
            refunds: count("saoma.refunds", "Refunds that came into a state, by state and kind"),
            webhook_attempts: count("saoma.webhooks.attempts", "Attempts to deliver a webhook, by outcome"),
            webhook_endpoints_disabled: count(
                "saoma.webhooks.endpoints_disabled",
                "Endpoints that core has disabled, by reason: somebody should tell the merchant",
            ),
            journal_entries: count("saoma.journal.entries", "Entries of terminals' journals, by verdict"),
            outbox_messages: level("saoma.outbox.messages", "Messages that nobody has acknowledged yet"),
            outbox_oldest_age: meter
                .f64_gauge("saoma.outbox.oldest_age")
                .with_unit("s")
                .with_description("Age of the oldest message that nobody has acknowledged yet")
                .build(),
            payments_open: level("saoma.payments.open", "Payments whose end is not known yet"),
            payments_unknown: level("saoma.payments.unknown", "Payments whose channel gave no answer"),
            settlements_waiting: level(
                "saoma.settlements.waiting",
                "Batches that a person has to see to: the scheme counts otherwise, gives no answer, or payments hold the close up",
            ),
            rollouts_behind: level(
                "saoma.plugin.rollouts_behind",
                "Rollouts of plugins that this node cannot serve and goes on without: somebody should look",
            ),
            provider,
            scrape,
            meter,
        })
    }

    /// For what counts by itself: the host of plugins.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Rollouts that this node should serve and cannot.
    pub fn packages_behind(&self, rollouts: usize) {
        self.rollouts_behind.record(rollouts as u64, &[]);
    }

    /// Figures that are read where they are when somebody looks.
    pub fn observe(&self, store: &Store, fleet: &Fleet) {
        let online = fleet.clone();
        self.meter
            .u64_observable_gauge("saoma.terminals.online")
            .with_description("Terminals connected to this node's broker")
            .with_callback(move |seen| seen.observe(online.online().len() as u64, &[]))
            .build();
        self.meter
            .u64_observable_gauge("process.memory.usage")
            .with_unit("By")
            .with_description("Resident memory of this process")
            .with_callback(|seen| {
                if let Some(bytes) = resident_bytes() {
                    seen.observe(bytes, &[]);
                }
            })
            .build();
        self.observe_database(store);
    }

    /// Names as in OpenTelemetry's conventions for connection pools, where they have one.
    fn observe_database(&self, store: &Store) {
        type Read = fn(&saoma_store::Load) -> u64;
        let level = |name: &'static str, description: &'static str, read: Read| {
            let store = store.clone();
            self.meter
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |seen| {
                    for (pool, load) in store.load() {
                        seen.observe(read(&load), &[KeyValue::new("pool", pool)]);
                    }
                })
                .build();
        };
        level("db.client.connection.max", "Most transactions at once", |load| load.connections as u64);
        level("db.client.connection.used", "Transactions under way", |load| load.in_use as u64);
        level("db.client.connection.pending_requests", "Callers that wait for a connection", |load| {
            load.waiting as u64
        });
        let turns = store.clone();
        self.meter
            .u64_observable_counter("saoma.db.waits")
            .with_description("Transactions that waited for a connection, however short")
            .with_callback(move |seen| {
                for (pool, load) in turns.load() {
                    seen.observe(load.turns, &[KeyValue::new("pool", pool)]);
                }
            })
            .build();
        let waited = store.clone();
        self.meter
            .f64_observable_counter("saoma.db.wait_time")
            .with_unit("s")
            .with_description("How long all of them together waited for a connection")
            .with_callback(move |seen| {
                for (pool, load) in waited.load() {
                    seen.observe(load.waited.as_secs_f64(), &[KeyValue::new("pool", pool)]);
                }
            })
            .build();
    }

    /// Whether anybody reads the figures.
    #[must_use]
    pub fn is_read(settings: &Telemetry) -> bool {
        settings.otlp_endpoint.is_some() || settings.metrics_listen.is_some()
    }

    /// All figures as text ([`CONTENT_TYPE`]); `None` if `/metrics` is not served. May block for a moment.
    ///
    /// # Errors
    /// If a figure cannot be written as text.
    pub fn text(&self) -> Result<Option<String>, fmt::Error> {
        self.scrape.as_ref().map(Scrape::text).transpose()
    }

    /// `method` and `route` must come from closed sets.
    pub fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        self.requests.record(took.as_secs_f64(), &labels);
    }

    /// The payment has just come into its state, and that is committed.
    pub fn payment_moved(&self, payment: &Payment, channel: &str) {
        let labels = [
            KeyValue::new("state", word(&payment.public_state())),
            KeyValue::new("method", payment.method.text()),
            KeyValue::new("channel", channel.to_owned()),
        ];
        self.payments.add(1, &labels);
    }

    /// A payment went past an account of this channel.
    pub fn passed_over(&self, channel: &str) {
        self.passed_over.add(1, &[KeyValue::new("channel", channel.to_owned())]);
    }

    /// The refund has just come into its state, and that is committed.
    pub fn refund_moved(&self, refund: &Refund) {
        let labels = [KeyValue::new("state", word(&refund.public_state())), KeyValue::new("kind", word(&refund.kind))];
        self.refunds.add(1, &labels);
    }

    /// `outcome`: what follows from it, as a word of a closed set.
    pub fn webhook_tried(&self, outcome: &'static str) {
        self.webhook_attempts.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub fn webhook_endpoint_disabled(&self, reason: &'static str) {
        self.webhook_endpoints_disabled.add(1, &[KeyValue::new("reason", reason)]);
    }

    /// `verdict`: accepted, held or rejected. Each entry counts once, however often it is sent.
    pub fn journal_entries(&self, verdict: &'static str, count: u64) {
        if count > 0 {
            self.journal_entries.add(count, &[KeyValue::new("verdict", verdict)]);
        }
    }

    pub fn waiting(&self, waiting: Waiting) {
        self.outbox_messages.record(waiting.outbox_messages, &[]);
        self.outbox_oldest_age.record(waiting.outbox_oldest_age.as_secs_f64(), &[]);
        self.payments_open.record(waiting.payments_open, &[]);
        self.payments_unknown.record(waiting.payments_unknown, &[]);
        self.settlements_waiting.record(waiting.settlements_waiting, &[]);
    }

    /// Sends the figures that are still here. Blocks.
    pub fn close(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "the last figures were not exported");
        }
    }
}

/// A variant's name as the API writes it.
fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "other".to_owned(),
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
