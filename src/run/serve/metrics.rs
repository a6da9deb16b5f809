//! Counters for Prometheus, with the names of Text Embeddings Inference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper limits of the buckets of a duration, in seconds.
const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The upper limits of the buckets of the size of a batch.
const SIZES: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

#[derive(Debug)]
struct Histogram {
    limits: &'static [f64],
    /// The values of each bucket, the last one without a limit.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    fn new(limits: &'static [f64]) -> Self {
        Self { limits, counts: vec![0; limits.len() + 1], sum: 0.0 }
    }

    fn push(&mut self, value: f64) {
        let bucket = self.limits.iter().position(|&limit| value <= limit);
        self.counts[bucket.unwrap_or(self.limits.len())] += 1;
        self.sum += value;
    }

    fn write(&self, name: &str, out: &mut String) {
        let mut total = 0;
        let limits = self.limits.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# TYPE {name} histogram");
        for (limit, count) in limits.zip(&self.counts) {
            total += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{limit}\"}} {total}");
        }
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {total}", self.sum);
    }
}

#[derive(Debug)]
struct Counters {
    /// Requests by kind: `single` or `batch`.
    requests: BTreeMap<&'static str, u64>,
    successes: BTreeMap<&'static str, u64>,
    /// Failed requests by the type of their error.
    failures: BTreeMap<&'static str, u64>,
    duration: Histogram,
    queue: Histogram,
    inference: Histogram,
    batch_size: Histogram,
}

/// What a server has done.
#[derive(Debug)]
pub(super) struct Metrics(Mutex<Counters>);

impl Default for Metrics {
    fn default() -> Self {
        let kinds = || BTreeMap::from([("single", 0), ("batch", 0)]);
        Self(Mutex::new(Counters {
            requests: kinds(),
            successes: kinds(),
            failures: BTreeMap::new(),
            duration: Histogram::new(&SECONDS),
            queue: Histogram::new(&SECONDS),
            inference: Histogram::new(&SECONDS),
            batch_size: Histogram::new(&SIZES),
        }))
    }
}

impl Metrics {
    fn change(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn request(&self, kind: &'static str) {
        self.change(|counters| *counters.requests.entry(kind).or_default() += 1);
    }

    pub fn failure(&self, error_type: &'static str) {
        self.change(|counters| *counters.failures.entry(error_type).or_default() += 1);
    }

    pub fn success(
        &self,
        kind: &'static str,
        duration: Duration,
        answered: &super::batcher::Answered,
    ) {
        self.change(|counters| {
            *counters.successes.entry(kind).or_default() += 1;
            counters.duration.push(duration.as_secs_f64());
            counters.queue.push(answered.queued.as_secs_f64());
            counters.inference.push(answered.inference.as_secs_f64());
            if let Some(size) = answered.batch_size {
                counters.batch_size.push(size as f64);
            }
        });
    }

    /// The text format of Prometheus; `waiting` requests wait for the model.
    pub fn render(&self, waiting: usize) -> String {
        let mut out = String::new();
        self.change(|counters| {
            for (name, label, counts) in [
                ("te_request_count", "method", &counters.requests),
                ("te_request_success", "method", &counters.successes),
                ("te_request_failure", "err", &counters.failures),
            ] {
                let _ = writeln!(out, "# TYPE {name} counter");
                for (value, count) in counts {
                    let _ = writeln!(out, "{name}{{{label}=\"{value}\"}} {count}");
                }
            }
            let _ = writeln!(out, "# TYPE te_queue_size gauge\nte_queue_size {waiting}");
            counters.duration.write("te_request_duration", &mut out);
            counters.queue.write("te_request_queue_duration", &mut out);
            counters.inference.write("te_request_inference_duration", &mut out);
            counters.batch_size.write("te_batch_next_size", &mut out);
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::serve::batcher::Answered;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.request("single");
        metrics.failure("validation");
        let answered = Answered {
            predictions: Vec::new(),
            queued: Duration::from_millis(2),
            inference: Duration::from_secs(20),
            batch_size: Some(3),
        };
        metrics.success("single", Duration::from_millis(1), &answered);
        let text = metrics.render(7);
        for line in [
            "te_request_count{method=\"batch\"} 0",
            "te_request_count{method=\"single\"} 1",
            "te_request_success{method=\"single\"} 1",
            "te_request_failure{err=\"validation\"} 1",
            "te_queue_size 7",
            "te_request_duration_bucket{le=\"0.001\"} 1",
            "te_request_queue_duration_bucket{le=\"0.001\"} 0",
            "te_request_queue_duration_bucket{le=\"0.0025\"} 1",
            "te_request_inference_duration_bucket{le=\"10\"} 0",
            "te_request_inference_duration_bucket{le=\"+Inf\"} 1",
            "te_request_inference_duration_sum 20",
            "te_batch_next_size_bucket{le=\"2\"} 0",
            "te_batch_next_size_bucket{le=\"4\"} 1",
            "te_batch_next_size_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
    }
}
