//! What the page reads and writes in the folder of the run.

use crate::run::predictions::Predictions;
use crate::run::predictions::corrections::{Changes, Corrections};
use std::path::PathBuf;
use std::sync::Arc;

/// A file of the run to read or write.
#[derive(Clone, Debug, PartialEq)]
pub enum FileTask {
    /// Read the predictions and the corrections.
    Read {
        /// The folder of the run.
        folder: PathBuf,
        /// The names of the classes.
        labels: Vec<String>,
    },
    /// Write the corrections.
    WriteCorrections {
        /// The folder of the run.
        folder: PathBuf,
        /// The names of the classes.
        labels: Vec<String>,
        /// The texts.
        predictions: Arc<Predictions>,
        /// What the user changed.
        changes: Changes,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedPredictions {
    /// The predictions.
    pub predictions: Arc<Predictions>,
    /// The corrections, or why they cannot be read.
    pub corrections: Result<Corrections, String>,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum FileReport {
    /// What was read, if the run keeps predictions.
    Predictions(Result<Option<LoadedPredictions>, String>),
    /// The corrections that the file then has, or why they were not written.
    Corrections(Result<Corrections, String>),
}
