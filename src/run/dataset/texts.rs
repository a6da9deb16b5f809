//! Texts without labels, for pretraining.

use super::{Dataset, DatasetOptions, DownloadCallback, columns, one_file, origin};
use crate::core::data::files::read_unlabelled;
use crate::core::data::labels::Classes;
use crate::core::data::sampling::{SampleLimit, sample_indices};
use crate::core::data::split::stratified;
use crate::core::data::table::{DataRow, DataTable};
use crate::core::data::{Sample, Split, nsmc};
use crate::run::locate::{self, DatasetFiles};
use std::path::PathBuf;

impl Dataset {
    /// Reads and samples texts without labels. `classes` are what the objective tells apart, if
    /// anything.
    ///
    /// # Errors
    /// If a file cannot be read, or a split has no texts.
    pub fn read_texts(
        options: &DatasetOptions,
        classes: &[String],
        on_download: &mut DownloadCallback,
    ) -> anyhow::Result<Self> {
        let mut files = DatasetFiles {
            train: one_file(options.training_file()),
            eval: one_file(options.evaluation_file()),
            eval_split: "validation",
        };
        if let Some(name) = options.hub_dataset() {
            anyhow::ensure!(
                files.train.is_empty(),
                "--dataset-name and --train-file both name texts; pass one of them"
            );
            let found = locate::dataset(name, options.hub_config(), on_download)?;
            files.train = found.train;
            if files.eval.is_empty() {
                files.eval = found.eval;
            }
        }
        let mut train = read(&files.train, Split::Train, options)?;
        let share = options.held_out_share();
        let eval = if files.eval.is_empty() && (!files.train.is_empty() || share.is_some()) {
            let share = share.unwrap_or(DatasetOptions::PRETRAINING_VALIDATION_SPLIT);
            // Without labels, all texts are of one class.
            let rows = std::mem::take(&mut train.rows);
            let (rows, held_out) = stratified(rows, None, share, options.sample_seed());
            train.rows = rows;
            DataTable { rows: held_out, ..DataTable::default() }
        } else {
            read(&files.eval, Split::Test, options)?
        };
        let seed = options.sample_seed();
        let train_limit = options.max_train_samples.as_ref().map(|given| given.value);
        let train_limit = train_limit.unwrap_or(SampleLimit::All).count();
        let eval_limit = options.max_eval_samples.as_ref().map(|given| given.value);
        let eval_limit = eval_limit.unwrap_or(DatasetOptions::PRETRAINING_EVAL_SAMPLES).count();
        let dataset = Self {
            skipped: train.skipped + eval.skipped,
            notes: [&train.notes[..], &eval.notes].concat(),
            train: sample_texts(train.rows, train_limit, seed),
            eval: sample_texts(eval.rows, eval_limit, seed),
            classes: Classes::of_model(classes, &DataTable::default()),
            unlabelled: Vec::new(),
            text_columns: Vec::new(),
            columns_note: None,
            slice_columns: Vec::new(),
            origin: origin(options, files.eval_split),
        };
        anyhow::ensure!(
            !dataset.train.is_empty() && !dataset.eval.is_empty(),
            "there are {} texts for training and {} for evaluation, but at least one of each is \
             required. Pass more texts, a --validation-file or another --validation-split",
            dataset.train.len(),
            dataset.eval.len()
        );
        Ok(dataset)
    }
}

/// Reads the texts of files, or those of a split of the embedded NSMC if there are none.
fn read(files: &[PathBuf], split: Split, options: &DatasetOptions) -> anyhow::Result<DataTable> {
    if files.is_empty() {
        let mut table = nsmc::load(split)?;
        table.rows.iter_mut().for_each(|row| row.label.clear());
        return Ok(table);
    }
    let mut all = DataTable::default();
    for file in files {
        let (quoting, skip) = (options.quoting_or_auto(), options.skips_bad_rows());
        let table = read_unlabelled(file, &columns(options), quoting, skip)?;
        // Both texts of a pair are texts.
        for mut row in table.rows {
            let second = row.text_pair.take();
            let second = second.map(|text| DataRow { text, ..row.clone() });
            all.rows.extend([row].into_iter().chain(second));
        }
        all.skipped += table.skipped;
        all.notes.extend(table.notes);
    }
    Ok(all)
}

/// Draws a sample of the texts. Empty texts are left out: there is nothing to predict in them.
fn sample_texts(mut rows: Vec<DataRow>, limit: Option<usize>, seed: u64) -> Vec<Sample> {
    rows.retain(|row| !row.text.trim().is_empty());
    let indices = sample_indices(rows.len(), limit, seed);
    let mut rows: Vec<Option<DataRow>> = rows.into_iter().map(Some).collect();
    let taken = indices.into_iter().filter_map(|index| rows[index].take());
    let sample = |DataRow { id, text: document, slices, .. }| Sample {
        id,
        document,
        text_pair: None,
        label: 0,
        slices,
    };
    taken.map(sample).collect()
}
