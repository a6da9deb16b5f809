//! The events of a training run: the source of the dashboard, the text output, the journal and the
//! TensorBoard files.

mod command_applied;
mod early_stopped;
mod log_entry;
mod probe;
mod ranks;
mod rolled_back;
mod setting;
mod system;

pub use command_applied::{CommandApplied, CommandEffect};
pub use early_stopped::EarlyStopped;
pub use log_entry::{
    EVAL_TEMPERATURE, LogEntry, Logged, TrainingLog, end_entry, evaluation_entry, training_entry,
    with_pseudo_labels,
};
pub use probe::Probe;
pub use ranks::{MAX_LISTED_RANKS, RankMeasured, RanksMeasured};
pub use rolled_back::RolledBack;
pub use setting::{OBJECTIVE_SETTING, PAIR_SETTING, Setting};
pub use system::{GpuMeasured, MAX_LISTED_GPUS, SystemMeasured};

use super::calibration::Calibration;
use super::metrics::Confusion;
use crate::core::engine::LossParts;
use crate::core::number;
use serde::{Deserialize, Serialize};

/// An event of a training run. Events are published in the order in which they happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The data and the model are loaded; training starts.
    Started(Started),
    /// An optimizer step is complete.
    Step(Step),
    /// An entry was added to the log history.
    Logged(Logged),
    /// An epoch is complete.
    Epoch(Epoch),
    /// An evaluation is in progress.
    EvaluationProgress(EvaluationProgress),
    /// An evaluation is complete.
    Evaluated(Evaluated),
    /// A checkpoint is being written.
    SavingCheckpoint,
    /// A checkpoint was written.
    Checkpoint(Saved),
    /// Something failed, but the run continues.
    Warned(Warned),
    /// A command took effect.
    #[serde(rename = "steered")]
    CommandApplied(CommandApplied),
    /// The processes of the run have measured how they do.
    Ranks(RanksMeasured),
    /// The load of the computer was measured.
    System(SystemMeasured),
    /// The run continues from an earlier checkpoint.
    RolledBack(RolledBack),
    /// The best model was loaded at the end of the run; the value is its earlier evaluation.
    BestLoaded(Evaluated),
    /// The model was saved.
    Saved(Saved),
    /// The run is complete or was stopped.
    Finished(Finished),
    /// The run failed.
    Failed(Failed),
}

impl TrainEvent {
    /// Whether the event is written to the journal and to the output of `train --json`. Other
    /// events repeat values of journaled events or are only of interest when they happen.
    pub fn is_journaled(&self) -> bool {
        !matches!(self, Self::Logged(_) | Self::EvaluationProgress(_) | Self::SavingCheckpoint)
    }

    /// The time of the event in seconds since training began, if known. `BestLoaded` has none: its
    /// `elapsed` is the time of the evaluation, not of loading.
    pub fn elapsed(&self) -> Option<f64> {
        match self {
            Self::Started(started) => Some(started.resumed_elapsed),
            Self::Step(step) => Some(step.elapsed),
            Self::Logged(logged) => Some(logged.elapsed),
            Self::Epoch(epoch) => Some(epoch.elapsed),
            Self::Evaluated(evaluated) => Some(evaluated.elapsed),
            Self::CommandApplied(applied) => Some(applied.elapsed),
            Self::Ranks(ranks) => Some(ranks.elapsed),
            Self::System(system) => Some(system.elapsed),
            Self::RolledBack(rolled_back) => Some(rolled_back.elapsed),
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
    /// A short description of its architecture.
    pub architecture: String,
    /// The number of trainable parameters of the model.
    pub parameters: usize,
    /// The names of the classes, indexed by class id.
    pub labels: Vec<String>,
    /// The number of training examples.
    pub train_samples: usize,
    /// The number of evaluation examples.
    pub eval_samples: usize,
    /// The number of steps per epoch.
    pub steps_per_epoch: u64,
    /// The number of steps in the whole run, unless it is stopped.
    pub max_steps: u64,
    /// The number of epochs requested.
    #[serde(with = "number")]
    pub num_train_epochs: f64,
    /// Steps between two evaluations; 0 if there is only one at the end.
    pub eval_steps: u64,
    /// Steps between two checkpoints; 0 if there is only one at the end.
    #[serde(default)]
    pub save_steps: u64,
    /// Steps between two log entries.
    pub logging_steps: u64,
    /// The folder where the model will be saved.
    pub output_dir: String,
    /// Whether saving replaces an existing model in that folder.
    pub replaces_model: bool,
    /// All settings, with Hugging Face names and the source of each value.
    pub settings: Vec<Setting>,
    /// The step at which the run was resumed; 0 for a new run.
    pub resumed_at: u64,
    /// Seconds of training before the run was resumed.
    #[serde(with = "number")]
    pub resumed_elapsed: f64,
    /// Notes for the user, for example on skipped rows or newly initialized parameters.
    pub notes: Vec<String>,
}

impl Started {
    /// The value of a setting; `None` if the run has none of this name.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let setting = self.settings.iter().find(|setting| setting.name == name);
        setting.map(|setting| setting.value.as_str())
    }

    /// Whether the run pretrains on texts without labels.
    pub fn is_pretraining(&self) -> bool {
        self.settings.iter().any(|setting| setting.name == OBJECTIVE_SETTING)
    }
}

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The step number, counted from 1.
    pub step: u64,
    /// The number of epochs completed, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
    /// The mean loss of the batch.
    #[serde(with = "number")]
    pub loss: f64,
    /// The global L2 norm of the gradients, before clipping.
    #[serde(with = "number")]
    pub grad_norm: f64,
    /// The learning rate of this step.
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// The losses of a generator and a discriminator, if the run trains both.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<StepParts>,
    /// The number of labelled examples in the batch.
    pub samples: usize,
    /// The number of tokens of these, excluding padding.
    pub tokens: usize,
    /// The fraction of the unlabelled examples that were trained on with a pseudo-label; `None` in
    /// a step without unlabelled examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_labelled: Option<f64>,
    /// Seconds since training began.
    #[serde(with = "number")]
    pub elapsed: f64,
}

/// The losses of a step that trains a generator and a discriminator (ELECTRA).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepParts {
    /// The generator's mean loss over masked tokens.
    #[serde(with = "number")]
    pub generator_loss: f64,
    /// The discriminator's mean loss over all tokens.
    #[serde(with = "number")]
    pub discriminator_loss: f64,
}

impl From<LossParts> for StepParts {
    fn from(parts: LossParts) -> Self {
        Self { generator_loss: parts.generator, discriminator_loss: parts.discriminator }
    }
}

impl Step {
    /// Whether the loss and the gradient norm are finite. If not, the update is not applied.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

/// One pass over the training examples. Accuracy and F1 are computed from the predictions made
/// during training, as in the tutorial's loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch number, counted from 1.
    pub epoch: u64,
    /// The number of steps completed.
    pub step: u64,
    /// The mean loss of the steps in the epoch.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// The accuracy of the predictions in the epoch, from 0 to 1.
    #[serde(with = "number")]
    pub train_accuracy: f64,
    /// The F1 score of the predictions in the epoch, as in [`Metrics::eval_f1`].
    #[serde(with = "number")]
    pub train_f1: f64,
    /// Seconds since training began.
    #[serde(with = "number")]
    pub elapsed: f64,
}

/// The metrics of an evaluation, with the names of `Trainer.evaluate()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss.
    #[serde(with = "number")]
    pub eval_loss: f64,
    /// The share of correct predictions, from 0 to 1.
    #[serde(with = "number")]
    pub eval_accuracy: f64,
    /// The F1 score: of class 1 if there are two classes, else the macro average.
    #[serde(with = "number")]
    pub eval_f1: f64,
    /// The precision: of class 1 if there are two classes, else the macro average.
    #[serde(with = "number")]
    pub eval_precision: f64,
    /// The recall: of class 1 if there are two classes, else the macro average.
    #[serde(with = "number")]
    pub eval_recall: f64,
    /// The confusion matrix, `[true class][predicted class]`.
    pub eval_confusion: Confusion,
    /// The perplexity of masked tokens: the exponential of their mean loss, in pretraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// The generator's mean loss over masked tokens, in pretraining with a generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_generator_loss: Option<f64>,
    /// Confidence and accuracy in bins; empty in journals of earlier versions.
    #[serde(default)]
    pub eval_calibration: Calibration,
    /// The temperature that calibrates confidence, fitted to this evaluation; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_temperature: Option<f64>,
    /// The number of examples evaluated.
    pub eval_samples: u64,
    /// The duration of the evaluation in seconds.
    #[serde(with = "number")]
    pub eval_runtime: f64,
    /// Examples per second.
    #[serde(with = "number")]
    pub eval_samples_per_second: f64,
}

impl Metrics {
    /// The metric with this name, with or without the prefix `eval_`, if it exists and is finite.
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

/// The progress of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationProgress {
    /// The number of examples evaluated so far.
    pub done: usize,
    /// The number of examples to evaluate.
    pub total: usize,
}

/// A complete evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The number of steps completed.
    pub step: u64,
    /// The number of epochs completed, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
    /// The metrics of the evaluation.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Seconds since training began.
    #[serde(with = "number")]
    pub elapsed: f64,
    /// The predictions for the pinned sentences, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

/// A model or checkpoint was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The folder that was written.
    pub path: String,
    /// The number of steps completed.
    pub step: u64,
    /// The duration of writing in seconds.
    #[serde(default)]
    #[serde(with = "number")]
    pub seconds: f64,
}

/// A failure that does not end the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned {
    /// The error message.
    pub message: String,
    /// The number of steps completed.
    pub step: u64,
}

/// The end of a run, with the values of transformers' `TrainOutput`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The number of steps completed.
    pub global_step: u64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub training_loss: f64,
    /// The runtime metrics of the run.
    pub metrics: TrainMetrics,
    /// Whether the run was stopped before its last step, by the user.
    pub stopped: bool,
    /// Why the run ended before its last step, if early stopping ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopped>,
}

/// `TrainOutput.metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// Seconds of training, including evaluations.
    #[serde(with = "number")]
    pub train_runtime: f64,
    /// Examples per second.
    #[serde(with = "number")]
    pub train_samples_per_second: f64,
    /// Steps per second.
    #[serde(with = "number")]
    pub train_steps_per_second: f64,
    /// 6 × tokens × parameters, with padding tokens included and embeddings excluded.
    #[serde(with = "number")]
    pub total_flos: f64,
    /// The mean loss of all steps.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// The number of epochs completed, with the fraction of the current one.
    #[serde(with = "number")]
    pub epoch: f64,
}

/// The failure that ended a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The error message.
    pub message: String,
    /// A suggested remedy, if any.
    pub hint: Option<String>,
    /// The number of steps completed.
    pub step: u64,
}

#[cfg(test)]
mod tests;
