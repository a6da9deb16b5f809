//! Labelled texts: reading files, sampling, splitting and batching.

pub mod batching;
mod bounded_lines;
mod content;
mod corpus;
mod delimited;
pub mod files;
mod json;
pub mod kept_columns;
mod label_column;
mod label_values;
pub mod labels;
pub mod masking;
pub mod nsmc;
mod parquet;
mod parquet_kept;
mod parquet_pages;
pub mod quoting;
mod raw_row;
mod row_collector;
pub mod sampling;
pub mod slice_columns;
pub mod source;
pub mod split;
pub mod summary;
pub mod table;
mod text_columns;
pub mod zstd;

use crate::core::text::{sanitize_for_terminal, truncate_width};
use slice_columns::SliceValues;
use std::fmt;
use std::path::PathBuf;
use table::RowPosition;

/// A labelled text or pair of texts, its label as a class index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The value of the column `id`, or else the row's number.
    pub id: String,
    /// The text, which may be empty.
    pub document: String,
    /// The second text of a pair, which may be empty.
    pub text_pair: Option<String>,
    /// The class index.
    pub label: u32,
    /// Its values in the slice columns of its table.
    pub slices: SliceValues,
}

/// A split of NSMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The training split of 150,000 reviews.
    Train,
    /// The test split of 50,000 reviews.
    Test,
}

/// An error in data files or their labels.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{}: {}. {}", sanitized(&file.display()), sanitized(error), advice(error))]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file as a whole is of an unknown format, damaged or unsuitable.
    #[error("{}: {reason}.", sanitized(&file.display()))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A row without a valid text or label.
    #[error(
        "{}{position}: {reason}. Fix the row, or pass --skip-bad-rows to skip such rows.",
        sanitized(&file.display())
    )]
    BadRow {
        /// The file.
        file: PathBuf,
        /// The row's position in the file.
        position: RowPosition,
        /// What was expected, and what was found.
        reason: String,
    },
    /// No text column or no label column.
    #[error(
        "{}: no column named {expected}; its columns are {columns}. Pass the column's name with \
         {flag}. The first line of a .tsv or .csv file must contain the column names.",
        sanitized(&file.display())
    )]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The names searched for.
        expected: String,
        /// The file's column names.
        columns: String,
        /// The flag that names the column.
        flag: &'static str,
    },
    /// No valid row.
    #[error(
        "{}: no valid rows. At least one row with a text and a label is required.",
        sanitized(&file.display())
    )]
    Empty {
        /// The file, or the first of them.
        file: PathBuf,
    },
    /// More classes than a classifier supports.
    #[error(
        "the column {column} contains {found} different labels; at most {} are supported. If it \
         is the wrong column, pass the right one with --label-column-name.",
        labels::MAX_CLASSES
    )]
    TooManyClasses {
        /// The label column.
        column: String,
        /// The number of different labels.
        found: usize,
    },
    /// All training rows have the same label.
    #[error(
        "every training row has the label \"{label}\", but at least two classes are required. Add \
         rows of another class, or pass the right column with --label-column-name."
    )]
    OneClass {
        /// The only label.
        label: String,
    },
    /// A label that is not one of the classes.
    #[error(
        "{row} has the label \"{label}\", but the classes are {classes}. Fix the label, or use \
         training and evaluation rows with the same labels."
    )]
    UnknownLabel {
        /// The label.
        label: String,
        /// The row's file and position, or its id.
        row: String,
        /// The names of the classes.
        classes: String,
    },
}

/// What to do about a file that cannot be opened or read.
fn advice(error: &std::io::Error) -> &'static str {
    use rustix::io::Errno;
    use std::io::ErrorKind;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::IO | Errno::NODEV | Errno::NXIO | Errno::TIMEDOUT | Errno::STALE) => {
            return "The disk or network drive cannot be read: check it, and copy the file to \
                    another one.";
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            return "Too many files are open: raise the limit with ulimit -n, or close programs.";
        }
        Some(Errno::NOMEM) => return "The memory is full: close other programs.",
        _ => {}
    }
    match error.kind() {
        ErrorKind::NotFound => "Check the path.",
        ErrorKind::PermissionDenied => "Change the permissions of the file or of its folders.",
        _ if error.raw_os_error().is_some() => "Check the path.",
        // The error of a decompressor.
        _ => "Check that the file is complete, or download or write it again.",
    }
}

/// A value's text, safe to print.
fn sanitized(value: &impl fmt::Display) -> String {
    sanitize_for_terminal(&value.to_string()).into_owned()
}

/// The first names of a list, separated by commas and safe to print.
fn join_names<S: AsRef<str>>(names: &[S]) -> String {
    const MAX_NAMES: usize = 12;
    let mut joined: Vec<String> =
        names.iter().take(MAX_NAMES).map(|name| truncate_width(name.as_ref(), 30)).collect();
    if names.len() > MAX_NAMES {
        joined.push("…".to_owned());
    }
    joined.join(", ")
}

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod slice_files_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_error() {
        let message =
            |error: std::io::Error| DataError::Io { file: "a.tsv".into(), error }.to_string();
        let of_system = |errno: rustix::io::Errno| {
            message(std::io::Error::from_raw_os_error(errno.raw_os_error()))
        };
        assert!(of_system(rustix::io::Errno::IO).contains("disk or network drive"));
        assert!(of_system(rustix::io::Errno::NOENT).ends_with("Check the path."));
        assert!(of_system(rustix::io::Errno::ACCESS).contains("permissions"));
        assert!(of_system(rustix::io::Errno::MFILE).contains("ulimit -n"));
        assert!(message(std::io::Error::other("bad block")).contains("is complete"));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        assert_eq!(join_names(&["a", "b\u{1b}"]), "a, b�");
        assert!(join_names(&["x"; 1000]).ends_with(", x, …"));
    }
}
