//! The rows a run is over: read, their labels numbered, sampled.

use super::locate::{self, DatasetFiles, Watch};
use crate::cli::flags::{Columns, EvalSource, TrainSource};
use crate::core::data::labels::Classes;
use crate::core::data::sampling::SampleLimit;
use crate::core::data::source::{read_split, sample};
use crate::core::data::split::stratified;
use crate::core::data::table::{ColumnNames, DataTable};
use crate::core::data::{Sample, Split};
use std::path::PathBuf;

/// The share of the training rows that is judged by where there is nothing else.
pub const DEFAULT_SPLIT: f64 = 0.1;

/// What is asked for.
pub struct Wanted<'a> {
    /// Where training rows come from.
    pub train: &'a TrainSource,
    /// Where evaluation rows come from.
    pub eval: &'a EvalSource,
    /// Which columns, or which dataset.
    pub columns: &'a Columns,
    /// The sample's seed.
    pub shuffle_seed: u64,
}

/// What the rows are of, for the model's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOrigin {
    /// Its name.
    pub name: String,
    /// Its name on the hub, if it is from there.
    pub hub_name: Option<String>,
    /// Which part of it was judged by.
    pub split: String,
    /// Whether it is the Naver sentiment movie corpus.
    pub is_nsmc: bool,
}

/// Training and evaluation rows.
pub struct Dataset {
    /// Sampled training rows.
    pub train: Vec<Sample>,
    /// Sampled evaluation rows.
    pub eval: Vec<Sample>,
    /// The classes.
    pub classes: Classes,
    /// Bad rows left out on request.
    pub skipped: usize,
    /// Where they are from.
    pub origin: DataOrigin,
}

/// How many rows are taken where nothing is said: the tutorial's 2,000 of NSMC, all of one's own.
pub fn default_limit(own_rows: bool) -> SampleLimit {
    if own_rows { SampleLimit::All } else { SampleLimit::Count(2000) }
}

/// The columns to read.
fn columns(columns: &Columns) -> ColumnNames {
    ColumnNames { text: columns.text_column_name.clone(), label: columns.label_column_name.clone() }
}

fn one(file: Option<&PathBuf>) -> Vec<PathBuf> {
    file.cloned().into_iter().collect()
}

impl Dataset {
    /// Reads and samples both splits; `named` are the classes that the model's config.json names.
    ///
    /// # Errors
    /// If a file cannot be read, or its labels are not those of one set of classes.
    pub fn read(
        wanted: &Wanted,
        named: Option<&[String]>,
        watch: &mut Watch,
    ) -> anyhow::Result<Self> {
        let (train, eval, split) = tables(wanted, watch)?;
        let origin = origin(wanted, split);
        let classes = Classes::find(&train, Some(&eval), named)?;
        anyhow::ensure!(
            !eval.rows.is_empty(),
            "no rows are left to be judged by. Pass a --validation-file or a larger \
             --validation-split, and check that {} is the column of the classes",
            train.label_column
        );
        let skipped = train.skipped + eval.skipped;
        let seed = wanted.shuffle_seed;
        let limit = |asked: Option<SampleLimit>, own| asked.unwrap_or(default_limit(own));
        let own = wanted.columns.dataset_name.is_some();
        let own_train = own || wanted.train.train_file.is_some();
        let own_eval = own_train || wanted.eval.validation_file.is_some();
        let train_limit = limit(wanted.train.max_train_samples, own_train);
        let eval_limit = limit(wanted.eval.max_eval_samples, own_eval);
        Ok(Self {
            train: sample(train.rows, &classes, train_limit, seed)?,
            eval: sample(eval.rows, &classes, eval_limit, seed)?,
            classes,
            skipped,
            origin,
        })
    }
}

fn origin(wanted: &Wanted, split: &str) -> DataOrigin {
    let (train, eval) = (&wanted.train.train_file, &wanted.eval.validation_file);
    let file = train.as_ref().or(eval.as_ref());
    let hub_name = wanted.columns.dataset_name.clone();
    let embedded = file.is_none() && hub_name.is_none();
    let name = match (&hub_name, file) {
        (Some(name), _) => name.clone(),
        (None, Some(file)) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        (None, None) => "NSMC".to_owned(),
    };
    DataOrigin {
        is_nsmc: embedded || hub_name.as_deref() == Some("e9t/nsmc"),
        hub_name: if embedded { Some("e9t/nsmc".to_owned()) } else { hub_name },
        name,
        split: split.to_owned(),
    }
}

/// The rows of both splits, and what the second is called.
fn tables(
    wanted: &Wanted,
    watch: &mut Watch,
) -> anyhow::Result<(DataTable, DataTable, &'static str)> {
    /// A share of the training rows, or a file that was named for it.
    const HELD_OUT: &str = "validation";
    let columns_to_read = columns(wanted.columns);
    let skip = wanted.eval.skip_bad_rows;
    let mut files = DatasetFiles {
        train: one(wanted.train.train_file.as_ref()),
        eval: one(wanted.eval.validation_file.as_ref()),
        split: HELD_OUT,
    };
    if let Some(name) = &wanted.columns.dataset_name {
        anyhow::ensure!(
            files.train.is_empty(),
            "--dataset-name and --train-file are two sources of the same rows; pass one of them"
        );
        let config = wanted.columns.dataset_config_name.as_deref();
        let found = locate::dataset(name, config, watch)?;
        files.train = found.train;
        if files.eval.is_empty() {
            (files.eval, files.split) = (found.eval, found.split);
        }
    }
    let own_rows = !files.train.is_empty();
    let mut train = read_split(&files.train, Split::Train, &columns_to_read, skip)?;
    let share = wanted.train.validation_split;
    if files.eval.is_empty() && (own_rows || share.is_some()) {
        let rows = std::mem::take(&mut train.rows);
        let mut eval = DataTable { skipped: 0, ..train.clone() };
        (train.rows, eval.rows) =
            stratified(rows, share.unwrap_or(DEFAULT_SPLIT), wanted.shuffle_seed);
        return Ok((train, eval, HELD_OUT));
    }
    let split = if files.eval.is_empty() { "test" } else { files.split };
    let eval = read_split(&files.eval, Split::Test, &columns_to_read, skip)?;
    Ok((train, eval, split))
}

/// The rows that a finished model is judged by, numbered by its own classes.
///
/// Besides the rows: how many bad ones were left out, and what is to be known of their labels.
///
/// # Errors
/// As [`Dataset::read`].
pub fn evaluation_rows(
    source: &EvalSource,
    from: &Columns,
    shuffle_seed: u64,
    labels: &[String],
    watch: &mut Watch,
) -> anyhow::Result<(Vec<Sample>, usize, Option<String>)> {
    let mut files = one(source.validation_file.as_ref());
    if let (Some(name), true) = (&from.dataset_name, files.is_empty()) {
        let found = locate::dataset(name, from.dataset_config_name.as_deref(), watch)?;
        files = if found.eval.is_empty() { found.train } else { found.eval };
    }
    let table = read_split(&files, Split::Test, &columns(from), source.skip_bad_rows)?;
    let classes = Classes::of_model(labels, &table);
    let limit = source.max_eval_samples.unwrap_or(default_limit(!files.is_empty()));
    let rows = sample(table.rows, &classes, limit, shuffle_seed)?;
    Ok((rows, table.skipped, classes.note()))
}
