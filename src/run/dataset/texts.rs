//! Texts without labels, for pretraining.

use super::read_tables;
use super::{ColumnNames, Dataset, DatasetOptions, DownloadCallback, SplitTables, columns, origin};
use crate::core::data::Sample;
use crate::core::data::labels::Classes;
use crate::core::data::sampling::{SampleLimit, sample_indices};
use crate::core::data::table::{DataRow, DataTable};

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
        let columns = ColumnNames { without_labels: true, ..columns(options) };
        let share = DatasetOptions::PRETRAINING_VALIDATION_SPLIT;
        let SplitTables { train, eval, eval_split } =
            read_tables(options, &columns, share, on_download)?;
        let limit = |given: Option<SampleLimit>, usual| given.unwrap_or(usual).count();
        let given = |limit: &Option<super::super::options::Given<SampleLimit>>| {
            limit.as_ref().map(|given| given.value)
        };
        let seed = options.sample_seed();
        let train_limit = limit(given(&options.max_train_samples), SampleLimit::All);
        let eval_limit =
            limit(given(&options.max_eval_samples), DatasetOptions::PRETRAINING_EVAL_SAMPLES);
        let skipped = train.skipped + eval.skipped;
        let notes = [&train.notes[..], &eval.notes].concat();
        let columns_note = train.text_columns.first().map(|column| format!("texts: {column}"));
        let dataset = Self {
            train: sample_texts(train.rows, train_limit, seed),
            eval: sample_texts(eval.rows, eval_limit, seed),
            classes: Classes::of_model(classes, &DataTable::default()),
            skipped,
            notes,
            text_columns: Vec::new(),
            columns_note,
            origin: origin(options, eval_split),
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

/// Draws a sample of the texts. Empty texts are left out: there is nothing to predict in them.
fn sample_texts(mut rows: Vec<DataRow>, limit: Option<usize>, seed: u64) -> Vec<Sample> {
    rows.retain(|row| !row.text.trim().is_empty());
    let indices = sample_indices(rows.len(), limit, seed);
    let mut rows: Vec<Option<DataRow>> = rows.into_iter().map(Some).collect();
    let taken = indices.into_iter().filter_map(|index| rows[index].take());
    taken.map(|row| Sample { id: row.id, document: row.text, text_pair: None, label: 0 }).collect()
}
