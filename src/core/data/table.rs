//! Rows of labelled texts, as files hold them.

use super::Place;
use super::open::{Source, open};
use super::row_collector::RowCollector;
use super::{DataError, csv, json, parquet, tsv};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One labelled text as a file holds it, its label not yet numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The file's own identifier, else the row's number, counted from 1.
    pub id: String,
    /// The text, which may be empty.
    pub text: String,
    /// The label, which is not empty, without whitespace around it, and printable.
    pub label: String,
    /// The file it is from, and where in it.
    pub from: Option<(Arc<Path>, Place)>,
}

/// The rows of one split.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The good rows, in the order of the files.
    pub rows: Vec<Row>,
    /// How many bad rows `--skip-bad-rows` left out.
    pub skipped: usize,
    /// Names for the numbers in `label`, where a file declares them.
    pub declared_names: Option<Vec<String>>,
    /// Whether the files are in NSMC's own form, whose 0 and 1 are negative and positive.
    pub is_nsmc: bool,
    /// The name of the column that the labels came from.
    pub label_column: String,
}

/// Which columns to read; `None` looks for them by their usual names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The column of the texts.
    pub text: Option<String>,
    /// The column of the labels.
    pub label: Option<String>,
}

/// Reads the files of one split, one after the other, each by its ending. With `skip_bad_rows`,
/// bad rows are counted instead of refused.
///
/// # Errors
/// Names the file, the row and what was found there.
pub fn read_files(
    files: &[PathBuf],
    columns: &Columns,
    skip_bad_rows: bool,
) -> Result<Table, DataError> {
    let mut sink = RowCollector::new(columns, skip_bad_rows);
    for file in files {
        sink.begin(file);
        match open(file)? {
            Source::Tsv(lines) => tsv::read(lines, &mut sink)?,
            Source::Csv(lines) => csv::read(lines, &mut sink)?,
            Source::Json(lines) => json::read(lines, &mut sink)?,
            Source::Parquet(file) => parquet::read(file, &mut sink)?,
        }
    }
    let table = sink.finish();
    if table.rows.is_empty() {
        return Err(DataError::Empty { file: files.first().cloned().unwrap_or_default() });
    }
    Ok(table)
}

/// Reads one source with `read`; `name` stands for it in errors.
pub(super) fn read_one(
    name: &Path,
    columns: &Columns,
    skip_bad_rows: bool,
    read: impl FnOnce(&mut RowCollector<'_>) -> Result<(), DataError>,
) -> Result<Table, DataError> {
    let mut sink = RowCollector::new(columns, skip_bad_rows);
    sink.begin(name);
    read(&mut sink)?;
    Ok(sink.finish())
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
