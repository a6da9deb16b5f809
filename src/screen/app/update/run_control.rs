//! Updates by actions on the run under way.

use crate::core::train::steering::{HIGHEST_RATE, Request, Steered, Steering};
use crate::run::worker::Command;
use crate::screen::app::message::Effect;
use crate::screen::app::page::Overlay;
use crate::screen::app::run_control::{LearningRateInput, RunControlAction};
use crate::screen::app::state::State;

/// The most applied commands that are kept; a journal could hold any number.
const MAX_RECORDED: usize = 10_000;

/// Applies an action. A run that is not training cannot be controlled.
pub(super) fn apply(state: &mut State, action: RunControlAction) -> Vec<Effect> {
    let trains = state.started.is_some() && state.is_running() && !state.stopping;
    // A replay can only be paused.
    if !trains || (state.replay.is_some() && action != RunControlAction::Pause) {
        return Vec::new();
    }
    let request = match action {
        RunControlAction::Pause if state.paused_at.is_some() || state.is_paused() => {
            Request::Resume
        }
        RunControlAction::Pause => Request::Pause,
        RunControlAction::SaveNow => Request::Save,
        RunControlAction::EvaluateNow => Request::Evaluate,
        RunControlAction::StopAfterEpoch => Request::StopAfterEpoch(!state.stop_after_epoch),
        RunControlAction::AskRate => {
            let rate = state.step.as_ref().map(|step| step.learning_rate);
            state.rate_input = rate
                .filter(|rate| *rate > 0.0)
                .map_or_else(LearningRateInput::default, LearningRateInput::new);
            state.overlay = Some(Overlay::LearningRate);
            return Vec::new();
        }
        RunControlAction::SetRate => {
            let Some(rate) = state.rate_input.value() else {
                return Vec::new();
            };
            state.overlay = None;
            Request::LearningRate(rate)
        }
        RunControlAction::DoubleRate | RunControlAction::HalveRate => {
            let factor = if action == RunControlAction::DoubleRate { 2.0 } else { 0.5 };
            if let Some(rate) = state.rate_input.value() {
                state.rate_input = LearningRateInput::new((rate * factor).min(HIGHEST_RATE));
            }
            return Vec::new();
        }
    };
    vec![Effect::Send(Command::Steer(request))]
}

/// The run reports that a command was applied just now.
pub(super) fn applied(state: &mut State, steered: &Steered) {
    if state.replay.is_some() {
        return;
    }
    match steered.how {
        Steering::Paused => state.paused_at = Some(state.now),
        Steering::Resumed { .. } => resume_clock(state),
        Steering::StopAfterEpoch { asked } => state.stop_after_epoch = asked,
        _ => {}
    }
}

/// Continues the clock of the run at the time where it was paused.
fn resume_clock(state: &mut State) {
    if let (Some(since), Some(began)) = (state.paused_at.take(), state.began.as_mut()) {
        *began += state.now - since;
    }
}

/// The run has ended: pending requests are void.
pub(super) fn run_ended(state: &mut State) {
    resume_clock(state);
    state.stop_after_epoch = false;
    if state.overlay == Some(Overlay::LearningRate) {
        state.overlay = None;
    }
}

/// Keeps an applied command, for the marks on the charts.
pub(super) fn record(state: &mut State, steered: Steered) {
    if state.steered.len() < MAX_RECORDED {
        state.steered.push(steered);
    }
}

#[cfg(test)]
#[path = "run_control_tests.rs"]
mod tests;
