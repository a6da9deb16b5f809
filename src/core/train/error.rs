//! The errors of a training run.

use super::checkpoint::CheckpointError;
use crate::core::collective::CollectiveError;
use crate::core::engine::EngineError;

/// An error that ends a training run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or the gradient norm is infinite or NaN.
    #[error("the {what} is {value} at step {step}")]
    NotFinite {
        /// `"loss"` or `"gradient norm"`.
        what: &'static str,
        /// The value.
        value: f64,
        /// The step, counted from 1; its update was not applied.
        step: u64,
    },
    /// There are no training examples.
    #[error("there are no training examples")]
    NoExamples,
    /// The checkpoint to resume from or the best checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The device has no memory left for a step; the message has the sizes.
    #[error("{0}")]
    OutOfMemory(String),
    /// The run could not continue from a checkpoint after an error.
    #[error("{error}; {reason}")]
    NotRecovered {
        /// The error.
        error: Box<TrainError>,
        /// Why the run could not continue.
        reason: String,
    },
    /// Another process of the run is lost or has failed.
    #[error(transparent)]
    Ranks(#[from] CollectiveError),
    /// A computation failed; the message names the operation.
    #[error("{0}")]
    Computation(String),
}

impl From<EngineError> for TrainError {
    fn from(error: EngineError) -> Self {
        Self::Computation(error.0)
    }
}

impl TrainError {
    /// The error of an engine's step, which may be out of memory.
    pub(super) fn of_step(error: EngineError) -> Self {
        if error.is_out_of_memory() { Self::OutOfMemory(error.0) } else { error.into() }
    }

    /// A suggested remedy, if any.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFinite { .. } => Some(
                "Try a lower --learning-rate, a longer --warmup-steps, or a --max-grad-norm of 1.",
            ),
            Self::NoExamples => Some("Pass a --max-train-samples above 0."),
            Self::OutOfMemory(_) => {
                Some("--auto-find-batch-size computes such a batch in smaller parts.")
            }
            Self::NotRecovered { error, .. } => error.hint(),
            Self::Ranks(_) => Some(
                "The run can be resumed from its last checkpoint with --resume-from-checkpoint auto, \
                 with the same number of processes or with another --nproc-per-node.",
            ),
            Self::Checkpoint(_) | Self::Computation(_) => None,
        }
    }
}
