//! Logs, traces and metrics: lines on standard error, OTLP over HTTP when an endpoint is set, `/metrics` when an address is.
//!
//! The trace context is the W3C's (`traceparent`), taken from requests and from the envelopes of MQTT messages, so that one
//! trace spans till, core, plugin and scheme. A trace has its id also when nobody collects spans: log lines and problems
//! name it. Nothing here prints a body, a code or a secret: spans carry ids alone.

mod exposition;
pub mod metrics;

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::Telemetry;

/// How long one delivery to the collector may take; a slow collector loses spans, never a payment.
const EXPORT_MAX: Duration = Duration::from_secs(10);

/// Keeps the export of traces going; [`Guard::flush`] sends what is left.
pub struct Guard(SdkTracerProvider);

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("set up the export of traces and metrics to {endpoint}: {why}")]
    Export { endpoint: String, why: String },
    #[error("read telemetry.level {level:?}: {why}")]
    Level { level: String, why: String },
}

/// # Errors
/// A level or endpoint that cannot be used.
pub fn start(settings: &Telemetry) -> Result<Guard, TelemetryError> {
    let level = EnvFilter::try_new(&settings.level)
        .map_err(|error| TelemetryError::Level { level: settings.level.clone(), why: error.to_string() })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if settings.json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    let provider = traces(settings.otlp_endpoint.as_deref())?;
    // Whatever is logged: spans of our own alone. Those of libraries are many and say nothing about a payment.
    let ours = Targets::new().with_target("saoma", Level::INFO);
    let spans = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_tracer(provider.tracer("saoma"));
    // Already set in a test process that starts core several times: the first one serves all.
    drop(tracing_subscriber::registry().with(lines.with_filter(level)).with(spans.with_filter(ours)).try_init());
    Ok(Guard(provider))
}

fn traces(endpoint: Option<&str>) -> Result<SdkTracerProvider, TelemetryError> {
    // A caller's flags decide nothing here: a shop without a collector is still a part of our traces.
    let builder = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_resource(resource());
    let Some(endpoint) = endpoint else { return Ok(builder.build()) };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(collector_client(endpoint)?)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| TelemetryError::Export { endpoint: endpoint.to_owned(), why: error.to_string() })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// Exporters run on threads of their own, outside of any runtime: their client must block. It is made on a thread as well,
/// since reqwest refuses to make a blocking client within a runtime.
fn collector_client(endpoint: &str) -> Result<reqwest::blocking::Client, TelemetryError> {
    let made =
        std::thread::spawn(|| reqwest::blocking::Client::builder().no_proxy().timeout(EXPORT_MAX).build()).join();
    let refused = |why: String| TelemetryError::Export { endpoint: endpoint.to_owned(), why };
    made.map_err(|_| refused("its thread ended".to_owned()))?.map_err(|error| refused(error.to_string()))
}

/// Who sends: the service, and which of its processes. `OTEL_RESOURCE_ATTRIBUTES` may say more.
fn resource() -> Resource {
    static INSTANCE: OnceLock<String> = OnceLock::new();
    let instance = INSTANCE.get_or_init(|| {
        let drawn = ring::rand::generate::<[u8; 8]>(&ring::rand::SystemRandom::new());
        drawn.map_or_else(|_| std::process::id().to_string(), |bytes| hex::encode(bytes.expose()))
    });
    Resource::builder()
        .with_service_name("saoma")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance.clone()))
        .build()
}

impl Guard {
    /// Sends the spans that are still here. For the end of the program.
    pub fn flush(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "some spans were not exported");
        }
    }
}

/// Makes `span` a child of the trace that came with a request or message, and writes the trace's id into its field
/// `trace_id`, which log lines show.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        // A span that nobody records has no context to set; nothing is lost by it.
        drop(span.set_parent(extracted(traceparent)));
    }
    if let Some(trace_id) = trace_id_of(span) {
        span.record("trace_id", trace_id);
    }
}

/// Names the trace that caused what `span` does now, long after it: a trace of its own that points to that one.
pub fn link_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(traceparent) = traceparent {
        span.add_link(extracted(traceparent).span().span_context().clone());
    }
    continue_trace(span, None);
}

fn extracted(traceparent: &str) -> opentelemetry::Context {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), &carrier)
}

fn trace_id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let id = span.span_context();
    id.is_valid().then(|| id.trace_id().to_string())
}

/// The id of the current trace: what a person gives to support.
#[must_use]
pub fn trace_id() -> Option<String> {
    trace_id_of(&Span::current())
}

/// The current trace for what we send, if it is recorded.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}
