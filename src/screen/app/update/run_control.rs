//! Updates by actions on the run under way.

use super::{confirm, keys};
use crate::core::train::event::{CommandApplied, CommandEffect};
use crate::run::protocol::{Command, MAX_LEARNING_RATE};
use crate::screen::app::message::Effect;
use crate::screen::app::next_rate::next_rate;
use crate::screen::app::page::Overlay;
use crate::screen::app::run_control::{LearningRateInput, RunControlAction};
use crate::screen::app::state::State;

/// The maximum number of recorded commands; a journal may contain any number.
const MAX_RECORDED: usize = 10_000;

/// Applies an action. A run that is not training cannot be controlled.
pub(super) fn apply(state: &mut State, action: RunControlAction) -> Vec<Effect> {
    let trains = state.started.is_some() && state.is_running() && !state.stopping;
    // A replay can only be paused, and an opened run is trained by another process, if any.
    let is_refused =
        state.is_opened() || (state.replay.is_some() && action != RunControlAction::Pause);
    if !trains || is_refused {
        confirm::refused(state);
        return Vec::new();
    }
    if !keys::check_keys(state) {
        return Vec::new();
    }
    let command = match action {
        RunControlAction::Pause => {
            // The run applies what was requested before this at the end of its step.
            let is_paused = state.paused_at.is_some() || state.is_paused();
            let pauses = !state.requests.pause.unwrap_or(is_paused);
            state.requests.pause = Some(pauses).filter(|_| state.replay.is_none());
            if pauses { Command::Pause } else { Command::Resume }
        }
        RunControlAction::SaveNow => Command::SaveCheckpoint,
        RunControlAction::EvaluateNow => Command::Evaluate,
        RunControlAction::StopAfterEpoch => {
            let stops = state.requests.stop_after_epoch.unwrap_or(state.stop_after_epoch);
            state.requests.stop_after_epoch = Some(!stops);
            Command::StopAfterEpoch { enabled: !stops }
        }
        RunControlAction::AskRate => {
            state.rate_input = present_rate(state);
            state.overlay = Some(Overlay::LearningRate);
            return Vec::new();
        }
        RunControlAction::SetRate => {
            let Some(rate) = state.rate_input.value() else {
                return Vec::new();
            };
            state.overlay = None;
            if state.rate_input.is_unchanged() {
                confirm::inform(state, "the learning rate is not changed");
                return Vec::new();
            }
            Command::SetLearningRate { rate }
        }
        RunControlAction::DoubleRate | RunControlAction::HalveRate => {
            let factor = if action == RunControlAction::DoubleRate { 2.0 } else { 0.5 };
            if let Some(rate) = state.rate_input.value() {
                state.rate_input.fill_in((rate * factor).min(MAX_LEARNING_RATE));
            }
            return Vec::new();
        }
    };
    confirm::requested(state, &command);
    vec![Effect::Send(command)]
}

/// Applies a report that the run has just applied a command.
pub(super) fn applied(state: &mut State, applied: &CommandApplied) {
    if state.replay.is_some() {
        return;
    }
    match applied.effect {
        CommandEffect::Paused => {
            state.requests.pause = state.requests.pause.filter(|pauses| !pauses);
            pause_clock(state);
        }
        CommandEffect::Resumed { .. } => {
            state.requests.pause = state.requests.pause.filter(|pauses| *pauses);
            resume_clock(state);
        }
        CommandEffect::StopAfterEpoch { enabled } => {
            state.stop_after_epoch = enabled;
            state.requests.stop_after_epoch.take_if(|requested| *requested == enabled);
        }
        _ => {}
    }
}

/// Stops the clock of the run.
pub(super) fn pause_clock(state: &mut State) {
    state.paused_at = Some(state.now);
}

/// Resumes the clock of the run at the time when it was paused.
fn resume_clock(state: &mut State) {
    if let (Some(since), Some(began)) = (state.paused_at.take(), state.began.as_mut()) {
        *began += state.now - since;
    }
}

/// Shows the rate of the next step after another one, unless another rate was typed.
pub(super) fn refresh_rate(state: &mut State) {
    let input = &state.rate_input;
    let shows_present = input.is_filled_in && input.is_unchanged();
    if state.overlay == Some(Overlay::LearningRate) && shows_present {
        state.rate_input = present_rate(state);
    }
}

/// The input with the rate of the next step, if it is known.
fn present_rate(state: &State) -> LearningRateInput {
    next_rate(state)
        .map_or_else(LearningRateInput::default, |next| LearningRateInput::new(next.rate))
}

/// Discards pending requests after the run has ended.
pub(super) fn run_ended(state: &mut State) {
    resume_clock(state);
    state.stop_after_epoch = false;
    let requests = std::mem::take(&mut state.requests);
    let asks_rate = state.overlay == Some(Overlay::LearningRate);
    state.overlay.take_if(|_| asks_rate);
    // What comes of a request that the run no longer hears.
    if asks_rate || requests.checkpoint || requests.evaluation {
        confirm::inform(state, "the run has ended");
    }
}

/// Records an applied command, for the annotations of the charts.
pub(super) fn record(state: &mut State, applied: CommandApplied) {
    if state.applied_commands.len() < MAX_RECORDED {
        state.applied_commands.push(applied);
    }
}

#[cfg(test)]
#[path = "run_control_tests.rs"]
mod tests;
