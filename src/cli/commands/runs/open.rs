//! Shows one run of the list whole: its charts, its log and, if it has saved a model, answers to
//! questions.

use crate::cli::commands::dashboard;
use crate::run::run_index::{RunEntry, RunStatus};
use crate::run::worker::opened_run;
use crate::screen::app::State;
use crate::screen::app::replay::{OpenedRun, Replay};
use crate::screen::display::DisplayOptions;
use crate::screen::terminal::ExitReason;

/// Shows a run until the user closes it.
///
/// # Errors
/// If its journal cannot be read; the dashboard is not shown then.
pub(super) fn show(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    let is_running =
        entry.summary.as_ref().is_ok_and(|summary| summary.status == RunStatus::Running);
    if is_running { show_running(entry, display) } else { show_recorded(entry, display) }
}

/// Shows a run that another process trains. Its journal is followed; the run cannot be controlled.
///
/// This is the place to attach to the process instead: `entry.folder` is the run's folder, and the
/// summary has the process id.
fn show_running(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    show_recorded(entry, display)
}

/// Shows a run from its journal.
fn show_recorded(entry: &RunEntry, display: DisplayOptions) -> anyhow::Result<ExitReason> {
    let worker = opened_run::start(&entry.folder)?;
    let opened = OpenedRun { name: entry.name().to_owned() };
    let replay = Replay::of_opened(entry.folder.clone(), opened);
    let state = State { replay: Some(replay), ..State::default() };
    let (leaving, _) = dashboard::show(&worker.channels, display, state)?;
    worker.join();
    Ok(leaving)
}
