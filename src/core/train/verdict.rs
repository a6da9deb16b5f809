//! What the recorded curves of a run say about it, in words: over-fitting, a plateau, a learning
//! rate that is too high, imbalanced labels, or that it still improves.
//!
//! The rules compare differences with what chance explains, so that short or noisy runs get no
//! verdict rather than a wrong one.

mod losses;
mod text;

use super::event::Evaluated;
use losses::TrainLosses;
pub use text::VerdictText;

/// The standard deviation of the difference of a sample's losses under two states of a model that
/// is assumed when two evaluations are compared.
const SAMPLE_DEVIATION: f64 = 0.3;

/// The number of rises of the evaluation loss in a row that are no chance.
const STEADY_RISES: usize = 8;

/// The fewest steps for a verdict on the training loss alone.
const MIN_STEPS: u64 = 60;

/// What the curves of a run say, with the evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The training loss has risen again by a large part of what it had fallen.
    RateTooHigh {
        /// The step with the lowest average loss.
        since: u64,
        /// The average training loss around that step.
        best: f64,
        /// The average training loss of the latest steps.
        now: f64,
    },
    /// The evaluation loss rises while the training loss falls.
    Overfitting {
        /// The step of the lowest evaluation loss.
        since: u64,
        /// The evaluation loss at that step and now.
        eval: [f64; 2],
        /// The average training loss around that step and now.
        train: [f64; 2],
        /// The accuracy at that step and now, from 0 to 1; NaN if it is unknown.
        accuracy: [f64; 2],
    },
    /// A rare class is mostly not found.
    Imbalance {
        /// The class.
        class: usize,
        /// Its fraction of the evaluation, from 0 to 1.
        share: f64,
        /// The fraction of it that is found, from 0 to 1.
        recall: f64,
    },
    /// The latest evaluations are not better than those before.
    Plateau {
        /// The step of the best evaluation.
        since: u64,
        /// The lowest evaluation loss.
        best: f64,
        /// The number of evaluations since then.
        evaluations: usize,
    },
    /// The loss still falls.
    Improving {
        /// Whether it is the evaluation loss; else the training loss.
        is_eval: bool,
        /// The loss before and now.
        loss: [f64; 2],
    },
}

impl Verdict {
    /// Whether it describes a problem.
    pub fn is_problem(&self) -> bool {
        matches!(self, Self::RateTooHigh { .. } | Self::Overfitting { .. } | Self::Imbalance { .. })
    }

    /// Whether two verdicts are of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// One evaluation, reduced to what the rules need.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Evaluation {
    step: u64,
    loss: f64,
    /// From 0 to 1; NaN if it is unknown.
    accuracy: f64,
    samples: u64,
}

impl Evaluation {
    /// The difference of two evaluation losses that chance explains: three standard errors, and at
    /// least 3 %.
    fn margin(self) -> f64 {
        let by_chance = 3.0 * SAMPLE_DEVIATION / (self.samples.max(1) as f64).sqrt();
        by_chance.max(0.03 * self.loss.abs())
    }

    /// One standard error of the accuracy.
    fn accuracy_error(self) -> f64 {
        let variance = (self.accuracy * (1.0 - self.accuracy)).max(0.0);
        (variance / self.samples.max(1) as f64).sqrt()
    }
}

/// A class that is rare and mostly not found.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MissedClass {
    class: usize,
    share: f64,
    recall: f64,
}

/// The curves of a run, reduced to a bounded size, from which the verdict follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunWatch {
    train: TrainLosses,
    evaluations: Vec<Evaluation>,
    missed: Option<MissedClass>,
}

/// The most evaluations that are kept; of more, every second one is.
const MAX_EVALUATIONS: usize = 4096;

impl RunWatch {
    /// Adds the loss of a step.
    pub fn push_step(&mut self, step: u64, loss: f64) {
        self.train.push(step, loss);
    }

    /// Adds an evaluation.
    pub fn push_evaluation(&mut self, evaluated: &Evaluated) {
        let metrics = &evaluated.metrics;
        self.missed = missed_class(&metrics.eval_confusion.counts);
        if !metrics.eval_loss.is_finite() {
            return;
        }
        self.evaluations.retain(|evaluation| evaluation.step < evaluated.step);
        self.evaluations.push(Evaluation {
            step: evaluated.step,
            loss: metrics.eval_loss,
            accuracy: metrics.eval_accuracy,
            samples: metrics.eval_samples,
        });
        if self.evaluations.len() > MAX_EVALUATIONS {
            let mut number = 0;
            self.evaluations.retain(|_| {
                number += 1;
                number % 2 == 0
            });
        }
    }

    /// Removes what is after a step.
    pub fn truncate(&mut self, step: u64) {
        self.train.truncate(step);
        self.evaluations.retain(|evaluation| evaluation.step <= step);
    }

    /// What the curves say so far; `None` if it is too early to tell.
    pub fn verdict(&self) -> Option<Verdict> {
        self.rate_too_high()
            .or_else(|| self.overfitting())
            .or_else(|| self.imbalance())
            .or_else(|| self.plateau())
            .or_else(|| self.improving())
    }

    /// The training loss has risen by more than half of what it had fallen, by more than a tenth of
    /// the first losses, and by more than five standard errors.
    fn rate_too_high(&self) -> Option<Verdict> {
        if self.train.count() < MIN_STEPS {
            return None;
        }
        let (best, now) = (self.train.best_window()?, self.train.last_window()?);
        let rise = now.mean - best.mean;
        let fallen = (self.train.first() - best.mean).max(0.0);
        let least = (0.5 * fallen).max(0.1 * self.train.first().abs());
        let is_clear = rise > least && rise > 5.0 * best.error_of_difference(&now);
        is_clear.then_some(Verdict::RateTooHigh {
            since: best.last,
            best: best.mean,
            now: now.mean,
        })
    }

    /// The latest two evaluations are clearly worse than an earlier one, or the latest one very much, or
    /// each is a little worse than the one before it, and not more accurate, while the training loss fell.
    fn overfitting(&self) -> Option<Verdict> {
        let [.., before, last] = self.evaluations[..] else { return None };
        let best = lowest(&self.evaluations)?;
        let is_worse =
            |one: Evaluation| one.step > best.step && one.loss > best.loss + best.margin();
        // One evaluation that is very much worse is enough.
        let is_far_worse = last.step > best.step && last.loss > best.loss + 4.0 * best.margin();
        let is_more_accurate = last.accuracy > best.accuracy + best.accuracy_error();
        let is_worse = is_far_worse || is_worse(before) && is_worse(last) || self.rises_steadily();
        if !is_worse || is_more_accurate {
            return None;
        }
        let (then, now) = (self.train.window_until(best.step)?, self.train.last_window()?);
        let fell = then.mean - now.mean;
        let is_clear = fell > 2.0 * then.error_of_difference(&now) && fell > 0.03 * then.mean.abs();
        is_clear.then_some(Verdict::Overfitting {
            since: best.step,
            eval: [best.loss, last.loss],
            train: [then.mean, now.mean],
            accuracy: [best.accuracy, last.accuracy],
        })
    }

    /// The evaluation loss has risen at each of the latest evaluations. However small each rise is, so
    /// many in a row by chance are less likely than one in 250.
    fn rises_steadily(&self) -> bool {
        let Some(from) = self.evaluations.len().checked_sub(STEADY_RISES + 1) else { return false };
        self.evaluations[from..].windows(2).all(|pair| pair[1].loss > pair[0].loss)
    }

    fn imbalance(&self) -> Option<Verdict> {
        let MissedClass { class, share, recall } = self.missed?;
        Some(Verdict::Imbalance { class, share, recall })
    }

    /// The evaluations before the recent ones, and those: the evaluations of the last fifth of the
    /// steps, but at least three.
    fn recent(&self) -> Option<(&[Evaluation], &[Evaluation])> {
        let last = *self.evaluations.last()?;
        let by_time = self.evaluations.partition_point(|one| one.step * 5 <= last.step * 4);
        let recent = by_time.min(self.evaluations.len().checked_sub(3)?);
        Some(self.evaluations.split_at(recent)).filter(|(before, _)| !before.is_empty())
    }

    /// None of the recent evaluations is clearly better than the best one before.
    fn plateau(&self) -> Option<Verdict> {
        let (before, recent) = self.recent()?;
        let best = lowest(before)?;
        let is_better = |one: &Evaluation| {
            one.loss < best.loss - best.margin() / 3.0
                || one.accuracy > best.accuracy + best.accuracy_error()
        };
        if recent.iter().any(is_better) {
            return None;
        }
        let after = self.evaluations.iter().filter(|one| one.step > best.step).count();
        Some(Verdict::Plateau { since: best.step, best: best.loss, evaluations: after })
    }

    /// A recent evaluation is clearly better than all before, or, without two evaluations, the
    /// training loss falls.
    fn improving(&self) -> Option<Verdict> {
        let last = self
            .evaluations
            .split_last()
            .map(|(last, before)| (before, std::slice::from_ref(last)));
        if let Some((before, recent)) = self.recent().or(last)
            && let (Some(best), Some(now)) = (lowest(before), lowest(recent))
        {
            let holds =
                self.evaluations.last().is_some_and(|last| last.loss < now.loss + now.margin());
            let is_better = holds && now.loss < best.loss - best.margin() / 3.0;
            let loss = [best.loss, now.loss];
            return is_better.then_some(Verdict::Improving { is_eval: true, loss });
        }
        if self.train.count() < MIN_STEPS {
            return None;
        }
        let now = self.train.last_window()?;
        let before = self.train.window_until(now.first.checked_sub(1)?)?;
        let falls = before.mean - now.mean > 3.0 * before.error_of_difference(&now);
        let loss = [before.mean, now.mean];
        falls.then_some(Verdict::Improving { is_eval: false, loss })
    }
}

/// The evaluation with the lowest loss.
fn lowest(evaluations: &[Evaluation]) -> Option<Evaluation> {
    evaluations.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).copied()
}

/// The class with the lowest recall, if it has less than half of an even share of the evaluation,
/// at least ten samples, and less than half of it is found.
fn missed_class(counts: &[Vec<u64>]) -> Option<MissedClass> {
    let total: u64 = counts.iter().flatten().sum();
    let classes = counts.len().max(1) as f64;
    let found = counts.iter().enumerate().map(|(class, row)| {
        let support: u64 = row.iter().sum();
        let right = row.get(class).copied().unwrap_or(0);
        let share = support as f64 / total.max(1) as f64;
        (support, MissedClass { class, share, recall: right as f64 / support.max(1) as f64 })
    });
    found
        .filter(|(support, missed)| {
            *support >= 10 && missed.share < 0.5 / classes && missed.recall < 0.5
        })
        .map(|(_, missed)| missed)
        .min_by(|a, b| a.recall.total_cmp(&b.recall))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
