//! Shows one run of the list whole: its charts, its log and, if it has saved a model, answers to
//! questions.

use crate::cli::commands::attach;
use crate::run::other_computer;
use crate::run::run_index::{RunEntry, RunStatus};
use crate::screen::display::DisplayOptions;
use crate::screen::terminal::ExitReason;

/// Shows a run until the user closes it: attached to its process while it is running here, by its
/// journal while it may be running on another computer, else as it is recorded.
///
/// # Errors
/// If its journal cannot be read, or the connection to its process is lost.
pub(super) fn show(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    let folder = &entry.folder;
    let may_be_running = entry.summary.as_ref().is_ok_and(|summary| match summary.status {
        RunStatus::Running => true,
        RunStatus::Dead => other_computer(folder).is_some(),
        _ => false,
    });
    let (leaving, _) = if may_be_running {
        attach::watch(folder, display, true)?
    } else {
        attach::show_recorded(folder, entry.name().to_owned(), display, true)?
    };
    Ok(leaving)
}
