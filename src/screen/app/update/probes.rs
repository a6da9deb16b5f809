//! Pinning sentences, and unpinning them.

use super::keys::{check_keys, warn};
use crate::core::train::event::Evaluated;
use crate::run::protocol::Command;
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::state::{Notice, State};

/// Pins the typed sentence or, without one, the one that was classified last; unpins it if it is pinned.
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
    let requested = state.pin_requests.iter().find(|(sentence, _)| *sentence == text);
    let is_pinned = requested.map_or_else(|| state.history.has_probe(&text), |(_, pins)| *pins);
    state.pin_requests.retain(|(sentence, _)| *sentence != text);
    state.pin_requests.push((text.clone(), !is_pinned));
    let (notice, command) = if is_pinned {
        ("unpinned; evaluations classify it no longer", Command::Unpin { text })
    } else {
        ("pinned; each evaluation classifies it from now on", Command::Pin { text })
    };
    let notice = state.lang.tr(notice).to_owned();
    state.notice = Some(Notice { level: Level::Result, text: notice, since: state.now });
    vec![Effect::Send(command)]
}

/// Forgets the requests that an evaluation shows.
pub(super) fn evaluated(state: &mut State, evaluated: &Evaluated) {
    let is_pinned = |sentence: &str| evaluated.probes.iter().any(|probe| probe.text == sentence);
    state.pin_requests.retain(|(sentence, pins)| is_pinned(sentence) != *pins);
}
