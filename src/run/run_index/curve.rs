//! The points of a run's curves, as the journal has them.

use crate::core::named::named_enum;
use crate::core::train::TrainEvent;
use crate::run::recording::{Recording, RecordingError};
use std::path::Path;

named_enum! {
    /// A curve of a run.
    pub enum CurveName {
        /// Training loss of each step
        Loss = "loss",
        /// Learning rate of each step
        LearningRate = "learning_rate",
        /// Norm of the gradients of each step
        GradNorm = "grad_norm",
        /// Training samples per second of each step
        SamplesPerSecond = "samples_per_second",
        /// Loss of each evaluation
        EvalLoss = "eval_loss",
        /// Accuracy of each evaluation
        EvalAccuracy = "eval_accuracy",
        /// F1 of each evaluation
        EvalF1 = "eval_f1",
        /// Precision of each evaluation
        EvalPrecision = "eval_precision",
        /// Recall of each evaluation
        EvalRecall = "eval_recall",
        /// Mean training loss of each epoch
        TrainLoss = "train_loss",
        /// Accuracy on the training data of each epoch
        TrainAccuracy = "train_accuracy",
        /// F1 on the training data of each epoch
        TrainF1 = "train_f1",
    }
}

impl CurveName {
    /// The point that an event adds to the curve: its step and its value. `before` is the time of the
    /// event before it, in seconds since training began.
    fn point(self, event: &TrainEvent, before: f64) -> Option<(u64, f64)> {
        match event {
            TrainEvent::Step(step) => {
                let value = match self {
                    Self::SamplesPerSecond if step.elapsed > before => {
                        step.samples as f64 / (step.elapsed - before)
                    }
                    Self::Loss => step.loss,
                    Self::LearningRate => step.learning_rate,
                    Self::GradNorm => step.grad_norm,
                    _ => return None,
                };
                Some((step.step, value))
            }
            TrainEvent::Evaluated(evaluated) => {
                let metrics = &evaluated.metrics;
                let value = match self {
                    Self::EvalLoss => metrics.eval_loss,
                    Self::EvalAccuracy => metrics.eval_accuracy,
                    Self::EvalF1 => metrics.eval_f1,
                    Self::EvalPrecision => metrics.eval_precision,
                    Self::EvalRecall => metrics.eval_recall,
                    _ => return None,
                };
                Some((evaluated.step, value))
            }
            TrainEvent::Epoch(epoch) => {
                let value = match self {
                    Self::TrainLoss => epoch.train_loss,
                    Self::TrainAccuracy => epoch.train_accuracy,
                    Self::TrainF1 => epoch.train_f1,
                    _ => return None,
                };
                Some((epoch.step, value))
            }
            _ => None,
        }
    }
}

/// Reads the points of a curve from the journal of the run in a folder, each with its step, in the
/// order in which they were recorded. None is left out or rounded.
///
/// # Errors
/// If the journal cannot be read.
pub fn read_points(
    folder: &Path,
    curve: CurveName,
) -> Result<impl Iterator<Item = Result<(u64, f64), RecordingError>> + use<>, RecordingError> {
    let events = Recording::open(folder)?.events()?;
    let mut before = 0.0;
    Ok(events.filter_map(move |event| match event {
        Ok(event) => {
            let point = curve.point(&event, before);
            before = event.elapsed().unwrap_or(before);
            point.map(Ok)
        }
        Err(error) => Some(Err(error)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::named::Named;
    use crate::core::train::fixtures::{ending, run};
    use crate::run::journal::{JOURNAL, Journal};

    #[test]
    fn every_curve_has_its_points_in_order() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut journal = Journal::create(&folder.path().join(JOURNAL))?;
        let events = [run(630), ending()].concat();
        for event in &events {
            journal.append(event)?;
        }
        for curve in CurveName::VARIANTS {
            let points: Vec<(u64, f64)> =
                read_points(folder.path(), *curve)?.collect::<Result<_, _>>()?;
            let steps = match curve {
                CurveName::Loss
                | CurveName::LearningRate
                | CurveName::GradNorm
                | CurveName::SamplesPerSecond => 630,
                _ => 10,
            };
            assert_eq!(points.len(), steps, "{curve}");
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{curve}");
        }
        let losses: Vec<(u64, f64)> =
            read_points(folder.path(), CurveName::Loss)?.collect::<Result<_, _>>()?;
        let expected = events.iter().filter_map(|event| match event {
            TrainEvent::Step(step) => Some((step.step, step.loss)),
            _ => None,
        });
        assert_eq!(losses, expected.collect::<Vec<_>>(), "to the last bit");
        assert!(read_points(&folder.path().join("nowhere"), CurveName::Loss).is_err());
        Ok(())
    }
}
