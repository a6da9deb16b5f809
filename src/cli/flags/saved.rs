//! Flags of the commands that work on a saved model or on data alone.

use super::compute::ComputeFlags;
use super::display::DisplayFlags;
use super::shared::{
    ColumnFlags, EvalRowsFlags, SavedModelFlags, ShuffleFlags, SliceFlags, TrainRowsFlags,
    dataset_options,
};
use super::values::{choice_value, flag, value};
use crate::core::attribution::ExplainMethod;
use crate::core::data::quoting::Quoting;
use crate::run::options::parse::count;
use crate::run::options::{DatasetOptions, Given, TrainerOptions};
use crate::run::predictions::errors::ErrorFile;
use clap::{Args, ValueHint};
use std::ffi::OsStr;
use std::path::PathBuf;

/// Flags of `evaluate`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct EvaluateFlags {
    #[command(flatten)]
    pub model: SavedModelFlags,
    #[command(flatten)]
    pub eval_rows: EvalRowsFlags,
    #[command(flatten)]
    pub columns: ColumnFlags,
    #[command(flatten)]
    pub slices: SliceFlags,
    #[command(flatten)]
    pub shuffle: ShuffleFlags,
    #[command(flatten)]
    pub compute: ComputeFlags,
    /// Quantize weights to int8 on the CPU: faster for large models, nearly the same results
    #[arg(long, help_heading = "Computing")]
    pub int8: bool,
    /// Texts in a batch
    #[arg(long, value_name = "N", default_value = "32", value_parser = value(count))]
    pub per_device_eval_batch_size: usize,
    /// Label smoothing of the loss [default: that of the training, if the model's run.toml names it]
    #[arg(long, value_name = "X", value_parser = value(TrainerOptions::label_smoothing_factor))]
    pub label_smoothing_factor: Option<f64>,
    /// Also write the misclassified texts, and no others, to this file, the one with the highest loss
    /// first: a .jsonl file of objects, or a .tsv file, as pandas reads it, with the fields id, text,
    /// label, prediction, probabilities and loss. The probabilities are in the order of the model's
    /// labels; pairs have a field `text_pair`, too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = value(error_file))]
    pub errors: Option<ErrorFile>,
    /// Evaluate another model on the same texts, and compare the two: the counts of texts that one or
    /// both get right, the difference in accuracy with its 95 % interval (Bonett and Price, 2012, and by
    /// the paired bootstrap), that in F1 (by the bootstrap), and the p-value of the exact test of the
    /// texts that only one gets right (`mcnemar_p`)
    #[arg(long, value_name = "ID|FOLDER", value_hint = ValueHint::DirPath)]
    pub against: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The parser of `--errors`.
fn error_file(path: &OsStr) -> Result<ErrorFile, String> {
    ErrorFile::new(path.into())
}

impl EvaluateFlags {
    /// The options of the evaluation rows.
    pub fn dataset(&self) -> DatasetOptions {
        let seed = self.shuffle.shuffle_seed.clone();
        DatasetOptions {
            slice_column: self.slices.clone().joined(),
            ..dataset_options(None, self.eval_rows.clone(), self.columns.clone(), seed)
        }
    }
}

/// Flags of `predict`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct PredictFlags {
    /// Sentences; without any, a page to type them on, or the lines of standard input
    pub texts: Vec<String>,
    #[command(flatten)]
    pub model: SavedModelFlags,
    /// Classify the texts of this file: .tsv, .csv, .jsonl or .parquet, the first three also with .gz
    /// or .zst, or .txt with one text a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, conflicts_with = "texts", help_heading = "Data")]
    pub input_file: Option<PathBuf>,
    /// The column of the texts, or of the first texts of pairs, in that file [default: document, text,
    /// sentence, review, content, …]
    #[arg(long, value_name = "NAME", requires = "input_file", help_heading = "Data")]
    pub text_column_name: Option<String>,
    /// The column of the second texts of pairs in that file
    #[arg(long, value_name = "NAME", requires = "input_file", help_heading = "Data")]
    pub text_pair_column_name: Option<String>,
    /// Leave out bad rows of that file, and count them, instead of stopping
    #[arg(long, requires = "input_file", help_heading = "Data")]
    pub skip_bad_rows: bool,
    /// Whether fields of that file, if it is .tsv, .txt or .csv, are quoted [default: auto]
    #[arg(long, value_name = "HOW", value_parser = choice_value::<Quoting>(), requires = "input_file", help_heading = "Data")]
    pub quoting: Option<Quoting>,
    /// Write the predictions into this file: .tsv, .csv or .jsonl. Before the predictions it has all
    /// columns of the input file, in their order; one with a name of the predictions, such as label, is
    /// renamed, and a note says so
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, conflicts_with = "json", help_heading = "Data")]
    pub output_file: Option<PathBuf>,
    /// Ask this model, too: a folder of a saved model, a checkpoint, or a model of the hub
    #[arg(long, value_name = "ID|FOLDER")]
    pub compare: Option<String>,
    /// Each argument or line is a pair of texts, separated by a tab or by "|||", as in
    /// "A man sleeps ||| A man is awake" [default: true for models trained on pairs]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub text_pair: Option<bool>,
    #[command(flatten)]
    pub compute: ComputeFlags,
    /// Quantize weights to int8 on the CPU: faster for large models, nearly the same results
    #[arg(long, help_heading = "Computing")]
    pub int8: bool,
    /// Print one JSON object a sentence
    #[arg(long)]
    pub json: bool,
    /// Show how much each token contributes to the predicted class: above 0 towards it, below 0
    /// against it
    #[arg(long, value_name = "METHOD", value_parser = choice_value::<ExplainMethod>())]
    pub explain: Option<ExplainMethod>,
    /// Read lines from the terminal instead of showing the page
    #[arg(long)]
    pub plain: bool,
    /// How the page looks
    #[command(flatten)]
    pub display: DisplayFlags,
}

/// Flags of `data`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct DataFlags {
    /// The model whose tokenizer is used, on the hub or in a folder [default: the embedded one]
    #[arg(long, value_name = "ID|FOLDER")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    #[command(flatten)]
    pub train_rows: TrainRowsFlags,
    #[command(flatten)]
    pub eval_rows: EvalRowsFlags,
    #[command(flatten)]
    pub columns: ColumnFlags,
    /// Draw the sample as datasets' shuffle(seed) does [default: 42]
    #[arg(long, value_name = "SEED", value_parser = flag(DatasetOptions::shuffle_seed), visible_alias = "seed", help_heading = "Data")]
    pub shuffle_seed: Option<Given<u64>>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// List the ids of the sampled rows, in order
    #[arg(long)]
    pub ids: bool,
}

impl DataFlags {
    /// The options of the rows.
    pub fn dataset(&self) -> DatasetOptions {
        let train_rows = Some(self.train_rows.clone());
        let seed = self.shuffle_seed.clone();
        dataset_options(train_rows, self.eval_rows.clone(), self.columns.clone(), seed)
    }
}

/// Flags of `tokenize`.
#[derive(Args, Debug)]
pub struct TokenizeFlags {
    /// Texts; without any, the lines of standard input
    pub texts: Vec<String>,
    /// The model whose tokenizer is used, on the hub or in a folder [default: the embedded one]
    #[arg(long, value_name = "ID|FOLDER")]
    pub model_name_or_path: Option<String>,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Print one JSON object a text
    #[arg(long)]
    pub json: bool,
}
