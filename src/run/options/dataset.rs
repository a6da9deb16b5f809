//! The options that choose the data of a run.

use super::group::{Given, option_group};
use super::parse::{boolean, columns, from_str, path, proper_share, text, whole};
use crate::core::data::quoting::Quoting;
use crate::core::data::sampling::SampleLimit;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The default number of rows to sample from NSMC, as in the tutorial.
const NSMC_SAMPLE: SampleLimit = SampleLimit::Count(2000);

option_group! {
    /// The data of a run.
    pub struct DatasetOptions {
        /// A file of training rows.
        train_file: PathBuf = path,
        /// The share of the training rows that is held out for evaluation.
        validation_split: f64 = proper_share,
        /// The number of training rows to sample.
        max_train_samples: SampleLimit = from_str,
        /// The unlabelled texts.
        unlabelled: UnlabelledSource = UnlabelledSource::parse,
        /// A file of evaluation rows.
        validation_file: PathBuf = path,
        /// A file of rows whose labels replace those of the same rows.
        corrections: PathBuf = path,
        /// The number of evaluation rows to sample.
        max_eval_samples: SampleLimit = from_str,
        /// Whether invalid rows are skipped and counted.
        skip_bad_rows: bool = boolean,
        /// Whether fields of delimited text may be quoted.
        quoting: Quoting = from_str,
        /// A dataset of the Hugging Face hub.
        dataset_name: String = text,
        /// The configuration of that dataset.
        dataset_config_name: String = text,
        /// The column of the texts.
        text_column_name: String = text,
        /// The column of the second texts of pairs.
        text_pair_column_name: String = text,
        /// The column of the labels.
        label_column_name: String = text,
        /// The columns whose values divide the evaluation rows into slices.
        slice_column: Vec<String> = columns,
        /// The seed of the sample.
        shuffle_seed: u64 = whole,
    }
}

/// A value of `unlabelled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnlabelledSource {
    /// The texts of the embedded training split of NSMC.
    Nsmc,
    /// A file.
    File(PathBuf),
}

impl UnlabelledSource {
    fn parse(text: &OsStr) -> Result<Self, String> {
        if text == "nsmc" { Ok(Self::Nsmc) } else { path(text).map(Self::File) }
    }
}

impl DatasetOptions {
    /// The share of the training rows that is held out if there are no evaluation rows.
    pub const DEFAULT_VALIDATION_SPLIT: f64 = 0.1;

    /// The share of the texts that pretraining holds out, as in transformers' `run_mlm.py`.
    pub const PRETRAINING_VALIDATION_SPLIT: f64 = 0.05;

    /// The number of held-out texts that pretraining is evaluated on.
    pub const PRETRAINING_EVAL_SAMPLES: SampleLimit = SampleLimit::Count(2000);

    /// The default seed of the sample.
    pub const DEFAULT_SHUFFLE_SEED: u64 = 42;

    /// The file of training rows.
    pub fn training_file(&self) -> Option<&Path> {
        self.train_file.as_ref().map(|given| given.value.as_path())
    }

    /// The file of evaluation rows.
    pub fn evaluation_file(&self) -> Option<&Path> {
        self.validation_file.as_ref().map(|given| given.value.as_path())
    }

    /// The file of corrected rows.
    pub fn corrections_file(&self) -> Option<&Path> {
        self.corrections.as_ref().map(|given| given.value.as_path())
    }

    /// The unlabelled texts, if any.
    pub fn unlabelled_source(&self) -> Option<&UnlabelledSource> {
        self.unlabelled.as_ref().map(|given| &given.value)
    }

    /// The dataset of the hub.
    pub fn hub_dataset(&self) -> Option<&str> {
        self.dataset_name.as_ref().map(|given| given.value.as_str())
    }

    /// The configuration of the hub's dataset.
    pub fn hub_config(&self) -> Option<&str> {
        self.dataset_config_name.as_ref().map(|given| given.value.as_str())
    }

    /// The share of the training rows to hold out, if it is given.
    pub fn held_out_share(&self) -> Option<f64> {
        self.validation_split.as_ref().map(|given| given.value)
    }

    /// The columns whose values divide the evaluation rows into slices, beside the usual ones.
    pub fn slice_columns(&self) -> &[String] {
        self.slice_column.as_ref().map_or(&[], |given| &given.value)
    }

    /// The seed of the sample.
    pub fn sample_seed(&self) -> u64 {
        self.shuffle_seed.as_ref().map_or(Self::DEFAULT_SHUFFLE_SEED, |given| given.value)
    }

    /// Whether invalid rows are skipped and counted.
    pub fn skips_bad_rows(&self) -> bool {
        Given::value_or_default(self.skip_bad_rows.as_ref())
    }

    /// Whether fields of delimited text may be quoted.
    pub fn quoting_or_auto(&self) -> Quoting {
        Given::value_or_default(self.quoting.as_ref())
    }

    /// Whether training rows come from the user's file or dataset instead of NSMC.
    pub fn has_custom_training_rows(&self) -> bool {
        self.dataset_name.is_some() || self.train_file.is_some()
    }

    /// Whether evaluation rows come from the user's file or dataset instead of NSMC.
    pub fn has_custom_evaluation_rows(&self) -> bool {
        self.has_custom_training_rows() || self.validation_file.is_some()
    }

    /// Whether evaluation rows are held out of the training file, or of NSMC's training split.
    pub fn holds_out_evaluation_rows(&self) -> bool {
        self.validation_file.is_none()
            && (self.train_file.is_some() || self.validation_split.is_some())
    }

    /// The number of training rows to sample.
    pub fn train_limit(&self) -> SampleLimit {
        let given = self.max_train_samples.as_ref().map(|given| given.value);
        given.unwrap_or(Self::default_limit(self.has_custom_training_rows()))
    }

    /// The number of evaluation rows to sample.
    pub fn eval_limit(&self) -> SampleLimit {
        let given = self.max_eval_samples.as_ref().map(|given| given.value);
        given.unwrap_or(Self::default_limit(self.has_custom_evaluation_rows()))
    }

    /// The default number of rows to sample: 2,000 rows of NSMC, as in the tutorial, or all rows of
    /// other data.
    pub fn default_limit(custom_rows: bool) -> SampleLimit {
        if custom_rows { SampleLimit::All } else { NSMC_SAMPLE }
    }
}
