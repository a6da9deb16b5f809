//! Loads the rows of a run: reads them, maps their labels to class indices, and samples them.

mod corrected;
mod texts;
mod unlabelled;

use super::locate::{self, DatasetFiles, DownloadCallback};
use super::options::DatasetOptions;
use crate::core::data::labels::Classes;
use crate::core::data::slice_columns::SliceColumn;
use crate::core::data::source::{read_split, sample};
use crate::core::data::split::stratified;
use crate::core::data::table::{ColumnNames, DataTable};
use crate::core::data::{Sample, Split};
use crate::core::text::sanitize_for_terminal;
use corrected::CorrectedLabels;
use std::path::{Path, PathBuf};
use unlabelled::{KnownTexts, UnlabelledTexts};

/// The source of the rows, for the model card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetOrigin {
    /// Its name.
    pub name: String,
    /// Its name on the hub, if it comes from the hub.
    pub hub_name: Option<String>,
    /// The split that the model is evaluated on.
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
    /// Unlabelled texts, none of which is a training or evaluation text. Their labels mean nothing.
    pub unlabelled: Vec<Sample>,
    /// The classes.
    pub classes: Classes,
    /// The number of invalid rows that were skipped on request.
    pub skipped: usize,
    /// What the user should know of how files and labels were read.
    pub notes: Vec<String>,
    /// The name of the text column, or those of the two columns of pairs.
    pub text_columns: Vec<String>,
    /// A note on which columns of the user's own rows were read.
    pub columns_note: Option<String>,
    /// The columns whose values divide the evaluation rows into slices.
    pub slice_columns: Vec<SliceColumn>,
    /// The source of the rows.
    pub origin: DatasetOrigin,
}

/// Evaluation rows for a saved model.
pub struct EvaluationRows {
    /// Sampled rows, with class indices of the model.
    pub samples: Vec<Sample>,
    /// The number of invalid rows that were skipped on request.
    pub skipped: usize,
    /// What the user should know of how files and labels were read.
    pub notes: Vec<String>,
    /// Whether the rows are pairs of texts.
    pub has_pairs: bool,
    /// A note on which columns were read.
    pub columns_note: String,
    /// The columns whose values divide the rows into slices.
    pub slice_columns: Vec<SliceColumn>,
}

/// The tables of both splits, and the name of the evaluation split.
struct SplitTables {
    train: DataTable,
    eval: DataTable,
    eval_split: &'static str,
}

fn columns(options: &DatasetOptions) -> ColumnNames {
    ColumnNames {
        text: options.text_column_name.as_ref().map(|given| given.value.clone()),
        text_pair: options.text_pair_column_name.as_ref().map(|given| given.value.clone()),
        label: options.label_column_name.as_ref().map(|given| given.value.clone()),
        unlabelled: false,
        slices: None,
        keeps_all: false,
    }
}

/// The columns to read of files whose rows, or some of them, are evaluation rows.
///
/// # Errors
/// If slice columns are requested of NSMC, which is used without files.
fn evaluation_columns(options: &DatasetOptions, files: &[PathBuf]) -> anyhow::Result<ColumnNames> {
    let slices = options.slice_columns();
    if let (true, Some(name)) = (files.is_empty(), slices.first()) {
        anyhow::bail!(
            "--slice-column {}: NSMC has no such column; its columns are id, document, label. Pass \
             evaluation rows that have it with --validation-file",
            sanitize_for_terminal(name)
        );
    }
    Ok(ColumnNames { slices: Some(slices.to_vec()), ..columns(options) })
}

fn one_file(file: Option<&Path>) -> Vec<PathBuf> {
    file.map(Path::to_path_buf).into_iter().collect()
}

impl Dataset {
    /// Reads and samples both splits; `class_names` are the labels from the model's config.json.
    ///
    /// # Errors
    /// If a file cannot be read, or its labels do not form one set of classes.
    pub fn read(
        options: &DatasetOptions,
        class_names: Option<&[String]>,
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<Self> {
        let SplitTables { train, eval, eval_split } = read_tables(options, on_download)?;
        let classes = Classes::find(&train, Some(&eval), class_names)?;
        anyhow::ensure!(
            !eval.rows.is_empty(),
            "there are no evaluation rows. Pass a --validation-file or a larger \
             --validation-split, and check that {} is the column of the labels",
            train.label_column
        );
        let describe = |table: &DataTable| table.text_columns.join(" and ");
        anyhow::ensure!(
            train.has_pairs() == eval.has_pairs(),
            "the texts of the training rows are in {}, but those of the evaluation rows in {}. Both \
             must be pairs of texts, or neither; pass --validation-file, or the columns with \
             --text-column-name and --text-pair-column-name",
            describe(&train),
            describe(&eval)
        );
        let has_own_rows = options.has_custom_training_rows();
        let columns_note = has_own_rows.then(|| train.columns_note());
        let text_columns = train.text_columns.clone();
        let eval_classes = classes.for_evaluation(&eval);
        let mut skipped = train.skipped + eval.skipped;
        let mut notes = [&train.notes, &eval.notes, classes.notes(), eval_classes.notes()].concat();
        let seed = options.sample_seed();
        let has_pairs = train.has_pairs();
        let slice_columns = eval.slice_columns;
        let mut train = sample(train.rows, &classes, options.train_limit(), seed)?;
        let mut unlabelled = Vec::new();
        if let Some(source) = options.unlabelled_source() {
            let mut known = KnownTexts::default();
            known.add_samples(&train);
            known.add_rows(&eval.rows);
            let UnlabelledTexts { samples, notes: more, skipped: bad } =
                unlabelled::read(source, options, known, has_pairs)?;
            notes.extend(more);
            skipped += bad;
            unlabelled = samples;
        }
        let mut eval = sample(eval.rows, &eval_classes, options.eval_limit(), seed)?;
        if let Some(file) = options.corrections_file() {
            let mut corrected = CorrectedLabels::read(file, |rows| classes.for_corrections(rows))?;
            corrected.apply(&mut train);
            corrected.apply(&mut eval);
            notes.extend(corrected.into_notes());
        }
        Ok(Self {
            train,
            eval,
            unlabelled,
            classes,
            skipped,
            notes,
            text_columns,
            columns_note,
            slice_columns,
            origin: origin(options, eval_split),
        })
    }
}

fn origin(options: &DatasetOptions, eval_split: &str) -> DatasetOrigin {
    const NSMC_ON_THE_HUB: &str = "e9t/nsmc";
    let file = options.training_file().or(options.evaluation_file());
    let hub_name = options.hub_dataset().map(str::to_owned);
    let is_embedded = file.is_none() && hub_name.is_none();
    let name = match (&hub_name, file) {
        (Some(name), _) => name.clone(),
        (None, Some(file)) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        (None, None) => "NSMC".to_owned(),
    };
    DatasetOrigin {
        is_nsmc: is_embedded || hub_name.as_deref() == Some(NSMC_ON_THE_HUB),
        hub_name: if is_embedded { Some(NSMC_ON_THE_HUB.to_owned()) } else { hub_name },
        name,
        split: eval_split.to_owned(),
    }
}

fn read_tables(
    options: &DatasetOptions,
    on_download: &mut DownloadCallback,
) -> anyhow::Result<SplitTables> {
    /// The name of a split that is held out of the training rows or read from a validation file.
    const VALIDATION: &str = "validation";
    let (quoting, skip_bad_rows) = (options.quoting_or_auto(), options.skips_bad_rows());
    let mut files = DatasetFiles {
        train: one_file(options.training_file()),
        eval: one_file(options.evaluation_file()),
        eval_split: VALIDATION,
    };
    if let Some(name) = options.hub_dataset() {
        anyhow::ensure!(
            files.train.is_empty(),
            "--dataset-name and --train-file both name training rows; pass one of them"
        );
        let found = locate::dataset(name, options.hub_config(), on_download)?;
        files.train = found.train;
        if files.eval.is_empty() {
            (files.eval, files.eval_split) = (found.eval, found.eval_split);
        }
    }
    // Of training rows, the columns are read only if evaluation rows are held out of them.
    let is_held_out =
        files.eval.is_empty() && (!files.train.is_empty() || options.held_out_share().is_some());
    let train_columns =
        if is_held_out { evaluation_columns(options, &files.train)? } else { columns(options) };
    let mut train = read_split(&files.train, Split::Train, &train_columns, quoting, skip_bad_rows)?;
    let share = options.held_out_share();
    if is_held_out {
        let share = share.unwrap_or(DatasetOptions::DEFAULT_VALIDATION_SPLIT);
        let rows = std::mem::take(&mut train.rows);
        let mut eval = DataTable { skipped: 0, notes: Vec::new(), ..train.clone() };
        let names = train.declared_names.as_deref();
        (train.rows, eval.rows) = stratified(rows, names, share, options.sample_seed());
        return Ok(SplitTables { train, eval, eval_split: VALIDATION });
    }
    let eval_split = if files.eval.is_empty() { "test" } else { files.eval_split };
    let columns = evaluation_columns(options, &files.eval)?;
    let eval = read_split(&files.eval, Split::Test, &columns, quoting, skip_bad_rows)?;
    Ok(SplitTables { train, eval, eval_split })
}

/// Reads and samples the evaluation rows for a saved model with these labels.
///
/// # Errors
/// The errors of [`Dataset::read`].
pub fn evaluation_rows(
    options: &DatasetOptions,
    labels: &[String],
    on_download: &mut DownloadCallback,
) -> anyhow::Result<EvaluationRows> {
    let mut files = one_file(options.evaluation_file());
    let mut notes = Vec::new();
    if let (Some(name), true) = (options.hub_dataset(), files.is_empty()) {
        let found = locate::dataset(name, options.hub_config(), on_download)?;
        files = found.eval;
        if files.is_empty() {
            notes.push(format!(
                "{name} has no evaluation split, so the model is evaluated on the training split, \
                 which it may have been trained on. Pass other rows with --validation-file"
            ));
            files = found.train;
        }
    }
    let (quoting, skip_bad_rows) = (options.quoting_or_auto(), options.skips_bad_rows());
    let columns = evaluation_columns(options, &files)?;
    let mut table = read_split(&files, Split::Test, &columns, quoting, skip_bad_rows)?;
    let classes = Classes::of_model(labels, &table);
    notes.extend([&table.notes, classes.notes()].concat());
    let (has_pairs, columns_note) = (table.has_pairs(), table.columns_note());
    let slice_columns = std::mem::take(&mut table.slice_columns);
    let mut samples = sample(table.rows, &classes, options.eval_limit(), options.sample_seed())?;
    if let Some(file) = options.corrections_file() {
        let mut corrected = CorrectedLabels::read(file, |rows| Classes::of_model(labels, rows))?;
        corrected.apply(&mut samples);
        notes.extend(corrected.into_notes());
    }
    let skipped = table.skipped;
    Ok(EvaluationRows { samples, skipped, notes, has_pairs, columns_note, slice_columns })
}
