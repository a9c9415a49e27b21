//! Logs as JSON lines on standard error, and traces to a collector if one is configured.
//!
//! A trace has its id also when nobody collects spans here: core's part of it is found by it.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::TelemetryConfig;

/// How long one delivery to the collector may take; a slow collector loses spans, never a sale.
const EXPORT_MAX: Duration = Duration::from_secs(10);
/// How long the last spans may take when the agent stops.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("read telemetry.log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("set up traces: {0}")]
    Traces(String),
}

/// What must be kept while the agent runs: dropping it sends the last spans.
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            // Whatever is not delivered by then is lost, and the log cannot say so any more.
            let _ = provider.shutdown_with_timeout(SHUTDOWN_MAX);
        }
    }
}

/// Starts logs and traces; these are delivered if `otlp_endpoint` is set.
///
/// # Errors
/// `Filter`, `Traces`.
pub fn start(config: &TelemetryConfig, terminal: Option<String>) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log)?;
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(true)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let registry = tracing_subscriber::registry().with(logs);
    let provider = provider(&config.otlp_endpoint, terminal)?;
    // Only our own spans: the libraries' are many and say nothing about a sale.
    let ours = Targets::new().with_target("saoma_edge", Level::INFO);
    let spans = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_tracer(provider.tracer("saoma-edge"));
    registry.with(spans.with_filter(ours)).init();
    Ok(Telemetry { provider: Some(provider) })
}

fn provider(endpoint: &str, terminal: Option<String>) -> Result<SdkTracerProvider, TelemetryError> {
    let mut resource = Resource::builder()
        .with_service_name("saoma-edge")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if let Some(terminal) = terminal {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", terminal));
    }
    let builder = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_resource(resource.build());
    if endpoint.is_empty() {
        return Ok(builder.build());
    }
    let failed = |error: &dyn std::fmt::Display| TelemetryError::Traces(error.to_string());
    // The exporter runs on a thread of its own, outside of any runtime, so its client must block. It is made on a thread as
    // well, since reqwest refuses to make a blocking client within a runtime.
    let made =
        std::thread::spawn(|| reqwest::blocking::Client::builder().no_proxy().timeout(EXPORT_MAX).build()).join();
    let client = made.map_err(|_| failed(&"its thread ended"))?.map_err(|error| failed(&error))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| failed(&error))?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// The current span as W3C `traceparent`, if traces are recorded.
#[must_use]
pub fn traceparent() -> Option<String> {
    struct Header(Option<String>);
    impl Injector for Header {
        fn set(&mut self, key: &str, value: String) {
            if key == "traceparent" {
                self.0 = Some(value);
            }
        }
    }
    let mut header = Header(None);
    TraceContextPropagator::new().inject_context(&tracing::Span::current().context(), &mut header);
    header.0
}

/// The id of the trace that `span` belongs to.
#[must_use]
pub fn trace_id(span: &tracing::Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let id = span.span_context();
    id.is_valid().then(|| id.trace_id().to_string())
}

/// Makes `span` part of the trace that a message of core belongs to, and writes the trace's id into its field `trace_id`,
/// which log lines show.
pub fn continue_trace(span: &tracing::Span, traceparent: Option<&str>) {
    struct Header<'a>(&'a str);
    impl Extractor for Header<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == "traceparent").then_some(self.0)
        }
        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    if let Some(traceparent) = traceparent {
        // A span that is not recorded has no parent to set; nothing is lost by that.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Header(traceparent)));
    }
    if let Some(trace_id) = trace_id(span) {
        span.record("trace_id", trace_id);
    }
}
