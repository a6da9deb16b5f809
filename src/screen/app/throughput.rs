//! How fast a run goes, and how long it still takes.

use crate::core::train::event::{Evaluated, Saved, Started, Step};
use std::collections::VecDeque;

/// Steps the rates are averaged over.
const WINDOW: usize = 50;

/// What one evaluation costs for each sample, against a training sample, until one was measured:
/// a forward pass without the backward one.
const EVALUATION_COST: f64 = 0.35;

/// The pace of a run, from its events alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Throughput {
    /// `(seconds, samples, tokens)` of the latest steps, evaluations left out.
    recent: VecDeque<(f64, usize, usize)>,
    /// The moment the latest step or evaluation ended, in seconds since training began.
    latest: f64,
    evaluation_seconds: Option<f64>,
    /// What the latest checkpoint cost.
    saving_seconds: f64,
}

/// Rates over the latest steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Optimizer steps a second.
    pub steps: f64,
    /// Samples a second.
    pub samples: f64,
    /// Tokens a second, padding left out.
    pub tokens: f64,
}

impl Throughput {
    /// Counts a step.
    pub fn push_step(&mut self, step: &Step) {
        let seconds = (step.elapsed - self.latest).max(0.0);
        self.latest = step.elapsed;
        self.recent.push_back((seconds, step.samples, step.tokens));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
    }

    /// Counts an evaluation.
    pub fn push_evaluation(&mut self, evaluated: &Evaluated) {
        self.latest = evaluated.elapsed;
        self.evaluation_seconds = Some(evaluated.metrics.eval_runtime);
    }

    /// Counts a checkpoint, whose time is not the next step's.
    pub fn push_checkpoint(&mut self, saved: &Saved) {
        self.latest += saved.seconds;
        self.saving_seconds = saved.seconds;
    }

    /// Rates over the latest steps, once there is one.
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

    /// Seconds until the run ends after `step` steps: the steps, the evaluations and the
    /// checkpoints left, `evaluating` of the current evaluation (from 0 to 1) being done already.
    pub fn eta(&self, started: &Started, step: u64, evaluating: Option<f64>) -> Option<f64> {
        let rates = self.rates()?;
        let steps_left = started.max_steps.saturating_sub(step);
        let evaluation = self.evaluation_seconds.unwrap_or_else(|| {
            started.eval_samples as f64 * EVALUATION_COST / rates.samples.max(1e-9)
        });
        let current = evaluating.map_or(0.0, |done| 1.0 - done);
        let evaluations = times_after(started.eval_steps, started, step) as f64 + current;
        let saves = match started.save_steps {
            0 => 0,
            every => times_after(every, started, step),
        };
        let saving = saves as f64 * self.saving_seconds;
        Some(steps_left as f64 / rates.steps + evaluations * evaluation + saving)
    }
}

/// How often what happens every so many steps, and at the last one, is still to come after `step`
/// steps, once at this very step left out.
fn times_after(every: u64, started: &Started, step: u64) -> u64 {
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
    fn the_time_left_counts_evaluations() {
        let mut throughput = Throughput::default();
        let mut started = started();
        (started.max_steps, started.eval_steps, started.eval_samples) = (630, 63, 2000);
        assert_eq!(throughput.eta(&started, 0, None), None);
        for i in 1..=63 {
            throughput.push_step(&step(i, 0.7, i as f64 * 0.1));
        }
        // Nothing measured yet: 2000 samples at 320 a second, times 0.35, ten times over.
        let left = throughput.eta(&started, 62, None).unwrap_or_default();
        assert!((left - (56.8 + 10.0 * 2000.0 / 320.0 * 0.35)).abs() < 0.1, "{left}");
        throughput.push_evaluation(&evaluated(63, 1.0, 0.6, 8.3));
        let left = throughput.eta(&started, 63, None).unwrap_or_default();
        assert!((left - (56.7 + 9.0 * 2.0)).abs() < 0.1, "{left}");
        // The first step after an evaluation does not count the evaluation's time.
        throughput.push_step(&step(64, 0.7, 8.4));
        assert!((throughput.rates().map_or(0.0, |r| r.steps) - 10.0).abs() < 0.01);
        // A checkpoint's time is no step's, and those to come are counted.
        let before = throughput.eta(&started, 64, None).unwrap_or_default();
        throughput.push_checkpoint(&Saved { path: String::new(), step: 64, seconds: 3.0 });
        throughput.push_step(&step(65, 0.7, 11.5));
        assert!((throughput.rates().map_or(0.0, |r| r.steps) - 10.0).abs() < 0.01);
        started.save_steps = 100;
        let left = throughput.eta(&started, 64, None).unwrap_or_default();
        assert!((left - before - 7.0 * 3.0).abs() < 0.1, "{left}");
        started.save_steps = 0;
        let half = throughput.eta(&started, 126, Some(0.5)).unwrap_or_default();
        let none = throughput.eta(&started, 126, None).unwrap_or_default();
        assert!((half - none - 1.0).abs() < 0.01);
    }

    #[test]
    fn evaluations_to_come() {
        let mut run = started();
        (run.max_steps, run.eval_steps) = (630, 63);
        assert_eq!(
            [0, 62, 63, 629, 630].map(|s| times_after(run.eval_steps, &run, s)),
            [10, 10, 9, 1, 0]
        );
        (run.max_steps, run.eval_steps) = (100, 63);
        assert_eq!([0, 63, 99].map(|s| times_after(run.eval_steps, &run, s)), [2, 1, 1]);
        run.eval_steps = 0;
        assert_eq!(times_after(run.eval_steps, &run, 50), 1);
    }
}
