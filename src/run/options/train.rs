//! All options of a training run.

use super::dataset::DatasetOptions;
use super::group::{Given, OptionGroup, compose_option_groups, option_group};
use super::parse::{
    assignments, below_one, bf16, boolean, count, factor, from_str, interval, length, max_steps,
    not_negative, path, positive, probes, rollbacks, text, whole,
};
use super::pretraining::PretrainingOptions;
use crate::core::data::batching::SamplingStrategy;
use crate::core::engine::device::DeviceChoice;
use crate::core::engine::{Bf16, EngineOptions, Ops};
use crate::core::model::Pooling;
use crate::core::model::embedded::EMBEDDED_MODEL;
use crate::core::train::arguments::{
    ClassWeights, EvalStrategy, NanPolicy, Recipe, ReportTo, SaveStrategy, StepInterval,
};
use crate::core::train::checkpoint::list;
use crate::core::train::schedule::SchedulerType;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

option_group! {
    /// The model that a run starts from.
    pub struct ModelOptions {
        /// A folder, or a model of the Hugging Face hub; the embedded model if not given.
        model_name_or_path: String = text,
        /// The branch, tag or commit of a model of the hub.
        revision: String = text,
        /// Whether tensors of another shape are newly initialized instead of being an error.
        ignore_mismatched_sizes: bool = boolean,
        /// What the classification head reads of the last layer; what the model's config.json says
        /// if not given.
        pooling: Pooling = from_str,
        /// The number of layers at the top of the encoder that are newly initialized.
        reinit_top_layers: usize = whole,
        /// Values of config.json to replace.
        config_overrides: Vec<(String, Value)> = assignments,
    }
}

option_group! {
    /// The arguments of the trainer, with the names of Hugging Face's `TrainingArguments`.
    pub struct TrainerOptions {
        /// The most tokens of a text; the rest is truncated.
        max_seq_length: usize = length,
        /// Whether every batch is padded to the longest text of its split.
        pad_to_max_length: bool = boolean,
        /// The order of the examples.
        train_sampling_strategy: SamplingStrategy = from_str,
        /// The set of default values.
        recipe: Recipe = from_str,
        /// The number of epochs.
        num_train_epochs: f64 = positive,
        /// The number of steps, which overrides the epochs; `None` for no limit.
        max_steps: Option<u64> = max_steps,
        /// Examples in a training batch.
        per_device_train_batch_size: usize = count,
        /// The number of batches whose gradients are accumulated for one step.
        gradient_accumulation_steps: usize = count,
        /// The most tokens that are computed at once.
        max_tokens_per_batch: usize = count,
        /// Whether only each layer's input is stored for the backward pass.
        gradient_checkpointing: bool = boolean,
        /// Examples in an evaluation batch.
        per_device_eval_batch_size: usize = count,
        /// The highest learning rate.
        learning_rate: f64 = positive,
        /// The learning rate schedule.
        lr_scheduler_type: SchedulerType = from_str,
        /// The number of warm-up steps, or below 1 their share of all steps.
        warmup_steps | "warmup_ratio": f64 = not_negative,
        /// Decoupled weight decay.
        weight_decay: f64 = not_negative,
        /// The norm that gradients are clipped to; 0 disables clipping.
        max_grad_norm: f64 = not_negative,
        /// The decay rate of the first moment in `AdamW`.
        adam_beta1: f64 = below_one,
        /// The decay rate of the second moment in `AdamW`.
        adam_beta2: f64 = below_one,
        /// `AdamW`'s epsilon.
        adam_epsilon: f64 = positive,
        /// The factor of the learning rate from one layer to the next below.
        layerwise_lr_decay: f64 = factor,
        /// The decay of the exponential moving average of the weights; 0 keeps none.
        ema_decay: f64 = below_one,
        /// The share of the target that is spread evenly over all labels.
        label_smoothing_factor: f64 = below_one,
        /// The weights of classes in the training loss.
        class_weights: ClassWeights = from_str,
        /// The factor of R-Drop's divergence; 0 disables R-Drop.
        rdrop_alpha: f64 = not_negative,
        /// The number of unlabelled examples in a step.
        unlabelled_batch_size: usize = count,
        /// The fraction of all steps before the first with pseudo-labels.
        pseudo_label_warmup: f64 = below_one,
        /// The least probability of a pseudo-label.
        pseudo_label_threshold: f64 = below_one,
        /// The weight of the loss of pseudo-labelled examples.
        pseudo_label_weight: f64 = positive,
        /// When to evaluate.
        eval_strategy: EvalStrategy = from_str,
        /// Steps between evaluations.
        eval_steps: StepInterval = interval,
        /// Steps between log entries.
        logging_steps: StepInterval = interval,
        /// The number of evaluations without an improvement that end the run; 0 for no such end.
        early_stopping_patience: u64 = whole,
        /// How much more than this the metric of the best model must improve.
        early_stopping_threshold: f64 = not_negative,
        /// What follows a step whose loss or gradient norm is not finite.
        nan_policy: NanPolicy = from_str,
        /// How often the run may go back to a checkpoint after such a step.
        nan_rollbacks: u64 = rollbacks,
        /// Whether a batch that the device has no memory for is computed in smaller parts.
        auto_find_batch_size: bool = boolean,
        /// The seed of initial weights and dropout.
        seed: u64 = whole,
        /// The seed of the order of the examples.
        data_seed: u64 = whole,
    }
}

option_group! {
    /// The compute device and how it computes.
    pub struct ComputeOptions {
        /// The device.
        device: DeviceChoice = from_str,
        /// The number of CPU threads.
        threads: usize = count,
        /// Whether matrices are multiplied in bfloat16.
        bf16: Bf16 = bf16,
        /// Whether a GPU multiplies in TensorFloat-32.
        tf32: bool = boolean,
        /// The implementation of the operations.
        ops: Ops = from_str,
    }
}

option_group! {
    /// What a run writes, where and when.
    pub struct OutputOptions {
        /// Where checkpoints and the model are saved.
        output_dir: PathBuf = path,
        /// When to write a checkpoint.
        save_strategy: SaveStrategy = from_str,
        /// Steps between checkpoints.
        save_steps: StepInterval = interval,
        /// Whether the predictions of each evaluation are kept.
        save_predictions: bool = boolean,
        /// The pinned sentences, which each evaluation classifies.
        probe: Vec<String> = probes,
        /// The most checkpoints to keep; 0 keeps all.
        save_total_limit: usize = whole,
        /// Whether checkpoints contain only the model, without the state that resuming needs.
        save_only_model: bool = boolean,
        /// Whether the best checkpoint is loaded at the end of the run.
        load_best_model_at_end: bool = boolean,
        /// The metric that selects the best model.
        metric_for_best_model: String = text,
        /// Whether a higher metric is better.
        greater_is_better: bool = boolean,
        /// The checkpoint to resume from.
        resume_from_checkpoint: ResumeFrom = ResumeFrom::parse,
        /// Where metrics are written besides the journal.
        report_to: ReportTo = from_str,
        /// The folder of TensorBoard's event files.
        logging_dir: PathBuf = path,
    }
}

compose_option_groups! {
    /// All options of a training run.
    pub struct TrainOptions {
        /// The model to start from.
        model: ModelOptions,
        /// The data.
        data: DatasetOptions,
        /// The objective of pretraining.
        pretraining: PretrainingOptions,
        /// The arguments of the trainer.
        trainer: TrainerOptions,
        /// The device.
        compute: ComputeOptions,
        /// The output of the run.
        output: OutputOptions,
    }
}

/// A value of `resume_from_checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeFrom {
    /// Do not resume.
    No,
    /// From the last checkpoint in the output folder.
    Last,
    /// From the last whole checkpoint in the output folder, if there is one.
    Auto,
    /// From this checkpoint, or from the last one in this folder.
    Folder(PathBuf),
}

impl ResumeFrom {
    /// The text for the last checkpoint. In Python it is `True`.
    pub const LAST: &'static str = "last";

    /// The text for the last whole checkpoint, if there is one.
    pub const AUTO: &'static str = "auto";

    fn parse(text: &OsStr) -> Result<Self, String> {
        Ok(match text.to_str() {
            Some("false" | "False") => Self::No,
            Some(Self::LAST | "true" | "True") => Self::Last,
            Some(Self::AUTO) => Self::Auto,
            _ => Self::Folder(path(text)?),
        })
    }
}

impl ModelOptions {
    /// The branch, tag or commit of a model of the hub.
    pub fn hub_revision(&self) -> &str {
        self.revision.as_ref().map_or("main", |given| &given.value)
    }

    /// Values of config.json to replace.
    pub fn overrides(&self) -> &[(String, Value)] {
        self.config_overrides.as_ref().map_or(&[], |given| &given.value)
    }
}

impl ComputeOptions {
    /// The options of an engine that only predicts.
    pub fn engine_options(&self) -> EngineOptions {
        EngineOptions {
            ops: Given::value_or_default(self.ops.as_ref()),
            device: Given::value_or_default(self.device.as_ref()),
            bf16: Given::value_or_default(self.bf16.as_ref()),
            tf32: Given::value_or_default(self.tf32.as_ref()),
            auto_gpu: 0,
            int8: false,
            keep_weights: false,
            threads: Given::value_or_default(self.threads.as_ref()),
            gradient_checkpointing: false,
        }
    }
}

impl TrainOptions {
    /// The options of the engine that trains.
    pub fn engine_options(&self) -> EngineOptions {
        let compute = self.compute.engine_options();
        let trains_embedded = self.pretraining.chosen().is_none()
            && self.model.model_name_or_path.as_ref().is_none_or(|g| g.value == EMBEDDED_MODEL);
        let is_chosen = self.compute.bf16.is_some() || compute.ops == Ops::Reference;
        EngineOptions {
            gradient_checkpointing: Given::value_or_default(
                self.trainer.gradient_checkpointing.as_ref(),
            ),
            // Measured for this model: its accuracy is the same.
            bf16: if trains_embedded && !is_chosen { Bf16::Auto } else { compute.bf16 },
            ..compute
        }
    }

    /// The folder that the run writes to.
    pub fn output_dir(&self) -> &Path {
        let given = self.output.output_dir.as_ref();
        given.map_or(Path::new("outputs"), |given| &given.value)
    }

    /// Merges with the options of a source that has less priority. A number of epochs that is given
    /// overrides a number of steps of that source, which would otherwise override the epochs.
    #[must_use]
    pub fn over(self, mut lower: Self) -> Self {
        self.override_length(&mut lower);
        self.or(lower)
    }

    /// Removes the number of steps from `lower` if this source gives a number of epochs instead.
    pub fn override_length(&self, lower: &mut Self) {
        if self.trainer.num_train_epochs.is_some() && self.trainer.max_steps.is_none() {
            lower.trainer.max_steps = None;
        }
    }

    /// Starts anew under `resume_from_checkpoint = auto` if the output folder has no checkpoint.
    pub fn start_anew_without_checkpoint(&mut self) {
        if self.resume_from() == Some(&ResumeFrom::Auto) && list(self.output_dir()).is_empty() {
            self.output.resume_from_checkpoint = None;
        }
    }

    /// The checkpoint to resume from; `None` if the run is not resumed.
    pub fn resume_from(&self) -> Option<&ResumeFrom> {
        let given = self.output.resume_from_checkpoint.as_ref().map(|given| &given.value);
        given.filter(|from| **from != ResumeFrom::No)
    }
}
