//! Recomputes the log history of a run from its journal, which contains the steps but no log
//! entries.

use super::event::{Logged, TrainEvent, training_entry, with_pseudo_labels};
use super::progress::{LossSum, PseudoLabelSum};
use std::collections::BTreeMap;

/// Computes the training log entries from a journal's steps, with the values that the trainer
/// logged. It computes no entries for evaluations or for the end of the run.
#[derive(Clone, Debug, Default)]
pub struct StepLogger {
    /// Steps between two entries, from the [`TrainEvent::Started`] event; `None` before it.
    logging_steps: Option<u64>,
    since_logged: LossSum,
    pseudo_labelled: PseudoLabelSum,
    /// The sums at the checkpoints, to which a run may go back.
    at_checkpoints: BTreeMap<u64, (LossSum, PseudoLabelSum)>,
}

impl StepLogger {
    /// Adds the next event of the journal and returns the log entry that is due after it, if any.
    pub fn push(&mut self, event: &TrainEvent) -> Option<Logged> {
        let step = match event {
            TrainEvent::Started(started) => {
                self.logging_steps = Some(started.logging_steps.max(1));
                return None;
            }
            TrainEvent::Step(step) => step,
            TrainEvent::Checkpoint(saved) => {
                self.at_checkpoints.insert(saved.step, (self.since_logged, self.pseudo_labelled));
                return None;
            }
            TrainEvent::RolledBack(rolled_back) => {
                let at = self.at_checkpoints.get(&rolled_back.step).copied();
                (self.since_logged, self.pseudo_labelled) = at.unwrap_or_default();
                return None;
            }
            _ => return None,
        };
        if !step.is_finite() {
            // The run fails at such a step before the step is logged.
            self.since_logged = LossSum::default();
            self.pseudo_labelled = PseudoLabelSum::default();
            return None;
        }
        self.since_logged.add(step.loss);
        self.pseudo_labelled.extend(step.pseudo_labelled);
        if !step.step.is_multiple_of(self.logging_steps?) {
            return None;
        }
        let entry = training_entry(step, std::mem::take(&mut self.since_logged).mean());
        let fraction = std::mem::take(&mut self.pseudo_labelled).mean();
        Some(Logged { elapsed: step.elapsed, entry: with_pseudo_labels(entry, fraction) })
    }
}
