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

/// What was requested of the run and is under way; its outcome is reported to the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingRequests {
    /// A checkpoint.
    pub checkpoint: bool,
    /// An evaluation.
    pub evaluation: bool,
    /// Saving the model again.
    pub model: bool,
    /// A pause (`true`) or the end of one (`false`).
    pub pause: Option<bool>,
    /// A stop after the epoch (`true`), or none (`false`).
    pub stop_after_epoch: Option<bool>,
}

/// A learning rate that is being typed.
#[derive(Clone, Debug, Default)]
pub struct LearningRateInput {
    /// What is typed.
    pub input: Input,
    /// Whether the rate is one that was filled in, which typing replaces.
    pub is_filled_in: bool,
    /// The present rate, which was filled in first.
    present: Option<String>,
}

impl LearningRateInput {
    /// An input that shows the present rate.
    pub fn new(rate: f64) -> Self {
        let text = shortest(rate);
        Self { input: Input::new(text.clone()), is_filled_in: true, present: Some(text) }
    }

    /// Shows another rate, which typing replaces.
    pub fn fill_in(&mut self, rate: f64) {
        (self.input, self.is_filled_in) = (Input::new(shortest(rate)), true);
    }

    /// Whether it shows the present rate.
    pub fn is_unchanged(&self) -> bool {
        let present = self.present.as_ref().and_then(|text| text.parse::<f64>().ok());
        present.is_some() && self.value() == present
    }

    /// Edits the text; only characters of a number are accepted. Typing replaces a rate that was
    /// filled in, and deleting deletes it; moving the caret keeps it.
    pub fn edit(&mut self, request: InputRequest) {
        let inserts = matches!(request, InputRequest::InsertChar(_));
        if let InputRequest::InsertChar(c) = request
            && (!(c.is_ascii_digit() || ".eE+-".contains(c))
                || (self.input.value().len() >= MAX_LENGTH && !self.is_filled_in))
        {
            return;
        }
        let deletes = matches!(
            request,
            InputRequest::DeletePrevChar
                | InputRequest::DeleteNextChar
                | InputRequest::DeletePrevWord
                | InputRequest::DeleteNextWord
        );
        if std::mem::take(&mut self.is_filled_in) && (inserts || deletes) {
            self.input.reset();
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
pub fn shortest(rate: f64) -> String {
    if rate == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{rate:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
}
