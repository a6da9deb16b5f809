//! The commands that a run accepts while it is running.

use crate::core::attribution::ExplainMethod;
use crate::core::number;
use serde::{Deserialize, Serialize};

/// The highest learning rate that [`Command::SetLearningRate`] accepts.
pub const MAX_LEARNING_RATE: f64 = 1.0;

/// A command to a run, from a key, a signal or another program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Pause before the next step.
    Pause,
    /// Resume after a pause.
    Resume,
    /// Write a checkpoint after the current step.
    SaveCheckpoint,
    /// Evaluate the model after the current step. The result never counts as the best evaluation.
    Evaluate,
    /// Stop at the end of the current epoch, or cancel such a stop.
    StopAfterEpoch {
        /// Whether to stop.
        enabled: bool,
    },
    /// Use this learning rate for the next step, and scale the rest of the schedule by the same
    /// factor.
    SetLearningRate {
        /// Above 0 and at most [`MAX_LEARNING_RATE`]; any other rate is rejected with a warning.
        #[serde(with = "number")]
        rate: f64,
    },
    /// Stop after the current step and save the model.
    Stop {
        /// Whether to evaluate before saving.
        evaluate: bool,
    },
    /// Retry saving the model at the end of a run, after saving failed.
    SaveModel,
    /// Take over the keys from the front end that has them. It never reaches the training thread.
    TakeKeys,
    /// Classify a text at each evaluation from now on, too.
    Pin {
        /// The text to classify.
        text: String,
    },
    /// Classify a text at evaluations no longer.
    Unpin {
        /// The text.
        text: String,
    },
    /// Classify a text with the current weights.
    Predict {
        /// The text to classify.
        text: String,
    },
    /// Find the words of a text that lead to its class with the current weights.
    Explain {
        /// The text to classify.
        text: String,
        /// How they are found.
        #[serde(default)]
        method: ExplainMethod,
    },
}
