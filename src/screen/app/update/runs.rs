//! Updates of the comparison of runs.

use crate::run::run_index::{RunEdit, RunIndexReport};
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::page::Overlay;
use crate::screen::app::runs::{RunsAction, RunsRequest};
use crate::screen::app::state::{Notice, State};
use std::path::Path;

/// Applies an action.
pub(super) fn apply(state: &mut State, action: RunsAction) -> Vec<Effect> {
    let Some(runs) = &mut state.runs else { return Vec::new() };
    match action {
        // The y ranges of the previous metric do not apply to the next one.
        RunsAction::NextMetric(_) => state.layout.y_ranges.clear(),
        RunsAction::ConfirmDelete => state.overlay = None,
        _ => {}
    }
    let requests = runs.apply(action);
    requests.into_iter().filter_map(|request| effect(state, request)).collect()
}

fn effect(state: &mut State, request: RunsRequest) -> Option<Effect> {
    match request {
        RunsRequest::ReadCurves(folder) => return Some(Effect::ReadCurves(folder)),
        RunsRequest::Edit(edit) => return Some(Effect::EditRun(edit)),
        RunsRequest::Open => return Some(Effect::Quit),
        RunsRequest::AskToDelete => state.overlay = Some(Overlay::ConfirmDelete),
        RunsRequest::Refuse(reason) => {
            let text = state.lang.tr(reason).to_owned();
            notify(state, Level::Warning, text);
        }
        RunsRequest::Unreadable(reason) => notify(state, Level::Warning, reason),
    }
    None
}

fn notify(state: &mut State, level: Level, text: String) {
    state.notice = Some(Notice { level, text, since: state.now });
}

/// Applies a report about the runs in the folder.
pub(super) fn push_report(state: &mut State, report: RunIndexReport) -> Vec<Effect> {
    if let RunIndexReport::Edited(edit, outcome) = &report {
        report_edit(state, edit, outcome.as_deref());
    }
    let Some(runs) = &mut state.runs else { return Vec::new() };
    let folder = runs.push_report(report, state.smoothing);
    folder.map(Effect::ReadCurves).into_iter().collect()
}

/// What the page needs after a message: the curves of the selected run.
pub(super) fn curves_to_read(state: &mut State) -> Option<Effect> {
    let folder = state.runs.as_mut()?.begin_reading()?;
    Some(Effect::ReadCurves(folder))
}

/// Reports a change of a run, or why it was not made, in a notice.
fn report_edit(state: &mut State, edit: &RunEdit, outcome: Result<&Path, &String>) {
    let lang = state.lang;
    let shown = |folder: &Path| crate::core::text::display_path(folder);
    match outcome {
        Ok(folder) => {
            let text = match edit {
                RunEdit::Note(..) => lang.tr("the note is saved").to_owned(),
                RunEdit::Tags(..) => lang.tr("the tags are saved").to_owned(),
                RunEdit::Rename(..) => lang.tr_with("renamed to {0}", &[&shown(folder)]),
                RunEdit::Delete(_) => lang.tr_with("moved to {0}", &[&shown(folder)]),
            };
            notify(state, Level::Result, text);
        }
        Err(reason) => {
            let text = lang.tr_with("not changed: {0}", &[&lang.tr_filled(reason)]);
            notify(state, Level::Warning, text);
        }
    }
}
