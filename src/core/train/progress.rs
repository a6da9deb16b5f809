//! The progress of a run: the state needed to resume it, besides the model and the optimizer's
//! moments. Dropout and the order of the data are functions of the seeds and the step, so no
//! random generator state is saved.

use super::event::{
    Evaluated, Finished, LogEntry, Step, TrainMetrics, training_entry, with_pseudo_labels,
};
use super::metrics::Confusion;
use crate::core::data::batching::Example;
use crate::core::train::arguments::StartingWeights;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A sum of losses over steps, for their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSum {
    /// The sum of losses.
    pub loss: f64,
    /// The number of steps in the sum.
    pub steps: u64,
}

impl LossSum {
    pub(super) fn add(&mut self, loss: f64) {
        self.loss += loss;
        self.steps += 1;
    }

    /// The mean loss.
    pub fn mean(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }
}

/// A sum of fractions of unlabelled examples over steps, for their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PseudoLabelSum {
    /// The sum of fractions.
    pub fractions: f64,
    /// The number of steps in the sum.
    pub steps: u64,
}

impl PseudoLabelSum {
    /// Adds the fraction of a step; nothing for a step without unlabelled examples.
    pub(super) fn extend(&mut self, fraction: Option<f64>) {
        self.fractions += fraction.unwrap_or(0.0);
        self.steps += u64::from(fraction.is_some());
    }

    /// The mean fraction, if there is one.
    pub fn mean(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.fractions / self.steps as f64)
    }

    fn is_empty(&self) -> bool {
        self.steps == 0
    }
}

/// The progress of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The number of optimizer steps completed.
    pub step: u64,
    /// The step of the last evaluation, if any.
    pub evaluated_at: Option<u64>,
    /// The step of the last checkpoint, if any.
    pub saved_at: Option<u64>,
    /// The number of examples trained on.
    pub samples: usize,
    /// The number of tokens trained on, including padding.
    pub padded_tokens: usize,
    /// The sum of losses of the whole run.
    pub all: LossSum,
    /// The sum of losses of the current epoch.
    pub epoch: LossSum,
    /// The sum of losses since the last log entry.
    pub since_logged: LossSum,
    /// The sum of fractions of pseudo-labelled examples since the last log entry.
    #[serde(default, skip_serializing_if = "PseudoLabelSum::is_empty")]
    pub pseudo_labelled: PseudoLabelSum,
    /// The confusion matrix of the training predictions in the current epoch.
    pub confusion: Confusion,
    /// The best evaluation so far, by `metric_for_best_model`.
    pub best: Option<Evaluated>,
    /// Seconds of training, excluding pauses.
    pub elapsed: f64,
    /// The factor applied to the scheduled learning rate; 1 until a command or a rollback changes
    /// the rate.
    #[serde(default = "unchanged")]
    pub rate_factor: f64,
    /// How often the run went back to a checkpoint after a step whose loss or gradient norm was not
    /// finite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rollbacks: u64,
    /// The number of parts in which each batch is computed; more than 1 after the device was out of
    /// memory.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub batch_division: usize,
}

fn unchanged() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn whole() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_whole(division: &usize) -> bool {
    *division == 1
}

impl Progress {
    /// The progress before the first step, for a model with this number of classes.
    pub fn new(classes: usize) -> Self {
        Self {
            step: 0,
            evaluated_at: None,
            saved_at: None,
            samples: 0,
            padded_tokens: 0,
            all: LossSum::default(),
            epoch: LossSum::default(),
            since_logged: LossSum::default(),
            pseudo_labelled: PseudoLabelSum::default(),
            confusion: Confusion::new(classes),
            best: None,
            elapsed: 0.0,
            rate_factor: unchanged(),
            rollbacks: 0,
            batch_division: whole(),
        }
    }

    /// Resets the loss sum and the confusion matrix of the epoch before its first step.
    pub(super) fn begin_epoch(&mut self) {
        self.epoch = LossSum::default();
        self.confusion = Confusion::new(self.confusion.counts.len());
    }

    /// The log entry that is due after this step; the sums since the previous entry start again.
    pub(super) fn log_entry(&mut self, step: &Step) -> LogEntry {
        let loss = std::mem::take(&mut self.since_logged).mean();
        let fraction = std::mem::take(&mut self.pseudo_labelled).mean();
        with_pseudo_labels(training_entry(step, loss), fraction)
    }

    /// transformers' `total_flos`: 6 × tokens × parameters, with padding tokens included and
    /// embeddings excluded.
    pub(super) fn total_flos(&self, parameters: usize) -> f64 {
        6.0 * self.padded_tokens as f64 * parameters as f64
    }

    /// The [`Finished`] event of a run that ends with this progress.
    pub(super) fn finished(
        &self,
        parameters: usize,
        max_steps: u64,
        steps_per_epoch: u64,
    ) -> Finished {
        let seconds = self.elapsed;
        Finished {
            global_step: self.step,
            training_loss: self.all.mean(),
            metrics: TrainMetrics {
                train_runtime: seconds,
                train_samples_per_second: self.samples as f64 / seconds,
                train_steps_per_second: self.step as f64 / seconds,
                total_flos: self.total_flos(parameters),
                train_loss: self.all.mean(),
                epoch: self.step as f64 / steps_per_epoch as f64,
            },
            stopped: self.step < max_steps,
            early_stopping: None,
        }
    }
}

/// The part of a checkpoint that only this program reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The version of the file format: [`VERSION`].
    pub version: u32,
    /// The SHA-256 of the file itself, computed with zeros in this place; `None` in checkpoints of
    /// earlier versions.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The SHA-256 of each other file of the checkpoint, by name; empty in checkpoints of earlier
    /// versions.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The progress of the run.
    pub progress: Progress,
    /// The number of updates that the optimizer has applied.
    pub optimizer_steps: u64,
    /// Whether `model.safetensors` has the average of the weights, and the optimizer's file the
    /// weights.
    #[serde(default)]
    pub averages_weights: bool,
    /// The seed of the initial weights and of dropout.
    pub seed: u64,
    /// The seed of the data order.
    pub data_seed: u64,
    /// The number of processes that trained together.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub world_size: usize,
    /// The weights that the run started from, which determine its default learning rate.
    /// Checkpoints of earlier versions have whether they were random.
    #[serde(default, alias = "random_weights", deserialize_with = "starting_weights")]
    pub starting_weights: StartingWeights,
    /// The folder of the run's TensorBoard files below its output folder, if it writes any there.
    pub logging_dir: Option<PathBuf>,
    /// The fingerprint of the training examples, to detect that the data changed.
    pub data: String,
    /// The fingerprint of the evaluation examples; `None` in checkpoints of earlier versions.
    #[serde(default)]
    pub eval_data: Option<String>,
    /// The fingerprint of the unlabelled examples, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlabelled_data: Option<String>,
    /// The effective options of the run, by name; empty in checkpoints of earlier versions.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// Reads the weights' name, or whether they are random.
fn starting_weights<'de, D: Deserializer<'de>>(from: D) -> Result<StartingWeights, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Name(StartingWeights),
        IsRandom(bool),
    }
    Ok(match Stored::deserialize(from)? {
        Stored::Name(weights) => weights,
        Stored::IsRandom(is_random) => StartingWeights::of_file(!is_random),
    })
}

/// The current version of the file format.
pub const VERSION: u32 = 1;

/// A fingerprint of the examples and their order: the 64-bit FNV-1a hash (Fowler, Noll, Vo).
pub fn fingerprint(examples: &[Example]) -> String {
    #[cfg(test)]
    FINGERPRINTS.set(FINGERPRINTS.get() + 1);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut update = |value: u32| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for example in examples {
        update(example.label);
        update(example.ids.len() as u32);
        example.ids.iter().copied().for_each(&mut update);
    }
    format!("{} examples, {hash:016x}", examples.len())
}

#[cfg(test)]
thread_local! {
    /// How often this thread has computed a fingerprint.
    pub(super) static FINGERPRINTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
