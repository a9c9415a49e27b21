//! The figures as text, as Prometheus reads it: OpenMetrics 1.0, from the same instruments that OTLP is fed from.
//!
//! OpenTelemetry's own exporter for Prometheus is no longer maintained, so its reader is asked at each scrape and the
//! text is written by prometheus-client. Names follow OpenTelemetry's "Prometheus and OpenMetrics Compatibility":
//! dots become underscores, the unit stands at the end, counters end in `_total`.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        InstrumentKind, ManualReader, Pipeline, Temporality,
        data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics},
        reader::MetricReader,
    },
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

/// What the text is, for the answer's head.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The reader that is asked when somebody looks. Clones are one reader.
#[derive(Clone, Debug, Default)]
pub struct Scrape(Arc<ManualReader>);

impl Scrape {
    /// Everything as it stands now. Asks the instruments that are observed, so it may block for a moment.
    ///
    /// # Errors
    /// If a figure cannot be written as text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl MetricReader for Scrape {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut metrics = ResourceMetrics::default();
        self.collect(&mut metrics).map_err(|error| {
            tracing::warn!(%error, "the metrics cannot be read");
            fmt::Error
        })?;
        let who = labels(metrics.resource().iter());
        encoder.encode_descriptor("target", "Who is watched", None, MetricType::Info)?.encode_info(&who)?;
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            match metric.data() {
                AggregatedMetrics::F64(data) => family(&mut encoder, metric, data, |value| value)?,
                // Counts past 2^53 lose their last digits here; at a million a second that takes 285 years.
                AggregatedMetrics::U64(data) => family(&mut encoder, metric, data, |value| value as f64)?,
                AggregatedMetrics::I64(data) => family(&mut encoder, metric, data, |value| value as f64)?,
            }
        }
        Ok(())
    }
}

type Labels = Vec<(String, String)>;

/// Names in Prometheus's letters, values escaped, which prometheus-client 0.24 does not do.
fn labels<'a>(attributes: impl Iterator<Item = (&'a Key, &'a Value)>) -> Labels {
    let mut labels: Labels = attributes
        .map(|(key, value)| {
            let value = value.as_str().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            (name(key.as_str()), value)
        })
        .collect();
    labels.sort();
    labels
}

fn pairs<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Labels {
    labels(attributes.map(|attribute| (&attribute.key, &attribute.value)))
}

fn name(dotted: &str) -> String {
    dotted.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn family<T: Copy>(
    encoder: &mut DescriptorEncoder,
    metric: &Metric,
    data: &MetricData<T>,
    number: fn(T) -> f64,
) -> fmt::Result {
    let name = name(metric.name());
    let unit = match metric.unit() {
        "s" => Some(Unit::Seconds),
        "By" => Some(Unit::Bytes),
        _ => None,
    };
    let kind = match data {
        MetricData::Gauge(_) => MetricType::Gauge,
        MetricData::Sum(sum) if sum.is_monotonic() => MetricType::Counter,
        MetricData::Sum(_) => MetricType::Gauge,
        MetricData::Histogram(_) => MetricType::Histogram,
        // None of our instruments is of this kind.
        MetricData::ExponentialHistogram(_) => return Ok(()),
    };
    let mut family = encoder.encode_descriptor(&name, metric.description(), unit.as_ref(), kind)?;
    match data {
        MetricData::Gauge(points) => {
            for point in points.data_points() {
                family.encode_family(&pairs(point.attributes()))?.encode_gauge(&number(point.value()))?;
            }
        }
        MetricData::Sum(sum) => {
            for point in sum.data_points() {
                let (labels, value) = (pairs(point.attributes()), number(point.value()));
                if sum.is_monotonic() {
                    family.encode_family(&labels)?.encode_counter::<NoLabelSet, f64, f64>(&value, None)?;
                } else {
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
        }
        MetricData::Histogram(histogram) => {
            for point in histogram.data_points() {
                let bounds = point.bounds().chain(std::iter::once(f64::MAX));
                let buckets: Vec<(f64, u64)> = bounds.zip(point.bucket_counts()).collect();
                family.encode_family(&pairs(point.attributes()))?.encode_histogram::<NoLabelSet>(
                    number(point.sum()),
                    point.count(),
                    &buckets,
                    None,
                )?;
            }
        }
        MetricData::ExponentialHistogram(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};

    use super::*;

    #[test]
    fn every_kind_of_figure_is_written() {
        let scrape = Scrape::default();
        let who = Resource::builder_empty().with_service_name("saoma").build();
        let provider = SdkMeterProvider::builder().with_resource(who).with_reader(scrape.clone()).build();
        let meter = provider.meter("test");
        let counter = meter.u64_counter("saoma.payments").with_description("Payments").build();
        counter.add(2, &[KeyValue::new("state", "failed"), KeyValue::new("http.route", "a\"b\\c\nd")]);
        meter.f64_gauge("saoma.age").with_unit("s").with_description("Age").build().record(1.5, &[]);
        let took = meter.f64_histogram("took").with_description("Took").with_unit("s");
        let took = took.with_boundaries(vec![0.1, 1.0]).build();
        for seconds in [0.05, 0.1, 0.5, 7.0] {
            took.record(seconds, &[]);
        }
        let text = scrape.text().unwrap();
        let (head, lines) = text.split_at(text.find("# HELP saoma_payments").unwrap());
        assert!(head.contains("target_info{service_name=\"saoma\"} 1"), "{head}");
        assert_eq!(
            lines,
            r#"# HELP saoma_payments Payments
# TYPE saoma_payments counter
saoma_payments_total{http_route="a\"b\\c\nd",state="failed"} 2.0
# HELP saoma_age_seconds Age
# TYPE saoma_age_seconds gauge
# UNIT saoma_age_seconds seconds
saoma_age_seconds{} 1.5
# HELP took_seconds Took
# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_sum{} 7.65
took_seconds_count{} 4
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="1.0"} 3
took_seconds_bucket{le="+Inf"} 4
# EOF
"#
        );
    }

    #[test]
    fn a_closed_provider_is_an_error() {
        let scrape = Scrape::default();
        let provider = SdkMeterProvider::builder().with_reader(scrape.clone()).build();
        assert!(scrape.text().is_ok());
        provider.shutdown().unwrap();
        assert!(scrape.text().is_err());
    }
}
