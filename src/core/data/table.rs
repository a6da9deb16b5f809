//! The rows of data files, their labels still as text.

use super::kept_columns::KeptColumns;
use super::slice_columns::{SliceColumn, SliceValues};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where in a file a row is; displayed directly after the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowPosition {
    /// The line of a text file on which the row starts, counted from 1, the header included.
    Line(usize),
    /// The row of a Parquet file, counted from 1.
    Row(usize),
}

impl fmt::Display for RowPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, ":{number}"),
            Self::Row(number) => write!(f, ": row {number}"),
        }
    }
}

/// A labelled text or pair of texts as read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataRow {
    /// The value of the column `id`, or else the row's number, counted from 1.
    pub id: String,
    /// The text, which may be empty.
    pub text: String,
    /// The second text of a pair, which may be empty.
    pub text_pair: Option<String>,
    /// The label: trimmed, not empty, without control characters. An integer or a boolean has one
    /// spelling; an integer whose name the file declares is that name.
    pub label: String,
    /// The file and the position in it.
    pub location: Option<(Arc<Path>, RowPosition)>,
    /// Its values in the slice columns.
    pub slices: SliceValues,
}

/// The rows of one split.
#[derive(Clone, Debug, Default)]
pub struct DataTable {
    /// The valid rows, in the order of the files.
    pub rows: Vec<DataRow>,
    /// The number of invalid rows that were skipped.
    pub skipped: usize,
    /// The class names that the files declare, in the order of their indices; those of NSMC's labels
    /// 0 and 1 are `negative` and `positive`.
    pub declared_names: Option<Vec<String>>,
    /// The name of the label column.
    pub label_column: String,
    /// What the user should know of how the files were read.
    pub notes: Vec<String>,
    /// The name of the text column, or those of the two columns of pairs.
    pub text_columns: Vec<String>,
    /// A column that usually holds the second texts of pairs, but was not requested.
    pub unread_column: Option<String>,
    /// The columns whose values divide the rows into slices.
    pub slice_columns: Vec<SliceColumn>,
    /// All columns and their values, if they are kept.
    pub kept: Option<KeptColumns>,
}

impl DataTable {
    /// Whether the rows are pairs of texts.
    pub fn has_pairs(&self) -> bool {
        self.text_columns.len() > 1
    }

    /// A note on which columns were read.
    pub fn columns_note(&self) -> String {
        let label = &self.label_column;
        match (&self.text_columns[..], &self.unread_column) {
            ([first, second], _) => {
                format!("columns: {first} and {second} as pairs of texts, {label} as labels")
            }
            (texts, None) => format!("columns: {} as texts, {label} as labels", texts.join(", ")),
            (texts, Some(unread)) => format!(
                "columns: {} as texts, {label} as labels; {unread} is not read. For pairs of texts \
                 pass --text-pair-column-name {unread}",
                texts.join(", ")
            ),
        }
    }
}

/// The columns to read; `None` looks for the usual names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnNames {
    /// The text column, or that of the first texts of pairs.
    pub text: Option<String>,
    /// The column of the second texts of pairs.
    pub text_pair: Option<String>,
    /// The label column.
    pub label: Option<String>,
    /// Whether there are no labels to read: rows then have empty labels.
    pub unlabelled: bool,
    /// The columns whose values divide the rows into slices, beside the usual ones; `None` reads
    /// neither.
    pub slices: Option<Vec<String>>,
    /// Whether the values of all columns are kept, of rows without labels.
    pub keeps_all: bool,
}
