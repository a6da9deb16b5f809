//! Updates of the comparison of runs.

use crate::run::run_index::RunIndexReport;
use crate::screen::app::message::Effect;
use crate::screen::app::runs::RunsAction;
use crate::screen::app::state::State;
use std::path::PathBuf;

/// Applies an action.
pub(super) fn apply(state: &mut State, action: RunsAction) -> Vec<Effect> {
    let Some(runs) = &mut state.runs else { return Vec::new() };
    if matches!(action, RunsAction::NextMetric(_)) {
        // The y ranges of the previous metric do not apply to the next one.
        state.layout.y_ranges.clear();
    }
    read_curves(runs.apply(action))
}

/// Applies a report about the runs in the folder.
pub(super) fn push_report(state: &mut State, report: RunIndexReport) -> Vec<Effect> {
    let Some(runs) = &mut state.runs else { return Vec::new() };
    read_curves(runs.push_report(report, state.smoothing))
}

fn read_curves(folders: impl IntoIterator<Item = PathBuf>) -> Vec<Effect> {
    folders.into_iter().map(Effect::ReadCurves).collect()
}
