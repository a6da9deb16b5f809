//! The unlabelled texts of a run, without those that it is trained or evaluated on.

use super::columns;
use crate::core::data::files::read_unlabelled;
use crate::core::data::table::{DataRow, DataTable};
use crate::core::data::{DataError, Sample, Split, nsmc};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use crate::run::options::{DatasetOptions, UnlabelledSource};
use std::collections::HashSet;

/// Texts that must not be among the unlabelled ones. Whitespace around a text does not count.
#[derive(Default)]
pub(super) struct KnownTexts {
    texts: HashSet<(String, String)>,
}

impl KnownTexts {
    fn key(text: &str, pair: Option<&str>) -> (String, String) {
        (text.trim().to_owned(), pair.unwrap_or_default().trim().to_owned())
    }

    /// Adds the texts of rows.
    pub fn add_rows(&mut self, rows: &[DataRow]) {
        self.texts.extend(rows.iter().map(|row| Self::key(&row.text, row.text_pair.as_deref())));
    }

    /// Adds the texts of samples.
    pub fn add_samples(&mut self, samples: &[Sample]) {
        let key = |sample: &Sample| Self::key(&sample.document, sample.text_pair.as_deref());
        self.texts.extend(samples.iter().map(key));
    }

    fn contains(&self, row: &DataRow) -> bool {
        self.texts.contains(&Self::key(&row.text, row.text_pair.as_deref()))
    }
}

/// Unlabelled texts, and notes on them.
pub(super) struct UnlabelledTexts {
    /// The texts; their labels mean nothing.
    pub samples: Vec<Sample>,
    pub notes: Vec<String>,
    /// The number of invalid rows that were skipped on request.
    pub skipped: usize,
}

/// Reads the unlabelled texts that the options name, without those that are known. `known` has all
/// evaluation texts, of which a run may evaluate only a sample, and the training texts; the test
/// texts of NSMC are added to them if NSMC's reviews are among the texts of the run.
///
/// # Errors
/// If the file cannot be read, no text remains, or its texts are pairs and those of the run are not,
/// or the reverse.
pub(super) fn read(
    source: &UnlabelledSource,
    options: &DatasetOptions,
    mut known: KnownTexts,
    has_pairs: bool,
) -> anyhow::Result<UnlabelledTexts> {
    let name = match source {
        UnlabelledSource::Nsmc => "nsmc".into(),
        UnlabelledSource::File(file) => file.file_name().unwrap_or_default().to_string_lossy(),
    };
    let name = truncate_width(&sanitize_for_terminal(&name), 60);
    let uses_nsmc = *source == UnlabelledSource::Nsmc || !options.has_custom_training_rows();
    if uses_nsmc {
        known.add_rows(&nsmc::load(Split::Test)?.rows);
    }
    let DataTable { rows, skipped, mut notes, text_columns, .. } = table(source, options)?;
    anyhow::ensure!(
        (text_columns.len() > 1) == has_pairs,
        "{name}: the unlabelled texts have to be {}, as the training texts are. Pass another file \
         with --unlabelled",
        if has_pairs { "pairs of texts" } else { "single texts" }
    );
    let all = rows.len();
    let is_text = |row: &DataRow| {
        !row.text.trim().is_empty()
            || row.text_pair.as_ref().is_some_and(|pair| !pair.trim().is_empty())
    };
    let rows: Vec<DataRow> = rows.into_iter().filter(is_text).collect();
    let (not_empty, empty) = (rows.len(), all - rows.len());
    let rows: Vec<DataRow> = rows.into_iter().filter(|row| !known.contains(row)).collect();
    let removed = not_empty - rows.len();
    anyhow::ensure!(
        !rows.is_empty(),
        "{name}: no unlabelled text remains, because all {not_empty} are also training or \
         evaluation texts. Pass another file with --unlabelled"
    );
    let empty = if empty > 0 { format!(", and {empty} empty ones") } else { String::new() };
    notes.push(format!(
        "unlabelled texts: {} of {name}; {removed} left out that are also training or evaluation \
         texts{empty}",
        rows.len()
    ));
    let sample = |row: DataRow| Sample {
        id: row.id,
        document: row.text,
        text_pair: row.text_pair,
        label: 0,
    };
    Ok(UnlabelledTexts { samples: rows.into_iter().map(sample).collect(), notes, skipped })
}

fn table(source: &UnlabelledSource, options: &DatasetOptions) -> Result<DataTable, DataError> {
    match source {
        UnlabelledSource::Nsmc => nsmc::load(Split::Train),
        UnlabelledSource::File(file) => {
            let (quoting, skip_bad_rows) = (options.quoting_or_auto(), options.skips_bad_rows());
            read_unlabelled(file, &columns(options), quoting, skip_bad_rows)
        }
    }
}
