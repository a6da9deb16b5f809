//! The messages between the index of runs and the dashboard, over two channels in one process.

use super::edit::RunEdit;
use super::entry::RunEntry;
use crate::run::metric_series::History;
use crossbeam_channel::{Receiver, Sender};
use std::path::PathBuf;

/// A change to the runs below a folder, or the response to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum RunIndexReport {
    /// A new run, or one whose journal has changed.
    Updated(Box<RunEntry>),
    /// A run that was removed.
    Removed(PathBuf),
    /// The first search is complete.
    Complete,
    /// The curves of a run, or why there are none.
    Curves(PathBuf, Result<Box<History>, String>),
    /// A change was made, after which the run is in this folder, or why it was not made.
    Edited(RunEdit, Result<PathBuf, String>),
}

/// A command to the index of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunIndexCommand {
    /// Read the curves of the run in this folder.
    ReadCurves(PathBuf),
    /// Change a run.
    Edit(RunEdit),
}

/// A front end's ends of the two channels to the index of runs.
#[derive(Clone, Debug)]
pub struct RunIndexChannels {
    /// The reports of the index.
    pub reports: Receiver<RunIndexReport>,
    /// Commands to the index. Dropping this ends its thread.
    pub commands: Sender<RunIndexCommand>,
}
