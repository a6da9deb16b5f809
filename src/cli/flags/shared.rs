//! Flags that several commands share.

use super::values::{choice, flag, value};
use crate::core::data::quoting::Quoting;
use crate::core::data::sampling::SampleLimit;
use crate::run::options::parse::length;
use crate::run::options::{DatasetOptions, Given};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// The source of the training rows.
#[derive(Args, Clone, Debug)]
pub struct TrainRowsFlags {
    /// Training rows: .tsv, .csv, .jsonl or .parquet, the first three also with .gz or .zst
    /// [default: NSMC]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, value_parser = flag(DatasetOptions::train_file), help_heading = "Data")]
    pub train_file: Option<Given<PathBuf>>,
    /// Without a validation file, hold out this fraction of the training rows, stratified by class,
    /// for evaluation [default: 0.1; NSMC has its own test split]
    #[arg(long, value_name = "SHARE", value_parser = flag(DatasetOptions::validation_split), help_heading = "Data")]
    pub validation_split: Option<Given<f64>>,
    /// How many training rows to sample, or "all" [default: 2000 of NSMC, all of other data]
    #[arg(long, value_name = "N|all", value_parser = flag(DatasetOptions::max_train_samples), help_heading = "Data")]
    pub max_train_samples: Option<Given<SampleLimit>>,
}

/// The source of the evaluation rows.
#[derive(Args, Clone, Debug)]
pub struct EvalRowsFlags {
    /// Evaluation rows, in one of the same formats [default: NSMC's test split]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, value_parser = flag(DatasetOptions::validation_file), help_heading = "Data")]
    pub validation_file: Option<Given<PathBuf>>,
    /// Replace the labels of the rows, for training and evaluation, that have the same id and text as
    /// a row of this file, such as the `corrections.tsv` of an earlier run
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = flag(DatasetOptions::corrections), help_heading = "Data")]
    pub corrections: Option<Given<PathBuf>>,
    /// How many evaluation rows to sample, or "all" [default: 2000 of NSMC, all of other data]
    #[arg(long, value_name = "N|all", value_parser = flag(DatasetOptions::max_eval_samples), help_heading = "Data")]
    pub max_eval_samples: Option<Given<SampleLimit>>,
    /// Leave out bad rows of a file, and count them, instead of stopping
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", value_parser = flag(DatasetOptions::skip_bad_rows), help_heading = "Data")]
    pub skip_bad_rows: Option<Given<bool>>,
    /// Whether fields of .tsv, .txt and .csv files are quoted [default: auto]
    #[arg(long, value_name = "HOW", value_parser = choice(DatasetOptions::quoting), help_heading = "Data")]
    pub quoting: Option<Given<Quoting>>,
}

/// A dataset of the hub, and the columns of a file or dataset.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the fields have the names of the flags")]
pub struct ColumnFlags {
    /// A dataset of the Hugging Face hub, such as `e9t/nsmc`, instead of files
    #[arg(long, value_name = "ID", value_parser = flag(DatasetOptions::dataset_name), help_heading = "Data")]
    pub dataset_name: Option<Given<String>>,
    /// Which of the dataset's configurations [default: the only one, or `default`]
    #[arg(long, value_name = "NAME", value_parser = flag(DatasetOptions::dataset_config_name), help_heading = "Data")]
    pub dataset_config_name: Option<Given<String>>,
    /// The column of the texts, or of the first texts of pairs [default: document, text, sentence,
    /// review, content, …]
    #[arg(long, value_name = "NAME", value_parser = flag(DatasetOptions::text_column_name), help_heading = "Data")]
    pub text_column_name: Option<Given<String>>,
    /// The column of the second texts of pairs [default: the second of sentence1 and sentence2,
    /// premise and hypothesis, question1 and question2, question and sentence, text and
    /// `text_pair`; none if only --text-column-name is given]
    #[arg(long, value_name = "NAME", value_parser = flag(DatasetOptions::text_pair_column_name), help_heading = "Data")]
    pub text_pair_column_name: Option<Given<String>>,
    /// The column of the labels [default: label, labels, target, …]
    #[arg(long, value_name = "NAME", value_parser = flag(DatasetOptions::label_column_name), help_heading = "Data")]
    pub label_column_name: Option<Given<String>>,
}

/// The columns that divide the evaluation rows into slices.
#[derive(Args, Clone, Debug)]
pub struct SliceFlags {
    /// Show the accuracy by each value of this column of the evaluation rows, or by the year of its
    /// dates; may be given several times. Columns named date, year and `created_at` are always read
    #[arg(long, value_name = "NAME", value_parser = flag(DatasetOptions::slice_column), help_heading = "Data")]
    pub slice_column: Vec<Given<Vec<String>>>,
}

impl SliceFlags {
    /// The columns of the flag, which may be given several times.
    pub fn joined(self) -> Option<Given<Vec<String>>> {
        self.slice_column.into_iter().reduce(|mut all, next| {
            all.value.extend(next.value);
            all.text = format!("{},{}", all.text, next.text);
            all
        })
    }
}

/// How the sample is drawn.
#[derive(Args, Clone, Debug)]
pub struct ShuffleFlags {
    /// Draw the sample as datasets' shuffle(seed) does [default: 42]
    #[arg(long, value_name = "SEED", value_parser = flag(DatasetOptions::shuffle_seed), help_heading = "Data")]
    pub shuffle_seed: Option<Given<u64>>,
}

/// The saved model that a command works on.
#[derive(Args, Clone, Debug)]
pub struct SavedModelFlags {
    /// The folder of a saved model, or a model of the Hugging Face hub
    #[arg(long, value_name = "ID|FOLDER", default_value = "outputs")]
    pub model_name_or_path: String,
    /// The branch, tag or commit of a model of the hub
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Maximum sequence length in tokens [default: as in training, or what the model allows]
    #[arg(long, value_name = "N", value_parser = value(length))]
    pub max_seq_length: Option<usize>,
}

/// The data options of flags for training rows, for evaluation rows and for columns.
pub(super) fn dataset_options(
    train: Option<TrainRowsFlags>,
    eval: EvalRowsFlags,
    columns: ColumnFlags,
    shuffle_seed: Option<Given<u64>>,
) -> DatasetOptions {
    let (train_file, validation_split, max_train_samples) = train
        .map(|train| (train.train_file, train.validation_split, train.max_train_samples))
        .unwrap_or_default();
    let EvalRowsFlags { validation_file, corrections, max_eval_samples, skip_bad_rows, quoting } =
        eval;
    let ColumnFlags {
        dataset_name,
        dataset_config_name,
        text_column_name,
        text_pair_column_name,
        label_column_name,
    } = columns;
    DatasetOptions {
        train_file,
        validation_split,
        max_train_samples,
        unlabelled: None,
        validation_file,
        corrections,
        max_eval_samples,
        skip_bad_rows,
        quoting,
        dataset_name,
        dataset_config_name,
        text_column_name,
        text_pair_column_name,
        label_column_name,
        slice_column: None,
        shuffle_seed,
    }
}
