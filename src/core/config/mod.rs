//! What a run is told to do: flags over the recipe's values over Hugging Face's defaults, each
//! with the reason why it holds.

mod resolve;
mod saving;

pub use resolve::{DEFAULT_LENGTH, resolve, show_number};

use crate::core::data::batching::SamplingStrategy;
use crate::core::train::schedule::SchedulerType;
use clap::ValueEnum;
use std::path::PathBuf;

/// A set of values that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Recipe {
    /// Hugging Face Trainer's defaults with the tutorial's arguments
    #[default]
    Trainer,
    /// The tutorial's hand-written PyTorch loop: a constant rate, weight decay 0.01 on
    /// everything, no clipping, data in order
    Native,
}

impl Recipe {
    /// The value that holds under this recipe.
    fn either<T>(self, trainer: T, native: T) -> T {
        match self {
            Self::Trainer => trainer,
            Self::Native => native,
        }
    }
}

/// Hugging Face's `eval_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EvalStrategy {
    /// Only at the end
    No,
    /// Every --eval-steps steps, and at the end
    Steps,
    /// After each epoch, and at the end
    Epoch,
}

/// Hugging Face's `save_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaveStrategy {
    /// No checkpoints, only the model at the end
    No,
    /// Every --save-steps steps, and at the last
    Steps,
    /// After each epoch
    Epoch,
    /// Whenever an evaluation is the best so far
    Best,
}

/// Who is told of a run's figures, beside the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportTo {
    /// Event files for TensorBoard
    Tensorboard,
    /// Nobody
    None,
}

/// So many steps, or below 1 a share of all steps, as transformers takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepInterval(f64);

impl StepInterval {
    /// So many steps, or a share of all.
    pub fn new(steps_or_share: f64) -> Self {
        Self(steps_or_share)
    }

    /// How many of `max_steps` steps that is; at least one.
    pub fn of(self, max_steps: u64) -> u64 {
        let steps = if self.0 < 1.0 { (self.0 * max_steps as f64).ceil() } else { self.0 };
        (steps as u64).max(1)
    }

    /// Whether every multiple of this is one of the other, too.
    fn is_multiple_of(self, other: Self) -> bool {
        if (self.0 < 1.0) != (other.0 < 1.0) {
            return false;
        }
        let times = self.0 / other.0;
        (times - times.round()).abs() < 1e-9 && times >= 1.0
    }
}

impl std::fmt::Display for StepInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What was asked for cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ConfigError(String);

/// Everything the trainer needs to know, by Hugging Face's names.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are Hugging Face's, and --help explains each")]
pub struct TrainingArguments {
    pub output_dir: PathBuf,
    pub num_train_epochs: f64,
    /// Overrides `num_train_epochs` where set.
    pub max_steps: Option<u64>,
    pub per_device_train_batch_size: usize,
    pub per_device_eval_batch_size: usize,
    /// Batches whose gradients are added up for one step.
    pub gradient_accumulation_steps: usize,
    /// Batches of more tokens are computed in parts.
    pub max_tokens_per_batch: Option<usize>,
    pub learning_rate: f64,
    pub lr_scheduler_type: SchedulerType,
    /// Steps, or below 1 a share of all steps.
    pub warmup_steps: f64,
    pub weight_decay: f64,
    /// Whether weight decay also applies to biases and layer normalisations.
    pub decay_everything: bool,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    /// 0 does not clip.
    pub max_grad_norm: f64,
    pub label_smoothing_factor: f64,
    pub train_sampling_strategy: SamplingStrategy,
    pub pad_to_max_length: bool,
    pub max_seq_length: usize,
    pub eval_strategy: EvalStrategy,
    pub eval_steps: StepInterval,
    pub logging_steps: StepInterval,
    pub save_strategy: SaveStrategy,
    pub save_steps: StepInterval,
    pub save_total_limit: Option<usize>,
    pub save_only_model: bool,
    pub load_best_model_at_end: bool,
    pub metric_for_best_model: Option<String>,
    pub greater_is_better: bool,
    pub report_to: ReportTo,
    pub logging_dir: Option<PathBuf>,
    pub seed: u64,
    pub data_seed: u64,
}

impl TrainingArguments {
    /// Steps in one epoch over `samples` examples.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        let batches = samples.div_ceil(self.per_device_train_batch_size.max(1));
        batches.div_ceil(self.gradient_accumulation_steps.max(1)).max(1) as u64
    }

    /// Steps in the whole run, as the Trainer counts them.
    pub fn max_steps(&self, samples: usize) -> u64 {
        self.max_steps.unwrap_or_else(|| {
            (self.num_train_epochs * self.steps_per_epoch(samples) as f64).ceil() as u64
        })
    }

    /// Whether a best model, judged every so many steps, is also saved when it is judged.
    ///
    /// # Errors
    /// If it would not be.
    pub fn check_steps(&self, samples: usize) -> Result<(), ConfigError> {
        let both =
            self.eval_strategy == EvalStrategy::Steps && self.save_strategy == SaveStrategy::Steps;
        if !self.load_best_model_at_end || !both {
            return Ok(());
        }
        let of = |interval: StepInterval| interval.of(self.max_steps(samples));
        let (save, eval) = (of(self.save_steps), of(self.eval_steps));
        if save.is_multiple_of(eval) {
            return Ok(());
        }
        Err(ConfigError(format!(
            "--load-best-model-at-end needs --save-steps to be a multiple of --eval-steps, but \
             {save} is not one of {eval}"
        )))
    }

    /// Epochs of the whole run: as asked for, or those that `max_steps` reaches into.
    pub fn epochs(&self, samples: usize) -> f64 {
        match self.max_steps {
            Some(steps) => steps.div_ceil(self.steps_per_epoch(samples)) as f64,
            None => self.num_train_epochs,
        }
    }

    /// Warm-up in steps: a value below 1 is a share, rounded up as the Trainer does.
    pub fn warmup(&self, max_steps: u64) -> u64 {
        if self.warmup_steps < 1.0 {
            (self.warmup_steps * max_steps as f64).ceil() as u64
        } else {
            self.warmup_steps as u64
        }
    }
}

/// What the model says about its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelTraits {
    /// Whether it starts from random weights.
    pub random_weights: bool,
    /// How many tokens it can read.
    pub max_tokens: usize,
}
