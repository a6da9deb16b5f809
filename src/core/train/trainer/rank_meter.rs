//! How the processes of a run do: what each of them measures.

use crate::core::data::batching::PackedBatch;
use crate::core::engine::{StepInput, StepTimings};
use crate::core::train::event::RankMeasured;
use std::time::{Duration, Instant};

/// The time between two events.
const INTERVAL: Duration = Duration::from_secs(5);

/// What this process has measured since the last event.
pub(super) struct RankMeter {
    began: Instant,
    steps: u32,
    samples: usize,
    seconds: f64,
    exchange: f64,
    waited: f64,
}

impl RankMeter {
    /// Begins to measure.
    pub fn new() -> Self {
        let (samples, seconds, exchange, waited) = (0, 0.0, 0.0, 0.0);
        Self { began: Instant::now(), steps: 0, samples, seconds, exchange, waited }
    }

    /// Adds a step, which took this time.
    pub fn add(&mut self, input: &StepInput, time: Duration, timings: StepTimings) {
        self.steps += 1;
        let own = input.own().map(|(_, batch)| batch);
        self.samples += own.map(PackedBatch::labelled_examples).sum::<usize>();
        self.seconds += time.as_secs_f64();
        self.exchange += timings.exchange;
        self.waited += timings.waited;
    }

    /// Whether the next event is due.
    pub fn is_due(&self) -> bool {
        self.steps > 0 && self.began.elapsed() >= INTERVAL
    }

    /// Whether no step was measured.
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// What was measured; then begins anew.
    pub fn take(&mut self, memory: u64, gpu_memory: Option<usize>) -> RankMeasured {
        let Self { began, steps, samples, seconds, exchange, waited } =
            std::mem::replace(self, Self::new());
        let mean = |sum: f64| sum / f64::from(steps.max(1));
        RankMeasured {
            rank: 0,
            samples_per_second: samples as f64 / began.elapsed().as_secs_f64().max(1e-9),
            computed: mean((seconds - waited).max(0.0)),
            exchange: mean(exchange),
            waited: mean(waited),
            lag: 0.0,
            memory,
            gpu_memory: gpu_memory.map(|bytes| bytes as u64),
        }
    }
}
