//! Flags of `train`, by the names of Hugging Face's `TrainingArguments`.

use super::compute::Compute;
use super::display::DisplayFlags;
use super::merge::Sources;
use super::shared::{Columns, EvalSource, Shuffle, TrainSource};
use super::values::{
    assignment, count, interval, length, max_steps, not_negative, positive, share, truth,
};
use crate::core::config::{EvalStrategy, Recipe, ReportTo, SaveStrategy, StepInterval};
use crate::core::data::batching::SamplingStrategy;
use crate::core::engine::EngineOptions;
use crate::core::train::schedule::SchedulerType;
use clap::{ArgAction, Args};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What stands for the last checkpoint where no folder is named. In Python it is `True`.
const LAST: &str = "last";

/// The checkpoint that a value of `--resume-from-checkpoint` names; `None` for the last one.
pub(super) fn named_checkpoint(value: &Path) -> Option<&Path> {
    let last = [LAST, "True", "true"].iter().any(|last| value == Path::new(last));
    (!last).then_some(value)
}

/// Whether a value of `--resume-from-checkpoint` says no.
pub(super) fn is_no(value: &Path) -> bool {
    ["false", "False"].iter().any(|no| value == Path::new(no))
}

impl TrainFlags {
    /// What computes, and how.
    pub fn engine_options(&self) -> EngineOptions {
        let gradient_checkpointing = self.gradient_checkpointing;
        EngineOptions { gradient_checkpointing, ..self.compute.options() }
    }

    /// Whether to resume, and from which checkpoint; `Some(None)` for the last one.
    pub fn resume(&self) -> Option<Option<&Path>> {
        let asked = self.resume_from_checkpoint.as_deref();
        // In a file, as in Python, `false` is the way to say no.
        asked.filter(|value| !is_no(value)).map(named_checkpoint)
    }
}

/// Flags of `train`.
#[derive(Args, Clone, Debug, Default)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TrainFlags {
    /// A model of the Hugging Face hub, such as `klue/bert-base`, or a folder with config.json
    /// and, to start from weights, model.safetensors [default: the embedded small Korean BERT]
    #[arg(long, value_name = "ID|FOLDER", help_heading = "Model")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main", help_heading = "Model")]
    pub revision: String,
    /// Start tensors of another shape anew, such as a head of other classes, instead of refusing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Model")]
    pub ignore_mismatched_sizes: bool,
    /// Values of config.json to replace, such as `hidden_size=256`
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',', value_parser = assignment, help_heading = "Model")]
    pub config_overrides: Vec<(String, Value)>,

    #[command(flatten)]
    pub train_source: TrainSource,
    #[command(flatten)]
    pub eval_source: EvalSource,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub shuffle: Shuffle,
    /// Cut reviews to so many tokens [default: 160, or what the model allows]
    #[arg(long, value_name = "N", value_parser = length, help_heading = "Data")]
    pub max_seq_length: Option<usize>,
    /// Pad every batch to the longest review of its split, as the tutorial does; the fused
    /// operations skip padding, so that only --ops plain takes the longer for it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Data")]
    pub pad_to_max_length: bool,
    /// Which reviews share a batch, and in which order [default: `group_by_length`; recipe native: sequential]
    #[arg(long, value_name = "STRATEGY", help_heading = "Data")]
    pub train_sampling_strategy: Option<SamplingStrategy>,

    /// A set of values that belong together [default: trainer]
    #[arg(long, value_enum, help_heading = "Training")]
    pub recipe: Option<Recipe>,
    /// Times to go through the data [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = positive, help_heading = "Training")]
    pub num_train_epochs: Option<f64>,
    /// Stop after so many steps, whatever the epochs (-1: no limit)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = max_steps, help_heading = "Training")]
    pub max_steps: Option<i64>,
    /// Reviews a training step [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count, help_heading = "Training")]
    pub per_device_train_batch_size: Option<usize>,
    /// Add up the gradients of so many batches for one step [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count, help_heading = "Training")]
    pub gradient_accumulation_steps: Option<usize>,
    /// Compute no more tokens than this at once: a larger batch goes in parts, whose gradients
    /// are added up
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count, help_heading = "Training")]
    pub max_tokens_per_batch: Option<usize>,
    /// Keep only each layer's input and compute the rest again in the backward pass: less memory,
    /// a third more time
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Training")]
    pub gradient_checkpointing: bool,
    /// Reviews an evaluation batch [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count, help_heading = "Training")]
    pub per_device_eval_batch_size: Option<usize>,
    /// The highest learning rate [default: 5e-5; from random weights 2e-4]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// How the rate changes [default: linear; recipe native: constant]
    #[arg(long, value_name = "TYPE", help_heading = "Training")]
    pub lr_scheduler_type: Option<SchedulerType>,
    /// Steps, or below 1 a share of all steps, in which the rate rises from zero [default: 0;
    /// from random weights 0.1]
    #[arg(long, value_name = "N", alias = "warmup-ratio", allow_negative_numbers = true, value_parser = not_negative, help_heading = "Training")]
    pub warmup_steps: Option<f64>,
    /// Decoupled weight decay [default: 0; recipe native: 0.01]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// Clip gradients to this norm, 0 for not at all [default: 1; recipe native: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = not_negative, help_heading = "Training")]
    pub max_grad_norm: Option<f64>,
    /// AdamW's decay of the mean [default: 0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = share, help_heading = "Training")]
    pub adam_beta1: Option<f64>,
    /// AdamW's decay of the variance [default: 0.999]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = share, help_heading = "Training")]
    pub adam_beta2: Option<f64>,
    /// AdamW's epsilon [default: 1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = positive, help_heading = "Training")]
    pub adam_epsilon: Option<f64>,
    /// Share of the loss that all labels get alike [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = share, help_heading = "Training")]
    pub label_smoothing_factor: Option<f64>,
    /// When to evaluate [default: epoch]
    #[arg(long, value_name = "WHEN", help_heading = "Training")]
    pub eval_strategy: Option<EvalStrategy>,
    /// Steps, or below 1 a share of all steps, between evaluations under --eval-strategy steps [default: that of --logging-steps]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = interval, help_heading = "Training")]
    pub eval_steps: Option<StepInterval>,
    /// Steps, or below 1 a share of all steps, between log lines [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = interval, help_heading = "Training")]
    pub logging_steps: Option<StepInterval>,
    /// Seed of initial weights and dropout [default: 42]
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub seed: Option<u64>,
    /// Seed of the order of the data [default: that of --seed]
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub data_seed: Option<u64>,
    #[command(flatten)]
    pub compute: Compute,

    /// Where checkpoints and the model are saved [default: outputs]
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub output_dir: Option<PathBuf>,
    /// When to write a checkpoint [default: steps]
    #[arg(long, value_name = "WHEN", help_heading = "Output")]
    pub save_strategy: Option<SaveStrategy>,
    /// Steps, or below 1 a share of all steps, between checkpoints [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = interval, help_heading = "Output")]
    pub save_steps: Option<StepInterval>,
    /// Keep so many checkpoints, the best one among them; 0 keeps all [default: 2]
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub save_total_limit: Option<usize>,
    /// Leave out of checkpoints what resuming needs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Output")]
    pub save_only_model: bool,
    /// End with the best checkpoint instead of the last
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Output")]
    pub load_best_model_at_end: bool,
    /// The best by loss, accuracy, f1, precision or recall [default: loss]
    #[arg(long, value_name = "METRIC", help_heading = "Output")]
    pub metric_for_best_model: Option<String>,
    /// Whether more of it is better [default: true, but for loss]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = truth, help_heading = "Output")]
    pub greater_is_better: Option<bool>,
    /// Go on from a checkpoint [default: the last one in --output-dir, with its run.toml]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = LAST, help_heading = "Output")]
    pub resume_from_checkpoint: Option<PathBuf>,
    /// Who else is told of the figures [default: tensorboard]
    #[arg(long, value_name = "WHOM", help_heading = "Output")]
    pub report_to: Option<ReportTo>,
    /// Where TensorBoard's event files go [default: runs/… in --output-dir]
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub logging_dir: Option<PathBuf>,
    /// A TOML file of arguments, such as a run's run.toml; flags and the environment win
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub config: Option<PathBuf>,
    /// Print what would hold, as TOML, and do nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Output")]
    pub print_config: bool,
    /// Print lines instead of opening the dashboard; so it is without a terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Output")]
    pub plain: bool,
    /// Print each event as one JSON object a line
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Output")]
    pub json: bool,
    #[command(flatten)]
    pub display: DisplayFlags,

    /// Where each value came from.
    #[arg(skip)]
    pub sources: Sources,
}
