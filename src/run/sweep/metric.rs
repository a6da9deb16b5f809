//! The metric of a sweep.

use crate::core::named::named_enum;
use crate::core::train::TrainEvent;
use crate::core::train::event::Metrics;
use crate::run::recording::{Recording, RecordingError};
use std::path::Path;

named_enum! {
    /// The metric by which configurations are compared.
    #[derive(Default)]
    pub enum SweepMetric {
        /// Evaluation loss, the lowest first
        Loss = "eval_loss" | "loss",
        /// Evaluation accuracy
        @default Accuracy = "eval_accuracy" | "accuracy",
        /// F1 of the evaluation
        F1 = "eval_f1" | "f1",
        /// Precision of the evaluation
        Precision = "eval_precision" | "precision",
        /// Recall of the evaluation
        Recall = "eval_recall" | "recall",
    }
}

impl SweepMetric {
    /// Whether a higher value is better.
    pub fn greater_is_better(self) -> bool {
        self != Self::Loss
    }

    /// The value as a number of which the lowest is the best.
    pub(super) fn cost(self, value: f64) -> f64 {
        if self.greater_is_better() { -value } else { value }
    }

    fn of(self, metrics: &Metrics) -> f64 {
        match self {
            Self::Loss => metrics.eval_loss,
            Self::Accuracy => metrics.eval_accuracy,
            Self::F1 => metrics.eval_f1,
            Self::Precision => metrics.eval_precision,
            Self::Recall => metrics.eval_recall,
        }
    }

    /// The metric of the model that the run in a folder ended with: of its last evaluation or, if it
    /// loaded its best model, of that model's. `None` if it was never evaluated.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) fn at_the_end(self, folder: &Path) -> Result<Option<f64>, RecordingError> {
        let mut value = None;
        for event in Recording::open(folder)?.events()? {
            match event? {
                TrainEvent::Evaluated(evaluated) | TrainEvent::BestLoaded(evaluated) => {
                    value = Some(self.of(&evaluated.metrics));
                }
                _ => {}
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::train::fixtures::{ending, run};
    use crate::run::journal::{JOURNAL, Journal};

    #[test]
    fn the_metric_is_that_of_the_model_at_the_end() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut journal = Journal::create(&folder.path().join(JOURNAL))?;
        let events = run(630);
        let evaluations: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                TrainEvent::Evaluated(evaluated) => Some(evaluated.clone()),
                _ => None,
            })
            .collect();
        for event in &events {
            journal.append(event)?;
        }
        let last = evaluations.last().map(|evaluated| evaluated.metrics.eval_f1);
        assert_eq!(SweepMetric::F1.at_the_end(folder.path())?, last);
        journal.append(&TrainEvent::BestLoaded(evaluations[2].clone()))?;
        for event in ending() {
            journal.append(&event)?;
        }
        let best = evaluations[2].metrics.eval_loss;
        assert_eq!(SweepMetric::Loss.at_the_end(folder.path())?, Some(best));
        assert!(SweepMetric::Loss.at_the_end(&folder.path().join("nowhere")).is_err());
        Ok(())
    }

    #[test]
    fn metrics_have_the_names_of_the_trainer() {
        assert_eq!("accuracy".parse(), Ok(SweepMetric::Accuracy));
        assert_eq!("eval_loss".parse(), Ok(SweepMetric::Loss));
        assert!("eval_los".parse::<SweepMetric>().is_err());
    }
}
