//! Shows one run of the list whole: its charts, its log and, if it has saved a model, answers to
//! questions.

use crate::cli::commands::{attach, dashboard};
use crate::run::run_index::{RunEntry, RunStatus};
use crate::run::worker::opened_run;
use crate::screen::app::State;
use crate::screen::app::replay::{OpenedRun, Replay};
use crate::screen::display::DisplayOptions;
use crate::screen::terminal::ExitReason;

/// Shows a run until the user closes it: attached to its process while it is running, else from
/// its journal.
///
/// # Errors
/// If its journal cannot be read, or the connection to its process is lost.
pub(super) fn show(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    let is_running =
        entry.summary.as_ref().is_ok_and(|summary| summary.status == RunStatus::Running);
    if is_running {
        return Ok(attach::watch(&entry.folder, display)?.0);
    }
    show_recorded(entry, display)
}

/// Shows a run that has ended.
fn show_recorded(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    let worker = opened_run::start(&entry.folder)?;
    let opened = OpenedRun { name: entry.name().to_owned() };
    let replay = Replay::of_opened(entry.folder.clone(), opened);
    let state = State { replay: Some(replay), ..State::default() };
    let (leaving, _) = dashboard::show(&worker.channels, display, state)?;
    worker.join();
    Ok(leaving)
}
