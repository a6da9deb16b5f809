//! Pinning sentences.

use super::keys::{check_keys, warn};
use crate::run::protocol::Command;
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::state::{Notice, State};

/// Pins the typed sentence or, without one, the one that was classified last.
pub(super) fn pin(state: &mut State) -> Vec<Effect> {
    let typed = state.prompt.input.text().trim();
    let last = || state.prompt.answers.first().map(|answer| answer.text.clone());
    let sentence = if typed.is_empty() { last() } else { Some(typed.to_owned()) };
    let Some(text) = sentence else {
        warn(state, state.lang.tr("there is no text to pin: type one").to_owned());
        return Vec::new();
    };
    if state.asked_model.is_some() {
        let reason = "sentences are pinned during a run, or with train --probe";
        warn(state, state.lang.tr(reason).to_owned());
        return Vec::new();
    }
    if state.replay.is_some() || !state.is_running() || state.started.is_none() {
        warn(state, state.lang.tr("sentences are pinned during a run").to_owned());
        return Vec::new();
    }
    if !check_keys(state) {
        return Vec::new();
    }
    if state.history.has_probe(&text) {
        warn(state, state.lang.tr("it is pinned already").to_owned());
        return Vec::new();
    }
    let notice = state.lang.tr("pinned; each evaluation classifies it from now on").to_owned();
    state.notice = Some(Notice { level: Level::Result, text: notice, since: state.now });
    vec![Effect::Send(Command::Pin { text })]
}
