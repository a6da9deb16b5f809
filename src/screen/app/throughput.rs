//! The throughput of a run and its estimated time of arrival.

use crate::core::train::event::{Evaluated, Saved, Started, Step};
use std::collections::VecDeque;

/// The number of latest steps that rates are averaged over.
const WINDOW: usize = 50;

/// The estimated time of evaluating a sample, relative to training on it, until an evaluation was
/// measured: a forward pass without the backward pass.
const EVALUATION_COST: f64 = 0.35;

/// The throughput of a run, computed from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Throughput {
    /// `(seconds, samples, tokens)` of the latest steps, without the time of evaluations.
    recent: VecDeque<(f64, usize, usize)>,
    /// The end of the latest step or evaluation, in seconds since training began.
    latest: f64,
    /// The duration of the latest evaluation.
    evaluation_seconds: Option<f64>,
    /// The duration of the latest checkpoint.
    checkpoint_seconds: f64,
}

/// Rates over the latest steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Optimizer steps per second.
    pub steps: f64,
    /// Samples per second.
    pub samples: f64,
    /// Tokens per second, without padding.
    pub tokens: f64,
}

impl Throughput {
    /// Adds a step.
    pub fn push_step(&mut self, step: &Step) {
        let seconds = (step.elapsed - self.latest).max(0.0);
        self.latest = step.elapsed;
        self.recent.push_back((seconds, step.samples, step.tokens));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
    }

    /// Adds an evaluation.
    pub fn push_evaluation(&mut self, evaluated: &Evaluated) {
        self.latest = evaluated.elapsed;
        self.evaluation_seconds = Some(evaluated.metrics.eval_runtime);
    }

    /// Adds a checkpoint, whose duration does not count for the next step.
    pub fn push_checkpoint(&mut self, saved: &Saved) {
        self.latest += saved.seconds;
        self.checkpoint_seconds = saved.seconds;
    }

    /// Rates over the latest steps; `None` before the first.
    pub fn rates(&self) -> Option<Rates> {
        let seconds: f64 = self.recent.iter().map(|step| step.0).sum();
        if self.recent.is_empty() || seconds <= 0.0 {
            return None;
        }
        let samples: usize = self.recent.iter().map(|step| step.1).sum();
        let tokens: usize = self.recent.iter().map(|step| step.2).sum();
        Some(Rates {
            steps: self.recent.len() as f64 / seconds,
            samples: samples as f64 / seconds,
            tokens: tokens as f64 / seconds,
        })
    }

    /// The estimated seconds from step `step` until the run ends: the remaining steps, evaluations
    /// and checkpoints. `evaluating` is the completed fraction of the evaluation under way, from 0
    /// to 1.
    pub fn eta(&self, started: &Started, step: u64, evaluating: Option<f64>) -> Option<f64> {
        let rates = self.rates()?;
        let steps_left = started.max_steps.saturating_sub(step);
        let evaluation = self.evaluation_seconds.unwrap_or_else(|| {
            started.eval_samples as f64 * EVALUATION_COST / rates.samples.max(1e-9)
        });
        let current = evaluating.map_or(0.0, |done| 1.0 - done);
        let evaluations = remaining_events(started.eval_steps, started, step) as f64 + current;
        let saves = match started.save_steps {
            0 => 0,
            every => remaining_events(every, started, step),
        };
        let saving = saves as f64 * self.checkpoint_seconds;
        Some(steps_left as f64 / rates.steps + evaluations * evaluation + saving)
    }
}

/// How many events that occur every `every` steps and at the last step remain after step `step`; an
/// event at `step` itself does not count.
fn remaining_events(every: u64, started: &Started, step: u64) -> u64 {
    let max_steps = started.max_steps;
    if step >= max_steps {
        return 0;
    }
    if every == 0 {
        return 1;
    }
    let regular = max_steps / every - step / every;
    regular + u64::from(!max_steps.is_multiple_of(every))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::{evaluated, started, step};

    #[test]
    fn the_eta_includes_evaluations_and_checkpoints() {
        let mut throughput = Throughput::default();
        let mut started = started();
        (started.max_steps, started.eval_steps, started.eval_samples) = (630, 63, 2000);
        assert_eq!(throughput.eta(&started, 0, None), None);
        for i in 1..=63 {
            throughput.push_step(&step(i, 0.7, i as f64 * 0.1));
        }
        // No evaluation was measured: 10 evaluations of 2000 samples at 320 per second, times 0.35.
        let eta = throughput.eta(&started, 62, None).unwrap_or_default();
        assert!((eta - (56.8 + 10.0 * 2000.0 / 320.0 * 0.35)).abs() < 0.1, "{eta}");
        throughput.push_evaluation(&evaluated(63, 1.0, 0.6, 8.3));
        let eta = throughput.eta(&started, 63, None).unwrap_or_default();
        assert!((eta - (56.7 + 9.0 * 2.0)).abs() < 0.1, "{eta}");
        // The first step after an evaluation does not include its duration.
        throughput.push_step(&step(64, 0.7, 8.4));
        assert!((throughput.rates().map_or(0.0, |r| r.steps) - 10.0).abs() < 0.01);
        // The step after a checkpoint does not include its duration; the ETA includes future
        // checkpoints.
        let before = throughput.eta(&started, 64, None).unwrap_or_default();
        throughput.push_checkpoint(&Saved { path: String::new(), step: 64, seconds: 3.0 });
        throughput.push_step(&step(65, 0.7, 11.5));
        assert!((throughput.rates().map_or(0.0, |r| r.steps) - 10.0).abs() < 0.01);
        started.save_steps = 100;
        let eta = throughput.eta(&started, 64, None).unwrap_or_default();
        assert!((eta - before - 7.0 * 3.0).abs() < 0.1, "{eta}");
        started.save_steps = 0;
        let half = throughput.eta(&started, 126, Some(0.5)).unwrap_or_default();
        let none = throughput.eta(&started, 126, None).unwrap_or_default();
        assert!((half - none - 1.0).abs() < 0.01);
    }

    #[test]
    fn remaining_evaluations() {
        let mut run = started();
        (run.max_steps, run.eval_steps) = (630, 63);
        assert_eq!(
            [0, 62, 63, 629, 630].map(|s| remaining_events(run.eval_steps, &run, s)),
            [10, 10, 9, 1, 0]
        );
        (run.max_steps, run.eval_steps) = (100, 63);
        assert_eq!([0, 63, 99].map(|s| remaining_events(run.eval_steps, &run, s)), [2, 1, 1]);
        run.eval_steps = 0;
        assert_eq!(remaining_events(run.eval_steps, &run, 50), 1);
    }
}
