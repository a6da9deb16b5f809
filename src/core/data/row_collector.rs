//! Code that the readers of all formats share: finding the columns, and validating rows.

use super::bounded_lines::MAX_LINE_BYTES;
use super::table::{ColumnNames, DataRow, DataTable, RowPosition};
use super::text_columns::{TextColumns, TextColumnsError, find_text_columns};
use super::{DataError, join_names};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// The usual names of the label column, in order of preference.
const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "target", "sentiment", "class"];

/// The longest label, in bytes; anything longer is not a class name.
const MAX_LABEL_BYTES: usize = 256;

/// The memory limit of a table, in bytes, so that a small file that decompresses to endless rows
/// cannot use all memory.
const MAX_TABLE_BYTES: u64 = 8 << 30;

/// The indices of the columns that are read.
pub(super) struct ColumnIndices {
    pub text: usize,
    pub text_pair: Option<usize>,
    pub label: usize,
    pub id: Option<usize>,
}

impl ColumnIndices {
    /// The values of these columns. `fields` has a value for each column of the file.
    pub fn select<'a>(&self, fields: &[&'a str]) -> RawRow<'a> {
        RawRow {
            id: self.id.map(|id| fields[id].into()),
            text: fields[self.text].into(),
            text_pair: self.text_pair.map(|pair| fields[pair].into()),
            label: fields[self.label].into(),
        }
    }
}

/// The values of a row, not yet validated.
pub(super) struct RawRow<'a> {
    pub id: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    pub text_pair: Option<Cow<'a, str>>,
    pub label: Cow<'a, str>,
}

/// Collects the rows of one file after another into a table.
pub(super) struct RowCollector<'a> {
    columns: &'a ColumnNames,
    skip_bad_rows: bool,
    /// The current file.
    file: Arc<Path>,
    /// Whether the current file is in NSMC's format. `None` if its columns are NSMC's and its first
    /// label, which determines the format, has not been read.
    nsmc: Option<bool>,
    bytes: u64,
    table: DataTable,
}

impl<'a> RowCollector<'a> {
    pub fn new(columns: &'a ColumnNames, skip_bad_rows: bool) -> Self {
        let (file, table) = (Path::new("").into(), DataTable::default());
        Self { columns, skip_bad_rows, file, nsmc: None, bytes: 0, table }
    }

    /// Sets the file of the rows that follow.
    pub fn start_file(&mut self, file: &Path) {
        self.file = file.into();
    }

    /// Finds the columns to read among those of the current file.
    ///
    /// # Errors
    /// If there is no text or label column.
    pub fn find_columns(&mut self, names: &[&str]) -> Result<ColumnIndices, DataError> {
        let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
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
        let label = find(self.columns.label.as_deref(), &LABEL_COLUMNS, "--label-column-name")?;
        let id = names.iter().position(|name| name.eq_ignore_ascii_case("id"));
        let has_nsmc_columns = names == ["id", "document", "label"] && (text, label) == (1, 2);
        // An explicitly named label column may contain any classes.
        let may_be_nsmc = has_nsmc_columns && self.columns.label.is_none();
        self.nsmc = if may_be_nsmc { None } else { Some(false) };
        let name = |column: usize| truncate_width(names[column], 40);
        if self.table.label_column.is_empty() {
            self.table.label_column = name(label);
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
        Ok(ColumnIndices { text, text_pair, label, id })
    }

    /// Adds a row, or the reason why it cannot be read.
    ///
    /// # Errors
    /// If the row is invalid and such rows are not skipped, or the table is too large.
    pub fn push(
        &mut self,
        position: RowPosition,
        row: Result<RawRow<'_>, String>,
    ) -> Result<(), DataError> {
        match row.and_then(|row| self.validate(row)) {
            Ok(mut row) => {
                row.location = Some((self.file.clone(), position));
                let pair = row.text_pair.as_ref().map_or(0, String::len);
                let texts = row.id.len() + row.text.len() + pair + row.label.len();
                let bytes = size_of::<DataRow>() + texts;
                self.bytes += bytes as u64;
                if self.bytes > MAX_TABLE_BYTES {
                    let limit = MAX_TABLE_BYTES >> 30;
                    return Err(self.unreadable(format!(
                        "the rows take more than {limit} GiB of memory. Pass fewer or smaller files"
                    )));
                }
                self.table.rows.push(row);
            }
            Err(_) if self.skip_bad_rows => self.table.skipped += 1,
            Err(reason) => {
                let file = self.file.to_path_buf();
                return Err(DataError::BadRow { file, position, reason });
            }
        }
        Ok(())
    }

    fn validate(&mut self, row: RawRow<'_>) -> Result<DataRow, String> {
        let pair = row.text_pair.as_ref().map_or(0, |pair| pair.len());
        if row.text.len().max(pair) > MAX_LINE_BYTES {
            return Err(format!("the text is longer than {MAX_LINE_BYTES} bytes"));
        }
        let label = normalize_label(row.label.trim())?;
        let is_binary = matches!(&*label, "0" | "1");
        if self.nsmc == Some(true) && !is_binary {
            let found = truncate_width(&label, 20);
            return Err(format!(
                "expected a label of 0 or 1, found \"{found}\" (for classes other than NSMC's, \
                 pass --label-column-name label)"
            ));
        }
        if label.is_empty() {
            return Err("the label is empty".to_owned());
        }
        if label.len() > MAX_LABEL_BYTES {
            return Err(format!("the label is longer than {MAX_LABEL_BYTES} bytes"));
        }
        let nsmc = *self.nsmc.get_or_insert(is_binary);
        let table = &mut self.table;
        table.is_nsmc = nsmc && (table.is_nsmc || table.rows.is_empty());
        let number = table.rows.len() + table.skipped + 1;
        Ok(DataRow {
            location: None,
            id: row.id.map_or_else(|| number.to_string(), Cow::into_owned),
            label: sanitize_for_terminal(&label).into_owned(),
            text: row.text.into_owned(),
            text_pair: row.text_pair.map(Cow::into_owned),
        })
    }

    /// Sets the class names that the current file declares, unless an earlier file declared names.
    pub fn declare_names(&mut self, names: Vec<String>) {
        self.table.declared_names.get_or_insert(names);
    }

    /// A read error of the current file.
    pub fn io(&self, error: std::io::Error) -> DataError {
        DataError::Io { file: self.file.to_path_buf(), error }
    }

    /// An error about the current file as a whole.
    pub fn unreadable(&self, reason: impl Into<String>) -> DataError {
        DataError::Unreadable { file: self.file.to_path_buf(), reason: reason.into() }
    }

    pub fn finish(self) -> DataTable {
        self.table
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
    Ok(collector.finish())
}

/// A hint for a header that was read as a single column.
fn separator_hint(names: &[&str]) -> &'static str {
    match names {
        [only] if only.contains(',') => " (comma-separated? Then rename the file to .csv)",
        [only] if only.contains(';') => " (semicolon-separated? Replace them with commas)",
        [only] if only.contains('\t') => " (tab-separated? Then rename the file to .tsv)",
        _ => "",
    }
}

/// Turns `1.0`, as pandas writes integers of a column with missing values, into `1`.
fn normalize_label(label: &str) -> Result<Cow<'_, str>, String> {
    let is_decimal = label.contains('.')
        && label.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte));
    match is_decimal.then(|| label.parse::<f64>()) {
        Some(Ok(number)) => integer_label(number).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(label)),
    }
}

/// The label of a floating-point number.
///
/// # Errors
/// If it is not an integer.
pub(super) fn integer_label(number: f64) -> Result<String, String> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Ok((number as i64).to_string())
    } else {
        Err(format!("expected an integer or a name as the label, found the number {number:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_lose_their_fraction_and_other_numbers_are_rejected() {
        let of = |label: &'static str| normalize_label(label).map_err(drop);
        for (label, expected) in
            [("1.0", "1"), ("-1.00", "-1"), ("1.5e1", "15"), ("-0.0", "0"), ("2.", "2")]
        {
            assert_eq!(of(label).as_deref(), Ok(expected), "{label}");
        }
        for label in ["1", "a", "1.2.3", ".", "nan", "inf", "1e3", "v1.0", "별 1.0개"] {
            assert_eq!(of(label).as_deref(), Ok(label));
        }
        for label in ["0.5", "-.5", "1.0e300"] {
            assert_eq!(of(label), Err(()), "{label}");
        }
        assert!(integer_label(f64::NAN).is_err() && integer_label(f64::INFINITY).is_err());
        assert_eq!(integer_label(3.0).as_deref(), Ok("3"));
    }
}
