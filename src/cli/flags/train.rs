//! Flags of `train`, by the names of Hugging Face's `TrainingArguments`.

use super::compute::ComputeFlags;
use super::display::DisplayFlags;
use super::notify::NotifyFlags;
use super::shared::{
    ColumnFlags, EvalRowsFlags, ShuffleFlags, SliceFlags, TrainRowsFlags, dataset_options,
};
use super::values::{choice, flag};
use crate::core::data::batching::SamplingStrategy;
use crate::core::model::Pooling;
use crate::core::train::arguments::{
    ClassWeights, EvalStrategy, NanPolicy, Recipe, ReportTo, SaveStrategy, StepInterval,
};
use crate::core::train::schedule::SchedulerType;
use crate::run::options::parse::{boolean, count, path};
use crate::run::options::{
    DatasetOptions, Given, ModelOptions, OutputOptions, PretrainingOptions, ResumeFrom,
    TrainOptions, TrainerOptions, UnlabelledSource, option_group,
};
use clap::{Args, ValueHint};
use serde_json::Value;
use std::path::PathBuf;

option_group! {
    /// Options of one call of the program, rather than of the run.
    pub struct InvocationOptions {
        /// A TOML file of options.
        config: PathBuf = path,
        /// Whether to print the effective settings only.
        print_config: bool = boolean,
        /// Whether to print lines instead of showing the dashboard.
        plain: bool = boolean,
        /// Whether to print events as JSON.
        json: bool = boolean,
        /// Whether to run in the background.
        detach: bool = boolean,
        /// The number of processes to train with on this machine.
        nproc_per_node: usize = count,
    }
}

/// Flags of `train`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TrainFlags {
    /// A model of the Hugging Face hub, such as `klue/bert-base`, or a folder with config.json
    /// and, to start from weights, model.safetensors; `embedded`, the pretrained Korean BERT of
    /// this program; or `random`, a small BERT with random weights [default: embedded]
    #[arg(long, value_name = "ID|FOLDER", value_parser = flag(ModelOptions::model_name_or_path), help_heading = "Model")]
    pub model_name_or_path: Option<Given<String>>,
    /// The branch, tag or commit of a model of the hub [default: main]
    #[arg(long, value_name = "NAME", value_parser = flag(ModelOptions::revision), help_heading = "Model")]
    pub revision: Option<Given<String>>,
    /// Initialize tensors of another shape, such as a head for other classes, instead of refusing
    /// the weights
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(ModelOptions::ignore_mismatched_sizes), help_heading = "Model")]
    pub ignore_mismatched_sizes: Option<Given<bool>>,
    /// What the classification head reads of the last layer: `cls`, the first token, as in
    /// transformers, or `mean`, the mean of all tokens, as sentence embedding models do [default:
    /// what the model's config.json says in `classifier_pooling`, else cls]
    #[arg(long, value_name = "NAME", value_parser = choice(ModelOptions::pooling), help_heading = "Model")]
    pub pooling: Option<Given<Pooling>>,
    /// Initialize this many layers at the top of the encoder anew, and BERT's pooler with them,
    /// instead of loading them (Zhang et al., 2021) [default: 0]
    #[arg(long, value_name = "N", value_parser = flag(ModelOptions::reinit_top_layers), help_heading = "Model")]
    pub reinit_top_layers: Option<Given<usize>>,
    /// Values of config.json to replace, such as `hidden_size=256`
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = flag(ModelOptions::config_overrides), help_heading = "Model")]
    pub config_overrides: Vec<Given<Vec<(String, Value)>>>,

    #[command(flatten)]
    pub train_rows: TrainRowsFlags,
    /// Unlabelled texts for self-training: in each step after --pseudo-label-warmup, the model
    /// labels some of them, and trains on those that it is sure of. A file in one of the formats of
    /// --train-file, whose labels are ignored, or a .txt file with one text per line; `nsmc` for the
    /// training split of NSMC. Texts that are also training or evaluation texts are left out
    #[arg(long, value_name = "FILE|nsmc", value_hint = ValueHint::AnyPath, value_parser = flag(DatasetOptions::unlabelled), help_heading = "Data")]
    pub unlabelled: Option<Given<UnlabelledSource>>,
    #[command(flatten)]
    pub eval_rows: EvalRowsFlags,
    #[command(flatten)]
    pub columns: ColumnFlags,
    #[command(flatten)]
    pub slices: SliceFlags,
    #[command(flatten)]
    pub shuffle: ShuffleFlags,
    /// Maximum sequence length in tokens; longer texts are truncated [default: 160, or what the
    /// model allows]
    #[arg(long, value_name = "N", value_parser = flag(TrainerOptions::max_seq_length), help_heading = "Data")]
    pub max_seq_length: Option<Given<usize>>,
    /// Pad every batch to the longest text of its split, as the tutorial does; the fused
    /// operations skip padding, so only --ops reference is slower for it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(TrainerOptions::pad_to_max_length), help_heading = "Data")]
    pub pad_to_max_length: Option<Given<bool>>,
    /// Which texts share a batch, and in which order [default: `group_by_length`; recipe native:
    /// sequential]
    #[arg(long, value_name = "STRATEGY", value_parser = choice(TrainerOptions::train_sampling_strategy), help_heading = "Data")]
    pub train_sampling_strategy: Option<Given<SamplingStrategy>>,

    /// Preset of default hyperparameters [default: trainer]
    #[arg(long, value_parser = choice(TrainerOptions::recipe), help_heading = "Training")]
    pub recipe: Option<Given<Recipe>>,
    /// Epochs: passes over the training data [default: 10; of the embedded model 4]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::num_train_epochs), help_heading = "Training")]
    pub num_train_epochs: Option<Given<f64>>,
    /// Stop after this many steps, whatever the epochs (-1: no limit)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::max_steps), help_heading = "Training")]
    pub max_steps: Option<Given<Option<u64>>>,
    /// Texts in a training batch [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::per_device_train_batch_size), help_heading = "Training")]
    pub per_device_train_batch_size: Option<Given<usize>>,
    /// Add up the gradients of this many batches for one step [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::gradient_accumulation_steps), help_heading = "Training")]
    pub gradient_accumulation_steps: Option<Given<usize>>,
    /// Compute at most this many tokens at once: a larger batch is computed in parts, whose
    /// gradients are added up
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::max_tokens_per_batch), help_heading = "Training")]
    pub max_tokens_per_batch: Option<Given<usize>>,
    /// Store only each layer's input and recompute activations in the backward pass: less memory,
    /// about a third slower
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(TrainerOptions::gradient_checkpointing), help_heading = "Training")]
    pub gradient_checkpointing: Option<Given<bool>>,
    /// Texts in an evaluation batch [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::per_device_eval_batch_size), help_heading = "Training")]
    pub per_device_eval_batch_size: Option<Given<usize>>,
    /// The highest learning rate [default: 5e-5; of the embedded model 1e-4, from random weights
    /// 2e-4]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = flag(TrainerOptions::learning_rate), help_heading = "Training")]
    pub learning_rate: Option<Given<f64>>,
    /// How the learning rate changes [default: linear; recipe native: constant]
    #[arg(long, value_name = "TYPE", value_parser = choice(TrainerOptions::lr_scheduler_type), help_heading = "Training")]
    pub lr_scheduler_type: Option<Given<SchedulerType>>,
    /// Steps, or below 1 a share of all steps, in which the learning rate rises from zero
    /// [default: 0; of the embedded model and from random weights 0.1]
    #[arg(long, value_name = "N", alias = "warmup-ratio", allow_negative_numbers = true, value_parser = flag(TrainerOptions::warmup_steps), help_heading = "Training")]
    pub warmup_steps: Option<Given<f64>>,
    /// Decoupled weight decay [default: 0; recipe native: 0.01]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::weight_decay), help_heading = "Training")]
    pub weight_decay: Option<Given<f64>>,
    /// Clip gradients to this norm, 0 for not at all [default: 1; recipe native: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::max_grad_norm), help_heading = "Training")]
    pub max_grad_norm: Option<Given<f64>>,
    /// AdamW's beta1, the decay rate of the first moment [default: 0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::adam_beta1), help_heading = "Training")]
    pub adam_beta1: Option<Given<f64>>,
    /// AdamW's beta2, the decay rate of the second moment [default: 0.999]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::adam_beta2), help_heading = "Training")]
    pub adam_beta2: Option<Given<f64>>,
    /// AdamW's epsilon [default: 1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::adam_epsilon), help_heading = "Training")]
    pub adam_epsilon: Option<Given<f64>>,
    /// Train the layer of index k of L, counted from 0 at the bottom, at the learning rate ×
    /// FACTOR^(L−k), and the embeddings at × FACTOR^(L+1); the head has the full rate [default: 1; of the embedded
    /// model 0.85]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = flag(TrainerOptions::layerwise_lr_decay), help_heading = "Training")]
    pub layerwise_lr_decay: Option<Given<f64>>,
    /// Evaluate, answer with and save an exponential moving average of the weights, which each step
    /// updates as D × average + (1−D) × weights; D rises to this value as (1+step)/(10+step)
    /// [default: 0, no average]
    #[arg(long, value_name = "D", allow_negative_numbers = true, value_parser = flag(TrainerOptions::ema_decay), help_heading = "Training")]
    pub ema_decay: Option<Given<f64>>,
    /// Label smoothing: the fraction of the target spread evenly over all labels [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::label_smoothing_factor), help_heading = "Training")]
    pub label_smoothing_factor: Option<Given<f64>>,
    /// Weights of classes in the training loss, for classes of different size; the loss of
    /// evaluations has no weights [default: none]
    #[arg(long, value_name = "WHICH", value_parser = choice(TrainerOptions::class_weights), help_heading = "Training")]
    pub class_weights: Option<Given<ClassWeights>>,
    /// R-Drop: train on each text with two dropout patterns and add this factor times
    /// ½ (KL(p‖q) + KL(q‖p)) of their predictions to the loss; a step takes twice as long; 0 for
    /// not at all [default: 0]
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = flag(TrainerOptions::rdrop_alpha), help_heading = "Training")]
    pub rdrop_alpha: Option<Given<f64>>,
    /// Texts of --unlabelled in a step [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::unlabelled_batch_size), help_heading = "Training")]
    pub unlabelled_batch_size: Option<Given<usize>>,
    /// The fraction of all steps before the first in which texts of --unlabelled are labelled
    /// [default: 0.3]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = flag(TrainerOptions::pseudo_label_warmup), help_heading = "Training")]
    pub pseudo_label_warmup: Option<Given<f64>>,
    /// The least probability, without dropout, of a class that becomes the label of a text of
    /// --unlabelled [default: 0.9]
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = flag(TrainerOptions::pseudo_label_threshold), help_heading = "Training")]
    pub pseudo_label_threshold: Option<Given<f64>>,
    /// The weight of the loss of texts of --unlabelled, which is divided by the number drawn in a
    /// step, not by the number labelled [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::pseudo_label_weight), help_heading = "Training")]
    pub pseudo_label_weight: Option<Given<f64>>,
    /// When to evaluate [default: epoch]
    #[arg(long, value_name = "WHEN", value_parser = choice(TrainerOptions::eval_strategy), help_heading = "Training")]
    pub eval_strategy: Option<Given<EvalStrategy>>,
    /// Steps, or below 1 a share of all, between evaluations by steps [default: --logging-steps]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::eval_steps), help_heading = "Training")]
    pub eval_steps: Option<Given<StepInterval>>,
    /// Steps, or below 1 a share of all steps, between log lines [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(TrainerOptions::logging_steps), help_heading = "Training")]
    pub logging_steps: Option<Given<StepInterval>>,
    /// End the run after this many evaluations in a row in which --metric-for-best-model did not
    /// improve [default: 0, do not]
    #[arg(long, value_name = "N", value_parser = flag(TrainerOptions::early_stopping_patience), help_heading = "Training")]
    pub early_stopping_patience: Option<Given<u64>>,
    /// With --early-stopping-patience: count only improvements larger than this [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = flag(TrainerOptions::early_stopping_threshold), help_heading = "Training")]
    pub early_stopping_threshold: Option<Given<f64>>,
    /// What follows a step whose loss or gradient norm is NaN or infinite [default: stop]
    #[arg(long, value_name = "WHAT", value_parser = choice(TrainerOptions::nan_policy), help_heading = "Training")]
    pub nan_policy: Option<Given<NanPolicy>>,
    /// With --nan-policy rollback: go back to the last checkpoint two steps or more before the one that
    /// was not finite, with half the learning rate, at most this often; then the run fails [default: 3]
    #[arg(long, value_name = "N", value_parser = flag(TrainerOptions::nan_rollbacks), help_heading = "Training")]
    pub nan_rollbacks: Option<Given<u64>>,
    /// On a GPU that is out of memory, compute each batch in two, four, … parts and add up their
    /// gradients: the texts of a step stay the same
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(TrainerOptions::auto_find_batch_size), help_heading = "Training")]
    pub auto_find_batch_size: Option<Given<bool>>,
    /// Seed of initial weights and dropout [default: 42]
    #[arg(long, value_name = "SEED", value_parser = flag(TrainerOptions::seed), help_heading = "Training")]
    pub seed: Option<Given<u64>>,
    /// Seed of the order of the data [default: that of --seed]
    #[arg(long, value_name = "SEED", value_parser = flag(TrainerOptions::data_seed), help_heading = "Training")]
    pub data_seed: Option<Given<u64>>,
    #[command(flatten)]
    pub compute: ComputeFlags,

    /// Where checkpoints and the model are saved [default: outputs]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::AnyPath, value_parser = flag(OutputOptions::output_dir), help_heading = "Output")]
    pub output_dir: Option<Given<PathBuf>>,
    /// When to write a checkpoint [default: steps]
    #[arg(long, value_name = "WHEN", value_parser = choice(OutputOptions::save_strategy), help_heading = "Output")]
    pub save_strategy: Option<Given<SaveStrategy>>,
    /// Steps, or below 1 a share of all steps, between checkpoints [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = flag(OutputOptions::save_steps), help_heading = "Output")]
    pub save_steps: Option<Given<StepInterval>>,
    /// Keep this many checkpoints, the best one among them; 0 keeps all [default: 2]
    #[arg(long, value_name = "N", value_parser = flag(OutputOptions::save_total_limit), help_heading = "Output")]
    pub save_total_limit: Option<Given<usize>>,
    /// Save checkpoints without the optimizer's state; they cannot be resumed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(OutputOptions::save_only_model), help_heading = "Output")]
    pub save_only_model: Option<Given<bool>>,
    /// Keep the predictions of each evaluation in the folder `predictions` of the run, for the
    /// Mistakes page; `false` keeps neither them nor the texts [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(OutputOptions::save_predictions), help_heading = "Output")]
    pub save_predictions: Option<Given<bool>>,
    /// A sentence that each evaluation classifies, for the panel of probes and the events; may be
    /// given several times. In a file, `probe` is a list
    #[arg(long, value_name = "TEXT", value_parser = flag(OutputOptions::probe), help_heading = "Output")]
    pub probe: Vec<Given<Vec<String>>>,
    /// Load the best checkpoint at the end of training
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(OutputOptions::load_best_model_at_end), help_heading = "Output")]
    pub load_best_model_at_end: Option<Given<bool>>,
    /// What the best model is best by: loss, accuracy, f1, precision, recall [default to load it: loss]
    #[arg(long, value_name = "METRIC", value_parser = flag(OutputOptions::metric_for_best_model), help_heading = "Output")]
    pub metric_for_best_model: Option<Given<String>>,
    /// Whether a higher metric is better [default: true, except for loss]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(OutputOptions::greater_is_better), help_heading = "Output")]
    pub greater_is_better: Option<Given<bool>>,
    /// Resume from a checkpoint, with the run.toml of its run; `auto`, for jobs that a cluster starts
    /// again: from the last whole checkpoint in --output-dir, or anew if there is none [default: the
    /// last one in --output-dir]
    #[arg(long, value_name = "FOLDER|auto", value_hint = ValueHint::AnyPath, num_args = 0..=1, default_missing_value = ResumeFrom::LAST, value_parser = flag(OutputOptions::resume_from_checkpoint), help_heading = "Output")]
    pub resume_from_checkpoint: Option<Given<ResumeFrom>>,
    /// Where metrics are written besides the journal [default: tensorboard]
    #[arg(long, value_name = "WHERE", value_parser = choice(OutputOptions::report_to), help_heading = "Output")]
    pub report_to: Option<Given<ReportTo>>,
    /// The folder of TensorBoard's event files [default: runs/… in --output-dir]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::AnyPath, value_parser = flag(OutputOptions::logging_dir), help_heading = "Output")]
    pub logging_dir: Option<Given<PathBuf>>,
    /// A TOML file of options, such as a run's run.toml; flags and the environment override it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, value_parser = flag(InvocationOptions::config), help_heading = "Output")]
    pub config: Option<Given<PathBuf>>,
    /// Print the effective settings as TOML, and exit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(InvocationOptions::print_config), help_heading = "Output")]
    pub print_config: Option<Given<bool>>,
    /// Print lines instead of showing the dashboard, as without a terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(InvocationOptions::plain), help_heading = "Output")]
    pub plain: Option<Given<bool>>,
    /// Print each event as one JSON object a line
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(InvocationOptions::json), help_heading = "Output")]
    pub json: Option<Given<bool>>,
    /// Run in the background, and attach to it: `d` and a lost connection leave it running, and
    /// `nsmc-tui attach` comes back. With --json, print its folder and process, and return
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(InvocationOptions::detach), help_heading = "Output")]
    pub detach: Option<Given<bool>>,
    /// Train with N processes on this machine, each with its own batches, threads and GPU: a step has N
    /// times as many texts. Not needed under `torchrun`, `mpirun` or `srun` [default: 1]
    #[arg(long, value_name = "N", value_parser = flag(InvocationOptions::nproc_per_node), help_heading = "Compute")]
    pub nproc_per_node: Option<Given<usize>>,
    /// This process is the one in the background
    #[arg(long, hide = true)]
    pub background: bool,
    /// This process trains, and another one waits for it in the shell
    #[arg(long, hide = true)]
    pub foreground: bool,
    #[command(flatten)]
    pub notify: NotifyFlags,
    #[command(flatten)]
    pub display: DisplayFlags,
}

impl From<TrainFlags> for TrainOptions {
    fn from(flags: TrainFlags) -> Self {
        let shuffle_seed = flags.shuffle.shuffle_seed;
        Self {
            model: ModelOptions {
                model_name_or_path: flags.model_name_or_path,
                revision: flags.revision,
                ignore_mismatched_sizes: flags.ignore_mismatched_sizes,
                pooling: flags.pooling,
                reinit_top_layers: flags.reinit_top_layers,
                config_overrides: joined(flags.config_overrides),
            },
            data: DatasetOptions {
                unlabelled: flags.unlabelled,
                slice_column: flags.slices.joined(),
                ..dataset_options(
                    Some(flags.train_rows),
                    flags.eval_rows,
                    flags.columns,
                    shuffle_seed,
                )
            },
            pretraining: PretrainingOptions::default(),
            trainer: TrainerOptions {
                max_seq_length: flags.max_seq_length,
                pad_to_max_length: flags.pad_to_max_length,
                train_sampling_strategy: flags.train_sampling_strategy,
                recipe: flags.recipe,
                num_train_epochs: flags.num_train_epochs,
                max_steps: flags.max_steps,
                per_device_train_batch_size: flags.per_device_train_batch_size,
                gradient_accumulation_steps: flags.gradient_accumulation_steps,
                max_tokens_per_batch: flags.max_tokens_per_batch,
                gradient_checkpointing: flags.gradient_checkpointing,
                per_device_eval_batch_size: flags.per_device_eval_batch_size,
                learning_rate: flags.learning_rate,
                lr_scheduler_type: flags.lr_scheduler_type,
                warmup_steps: flags.warmup_steps,
                weight_decay: flags.weight_decay,
                max_grad_norm: flags.max_grad_norm,
                adam_beta1: flags.adam_beta1,
                adam_beta2: flags.adam_beta2,
                adam_epsilon: flags.adam_epsilon,
                layerwise_lr_decay: flags.layerwise_lr_decay,
                ema_decay: flags.ema_decay,
                label_smoothing_factor: flags.label_smoothing_factor,
                class_weights: flags.class_weights,
                rdrop_alpha: flags.rdrop_alpha,
                unlabelled_batch_size: flags.unlabelled_batch_size,
                pseudo_label_warmup: flags.pseudo_label_warmup,
                pseudo_label_threshold: flags.pseudo_label_threshold,
                pseudo_label_weight: flags.pseudo_label_weight,
                eval_strategy: flags.eval_strategy,
                eval_steps: flags.eval_steps,
                logging_steps: flags.logging_steps,
                early_stopping_patience: flags.early_stopping_patience,
                early_stopping_threshold: flags.early_stopping_threshold,
                nan_policy: flags.nan_policy,
                nan_rollbacks: flags.nan_rollbacks,
                auto_find_batch_size: flags.auto_find_batch_size,
                seed: flags.seed,
                data_seed: flags.data_seed,
            },
            compute: flags.compute.into(),
            output: OutputOptions {
                output_dir: flags.output_dir,
                save_strategy: flags.save_strategy,
                save_steps: flags.save_steps,
                save_predictions: flags.save_predictions,
                probe: joined_probes(flags.probe),
                save_total_limit: flags.save_total_limit,
                save_only_model: flags.save_only_model,
                load_best_model_at_end: flags.load_best_model_at_end,
                metric_for_best_model: flags.metric_for_best_model,
                greater_is_better: flags.greater_is_better,
                resume_from_checkpoint: flags.resume_from_checkpoint,
                report_to: flags.report_to,
                logging_dir: flags.logging_dir,
            },
        }
    }
}

/// Joins the sentences of a flag that was given several times.
fn joined_probes(parts: Vec<Given<Vec<String>>>) -> Option<Given<Vec<String>>> {
    parts.into_iter().reduce(|mut all, next| {
        all.value.extend(next.value);
        all.text = serde_json::to_string(&all.value).unwrap_or_default();
        all
    })
}

/// Joins the assignments of a flag that was given several times.
fn joined(parts: Vec<Given<Vec<(String, Value)>>>) -> Option<Given<Vec<(String, Value)>>> {
    parts.into_iter().reduce(|mut all, next| {
        all.value.extend(next.value);
        all.text = format!("{},{}", all.text, next.text);
        all
    })
}
