//! The curves of a run's metrics.

use super::curve::Curve;
use crate::core::text::truncate_width;
use crate::core::train::event::{Epoch, Evaluated, Step, TrainEvent};

/// The default smoothing of noisy curves.
pub const SMOOTHING: f64 = 0.9;

/// The most pinned sentences that have curves.
const MAX_PROBES: usize = 16;

/// The columns of the name of a pinned sentence, and the most of the sentence.
const MAX_NAME: usize = 16;
const MAX_SENTENCE: usize = 400;

/// A pinned sentence, and its probability at each evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeCurve {
    /// The sentence.
    text: String,
    /// Its beginning, safe to show.
    pub name: String,
    /// All of it or at least a long beginning, safe to show.
    pub sentence: String,
    /// The probability of class 1 of two classes, or else that of the predicted class.
    pub curve: Curve,
    /// Whether it was pinned at the latest evaluation.
    pub is_pinned: bool,
}

/// The curves of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Steps per epoch.
    pub steps_per_epoch: u64,
    /// Training loss of each step: of a generator and a discriminator the latter's, which
    /// evaluations measure, too.
    pub loss: Curve,
    /// The norm of the gradients before clipping.
    pub grad_norm: Curve,
    /// The learning rate of each step.
    pub learning_rate: Curve,
    /// Samples per second.
    pub samples: Curve,
    /// Tokens per second, without padding.
    pub tokens: Curve,
    /// Loss of the evaluations.
    pub eval_loss: Curve,
    /// Accuracy of the evaluations.
    pub eval_accuracy: Curve,
    /// F1 of the evaluations.
    pub eval_f1: Curve,
    /// Accuracy on the training batches of each epoch.
    pub train_accuracy: Curve,
    /// F1 on the training batches of each epoch.
    pub train_f1: Curve,
    /// The pinned sentences, in the order in which they were pinned.
    pub probes: Vec<ProbeCurve>,
    /// Whether the run pretrains: then no predictions are counted in training.
    pretrains: bool,
    /// When the latest step or evaluation ended, in seconds since training began. The next step
    /// starts at this time.
    last_end: f64,
}

impl Default for History {
    fn default() -> Self {
        let smooth = || Curve::new(SMOOTHING);
        let exact = || Curve::new(0.0);
        Self {
            steps_per_epoch: 1,
            loss: smooth(),
            grad_norm: smooth(),
            learning_rate: exact(),
            samples: smooth(),
            tokens: smooth(),
            eval_loss: exact(),
            eval_accuracy: exact(),
            eval_f1: exact(),
            train_accuracy: exact(),
            train_f1: exact(),
            probes: Vec::new(),
            pretrains: false,
            last_end: 0.0,
        }
    }
}

impl History {
    /// Adds the metrics of an event.
    pub fn apply(&mut self, event: &TrainEvent) {
        match event {
            TrainEvent::Started(started) => {
                self.steps_per_epoch = started.steps_per_epoch.max(1);
                self.pretrains = started.is_pretraining();
            }
            TrainEvent::Step(step) => self.push_step(step),
            TrainEvent::Epoch(epoch) => self.push_epoch(epoch),
            TrainEvent::Evaluated(evaluated) => self.push_evaluation(evaluated),
            // The time of a checkpoint does not count towards the duration of the next step.
            TrainEvent::Checkpoint(saved) => self.last_end += saved.seconds,
            TrainEvent::RolledBack(rolled_back) => {
                self.truncate_after(rolled_back.step);
                self.last_end = rolled_back.elapsed;
            }
            _ => {}
        }
    }

    /// The last step.
    pub fn last_step(&self) -> f64 {
        self.loss.ends().map_or(0.0, |ends| ends.1)
    }

    /// Removes everything of steps after `step`.
    fn truncate_after(&mut self, step: u64) {
        let first = step.saturating_add(1) as f64;
        for curve in [
            &mut self.loss,
            &mut self.grad_norm,
            &mut self.learning_rate,
            &mut self.samples,
            &mut self.tokens,
            &mut self.eval_loss,
            &mut self.eval_accuracy,
            &mut self.eval_f1,
            &mut self.train_accuracy,
            &mut self.train_f1,
        ] {
            curve.truncate(first);
        }
        for probe in &mut self.probes {
            probe.curve.truncate(first);
        }
    }

    fn push_step(&mut self, step: &Step) {
        let at = step.step as f64;
        let push = |curve: &mut Curve, value| curve.push(at, step.elapsed, value);
        let compared = step.parts.filter(|_| step.loss.is_finite());
        push(&mut self.loss, compared.map_or(step.loss, |parts| parts.discriminator_loss));
        push(&mut self.grad_norm, step.grad_norm);
        push(&mut self.learning_rate, step.learning_rate);
        let seconds = step.elapsed - self.last_end;
        if seconds > 0.0 {
            push(&mut self.samples, step.samples as f64 / seconds);
            push(&mut self.tokens, step.tokens as f64 / seconds);
        }
        self.last_end = step.elapsed;
    }

    fn push_epoch(&mut self, epoch: &Epoch) {
        if self.pretrains {
            return;
        }
        let at = epoch.step as f64;
        self.train_accuracy.push(at, epoch.elapsed, epoch.train_accuracy);
        self.train_f1.push(at, epoch.elapsed, epoch.train_f1);
    }

    /// Adds an evaluation. Its time does not count towards the duration of the next step.
    fn push_evaluation(&mut self, evaluated: &Evaluated) {
        let (at, seconds) = (evaluated.step as f64, evaluated.elapsed);
        self.eval_loss.push(at, seconds, evaluated.metrics.eval_loss);
        self.eval_accuracy.push(at, seconds, evaluated.metrics.eval_accuracy);
        // A language model has no classes.
        if !evaluated.metrics.eval_confusion.counts.is_empty() {
            self.eval_f1.push(at, seconds, evaluated.metrics.eval_f1);
        }
        for known in &mut self.probes {
            known.is_pinned = evaluated.probes.iter().any(|probe| probe.text == known.text);
        }
        for probe in &evaluated.probes {
            let known = self.probes.iter().position(|known| known.text == probe.text);
            if known.is_none() && self.probes.len() >= MAX_PROBES {
                let unpinned = self.probes.iter().position(|probe| !probe.is_pinned);
                let Some(unpinned) = unpinned else { continue };
                self.probes.remove(unpinned);
            }
            let index = known.unwrap_or(self.probes.len());
            if known.is_none() {
                let (text, name) = (probe.text.clone(), truncate_width(&probe.text, MAX_NAME));
                let sentence = truncate_width(&probe.text, MAX_SENTENCE);
                let curve = Curve::new(0.0);
                self.probes.push(ProbeCurve { text, name, sentence, curve, is_pinned: true });
            }
            self.probes[index].curve.push(at, seconds, probe.charted());
        }
        self.last_end = seconds;
    }

    /// Whether a sentence was pinned at the latest evaluation.
    pub fn has_probe(&self, text: &str) -> bool {
        self.probes.iter().any(|probe| probe.is_pinned && probe.text == text)
    }

    /// Changes the smoothing of the noisy curves.
    pub fn smooth(&mut self, smoothing: f64) {
        for curve in [&mut self.loss, &mut self.grad_norm, &mut self.samples, &mut self.tokens] {
            curve.smooth(smoothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::event::{Probe, Saved, StepParts};
    use crate::core::train::fixtures::{evaluated, step};

    #[test]
    fn the_loss_of_a_discriminator_is_that_of_its_evaluations() {
        let mut history = History::default();
        let parts = StepParts { generator_loss: 8.5, discriminator_loss: 0.6 };
        history.push_step(&Step { parts: Some(parts), ..step(1, 38.5, 0.5) });
        assert_eq!(history.loss.last(), Some(0.6));
        history.push_step(&Step { parts: Some(parts), ..step(2, f64::NAN, 1.0) });
        assert_eq!(history.loss.not_finite().len(), 1);
    }

    #[test]
    fn pinned_sentences_have_curves_that_a_rollback_shortens() {
        let probe = |text: &str, probabilities: &[f64]| Probe {
            text: text.to_owned(),
            label: String::new(),
            probabilities: probabilities.to_vec(),
        };
        let mut history = History::default();
        let mut first = evaluated(63, 1.0, 0.6, 9.5);
        first.probes = vec![probe("하나", &[0.3, 0.7])];
        let mut second = evaluated(126, 2.0, 0.6, 19.5);
        second.probes = vec![probe("하나", &[0.1, 0.9]), probe("둘\u{1b}", &[0.2, 0.5, 0.3])];
        history.push_evaluation(&first);
        history.push_evaluation(&second);
        let last = |history: &History| -> Vec<Option<f64>> {
            history.probes.iter().map(|probe| probe.curve.last()).collect()
        };
        assert_eq!(last(&history), [Some(0.9), Some(0.5)]);
        assert_eq!(history.probes[1].name, "둘\u{fffd}");
        assert!(history.has_probe("하나"));
        let mut third = evaluated(189, 3.0, 0.6, 29.5);
        third.probes = second.probes[1..].to_vec();
        history.push_evaluation(&third);
        assert!(!history.has_probe("하나") && history.has_probe("둘\u{1b}"), "one is unpinned");
        history.truncate_after(63);
        assert_eq!(last(&history), [Some(0.7), None]);
    }

    #[test]
    fn throughput_counts_the_time_of_steps_only() {
        let mut history = History::default();
        history.push_step(&step(1, 0.7, 0.5));
        history.push_evaluation(&evaluated(1, 1.0, 0.6, 9.5));
        let saved = Saved { path: String::new(), step: 1, seconds: 4.0 };
        history.apply(&TrainEvent::Checkpoint(saved));
        history.push_step(&step(2, 0.7, 14.0));
        // 32 samples in half a second, excluding the evaluation and the checkpoint.
        assert_eq!(history.samples.last(), Some(64.0));
    }
}
