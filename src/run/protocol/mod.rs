//! The messages between a run and a front end, the program that displays it.
//!
//! A run sends [`RunReport`]s and accepts [`Command`]s. Within one process they are sent over the
//! two channels of [`RunChannels`]; [`encoding`] encodes them as lines of JSON for other
//! transports.

pub mod encoding;
mod history;
mod notification;

pub use crate::core::train::command::{Command, MAX_LEARNING_RATE};
pub use history::{HistoryChunk, chunks};
pub use notification::{Notification, NotifyEvent};

use crate::core::attribution::WordAttributions;
use crate::core::predict::Prediction;
use crate::core::train::TrainEvent;
use crate::run::system_metrics::SystemSample;
use crossbeam_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};

/// The version of the messages. Programs with different versions cannot exchange messages.
pub const PROTOCOL_VERSION: u32 = 2;

/// A message from a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", content = "value", rename_all = "snake_case")]
pub enum RunReport {
    /// An event of the run.
    Event(TrainEvent),
    /// Events from before the run was resumed.
    History(HistoryChunk),
    /// The current activity of the run.
    Activity(Activity),
    /// The response to a [`Command::Predict`].
    Answer(Answer),
    /// The response to a [`Command::Explain`].
    Explained(Explanation),
    /// Something that the user may want to know at once. It is not part of the run's history.
    Notification(Notification),
    /// The load of the computer. It is not part of the run's history.
    System(SystemSample),
    /// Events so far, in order, for a front end that attaches to a run under way.
    Recorded(Vec<TrainEvent>),
    /// Who is attached to the run.
    Session(SessionStatus),
    /// The run refuses a front end, for this reason, and disconnects it.
    Refused(String),
    /// The connection to the run is lost, for this reason. It is the last report.
    Lost(String),
}

/// Who is attached to a run, as one of its front ends sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The process of the run.
    pub pid: u32,
    /// Whether the receiver of this report has the keys: its commands reach the run.
    pub has_keys: bool,
    /// The name of the front end that has the keys, if there is one.
    pub holder: Option<String>,
    /// The number of dashboards of other processes that are attached.
    pub watching: u64,
    /// Seconds of training so far, if it has begun.
    pub elapsed: Option<f64>,
    /// The number of events in the run's journal before the next report; `None` if all of them
    /// are.
    pub journal_events: Option<u64>,
}

/// The activity of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "activity", content = "value", rename_all = "snake_case")]
pub enum Activity {
    /// Preparing the run, with a description of the current part.
    Preparing(String),
    /// Downloading a file from the hub.
    Downloading(Download),
    /// Training.
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
    /// The run has ended; it still handles [`Command::Predict`].
    Idle,
}

/// The progress of a download.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Download {
    /// The file.
    pub file: String,
    /// Bytes downloaded.
    pub done: u64,
    /// Bytes of the whole file; 0 if not yet known.
    pub total: u64,
    /// Bytes per second, if already known.
    pub rate: Option<f64>,
}

/// The response to a [`Command::Predict`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text of the command.
    pub text: String,
    /// The prediction, or why there is none.
    pub outcome: Result<Prediction, String>,
    /// The steps that the model had been trained for, if it is still being trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
}

/// Why a text is not explained if something else was asked meanwhile.
const CANCELLED: &str = "something newer was asked before the text was explained";

/// The response to a [`Command::Explain`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The text of the command.
    pub text: String,
    /// The words that lead to its class, or why they are not known.
    pub outcome: Result<WordAttributions, String>,
    /// The words that lead to the class that the compared model predicts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Box<WordAttributions>>,
    /// The step of the model that explained it, if it is still trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
}

impl Explanation {
    /// The response of one model; `None` if the explanation was cancelled by a newer command.
    pub fn new(text: String, outcome: Result<Option<WordAttributions>, String>) -> Self {
        let outcome = outcome.and_then(|words| words.ok_or_else(|| CANCELLED.to_owned()));
        Self { text, outcome, compared: None, step: None }
    }

    /// Whether the explanation was cancelled, so that it can be asked for again.
    pub fn is_cancelled(&self) -> bool {
        self.outcome.as_ref().is_err_and(|reason| reason == CANCELLED)
    }
}

/// A front end's ends of the two channels to a run or to a replay.
#[derive(Clone, Debug)]
pub struct RunChannels {
    /// The reports of the run.
    pub reports: Receiver<RunReport>,
    /// Commands to the run. After this is dropped, the thread exits once the run has ended.
    pub commands: Sender<Command>,
}
