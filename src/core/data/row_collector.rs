//! Code that the readers of all formats share: finding the columns, and validating rows.

use super::bounded_lines::MAX_LINE_BYTES;
use super::kept_columns::KeptColumns;
use super::label_column::LabelColumn;
use super::label_values::canonical;
use super::raw_row::{ColumnIndices, RawRow};
use super::slice_columns::{MAX_VALUES, SliceCollector, SliceValues};
use super::table::{ColumnNames, DataRow, DataTable, RowPosition};
use super::text_columns::{TextColumns, TextColumnsError, find_text_columns};
use super::{DataError, corpus, join_names, sanitized};
use crate::core::text::truncate_width;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The usual names of the label column, in order of preference.
const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "target", "sentiment", "class"];

/// The flag that names slice columns.
pub(super) const SLICE_FLAG: &str = "--slice-column";

/// The most memory that the rows of a split may take, in bytes, so that a small file that
/// decompresses to endless rows cannot use all memory.
const MAX_TABLE_BYTES: u64 = 4 << 30;

/// The number of skipped rows whose reasons are shown.
const MAX_REASONS: usize = 3;

/// Collects the rows of one file after another into a table.
pub(super) struct RowCollector<'a> {
    columns: &'a ColumnNames,
    skip_bad_rows: bool,
    /// The current file.
    file: Arc<Path>,
    /// Whether the current file is in NSMC's format. `None` if its columns are NSMC's and its first
    /// label, which determines the format, has not been read.
    nsmc: Option<bool>,
    labels: LabelColumn,
    slices: SliceCollector,
    /// The memory that the texts of the rows take.
    text_bytes: u64,
    /// The most memory that the rows may take.
    max_bytes: u64,
    /// Why the first skipped rows are invalid.
    reasons: Vec<String>,
    table: DataTable,
}

impl<'a> RowCollector<'a> {
    pub fn new(columns: &'a ColumnNames, skip_bad_rows: bool) -> Self {
        Self {
            columns,
            skip_bad_rows,
            file: Path::new("").into(),
            nsmc: None,
            labels: LabelColumn::new(),
            slices: SliceCollector::default(),
            text_bytes: 0,
            max_bytes: MAX_TABLE_BYTES,
            reasons: Vec::new(),
            table: DataTable {
                kept: columns.keeps_all.then(KeptColumns::default),
                ..DataTable::default()
            },
        }
    }

    /// Sets the file of the rows that follow.
    pub fn start_file(&mut self, file: &Path) {
        self.file = file.into();
        self.labels.start_file();
    }

    /// Reads texts such as `NA` as missing labels in the current file, as pandas does.
    pub fn read_missing_values(&mut self) {
        self.labels.read_missing_values();
    }

    /// Finds the columns to read among those of the current file.
    ///
    /// # Errors
    /// If there is no text or label column.
    pub fn find_columns(&mut self, raw_names: &[&str]) -> Result<ColumnIndices, DataError> {
        let names: Vec<&str> = raw_names.iter().map(|name| name.trim()).collect();
        let missing = |expected: String, flag| DataError::NoColumn {
            file: self.file.to_path_buf(),
            expected,
            columns: join_names(&names) + separator_hint(&names),
            flag,
        };
        let find = |requested: Option<&str>, usual: &[&str], flag| {
            let found = match requested {
                Some(requested) => names.iter().position(|name| *name == requested),
                None => usual.iter().find_map(|usual| {
                    names.iter().position(|name| name.eq_ignore_ascii_case(usual))
                }),
            };
            found.ok_or_else(|| {
                let expected =
                    requested.map_or_else(|| usual.join(", "), |name| truncate_width(name, 40));
                missing(expected, flag)
            })
        };
        let texts = find_text_columns(&names, self.columns).map_err(|error| match error {
            TextColumnsError::Missing { expected, flag } => missing(expected, flag),
            TextColumnsError::Unclear(reason) => self.unreadable(reason),
        })?;
        let TextColumns { text, pair: text_pair, unread } = texts;
        let requested = self.columns.label.as_deref();
        let label = if self.columns.unlabelled {
            None
        } else {
            Some(find(requested, &LABEL_COLUMNS, "--label-column-name")?)
        };
        let id = names.iter().position(|name| name.eq_ignore_ascii_case("id"));
        let has_nsmc_columns =
            names == ["id", "document", "label"] && (text, label) == (1, Some(2));
        // An explicitly named label column may contain any classes.
        let may_be_nsmc = has_nsmc_columns && self.columns.label.is_none();
        self.nsmc = if may_be_nsmc { None } else { Some(false) };
        let name = |column: usize| truncate_width(names[column], 40);
        if self.table.text_columns.is_empty() {
            self.table.label_column = label.map(name).unwrap_or_default();
            self.table.text_columns = std::iter::once(text).chain(text_pair).map(name).collect();
            self.table.unread_column = unread.map(name);
        } else if self.table.has_pairs() != text_pair.is_some() {
            let earlier = self.table.text_columns.join(" and ");
            let here: Vec<String> = std::iter::once(text).chain(text_pair).map(name).collect();
            return Err(self.unreadable(format!(
                "its texts are in {}, but those of the file before it are in {earlier}. Pairs of \
                 texts and single texts cannot be mixed",
                here.join(" and ")
            )));
        }
        let slices = match &self.columns.slices {
            Some(requested) => {
                let used: Vec<usize> =
                    std::iter::once(text).chain(text_pair).chain(label).collect();
                self.slices
                    .find(&names, requested, &used)
                    .map_err(|name| missing(truncate_width(&name, 40), SLICE_FLAG))?
            }
            None => Vec::new(),
        };
        if let Some(kept) = &mut self.table.kept {
            kept.start(raw_names, text, text_pair);
        }
        Ok(ColumnIndices { text, text_pair, label, id, slices })
    }

    /// Where the values of all columns are kept, if they are.
    pub fn kept(&mut self) -> Option<&mut KeptColumns> {
        self.table.kept.as_mut()
    }

    /// Whether a slice column is one that the user has named.
    pub fn is_requested_slice(&self, column: usize) -> bool {
        self.slices.is_requested(column)
    }

    /// Adds a row, or the reason why it cannot be read.
    ///
    /// # Errors
    /// If the row is invalid and such rows are not skipped, or the rows take too much memory.
    pub fn push(
        &mut self,
        position: RowPosition,
        row: Result<RawRow<'_>, String>,
    ) -> Result<(), DataError> {
        let (mut slices, mut kept) = (Vec::new(), String::new());
        let row = row.and_then(|mut row| {
            slices = std::mem::take(&mut row.slices);
            kept = std::mem::take(&mut row.kept);
            self.validate(row)
        });
        match row {
            Ok(mut row) => {
                row.slices = self.slices.read(&slices).map_err(|name| {
                    self.unreadable(format!(
                        "its column {} has more than {MAX_VALUES} different values. {SLICE_FLAG} \
                         takes a column of few values, or of dates, of which the years count",
                        truncate_width(&name, 40)
                    ))
                })?;
                row.location = Some((self.file.clone(), position));
                self.reserve(&row, kept.len())?;
                self.table.rows.push(row);
                if let Some(columns) = &mut self.table.kept {
                    columns.push(kept);
                }
                Ok(())
            }
            Err(reason) => self.reject(&self.file.clone(), position, reason),
        }
    }

    /// Counts an invalid row, or returns its error if invalid rows are not skipped.
    fn reject(
        &mut self,
        file: &Path,
        position: RowPosition,
        reason: String,
    ) -> Result<(), DataError> {
        if !self.skip_bad_rows {
            return Err(DataError::BadRow { file: file.to_path_buf(), position, reason });
        }
        self.table.skipped += 1;
        if self.reasons.len() < MAX_REASONS {
            let reason = format!("{}{position}: {reason}", sanitized(&file.display()));
            self.reasons.push(truncate_width(&reason, 160));
        }
        Ok(())
    }

    /// Makes room for one more row, of which this many bytes are kept beside it.
    fn reserve(&mut self, row: &DataRow, kept: usize) -> Result<(), DataError> {
        const LEAST_ROWS: usize = 64;
        let rows = &mut self.table.rows;
        let texts = [Some(&row.id), Some(&row.text), row.text_pair.as_ref(), Some(&row.label)];
        let bytes = texts.into_iter().flatten().map(|text| allocated(text.capacity()));
        self.text_bytes += bytes.sum::<u64>() + allocated(size_of_val(&*row.slices));
        if self.table.kept.is_some() {
            self.text_bytes += allocated(kept) + size_of::<Box<str>>() as u64;
        }
        let grows_by =
            if rows.len() == rows.capacity() { (rows.len() / 2).max(LEAST_ROWS) } else { 0 };
        let capacity = (rows.capacity() + grows_by) as u64;
        if self.text_bytes + capacity * size_of::<DataRow>() as u64 > self.max_bytes {
            return Err(self.unreadable(format!(
                "its rows need more than {} MiB of memory, which is the limit for one split \
                 (reached after {} rows). Pass a smaller file, such as a sample of its rows",
                self.max_bytes >> 20,
                self.table.rows.len()
            )));
        }
        rows.reserve_exact(grows_by);
        Ok(())
    }

    fn validate(&mut self, row: RawRow<'_>) -> Result<DataRow, String> {
        let pair = row.text_pair.as_ref().map_or(0, |pair| pair.len());
        if row.text.len().max(pair) > MAX_LINE_BYTES {
            return Err(format!("the text is longer than {MAX_LINE_BYTES} bytes"));
        }
        let number = self.table.rows.len() + self.table.skipped + 1;
        if self.columns.unlabelled {
            let id = row.id.map_or_else(|| number.to_string(), Cow::into_owned);
            let text_pair = row.text_pair.map(Cow::into_owned);
            let text = row.text.into_owned();
            let (label, slices) = (String::new(), SliceValues::default());
            return Ok(DataRow { location: None, id, label, text, text_pair, slices });
        }
        let label = row.label.trim();
        let may_be_nsmc = self.nsmc != Some(false);
        let value = if may_be_nsmc { canonical(label) } else { None };
        let binary = value.filter(|label| matches!(&**label, "0" | "1"));
        if self.nsmc == Some(true) && binary.is_none() {
            let found = truncate_width(label, 20);
            return Err(format!(
                "expected a label of 0 or 1, found \"{found}\" (for classes other than NSMC's, \
                 pass --label-column-name label)"
            ));
        }
        self.labels.check(label)?;
        let id = row.id.map_or_else(|| number.to_string(), Cow::into_owned);
        if self.nsmc.is_none() {
            self.nsmc = Some(binary.is_some());
            let is_review = |label: &String| corpus::contains(&id, &row.text, label);
            if !self.labels.has_names() && binary.as_ref().is_some_and(is_review) {
                self.declare_names(corpus::NAMES.map(str::to_owned).to_vec());
            }
        }
        let label = self.labels.read(label, self.table.rows.len())?;
        let text_pair = row.text_pair.map(Cow::into_owned);
        let (text, slices) = (row.text.into_owned(), SliceValues::default());
        Ok(DataRow { location: None, id, label, text, text_pair, slices })
    }

    /// Sets the names of the current file's integer labels, by index. They are used unless two are
    /// the same.
    pub fn declare_names(&mut self, names: Vec<String>) {
        let known = &mut self.table.declared_names;
        for name in self.labels.declare(names) {
            let known = known.get_or_insert_default();
            if !known.contains(name) {
                known.push(name.clone());
            }
        }
    }

    /// Adds a note on how the current file was read.
    pub fn note(&mut self, note: &str) {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        self.table.notes.push(format!("{}: {note}", truncate_width(&name, 60)));
    }

    /// A read error of the current file.
    pub fn io(&self, error: std::io::Error) -> DataError {
        DataError::Io { file: self.file.to_path_buf(), error }
    }

    /// An error about the current file as a whole.
    pub fn unreadable(&self, reason: impl Into<String>) -> DataError {
        DataError::Unreadable { file: self.file.to_path_buf(), reason: reason.into() }
    }

    /// The table, in which the labels of one column have one type.
    ///
    /// # Errors
    /// If a label is a number that is not an integer, and invalid rows are not skipped.
    pub fn finish(mut self) -> Result<DataTable, DataError> {
        let labels = std::mem::replace(&mut self.labels, LabelColumn::new());
        let invalid = labels.unify(&mut self.table.rows);
        let mut rejected = BTreeSet::new();
        for (index, reason) in invalid {
            if let Some((file, position)) = self.table.rows[index].location.clone() {
                self.reject(&file, position, reason)?;
            }
            rejected.insert(index);
        }
        let mut indices = 0..;
        self.table.rows.retain(|_| indices.next().is_none_or(|index| !rejected.contains(&index)));
        let (columns, notes) =
            self.slices.finish(self.table.rows.iter_mut().map(|row| &mut row.slices));
        self.table.slice_columns = columns;
        self.table.notes.extend(notes);
        let untold = self.table.skipped - self.reasons.len();
        let left_out = self.reasons.iter().map(|reason| format!("left out: {reason}"));
        self.table.notes.extend(left_out);
        if untold > 0 {
            self.table.notes.push(format!("left out: {untold} more rows"));
        }
        Ok(self.table)
    }
}

/// The memory that a heap block of this size takes: allocators add a header and round up.
fn allocated(bytes: usize) -> u64 {
    const HEADER: u64 = 8;
    const ALIGNMENT: u64 = 16;
    match bytes as u64 {
        0 => 0,
        bytes => (bytes + HEADER).next_multiple_of(ALIGNMENT).max(2 * ALIGNMENT),
    }
}

/// Collects the rows that `read` passes to the collector; `name` is the file's name in errors.
///
/// # Errors
/// As `read`.
pub(super) fn collect_rows(
    name: &Path,
    columns: &ColumnNames,
    skip_bad_rows: bool,
    read: impl FnOnce(&mut RowCollector<'_>) -> Result<(), DataError>,
) -> Result<DataTable, DataError> {
    let mut collector = RowCollector::new(columns, skip_bad_rows);
    collector.start_file(name);
    read(&mut collector)?;
    collector.finish()
}

/// A hint for a header that was read in the wrong way.
fn separator_hint(names: &[&str]) -> &'static str {
    match names {
        [only] if only.contains(',') => " (comma-separated? Then rename the file to .csv)",
        [only] if only.contains(';') => " (semicolon-separated? Replace them with commas)",
        [only] if only.contains('\t') => " (tab-separated? Then rename the file to .tsv)",
        [first, ..] if first.starts_with('"') && first.ends_with('"') => {
            " (in quotation marks? Then pass --quoting all)"
        }
        _ => "",
    }
}

#[cfg(test)]
#[path = "row_collector_tests.rs"]
mod tests;
