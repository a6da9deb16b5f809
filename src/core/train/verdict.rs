//! What the recorded curves of a run say about it, in words: over-fitting, a plateau, a learning
//! rate that is too high, imbalanced labels, nothing learned, or that it still improves.
//!
//! The rules compare differences with what chance explains, so that short or noisy runs have no clear
//! trend rather than a wrong one.

mod answers;
mod losses;
mod rate;
mod text;

use super::event::Evaluated;
use answers::{Answers, MissedClass, OneAnswer};
use losses::TrainLosses;
pub use text::VerdictText;

/// The standard deviation of the difference of a sample's losses under two states of a model that
/// is assumed when two evaluations are compared.
const SAMPLE_DEVIATION: f64 = 0.3;

/// The number of rises of the evaluation loss in a row that are no chance.
const STEADY_RISES: usize = 8;

/// The least part by which the evaluation loss rises in so many evaluations, if it matters.
const LEAST_RISE: f64 = 0.02;

/// The least part by which the evaluation loss falls at all recent evaluations if that is no plateau.
const LEAST_FALL: f64 = 0.01;

/// The fewest steps for a verdict on the training loss alone.
const MIN_STEPS: u64 = 60;

/// What the curves of a run say, with the evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The training loss has risen again by a large part of what it had fallen, or high rates have
    /// spoiled the model before it had learned anything.
    RateTooHigh(HighRate),
    /// The evaluation loss rises while the training loss falls.
    Overfitting {
        /// The step of the lowest evaluation loss.
        since: u64,
        /// The evaluation loss at that step and now.
        eval: [f64; 2],
        /// The average training loss of the steps up to that step, and of the latest ones.
        train: [f64; 2],
        /// The number of the latest steps that are averaged.
        steps: u64,
        /// The accuracy at that step and now, from 0 to 1; NaN if it is unknown.
        accuracy: [f64; 2],
    },
    /// A rare class is mostly not found.
    Imbalance {
        /// The class.
        class: usize,
        /// The number of its evaluation samples.
        support: u64,
        /// The number of these that are found.
        found: u64,
        /// The number of all evaluation samples.
        total: u64,
    },
    /// The latest evaluations are not better than those before.
    Plateau {
        /// The step of the evaluation that no later one is clearly better than.
        since: u64,
        /// Its loss, and the lowest one since then, which may be a little lower.
        loss: [f64; 2],
        /// The number of evaluations since then.
        evaluations: usize,
    },
    /// The model is no better than one answer to all, after enough steps, for any reason.
    NothingLearned(AtChance),
    /// The loss still falls.
    Improving {
        /// Whether it is the evaluation loss; else the training loss.
        is_eval: bool,
        /// The loss before and now.
        loss: [f64; 2],
    },
    /// Nearly all answers are the same class, though not all labels are: it is early, or nothing is
    /// learned.
    OneAnswer {
        /// The class.
        class: usize,
        /// The numbers of these answers, of the labels of this class, and of all evaluation samples.
        counts: [u64; 3],
    },
    /// The evaluation loss rises as with over-fitting, but more answers are right: the wrong ones are
    /// given with more confidence.
    OverConfident {
        /// The step of the lowest evaluation loss.
        since: u64,
        /// The evaluation loss at that step and now.
        loss: [f64; 2],
        /// The accuracy at that step and now, from 0 to 1.
        accuracy: [f64; 2],
    },
    /// None of these: there is one evaluation, or chance may explain the differences.
    Unclear {
        /// The lowest and the latest evaluation loss; `None` with one evaluation.
        loss: Option<[f64; 2]>,
        /// The accuracies of these evaluations; NaN if unknown.
        accuracy: [f64; 2],
        /// The difference of two evaluation losses that chance explains.
        margin: f64,
    },
}

/// A model that is no better than one answer to all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtChance {
    /// The average training loss of the latest steps.
    pub now: f64,
    /// The loss of the best constant answer.
    pub constant: f64,
    /// The accuracy of the latest evaluation and that of the most frequent class, from 0 to 1.
    pub accuracy: [f64; 2],
    /// The highest learning rate.
    pub rate: f64,
}

/// Why a learning rate is too high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HighRate {
    /// The training loss has risen again.
    Rose {
        /// The step with the lowest average loss.
        since: u64,
        /// The average training loss around that step.
        best: f64,
        /// The average training loss of the latest steps.
        now: f64,
    },
    /// The model is no better than one answer to all, after high rates or a loss far above that of
    /// such an answer.
    NothingLearned(AtChance),
}

impl Verdict {
    /// Whether it describes a problem.
    pub fn is_problem(&self) -> bool {
        matches!(self, Self::RateTooHigh(_) | Self::Overfitting { .. } | Self::Imbalance { .. })
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

/// The curves of a run, reduced to a bounded size, from which the verdict follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunWatch {
    train: TrainLosses,
    /// The highest learning rate of all steps.
    highest_rate: f64,
    evaluations: Vec<Evaluation>,
    /// The answers of the latest evaluation.
    answers: Option<Answers>,
}

/// The most evaluations that are kept; of more, every second one is.
const MAX_EVALUATIONS: usize = 4096;

impl RunWatch {
    /// Adds the loss of a step and its learning rate.
    pub fn push_step(&mut self, step: u64, loss: f64, learning_rate: f64) {
        self.train.push(step, loss);
        self.highest_rate = self.highest_rate.max(learning_rate);
    }

    /// Adds an evaluation.
    pub fn push_evaluation(&mut self, evaluated: &Evaluated) {
        let metrics = &evaluated.metrics;
        // The confusion matrix of pretraining is not one of classes.
        let is_of_classes = metrics.perplexity.is_none();
        self.answers = Answers::of(&metrics.eval_confusion.counts).filter(|_| is_of_classes);
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
        let spaced = self.spaced_evaluations();
        let high_rate = self.nothing_learned().or_else(|| self.rose_again());
        high_rate
            .map(Verdict::RateTooHigh)
            .or_else(|| self.rising_loss(&spaced))
            .or_else(|| self.imbalance())
            .or_else(|| self.at_chance().map(Verdict::NothingLearned))
            .or_else(|| self.improving(&spaced))
            .or_else(|| self.one_answer())
            .or_else(|| self.plateau(&spaced))
            .or_else(|| unclear(&self.evaluations))
    }

    /// The evaluations, of which those that are less than half the average number of steps apart count as
    /// one: the one with the lowest loss, and of the latest ones the last. One that somebody asked for
    /// right after another says nothing about a trend.
    fn spaced_evaluations(&self) -> Vec<Evaluation> {
        let Some(last) = self.evaluations.last() else { return Vec::new() };
        let least = last.step as f64 / self.evaluations.len() as f64 / 2.0;
        let mut spaced: Vec<Evaluation> = Vec::with_capacity(self.evaluations.len());
        let mut first = 0;
        for one in &self.evaluations {
            match spaced.last_mut() {
                Some(kept) if ((one.step - first) as f64) < least => {
                    if one.loss < kept.loss {
                        *kept = *one;
                    }
                }
                _ => {
                    first = one.step;
                    spaced.push(*one);
                }
            }
        }
        if let Some(kept) = spaced.last_mut() {
            *kept = *last;
        }
        spaced
    }

    /// The latest two evaluations are clearly worse than an earlier one, or the latest one very much, or
    /// each is a little worse than the one before it, while the training loss fell.
    fn rising_loss(&self, evaluations: &[Evaluation]) -> Option<Verdict> {
        let [.., before, last] = *evaluations else { return None };
        let best = lowest(&self.evaluations)?;
        let is_worse =
            |one: Evaluation| one.step > best.step && one.loss > best.loss + best.margin();
        // One evaluation that is very much worse is enough.
        let is_far_worse = last.step > best.step && last.loss > best.loss + 4.0 * best.margin();
        if !(is_far_worse || is_worse(before) && is_worse(last) || rises_steadily(evaluations)) {
            return None;
        }
        let (then, now) = (self.train.window_until(best.step)?, self.train.last_window()?);
        let fell = then.mean - now.mean;
        if fell <= 2.0 * then.error_of_difference(&now) || fell <= 0.03 * then.mean.abs() {
            return None;
        }
        let (since, eval) = (best.step, [best.loss, last.loss]);
        let accuracy = [best.accuracy, last.accuracy];
        if last.accuracy > best.accuracy + best.accuracy_error() {
            return Some(Verdict::OverConfident { since, loss: eval, accuracy });
        }
        let (train, steps) = ([then.mean, now.mean], now.last - now.first + 1);
        Some(Verdict::Overfitting { since, eval, train, steps, accuracy })
    }

    fn imbalance(&self) -> Option<Verdict> {
        let MissedClass { class, support, found, total } = self.answers?.missed?;
        Some(Verdict::Imbalance { class, support, found, total })
    }

    fn one_answer(&self) -> Option<Verdict> {
        let OneAnswer { class, counts } = self.answers?.one_answer?;
        Some(Verdict::OneAnswer { class, counts })
    }

    /// None of the recent evaluations is clearly better than the best one before, and the loss does not
    /// fall a little at each of them.
    fn plateau(&self, evaluations: &[Evaluation]) -> Option<Verdict> {
        let (before, recent) = recent(evaluations)?;
        let (first, last) = (before.last()?, recent.last()?);
        let falls = last.loss < (1.0 - LEAST_FALL) * first.loss;
        let latest = &evaluations[before.len() - 1..];
        if falls && latest.windows(2).all(|pair| pair[1].loss < pair[0].loss) {
            return None;
        }
        let until = self.evaluations.partition_point(|one| one.step <= first.step);
        let best = lowest(&self.evaluations[..until])?;
        let is_better = |one: &Evaluation| {
            one.loss < best.loss - best.margin() / 3.0
                || one.accuracy > best.accuracy + best.accuracy_error()
        };
        if recent.iter().any(is_better) {
            return None;
        }
        let after = self.evaluations.partition_point(|one| one.step <= best.step);
        let after = &self.evaluations[after..];
        let loss = [best.loss, lowest(after)?.loss];
        Some(Verdict::Plateau { since: best.step, loss, evaluations: after.len() })
    }

    /// The latest evaluation is clearly better than all but the recent ones, or, without two evaluations,
    /// the training loss falls.
    fn improving(&self, evaluations: &[Evaluation]) -> Option<Verdict> {
        let before = recent(evaluations).or(evaluations
            .split_last()
            .map(|(last, before)| (before, std::slice::from_ref(last))));
        if let Some((before, [.., now])) = before
            && let Some(best) = lowest(before)
        {
            let is_better = now.loss < best.loss - best.margin() / 3.0;
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

/// The evaluation loss has risen at each of the latest evaluations, and by enough in all to matter.
/// However small each rise is, so many in a row by chance are less likely than one in 250.
fn rises_steadily(evaluations: &[Evaluation]) -> bool {
    let Some(from) = evaluations.len().checked_sub(STEADY_RISES + 1) else { return false };
    let latest = &evaluations[from..];
    let matters = latest[STEADY_RISES].loss > (1.0 + LEAST_RISE) * latest[0].loss;
    matters && latest.windows(2).all(|pair| pair[1].loss > pair[0].loss)
}

/// The evaluations before the recent ones, and those: the evaluations of the last fifth of the
/// steps, but at least three.
fn recent(evaluations: &[Evaluation]) -> Option<(&[Evaluation], &[Evaluation])> {
    let last = *evaluations.last()?;
    let by_time = evaluations.partition_point(|one| one.step * 5 <= last.step * 4);
    let recent = by_time.min(evaluations.len().checked_sub(3)?);
    Some(evaluations.split_at(recent)).filter(|(before, _)| !before.is_empty())
}

/// The lowest and the latest evaluation loss.
fn unclear(evaluations: &[Evaluation]) -> Option<Verdict> {
    let (best, last) = (lowest(evaluations)?, evaluations.last()?);
    let loss = (evaluations.len() > 1).then_some([best.loss, last.loss]);
    let accuracy = [best.accuracy, last.accuracy];
    Some(Verdict::Unclear { loss, accuracy, margin: best.margin() })
}

/// The evaluation with the lowest loss.
fn lowest(evaluations: &[Evaluation]) -> Option<Evaluation> {
    evaluations.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).copied()
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;

#[cfg(test)]
mod rising_tests;
