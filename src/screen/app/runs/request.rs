//! What actions on the list of runs request from outside the state.

use crate::run::run_index::RunEdit;
use std::path::PathBuf;

/// What an action requests from outside the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsRequest {
    /// Read the curves of the run in a folder.
    ReadCurves(PathBuf),
    /// Change a run.
    Edit(RunEdit),
    /// Close the list to show the run in [`opening`](super::RunComparison::opening).
    Open,
    /// Ask whether to delete the run in [`deleting`](super::RunComparison::deleting).
    AskToDelete,
    /// Say why the action is not possible; the text is translated.
    Refuse(&'static str),
    /// Say why a run cannot be shown.
    Unreadable(String),
}
