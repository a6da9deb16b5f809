//! What keys ask of the run under way.

use super::message::Effect;
use super::state::{Overlay, State};
use crate::core::train::event::{CommandApplied, CommandEffect};
use crate::run::protocol::{Activity, Command, MAX_LEARNING_RATE};
use tui_input::{Input, InputRequest};

/// Something a key asks of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SteerAction {
    /// Wait before the next step; asked again, go on.
    Pause,
    /// Write a checkpoint.
    SaveNow,
    /// Judge the model.
    EvaluateNow,
    /// End with the current epoch; asked again, do not.
    StopAfterEpoch,
    /// Ask the user for a learning rate.
    AskRate,
    /// Go on with the rate that was typed.
    SetRate,
    /// Twice the rate that was typed.
    DoubleRate,
    /// Half of it.
    HalveRate,
}

/// What is kept of steering; a journal could hold any number.
const KEPT: usize = 10_000;

/// The longest number that can be typed.
const LONGEST: usize = 20;

/// A learning rate that is being typed.
#[derive(Clone, Debug, Default)]
pub struct RateInput {
    /// What is typed.
    pub input: Input,
}

impl RateInput {
    /// Starts from a rate.
    fn begin(rate: f64) -> Self {
        Self { input: Input::new(written(rate)) }
    }

    /// Takes in a key; only what belongs to a number is typed.
    pub fn edit(&mut self, request: InputRequest) {
        if let InputRequest::InsertChar(c) = request
            && (!(c.is_ascii_digit() || ".eE+-".contains(c)) || self.input.value().len() >= LONGEST)
        {
            return;
        }
        self.input.handle(request);
    }

    /// The rate, if what is typed is one that can be used.
    pub fn rate(&self) -> Option<f64> {
        let rate: f64 = self.input.value().parse().ok()?;
        (rate > 0.0 && rate <= MAX_LEARNING_RATE).then_some(rate)
    }
}

/// A rate as one would type it.
fn written(rate: f64) -> String {
    let text = format!("{rate:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Obeys a key. Nothing can be asked of a run that is not training.
pub fn act(state: &mut State, action: SteerAction) -> Vec<Effect> {
    let trains = state.started.is_some() && state.is_running() && !state.stopping;
    // A run that is played back can wait, and nothing else.
    if !trains || (state.replay.is_some() && action != SteerAction::Pause) {
        return Vec::new();
    }
    let command = match action {
        SteerAction::Pause if state.paused_at.is_some() || is_paused(state) => Command::Resume,
        SteerAction::Pause => Command::Pause,
        SteerAction::SaveNow => Command::SaveCheckpoint,
        SteerAction::EvaluateNow => Command::Evaluate,
        SteerAction::StopAfterEpoch => Command::StopAfterEpoch { enabled: !state.stop_after_epoch },
        SteerAction::AskRate => {
            let rate = state.step.as_ref().map(|step| step.learning_rate);
            state.rate =
                rate.filter(|rate| *rate > 0.0).map_or_else(RateInput::default, RateInput::begin);
            state.overlay = Some(Overlay::LearningRate);
            return Vec::new();
        }
        SteerAction::SetRate => {
            let Some(rate) = state.rate.rate() else {
                return Vec::new();
            };
            state.overlay = None;
            Command::SetLearningRate { rate }
        }
        SteerAction::DoubleRate | SteerAction::HalveRate => {
            let factor = if action == SteerAction::DoubleRate { 2.0 } else { 0.5 };
            if let Some(rate) = state.rate.rate() {
                state.rate = RateInput::begin((rate * factor).min(MAX_LEARNING_RATE));
            }
            return Vec::new();
        }
    };
    vec![Effect::Send(command)]
}

/// The run says that it was steered, just now.
pub fn happened(state: &mut State, applied: &CommandApplied) {
    if state.replay.is_some() {
        return;
    }
    match applied.effect {
        CommandEffect::Paused => state.paused_at = Some(state.now),
        CommandEffect::Resumed { .. } => go_on(state),
        CommandEffect::StopAfterEpoch { enabled } => state.stop_after_epoch = enabled,
        _ => {}
    }
}

/// Lets the clock go on where it stood.
fn go_on(state: &mut State) {
    if let (Some(since), Some(began)) = (state.paused_at.take(), state.began.as_mut()) {
        *began += state.now - since;
    }
}

/// The run has ended, and with it what was asked of it.
pub fn ended(state: &mut State) {
    go_on(state);
    state.stop_after_epoch = false;
    if state.overlay == Some(Overlay::LearningRate) {
        state.overlay = None;
    }
}

/// Keeps what was done, for the charts.
pub fn keep(state: &mut State, applied: CommandApplied) {
    if state.steered.len() < KEPT {
        state.steered.push(applied);
    }
}

/// Whether the run waits for the user.
pub fn is_paused(state: &State) -> bool {
    state.activity == Activity::Paused
}

#[cfg(test)]
#[path = "steer_tests.rs"]
mod tests;
