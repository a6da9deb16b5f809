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
        slices: row.slices,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::dataset::Dataset;
    use crate::run::options::{OptionGroup, ValueSource};
    use std::ffi::OsStr;

    fn read(given: &[(&str, &OsStr)]) -> anyhow::Result<Dataset> {
        let mut options = DatasetOptions::default();
        for (name, text) in given {
            let outcome = options.set(name, text, &ValueSource::Flag);
            outcome.unwrap_or_else(|| Err("unknown".to_owned())).map_err(anyhow::Error::msg)?;
        }
        Dataset::read(&options, None, &mut |_| true)
    }

    #[test]
    fn no_training_or_test_text_of_nsmc_is_among_its_unlabelled_texts() -> anyhow::Result<()> {
        for share in [None, Some("0.1")] {
            let mut given = vec![("unlabelled", OsStr::new("nsmc"))];
            given.extend(share.map(|share| ("validation_split", OsStr::new(share))));
            let dataset = read(&given)?;
            let mut known: HashSet<&str> = HashSet::new();
            let test = nsmc::load(Split::Test)?.rows;
            known.extend(test.iter().map(|row| row.text.trim()));
            known.extend(dataset.train.iter().map(|sample| sample.document.trim()));
            known.extend(dataset.eval.iter().map(|sample| sample.document.trim()));
            let unlabelled = &dataset.unlabelled;
            assert!(unlabelled.iter().all(|sample| !known.contains(sample.document.trim())));
            assert!(unlabelled.iter().all(|sample| !sample.document.trim().is_empty()));
            // With a validation split a tenth of the training split is held out.
            let least = if share.is_some() { 120_000 } else { 140_000 };
            assert!(unlabelled.len() > least, "{}", unlabelled.len());
            let note = format!("unlabelled texts: {} of nsmc; ", unlabelled.len());
            assert!(dataset.notes.iter().any(|found| found.starts_with(&note)), "{note}");
        }
        Ok(())
    }

    #[test]
    fn unsuitable_unlabelled_texts_are_errors_with_a_remedy() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).into_os_string();
        std::fs::write(path("rows.tsv"), "text\tlabel\na\t0\nb\t1\nc\t0\nd\t1\n")?;
        std::fs::write(path("pairs.tsv"), "sentence1\tsentence2\na\tx\n")?;
        std::fs::write(path("known.txt"), "a\n b\nd\nc\n")?;
        let message = |file: &str| {
            let (rows, file) = (path("rows.tsv"), path(file));
            let given =
                [("train_file", &*rows), ("validation_file", &*rows), ("unlabelled", &*file)];
            read(&given).map_or_else(|error| error.to_string(), |_| String::new())
        };
        assert!(message("pairs.tsv").contains("have to be single texts"));
        assert!(message("known.txt").contains("all 4 are also training or evaluation texts"));
        assert!(message("missing.txt").contains("missing.txt"));
        Ok(())
    }
}
