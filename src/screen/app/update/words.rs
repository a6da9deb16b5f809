//! Updates by actions on the words of an answered text.

use super::super::message::Effect;
use super::super::state::State;
use super::super::words::{WordsAction, WordsRequest};
use super::confirm;
use crate::run::protocol::{Answer, Command};

/// Applies an action.
pub(super) fn apply(state: &mut State, action: WordsAction) -> Vec<Effect> {
    if action == WordsAction::Replace && !state.has_chosen_word() {
        confirm::inform(state, "choose a word of the answered text first: Alt-→");
        return Vec::new();
    }
    let latest = state.prompt.answers.first().filter(|answer| answer.outcome.is_ok());
    let latest = latest.map(|answer| answer.text.as_str());
    let command = match state.words.apply(action, latest) {
        Some(WordsRequest::Explain(text)) => Command::Explain { text },
        Some(WordsRequest::Predict(text)) => {
            state.prompt.ask_replaced();
            Command::Predict { text }
        }
        None => return Vec::new(),
    };
    vec![Effect::Send(command)]
}

/// Applies an answer.
pub(super) fn push_answer(state: &mut State, answer: Answer) -> Vec<Effect> {
    if state.prompt.take_replaced() {
        state.words.push_replaced(answer);
        return Vec::new();
    }
    let text = state.words.answered(&answer);
    state.prompt.push_answer(answer);
    text.map(|text| Effect::Send(Command::Explain { text })).into_iter().collect()
}
