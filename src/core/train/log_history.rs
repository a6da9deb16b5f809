//! The log history of a journal, which has the steps but not the log entries.

use super::event::{Logged, TrainEvent, training_entry};
use super::progress::LossSum;

/// Makes the log entries of training from a journal's steps, with the values that the Trainer
/// logged. Entries of evaluations and of the end are not made.
#[derive(Clone, Debug, Default)]
pub struct StepLogger {
    /// Steps between two entries, as the run's start says; no entry is made before it.
    logging_steps: Option<u64>,
    since_logged: LossSum,
}

impl StepLogger {
    /// Adds the next event of the journal; the entry that is due after it, if there is one.
    pub fn push(&mut self, event: &TrainEvent) -> Option<Logged> {
        let step = match event {
            TrainEvent::Started(started) => {
                self.logging_steps = Some(started.logging_steps.max(1));
                return None;
            }
            TrainEvent::Step(step) => step,
            _ => return None,
        };
        if !step.loss.is_finite() {
            // The run ends with such a step, unlogged.
            self.since_logged = LossSum::default();
            return None;
        }
        self.since_logged.add(step.loss);
        if !step.step.is_multiple_of(self.logging_steps?) {
            return None;
        }
        let entry = training_entry(step, std::mem::take(&mut self.since_logged).mean());
        Some(Logged { elapsed: step.elapsed, entry })
    }
}
