//! Whether a learning rate was too high.

use super::{Answers, AtChance, HighRate, MIN_STEPS, RunWatch};

/// The fewest steps after which high rates have had their effect.
const MIN_STEPS_OF_RATE: u64 = 10;

/// A rate at which AdamW has replaced the weights of a transformer after a few steps: each step moves
/// each weight by about the rate, and the weights' standard deviation is about 0.02.
const SPOILING_RATE: f64 = 0.01;

/// A rate, 20 times the usual ones for fine-tuning, at which a model that has learned nothing after
/// this many steps has most likely lost what it knew.
const HIGH_RATE: f64 = 1e-3;

/// The least training loss of a model that answers as if all texts were alike, as a part of the loss of the
/// best constant answer.
const LEAST_LOSS: f64 = 0.95;

/// The steps of [`HIGH_RATE`].
const MIN_STEPS_OF_HIGH_RATE: u64 = 100;

impl RunWatch {
    /// The training loss has risen by more than half of what it had fallen, by more than a tenth of
    /// the first losses, and by more than five standard errors.
    pub(super) fn rose_again(&self) -> Option<HighRate> {
        if self.train.count() < MIN_STEPS {
            return None;
        }
        let (best, now) = (self.train.best_window()?, self.train.last_window()?);
        let rise = now.mean - best.mean;
        let fallen = (self.train.first() - best.mean).max(0.0);
        let least = (0.5 * fallen).max(0.1 * self.train.first().abs());
        let is_clear = rise > least && rise > 5.0 * best.error_of_difference(&now);
        is_clear.then_some(HighRate::Rose { since: best.last, best: best.mean, now: now.mean })
    }

    /// The training loss is far above that of the untrained model and of a constant answer; or it has
    /// been, or the rates were such that they spoil a model, and the latest evaluation and the latest
    /// training losses are no better than a constant answer.
    ///
    /// A model that has learned nothing because of a rate that is too low, or of too few steps, keeps
    /// the loss of the untrained model: see [`at_chance`](Self::at_chance).
    pub(super) fn nothing_learned(&self) -> Option<HighRate> {
        let answers = self.answers?;
        if self.train.count() < MIN_STEPS_OF_RATE {
            return None;
        }
        let untrained = self.train.untrained().max((answers.classes as f64).ln());
        let now = self.train.last_steps(MIN_STEPS_OF_RATE)?;
        let highest = self.train.highest_window(MIN_STEPS_OF_RATE)?;
        let deviation = self.train.deviation();
        let is_far_above = (self.train.last_window())
            .is_some_and(|now| now.is_clearly_above(1.5 * untrained, deviation));
        let is_spoiled = self.highest_rate >= SPOILING_RATE
            || self.highest_rate >= HIGH_RATE && self.train.count() >= MIN_STEPS_OF_HIGH_RATE
            || highest.is_clearly_above(1.3 * untrained, deviation);
        let is_constant = answers.are_at_chance() && now.mean > LEAST_LOSS * answers.constant_loss;
        let at_chance = self.compared_with_constant(now.mean)?;
        (is_far_above || is_spoiled && is_constant).then_some(HighRate::NothingLearned(at_chance))
    }

    /// The latest evaluation and the latest training losses are no better than a constant answer,
    /// after enough steps.
    pub(super) fn at_chance(&self) -> Option<AtChance> {
        let answers = self.answers.filter(Answers::are_at_chance)?;
        let now = self.train.last_window().filter(|_| self.train.count() >= MIN_STEPS)?.mean;
        self.compared_with_constant(now).filter(|_| now > LEAST_LOSS * answers.constant_loss)
    }

    /// The latest evaluation and this average training loss beside those of a constant answer.
    fn compared_with_constant(&self, now: f64) -> Option<AtChance> {
        let (answers, last) = (self.answers?, self.evaluations.last()?);
        Some(AtChance {
            now,
            constant: answers.constant_loss,
            accuracy: [last.accuracy, answers.constant_accuracy],
            rate: self.highest_rate,
        })
    }
}
