//! The arguments of a training run, with the names of Hugging Face's `TrainingArguments`.

mod choices;
mod consistency;

pub use choices::{
    ClassWeights, EvalStrategy, NanPolicy, Recipe, ReportTo, SaveStrategy, StartingWeights,
    StepInterval,
};
pub use consistency::BEST_MODEL_METRICS;

use crate::core::data::batching::SamplingStrategy;
use crate::core::train::schedule::SchedulerType;
use std::path::PathBuf;

/// The default maximum sequence length in tokens. NSMC's longest review has 142 mBERT tokens.
pub const DEFAULT_MAX_SEQ_LENGTH: usize = 160;

/// The default learning rate for a small model trained from random weights. 5e-5, the default for
/// fine-tuning, suits pretrained weights; with random weights the loss hardly decreases in 630
/// steps.
const RANDOM_WEIGHTS_LEARNING_RATE: f64 = 2e-4;

/// The default learning rate for the embedded model, selected on reviews of NSMC's train split.
const EMBEDDED_LEARNING_RATE: f64 = 1e-4;

/// The default number of epochs for the embedded model, which overfits the tutorial's sample in its
/// 10 epochs; selected on reviews of NSMC's train split.
const EMBEDDED_EPOCHS: f64 = 4.0;

/// The default rate of a layer of the embedded model as a fraction of that of the layer above.
const EMBEDDED_LAYERWISE_DECAY: f64 = 0.85;

/// The default warm-up for training from random weights or from the embedded model, as a fraction of
/// all steps.
const WARMUP: f64 = 0.1;

/// Training arguments that contradict each other or the data.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The arguments of a training run, by Hugging Face's names.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are Hugging Face's, and --help explains each")]
pub struct TrainingArguments {
    pub output_dir: PathBuf,
    pub num_train_epochs: f64,
    /// Overrides `num_train_epochs` if set.
    pub max_steps: Option<u64>,
    pub per_device_train_batch_size: usize,
    pub per_device_eval_batch_size: usize,
    /// The number of batches whose gradients are accumulated for one optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Batches with more tokens than this are split and computed in parts.
    pub max_tokens_per_batch: Option<usize>,
    pub learning_rate: f64,
    pub lr_scheduler_type: SchedulerType,
    /// In steps; a value below 1 is a fraction of all steps.
    pub warmup_steps: f64,
    pub weight_decay: f64,
    /// Whether weight decay also applies to biases and layer normalizations.
    pub decay_everything: bool,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    /// The factor of the learning rate from one layer to the next below.
    pub layerwise_lr_decay: f64,
    /// The decay of the exponential moving average of the weights; 0 keeps none.
    pub ema_decay: f64,
    /// 0 disables gradient clipping.
    pub max_grad_norm: f64,
    pub label_smoothing_factor: f64,
    /// With class weights the loss of a step is that of PyTorch's `CrossEntropyLoss(weight=…)`: the
    /// weighted sum of its examples' losses, divided by the sum of their weights.
    pub class_weights: ClassWeights,
    /// The factor α of R-Drop (Liang et al., 2021); 0 disables it. The loss of an example is
    /// `½ (CE₁ + CE₂) + α × ½ (KL(p‖q) + KL(q‖p))`, the divergences summed over the classes, as in
    /// the code of github.com/dropreg/R-Drop. The paper's equation 4 is twice this loss with half
    /// of its α. A weight of the example's class weights all of it.
    pub rdrop_alpha: f64,
    /// Unlabelled examples in a step.
    pub unlabelled_batch_size: usize,
    /// The fraction of all steps before the first with pseudo-labelled examples.
    pub pseudo_label_warmup: f64,
    /// The least probability of a pseudo-label.
    pub pseudo_label_threshold: f64,
    /// The weight of the loss of pseudo-labelled examples.
    pub pseudo_label_weight: f64,
    pub train_sampling_strategy: SamplingStrategy,
    pub pad_to_max_length: bool,
    pub max_seq_length: usize,
    pub eval_strategy: EvalStrategy,
    pub eval_steps: StepInterval,
    pub logging_steps: StepInterval,
    pub save_strategy: SaveStrategy,
    pub save_steps: StepInterval,
    /// `None` keeps all checkpoints.
    pub save_total_limit: Option<usize>,
    pub save_only_model: bool,
    pub load_best_model_at_end: bool,
    pub metric_for_best_model: Option<String>,
    pub greater_is_better: bool,
    /// The number of evaluations without an improvement that end the run; 0 disables early stopping.
    pub early_stopping_patience: u64,
    /// How much more than this the metric must improve.
    pub early_stopping_threshold: f64,
    /// What follows a step whose loss or gradient norm is not finite.
    pub nan_policy: NanPolicy,
    /// How often a run may go back to a checkpoint after such a step.
    pub nan_rollbacks: u64,
    /// Whether a batch that the device has no memory for is computed in smaller parts.
    pub auto_find_batch_size: bool,
    pub report_to: ReportTo,
    pub logging_dir: Option<PathBuf>,
    pub seed: u64,
    pub data_seed: u64,
    /// The number of processes that train together, each on its own batches.
    pub world_size: usize,
}

impl Default for TrainingArguments {
    /// The tutorial's arguments for a pretrained model.
    fn default() -> Self {
        Self::of_recipe(Recipe::default(), StartingWeights::default())
    }
}

impl TrainingArguments {
    /// The defaults of a recipe; the learning rate, its layer-wise decay, the warm-up and the
    /// number of epochs depend on the weights that the model starts from.
    pub fn of_recipe(recipe: Recipe, weights: StartingWeights) -> Self {
        let native = recipe == Recipe::Native;
        let has_warmup = weights != StartingWeights::Pretrained && !native;
        Self {
            output_dir: PathBuf::from("outputs"),
            num_train_epochs: match weights {
                StartingWeights::Embedded => EMBEDDED_EPOCHS,
                StartingWeights::Random | StartingWeights::Pretrained => 10.0,
            },
            max_steps: None,
            per_device_train_batch_size: 32,
            per_device_eval_batch_size: 32,
            gradient_accumulation_steps: 1,
            max_tokens_per_batch: None,
            learning_rate: match weights {
                StartingWeights::Random => RANDOM_WEIGHTS_LEARNING_RATE,
                StartingWeights::Embedded => EMBEDDED_LEARNING_RATE,
                StartingWeights::Pretrained => 5e-5,
            },
            lr_scheduler_type: if native { SchedulerType::Constant } else { SchedulerType::Linear },
            warmup_steps: if has_warmup { WARMUP } else { 0.0 },
            weight_decay: if native { 0.01 } else { 0.0 },
            decay_everything: native,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            layerwise_lr_decay: match weights {
                StartingWeights::Embedded => EMBEDDED_LAYERWISE_DECAY,
                StartingWeights::Random | StartingWeights::Pretrained => 1.0,
            },
            ema_decay: 0.0,
            max_grad_norm: if native { 0.0 } else { 1.0 },
            label_smoothing_factor: 0.0,
            class_weights: ClassWeights::None,
            rdrop_alpha: 0.0,
            unlabelled_batch_size: 32,
            pseudo_label_warmup: 0.3,
            pseudo_label_threshold: 0.9,
            pseudo_label_weight: 1.0,
            train_sampling_strategy: if native {
                SamplingStrategy::Sequential
            } else {
                SamplingStrategy::GroupByLength
            },
            pad_to_max_length: false,
            max_seq_length: DEFAULT_MAX_SEQ_LENGTH,
            eval_strategy: EvalStrategy::Epoch,
            eval_steps: StepInterval::new(50.0),
            logging_steps: StepInterval::new(50.0),
            save_strategy: SaveStrategy::Steps,
            save_steps: StepInterval::new(50.0),
            save_total_limit: Some(2),
            save_only_model: false,
            load_best_model_at_end: false,
            metric_for_best_model: None,
            greater_is_better: false,
            early_stopping_patience: 0,
            early_stopping_threshold: 0.0,
            nan_policy: NanPolicy::Stop,
            nan_rollbacks: 3,
            auto_find_batch_size: false,
            report_to: ReportTo::Tensorboard,
            logging_dir: None,
            seed: 42,
            data_seed: 42,
            world_size: 1,
        }
    }

    /// The number of optimizer steps in one epoch over `samples` examples.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        let batches = samples.div_ceil(self.per_device_train_batch_size.max(1));
        batches.div_ceil(self.batches_per_step()).max(1) as u64
    }

    /// The number of batches of one optimizer step, over all processes.
    pub fn batches_per_step(&self) -> usize {
        (self.gradient_accumulation_steps * self.world_size).max(1)
    }

    /// The number of optimizer steps in the whole run, as Hugging Face's Trainer computes it.
    pub fn max_steps(&self, samples: usize) -> u64 {
        self.max_steps.unwrap_or_else(|| {
            (self.num_train_epochs * self.steps_per_epoch(samples) as f64).ceil() as u64
        })
    }

    /// The number of epochs in the whole run: `num_train_epochs`, or as many as `max_steps` covers,
    /// including a last incomplete one.
    pub fn epochs(&self, samples: usize) -> f64 {
        match self.max_steps {
            Some(steps) => steps.div_ceil(self.steps_per_epoch(samples)) as f64,
            None => self.num_train_epochs,
        }
    }

    /// The warm-up in steps; a fraction of `max_steps` is rounded up, as in Hugging Face's Trainer.
    pub fn warmup(&self, max_steps: u64) -> u64 {
        if self.warmup_steps < 1.0 {
            (self.warmup_steps * max_steps as f64).ceil() as u64
        } else {
            self.warmup_steps as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trainer_recipe_has_the_tutorials_values() {
        let arguments = TrainingArguments::default();
        assert_eq!(arguments.learning_rate, 5e-5);
        assert_eq!(arguments.num_train_epochs, 10.0);
        assert_eq!(arguments.per_device_train_batch_size, 32);
        assert_eq!((arguments.weight_decay, arguments.max_grad_norm), (0.0, 1.0));
        assert_eq!(arguments.lr_scheduler_type, SchedulerType::Linear);
        assert_eq!(arguments.max_steps(2000), 630);
        assert_eq!(arguments.warmup(630), 0);
    }

    #[test]
    fn the_native_recipe_has_the_values_of_the_tutorials_loop() {
        let arguments = TrainingArguments::of_recipe(Recipe::Native, StartingWeights::Pretrained);
        assert_eq!(arguments.learning_rate, 5e-5);
        assert_eq!((arguments.weight_decay, arguments.max_grad_norm), (0.01, 0.0));
        assert!(arguments.decay_everything);
        assert_eq!(arguments.lr_scheduler_type, SchedulerType::Constant);
        assert_eq!(arguments.train_sampling_strategy, SamplingStrategy::Sequential);
    }

    #[test]
    fn warm_up_is_in_steps_or_a_fraction_of_all_steps() {
        let with = |warmup_steps| TrainingArguments { warmup_steps, ..Default::default() };
        assert_eq!(with(0.1).warmup(630), 63);
        assert_eq!(with(7.0).warmup(630), 7);
        let limited = TrainingArguments { max_steps: Some(5), ..Default::default() };
        assert_eq!((limited.max_steps(2000), limited.epochs(2000)), (5, 1.0));
    }
}
