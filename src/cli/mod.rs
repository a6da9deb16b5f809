//! The command line: names are those of Hugging Face's `TrainingArguments` wherever it has one,
//! and `_` may be written for `-`.

mod values;

use crate::config::{EvalStrategy, Recipe};
use crate::data::batching::SamplingStrategy;
use crate::data::sampling::SampleLimit;
use crate::train::schedule::SchedulerType;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use std::ffi::OsString;
use std::path::PathBuf;
use values::{assignment, count, length, max_steps, not_negative, positive, share, size};

const EXAMPLES: &str = "\
Examples:
  nsmc-tui                                  Fine-tune the embedded model on 2,000 NSMC reviews
  nsmc-tui train --plain --seed 7           The same without a screen, from another seed
  nsmc-tui train --max-train-samples all --max-eval-samples all --num-train-epochs 1
  nsmc-tui train --train-file mine.tsv --validation-file test.tsv --output-dir mine
  nsmc-tui predict \"정말 재미있는 영화\"       Ask the model that training saved
  nsmc-tui predict --json < reviews.txt     One JSON object a line of input
  nsmc-tui evaluate --max-eval-samples all  Judge it on the 50,000 test reviews
";

const DEFAULTS: &str = "\
What holds where no flag says otherwise:
                              --recipe trainer       --recipe native
  learning_rate               5e-5                   5e-5
    from random weights       2e-4                   2e-4
  warmup_steps                0                      0
    from random weights       0.1 of all steps       0
  lr_scheduler_type           linear                 constant
  weight_decay                0                      0.01, biases and LayerNorm too
  max_grad_norm               1                      0 (no clipping)
  train_sampling_strategy     group_by_length        sequential
Both: 10 epochs, batches of 32, logging every 50 steps, seed 42: the tutorial's. The embedded
model starts from random weights, for which fine-tuning's 5e-5 is too small a rate to learn in
630 steps. The dashboard's settings page shows every value and why it holds.

A run repeats bit for bit on the same machine and program for the same --seed, whatever the
number of threads (RAYON_NUM_THREADS); another kind of processor may round differently.
";

/// Fine-tune a Korean sentiment classifier from a terminal, watch it learn, and question it.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(next_line_help = false, max_term_width = 100)]
pub struct Cli {
    /// What to do; training, if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Training's flags may be given without `train`.
    #[command(flatten)]
    pub train: TrainFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fine-tune a model and watch it learn (what happens without a subcommand)
    #[command(after_help = DEFAULTS)]
    Train(Box<TrainFlags>),
    /// Judge a saved model on the evaluation reviews
    Evaluate(EvaluateFlags),
    /// Classify sentences, given as arguments or as lines of standard input
    Predict(PredictFlags),
    /// Show what the data looks like
    Data(DataFlags),
    /// Show how a text is cut into pieces
    Tokenize(TokenizeFlags),
    /// Train the embedded vocabulary again, from NSMC's train split, and print it
    #[command(hide = true)]
    TrainTokenizer {
        /// How many pieces
        #[arg(long, default_value_t = 8000, value_parser = count)]
        vocab_size: usize,
    },
    /// Draw the dashboard as SVG from the events that `train --json` printed
    #[command(hide = true)]
    Screenshot {
        /// A file of events, one JSON object a line
        events: PathBuf,
        /// Columns and rows
        #[arg(long, default_value = "120x40", value_parser = size)]
        size: (u16, u16),
    },
}

/// Where training reviews come from.
#[derive(Args, Clone, Debug, Default)]
pub struct TrainSource {
    /// Reviews to learn from: tab-separated id, document, label with a header [default: NSMC]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train_file: Option<PathBuf>,
    /// How many of them to take, or "all" [default: 2000]
    #[arg(long, value_name = "N|all", help_heading = "Data")]
    pub max_train_samples: Option<SampleLimit>,
}

/// Where evaluation reviews come from.
#[derive(Args, Clone, Debug, Default)]
pub struct EvalSource {
    /// Reviews to be judged by [default: NSMC]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub validation_file: Option<PathBuf>,
    /// How many of them to take, or "all" [default: 2000]
    #[arg(long, value_name = "N|all", help_heading = "Data")]
    pub max_eval_samples: Option<SampleLimit>,
    /// Leave bad rows of a file out, and count them, instead of stopping
    #[arg(long, help_heading = "Data")]
    pub skip_bad_rows: bool,
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

/// Flags of `train`.
#[derive(Args, Clone, Debug, Default)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct TrainFlags {
    /// A folder with config.json and, to start from weights, model.safetensors [default: the
    /// embedded small Korean BERT]
    #[arg(long, value_name = "FOLDER", help_heading = "Model")]
    pub model_name_or_path: Option<PathBuf>,
    /// Values of config.json to replace, such as `hidden_size=256`
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',', value_parser = assignment, help_heading = "Model")]
    pub config_overrides: Vec<(String, Value)>,

    #[command(flatten)]
    pub train_source: TrainSource,
    #[command(flatten)]
    pub eval_source: EvalSource,
    #[command(flatten)]
    pub shuffle: Shuffle,
    /// Cut reviews to so many tokens [default: 160, or what the model allows]
    #[arg(long, value_name = "N", value_parser = length, help_heading = "Data")]
    pub max_seq_length: Option<usize>,
    /// Pad every batch to the longest review of its split, as the tutorial does
    #[arg(long, help_heading = "Data")]
    pub pad_to_max_length: bool,
    /// Which reviews share a batch, and in which order [default: `group_by_length`; recipe native: sequential]
    #[arg(long, value_name = "STRATEGY", help_heading = "Data")]
    pub train_sampling_strategy: Option<SamplingStrategy>,

    /// A set of values that belong together [default: trainer]
    #[arg(long, value_enum, help_heading = "Training")]
    pub recipe: Option<Recipe>,
    /// Times to go through the data [default: 10]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub num_train_epochs: Option<f64>,
    /// Stop after so many steps, whatever the epochs (-1: no limit)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = max_steps, help_heading = "Training")]
    pub max_steps: Option<i64>,
    /// Reviews a training step [default: 32]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub per_device_train_batch_size: Option<usize>,
    /// Reviews an evaluation batch [default: 32]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub per_device_eval_batch_size: Option<usize>,
    /// The highest learning rate [default: 5e-5; from random weights 2e-4]
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// How the rate changes [default: linear; recipe native: constant]
    #[arg(long, value_name = "TYPE", help_heading = "Training")]
    pub lr_scheduler_type: Option<SchedulerType>,
    /// Steps, or below 1 a share of all steps, in which the rate rises from zero [default: 0;
    /// from random weights 0.1]
    #[arg(long, value_name = "N", alias = "warmup-ratio", value_parser = not_negative, help_heading = "Training")]
    pub warmup_steps: Option<f64>,
    /// Decoupled weight decay [default: 0; recipe native: 0.01]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// Clip gradients to this norm, 0 for not at all [default: 1; recipe native: 0]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Training")]
    pub max_grad_norm: Option<f64>,
    /// AdamW's decay of the mean [default: 0.9]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub adam_beta1: Option<f64>,
    /// AdamW's decay of the variance [default: 0.999]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub adam_beta2: Option<f64>,
    /// AdamW's epsilon [default: 1e-8]
    #[arg(long, value_name = "X", value_parser = positive, help_heading = "Training")]
    pub adam_epsilon: Option<f64>,
    /// Share of the loss that all labels get alike [default: 0]
    #[arg(long, value_name = "X", value_parser = share, help_heading = "Training")]
    pub label_smoothing_factor: Option<f64>,
    /// When to evaluate [default: epoch]
    #[arg(long, value_name = "WHEN", help_heading = "Training")]
    pub eval_strategy: Option<EvalStrategy>,
    /// Steps between evaluations under --eval-strategy steps [default: that of --logging-steps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Training")]
    pub eval_steps: Option<u64>,
    /// Steps between log lines [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Training")]
    pub logging_steps: Option<u64>,
    /// Seed of initial weights and dropout [default: 42]
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub seed: Option<u64>,
    /// Seed of the order of the data [default: that of --seed]
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub data_seed: Option<u64>,

    /// Where the model is saved [default: outputs]
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub output_dir: Option<PathBuf>,
    /// Print lines instead of opening the dashboard; so it is without a terminal
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub plain: bool,
    /// Print each event as one JSON object a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// The saved model a command works on.
#[derive(Args, Clone, Debug)]
pub struct SavedModel {
    /// The folder of a saved model
    #[arg(long, value_name = "FOLDER", default_value = "outputs")]
    pub model_name_or_path: PathBuf,
    /// Cut texts to so many tokens [default: 160, or what the model allows]
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
    pub shuffle: Shuffle,
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
    /// Print one JSON object a sentence
    #[arg(long)]
    pub json: bool,
}

/// Flags of `data`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct DataFlags {
    /// The folder of the model whose tokenizer counts [default: the embedded one]
    #[arg(long, value_name = "FOLDER")]
    pub model_name_or_path: Option<PathBuf>,
    #[command(flatten)]
    pub train_source: TrainSource,
    #[command(flatten)]
    pub eval_source: EvalSource,
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
    /// The folder of the model whose tokenizer cuts [default: the embedded one]
    #[arg(long, value_name = "FOLDER")]
    pub model_name_or_path: Option<PathBuf>,
    /// Print one JSON object a text
    #[arg(long)]
    pub json: bool,
}

/// Parses a command line, taking `--learning_rate` for `--learning-rate`.
///
/// # Errors
/// clap's, help and version included.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut options = true;
    let arguments = arguments.into_iter().map(|argument| {
        let Some(text) = argument.to_str() else {
            return argument;
        };
        options &= text != "--";
        match text.strip_prefix("--") {
            Some(flag) if options && !flag.is_empty() => {
                let (name, value) =
                    flag.find('=').map_or((flag, ""), |equals| flag.split_at(equals));
                format!("--{}{value}", name.replace('_', "-")).into()
            }
            _ => argument,
        }
    });
    Cli::try_parse_from(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        parse([&["nsmc-tui"], line].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn underscores_are_dashes_in_names_only() -> Result<(), clap::Error> {
        let cli = parsed(&["--output_dir=my_run", "--num_train_epochs", "3"])?;
        assert_eq!(cli.train.output_dir, Some("my_run".into()));
        assert_eq!(cli.train.num_train_epochs, Some(3.0));
        let cli = parsed(&["predict", "--", "--not_a_flag"])?;
        let Some(Command::Predict(predict)) = cli.command else {
            panic!("not predict");
        };
        assert_eq!(predict.texts, ["--not_a_flag"]);
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            ["--learning-rate", "0"],
            ["--learning-rate", "nan"],
            ["--per-device-train-batch-size", "0"],
            ["--max-seq-length", "2"],
            ["--max-steps", "0"],
            ["--adam-beta2", "1"],
            ["--warmup-steps", "-1"],
            ["--max-train-samples", "none"],
            ["--config-overrides", "hidden_size"],
        ] {
            assert!(parsed(&line).is_err(), "{line:?}");
        }
        assert!(parsed(&["--max-steps", "-1"]).is_ok());
        assert!(parsed(&["--warmup_ratio", "0.06"]).is_ok());
    }
}
