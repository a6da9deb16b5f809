//! Updates of the mistakes page.

use crate::core::train::event::Started;
use crate::run::predictions::corrections;
use crate::screen::app::action::Action;
use crate::screen::app::charts::ChartAction;
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::mistakes::{FileReport, FileTask, MistakesAction, MistakesRequest};
use crate::screen::app::page::Page;
use crate::screen::app::panels::PanelAction;
use crate::screen::app::state::{Notice, State};

/// Applies an action.
pub(super) fn apply(state: &mut State, action: MistakesAction) -> Vec<Effect> {
    if let MistakesAction::ScrollReview(by) = action {
        if let Some((limit, shown)) = state.layout.review_lines {
            state.mistakes.scroll_review(by, limit, shown);
        }
        return Vec::new();
    }
    let place = |state: &State| (state.mistakes.selected, state.mistakes.first_slice);
    let before = place(state);
    match state.mistakes.apply(action) {
        None => {
            let MistakesAction::Move(by) = action else { return Vec::new() };
            // A key that moves by a page says why it does not.
            if by.abs() > 1 && place(state) == before && state.mistakes.evaluation().is_some() {
                super::confirm::inform(state, end_of_list(state, by));
            }
            Vec::new()
        }
        Some(MistakesRequest::Copy(text)) => super::prompt::copy(state, Some(text)),
        Some(MistakesRequest::Predict(text)) => {
            if let Some(reason) = state.why_no_model() {
                notify(state, Level::Warning, state.lang.tr(reason).to_owned());
                return Vec::new();
            }
            super::show_page(state, Page::Predict);
            state.mistakes.is_left_for_predict = true;
            state.prompt.input.set("");
            // It is asked about as any text in the field, and can be changed.
            state.prompt.paste(&text);
            Vec::new()
        }
    }
}

/// Why the selection or the table of slices does not move on in a direction. The space bar, which pauses
/// the run on the training page, is among the keys.
fn end_of_list(state: &State, by: isize) -> &'static str {
    let trains = state.started.is_some() && state.is_running() && state.replay.is_none();
    match (by > 0, state.mistakes.slices) {
        (true, _) if trains => "this is the end; o pauses the run",
        (_, false) if state.mistakes.shown().is_empty() => "there is no review to move to",
        (true, false) => "this is the last review",
        (false, false) => "this is the first review",
        (true, true) => "this is the last slice",
        (false, true) => "this is the first slice",
    }
}

/// What the page needs after a message: predictions that are to be read, or corrections that are to
/// be written.
pub(super) fn file_tasks(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    let Some(folder) = state.output_folder() else { return effects };
    let labels = |started: &Option<Started>| {
        started.as_ref().map(|started| started.labels.clone()).unwrap_or_default()
    };
    if state.page == Page::Mistakes && state.mistakes.begin_reading() {
        let (folder, labels) = (folder.clone(), labels(&state.started));
        effects.push(Effect::Files(FileTask::Read { folder, labels }));
    }
    if let Some((predictions, changes)) = state.mistakes.begin_saving() {
        let labels = labels(&state.started);
        let task = FileTask::WriteCorrections { folder, labels, predictions, changes };
        effects.push(Effect::Files(task));
    }
    effects
}

/// Applies what came of reading or writing files.
pub(super) fn push_report(state: &mut State, report: FileReport) {
    match report {
        FileReport::Predictions(found) => {
            if let Some(problem) = state.mistakes.loaded(found).into_iter().next() {
                notify(state, Level::Warning, problem);
            }
        }
        FileReport::Corrections(outcome) => {
            let (level, text) = match state.mistakes.saved(outcome) {
                Ok(0) => {
                    let text = state.lang.tr("no label is corrected any more").to_owned();
                    (Level::Result, text)
                }
                Ok(count) => {
                    let classes = state.started.as_ref().map_or(0, |run| run.labels.len());
                    let text = match (count, classes) {
                        (1, 3..) => {
                            "one corrected label in {1}; L again: the next class, or its own"
                        }
                        (_, 3..) => {
                            "{0} corrected labels in {1}; L again: the next class, or its own"
                        }
                        (1, _) => "one corrected label in {1}; L again takes it back",
                        _ => "{0} corrected labels in {1}; L again takes the last one back",
                    };
                    let text = state.lang.tr_with(text, &[&count, &corrections::FILE]);
                    (Level::Result, text)
                }
                Err(reason) => (Level::Warning, state.lang.tr_with("not changed: {0}", &[&reason])),
            };
            notify(state, level, text);
        }
    }
}

fn notify(state: &mut State, level: Level, text: String) {
    state.notice = Some(Notice { level, text, since: state.now });
}

/// The page that closing the current one returns to.
pub(super) fn page_to_return_to(state: &mut State) -> Page {
    let is_left = std::mem::take(&mut state.mistakes.is_left_for_predict);
    if is_left { Page::Mistakes } else { state.pages()[0] }
}

/// Applies an action to the confusion matrix if it is the focused panel: there, the keys that move the
/// cursor of charts choose a cell, and the one that maximizes a panel shows the cell's reviews. Returns
/// whether it was applied.
pub(super) fn applies_to_cells(state: &mut State, action: Action) -> bool {
    if !state.chooses_cells() {
        return false;
    }
    match action {
        Action::Chart(ChartAction::MoveCursor(by)) => move_cell(state, by),
        Action::Panel(PanelAction::Open) => open_cell(state),
        _ => return false,
    }
    true
}

/// Chooses the cell of the confusion matrix this many after the chosen one, row by row; at first the
/// fullest one beside the diagonal.
fn move_cell(state: &mut State, by: isize) {
    let classes = state.evaluated_classes();
    let Some((truth, predicted)) = state.mistakes.cell else {
        state.mistakes.cell = fullest_wrong_cell(state);
        return;
    };
    let (cells, at) = (i64::from(classes * classes), i64::from(truth * classes + predicted));
    let next = (at + by.signum() as i64).rem_euclid(cells.max(1)) as u32;
    state.mistakes.cell = Some((next / classes, next % classes));
}

fn fullest_wrong_cell(state: &State) -> Option<(u32, u32)> {
    let counts = &state.evaluated.as_ref()?.metrics.eval_confusion.counts;
    let cells = (0..counts.len()).flat_map(|truth| (0..counts.len()).map(move |at| (truth, at)));
    let wrong = cells.filter(|(truth, predicted)| truth != predicted);
    let fullest = wrong.rev().max_by_key(|(truth, predicted)| counts[*truth][*predicted])?;
    Some((fullest.0 as u32, fullest.1 as u32))
}

/// Shows the reviews of the chosen cell of the confusion matrix.
fn open_cell(state: &mut State) {
    let classes = state.evaluated_classes();
    let chosen = state.mistakes.cell.filter(|cell| cell.0 < classes && cell.1 < classes);
    if let Some(cell) = chosen.or_else(|| fullest_wrong_cell(state)) {
        state.mistakes.cell = Some(cell);
        state.mistakes.show_cell(cell);
        super::show_page(state, Page::Mistakes);
    }
}
