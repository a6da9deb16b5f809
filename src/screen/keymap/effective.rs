//! Which keys have an effect in a state, and those that the footer shows.

use super::{BINDINGS, Binding, KeyContext, active_contexts};
use crate::screen::app::charts::ChartAction;
use crate::screen::app::log::LogAction;
use crate::screen::app::mistakes::MistakesAction;
use crate::screen::app::panels::{Panel, PanelAction};
use crate::screen::app::prompt::PromptAction;
use crate::screen::app::run_control::RunControlAction;
use crate::screen::app::words::WordsAction;
use crate::screen::app::{Action, Overlay, Page, RunLocation, State};

/// Whether an action has an effect in a state.
pub fn is_effective(state: &State, action: Action) -> bool {
    let trains = state.started.is_some() && state.is_running() && !state.stopping;
    match action {
        Action::RunControl(RunControlAction::Pause) => {
            trains && !state.is_opened() && state.has_keys()
        }
        Action::RunControl(_) => trains && state.replay.is_none() && state.has_keys(),
        Action::Detach => state.runs.is_none() && state.replay.is_none() && trains,
        Action::TakeKeys => {
            state.location != RunLocation::Unreachable
                && state.session.as_ref().is_some_and(|session| !session.has_keys)
        }
        // A run in another process is left or stopped.
        Action::QuitWithoutSaving => !(state.is_elsewhere() && state.is_running()),
        Action::SaveModel => state.is_unsaved() && !state.is_running(),
        Action::ShowPage(page) if !state.pages().contains(&page) => false,
        Action::ShowPage(Page::Predict) | Action::Submit => {
            state.replay.is_none() || state.is_opened() || state.has_model()
        }
        Action::Mistakes(MistakesAction::ScrollReview(_)) => {
            let is_cut = state.layout.review_lines.is_some_and(|(limit, _)| limit > 0);
            is_cut && state.mistakes.is_effective(MistakesAction::ScrollReview(1))
        }
        Action::Mistakes(MistakesAction::Open) if state.why_no_model().is_some() => false,
        Action::Mistakes(action) => state.mistakes.is_effective(action),
        // An enlarged panel without axes has no cursor; that of the matrix is in its cells.
        Action::Chart(ChartAction::MoveCursor(_)) if state.page == Page::Train => {
            let focus = state.panels.focus;
            !state.panels.maximized || focus.is_chart() || focus == Panel::Confusion
        }
        Action::Chart(ChartAction::ZoomIn | ChartAction::ZoomOut) if state.page == Page::Train => {
            !state.panels.maximized || state.panels.focus.is_chart()
        }
        Action::Log(LogAction::GoToMatch(_)) => state.log.is_searched(),
        Action::Words(WordsAction::Choose(_)) => state.shows_words(),
        Action::Words(WordsAction::Replace) => state.has_chosen_word(),
        _ => true,
    }
}

/// Whether the run is paused, or has been asked to pause.
fn is_pausing(state: &State) -> bool {
    state.requests.pause.unwrap_or_else(|| state.is_paused() || state.paused_at.is_some())
}

/// What Escape undoes on a page, by its action there; `None` if nothing.
fn undone(state: &State, action: Action) -> Option<&'static str> {
    match action {
        Action::ClearView if state.charts.cursor.is_some() => Some("clear cursor"),
        Action::ClearView if state.charts.window.is_some() => Some("reset zoom"),
        Action::ClearView if state.runs.as_ref().is_some_and(|runs| !runs.filter.is_empty()) => {
            Some("clear filter")
        }
        Action::ClearView if state.panels.maximized && state.runs.is_none() => Some("restore"),
        Action::Log(LogAction::ShowAll) if state.log.is_narrowed() => Some("show all"),
        Action::Mistakes(MistakesAction::ShowAll) if state.mistakes.is_narrowed() => {
            Some("show all")
        }
        _ => None,
    }
}

/// Whether the footer shows a binding that has an effect.
fn is_in_footer(state: &State, binding: &Binding) -> bool {
    match binding.action {
        // The field says what to type.
        Action::Submit => !state.prompt.input.is_blank(),
        Action::ClearView
        | Action::Log(LogAction::ShowAll)
        | Action::Mistakes(MistakesAction::ShowAll) => undone(state, binding.action).is_some(),
        // Besides the training page, where the space bar pauses, it is for a run that waits.
        Action::RunControl(RunControlAction::Pause) => {
            binding.context == KeyContext::RunControl || is_pausing(state)
        }
        _ => true,
    }
}

/// The label of a binding in the footer, which may depend on the state.
fn label(state: &State, action: Action, label: &'static str) -> &'static str {
    match action {
        Action::RunControl(RunControlAction::Pause) if is_pausing(state) => "resume",
        Action::Mistakes(MistakesAction::Move(_)) if state.mistakes.slices => "scroll",
        Action::Mistakes(MistakesAction::Slices) if state.mistakes.slices => "mistakes",
        Action::Help if state.overlay == Some(Overlay::Help) => "close",
        Action::Quit if state.opened_from_list => "list of runs",
        Action::Submit if !state.prompt.input.is_blank() => "keep answer",
        Action::Close | Action::Prompt(PromptAction::ClearOrQuit) if state.has_chosen_word() => {
            "deselect"
        }
        Action::Panel(PanelAction::Open) if state.chooses_cells() => "reviews",
        Action::Chart(ChartAction::MoveCursor(_)) if state.chooses_cells() => "cell",
        Action::Panel(PanelAction::Open) if state.panels.maximized => "restore",
        _ => undone(state, action).unwrap_or(label),
    }
}

/// The keys for the footer with their labels, the most important ones first.
pub fn footer(state: &State) -> Vec<(String, &'static str)> {
    let mut shown: Vec<(String, &'static str)> = Vec::new();
    let active = active_contexts(state).iter();
    for binding in active.flat_map(|context| BINDINGS.iter().filter(|b| b.context == *context)) {
        let (Some(text), Some(key)) = (binding.footer, binding.keys.first()) else { continue };
        let text = label(state, binding.action, text);
        let is_new = shown.iter().all(|(_, other)| *other != text);
        if is_new && is_in_footer(state, binding) && is_effective(state, binding.action) {
            shown.push((key.name(), text));
        }
    }
    shown
}
