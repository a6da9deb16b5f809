//! Updates by what is typed on the predict page.

use super::super::message::Effect;
use super::super::prompt::PromptAction;
use super::super::state::{Notice, State};
use crate::run::protocol::Command;
use crate::screen::app::log::Level;

/// The columns of the text field before the first frame.
const COLUMNS: usize = 80;

/// Applies an action on the typed text or its answer.
pub(super) fn apply(state: &mut State, action: PromptAction) -> Vec<Effect> {
    if action == PromptAction::ClearOrQuit && deselect_word(state) {
        return Vec::new();
    }
    let input = &mut state.prompt.input;
    match action {
        PromptAction::NewLine => input.new_line(),
        PromptAction::MoveToStart => input.move_to_start(),
        PromptAction::MoveToEnd => input.move_to_end(),
        PromptAction::Undo => input.undo(),
        PromptAction::Redo => input.redo(),
        PromptAction::ClearOrQuit if input.text().is_empty() => return super::quit(state),
        PromptAction::ClearOrQuit => input.set(""),
        PromptAction::Copy => return copy(state, state.prompt.answer_line()),
    }
    Vec::new()
}

/// Chooses no word of the shown answer. Returns whether one was chosen.
pub(super) fn deselect_word(state: &mut State) -> bool {
    state.shows_words() && state.words.deselect()
}

/// Moves the caret up (`1`) or down (`-1`); beyond the text, shows an earlier or a later one.
pub(super) fn move_or_recall(state: &mut State, direction: isize) {
    let columns = state.layout.prompt_columns.unwrap_or(COLUMNS);
    if !state.prompt.input.move_rows(-direction, columns) {
        state.prompt.history(direction);
    }
}

/// Asks about the text being typed, or about the words of the shown answer, if that is due.
pub(super) fn ask_if_due(state: &mut State) -> Vec<Effect> {
    let now = state.now;
    let is_due = |due: Option<f64>| due.is_some_and(|due| now >= due);
    if is_due(state.renewal_due()) {
        state.prompt.ask_again();
    }
    if is_due(state.live_question_due()) {
        let text = state.prompt.ask_live(state.now);
        return vec![Effect::Send(Command::Predict { text })];
    }
    if is_due(state.words_due())
        && let Some(answer) = state.prompt.shown_answer()
    {
        let (text, step) = (answer.text.clone(), answer.step);
        state.words.ask(step, state.now);
        return vec![Effect::Send(Command::Explain { text, method: state.words.method() })];
    }
    Vec::new()
}

/// Copies a text to the clipboard, if there is one.
pub(super) fn copy(state: &mut State, text: Option<String>) -> Vec<Effect> {
    if let Some(text) = text {
        return vec![Effect::Copy(text)];
    }
    let text = state.lang.tr("there is nothing to copy yet").to_owned();
    state.notice = Some(Notice { level: Level::Warning, text, since: state.now });
    Vec::new()
}

/// Says whether a text was copied.
pub(super) fn report_copied(state: &mut State, outcome: Result<(), String>) {
    let (level, text) = match outcome {
        Ok(()) => (Level::Result, state.lang.tr("copied to the terminal's clipboard").to_owned()),
        Err(reason) => (Level::Warning, state.lang.tr(&reason).to_owned()),
    };
    state.notice = Some(Notice { level, text, since: state.now });
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
