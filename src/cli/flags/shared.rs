//! Flags that several commands share, and those of the smaller commands.

use super::compute::Compute;
use super::values::{count, length, part, truth};
use crate::core::data::sampling::SampleLimit;
use clap::{ArgAction, Args};
use std::path::PathBuf;

/// Where training reviews come from.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainSource {
    /// Rows to learn from: .tsv, .csv, .jsonl or .parquet, the first three also with .gz or .zst
    /// [default: NSMC]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train_file: Option<PathBuf>,
    /// Without a validation file, judge by this share of the training rows, each class by its
    /// share [default: 0.1; NSMC has its own test split]
    #[arg(long, value_name = "SHARE", value_parser = part, help_heading = "Data")]
    pub validation_split: Option<f64>,
    /// How many of them to take, or "all" [default: 2000 of NSMC, all of your own]
    #[arg(long, value_name = "N|all", help_heading = "Data")]
    pub max_train_samples: Option<SampleLimit>,
}

/// Where evaluation reviews come from.
#[derive(Args, Clone, Debug, Default)]
pub struct EvalSource {
    /// Rows to be judged by, in any of these formats [default: NSMC's test split]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub validation_file: Option<PathBuf>,
    /// How many of them to take, or "all" [default: 2000 of NSMC, all of your own]
    #[arg(long, value_name = "N|all", help_heading = "Data")]
    pub max_eval_samples: Option<SampleLimit>,
    /// Leave bad rows of a file out, and count them, instead of stopping
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set, value_parser = truth, hide_default_value = true, hide_possible_values = true, help_heading = "Data")]
    pub skip_bad_rows: bool,
}

/// Which rows a file or dataset holds.
#[derive(Args, Clone, Debug, Default)]
pub struct Columns {
    /// A dataset of the Hugging Face hub, such as `e9t/nsmc`, instead of files
    #[arg(long, value_name = "ID", help_heading = "Data")]
    pub dataset_name: Option<String>,
    /// Which of the dataset's configurations [default: the only one, or `default`]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub dataset_config_name: Option<String>,
    /// The column of the text [default: document, text, sentence, review, content, …]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub text_column_name: Option<String>,
    /// The column of the class [default: label, labels, target, …]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub label_column_name: Option<String>,
}

/// How the sample is drawn.
#[derive(Args, Clone, Debug)]
pub struct Shuffle {
    /// Draw the sample as datasets' shuffle(seed) does
    #[arg(long, value_name = "SEED", default_value_t = 42, help_heading = "Data")]
    pub shuffle_seed: u64,
}

impl Default for Shuffle {
    fn default() -> Self {
        Self { shuffle_seed: 42 }
    }
}

/// The saved model a command works on.
#[derive(Args, Clone, Debug)]
pub struct SavedModel {
    /// The folder of a saved model, or a model of the Hugging Face hub
    #[arg(long, value_name = "ID|FOLDER", default_value = "outputs")]
    pub model_name_or_path: String,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Cut texts to so many tokens [default: as in training, or what the model allows]
    #[arg(long, value_name = "N", value_parser = length)]
    pub max_seq_length: Option<usize>,
}

/// Flags of `evaluate`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct EvaluateFlags {
    #[command(flatten)]
    pub model: SavedModel,
    #[command(flatten)]
    pub source: EvalSource,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub shuffle: Shuffle,
    #[command(flatten)]
    pub compute: Compute,
    /// Multiply by weights in eight bits on the CPU: faster for large models, and nearly the same
    #[arg(long, help_heading = "Computing")]
    pub int8: bool,
    /// Reviews a batch
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = count)]
    pub per_device_eval_batch_size: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `predict`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct PredictFlags {
    /// Sentences; without any, the lines of standard input
    pub texts: Vec<String>,
    #[command(flatten)]
    pub model: SavedModel,
    #[command(flatten)]
    pub compute: Compute,
    /// Multiply by weights in eight bits on the CPU: faster for large models, and nearly the same
    #[arg(long, help_heading = "Computing")]
    pub int8: bool,
    /// Print one JSON object a sentence
    #[arg(long)]
    pub json: bool,
}

/// Flags of `data`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct DataFlags {
    /// The model whose tokenizer counts, on the hub or in a folder [default: the embedded one]
    #[arg(long, value_name = "ID|FOLDER")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    #[command(flatten)]
    pub train_source: TrainSource,
    #[command(flatten)]
    pub eval_source: EvalSource,
    #[command(flatten)]
    pub columns: Columns,
    /// Draw the sample as datasets' shuffle(seed) does
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 42,
        visible_alias = "seed",
        help_heading = "Data"
    )]
    pub shuffle_seed: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// List the ids of the sampled reviews, in order
    #[arg(long)]
    pub ids: bool,
}

/// Flags of `tokenize`.
#[derive(Args, Debug)]
pub struct TokenizeFlags {
    /// Texts; without any, the lines of standard input
    pub texts: Vec<String>,
    /// The model whose tokenizer cuts, on the hub or in a folder [default: the embedded one]
    #[arg(long, value_name = "ID|FOLDER")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Print one JSON object a text
    #[arg(long)]
    pub json: bool,
}
