//! An OpenTelemetry collector of our own: takes OTLP over HTTP, and keeps what core and terminal send for looking at.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{NumberDataPoint, metric::Data},
    trace::v1,
};
use prost::Message as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// Longest export that is taken; 512 spans of ours have about 300 KB.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Span {
    /// `service.name` of the program that sent it.
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub attributes: Vec<(String, String)>,
    /// Traces that it points to.
    pub links: Vec<String>,
    /// All its texts: names, attributes and events.
    pub words: Vec<String>,
}

impl Span {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    metrics: BTreeSet<String>,
    /// Texts of metrics: names, descriptions, units and labels.
    words: BTreeSet<String>,
    refused: Vec<String>,
}

/// Cheap to clone; all clones are one collector. It ends with the process.
#[derive(Clone)]
pub struct Collector {
    pub endpoint: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let collector = Self { endpoint, received: Arc::default() };
        let answering = collector.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let answering = answering.clone();
                tokio::spawn(async move {
                    // A program that is stopped or killed leaves its line behind: nothing was said on it that could not be read.
                    let hung_up = |error: &anyhow::Error| {
                        error
                            .downcast_ref::<io::Error>()
                            .is_some_and(|error| error.kind() == ErrorKind::ConnectionReset)
                    };
                    if let Err(error) = answering.serve(connection).await
                        && !hung_up(&error)
                    {
                        answering.received().refused.push(format!("{error:#}"));
                    }
                });
            }
        });
        Ok(collector)
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn spans(&self) -> Vec<Span> {
        self.received().spans.clone()
    }

    /// All spans of one trace.
    pub fn trace(&self, trace: &str) -> Vec<Span> {
        self.received().spans.iter().filter(|span| span.trace == trace).cloned().collect()
    }

    /// Names of the metrics that arrived.
    pub fn metrics(&self) -> BTreeSet<String> {
        self.received().metrics.clone()
    }

    /// Every text that arrived, one a line.
    pub fn words(&self) -> String {
        let received = self.received();
        let spans = received.spans.iter().flat_map(|span| &span.words);
        spans.chain(&received.words).flat_map(|word| [word.as_str(), "\n"]).collect()
    }

    /// What could not be read; must stay empty.
    pub fn refused(&self) -> Vec<String> {
        self.received().refused.clone()
    }

    /// HTTP/1.1 as far as exporters speak it: requests with a length, one after another.
    async fn serve(&self, connection: TcpStream) -> Result<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut path, mut length) = (String::new(), 0_usize);
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                let line = line.trim_end();
                if line.is_empty() {
                    break;
                }
                if path.is_empty() {
                    path = line.split(' ').nth(1).context("no request")?.to_owned();
                } else if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse()?;
                }
            }
            if length > BODY_BYTES_MAX {
                bail!("an export of {length} bytes");
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).await?;
            self.take(&path, &body)?;
            connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                .await?;
        }
    }

    fn take(&self, path: &str, body: &[u8]) -> Result<()> {
        match path {
            "/v1/traces" => {
                for part in ExportTraceServiceRequest::decode(body)?.resource_spans {
                    let service = service_of(part.resource.map(|resource| resource.attributes).unwrap_or_default());
                    let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
                    self.received().spans.extend(spans.map(|sent| span(&service, sent)));
                }
            }
            "/v1/metrics" => {
                for part in ExportMetricsServiceRequest::decode(body)?.resource_metrics {
                    for metric in part.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                        let mut received = self.received();
                        received.words.extend([&metric.name, &metric.description, &metric.unit].map(String::clone));
                        let labels = metric.data.into_iter().flat_map(labels);
                        received
                            .words
                            .extend(pairs(&labels.collect::<Vec<_>>()).map(|(key, value)| format!("{key}={value}")));
                        received.metrics.insert(metric.name);
                    }
                }
            }
            other => bail!("an export to {other}"),
        }
        Ok(())
    }
}

fn service_of(attributes: Vec<KeyValue>) -> String {
    let name = attributes.into_iter().find(|attribute| attribute.key == "service.name");
    name.and_then(|name| name.value).map(|value| text(&value)).unwrap_or_default()
}

/// What a metric's points are labelled with, whatever its shape.
fn labels(data: Data) -> Vec<KeyValue> {
    let of_numbers = |points: Vec<NumberDataPoint>| points.into_iter().flat_map(|point| point.attributes).collect();
    match data {
        Data::Gauge(gauge) => of_numbers(gauge.data_points),
        Data::Sum(sum) => of_numbers(sum.data_points),
        Data::Histogram(histogram) => histogram.data_points.into_iter().flat_map(|point| point.attributes).collect(),
        Data::ExponentialHistogram(histogram) => {
            histogram.data_points.into_iter().flat_map(|point| point.attributes).collect()
        }
        Data::Summary(summary) => summary.data_points.into_iter().flat_map(|point| point.attributes).collect(),
    }
}

fn pairs(attributes: &[KeyValue]) -> impl Iterator<Item = (String, String)> {
    attributes.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map(text).unwrap_or_default()))
}

fn span(service: &str, sent: v1::Span) -> Span {
    let attributes: Vec<_> = pairs(&sent.attributes).collect();
    let mut words = vec![sent.name.clone()];
    let events = sent
        .events
        .iter()
        .flat_map(|event| std::iter::once((event.name.clone(), String::new())).chain(pairs(&event.attributes)));
    words.extend(attributes.iter().cloned().chain(events).map(|(key, value)| format!("{key}={value}")));
    Span {
        service: service.to_owned(),
        name: sent.name,
        trace: hex::encode(&sent.trace_id),
        id: hex::encode(&sent.span_id),
        parent: hex::encode(&sent.parent_span_id),
        attributes,
        links: sent.links.iter().map(|link| hex::encode(&link.trace_id)).collect(),
        words,
    }
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
