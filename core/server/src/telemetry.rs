//! Logs and traces: JSON lines or plain text on standard error, OTLP over HTTP when an endpoint is set.
//!
//! The trace context is the W3C's (`traceparent`), taken from requests and from the envelopes of MQTT messages, so that one
//! trace spans till, core, plugin and scheme. Nothing here prints a body, a code or a secret: spans carry ids alone.

use std::collections::HashMap;

use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::Telemetry;

/// Keeps the export of traces going; [`Guard::flush`] sends what is left.
pub struct Guard(Option<SdkTracerProvider>);

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("set up the export of traces to {endpoint}: {why}")]
    Export { endpoint: String, why: String },
    #[error("read telemetry.level {level:?}: {why}")]
    Level { level: String, why: String },
}

/// # Errors
/// A level or endpoint that cannot be used.
pub fn start(settings: &Telemetry) -> Result<Guard, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|error| TelemetryError::Level { level: settings.level.clone(), why: error.to_string() })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if settings.json { lines.json().boxed() } else { lines.boxed() };
    let provider = settings.otlp_endpoint.as_deref().map(exporter).transpose()?;
    let traces = provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("saoma")));
    // Already set in a test process that starts core several times: the first one serves all.
    drop(tracing_subscriber::registry().with(filter).with(lines).with(traces).try_init());
    Ok(Guard(provider))
}

fn exporter(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| TelemetryError::Export { endpoint: endpoint.to_owned(), why: error.to_string() })?;
    let resource = Resource::builder().with_service_name("saoma").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

impl Guard {
    /// Sends the spans that are still here. For the end of the program.
    pub fn flush(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "some spans were not exported");
        }
    }
}

/// Makes `span` a child of the trace that came with a request or message.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // A span that nobody records has no context to set; nothing is lost by it.
    drop(span.set_parent(TraceContextPropagator::new().extract(&carrier)));
}

/// The current trace for what we send, if it is recorded.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}
