//! The messages between a run and the program that shows it, a front end.
//!
//! A run sends [`RunReport`]s and accepts [`Command`]s. Within one process they travel over the two
//! channels of [`RunChannels`]; [`encoding`] writes them as lines of JSON for any other transport.

pub mod encoding;
mod history;

pub use crate::core::train::command::{Command, MAX_LEARNING_RATE};
pub use history::{HistoryChunk, chunks};

use crate::core::predict::Prediction;
use crate::core::train::TrainEvent;
use crate::run::system_metrics::SystemSample;
use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};

/// The version of the messages. Programs with different versions do not understand each other.
pub const PROTOCOL_VERSION: u32 = 1;

/// A message from a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", content = "value", rename_all = "snake_case")]
pub enum RunReport {
    /// An event of the run.
    Event(TrainEvent),
    /// Events from before the run was resumed.
    History(HistoryChunk),
    /// What the run is doing now.
    Activity(Activity),
    /// The answer to a [`Command::Predict`].
    Answer(Answer),
    /// The load of the computer; not a part of the run's history.
    System(SystemSample),
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "activity", content = "value", rename_all = "snake_case")]
pub enum Activity {
    /// Getting ready, with a description of the current part.
    Preparing(String),
    /// Downloading a file from the hub.
    Downloading(Download),
    /// Taking steps.
    Training,
    /// Paused between two steps.
    Paused,
    /// Evaluating the model.
    Evaluating {
        /// Examples evaluated.
        done: usize,
        /// Examples to evaluate.
        total: usize,
    },
    /// Writing a checkpoint or the model.
    Saving,
    /// The run has ended; it still answers [`Command::Predict`].
    Idle,
}

/// How much of a download is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Download {
    /// The file.
    pub file: String,
    /// Bytes downloaded.
    pub done: u64,
    /// Bytes of the whole file; 0 until they are known.
    pub total: u64,
    /// Bytes a second, once they are known.
    pub rate: Option<f64>,
}

/// The answer to a [`Command::Predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text of the command.
    pub text: String,
    /// The prediction, or why there is none.
    pub outcome: Result<Prediction, String>,
}

/// A front end's ends of the two channels to a run, or to the replay of one.
#[derive(Clone, Debug)]
pub struct RunChannels {
    /// What the run reports.
    pub reports: Receiver<RunReport>,
    /// Commands to the run. Once this is dropped, a run that has ended ends its thread.
    pub commands: Sender<Command>,
}
