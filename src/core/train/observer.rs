//! Who watches a run, what they may say, and why a run cannot go on.

use super::checkpoint::CheckpointError;
use super::event::TrainEvent;
use super::steering::Request;
use super::trainer_state::LogEntry;
use crate::core::engine::{Engine, EngineError};

/// What the trainer is told between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End the run here.
    Stop {
        /// Whether to evaluate once more first.
        evaluate: bool,
    },
}

/// Who watches a run, and may end it.
pub trait Observer {
    /// Something happened.
    fn publish(&mut self, event: TrainEvent);

    /// An evaluation has come this far, in examples.
    fn evaluating(&mut self, done: usize, total: usize);

    /// A line was added to the log history, by Hugging Face's names.
    fn logged(&mut self, entry: &LogEntry);

    /// A checkpoint is about to be written.
    fn saving(&mut self);

    /// Called between batches of an evaluation, while the engine is at rest and may be asked.
    fn between_batches(&mut self, engine: &mut dyn Engine) -> Control;

    /// Called between steps until it is `None`: what is asked of the run next. While the run is
    /// paused it waits for something to be asked, and `None` ends the pause. The engine is at rest
    /// and may be asked.
    fn request(&mut self, engine: &mut dyn Engine, paused: bool) -> Option<Request> {
        let _ = paused;
        match self.between_batches(engine) {
            Control::Continue => None,
            Control::Stop { evaluate } => Some(Request::Stop { evaluate }),
        }
    }
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss, or the gradient, is infinite or not a number.
    #[error("the {what} is {value} at step {step}")]
    NotFinite {
        /// `"loss"` or `"gradient norm"`.
        what: &'static str,
        /// The value.
        value: f64,
        /// The step, counted from 1; its update was not applied.
        step: u64,
    },
    /// There is nothing to train on.
    #[error("there are no training examples")]
    NoExamples,
    /// The checkpoint to resume from, or the best one, cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A computation failed; the message names what.
    #[error("{0}")]
    Computation(String),
}

impl From<EngineError> for TrainError {
    fn from(error: EngineError) -> Self {
        Self::Computation(error.0)
    }
}

impl TrainError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFinite { .. } => Some(
                "Try a lower --learning-rate, a longer --warmup-steps, or a --max-grad-norm of 1.",
            ),
            Self::NoExamples => Some("Pass a --max-train-samples above 0."),
            Self::Checkpoint(_) | Self::Computation(_) => None,
        }
    }
}
