//! What a user who does not watch a run is notified of.

use crate::core::named::named_enum;
use serde::{Deserialize, Serialize};

named_enum! {
    /// Something that happens in a run and that its user may want to know at once.
    #[derive(PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum NotifyEvent {
        /// The run finished
        Finished = "finished",
        /// The run, or saving its model, failed
        Failed = "failed",
        /// The run was stopped
        Stopped = "stopped",
        /// The loss or the gradient norm is NaN or infinite
        Nan = "nan",
        /// The loss rose far above its usual range
        Spike = "spike",
        /// No step for --stall-minutes
        Stall = "stall",
        /// An evaluation is better than all before
        Best = "best",
        /// The disk has room for fewer than two checkpoints
        Disk = "disk",
    }
}

impl NotifyEvent {
    /// Whether it is the end of the run.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Stopped)
    }

    /// Whether something is wrong.
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Failed | Self::Nan | Self::Spike | Self::Stall | Self::Disk)
    }
}

/// A notification. Its texts are sanitized for the terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// What happened.
    pub event: NotifyEvent,
    /// The output folder of the run, as it is shown.
    pub run: String,
    /// A description in one line.
    pub message: String,
    /// The number of steps completed.
    pub step: u64,
    /// The number of steps of the whole run; 0 before it has started.
    pub max_steps: u64,
    /// Seconds since the program started the run.
    pub seconds: f64,
    /// The loss of the last step, if it is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The loss of the last evaluation, if it is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
    /// The accuracy of the last evaluation, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_accuracy: Option<f64>,
}
