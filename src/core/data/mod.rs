//! Labelled texts: where they come from, which of them are taken, and how they become batches.

pub mod batching;
mod csv;
mod json;
pub mod labels;
mod lines;
pub mod nsmc;
mod open;
mod parquet;
mod row_collector;
pub mod sampling;
pub mod source;
pub mod split;
pub mod summary;
pub mod table;
mod tsv;

use std::fmt;
use std::path::PathBuf;

/// One labelled text, its label numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The data's own identifier, else the row's number.
    pub id: String,
    /// The text, which may be empty.
    pub document: String,
    /// The number of the class.
    pub label: u32,
}

/// Which half of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// 150,000 reviews to learn from.
    Train,
    /// 50,000 reviews to be judged by.
    Test,
}

/// Where in a file a row stands; shown as it goes after the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The line of a text file on which it starts, counted from 1 with the header.
    Line(usize),
    /// The row of a table without lines, counted from 1.
    Row(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, ":{number}"),
            Self::Row(number) => write!(f, ": row {number}"),
        }
    }
}

/// What can be wrong with data; each message says where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error(
        "{}: {}. Check the path, its permissions, and that the file is whole.",
        shown(&file.display()),
        shown(error)
    )]
    Io {
        /// The file asked for.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file as a whole is not what its ending says, or of no kind that is read.
    #[error("{}: {found}.", shown(&file.display()))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        found: String,
    },
    /// A row that does not hold a text and a label.
    #[error(
        "{}{place}: {found}. Mend the row, or pass --skip-bad-rows to leave such rows out.",
        shown(&file.display())
    )]
    BadRow {
        /// The file.
        file: PathBuf,
        /// Where in it.
        place: Place,
        /// What stands there and what was expected.
        found: String,
    },
    /// No column for the texts or for the labels.
    #[error(
        "{}: no column named {wanted}; its columns are {columns}. Name the right one with {flag}; \
         in a .tsv or .csv file, the first line has to name the columns.",
        shown(&file.display())
    )]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The names looked for.
        wanted: String,
        /// The names there are.
        columns: String,
        /// The flag that names a column.
        flag: &'static str,
    },
    /// No usable row.
    #[error("{}: no good rows in it. It needs at least one with a text and a label.", shown(&file.display()))]
    Empty {
        /// The file, or the first of them.
        file: PathBuf,
    },
    /// More classes than a classifier is made for.
    #[error(
        "the column {column} holds {found} different labels; at most {} are supported. If it is \
         the wrong column, name the right one with --label-column-name.",
        labels::MOST_CLASSES
    )]
    TooManyClasses {
        /// The column of the labels.
        column: String,
        /// How many there are.
        found: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "every training row has the label \"{label}\"; it takes at least two classes to learn. \
         Add rows of another, or name the right column with --label-column-name."
    )]
    OneClass {
        /// The only label.
        label: String,
    },
    /// A label that stands for no class.
    #[error(
        "{row} has the label \"{label}\", but the classes are {classes}. Mend the row, or pass rows \
         that share their labels for training and evaluation."
    )]
    UnknownLabel {
        /// The label.
        label: String,
        /// Where the row is, or its id.
        row: String,
        /// The names of the classes.
        classes: String,
    },
}

/// The name of a file or what the system said, fit to be shown.
pub(crate) fn shown(text: &impl fmt::Display) -> String {
    crate::core::text::sanitize_for_terminal(&text.to_string()).into_owned()
}
