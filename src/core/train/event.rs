//! The events of a training run. The dashboard, the text output, the journal and TensorBoard's
//! files are all made from them.

mod command_applied;
mod log_entry;
pub mod number;

pub use command_applied::{CommandApplied, CommandEffect};
pub use log_entry::{LogEntry, Logged, TrainingLog, end_entry, evaluation_entry, training_entry};

use super::calibration::Calibration;
use super::metrics::Confusion;
use serde::{Deserialize, Serialize};

/// An event of a training run. Events are published in the order in which they happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// Data and model are ready; the first step is next.
    Started(Started),
    /// An optimizer step was done.
    Step(Step),
    /// An entry was added to the log history.
    Logged(Logged),
    /// An epoch is complete.
    Epoch(Epoch),
    /// An evaluation is under way.
    EvaluationProgress(EvaluationProgress),
    /// An evaluation is complete.
    Evaluated(Evaluated),
    /// Writing a checkpoint begins.
    SavingCheckpoint,
    /// A checkpoint was written, from which the run can be resumed.
    Checkpoint(Saved),
    /// Something failed, but the run continues.
    Warned(Warned),
    /// A command took effect.
    #[serde(rename = "steered")]
    CommandApplied(CommandApplied),
    /// At the end of the run, its best model was loaded; this was its evaluation.
    BestLoaded(Evaluated),
    /// The model was saved.
    Saved(Saved),
    /// The run is complete or was stopped.
    Finished(Finished),
    /// The run failed.
    Failed(Failed),
}

impl TrainEvent {
    /// Whether the event belongs to the run's journal and to the output of `train --json`. The
    /// others repeat values of journaled events or describe a moment.
    pub fn is_journaled(&self) -> bool {
        !matches!(self, Self::Logged(_) | Self::EvaluationProgress(_) | Self::SavingCheckpoint)
    }

    /// When it happened, in seconds since training began, if it is known. (The best model was
    /// evaluated long before it is loaded.)
    pub fn elapsed(&self) -> Option<f64> {
        match self {
            Self::Started(started) => Some(started.resumed_elapsed),
            Self::Step(step) => Some(step.elapsed),
            Self::Logged(logged) => Some(logged.elapsed),
            Self::Epoch(epoch) => Some(epoch.elapsed),
            Self::Evaluated(evaluated) => Some(evaluated.elapsed),
            Self::CommandApplied(applied) => Some(applied.elapsed),
            Self::Finished(finished) => Some(finished.metrics.train_runtime),
            Self::EvaluationProgress(_)
            | Self::SavingCheckpoint
            | Self::BestLoaded(_)
            | Self::Checkpoint(_)
            | Self::Warned(_)
            | Self::Saved(_)
            | Self::Failed(_) => None,
        }
    }
}

/// The properties and settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The name of the model.
    pub model: String,
    /// Its architecture, in a short text.
    pub architecture: String,
    /// The number of its trainable parameters.
    pub parameters: usize,
    /// The names of the classes, by class id.
    pub labels: Vec<String>,
    /// The number of training examples.
    pub train_samples: usize,
    /// The number of evaluation examples.
    pub eval_samples: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// Steps in the whole run, if nothing stops it.
    pub max_steps: u64,
    /// Epochs requested.
    pub num_train_epochs: f64,
    /// Steps between two evaluations; 0 if there is only the last one.
    pub eval_steps: u64,
    /// Steps between two checkpoints; 0 if there is only the last one.
    #[serde(default)]
    pub save_steps: u64,
    /// Steps between two log entries.
    pub logging_steps: u64,
    /// The folder that the model will be saved in.
    pub output_dir: String,
    /// Whether saving replaces another model there.
    pub replaces_model: bool,
    /// Every setting by its Hugging Face name, with the source of its value.
    pub settings: Vec<Setting>,
    /// Steps done before the run was resumed.
    pub resumed_at: u64,
    /// Seconds they took.
    pub resumed_elapsed: f64,
    /// Notes for the user: rows skipped, parameters initialised.
    pub notes: Vec<String>,
}

/// One setting of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its Hugging Face name.
    pub name: String,
    /// Its value, as a flag takes it.
    pub value: String,
    /// The source of the value: a flag, the recipe, the model.
    pub why: String,
}

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Counted from 1.
    pub step: u64,
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// The batch's mean loss.
    #[serde(with = "number")]
    pub loss: f64,
    /// The norm of all gradients, before clipping.
    #[serde(with = "number")]
    pub grad_norm: f64,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Examples in the batch.
    pub samples: usize,
    /// Tokens in the batch, padding left out.
    pub tokens: usize,
    /// Seconds since training began.
    pub elapsed: f64,
}

impl Step {
    /// Whether loss and gradient norm are finite. The update of a step is not applied otherwise.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

/// One pass over the training examples. Accuracy and F1 are of the predictions made while training,
/// as in the tutorial's loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// The mean loss of its steps.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// The share of right predictions among its examples.
    pub train_accuracy: f64,
    /// F1 of class 1 among its examples.
    pub train_f1: f64,
    /// Seconds since training began.
    pub elapsed: f64,
}

/// The metrics of an evaluation, with the names of `Trainer.evaluate()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss.
    #[serde(with = "number")]
    pub eval_loss: f64,
    /// The share of right predictions.
    pub eval_accuracy: f64,
    /// F1 of class 1.
    pub eval_f1: f64,
    /// Precision of class 1.
    pub eval_precision: f64,
    /// Recall of class 1.
    pub eval_recall: f64,
    /// `[true][predicted]`.
    pub eval_confusion: Confusion,
    /// Confidence against accuracy; empty in journals of earlier versions.
    #[serde(default)]
    pub eval_calibration: Calibration,
    /// The number of examples evaluated.
    pub eval_samples: u64,
    /// Seconds it took.
    pub eval_runtime: f64,
    /// Examples a second.
    pub eval_samples_per_second: f64,
}

impl Metrics {
    /// The metric of this name, with or without the prefix `eval_`, if it exists and is finite.
    pub fn by_name(&self, name: &str) -> Option<f64> {
        let value = match name.strip_prefix("eval_").unwrap_or(name) {
            "loss" => self.eval_loss,
            "accuracy" => self.eval_accuracy,
            "f1" => self.eval_f1,
            "precision" => self.eval_precision,
            "recall" => self.eval_recall,
            _ => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// How much of an evaluation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationProgress {
    /// Examples evaluated.
    pub done: usize,
    /// Examples to evaluate.
    pub total: usize,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: f64,
    /// Its metrics.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Seconds since training began.
    pub elapsed: f64,
}

/// A model or checkpoint was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The folder.
    pub path: String,
    /// Steps done.
    pub step: u64,
    /// Seconds that writing took.
    #[serde(default)]
    pub seconds: f64,
}

/// A failure that does not end the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// What happened.
    pub message: String,
    /// Steps done.
    pub step: u64,
}

/// The end of a run, with the values of transformers' `TrainOutput`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Steps done.
    pub global_step: u64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub training_loss: f64,
    /// Speed and size of the run.
    pub metrics: TrainMetrics,
    /// Whether it was stopped before its last step.
    pub stopped: bool,
}

/// `TrainOutput.metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// Seconds, evaluations included.
    pub train_runtime: f64,
    /// Examples a second.
    pub train_samples_per_second: f64,
    /// Steps a second.
    pub train_steps_per_second: f64,
    /// 6 × tokens, padding included, × parameters outside the embeddings.
    pub total_flos: f64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Epochs done.
    pub epoch: f64,
}

/// The end of a run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What happened.
    pub message: String,
    /// What to do about it, if known.
    pub hint: Option<String>,
    /// Steps done.
    pub step: u64,
}

#[cfg(test)]
mod tests;
