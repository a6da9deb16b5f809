//! Updates by actions on the words of an answered text.

use super::super::message::Effect;
use super::super::state::State;
use super::super::words::WordsAction;
use super::confirm;
use crate::core::attribution::ExplainMethod;
use crate::run::protocol::{Answer, Command};

/// Applies an action.
pub(super) fn apply(state: &mut State, action: WordsAction) -> Vec<Effect> {
    if action == WordsAction::Replace && !state.has_chosen_word() {
        confirm::inform(state, "choose a word of the answered text first: Alt-→");
        return Vec::new();
    }
    if matches!(action, WordsAction::Choose(_)) && !state.shows_words() {
        let reason = match (state.words.are_shown(), state.words.is_awaited()) {
            (false, _) => "the words of the answered text are hidden",
            (true, true) => "the words of the answered text are being computed",
            (true, false) => "there is no answered text whose words are known",
        };
        confirm::inform(state, reason);
        return Vec::new();
    }
    let asked = state.words.apply(action);
    if action == WordsAction::SwitchMethod {
        confirm::inform(
            state,
            match state.words.method() {
                ExplainMethod::Occlusion => "words by occlusion: the probability with each masked",
                ExplainMethod::IntegratedGradients => "words by integrated gradients",
            },
        );
    }
    let Some(texts) = asked else { return Vec::new() };
    // Both at once, so that the same model answers them.
    let ask = |text| {
        state.prompt.ask_replaced();
        Effect::Send(Command::Predict { text })
    };
    texts.map(ask).into()
}

/// Applies an answer.
pub(super) fn push_answer(state: &mut State, answer: Answer) {
    if state.prompt.take_replaced() {
        state.words.push_replaced(answer);
    } else {
        state.prompt.push_answer(answer, state.now);
    }
}
