//! Why a run fails.

use super::checkpoint::CheckpointError;
use crate::core::engine::EngineError;

/// Why a run fails.
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
