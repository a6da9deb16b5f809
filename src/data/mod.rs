//! Labelled reviews: where they come from, which of them are taken, and how they become batches.

pub mod batching;
pub mod nsmc;
pub mod sampling;
pub mod source;
pub mod summary;
pub mod tsv;

use std::path::PathBuf;

/// One labelled review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The corpus's own identifier.
    pub id: String,
    /// The text, which may be empty.
    pub document: String,
    /// 0 is negative, 1 is positive.
    pub label: u32,
}

/// The rows read from one source, and how many bad ones were left out on request.
#[derive(Clone, Debug, Default)]
pub struct Reviews {
    /// The good rows, in the order of the source.
    pub rows: Vec<Review>,
    /// How many bad rows `--skip-bad-rows` left out.
    pub skipped: usize,
}

/// Which half of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// 150,000 reviews to learn from.
    Train,
    /// 50,000 reviews to be judged by.
    Test,
}

/// What can be wrong with data; each message says where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{}: {error}. Check the path and its permissions.", file.display())]
    Io {
        /// The file asked for.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A row that is not `id document label`.
    #[error(
        "{}:{line}: {found}. Mend the row, or pass --skip-bad-rows to leave such rows out.",
        file.display()
    )]
    BadRow {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1 with the header.
        line: usize,
        /// What stands there and what was expected.
        found: String,
    },
    /// The first line does not name the three columns.
    #[error(
        "{}:1: {found}. The first line has to be the header: id, document and label, \
         separated by tabs.",
        file.display()
    )]
    BadHeader {
        /// The file.
        file: PathBuf,
        /// What stands there.
        found: String,
    },
    /// No usable row.
    #[error("{}: no reviews in it. It needs a header line and at least one row.", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}
