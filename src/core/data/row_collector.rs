//! What the readers of all formats share: which columns they read, and what makes a good row.

use super::lines::LONGEST_LINE;
use super::table::{Columns, Row, Table};
use super::{DataError, Place};
use crate::core::text::{sanitize_for_terminal, truncate_width};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The usual names of the column of the texts, the likeliest first.
const TEXT_COLUMNS: [&str; 7] =
    ["document", "text", "sentence", "review", "content", "comment", "sentence1"];

/// The usual names of the column of the labels, likewise.
const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "target", "sentiment", "class"];

/// A longer label, in bytes, names no class: it is a text.
const LONGEST_LABEL: usize = 256;

/// The most bytes that the rows of a split may take up, so that a small file that unpacks to
/// endless rows cannot eat all memory.
const MOST_HELD: u64 = 8 << 30;

/// Which of a file's columns are read, by their numbers.
pub(super) struct ColumnIndices {
    pub text: usize,
    pub label: usize,
    pub id: Option<usize>,
}

impl ColumnIndices {
    /// What a record holds in these columns; there have to be as many as the file names.
    pub fn fields<'a>(&self, columns: &[&'a str]) -> RawRow<'a> {
        RawRow {
            id: self.id.map(|id| columns[id].into()),
            text: columns[self.text].into(),
            label: columns[self.label].into(),
        }
    }
}

/// What a record holds in the columns that are read.
pub(super) struct RawRow<'a> {
    pub id: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    pub label: Cow<'a, str>,
}

/// Takes in the records of one file after the other, and makes them rows of a table.
pub(super) struct RowCollector<'a> {
    columns: &'a Columns,
    skip_bad_rows: bool,
    /// The file at hand.
    file: PathBuf,
    /// Whether it is in NSMC's own form; where its columns are NSMC's, its first label decides.
    nsmc: Option<bool>,
    /// The file's name once more, for its rows.
    shared: Arc<Path>,
    held: u64,
    table: Table,
}

impl<'a> RowCollector<'a> {
    pub fn new(columns: &'a Columns, skip_bad_rows: bool) -> Self {
        let (file, table) = (PathBuf::new(), Table::default());
        let shared = file.as_path().into();
        Self { columns, skip_bad_rows, file, nsmc: None, shared, held: 0, table }
    }

    /// What comes from now on is this file's.
    pub fn begin(&mut self, file: &Path) {
        self.file = file.to_path_buf();
        self.shared = file.into();
    }

    /// Finds the columns to read among those of the file.
    pub fn find(&mut self, names: &[&str]) -> Result<ColumnIndices, DataError> {
        let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
        let find = |named: Option<&str>, usual: &[&str], flag| {
            let found = match named {
                Some(named) => names.iter().position(|name| *name == named),
                None => usual.iter().find_map(|usual| {
                    names.iter().position(|name| name.eq_ignore_ascii_case(usual))
                }),
            };
            found.ok_or_else(|| DataError::NoColumn {
                file: self.file.clone(),
                wanted: named.map_or_else(|| usual.join(", "), |name| truncate_width(name, 40)),
                columns: listed(&names) + other_separator(&names),
                flag,
            })
        };
        let text = find(self.columns.text.as_deref(), &TEXT_COLUMNS, "--text-column-name")?;
        let label = find(self.columns.label.as_deref(), &LABEL_COLUMNS, "--label-column-name")?;
        let id = names.iter().position(|name| name.eq_ignore_ascii_case("id"));
        let has_nsmc_columns = names == ["id", "document", "label"] && (text, label) == (1, 2);
        // A column that was named may hold any classes.
        let may_be_nsmc = has_nsmc_columns && self.columns.label.is_none();
        self.nsmc = if may_be_nsmc { None } else { Some(false) };
        if self.table.label_column.is_empty() {
            self.table.label_column = truncate_width(names[label], 40);
        }
        Ok(ColumnIndices { text, label, id })
    }

    /// Takes in one record, or what is wrong with it.
    pub fn take(
        &mut self,
        place: Place,
        fields: Result<RawRow<'_>, String>,
    ) -> Result<(), DataError> {
        match fields.and_then(|fields| self.row(fields)) {
            Ok(mut row) => {
                row.from = Some((self.shared.clone(), place));
                let bytes = size_of::<Row>() + row.id.len() + row.text.len() + row.label.len();
                self.held += bytes as u64;
                if self.held > MOST_HELD {
                    let most = MOST_HELD >> 30;
                    return Err(self.unreadable(format!(
                        "with it the rows take up more than {most} GiB. Pass fewer files, or a \
                         part of it"
                    )));
                }
                self.table.rows.push(row);
            }
            Err(_) if self.skip_bad_rows => self.table.skipped += 1,
            Err(found) => {
                return Err(DataError::BadRow { file: self.file.clone(), place, found });
            }
        }
        Ok(())
    }

    fn row(&mut self, fields: RawRow<'_>) -> Result<Row, String> {
        if fields.text.len() > LONGEST_LINE {
            return Err(format!("a text longer than {LONGEST_LINE} bytes"));
        }
        let label = without_fraction(fields.label.trim())?;
        let is_binary = matches!(&*label, "0" | "1");
        if self.nsmc == Some(true) && !is_binary {
            let found = truncate_width(&label, 20);
            return Err(format!(
                "expected a label of 0 or 1, found \"{found}\" (for other classes than NSMC's, \
                 pass --label-column-name label)"
            ));
        }
        if label.is_empty() {
            return Err("the label is empty".to_owned());
        }
        if label.len() > LONGEST_LABEL {
            return Err(format!("a label longer than {LONGEST_LABEL} bytes"));
        }
        let nsmc = *self.nsmc.get_or_insert(is_binary);
        let table = &mut self.table;
        table.is_nsmc = nsmc && (table.is_nsmc || table.rows.is_empty());
        let number = table.rows.len() + table.skipped + 1;
        Ok(Row {
            from: None,
            id: fields.id.map_or_else(|| number.to_string(), Cow::into_owned),
            label: sanitize_for_terminal(&label).into_owned(),
            text: fields.text.into_owned(),
        })
    }

    /// The file at hand says what the numbers of its classes mean.
    pub fn declare(&mut self, names: Vec<String>) {
        self.table.declared_names.get_or_insert(names);
    }

    /// The file at hand could not be read on.
    pub fn io(&self, error: std::io::Error) -> DataError {
        DataError::Io { file: self.file.clone(), error }
    }

    /// The file at hand is of no use.
    pub fn unreadable(&self, found: impl Into<String>) -> DataError {
        DataError::Unreadable { file: self.file.clone(), found: found.into() }
    }

    /// All the rows taken in.
    pub fn finish(self) -> Table {
        self.table
    }
}

/// A guess where a whole header was taken for one column.
fn other_separator(names: &[&str]) -> &'static str {
    match names {
        [only] if only.contains(',') => " (commas? then it should be called .csv)",
        [only] if only.contains(';') => " (semicolons? they have to be commas)",
        [only] if only.contains('\t') => " (tabs? then it should be called .tsv)",
        _ => "",
    }
}

/// `1.0`, as pandas writes the whole numbers of a column with gaps, is `1`.
fn without_fraction(label: &str) -> Result<Cow<'_, str>, String> {
    let is_decimal = label.contains('.')
        && label.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte));
    match is_decimal.then(|| label.parse::<f64>()) {
        Some(Ok(number)) => whole(number).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(label)),
    }
}

/// The class that a floating-point number stands for.
pub(super) fn whole(number: f64) -> Result<String, String> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Ok((number as i64).to_string())
    } else {
        Err(format!("expected a class for a label, found the number {number:?}"))
    }
}

/// Names one after the other, as many as can be shown.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 12;
    let mut listed: Vec<String> =
        names.iter().take(SHOWN).map(|name| truncate_width(name.as_ref(), 30)).collect();
    if names.len() > SHOWN {
        listed.push("…".to_owned());
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_lose_their_fraction_and_others_are_no_class() {
        let of = |label: &'static str| without_fraction(label).map_err(drop);
        for (label, class) in
            [("1.0", "1"), ("-1.00", "-1"), ("1.5e1", "15"), ("-0.0", "0"), ("2.", "2")]
        {
            assert_eq!(of(label).as_deref(), Ok(class), "{label}");
        }
        for label in ["1", "a", "1.2.3", ".", "nan", "inf", "1e3", "v1.0", "별 1.0개"] {
            assert_eq!(of(label).as_deref(), Ok(label));
        }
        for label in ["0.5", "-.5", "1.0e300"] {
            assert_eq!(of(label), Err(()), "{label}");
        }
        assert!(whole(f64::NAN).is_err() && whole(f64::INFINITY).is_err());
        assert_eq!(whole(3.0).as_deref(), Ok("3"));
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(&["a", "b\u{1b}"]), "a, b�");
        assert!(listed(&["x"; 1000]).ends_with(", x, …"));
    }
}
