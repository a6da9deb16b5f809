//! Labels that a file corrects, such as the `corrections.tsv` of an earlier run.

use crate::core::data::files::read_files;
use crate::core::data::labels::Classes;
use crate::core::data::quoting::Quoting;
use crate::core::data::sampling::SampleLimit;
use crate::core::data::source::sample;
use crate::core::data::table::{ColumnNames, DataTable};
use crate::core::data::{DataError, Sample};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use std::collections::HashMap;
use std::path::Path;

/// The corrected labels of rows.
pub(super) struct CorrectedLabels {
    /// The name of their file, for notes.
    file: String,
    /// The corrected rows by their ids.
    rows: HashMap<String, Vec<CorrectedRow>>,
    notes: Vec<String>,
    /// The number of labels that were changed.
    changed: usize,
}

struct CorrectedRow {
    sample: Sample,
    is_used: bool,
}

impl CorrectedRow {
    fn is_of(&self, sample: &Sample) -> bool {
        (&self.sample.document, &self.sample.text_pair) == (&sample.document, &sample.text_pair)
    }
}

impl CorrectedLabels {
    /// Reads a file of labelled rows; `classes` matches its labels with the classes of the run.
    ///
    /// # Errors
    /// If the file cannot be read, has a label that is not one of the classes, or two labels for one
    /// row.
    pub fn read(file: &Path, classes: impl Fn(&DataTable) -> Classes) -> anyhow::Result<Self> {
        let files = [file.to_path_buf()];
        let table = read_files(&files, &ColumnNames::default(), Quoting::default(), false)?;
        let classes = classes(&table);
        let notes = [&table.notes, classes.notes()].concat();
        let samples: Result<Vec<Sample>, DataError> =
            sample(table.rows, &classes, SampleLimit::All, 0);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let mut found = Self {
            file: truncate_width(&sanitize_for_terminal(&name), 60),
            rows: HashMap::new(),
            notes,
            changed: 0,
        };
        for sample in samples? {
            let rows = found.rows.entry(sample.id.clone()).or_default();
            match rows.iter().find(|row| row.is_of(&sample)) {
                None => rows.push(CorrectedRow { sample, is_used: false }),
                Some(known) => anyhow::ensure!(
                    known.sample.label == sample.label,
                    "{}: the row with id {} and its text has two labels; remove one of them",
                    found.file,
                    truncate_width(&sanitize_for_terminal(&sample.id), 40)
                ),
            }
        }
        Ok(found)
    }

    /// Replaces the labels of the samples that have the id and the texts of a corrected row.
    pub fn apply(&mut self, samples: &mut [Sample]) {
        for sample in samples {
            let rows = self.rows.get_mut(&sample.id).map(Vec::as_mut_slice).unwrap_or_default();
            if let Some(row) = rows.iter_mut().find(|row| row.is_of(sample)) {
                row.is_used = true;
                self.changed += usize::from(sample.label != row.sample.label);
                sample.label = row.sample.label;
            }
        }
    }

    /// What the user should know of what was changed.
    pub fn into_notes(self) -> Vec<String> {
        let rows = || self.rows.values().flatten();
        let (all, used) = (rows().count(), rows().filter(|row| row.is_used).count());
        let Self { file, mut notes, changed, .. } = self;
        notes.push(format!("{file}: labels corrected: {changed}"));
        if used < all {
            let unused = all - used;
            notes.push(format!(
                "{file}: {unused} of its {all} rows have the id and the text of no row that is sampled"
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: &str, document: &str, label: u32) -> Sample {
        Sample {
            id: id.to_owned(),
            document: document.to_owned(),
            text_pair: None,
            label,
            slices: Box::default(),
        }
    }

    fn read(text: &str) -> anyhow::Result<CorrectedLabels> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("corrections.tsv");
        std::fs::write(&file, text)?;
        let names = ["negative", "positive"].map(str::to_owned);
        let model = Classes::of_model(&names, &DataTable::default());
        CorrectedLabels::read(&file, |table| model.for_corrections(table))
    }

    #[test]
    fn labels_of_the_same_id_and_text_are_replaced() -> anyhow::Result<()> {
        let mut found =
            read("id\tdocument\tlabel\n1\t최고\tpositive\n2\t별로\tnegative\n9\t없음\tpositive\n")?;
        let mut samples =
            [sample("1", "최고", 0), sample("2", "별로", 0), sample("1", "다른 글", 0)];
        found.apply(&mut samples);
        assert_eq!(samples.map(|sample| sample.label), [1, 0, 0]);
        assert_eq!(
            found.into_notes(),
            [
                "corrections.tsv: labels corrected: 1",
                "corrections.tsv: 1 of its 3 rows have the id and the text of no row that is sampled"
            ]
        );
        Ok(())
    }

    #[test]
    fn a_row_has_one_label_of_the_classes() {
        let two = read("id\tdocument\tlabel\n1\ta\tpositive\n1\ta\tnegative\n").err();
        assert!(two.is_some_and(|error| error.to_string().contains("id 1 and its text")));
        let other = read("id\tdocument\tlabel\n1\ta\tneutral\n").err();
        assert!(other.is_some_and(|error| error.to_string().contains("neutral")));
        assert!(read("id\tdocument\tlabel\n1\ta\tpositive\n1\ta\tpositive\n").is_ok());
    }
}
