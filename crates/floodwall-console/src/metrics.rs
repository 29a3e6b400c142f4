//! `/metrics` in the OpenMetrics text format, written anew from the snapshot at every scrape.
//!
//! Counters end in `_total`, units stand in the names, sites are told apart by the label `site`.
//! Label values are escaped by the encoder.

mod families;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::console::ConsoleState;
use crate::snapshot::SharedSnapshot;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a sample is told apart by.
type Labels = Vec<(&'static str, String)>;

/// One metric with its samples.
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

/// A sample's value: counts stay whole numbers, so that no digit is lost here.
#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Real(f64),
}

fn encode_sample(
    metric: &mut MetricEncoder<'_>,
    kind: MetricType,
    value: Value,
) -> Result<(), std::fmt::Error> {
    match (kind, value) {
        (MetricType::Counter, Value::Whole(count)) => {
            metric.encode_counter::<NoLabelSet, u64, f64>(&count, None)
        }
        (MetricType::Counter, Value::Real(sum)) => metric.encode_counter::<NoLabelSet, f64, f64>(&sum, None),
        (_, Value::Whole(level)) => metric.encode_gauge(&level),
        (_, Value::Real(level)) => metric.encode_gauge(&level),
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut metric = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), self.kind)?;
        for (labels, value) in &self.samples {
            if labels.is_empty() {
                encode_sample(&mut metric, self.kind, *value)?;
            } else {
                let labels = labels.as_slice();
                encode_sample(&mut metric.encode_family(&labels)?, self.kind, *value)?;
            }
        }
        Ok(())
    }
}

/// One scrape.
#[derive(Debug)]
struct Scrape {
    snapshot: SharedSnapshot,
    streams_open: u64,
    streams_refused: u64,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        families::server(&self.snapshot)
            .into_iter()
            .chain(families::sites(&self.snapshot))
            .chain(families::admission(&self.snapshot))
            .chain(families::incidents(&self.snapshot))
            .chain(families::watch(&self.snapshot))
            .chain(families::edge(&self.snapshot.edge))
            .chain(families::streams(self.streams_open, self.streams_refused))
            .try_for_each(|family| family.encode(&mut encoder))
    }
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(state): State<Arc<ConsoleState>>) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape {
        snapshot: state.newest(),
        streams_open: state.streams.open(),
        streams_refused: state.streams.refused(),
    }));
    let mut body = String::new();
    if let Err(error) = text::encode(&mut body, &registry) {
        tracing::error!(%error, "the metrics could not be encoded");
        return (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be encoded\n").into_response();
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}
