//! Controlling the run under way: pausing it, checkpoints and evaluations on request, and the
//! learning rate.

use crate::run::protocol::MAX_LEARNING_RATE;
use tui_input::{Input, InputRequest};

/// An action on the run under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunControlAction {
    /// Pause before the next step, or resume.
    Pause,
    /// Write a checkpoint now.
    SaveNow,
    /// Evaluate the model now.
    EvaluateNow,
    /// Stop after the current epoch, or cancel that.
    StopAfterEpoch,
    /// Open the input for a learning rate.
    AskRate,
    /// Use the typed learning rate.
    SetRate,
    /// Double the typed rate.
    DoubleRate,
    /// Halve the typed rate.
    HalveRate,
}

/// The maximum number of characters that can be typed.
const MAX_LENGTH: usize = 20;

/// A learning rate that is being typed.
#[derive(Clone, Debug, Default)]
pub struct LearningRateInput {
    /// What is typed.
    pub input: Input,
}

impl LearningRateInput {
    /// An input that shows a rate.
    pub fn new(rate: f64) -> Self {
        Self { input: Input::new(shortest(rate)) }
    }

    /// Edits the text; only characters of a number are accepted.
    pub fn edit(&mut self, request: InputRequest) {
        if let InputRequest::InsertChar(c) = request
            && (!(c.is_ascii_digit() || ".eE+-".contains(c))
                || self.input.value().len() >= MAX_LENGTH)
        {
            return;
        }
        self.input.handle(request);
    }

    /// The typed rate, if it is valid: above 0 and at most [`MAX_LEARNING_RATE`].
    pub fn value(&self) -> Option<f64> {
        let rate: f64 = self.input.value().parse().ok()?;
        (rate > 0.0 && rate <= MAX_LEARNING_RATE).then_some(rate)
    }
}

/// A rate in scientific notation with at most three decimals, without trailing zeros.
fn shortest(rate: f64) -> String {
    let text = format!("{rate:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
}
