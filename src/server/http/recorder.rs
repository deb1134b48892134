//! What is counted elsewhere by the `metrics` facade, as one more source of `/metrics`. There are only counters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// Label names and values.
type Labels = Vec<(String, String)>;
type Counts = BTreeMap<String, BTreeMap<Labels, Arc<AtomicU64>>>;

/// All counters by name and labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Mutex<Counts>>);

impl Recorder {
    /// From now on what is counted in this process is counted here, if it is not counted elsewhere already.
    pub(super) fn listen(&self) {
        metrics::set_global_recorder(self.clone()).ok(); // somebody listens already, as in tests
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _name: KeyName, _unit: Option<Unit>, _text: SharedString) {}

    fn describe_gauge(&self, _name: KeyName, _unit: Option<Unit>, _text: SharedString) {}

    fn describe_histogram(&self, _name: KeyName, _unit: Option<Unit>, _text: SharedString) {}

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        let labels = key
            .labels()
            .map(|label| (label.key().to_owned(), label.value().to_owned()));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = counts.entry(key.name().to_owned()).or_default();
        Counter::from_arc(Arc::clone(named.entry(labels.collect()).or_default()))
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Collector for Recorder {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, counts) in counts.iter() {
            // The registry puts its prefix in front, and the form of a counter its end behind.
            let name = name.strip_prefix("terrarium_").unwrap_or(name);
            let name = name.strip_suffix("_total").unwrap_or(name);
            let mut metric = encoder.encode_descriptor(
                name,
                "Since the server started; docs/operating.md says of what",
                None,
                MetricType::Counter,
            )?;
            for (labels, count) in counts {
                let count = ConstCounter::new(count.load(Ordering::Relaxed));
                count.encode(metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}
