//! The accounts as text for Prometheus: every counter, every limit, per exporter and domain.
//!
//! It serves nothing and asks nobody; `run::http` does. Where goflow2 or Akvorado count the same, the name ends as theirs
//! does. Labels are addresses, numbers and words of this file, so that nothing from the network makes a name; how many
//! exporters have series of their own is bounded by [`EXPORTERS`].

mod exporters;
mod totals;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::collector::Limits;
use crate::collector::stats::Health;
use crate::flow::Timestamp;
use crate::store::retention::Space;
use crate::store::writer::WriterStats;

/// Exporters and domains that have series: those that were seen first. The others are in the totals.
pub const EXPORTERS: usize = 512;

/// What is told of.
#[derive(Debug, Clone)]
pub struct Facts {
    pub health: Arc<Health>,
    pub limits: Limits,
    /// Flows that may wait to be written.
    pub queue_limit: u64,
    /// `None` while nothing is stored.
    pub storage: Option<WriterStats>,
    /// Of the file system that holds the database.
    pub space: Option<Space>,
    pub started: Timestamp,
}

/// The text, in the format of `OpenMetrics` 1.0, which Prometheus reads.
///
/// # Errors
/// Never by itself: a `String` takes everything.
pub fn text(facts: &Facts) -> Result<String, fmt::Error> {
    let mut families = totals::families(facts);
    families.extend(exporters::families(&facts.health));
    let mut registry = Registry::with_prefix("flowglass");
    registry.register_collector(Box::new(Families(families)));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

/// The media type of [`text()`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Arc<Vec<(&'static str, String)>>;

/// One name, and its values by label.
#[derive(Debug)]
struct Family {
    /// Without the prefix, and without the `_total` of a counter.
    name: String,
    help: &'static str,
    kind: Kind,
    samples: Vec<(Labels, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only grows while the program runs.
    Counter,
    Gauge,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Count(u64),
    Number(f64),
}

impl Family {
    fn new(name: impl Into<String>, kind: Kind, help: &'static str) -> Self {
        Self { name: name.into(), help, kind, samples: Vec::new() }
    }

    fn with(mut self, labels: &[(&'static str, &str)], value: impl Into<Value>) -> Self {
        let labels = labels.iter().map(|&(name, text)| (name, text.to_owned())).collect();
        self.samples.push((Arc::new(labels), value.into()));
        self
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

/// Milliseconds as the seconds that Prometheus wants.
#[expect(clippy::cast_precision_loss, reason = "a time in milliseconds has fewer than 53 bits for 200,000 years")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(&family.name, family.help, None, kind)?;
            for (labels, value) in &family.samples {
                if labels.is_empty() {
                    sample(&mut metric, family.kind, *value)?;
                } else {
                    sample(&mut metric.encode_family(labels.as_ref())?, family.kind, *value)?;
                }
            }
        }
        Ok(())
    }
}

fn sample(metric: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => metric.encode_counter::<NoLabelSet, _, u64>(&count, None),
        (Kind::Counter, Value::Number(number)) => metric.encode_counter::<NoLabelSet, _, u64>(&number, None),
        (Kind::Gauge, Value::Count(count)) => metric.encode_gauge(&count),
        (Kind::Gauge, Value::Number(number)) => metric.encode_gauge(&number),
    }
}

#[cfg(test)]
mod tests;
