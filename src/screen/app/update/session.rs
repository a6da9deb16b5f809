//! Updates by what happens among the front ends of a run.

use super::keys::{self, warn};
use super::run_control;
use crate::core::train::event::CommandEffect;
use crate::run::protocol::{Command, SessionStatus};
use crate::screen::app::log::Level;
use crate::screen::app::message::Effect;
use crate::screen::app::state::{Notice, RunLocation, State};

/// Applies who is attached.
pub(super) fn push_status(state: &mut State, status: &SessionStatus) {
    let before = state.session.replace(status.clone());
    let is_first = before.is_none() && state.is_elsewhere();
    if is_first {
        set_clock(state, status.elapsed);
    }
    let holder = |status: &SessionStatus| (status.has_keys, status.holder.clone());
    let changed = before.as_ref().is_some_and(|before| holder(before) != holder(status));
    let text = match (&status.holder, status.has_keys) {
        (Some(_), true) if changed => state.lang.tr("you have the keys").to_owned(),
        (Some(name), false) if changed => {
            state.lang.tr_with("{0} has the keys", &[&state.lang.tr(name)])
        }
        (None, false) if changed => {
            state.lang.tr("nobody has the keys; K takes them over").to_owned()
        }
        (Some(name), false) if is_first => {
            let name = state.lang.tr(name);
            state.lang.tr_with("watching: {0} has the keys; K takes them over", &[&name])
        }
        _ => return,
    };
    state.log.push(state.elapsed(), Level::Info, text.clone());
    state.notice = Some(Notice { level: Level::Info, text, since: state.now });
}

/// Sets the clock of a run that has been training for `elapsed` seconds.
fn set_clock(state: &mut State, elapsed: Option<f64>) {
    let (Some(elapsed), Some(started)) = (elapsed, &state.started) else { return };
    state.began = Some(state.now - (elapsed - started.resumed_elapsed));
    let is_paused = |effect: &CommandEffect| match effect {
        CommandEffect::Paused => Some(true),
        CommandEffect::Resumed { .. } => Some(false),
        _ => None,
    };
    let latest = state.applied_commands.iter().rev().find_map(|applied| is_paused(&applied.effect));
    if latest == Some(true) && state.finished.is_none() {
        run_control::pause_clock(state);
    }
}

/// Leaves the run without stopping anything. What has ended is quit.
pub(super) fn detach(state: &mut State) -> Vec<Effect> {
    state.overlay = None;
    if state.runs.is_some() {
        return Vec::new();
    }
    let is_run = state.replay.is_none() || state.is_opened();
    if is_run && !state.is_running() && state.steps_done() > 0 && !state.opened_from_list {
        // What is printed then says that the run has ended.
        return if state.is_unsaved() { super::quit(state) } else { vec![Effect::Detach] };
    }
    if state.is_elsewhere() {
        return vec![Effect::Quit];
    }
    if state.replay.is_some() && !state.is_opened() {
        // Nothing goes on without a dashboard.
        warn(state, state.lang.tr("q leaves a replay").to_owned());
        return Vec::new();
    }
    if state.replay.is_some() || !state.is_running() {
        return super::quit(state);
    }
    if state.started.is_some() {
        return vec![Effect::Detach];
    }
    warn(
        state,
        state.lang.tr("the run has not begun yet; --detach starts in the background").to_owned(),
    );
    Vec::new()
}

/// Takes over the keys.
pub(super) fn take_keys(state: &mut State) -> Vec<Effect> {
    if state.location == RunLocation::Unreachable {
        keys::check_keys(state);
        return Vec::new();
    }
    if state.session.as_ref().is_some_and(|session| !session.has_keys) {
        return vec![Effect::Send(Command::TakeKeys)];
    }
    let text = if state.replay.is_some() || !state.is_running() {
        "there are no keys to take over"
    } else {
        "you have the keys"
    };
    super::confirm::inform(state, text);
    Vec::new()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
