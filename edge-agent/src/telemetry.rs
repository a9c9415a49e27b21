//! Logs as JSON lines on standard error, and traces to a collector if one is configured.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TracerProvider as _,
};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::TelemetryConfig;

/// How long one delivery to the collector may take; a slow collector loses spans, never a sale.
const EXPORT_MAX: Duration = Duration::from_secs(10);
/// How long the last spans may take when the agent stops.
const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("read telemetry.log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("set up traces: {0}")]
    Traces(String),
}

/// What must be kept while the agent runs: dropping it sends the last spans.
#[derive(Default)]
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

/// Starts logs, and traces if `otlp_endpoint` is set. Must be called within the runtime that will carry the deliveries.
///
/// # Errors
/// `Filter`, `Traces`.
pub fn start(config: &TelemetryConfig, terminal: Option<String>) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log)?;
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let registry = tracing_subscriber::registry().with(logs);
    if config.otlp_endpoint.is_empty() {
        registry.init();
        return Ok(Telemetry::default());
    }
    let provider = provider(&config.otlp_endpoint, terminal)?;
    let tracer = provider.tracer("saoma-edge");
    // Only our own spans: the libraries' are many and say nothing about a sale.
    let ours = tracing_subscriber::filter::filter_fn(|metadata| metadata.target().starts_with("saoma_edge"));
    registry.with(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours)).init();
    Ok(Telemetry { provider: Some(provider) })
}

fn provider(endpoint: &str, terminal: Option<String>) -> Result<SdkTracerProvider, TelemetryError> {
    let failed = |error: &dyn std::fmt::Display| TelemetryError::Traces(error.to_string());
    let client = reqwest::Client::builder().no_proxy().build().map_err(|error| failed(&error))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_MAX)
        .build()
        .map_err(|error| failed(&error))?;
    let exporter = OnRuntime { inner: Arc::new(exporter), runtime: tokio::runtime::Handle::current() };
    let mut resource = Resource::builder()
        .with_service_name("saoma-edge")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if let Some(terminal) = terminal {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", terminal));
    }
    Ok(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build())
}

/// The batch processor exports on a thread of its own, and the HTTP client needs our runtime: this carries one to the other.
#[derive(Debug)]
struct OnRuntime<E> {
    inner: Arc<E>,
    runtime: tokio::runtime::Handle,
}

impl<E: SpanExporter + 'static> SpanExporter for OnRuntime<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = Arc::clone(&self.inner);
        let delivered = self.runtime.spawn(async move { inner.export(batch).await }).await;
        delivered.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }
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

/// Makes `span` part of the trace that a message of core belongs to.
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
}
